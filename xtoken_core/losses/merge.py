"""
How a chunk of several tokens becomes one distribution, on either side. All in log space.

    tokens of the chunk      x_1      x_2     …  x_m
    their distributions      p_1      p_2     …  p_m         p_i is read one position before its token

    chain    p_1, without the realised chunk's mass r = Π p_i(x_i), which is an outcome of its own
    scaled   p_1 · Π_{i≥2} p_i(x_i), as GOLD was published; it sums to less than 1
    first    p_1
    last     Π_{i<m} p_i(x_i) · p_m
    mean     the mean of all p_i: arithmetic for the student, geometric for the teacher, as NeMo-RL merges

Of a chunk's tokens one is read as a whole row (all of them for `mean`), the others as scalars, log p and log(1 - p). Of
three chunks with 1, 3 and 2 tokens `chain` reads 3 rows and the scalars 0, 1 | 2, which stand at the places

    [S S]  [0 1]  [2 S]        S = 3: no scalar
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

import torch
from torch import Tensor

from xtoken_core.losses.batch import ChunkTargets, Targets
from xtoken_core.losses.divergence import log_sum


class Merge(StrEnum):
    """The named ways to merge; CHAIN is the default of P-KL and H-KL."""

    CHAIN = "chain"
    SCALED = "scaled"
    FIRST = "first"
    LAST = "last"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Mass:
    """n chunks as one side sees them. tokens [n, V]: log p of each token as the outcome, as a share of all mass.

    realised [n]: log p of the chunk as it stands, where the merge makes that an outcome of its own. total [n]: the log
    of all mass, None where it is 1, as of a distribution.
    """

    tokens: Tensor
    realised: Tensor | None
    total: Tensor | None

    def log_mass(self) -> Tensor:
        """[n, V], the mass of each token, no share."""
        return self.tokens if self.total is None else self.tokens + self.total[:, None]


@dataclass(frozen=True, slots=True)
class Scalars:
    """Of n chunks' tokens that aren't read as whole rows: Σ log p, and log(1 - Π p), -inf where there are none."""

    together: Tensor
    otherwise: Tensor


@dataclass(frozen=True, slots=True)
class Reading:
    """What a merge reads of one side. rows [R]: whole rows of the logits, in order; counts [C] of them a chunk, None
    where each has one.

    tokens [C]: each chunk's first token. scalars: the tokens of which only log p is read, [S], in order. places [C, D]:
    where a chunk's scalars stand among them, S where it has fewer.
    """

    rows: Tensor
    counts: Tensor | None
    tokens: Tensor
    scalars: Targets
    places: Tensor


def reading(chunks: ChunkTargets, merge: Merge) -> Reading:
    """What `merge` reads of one side's chunks."""
    targets, starts = chunks.targets, chunks.starts
    tokens = targets.tokens[starts]
    if merge in (Merge.MEAN, Merge.FIRST):
        counts = chunks.lengths if merge is Merge.MEAN else None
        rows = targets.rows if merge is Merge.MEAN else targets.rows[starts]
        none = starts[:0]
        return Reading(rows, counts, tokens, Targets(none, none), starts.new_zeros(len(chunks), 0))
    last = merge is Merge.LAST
    whole = starts + chunks.lengths - 1 if last else starts
    others = chunks.earlier if last else chunks.later
    before = starts - torch.arange(len(chunks), device=starts.device)  # scalars of the chunks before
    depth = torch.arange(max(chunks.longest - 1, 0), device=starts.device)
    places = torch.where(depth < chunks.lengths[:, None] - 1, before[:, None] + depth, len(others))
    return Reading(targets.rows[whole], None, tokens, Targets(targets.rows[others], targets.tokens[others]), places)


def scalars_of(log_probs: Tensor, log_others: Tensor, places: Tensor) -> Scalars:
    """From log p [S] and log(1 - p) [S] of tokens, and their places [C, D] in the chunks, to the chunks' [C].

    1 - Π p_i is summed as Σ_i (1 - p_i) Π_{k<i} p_k: every term is positive, so that no digits cancel.
    """
    by_chunk, terms = _terms(log_probs, log_others, places)
    return Scalars(by_chunk.sum(1), torch.logsumexp(terms, 1))


def through_scalars(
    log_probs: Tensor, log_others: Tensor, places: Tensor, made: Scalars, gradients: Scalars
) -> tuple[Tensor, Tensor]:
    """From the gradients of what the scalars make to those of log p [S] and log(1 - p) [S]."""
    _, terms = _terms(log_probs, log_others, places)
    shares = (terms - made.otherwise[:, None]).exp().nan_to_num(0.0) * gradients.otherwise[:, None]
    behind = _sums_before(shares.flip(1)).flip(1)  # a token's p is in the terms behind it
    found = log_probs.new_zeros(2, len(log_probs) + 1)
    found[:, places.flatten()] = torch.stack([gradients.together[:, None] + behind, shares]).flatten(1)
    return found[0, :-1], found[1, :-1]


def _terms(log_probs: Tensor, log_others: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """log p by chunk [C, D], and log of (1 - p_i) Π_{k<i} p_k [C, D]; padding is certain."""
    by_chunk = torch.cat([log_probs, log_probs.new_zeros(1)])[places]
    others = torch.cat([log_others, log_others.new_full((1,), -math.inf)])[places]
    return by_chunk, _sums_before(by_chunk) + others


def _sums_before(values: Tensor) -> Tensor:
    """[C, D], the sum of what stands before each place of a row. A GPU's cumsum gives other bits each time."""
    if not values.shape[1]:
        return values
    return torch.stack(list(accumulate(values[:, :-1].unbind(1), initial=values.new_zeros(len(values)))), 1)


def student_mass(merge: Merge, log_probs: Tensor, counts: Tensor | None, scalars: Scalars, tokens: Tensor) -> Mass:
    """The student's mass of n chunks.

    log_probs [R, V]: the rows that the merge reads, counts [n] of them a chunk, None for one each. scalars [n]: of the
    tokens that it doesn't read as rows. tokens [n]: the chunks' first tokens.
    """
    if counts is not None:
        return Mass(_log_arithmetic_mean(log_probs, counts), None, None)
    return _mass(merge, log_probs, scalars, tokens)


def teacher_mass(merge: Merge, log_probs: Tensor, counts: Tensor | None, scalars: Scalars, tokens: Tensor) -> Mass:
    """The teacher's mass of n chunks; arguments as in `student_mass`."""
    if counts is not None:
        mean = torch.segment_reduce(log_probs, "mean", lengths=counts, unsafe=True)
        total = log_sum(mean)
        return Mass(mean - total.clamp(min=torch.finfo(total.dtype).min)[:, None], None, total)
    return _mass(merge, log_probs, scalars, tokens)


def _mass(merge: Merge, log_probs: Tensor, scalars: Scalars, tokens: Tensor) -> Mass:
    if merge is Merge.FIRST:
        return Mass(log_probs, None, None)
    if merge is Merge.CHAIN:
        first = log_probs.gather(1, tokens[:, None])
        others = log_probs.scatter(1, tokens[:, None], first + scalars.otherwise[:, None])
        return Mass(others, first[:, 0] + scalars.together, None)
    return Mass(log_probs, None, scalars.together)


def _log_arithmetic_mean(log_probs: Tensor, counts: Tensor) -> Tensor:
    """[R, V], counts [n] -> [n, V]: log of the mean probability of each chunk's rows."""
    if len(log_probs) == len(counts):
        return log_probs
    highest = torch.segment_reduce(log_probs.detach(), "max", lengths=counts, unsafe=True)
    highest = highest.clamp(min=torch.finfo(highest.dtype).min)  # -inf less itself has no value
    above = (log_probs - highest.repeat_interleave(counts, 0)).exp()
    mean = torch.segment_reduce(above, "mean", lengths=counts, unsafe=True)
    nothing = mean == 0
    return (mean.masked_fill(nothing, 1).log() + highest).masked_fill(nothing, -math.inf)
