"""
A batch as a loss takes it: the tokens for either model, and which rows of their logits speak of which chunk.

    tokens   <bos>  20   1   !        the row at position i predicts token i + 1, so the chunk
    rows       0    1    2   3        "201" = tokens 1, 2 is read at rows 0 and 1
"""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from xtoken_core.errors import ShapeError


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """One side's tokens as a model takes them. ids [B, T] int64; mask [B, T] bool, False on padding.

    positions [B, T] int64 count from 0 in every text, so they start anew where texts are packed into one row.
    """

    ids: Tensor
    mask: Tensor
    positions: Tensor


@dataclass(frozen=True, slots=True)
class Targets:
    """Tokens, each with the row that predicts it. rows [M], of the logits flattened to [B · T, V]; tokens [M] int64."""

    rows: Tensor
    tokens: Tensor

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class ChunkTargets:
    """One side of C chunks: chunk c has the targets starts[c], starts[c] + 1, … , lengths[c] of them, at least one.

    later, earlier [M - C]: the targets that aren't their chunk's first, or its last. longest: the most in a chunk.
    """

    targets: Targets
    starts: Tensor
    lengths: Tensor
    later: Tensor
    earlier: Tensor
    longest: int

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(frozen=True, slots=True)
class Batch:
    """What a loss needs of a batch of texts.

    student, teacher: the tokens for the two models. student_chunks, teacher_chunks: the C chunks that enter a loss.
    sequences [C] and places [C]: of which alignment, and which chunk of it. student_targets, teacher_targets: every
    token that is to be learned and that a row predicts, in a chunk or not, for cross-entropy. largest_student,
    largest_teacher: the largest ids.
    """

    student: TokenBatch
    teacher: TokenBatch
    student_chunks: ChunkTargets
    teacher_chunks: ChunkTargets
    sequences: Tensor
    places: Tensor
    student_targets: Targets
    teacher_targets: Targets
    largest_student: int
    largest_teacher: int

    def __len__(self) -> int:
        return len(self.sequences)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on a device."""
        moved_batch: Batch = moved(self, torch.device(device))
        return moved_batch


def check_tokens(side: str, logits: Tensor, ids: Tensor, largest: int) -> None:
    """Raises ShapeError where logits aren't of a batch's ids [B, T], of which `largest` is the largest."""
    if logits.ndim != 3 or logits.shape[:2] != ids.shape:
        raise ShapeError(
            f"The {side}'s logits have the shape {list(logits.shape)}, but the batch has {list(ids.shape)} tokens. "
            f"Give logits [B, T, V] of the batch's ids, every position, unshifted."
        )
    if largest >= logits.shape[2]:
        raise ShapeError(
            f"The {side}'s text holds token {largest:,}, but its logits have V = {logits.shape[2]:,}. Use the model "
            f"that belongs to the tokenizer."
        )


def moved(value: Any, device: torch.device) -> Any:
    """A frozen value with all of its tensors on a device, also those in values and tuples inside it."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, tuple):
        return tuple(moved(part, device) for part in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    return replace(value, **{field.name: moved(getattr(value, field.name), device) for field in fields(value)})
