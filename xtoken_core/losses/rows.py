"""
Logits read row by row: log-probabilities of single tokens, and their gradients, a block of rows at a time.

A row of [B · T, V] is what a model says of the next token. Only blocks of rows are ever held in float32.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from xtoken_core.errors import LossError
from xtoken_core.losses.batch import Targets

FLOATS = {"cpu": 2**21, "cuda": 3 * 2**25}  # that the rows of a block may hold
LONG_ROW = 2**14  # of a vocabulary


def floats_of_a_block(device: torch.device) -> int:
    """How many float32 the rows of a block may hold on a device."""
    return FLOATS.get(device.type, FLOATS["cuda"])


def arithmetic(dtype: torch.dtype) -> torch.dtype:
    """What logits of a dtype are computed in."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def log_probs(logits: Tensor, temperature: float, dtype: torch.dtype) -> Tensor:
    """log softmax(logits / τ) in `dtype`: [..., V] -> [..., V]."""
    if temperature != 1:
        logits = logits.to(dtype) / temperature
    found = torch.log_softmax(logits, -1, dtype=dtype)
    if logits.is_cuda or logits.shape[-1] < LONG_ROW:
        return found
    # PyTorch's CPU kernel adds a long row up in few lanes, so its rows miss a sum of 1 by 1e-6
    return found - found.detach().exp().sum(-1, keepdim=True).log()


def refuse_second_derivative() -> None:
    """Called by a backward pass that makes its gradient by hand. Raises LossError where that is to be derived again."""
    if torch.is_grad_enabled():
        raise LossError(
            "A second derivative was asked for (create_graph=True). The losses have none; ask for the first."
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """Logits flattened to [B · T, V], read as log-probabilities at a temperature τ, in `dtype`."""

    logits: Tensor
    temperature: float
    dtype: torch.dtype

    def at(self, rows: Tensor) -> Tensor:
        """[R] -> [R, V], the logits of some rows; as float32 where they are float16, whose gradients need the room."""
        found = self.logits.index_select(0, rows)
        return found.float() if found.dtype == torch.float16 else found

    def log_probs(self, rows: Tensor) -> Tensor:
        """[R] -> [R, V], the log-probabilities of some rows."""
        return log_probs(self.at(rows), self.temperature, self.dtype)

    def parts(self, count: int) -> Iterator[slice]:
        """0 … count - 1 in parts of which the rows fit into a block."""
        step = max(floats_of_a_block(self.logits.device) // max(self.logits.shape[1], 1), 1)
        return (slice(start, min(start + step, count)) for start in range(0, count, step))


def target_log_probs(rows: Rows, targets: Targets) -> Tensor:
    """[M], log p of the targets."""
    found = [rows.logits.new_zeros(0, dtype=rows.dtype)]
    for part in rows.parts(len(targets)):
        found.append(rows.log_probs(targets.rows[part]).gather(1, targets.tokens[part, None])[:, 0])
    return torch.cat(found)


def token_log_probs(rows: Rows, targets: Targets) -> tuple[Tensor, Tensor]:
    """[M] each: log p of the targets, and log(1 - p), read from the other tokens, which hold its digits near p = 1."""
    found = [rows.logits.new_zeros(2, 0, dtype=rows.dtype)]
    for part in rows.parts(len(targets)):
        log_probs, tokens = rows.log_probs(targets.rows[part]), targets.tokens[part, None]
        log_p = log_probs.gather(1, tokens)[:, 0]
        found.append(torch.stack([log_p, torch.logsumexp(log_probs.scatter_(1, tokens, -math.inf), 1)]))
    log_p, log_others = torch.cat(found, 1)
    return log_p, log_others


def write_token_gradients(
    rows: Rows, targets: Targets, of_p: Tensor, of_others: Tensor | None, gradient: Tensor
) -> None:
    """Writes the gradient of Σ of_p · log p + of_others · log(1 - p) into the targets' rows of `gradient` [B · T, V].

    of_p, of_others [M], None for zeros. The rows are all different, and nothing else writes to them.
    """
    for part in rows.parts(len(targets)):
        log_probs, tokens = rows.log_probs(targets.rows[part]), targets.tokens[part, None]
        for_p = of_p[part, None]
        if of_others is None:
            made = log_probs.exp_().mul_(-for_p)
        else:
            for_others, others = of_others[part, None], log_probs.scatter(1, tokens, -math.inf)
            made = log_probs.exp_().mul_(-for_p - for_others)
            made.addcmul_(for_others, others.softmax(1).nan_to_num_(0.0))
        made.scatter_(1, tokens, made.gather(1, tokens) + for_p).div_(rows.temperature)
        gradient.index_copy_(0, targets.rows[part], made.to(gradient.dtype))


@dataclass(frozen=True, slots=True)
class RowStatistics:
    """Of M rows: log p of the target, the entropy in nats, and the largest probability; [M] each."""

    log_probs: Tensor
    entropies: Tensor
    top: Tensor


def row_statistics(rows: Rows, targets: Targets) -> RowStatistics:
    """What the rows that predict these targets say."""
    found = [_statistics(rows.log_probs(targets.rows[part]), targets.tokens[part]) for part in rows.parts(len(targets))]
    none = rows.logits.new_zeros(3, 0, dtype=rows.dtype)
    return RowStatistics(*torch.cat([none, *found], 1))


def _statistics(log_probs: Tensor, tokens: Tensor) -> Tensor:
    probabilities = log_probs.exp()
    entropies = -(probabilities * log_probs).nan_to_num(0.0).sum(1)  # 0 · -inf is 0 here
    return torch.stack([log_probs.gather(1, tokens[:, None])[:, 0], entropies, probabilities.amax(1)])
