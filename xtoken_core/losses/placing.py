"""
Where each text lies in a batch [B, T]: one a row or several, padded by us, or in tensors of one's own.

    row 0    text 0 | text 2 | padding        packed: the first row that has room on both sides
    row 1    text 1 | padding

Padding is known by the mask, whatever id stands there.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xtoken_core.errors import ShapeError
from xtoken_core.losses.batch import TokenBatch
from xtoken_core.sequence import TokenSequence

PAD_ID = 0  # any id will do


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text lies: its first token in the flattened [B · T], and how many of its tokens are there."""

    offset: int
    count: int


def packed(student: list[TokenSequence], teacher: list[TokenSequence], most_s: int, most_t: int) -> list[list[int]]:
    """Which texts share a row: each goes into the first row with room for it on both sides."""
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []
    for k, (one_s, one_t) in enumerate(zip(student, teacher, strict=True)):
        need_s, need_t = len(one_s), len(one_t)
        if need_s > most_s or need_t > most_t:
            raise ShapeError(
                f"Text {k} has {need_s:,} student and {need_t:,} teacher tokens, but a row may hold {most_s:,} and "
                f"{most_t:,}. Cut the text, or allow longer rows."
            )
        row = next((r for r, (left_s, left_t) in enumerate(room) if need_s <= left_s and need_t <= left_t), len(rows))
        if row == len(rows):
            rows.append([])
            room.append((most_s, most_t))
        rows[row].append(k)
        room[row] = room[row][0] - need_s, room[row][1] - need_t
    return rows


def _width(sequences: list[TokenSequence], rows: list[list[int]]) -> int:
    return max((sum(len(sequences[k]) for k in row) for row in rows), default=0)


def padded(sequences: list[TokenSequence], rows: list[list[int]]) -> TokenBatch:
    """The texts in their rows, [B, T], padded on the right."""
    shape = len(rows), _width(sequences, rows)
    ids, mask, positions = np.full(shape, PAD_ID, np.int64), np.zeros(shape, bool), np.zeros(shape, np.int64)
    for r, row in enumerate(rows):
        count = sum(len(sequences[k]) for k in row)
        mask[r, :count] = True
        ids[r, :count] = np.concatenate([sequences[k].ids for k in row])
        positions[r, :count] = np.concatenate([np.arange(len(sequences[k])) for k in row])
    return TokenBatch(torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(positions))


def placed(sequences: list[TokenSequence], rows: list[list[int]]) -> list[Place]:
    """Where `padded` has put each text."""
    width = _width(sequences, rows)
    places: dict[int, Place] = {}
    for r, row in enumerate(rows):
        start = r * width
        for k in row:
            places[k] = Place(start, len(sequences[k]))
            start += len(sequences[k])
    return [places[k] for k in range(len(sequences))]


def given(side: str, ids: Tensor, mask: Tensor, count: int) -> TokenBatch:
    """One's own ids and mask, [B, T]. Raises ShapeError where they don't fit each other or the number of texts."""
    if ids.ndim != 2 or ids.shape != mask.shape or len(ids) != count:
        raise ShapeError(
            f"The {side}'s ids have the shape {list(ids.shape)} and its mask {list(mask.shape)}, for {count} "
            f"alignments. Give ids [B, T] and a mask [B, T], one row an alignment."
        )
    real = mask.bool()
    return TokenBatch(ids.long(), real, (real.cumsum(1) - 1).clamp(min=0))


def found(side: str, batch: TokenBatch, sequences: list[TokenSequence]) -> list[Place]:
    """Where each row's text begins, and that it is the alignment's."""
    places = []
    ids, mask = batch.ids.cpu().numpy(), batch.mask.cpu().numpy()
    for row, sequence in enumerate(sequences):
        real = np.flatnonzero(mask[row])
        if not np.array_equal(ids[row, real], sequence.ids[: len(real)]) or (len(real) and np.ptp(real) >= len(real)):
            raise ShapeError(
                f"Row {row} of the {side}'s ids doesn't hold the tokens that were aligned, or its mask has a hole. "
                f"Align the same tokens that the model gets, special tokens included, and cut only at the end."
            )
        places.append(Place(row * ids.shape[1] + (int(real[0]) if len(real) else 0), len(real)))
    return places
