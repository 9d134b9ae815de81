"""
From alignments to arrays: which rows of the logits speak of which chunk.

    tokens   <bos>  20   1   !        the row at position i predicts token i + 1, so the chunk
    rows       0    1    2   3        "201" = tokens 1, 2 is read at rows 0 and 1

Padding is known by the mask, whatever id stands there. A chunk enters a loss where both sides spell the same bytes,
a row predicts each of its tokens, and all of its student tokens are to be learned.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xtoken_core.errors import ShapeError
from xtoken_core.matrix import Bools
from xtoken_core.sequence import Ints, Mark, TokenSequence
from xtoken_core.spans import Alignment, ChunkKind

PAD_ID = 0  # any id will do: padding is known by the mask


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


def collate(
    alignments: Sequence[Alignment],
    *,
    learn: Sequence[Bools] | None = None,
    pack: tuple[int, int] | None = None,
) -> Batch:
    """A batch of texts, padded on the right: one text a row, or with `pack` several.

    learn: for each text which student tokens are to be learned, [T_s] bool; by default all. pack: the most student and
    teacher tokens that a row may hold; texts are put into the first row that has room on both sides.
    Raises ShapeError where a text is longer than a row, and where `learn` doesn't fit.

    >>> from xtoken_core.alignment import align
    >>> from xtoken_core.sequence import sequence_of
    >>> student = sequence_of([b"", b"20", b"1", b"!"], {0: "bos"})
    >>> batch = collate([align(student, sequence_of([b"", b"201", b"!"], {0: "bos"}))])
    >>> batch.student_chunks.targets.rows.tolist(), batch.student_chunks.lengths.tolist()
    ([0, 1, 2], [2, 1])
    """
    student, teacher = [one.student for one in alignments], [one.teacher for one in alignments]
    rows = _packed(student, teacher, *pack) if pack else [[k] for k in range(len(alignments))]
    texts = _texts(alignments, _learned(alignments, learn), _placed(student, rows), _placed(teacher, rows))
    return _batch(texts, _padded(student, rows), _padded(teacher, rows))


def batch_of(
    alignments: Sequence[Alignment],
    student: tuple[Tensor, Tensor],
    teacher: tuple[Tensor, Tensor],
    *,
    learn: Tensor | None = None,
) -> Batch:
    """A batch of your own tensors: ids [B, T] and attention mask [B, T] of either side, one text a row.

    Padding may stand left or right. A row may hold fewer tokens than the alignment, the first ones: the chunks that
    don't fit are left out. learn: [B, T_s], which student tokens are to be learned. Raises ShapeError where a row's
    tokens aren't the alignment's.
    """
    batch_s, batch_t = _given("student", *student, len(alignments)), _given("teacher", *teacher, len(alignments))
    places_s = _found("student", batch_s, [one.student for one in alignments])
    places_t = _found("teacher", batch_t, [one.teacher for one in alignments])
    if learn is not None and learn.shape != batch_s.ids.shape:
        raise ShapeError(
            f"`learn` has the shape {list(learn.shape)}, but the student's ids have {list(batch_s.ids.shape)}. Give "
            f"one bool for each place, padding included."
        )
    chosen = None if learn is None else _unpadded(learn, places_s, alignments)
    return _batch(_texts(alignments, _learned(alignments, chosen), places_s, places_t), batch_s, batch_t)


def answer(sequence: TokenSequence, prompt: TokenSequence) -> Bools:
    """[T], the tokens after a prompt with which the text begins, to be given as `learn`.

    prompt: encoded by the same tokenizer, with the same special tokens in front and none behind. A token that holds
    bytes of both counts as the prompt's. Raises ShapeError where the text doesn't begin with the prompt.
    """
    marks = sequence.marks[: len(prompt.marks)]
    if not sequence.data.startswith(prompt.data) or _standing(sequence, marks) != _standing(prompt, prompt.marks):
        raise ShapeError(
            f"The prompt has {len(prompt.data):,} bytes and {len(prompt.marks)} special tokens, but the text doesn't "
            f"begin with them. Encode the prompt and the text that continues it with the same tokenizer, and the "
            f"prompt without a token that ends a text."
        )
    after = np.asarray(sequence.starts() >= len(prompt.data))
    after[[mark.position for mark in marks]] = False
    return after


def _standing(sequence: TokenSequence, marks: tuple[Mark, ...]) -> list[tuple[str, int]]:
    """The roles of some marks, and after how many bytes each stands."""
    return [(mark.role, int(sequence.ends[mark.position])) for mark in marks]


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


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a text lies: its first token in the flattened [B · T], and how many of its tokens are there."""

    offset: int
    count: int


@dataclass(frozen=True, slots=True)
class _Text:
    """One text: how it's aligned, which student tokens are to be learned [T_s], and where either side lies."""

    alignment: Alignment
    learn: Bools
    student: _Place
    teacher: _Place


def _learned(alignments: Sequence[Alignment], learn: Sequence[Bools] | None) -> list[Bools]:
    if learn is None:
        return [np.ones(len(one.student), bool) for one in alignments]
    lengths = [len(one.student) for one in alignments]
    if [len(one) for one in learn] != lengths:
        raise ShapeError(
            f"`learn` has {[len(one) for one in learn][:8]} entries, but the texts have {lengths[:8]} student tokens. "
            f"Give one bool for each student token of each text."
        )
    return [np.asarray(one, bool) for one in learn]


def _packed(student: list[TokenSequence], teacher: list[TokenSequence], most_s: int, most_t: int) -> list[list[int]]:
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


def _padded(sequences: list[TokenSequence], rows: list[list[int]]) -> TokenBatch:
    shape = len(rows), _width(sequences, rows)
    ids, mask, positions = np.full(shape, PAD_ID, np.int64), np.zeros(shape, bool), np.zeros(shape, np.int64)
    for r, row in enumerate(rows):
        count = sum(len(sequences[k]) for k in row)
        mask[r, :count] = True
        ids[r, :count] = np.concatenate([sequences[k].ids for k in row])
        positions[r, :count] = np.concatenate([np.arange(len(sequences[k])) for k in row])
    return TokenBatch(torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(positions))


def _placed(sequences: list[TokenSequence], rows: list[list[int]]) -> list[_Place]:
    width = _width(sequences, rows)
    places: dict[int, _Place] = {}
    for r, row in enumerate(rows):
        start = r * width
        for k in row:
            places[k] = _Place(start, len(sequences[k]))
            start += len(sequences[k])
    return [places[k] for k in range(len(sequences))]


def _given(side: str, ids: Tensor, mask: Tensor, count: int) -> TokenBatch:
    if ids.ndim != 2 or ids.shape != mask.shape or len(ids) != count:
        raise ShapeError(
            f"The {side}'s ids have the shape {list(ids.shape)} and its mask {list(mask.shape)}, for {count} "
            f"alignments. Give ids [B, T] and a mask [B, T], one row an alignment."
        )
    real = mask.bool()
    return TokenBatch(ids.long(), real, (real.cumsum(1) - 1).clamp(min=0))


def _found(side: str, batch: TokenBatch, sequences: list[TokenSequence]) -> list[_Place]:
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
        places.append(_Place(row * ids.shape[1] + (int(real[0]) if len(real) else 0), len(real)))
    return places


def _unpadded(learn: Tensor, places: list[_Place], alignments: Sequence[Alignment]) -> list[Bools]:
    flat = learn.reshape(-1).bool().cpu().numpy()
    chosen = [np.zeros(len(one.student), bool) for one in alignments]
    for one, place in zip(chosen, places, strict=True):
        one[: place.count] = flat[place.offset : place.offset + place.count]
    return chosen


def _texts(
    alignments: Sequence[Alignment], learn: list[Bools], student: list[_Place], teacher: list[_Place]
) -> list[_Text]:
    return [_Text(*parts) for parts in zip(alignments, learn, student, teacher, strict=True)]


def _batch(texts: list[_Text], student: TokenBatch, teacher: TokenBatch) -> Batch:
    kept = [_kept(text) for text in texts]
    pairs = list(zip(texts, kept, strict=True))
    return Batch(
        student=student,
        teacher=teacher,
        student_chunks=_chunk_targets(student, [_spans(t.alignment.student_ends, k, t.student) for t, k in pairs]),
        teacher_chunks=_chunk_targets(teacher, [_spans(t.alignment.teacher_ends, k, t.teacher) for t, k in pairs]),
        sequences=_tensor(np.repeat(np.arange(len(texts)), [len(keep) for keep in kept])),
        places=_tensor(_joined(kept)),
        student_targets=_targets(student, _joined([_predicted(text.learn, text.student) for text in texts])),
        teacher_targets=_targets(teacher, _joined([_predicted(_taught(text), text.teacher) for text in texts])),
        largest_student=_largest([text.alignment.student for text in texts]),
        largest_teacher=_largest([text.alignment.teacher for text in texts]),
    )


def _starts(ends: Ints) -> Ints:
    return np.concatenate(([0], ends))[:-1]


def _learned_chunks(text: _Text) -> Bools:
    """[C], the chunks of which every student token is there and to be learned.

    A chunk without any goes with the student token before it, or with the first.
    """
    starts, ends = _starts(text.alignment.student_ends), text.alignment.student_ends
    before = np.concatenate(([0], np.cumsum(~text.learn)))  # tokens not to be learned before each border
    starts = np.where(starts == ends, np.maximum(starts - 1, 0), starts)
    ends = np.maximum(ends, np.minimum(starts + 1, len(text.learn)))
    return np.asarray((before[ends] == before[starts]) & (ends <= text.student.count))


def _kept(text: _Text) -> Ints:
    """The chunks that enter a loss, by number."""
    ends_s, ends_t = text.alignment.student_ends, text.alignment.teacher_ends
    keep = (text.alignment.kinds == ChunkKind.EXACT) & _learned_chunks(text)
    keep &= (_starts(ends_s) > 0) & (_starts(ends_t) > 0)  # no row predicts a text's first token
    return np.flatnonzero(keep & (ends_t <= text.teacher.count))


def _taught(text: _Text) -> Bools:
    """[T_t], the teacher tokens of chunks that are to be learned."""
    return np.repeat(_learned_chunks(text), np.diff(text.alignment.teacher_ends, prepend=0))


def _predicted(learn: Bools, place: _Place) -> Ints:
    """The tokens to be learned that a row predicts, in the flattened batch: all but a text's first."""
    return np.flatnonzero(learn[1 : place.count]) + 1 + place.offset


def _spans(ends: Ints, kept: Ints, place: _Place) -> tuple[Ints, Ints]:
    """The kept chunks' first tokens in the flattened batch, and their lengths."""
    starts = _starts(ends)[kept]
    return starts + place.offset, ends[kept] - starts


def _largest(sequences: list[TokenSequence]) -> int:
    return max((int(one.ids.max(initial=0)) for one in sequences), default=0)


def _chunk_targets(batch: TokenBatch, spans: list[tuple[Ints, Ints]]) -> ChunkTargets:
    firsts, lengths = _joined([first for first, _ in spans]), _joined([length for _, length in spans])
    starts = np.cumsum(lengths) - lengths
    tokens = np.repeat(firsts - starts, lengths) + np.arange(lengths.sum())
    later, earlier = (np.delete(np.arange(len(tokens)), ends) for ends in (starts, starts + lengths - 1))
    longest = int(lengths.max(initial=0))
    return ChunkTargets(
        _targets(batch, tokens), _tensor(starts), _tensor(lengths), _tensor(later), _tensor(earlier), longest
    )


def _targets(batch: TokenBatch, tokens: Ints) -> Targets:
    ids = batch.ids.reshape(-1).cpu()
    return Targets(_tensor(tokens - 1), ids[_tensor(tokens)])


def _joined(parts: Sequence[Ints]) -> Ints:
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _tensor(values: Ints) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.int64))
