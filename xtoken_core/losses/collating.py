"""
From alignments to a batch: which chunks enter a loss, and at which rows they are read.

A chunk enters where both sides spell the same bytes, a row predicts each of its tokens, and all of its student tokens
are to be learned. A gap or a mismatch never does, and neither does what a text begins with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xtoken_core.errors import ShapeError
from xtoken_core.losses.batch import Batch, ChunkTargets, Targets, TokenBatch
from xtoken_core.losses.placing import Place, found, given, packed, padded, placed
from xtoken_core.matrix import Bools
from xtoken_core.sequence import Ints, Mark, TokenSequence
from xtoken_core.spans import Alignment, ChunkKind


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
    rows = packed(student, teacher, *pack) if pack else [[k] for k in range(len(alignments))]
    texts = _texts(alignments, _learned(alignments, learn), placed(student, rows), placed(teacher, rows))
    return _batch(texts, padded(student, rows), padded(teacher, rows))


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
    batch_s, batch_t = given("student", *student, len(alignments)), given("teacher", *teacher, len(alignments))
    places_s = found("student", batch_s, [one.student for one in alignments])
    places_t = found("teacher", batch_t, [one.teacher for one in alignments])
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


@dataclass(frozen=True, slots=True)
class _Text:
    """One text: how it's aligned, which student tokens are to be learned [T_s], and where either side lies."""

    alignment: Alignment
    learn: Bools
    student: Place
    teacher: Place


def _learned(alignments: Sequence[Alignment], learn: Sequence[Bools] | None) -> list[Bools]:
    if learn is None:
        return [np.ones(len(one.student), bool) for one in alignments]
    lengths = [len(one.student) for one in alignments]
    if [len(one) for one in learn] != lengths:
        raise ShapeError(
            f"`learn` has {[len(one) for one in learn][:8]} entries, but the texts have {lengths[:8]} student tokens. "
            f"Give one bool for each student token of each text."
        )
    return [_yes_or_no(one) for one in learn]


def _yes_or_no(learn: Bools) -> Bools:
    """As bools. Raises ShapeError for labels, of which every one but 0 would count as yes."""
    values = np.asarray(learn)
    if not np.isin(values, (0, 1)).all():
        raise ShapeError(f"`learn` holds {np.setdiff1d(values, (0, 1))[0]}; it says yes or no. Give labels != -100.")
    return values.astype(bool)


def _unpadded(learn: Tensor, places: list[Place], alignments: Sequence[Alignment]) -> list[Bools]:
    flat = _yes_or_no(learn.reshape(-1).cpu().numpy())
    chosen = [np.zeros(len(one.student), bool) for one in alignments]
    for one, place in zip(chosen, places, strict=True):
        one[: place.count] = flat[place.offset : place.offset + place.count]
    return chosen


def _texts(
    alignments: Sequence[Alignment], learn: list[Bools], student: list[Place], teacher: list[Place]
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
    """[C], the chunks of which every student token is there and to be learned; a gap goes with its neighbour."""
    starts, ends = _with_neighbours(text.alignment.student_ends)
    before = np.concatenate(([0], np.cumsum(~text.learn)))  # tokens not to be learned before each border
    return np.asarray((before[ends] == before[starts]) & (ends <= text.student.count))


def _with_neighbours(ends: Ints) -> tuple[Ints, Ints]:
    """Each chunk's span [C]; one without tokens gets the token before it, or the text's first."""
    starts = _starts(ends)
    empty = starts == ends
    starts = np.where(empty, np.maximum(starts - 1, 0), starts)
    return starts, np.where(empty, np.minimum(starts + 1, ends.max(initial=0)), ends)


def _kept(text: _Text) -> Ints:
    """The chunks that enter a loss, by number."""
    ends_s, ends_t = text.alignment.student_ends, text.alignment.teacher_ends
    keep = (text.alignment.kinds == ChunkKind.EXACT) & _learned_chunks(text)
    keep &= (_starts(ends_s) > 0) & (_starts(ends_t) > 0)  # no row predicts a text's first token
    return np.flatnonzero(keep & (ends_t <= text.teacher.count))


def _taught(text: _Text) -> Bools:
    """[T_t], the teacher tokens of chunks that are to be learned."""
    return np.repeat(_learned_chunks(text), np.diff(text.alignment.teacher_ends, prepend=0))


def _predicted(learn: Bools, place: Place) -> Ints:
    """The tokens to be learned that a row predicts, in the flattened batch: all but a text's first."""
    return np.flatnonzero(learn[1 : place.count]) + 1 + place.offset


def _spans(ends: Ints, kept: Ints, place: Place) -> tuple[Ints, Ints]:
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
