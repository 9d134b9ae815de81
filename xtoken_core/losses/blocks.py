"""
A loss over full vocabularies, block by block: no [T, V] array in float32 outlives a block of chunks.

    logits (bf16) ──rows──> log p of a block ──merge──> mass of n chunks ──loss──> [n]
    gradient (bf16) <──rows── made at once, in the forward pass, and set aside

It's set aside for the mean over the chunks, which most callers take; a common factor scales it. Where the chunks have
different weights it's made anew in the backward pass. Arithmetic is float32, under autocast too, and float64 for
float64 logits.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from xtoken_core.losses.batch import Batch, ChunkTargets
from xtoken_core.losses.merge import (
    Mass,
    Merge,
    Reading,
    Scalars,
    reading,
    scalars_of,
    student_mass,
    teacher_mass,
    through_scalars,
)
from xtoken_core.losses.rows import (
    Rows,
    arithmetic,
    floats_of_a_block,
    log_probs,
    refuse_second_derivative,
    token_log_probs,
    write_token_gradients,
)
from xtoken_core.sequence import Ints

KINDS = 64  # of loss, merge, divergence and vocabulary that a process may compile; more run uncompiled
COMPILE_FROM = 2**23  # logits in a block of one side; below, compiling takes longer than it saves

Loss = Callable[[Mass, Mass, Tensor], Mapping[str, Tensor]]


@dataclass(frozen=True, slots=True)
class Work:
    """One loss of one batch: all but what gets a gradient.

    students, teachers: V_s and V_t; the logits of a padded head beyond them are cut off. loss: from both sides' mass of
    n chunks and W's log weights to named numbers [n]. parts: those that add up to the loss; others: those reported.
    """

    teacher_logits: Tensor
    batch: Batch
    students: int
    teachers: int
    merge: Merge
    temperature: float
    loss: Loss
    parts: tuple[str, ...]
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChunkLosses:
    """A loss by chunk. values [C], with the gradient. parts: by name [C], without; they add up to the values.

    others: by name [C], mass that takes no part, such as `unreachable` and `lost`.
    """

    values: Tensor
    parts: Mapping[str, Tensor]
    others: Mapping[str, Tensor]

    def mean(self) -> Tensor:
        """The mean over the chunks; 0, with gradients of 0, where there are none."""
        return self.values.sum() / max(len(self.values), 1)


def chunk_losses(work: Work, student_logits: Tensor, log_weights: Tensor) -> ChunkLosses:
    """Runs the work on student logits [B, T_s, V_s or more] and W's log weights [E]; both may get gradients."""
    if not torch.is_grad_enabled():
        student_logits, log_weights = student_logits.detach(), log_weights.detach()  # no gradient is to be made
    values, numbers = _ChunkLosses.apply(student_logits, log_weights, work)  # type: ignore[no-untyped-call]
    named = dict(zip((*work.parts, *work.others), numbers, strict=True))
    return ChunkLosses(values, {name: named[name] for name in work.parts}, {name: named[name] for name in work.others})


@dataclass(frozen=True, slots=True)
class _Gradients:
    """Of Σ weights · values, filled block by block; each row is written once. weights [C]: what each chunk counts.

    logits [B, T_s, V], float32 where the logits are float16; scalars: [C] each; log_weights [E], None where W is fixed.
    """

    weights: Tensor
    logits: Tensor
    scalars: Scalars
    log_weights: Tensor | None

    def scale_(self, factor: float) -> "_Gradients":
        """In place."""
        if factor != 1:
            self.logits.mul_(factor)
            if self.log_weights is not None:
                self.log_weights.mul_(factor)
        return self


class _ChunkLosses(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, student_logits: Tensor, log_weights: Tensor, work: Work) -> tuple[Tensor, Tensor]:
        ctx.work = work
        ctx.save_for_backward(student_logits, log_weights)
        weights = _mean_weights(work, student_logits) if any(ctx.needs_input_grad) else None
        numbers, ctx.made = _run(work, student_logits, log_weights, weights, learned=ctx.needs_input_grad[1])
        ctx.mark_non_differentiable(numbers)
        return numbers[: len(work.parts)].sum(0), numbers

    @staticmethod
    def backward(ctx: Any, weights: Tensor, _: Tensor) -> tuple[Tensor, Tensor | None, None]:
        refuse_second_derivative()
        student_logits, log_weights = ctx.saved_tensors
        made, ctx.made = ctx.made, None  # a second backward pass makes them anew
        if made is None or bool((weights != weights[:1]).any()):
            made = _run(ctx.work, student_logits, log_weights, weights, learned=ctx.needs_input_grad[1])[1]
        elif len(weights):
            made = made.scale_(float(weights[0] / made.weights[0]))
        return made.logits.to(student_logits.dtype), made.log_weights, None


def _mean_weights(work: Work, like: Tensor) -> Tensor:
    """[C], what each chunk counts in the mean."""
    count = len(work.batch)
    return torch.ones(count, dtype=arithmetic(like.dtype), device=like.device) / max(count, 1)


@dataclass(frozen=True, slots=True)
class _Block:
    """The chunks of a block, and their whole rows on either side, as slices of what is read."""

    chunks: slice
    student: slice
    teacher: slice


@dataclass(frozen=True, slots=True)
class _Side:
    """One side's rows and what is read of them: log p and log(1 - p) of the scalars [S], and what they make [C]."""

    rows: Rows
    reading: Reading
    log_probs: Tensor
    log_others: Tensor
    scalars: Scalars

    def part(self, rows: slice, chunks: slice) -> "_Part":
        read, scalars = self.reading, self.scalars
        counts = None if read.counts is None else read.counts[chunks]
        together, otherwise = scalars.together[chunks], scalars.otherwise[chunks]
        return _Part(self.rows.at(read.rows[rows]), together, otherwise, read.tokens[chunks], counts)


class _Part(NamedTuple):
    """A block's share of a side: logits [R, V]; the two scalars, first tokens and counts [n]."""

    logits: Tensor
    together: Tensor
    otherwise: Tensor
    tokens: Tensor
    counts: Tensor | None


def _side(logits: Tensor, vocabulary: int, chunks: ChunkTargets, work: Work, dtype: torch.dtype) -> _Side:
    rows = Rows(logits.detach().flatten(0, 1)[:, :vocabulary], work.temperature, dtype)
    read = reading(chunks, work.merge)
    log_probs, log_others = token_log_probs(rows, read.scalars)
    return _Side(rows, read, log_probs, log_others, scalars_of(log_probs, log_others, read.places))


def _numbers(work: Work, dtype: torch.dtype, student: _Part, teacher: _Part, log_weights: Tensor) -> Tensor:
    """[P, n], the named numbers of a block in the work's order."""
    log_p = log_probs(student.logits, work.temperature, dtype)
    log_q = log_probs(teacher.logits, work.temperature, dtype)
    scalars_s, scalars_t = Scalars(student.together, student.otherwise), Scalars(teacher.together, teacher.otherwise)
    mass_s = student_mass(work.merge, log_p, student.counts, scalars_s, student.tokens)
    mass_t = teacher_mass(work.merge, log_q, teacher.counts, scalars_t, teacher.tokens)
    numbers = work.loss(mass_s, mass_t, log_weights)
    scale = work.temperature**2
    return torch.stack([*(numbers[name] * scale for name in work.parts), *(numbers[name] for name in work.others)])


@cache
def _compiled_numbers() -> Callable[..., Tensor]:
    """`_numbers` with its many small steps as a few kernels. Made when a GPU first asks: the import takes seconds."""
    return torch.compile(_numbers)


@torch.no_grad()
def _run(
    work: Work, student_logits: Tensor, log_weights: Tensor, weights: Tensor | None, *, learned: bool
) -> tuple[Tensor, _Gradients | None]:
    """One pass over the chunks: numbers [P, C], and with `weights` [C] the gradients."""
    with torch.autocast(student_logits.device.type, enabled=False):
        return _run_exactly(work, student_logits, log_weights, weights, learned=learned)


def _run_exactly(
    work: Work, student_logits: Tensor, log_weights: Tensor, weights: Tensor | None, *, learned: bool
) -> tuple[Tensor, _Gradients | None]:
    dtype = arithmetic(student_logits.dtype)
    student = _side(student_logits, work.students, work.batch.student_chunks, work, dtype)
    teacher = _side(work.teacher_logits, work.teachers, work.batch.teacher_chunks, work, dtype)
    fixed = log_weights.detach().to(dtype)
    numbers = student.log_probs.new_zeros(len(work.parts) + len(work.others), len(work.batch))
    gradients = None if weights is None else _no_gradients(weights, student, student_logits, fixed if learned else None)
    for block in _blocks(student, teacher):
        numbers[:, block.chunks] = _block_numbers(work, student, teacher, block, fixed, gradients)
    if gradients is not None:
        flat = gradients.logits.flatten(0, 1)[:, : work.students]
        scalars = student.log_probs, student.log_others, student.reading.places
        for_scalars = through_scalars(*scalars, student.scalars, gradients.scalars)
        write_token_gradients(student.rows, student.reading.scalars, *for_scalars, flat)
    return numbers, gradients


def _no_gradients(weights: Tensor, student: _Side, logits: Tensor, log_weights: Tensor | None) -> _Gradients:
    stored = torch.float32 if logits.dtype == torch.float16 else logits.dtype
    return _Gradients(
        weights.to(student.rows.dtype),
        torch.zeros_like(logits, dtype=stored, memory_format=torch.contiguous_format),
        Scalars(torch.zeros_like(student.scalars.together), torch.zeros_like(student.scalars.otherwise)),
        None if log_weights is None else torch.zeros_like(log_weights),
    )


def _block_numbers(
    work: Work, student: _Side, teacher: _Side, block: _Block, log_weights: Tensor, gradients: _Gradients | None
) -> Tensor:
    """[P, n]; writes the block's gradients where they are wanted."""
    part_s, part_t = student.part(block.student, block.chunks), teacher.part(block.teacher, block.chunks)
    if gradients is None:
        return _numbers_of(work, student, part_s, part_t, log_weights)
    wanted = [part_s.logits, part_s.together, part_s.otherwise]
    if gradients.log_weights is not None:
        wanted.append(log_weights)
    leaves = [leaf.requires_grad_() for leaf in wanted]
    with torch.enable_grad():
        numbers = _numbers_of(work, student, part_s, part_t, log_weights)
        loss = numbers[: len(work.parts)].sum(0)
    logits, *scalars = torch.autograd.grad(loss, leaves, gradients.weights[block.chunks], materialize_grads=True)
    rows = student.reading.rows[block.student]
    gradients.logits.flatten(0, 1)[:, : work.students].index_copy_(0, rows, logits.to(gradients.logits.dtype))
    gradients.scalars.together[block.chunks], gradients.scalars.otherwise[block.chunks] = scalars[:2]
    if gradients.log_weights is not None:
        gradients.log_weights.add_(scalars[2])
    return numbers.detach()


def _numbers_of(work: Work, student: _Side, part_s: _Part, part_t: _Part, log_weights: Tensor) -> Tensor:
    dtype = student.rows.dtype
    compiled = part_s.logits.is_cuda and part_s.logits.numel() >= COMPILE_FROM and dtype == torch.float32
    if not compiled or part_s.counts is not None:  # chunks of unlike length are no regular array
        return _numbers(work, dtype, part_s, part_t, log_weights)
    for tensor in (*part_s[:-1], *part_t[:-1]):
        torch._dynamo.mark_dynamic(tensor, 0)  # the number of chunks changes from batch to batch
    with torch._dynamo.config.patch(recompile_limit=KINDS):
        return _compiled_numbers()(work, dtype, part_s, part_t, log_weights)


def _blocks(student: _Side, teacher: _Side) -> Iterator[_Block]:
    """Chunks in order, in as few blocks as fit and these of like size; a chunk of more rows is a block of its own."""
    ends_s, ends_t = _ends(student.reading), _ends(teacher.reading)
    floats = ends_s * student.rows.logits.shape[1] + ends_t * teacher.rows.logits.shape[1]
    if not len(floats):
        return
    count = -(-int(floats[-1]) // floats_of_a_block(student.rows.logits.device))
    wanted = floats[-1] / count * np.arange(1, count)
    stops = np.unique([*np.searchsorted(floats, wanted) + 1, len(floats)]).tolist()
    for start, stop in pairwise([0, *stops]):
        yield _Block(slice(start, stop), _between(ends_s, start, stop), _between(ends_t, start, stop))


def _ends(read: Reading) -> Ints:
    """[C], where each chunk's whole rows end."""
    if read.counts is None:
        return np.arange(1, len(read.tokens) + 1)
    return np.cumsum(read.counts.cpu().numpy())


def _between(ends: Ints, start: int, stop: int) -> slice:
    return slice(int(ends[start - 1]) if start else 0, int(ends[stop - 1]))
