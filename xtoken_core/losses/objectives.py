"""
The losses with every option, each one number a chunk: what is compared, over which merge, by which divergence.

    projected    P-KL: W, either way
    hybrid       a common set: GOLD, H-KL, ULD
    same         one vocabulary
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import torch
from torch import Tensor

from xtoken_core.errors import LossError, ShapeError
from xtoken_core.losses.batch import Batch, check_tokens
from xtoken_core.losses.blocks import ChunkLosses, Loss, Work, chunk_losses
from xtoken_core.losses.by_pairs import Pairs, hybrid_loss
from xtoken_core.losses.by_projection import Direction, projected_loss, projected_outcomes, same_outcomes
from xtoken_core.losses.divergence import Divergence, forward_kl
from xtoken_core.losses.merge import Mass, Merge
from xtoken_core.losses.prepared import LearnedW, PreparedW, prepare
from xtoken_core.matrix import Projection, Side

AnyW = Projection | PreparedW | LearnedW

Named = TypeVar("Named", bound=StrEnum)
Numbers = tuple[tuple[str, ...], tuple[str, ...]]

PROJECTED: Numbers = ("tokens", "realised"), ("unreachable", "lost")
HYBRID: Numbers = ("common", "outside", "realised"), ()


def prepared_for(logits: Tensor, w: AnyW) -> PreparedW:
    """W as tensors where the logits are; a `Projection` is prepared anew. Raises LossError for anything else."""
    if isinstance(w, Projection):
        return prepare(w, device=logits.device)
    if isinstance(w, PreparedW | LearnedW):
        return w.prepared
    raise LossError(f"W was given as {type(w).__name__}; give what `build`, `prepare` or `LearnedW` makes.")


def projected(
    student_logits: Tensor,
    teacher_logits: Tensor,
    batch: Batch,
    w: AnyW,
    *,
    merge: Merge = Merge.CHAIN,
    divergence: Divergence = forward_kl,
    temperature: float = 1.0,
    direction: Direction = Direction.TO_TEACHER,
    top_k: int | None = None,
) -> ChunkLosses:
    """P-KL by chunk, from logits [B, T_s, V_s] and [B, T_t, V_t].

    w: from the student's tokens to the teacher's; for `to_student` built the other way round, from the teacher's to the
    student's. A `Projection` is prepared anew in each call, so a loop gives a `PreparedW`, or a `LearnedW` to train W.
    temperature: divides both sides' logits, and its square multiplies the loss. top_k: see `projected_loss`.
    Raises ShapeError where logits, batch and W don't fit, LossError for an illegal temperature or top_k.
    """
    if top_k is not None and (type(top_k) is not int or top_k < 1):
        raise LossError(f"top_k was given as {top_k!r}; it must be a whole number from 1, or None for all tokens.")
    direction = _named(Direction, "direction", direction)
    prepared = prepared_for(student_logits, w)
    log_weights = w.log_weights() if isinstance(w, LearnedW) else prepared.projector.log_weights
    _check_device(student_logits, "W is", log_weights)
    to_teacher = direction is Direction.TO_TEACHER
    sides = (prepared.student, prepared.teacher) if to_teacher else (prepared.teacher, prepared.student)

    def loss(student: Mass, teacher: Mass, of_entries: Tensor) -> Mapping[str, Tensor]:
        outcomes = projected_outcomes(student, teacher, prepared.projector, of_entries, direction)
        return projected_loss(student, teacher, outcomes, divergence, top_k)

    work = _work(student_logits, teacher_logits, batch, sides, merge, temperature, loss, PROJECTED)
    return chunk_losses(work, student_logits, log_weights)


def hybrid(
    student_logits: Tensor,
    teacher_logits: Tensor,
    batch: Batch,
    pairs: Pairs,
    *,
    merge: Merge = Merge.CHAIN,
    divergence: Divergence = forward_kl,
    temperature: float = 1.0,
) -> ChunkLosses:
    """The hybrid loss by chunk, from logits [B, T_s, V_s] and [B, T_t, V_t]: `divergence` over the pairs, L1 outside.

    pairs: `PreparedW.strict`, `.relaxed` or `.nothing`, or any common set by `pairs_of`. Raises as `projected`.
    """
    if not isinstance(pairs, Pairs):
        raise LossError(
            f"The pairs were given as {type(pairs).__name__}; give `.strict` or `.relaxed` of a prepared W."
        )
    _check_device(student_logits, "W is", pairs.common.log_weights)

    def loss(student: Mass, teacher: Mass, _: Tensor) -> Mapping[str, Tensor]:
        return hybrid_loss(student, teacher, pairs, divergence)

    sides = pairs.student, pairs.teacher
    work = _work(student_logits, teacher_logits, batch, sides, merge, temperature, loss, HYBRID)
    return chunk_losses(work, student_logits, student_logits.new_zeros(0))


def same(
    student_logits: Tensor,
    teacher_logits: Tensor,
    batch: Batch,
    *,
    divergence: Divergence = forward_kl,
    temperature: float = 1.0,
) -> ChunkLosses:
    """The divergence over one vocabulary by token, from logits [B, T, V] each; the batch's chunks are its tokens.

    Raises ShapeError where the vocabularies differ in size, LossError where a chunk isn't the same token on both sides.
    """
    width_s, width_t = student_logits.shape[-1], teacher_logits.shape[-1]
    if width_s != width_t:
        raise ShapeError(
            f"One vocabulary was compared with itself, but the student has {width_s:,} logits and the teacher "
            f"{width_t:,}. Cut both to the tokens that the tokenizer has, or use `projected` for two tokenizers."
        )
    ours, theirs = batch.student_chunks.targets.tokens, batch.teacher_chunks.targets.tokens
    if not torch.equal(ours, theirs):
        raise LossError(
            "One vocabulary was compared token by token, but the batch's chunks hold other tokens on one side than on "
            "the other. Align with the same tokenizer on both sides, or use `projected` or `hybrid`."
        )

    def loss(student: Mass, teacher: Mass, _: Tensor) -> Mapping[str, Tensor]:
        return projected_loss(student, teacher, same_outcomes(student, teacher), divergence, None)

    sides = Side("student", "", width_s, width_s), Side("teacher", "", width_t, width_t)
    work = _work(student_logits, teacher_logits, batch, sides, Merge.FIRST, temperature, loss, PROJECTED)
    return chunk_losses(work, student_logits, student_logits.new_zeros(0))


def _work(
    student_logits: Tensor,
    teacher_logits: Tensor,
    batch: Batch,
    sides: tuple[Side, Side],
    merge: Merge,
    temperature: float,
    loss: Loss,
    numbers: Numbers,
) -> Work:
    if not 0 < temperature < math.inf:
        raise LossError(f"The temperature was given as {temperature!r}; it must be above 0 and finite.")
    check_tokens("student", student_logits, batch.student.ids, batch.largest_student)
    check_tokens("teacher", teacher_logits, batch.teacher.ids, batch.largest_teacher)
    _check_vocabularies(student_logits, teacher_logits, *sides)
    _check_device(student_logits, "the teacher's are", teacher_logits)
    _check_device(student_logits, "the batch is", batch.places)
    return Work(
        teacher_logits,
        batch,
        sides[0].ids,
        sides[1].ids,
        _named(Merge, "merge", merge),
        temperature,
        loss,
        *numbers,
    )


def _check_device(student_logits: Tensor, what: str, other: Tensor) -> None:
    if student_logits.device != other.device:
        raise ShapeError(
            f"The student's logits are on {student_logits.device}, but {what} on {other.device}. Move all to one "
            f"device; a batch and a prepared W have `.to(device)`."
        )


def _named(kind: type[Named], what: str, given: str) -> Named:
    try:
        return kind(given)
    except ValueError:
        raise LossError(f"There is no {what} {given!r}. Choose {', '.join(kind)}.") from None


def _check_vocabularies(student_logits: Tensor, teacher_logits: Tensor, student: Side, teacher: Side) -> None:
    """The logits are of the vocabularies that W was built for, or of their models' padded heads."""
    v_s, v_t = student_logits.shape[2], teacher_logits.shape[2]
    if v_s in (student.ids, student.head_size) and v_t in (teacher.ids, teacher.head_size):
        return
    raise ShapeError(
        f"W is for the student {student.name}, V_s={student.ids}, and the teacher {teacher.name}, V_t={teacher.ids}, "
        f"but the logits have V_s={v_s} and V_t={v_t}. Cut the model's padded vocabulary first, "
        f"logits[..., :{student.ids}] and [..., :{teacher.ids}], or build W for these models' tokenizers."
    )
