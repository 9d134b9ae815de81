"""
One loss of several: cross-entropy beside distillation, and several teachers beside each other.

    dynamic     CE + sg(CE / |KD|) · KD         both count alike, whatever their size
    fixed       a · CE + b · KD
    teachers    Σ α_m KD_m                      α given, or a softmax over what each teacher's logits show

sg: its value, without a gradient.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from xtoken_core.errors import LossError, ShapeError
from xtoken_core.losses.batch import Batch, Targets, check_tokens
from xtoken_core.losses.rows import (
    Rows,
    arithmetic,
    refuse_second_derivative,
    row_statistics,
    target_log_probs,
    write_token_gradients,
)

Mixing = Callable[[Tensor, Tensor], Tensor]

WEIGHTINGS = ("cross-entropy", "entropy", "confidence")


def dynamic(cross_entropy: Tensor, distillation: Tensor) -> Tensor:
    """CE + sg(CE / |KD|) · KD: [], [] -> []. Where KD is 0 there is nothing to scale, and CE alone is left.

    |KD|, because a hybrid loss over part of the mass can be negative, and its gradient must keep its sign.
    """
    size = distillation.detach().abs()
    ratio = cross_entropy.detach() / size
    nothing = (size < torch.finfo(size.dtype).tiny) | (ratio == math.inf)
    return cross_entropy + ratio.masked_fill(nothing, 0) * distillation


def fixed(cross_entropy: float, distillation: float) -> Mixing:
    """a · CE + b · KD with these weights. Raises LossError for a negative one, and where both are 0."""
    if min(cross_entropy, distillation) < 0 or max(cross_entropy, distillation) == 0:
        raise LossError(
            f"The weights of cross-entropy and distillation were given as {cross_entropy!r} and {distillation!r}; give "
            f"two that aren't negative, one of them above 0."
        )

    def mixed(of_labels: Tensor, of_teacher: Tensor) -> Tensor:
        return cross_entropy * of_labels + distillation * of_teacher

    return mixed


def cross_entropy(student_logits: Tensor, batch: Batch, *, vocabulary: int | None = None) -> Tensor:
    """The mean of -log p over the student's tokens that are to be learned: [B, T_s, V] -> [], 0 without any.

    vocabulary: V_s, where a padded head has more logits. Raises ShapeError where the logits aren't the batch's.
    """
    if vocabulary is not None and not 0 < vocabulary <= student_logits.shape[-1]:
        raise ShapeError(f"The vocabulary was given as {vocabulary}, but there are {student_logits.shape[-1]} logits.")
    logits = student_logits[..., :vocabulary]
    check_tokens("student", logits, batch.student.ids, batch.largest_student)
    found: Tensor = _TokenLogProbs.apply(logits, batch.student_targets)  # type: ignore[no-untyped-call]
    return _mean(-found)


def combined(losses: Sequence[Tensor], weights: Tensor | Sequence[float]) -> Tensor:
    """Σ α_m · loss_m over the teachers: M times [], [M] -> []. Raises ShapeError where their numbers differ."""
    if not len(losses) == len(weights) > 0:
        raise ShapeError(
            f"There are {len(losses)} teachers' losses and {len(weights)} weights. Give one weight a teacher."
        )
    stacked = torch.stack(list(losses))
    return (torch.as_tensor(weights, dtype=stacked.dtype, device=stacked.device).detach() * stacked).sum()


@torch.no_grad()
def teacher_weights(by: str, teacher_logits: Sequence[Tensor], batches: Sequence[Batch]) -> Tensor:
    """[M], a softmax over the teachers: by -cross-entropy, -entropy, or confidence, the mean top probability.

    Each is the mean over the teacher's own tokens that are to be learned; a padded head's logits are to be cut off.
    Raises LossError for another `by`, ShapeError where logits aren't their batch's.
    """
    if not len(teacher_logits) == len(batches) > 0:
        raise ShapeError(f"There are {len(teacher_logits)} teachers' logits and {len(batches)} batches. Give one each.")
    scores = [_score(by, logits, batch) for logits, batch in zip(teacher_logits, batches, strict=True)]
    lowest = torch.finfo(scores[0].dtype).min  # of teachers that all rule the text out none is better
    return torch.stack(scores).clamp(min=lowest).softmax(0)


def _score(by: str, logits: Tensor, batch: Batch) -> Tensor:
    check_tokens("teacher", logits, batch.teacher.ids, batch.largest_teacher)
    found = row_statistics(_rows(logits), batch.teacher_targets)
    match by:
        case "cross-entropy":
            return _mean(found.log_probs)
        case "entropy":
            return -_mean(found.entropies)
        case "confidence":
            return _mean(found.top)
    raise LossError(f"Teachers can't be weighed by {by!r}. Choose {', '.join(WEIGHTINGS)}.")


def _mean(values: Tensor) -> Tensor:
    return values.sum() / max(len(values), 1)


def _rows(logits: Tensor) -> Rows:
    return Rows(logits.detach().flatten(0, 1), 1.0, arithmetic(logits.dtype))


class _TokenLogProbs(torch.autograd.Function):
    """[B, T, V] -> [M], log p of the targets; only a block of rows is ever held in float32."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Targets) -> Tensor:
        ctx.targets = targets
        ctx.save_for_backward(logits)
        return target_log_probs(_rows(logits), targets)

    @staticmethod
    def backward(ctx: Any, weights: Tensor) -> tuple[Tensor, None]:
        refuse_second_derivative()
        (logits,) = ctx.saved_tensors
        gradient = torch.zeros_like(logits, memory_format=torch.contiguous_format)
        write_token_gradients(_rows(logits), ctx.targets, weights, None, gradient.flatten(0, 1))
        return gradient, None
