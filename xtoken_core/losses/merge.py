"""
How a chunk of several tokens becomes one distribution, on either side. All in log space.

    tokens of the chunk      x_1      x_2     …  x_m
    their distributions      p_1      p_2     …  p_m         p_i is read one position before its token

    chain    p_1, without the realised chunk's mass r = Π p_i(x_i), which is an outcome of its own
    scaled   p_1 · Π_{i≥2} p_i(x_i), as GOLD was published; it sums to less than 1
    first    p_1
    last     Π_{i<m} p_i(x_i) · p_m
    mean     the mean of all p_i: arithmetic for the student, geometric for the teacher, as NeMo-RL merges
"""

import math
from dataclasses import dataclass
from enum import StrEnum

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
    """What a merge reads of one side. rows [R]: whole rows of the logits, `counts` [C] of them a chunk, in order.

    scalars: tokens of which only the log-probability is read, `scalar_counts` [C] of them a chunk, in order.
    tokens [C]: each chunk's first token.
    """

    rows: Tensor
    counts: Tensor
    scalars: Targets
    scalar_counts: Tensor
    tokens: Tensor


def reading(chunks: ChunkTargets, merge: Merge) -> Reading:
    """What `merge` reads of one side's chunks."""
    targets, starts, lengths = chunks.targets, chunks.starts, chunks.lengths
    if merge is Merge.MEAN:
        return Reading(targets.rows, lengths, _none(targets), torch.zeros_like(lengths), targets.tokens[starts])
    whole = starts + lengths - 1 if merge is Merge.LAST else starts
    once = torch.ones_like(lengths)
    if merge is Merge.FIRST:
        return Reading(targets.rows[whole], once, _none(targets), torch.zeros_like(lengths), targets.tokens[starts])
    scalar = torch.ones_like(targets.rows, dtype=torch.bool)
    scalar[whole] = False
    scalars = Targets(targets.rows[scalar], targets.tokens[scalar])
    return Reading(targets.rows[whole], once, scalars, lengths - 1, targets.tokens[starts])


def _none(targets: Targets) -> Targets:
    return Targets(targets.rows[:0], targets.tokens[:0])


def scalars_of(log_probs: Tensor, log_others: Tensor, counts: Tensor) -> Scalars:
    """From log p [S] and log(1 - p) [S] of tokens, counts [C] of them a chunk, to the chunks' [C].

    1 - Π p_i is summed as Σ_i (1 - p_i) Π_{k<i} p_k: every term is positive, so that no digits cancel.
    """
    depth = torch.arange(int(counts.max()) if len(counts) else 0, device=counts.device)
    used = depth < counts[:, None]
    places = torch.where(used, (counts.cumsum(0) - counts)[:, None] + depth, len(log_probs))
    by_chunk = torch.cat([log_probs, log_probs.new_zeros(1)])[places]
    others = torch.cat([log_others, log_others.new_full((1,), -math.inf)])[places]
    before = torch.cat([by_chunk.new_zeros(len(counts), 1), by_chunk.cumsum(1)], 1)[:, :-1]
    return Scalars(by_chunk.sum(1), log_sum(before + others))


def student_mass(merge: Merge, log_probs: Tensor, counts: Tensor, scalars: Scalars, tokens: Tensor) -> Mass:
    """The student's mass of n chunks.

    log_probs [R, V]: the rows that the merge reads, counts [n] of them a chunk. scalars [n]: of the tokens that it
    doesn't read as rows. tokens [n]: the chunks' first tokens.
    """
    if merge is Merge.MEAN:
        return Mass(_log_arithmetic_mean(log_probs, counts), None, None)
    return _mass(merge, log_probs, scalars, tokens)


def teacher_mass(merge: Merge, log_probs: Tensor, counts: Tensor, scalars: Scalars, tokens: Tensor) -> Mass:
    """The teacher's mass of n chunks; arguments as in `student_mass`."""
    if merge is Merge.MEAN:
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
    highest = torch.segment_reduce(log_probs.detach(), "max", lengths=counts, unsafe=True)
    highest = highest.clamp(min=torch.finfo(highest.dtype).min)  # -inf less itself has no value
    above = (log_probs - highest.repeat_interleave(counts, 0)).exp()
    mean = torch.segment_reduce(above, "mean", lengths=counts, unsafe=True)
    nothing = mean == 0
    return (mean.masked_fill(nothing, 1).log() + highest).masked_fill(nothing, -math.inf)
