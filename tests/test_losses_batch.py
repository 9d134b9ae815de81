"""What a loss reads of which row: worked texts, properties against a loop from the definition, packing."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.real import load
from xtoken_core.alignment import align
from xtoken_core.common_set import CommonSet
from xtoken_core.errors import ShapeError
from xtoken_core.losses import Batch, Merge, Pairs, answer, batch_of, collate, hybrid, pairs_of
from xtoken_core.losses.batch import ChunkTargets, Targets, TokenBatch
from xtoken_core.matrix import Bools, Side
from xtoken_core.sequence import TokenSequence, sequence_of
from xtoken_core.spans import Alignment, ChunkKind, Span

STEP = 20  # the ids of text k are STEP · k, STEP · k + 1, …, so that an id says where it stands
PAD = 999

Seen = list[tuple[int, int]]
Chunks = list[tuple[int, int, Seen, Seen]]
Rows = tuple[Tensor, Tensor]


def words(*tokens: str, text: int = 0) -> TokenSequence:
    """A text of these tokens, its ids STEP · text, …; an empty token is a mark, a BOS wherever it stands."""
    spelled = [token.encode() for token in tokens]
    made = sequence_of(spelled, {k: "bos" for k, token in enumerate(tokens) if not token})
    return replace(made, ids=made.ids + STEP * text)


def number(text: int = 0) -> Alignment:
    """BOS 20 1 ! beside BOS 2 0 1 !"""
    return align(words("", "20", "1", "!", text=text), words("", "2", "0", "1", "!", text=text))


def word(text: int = 0) -> Alignment:
    """BOS a b beside BOS ab."""
    return align(words("", "a", "b", text=text), words("", "ab", text=text))


def tensors(sequences: Sequence[TokenSequence], width: int, *, left: bool = False, held: Sequence[int] = ()) -> Rows:
    """Ids [B, width] and attention mask of these texts, of each only the first held[k] tokens."""
    ids, mask = torch.full((len(sequences), width), PAD), torch.zeros(len(sequences), width, dtype=torch.int64)
    for k, sequence in enumerate(sequences):
        count = held[k] if held else len(sequence)
        here = slice(width - count, width) if left else slice(0, count)
        ids[k, here] = torch.from_numpy(sequence.ids[:count].astype(np.int64))
        mask[k, here] = 1
    return ids, mask


def sides(alignments: Sequence[Alignment], **how: Any) -> tuple[Rows, Rows]:
    student, teacher = [one.student for one in alignments], [one.teacher for one in alignments]
    return tensors(student, max(map(len, student)), **how), tensors(teacher, max(map(len, teacher)) + 2, **how)


# the definition, as a loop


def chunks_by_definition(
    alignments: Sequence[Alignment],
    learn: Sequence[Bools] | None = None,
    held: Sequence[tuple[int, int]] | None = None,
) -> Chunks:
    """(text, chunk of it, what is seen of the student, of the teacher): the chunks that enter a loss.

    Seen is, for each token of the chunk, the id at the row that is read and the id that it predicts.
    """
    found: Chunks = []
    for k, one in enumerate(alignments):
        held_s, held_t = held[k] if held else (len(one.student), len(one.teacher))
        for place, chunk in enumerate(one):
            if chunk.kind is not ChunkKind.EXACT or chunk.student.start == 0 or chunk.teacher.start == 0:
                continue
            if chunk.student.stop > held_s or chunk.teacher.stop > held_t:
                continue
            if learn and not all(learn[k][chunk.student.start : chunk.student.stop]):
                continue
            found.append((k, place, seen(one.student, chunk.student), seen(one.teacher, chunk.teacher)))
    return found


def seen(sequence: TokenSequence, span: Span) -> Seen:
    return [(int(sequence.ids[i - 1]), int(sequence.ids[i])) for i in range(span.start, span.stop)]


def chunks_read(batch: Batch) -> Chunks:
    """The same, from a batch; as ids are told apart, what is seen doesn't depend on where a text lies."""
    student, teacher = side_read(batch.student, batch.student_chunks), side_read(batch.teacher, batch.teacher_chunks)
    return list(zip(batch.sequences.tolist(), batch.places.tolist(), student, teacher, strict=True))


def side_read(tokens: TokenBatch, chunks: ChunkTargets) -> list[Seen]:
    pairs = targets_read(tokens, chunks.targets)
    assert len(chunks) == len(chunks.lengths)
    starts, lengths = chunks.starts.tolist(), chunks.lengths.tolist()
    assert starts == [sum(lengths[:c]) for c in range(len(lengths))]
    assert sum(lengths) == len(pairs)
    return [pairs[start : start + length] for start, length in zip(starts, lengths, strict=True)]


def targets_read(tokens: TokenBatch, targets: Targets) -> Seen:
    """The id at each row, and the id that it is to predict: the next one of the same row and text."""
    found = []
    for row, token in zip(targets.rows.tolist(), targets.tokens.tolist(), strict=True):
        line, column = divmod(row, tokens.ids.shape[1])
        assert column + 1 < tokens.ids.shape[1]
        assert tokens.mask[line, column]
        assert tokens.mask[line, column + 1]
        assert tokens.ids[line, column + 1] == token
        assert tokens.positions[line, column + 1] == tokens.positions[line, column] + 1
        found.append((int(tokens.ids[line, column]), token))
    return found


def targets_by_definition(sequences: Sequence[TokenSequence], learn: Sequence[Bools]) -> Seen:
    """Every token that is to be learned, but a text's first."""
    return [
        (int(sequence.ids[i - 1]), int(sequence.ids[i]))
        for sequence, wanted in zip(sequences, learn, strict=True)
        for i in range(1, len(sequence))
        if wanted[i]
    ]


def taught_by_definition(alignments: Sequence[Alignment], learn: Sequence[Bools]) -> list[Bools]:
    """Of each text the teacher tokens in chunks of which all student tokens are to be learned.

    A chunk without student tokens goes with the one before it, the first chunks with the first.
    """
    taught = [np.zeros(len(one.teacher), bool) for one in alignments]
    for one, wanted, chosen in zip(alignments, learn, taught, strict=True):
        for chunk in one:
            start, stop = chunk.student.start, chunk.student.stop
            here = wanted[start:stop] if start < stop else wanted[max(start - 1, 0) : max(stop, 1)]
            chosen[chunk.teacher.start : chunk.teacher.stop] = all(here)
    return taught


@st.composite
def texts(draw: st.DrawFn, most: int = 4) -> list[Alignment]:
    """Some texts over two letters, each cut twice at random, with or without a mark on either side, mostly a BOS."""
    return [align(*draw(cut_twice(k))) for k in range(draw(st.integers(0, most)))]


@st.composite
def cut_twice(draw: st.DrawFn, k: int) -> tuple[TokenSequence, TokenSequence]:
    length = draw(st.sampled_from([0, 1, 3, 5, 7, 8]))  # drawn plainly, most would have less than two letters
    data = draw(st.text("ab", min_size=length, max_size=length))
    return draw(cut(data, k)), draw(cut(data, k))


@st.composite
def cut(draw: st.DrawFn, data: str, k: int) -> TokenSequence:
    borders = [border for border in range(1, len(data)) if draw(st.booleans())]
    tokens = [data[start:stop] for start, stop in zip([0, *borders], [*borders, len(data)], strict=True) if data]
    mark = draw(st.sampled_from([None, 0, 0, 1, 2]))
    return words(*tokens if mark is None else [*tokens[:mark], "", *tokens[mark:]], text=k)


@st.composite
def masks(draw: st.DrawFn, alignments: Sequence[Alignment]) -> list[Bools]:
    """For each text which student tokens are to be learned; mostly all."""
    return [np.array([draw(st.integers(0, 3)) > 0 for _ in range(len(one.student))], bool) for one in alignments]


# worked


def test_chunk_token_i_is_read_at_row_i_minus_one() -> None:
    batch = collate([number()])
    assert batch.student_chunks.targets.rows.tolist() == [0, 1, 2]
    assert batch.student_chunks.targets.tokens.tolist() == [1, 2, 3]
    assert batch.teacher_chunks.targets.rows.tolist() == [0, 1, 2, 3]
    assert batch.teacher_chunks.targets.tokens.tolist() == [1, 2, 3, 4]


def test_a_chunk_has_its_own_number_of_tokens_on_either_side() -> None:
    batch = collate([number()])
    assert batch.student_chunks.starts.tolist() == [0, 1, 2]
    assert batch.student_chunks.lengths.tolist() == [1, 1, 1]
    assert batch.teacher_chunks.starts.tolist() == [0, 2, 3]
    assert batch.teacher_chunks.lengths.tolist() == [2, 1, 1]


def test_rows_count_through_all_texts() -> None:
    batch = collate([word(), number(1)])  # the student's rows are 4 long, the teacher's 5
    assert batch.student_chunks.targets.rows.tolist() == [0, 1, 4, 5, 6]
    assert batch.teacher_chunks.targets.rows.tolist() == [0, 5, 6, 7, 8]


def test_padding_stands_on_the_right() -> None:
    batch = collate([word(), number(1)])
    assert batch.student.mask.tolist() == [[True, True, True, False], [True] * 4]
    assert batch.student.ids[1].tolist() == [20, 21, 22, 23]
    assert batch.student.positions.tolist() == [[0, 1, 2, 0], [0, 1, 2, 3]]


def test_tensors_are_of_the_kinds_that_a_model_takes() -> None:
    batch = collate([number()])
    for side in (batch.student, batch.teacher):
        assert (side.ids.dtype, side.mask.dtype, side.positions.dtype) == (torch.int64, torch.bool, torch.int64)


@pytest.mark.parametrize("bos", [("", None), (None, ""), (None, None)])
def test_the_first_chunk_of_a_text_without_a_bos_on_one_side_is_in_no_loss(bos: tuple[str | None, str | None]) -> None:
    student, teacher = (words(*([one] if one is not None else []), "a", "b") for one in bos)
    aligned = align(student, teacher)
    batch = collate([aligned])
    places = batch.places.tolist()
    assert [aligned.bytes_of(aligned.chunk(place)) for place in places] == [(b"b", b"b")]
    assert batch.student_chunks.targets.tokens.tolist() == [len(student) - 1]
    assert batch.teacher_chunks.targets.tokens.tolist() == [len(teacher) - 1]


def test_two_bos_are_no_chunk_of_a_loss() -> None:
    batch = collate([number()])
    assert batch.places.tolist() == [1, 2, 3]
    assert 0 not in batch.student_chunks.targets.tokens.tolist()


def test_a_mark_inside_the_text_that_both_have_is_a_chunk_like_others() -> None:
    one = sequence_of([b"a", b"", b"b"], {1: "turn_end"})
    batch = collate([align(one, one)])
    assert batch.student_chunks.targets.tokens.tolist() == [1, 2]


def test_a_gap_enters_no_loss() -> None:
    aligned = align(words("", "a", "b"), sequence_of([b"", b"a", b"", b"b"], {0: "bos", 2: "turn_end"}))
    assert [chunk.kind for chunk in aligned][2] is ChunkKind.TEACHER_GAP
    batch = collate([aligned])
    assert batch.places.tolist() == [1, 3]
    assert batch.teacher_chunks.targets.tokens.tolist() == [1, 3]
    assert batch.teacher_chunks.targets.rows.tolist() == [0, 2]  # "b" is predicted at the row of the gap


def test_what_a_normaliser_changed_enters_no_loss() -> None:
    text = unicodedata.normalize("NFD", "Un café noir.")
    aligned = align(load("gpt2").encode(text), load("qwen3").encode(text))
    assert [chunk.kind.label for chunk in aligned] == ["exact", "mismatch", "exact", "exact"]
    batch = collate([aligned])
    assert [aligned.bytes_of(aligned.chunk(place))[0] for place in batch.places.tolist()] == [b" noir", b"."]
    assert batch.student_chunks.lengths.tolist() == [2, 1]
    assert chunks_read(batch) == chunks_by_definition([aligned])


def test_no_alignments_are_a_batch_without_rows() -> None:
    batch = collate([])
    assert len(batch) == 0
    assert batch.student.ids.shape == batch.teacher.mask.shape == (0, 0)
    assert len(batch.student_targets) == len(batch.teacher_targets) == 0
    assert chunks_read(batch) == []


def test_no_alignments_are_a_batch_of_no_rows_of_your_own() -> None:
    none = torch.zeros(0, 5, dtype=torch.int64), torch.zeros(0, 5, dtype=torch.int64)
    batch = batch_of([], none, none)
    assert len(batch) == 0
    assert batch.student.ids.shape == (0, 5)


def test_a_text_without_tokens_has_no_chunk() -> None:
    nothing = align(words(), words())
    batch = collate([number(), nothing, word(2)])
    assert batch.sequences.tolist() == [0, 0, 0, 2]
    assert not batch.student.mask[1].any()
    assert chunks_read(batch) == chunks_by_definition([number(), nothing, word(2)])


def test_a_text_of_one_token_is_in_no_loss_and_no_target() -> None:
    batch = collate([align(words("a"), words("a"))])
    assert len(batch) == len(batch.student_targets) == len(batch.teacher_targets) == 0


def test_the_largest_ids_are_those_of_the_texts() -> None:
    batch = collate([word(3), number(1)])
    assert (batch.largest_student, batch.largest_teacher) == (62, 61)
    assert (collate([]).largest_student, collate([]).largest_teacher) == (0, 0)


def test_every_tensor_of_a_batch_moves() -> None:
    """The meta device is on every machine."""
    moved = collate([number()]).to("meta")
    devices = list(devices_of(moved))
    assert len(devices) > 10
    assert set(devices) == {"meta"}
    assert (moved.largest_student, moved.largest_teacher) == (3, 4)


def devices_of(value: Any) -> list[str]:
    if isinstance(value, Tensor):
        return [value.device.type]
    parts = [getattr(value, field.name) for field in fields(value)] if is_dataclass(value) else []
    return [device for part in (value if isinstance(value, tuple) else parts) for device in devices_of(part)]


def test_a_batch_that_moves_to_where_it_is_reads_the_same() -> None:
    assert chunks_read(collate([number()]).to("cpu")) == chunks_by_definition([number()])


# one's own tensors


def test_padding_with_the_id_of_a_real_token_changes_nothing() -> None:
    alignments = [word(), number(1)]
    (ids_s, mask_s), (ids_t, mask_t) = sides(alignments)
    expected = batch_of(alignments, (ids_s, mask_s), (ids_t, mask_t))
    for pad in (0, 1, 2, 23):
        padded = ids_s.masked_fill(mask_s == 0, pad), mask_s
        batch = batch_of(alignments, padded, (ids_t.masked_fill(mask_t == 0, pad), mask_t))
        assert chunks_read(batch) == chunks_read(expected)
        assert torch.equal(batch.student_targets.rows, expected.student_targets.rows)


def test_a_text_that_ends_in_the_pad_id_keeps_its_last_token() -> None:
    eos = sequence_of([b"", b"a", b""], {0: "bos", 2: "eos"})
    row = torch.tensor([[0, 1, 2, 2, 2]]), torch.tensor([[1, 1, 1, 0, 0]])
    batch = batch_of([align(eos, eos)], row, row)
    assert batch.student_chunks.targets.tokens.tolist() == [1, 2]
    assert batch.student_chunks.targets.rows.tolist() == [0, 1]


def test_padding_left_shifts_the_rows_alone() -> None:
    batch = batch_of([word()], *sides([word()], left=True))
    assert batch.student_chunks.targets.rows.tolist() == [0, 1]
    assert batch.teacher_chunks.targets.rows.tolist() == [2]  # two places of padding before the BOS
    assert batch.teacher_chunks.targets.tokens.tolist() == [1]
    assert batch.teacher.positions.tolist() == [[0, 0, 0, 1]]


def test_a_mask_of_any_number_kind_will_do() -> None:
    (ids_s, mask_s), teacher = sides([number()])
    for kind in (torch.bool, torch.int32, torch.float32):
        batch = batch_of([number()], (ids_s.int(), mask_s.to(kind)), teacher)
        assert chunks_read(batch) == chunks_by_definition([number()])
        assert batch.student.mask.dtype == torch.bool
        assert batch.student.ids.dtype == torch.int64


@pytest.mark.parametrize(("held_s", "held_t", "places"), [(4, 5, [1, 2, 3]), (3, 5, [1, 2]), (4, 3, [1]), (4, 2, [])])
def test_a_row_that_is_cut_drops_exactly_the_chunks_that_do_not_fit(
    held_s: int, held_t: int, places: list[int]
) -> None:
    one = number()
    batch = batch_of([one], tensors([one.student], 6, held=[held_s]), tensors([one.teacher], 6, held=[held_t]))
    assert batch.places.tolist() == places


@pytest.mark.parametrize(("held", "places"), [(3, [1]), (2, [])])
def test_a_chunk_that_is_cut_through_is_dropped(held: int, places: list[int]) -> None:
    one = align(words("", "a", "b"), words("", "ab"))
    other = align(one.teacher, one.student)
    whole = tensors([one.teacher], 4)
    assert batch_of([one], tensors([one.student], 4, held=[held]), whole).places.tolist() == places
    assert batch_of([other], whole, tensors([one.student], 4, held=[held])).places.tolist() == places


def test_a_row_that_is_cut_to_nothing_has_no_target() -> None:
    one = number()
    batch = batch_of([one], tensors([one.student], 6, held=[0]), tensors([one.teacher], 6, held=[0]))
    assert len(batch) == len(batch.student_targets) == len(batch.teacher_targets) == 0


def other_ids(ids: Tensor, mask: Tensor) -> Rows:
    return ids.clone().index_fill_(1, torch.tensor([2]), 7), mask


def hole(ids: Tensor, mask: Tensor) -> Rows:
    """The right tokens in order, but a place of padding between them."""
    spread = torch.cat([ids[:, :2], torch.full_like(ids[:, :1], PAD), ids[:, 2:]], 1)
    return spread, torch.cat([mask[:, :2], torch.zeros_like(mask[:, :1]), mask[:, 2:]], 1)


def longer(ids: Tensor, mask: Tensor) -> Rows:
    return torch.cat([ids, torch.full_like(ids[:, :1], 5)], 1), torch.cat([mask, torch.ones_like(mask[:, :1])], 1)


def cut_in_front(ids: Tensor, mask: Tensor) -> Rows:
    return ids[:, 1:], mask[:, 1:]


@pytest.mark.parametrize("side", ["student", "teacher"])
@pytest.mark.parametrize("spoilt", [other_ids, hole, longer, cut_in_front])
def test_other_tokens_than_those_aligned_are_refused(side: str, spoilt: Any) -> None:
    alignments = [word(), number(1)]
    wrong = number(1).student if side == "student" else number(1).teacher
    row = spoilt(*tensors([wrong], len(wrong)))
    good = tensors([word().student if side == "student" else word().teacher], row[0].shape[1])
    given_rows = tuple(torch.cat(parts) for parts in zip(good, row, strict=True))
    fine_s, fine_t = sides(alignments)
    said = re.escape(
        f"Row 1 of the {side}'s ids doesn't hold the tokens that were aligned, or its mask has a hole. "
        f"Align the same tokens that the model gets, special tokens included, and cut only at the end."
    )
    with pytest.raises(ShapeError, match=said):
        batch_of(alignments, *((given_rows, fine_t) if side == "student" else (fine_s, given_rows)))


@pytest.mark.parametrize(
    ("ids", "mask", "shapes"),
    [
        (torch.zeros(1, 4), torch.ones(1, 5), "[1, 4] and its mask [1, 5]"),
        (torch.zeros(2, 4), torch.ones(2, 4), "[2, 4] and its mask [2, 4]"),
        (torch.zeros(4), torch.ones(4), "[4] and its mask [4]"),
        (torch.zeros(1, 4, 1), torch.ones(1, 4, 1), "[1, 4, 1] and its mask [1, 4, 1]"),
    ],
)
def test_ids_and_mask_of_other_shapes_are_refused(ids: Tensor, mask: Tensor, shapes: str) -> None:
    one = number()
    teacher = tensors([one.teacher], 5)
    said = f"The student's ids have the shape {shapes}, for 1 alignments. Give ids [B, T] and a mask [B, T], one row"
    with pytest.raises(ShapeError, match=re.escape(said)):
        batch_of([one], (ids, mask), teacher)
    with pytest.raises(ShapeError, match=re.escape(said.replace("student", "teacher"))):
        batch_of([one], tensors([one.student], 4), (ids, mask))


@given(texts(), st.booleans(), st.booleans(), st.data())
@settings(max_examples=60, deadline=None)
def test_one_s_own_tensors_read_what_the_definition_says(
    alignments: list[Alignment], left_s: bool, left_t: bool, data: st.DataObject
) -> None:
    held = [
        (data.draw(st.integers(0, len(one.student))), data.draw(st.integers(0, len(one.teacher)))) for one in alignments
    ]
    learn = data.draw(masks(alignments))
    student = tensors([one.student for one in alignments], 10, left=left_s, held=[s for s, _ in held])
    teacher = tensors([one.teacher for one in alignments], 11, left=left_t, held=[t for _, t in held])
    assert chunks_read(batch_of(alignments, student, teacher)) == chunks_by_definition(alignments, None, held)
    wanted = torch.ones_like(student[0])
    for k, one in enumerate(learn):
        here = student[1][k].nonzero()[:, 0]
        wanted[k, here] = torch.from_numpy(one[: len(here)].astype(np.int64))
    batch = batch_of(alignments, student, teacher, learn=wanted)
    assert chunks_read(batch) == chunks_by_definition(alignments, learn, held)
    kept = [first(one, count) for one, (count, _) in zip(learn, held, strict=True)]
    assert targets_read(batch.student, batch.student_targets) == targets_by_definition(
        [one.student for one in alignments], kept
    )
    taught = taught_by_definition(alignments, kept)
    kept_t = [first(one, count) for one, (_, count) in zip(taught, held, strict=True)]
    assert targets_read(batch.teacher, batch.teacher_targets) == targets_by_definition(
        [one.teacher for one in alignments], kept_t
    )


def first(chosen: Bools, count: int) -> Bools:
    """What is chosen among the first tokens."""
    return chosen & (np.arange(len(chosen)) < count)


@given(texts())
@settings(max_examples=60, deadline=None)
def test_left_and_right_padding_give_the_same_chunks(alignments: list[Alignment]) -> None:
    student, teacher = [one.student for one in alignments], [one.teacher for one in alignments]
    right = batch_of(alignments, tensors(student, 9), tensors(teacher, 11))
    left = batch_of(alignments, tensors(student, 9, left=True), tensors(teacher, 11, left=True))
    assert chunks_read(left) == chunks_read(right) == chunks_read(collate(alignments))
    assert targets_read(left.student, left.student_targets) == targets_read(right.student, right.student_targets)
    assert targets_read(left.teacher, left.teacher_targets) == targets_read(right.teacher, right.teacher_targets)


# what is to be learned


def test_a_chunk_is_in_only_where_all_of_its_student_tokens_are_to_be_learned() -> None:
    one = align(words("", "a", "b", "c"), words("", "ab", "c"))
    for learn, places in {
        (1, 1, 1, 1): [1, 2],
        (0, 1, 1, 1): [1, 2],  # the BOS is in no chunk of a loss
        (1, 0, 1, 1): [2],
        (1, 1, 0, 1): [2],
        (1, 1, 1, 0): [1],
        (1, 0, 0, 0): [],
    }.items():
        assert collate([one], learn=[np.array(learn, bool)]).places.tolist() == places


def test_targets_are_all_learned_tokens_also_of_mismatches_and_chunks_cut_by_the_mask() -> None:
    one = align(words("", "a", "b", "c"), words("", "ab", "c"))
    batch = collate([one], learn=[np.array([1, 0, 1, 1], bool)])
    assert batch.student_targets.tokens.tolist() == [2, 3]
    assert batch.student_targets.rows.tolist() == [1, 2]
    assert batch.teacher_targets.tokens.tolist() == [2]
    mismatch = align(words("", "x", "c"), words("", "y", "c"))
    assert collate([mismatch]).student_targets.tokens.tolist() == [1, 2]
    assert collate([mismatch]).teacher_targets.tokens.tolist() == [1, 2]
    assert collate([mismatch]).places.tolist() == [2]


def test_nothing_to_learn_is_a_batch_without_chunks_and_targets() -> None:
    batch = collate([number()], learn=[np.zeros(4, bool)])
    assert len(batch) == len(batch.student_targets) == len(batch.teacher_targets) == 0


@pytest.mark.parametrize("learn", [[np.ones(3, bool), np.ones(3, bool)], [np.ones(4, bool)], []])
def test_a_mask_of_another_length_than_the_texts_is_refused(learn: list[Bools]) -> None:
    said = (
        f"`learn` has {[len(one) for one in learn]} entries, but the texts have [4, 3] student tokens. "
        f"Give one bool for each student token of each text."
    )
    with pytest.raises(ShapeError, match=re.escape(said)):
        collate([number(), word(1)], learn=learn)


@pytest.mark.parametrize("shape", [(1, 3), (1, 5), (2, 2), (4,)])
def test_a_learn_of_another_shape_than_the_student_s_ids_is_refused(shape: tuple[int, ...]) -> None:
    said = (
        f"`learn` has the shape {list(shape)}, but the student's ids have [1, 4]. "
        f"Give one bool for each place, padding included."
    )
    with pytest.raises(ShapeError, match=re.escape(said)):
        batch_of([number()], *sides([number()]), learn=torch.ones(shape))


def test_learn_is_read_where_the_text_lies() -> None:
    one = word()
    student = tensors([one.student], 5, left=True)
    batch = batch_of([one], student, tensors([one.teacher], 2), learn=torch.tensor([[1, 1, 1, 1, 0]]))
    assert batch.student_targets.tokens.tolist() == [1]
    assert batch.student_targets.rows.tolist() == [2]
    assert len(batch) == 0  # "ab" needs both


@pytest.mark.parametrize(
    ("prompt", "learned"),
    [
        ([], [1, 1, 1, 1, 1]),
        ([""], [0, 1, 1, 1, 1]),
        (["", "1"], [0, 0, 1, 1, 1]),
        (["", "12"], [0, 0, 1, 1, 1]),
        (["", "12", "+"], [0, 0, 0, 1, 1]),
        (["", "12", "+", "345"], [0, 0, 0, 0, 0]),
        (["", "12", "+", "34"], [0, 0, 0, 0, 1]),
        (["", "12", "+", "3"], [0, 0, 0, 0, 1]),
    ],
)
def test_a_token_that_holds_bytes_of_the_prompt_is_the_prompt_s(prompt: list[str], learned: list[int]) -> None:
    found = answer(words("", "12", "+", "34", "5"), words(*prompt))
    assert found.tolist() == [bool(one) for one in learned]


@pytest.mark.parametrize(
    ("prompt", "learned"),
    [
        (["", "a"], [0, 0, 1, 1, 1, 1]),
        (["", "a", ""], [0, 0, 0, 1, 1, 1]),
        (["", "a", "", ""], [0, 0, 0, 0, 1, 1]),
        (["", "a", "", "", "b"], [0, 0, 0, 0, 0, 1]),
    ],
)
def test_marks_at_the_border_are_the_prompt_s_as_many_as_it_has(prompt: list[str], learned: list[int]) -> None:
    assert answer(words("", "a", "", "", "b", ""), words(*prompt)).tolist() == [bool(one) for one in learned]


@pytest.mark.parametrize("prompt", [["", "13"], ["", "123"], ["2"], ["", "1", ""], ["1", ""]])
def test_a_prompt_that_the_text_does_not_begin_with_is_refused(prompt: list[str]) -> None:
    """Other bytes, or a special token that isn't there: one that ends a text, or one that no text begins with."""
    said = (
        f"The prompt has {len(''.join(prompt))} bytes and {prompt.count('')} special tokens, but the text doesn't "
        f"begin with them. Encode the prompt and the text that continues it with the same tokenizer"
    )
    with pytest.raises(ShapeError, match=re.escape(said)):
        answer(words("", "1", "2", ""), words(*prompt))


def test_a_prompt_that_ends_inside_a_letter_s_bytes_counts_in_bytes() -> None:
    gpt2 = load("gpt2")
    sequence = gpt2.encode("漢字 yes")
    assert sequence.ends.tolist() == [1, 2, 3, 5, 6, 10]  # 漢 is three tokens, 字 two
    assert answer(sequence, gpt2.encode("漢")).tolist() == [False] * 3 + [True] * 3
    assert answer(sequence, gpt2.encode("漢字")).tolist() == [False] * 5 + [True]
    assert answer(sequence, gpt2.encode("漢字 ")).tolist() == [False] * 6  # " yes" begins in the prompt


def test_a_prompt_keeps_the_chunks_of_the_answer_alone() -> None:
    text = "Qué es 17+26? Son 43."
    student, teacher = load("gpt2").encode(text), load("qwen3").encode(text)
    aligned = align(student, teacher)
    batch = collate([aligned], learn=[answer(student, load("gpt2").encode("Qué es 17+26?"))])
    spelled = b"".join(aligned.bytes_of(aligned.chunk(place))[0] for place in batch.places.tolist())
    assert spelled == b" Son 43."
    assert sum(batch.student_chunks.lengths.tolist()) == len(batch.student_targets)
    assert batch.student_chunks.targets.rows[0] > 0


def test_a_prompt_is_found_in_a_text_that_the_tokenizer_normalised() -> None:
    sequence, prompt = (
        load("qwen3").encode(unicodedata.normalize("NFD", text)) for text in ("Un café noir.", "Un café")
    )
    assert answer(sequence, prompt).tolist() == [False, False, True, True]


def test_a_prompt_may_hold_chat_markers() -> None:
    sequence = load("qwen3").encode("<|im_start|>user\nHi<|im_end|>\nYo you")
    learn = answer(sequence, load("qwen3").encode("<|im_start|>user\nHi<|im_end|>\n"))
    assert learn.tolist() == [False] * (len(sequence) - 2) + [True] * 2


@pytest.mark.parametrize("learned", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_what_only_the_teacher_has_is_learned_with_the_student_token_before_it(learned: tuple[int, int, int]) -> None:
    one = align(words("", "a", "b"), sequence_of([b"", b"", b"a", b"", b"b"], {0: "bos", 1: "turn_start", 3: "x"}))
    assert [chunk.kind is ChunkKind.TEACHER_GAP for chunk in one] == [False, True, False, True, False]
    tokens = collate([one], learn=[np.array(learned, bool)]).teacher_targets.tokens.tolist()
    assert tokens == [token for token, before in ((1, 0), (2, 1), (3, 1), (4, 2)) if learned[before]]


@pytest.mark.parametrize("learned", [0, 1])
def test_what_only_the_teacher_has_in_front_is_learned_with_the_first_student_token(learned: int) -> None:
    one = align(words("a", "b"), sequence_of([b"", b"", b"a", b"b"], {0: "bos", 1: "turn_start"}))
    tokens = collate([one], learn=[np.array([learned, 1], bool)]).teacher_targets.tokens.tolist()
    assert tokens == ([1, 2, 3] if learned else [3])


def test_what_the_teacher_has_of_a_text_without_student_tokens_is_a_target() -> None:
    one = align(words(), words("", ""))
    assert collate([one], learn=[np.zeros(0, bool)]).teacher_targets.tokens.tolist() == [1]


@pytest.mark.parametrize(("held", "tokens"), [(4, [1, 2, 3, 4]), (3, [1, 2, 3]), (2, [1, 2]), (1, []), (0, [])])
def test_where_the_student_s_row_is_cut_the_teacher_s_targets_end_too(held: int, tokens: list[int]) -> None:
    one = number()
    batch = batch_of([one], tensors([one.student], 6, held=[held]), tensors([one.teacher], 6))
    assert batch.teacher_targets.tokens.tolist() == tokens


@given(texts(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_batch_reads_what_the_definition_says(alignments: list[Alignment], data: st.DataObject) -> None:
    learn = data.draw(masks(alignments))
    batch = collate(alignments, learn=learn)
    assert chunks_read(batch) == chunks_by_definition(alignments, learn)
    student, teacher = [one.student for one in alignments], [one.teacher for one in alignments]
    assert targets_read(batch.student, batch.student_targets) == targets_by_definition(student, learn)
    taught = taught_by_definition(alignments, learn)
    assert targets_read(batch.teacher, batch.teacher_targets) == targets_by_definition(teacher, taught)


@given(texts())
@settings(max_examples=60, deadline=None)
def test_every_predicted_token_is_a_target_once(alignments: list[Alignment]) -> None:
    batch = collate(alignments)
    for tokens, targets in ((batch.student, batch.student_targets), (batch.teacher, batch.teacher_targets)):
        assert sorted(targets.rows.tolist()) == sorted(set(targets.rows.tolist()))
        assert len(targets) == int(tokens.mask.sum()) - int(tokens.mask.any(1).sum())


@given(texts())
@settings(max_examples=60, deadline=None)
def test_sequences_and_places_lead_back_to_the_alignment_s_chunk(alignments: list[Alignment]) -> None:
    batch = collate(alignments)
    for k, place, student, teacher in chunks_read(batch):
        chunk = alignments[k].chunk(place)
        assert [token for _, token in student] == alignments[k].student.ids[slice_of(chunk.student)].tolist()
        assert [token for _, token in teacher] == alignments[k].teacher.ids[slice_of(chunk.teacher)].tolist()


def slice_of(span: Span) -> slice:
    return slice(span.start, span.stop)


# packing


def test_texts_share_a_row_and_positions_start_anew() -> None:
    batch = collate([word(), number(1)], pack=(7, 7))
    assert batch.student.ids.tolist() == [[0, 1, 2, 20, 21, 22, 23]]
    assert batch.student.positions.tolist() == [[0, 1, 2, 0, 1, 2, 3]]
    assert batch.teacher.ids.tolist() == [[0, 1, 20, 21, 22, 23, 24]]
    assert batch.teacher.positions.tolist() == [[0, 1, 0, 1, 2, 3, 4]]
    assert batch.student.mask.all()


def test_nothing_is_read_across_the_border_of_two_texts() -> None:
    alignments = [align(words("a", text=k), words("a", text=k)) for k in range(3)]
    batch = collate(alignments, pack=(3, 3))
    assert batch.student.ids.tolist() == [[0, 20, 40]]
    assert len(batch) == len(batch.student_targets) == len(batch.teacher_targets) == 0
    longer_ones = [align(words("a", "b", text=k), words("a", "b", text=k)) for k in range(3)]
    assert collate(longer_ones, pack=(6, 6)).student_chunks.targets.rows.tolist() == [0, 2, 4]


def test_a_text_goes_into_the_first_row_with_room_on_both_sides() -> None:
    def plain(k: int, count_s: int, count_t: int) -> Alignment:
        data = "a" * max(count_s, count_t)
        tokens = [[*"a" * (count - 1), data[count - 1 :]] for count in (count_s, count_t)]
        return align(words(*tokens[0], text=k), words(*tokens[1], text=k))

    alignments = [plain(0, 3, 1), plain(1, 3, 3), plain(2, 2, 3), plain(3, 1, 1), plain(4, 1, 4)]
    batch = collate(alignments, pack=(5, 4))
    assert [sorted({i // STEP for i in ids}) for ids in texts_by_row(batch.student)] == [
        [0, 2],  # the first row with room, not the one that was opened last
        [1, 3],
        [4],  # the student has room in row 1, the teacher hasn't
    ]


def texts_by_row(tokens: TokenBatch) -> list[list[int]]:
    """The real ids of each row."""
    return [ids[mask].tolist() for ids, mask in zip(tokens.ids, tokens.mask, strict=True)]


def test_a_text_of_exactly_a_row_s_length_fits() -> None:
    assert collate([number(), number(1)], pack=(4, 5)).student.ids.shape == (2, 4)


@pytest.mark.parametrize("pack", [(3, 9), (9, 4), (1, 1)])
def test_a_text_longer_than_a_row_is_refused(pack: tuple[int, int]) -> None:
    short = align(words("a"), words("a"))
    said = (
        f"Text 1 has 4 student and 5 teacher tokens, but a row may hold {pack[0]} and {pack[1]}. "
        f"Cut the text, or allow longer rows."
    )
    with pytest.raises(ShapeError, match=re.escape(said)):
        collate([short, number(1)], pack=pack)


def rows_by_first_fit(alignments: Sequence[Alignment], most_s: int, most_t: int) -> list[list[int]]:
    rows: list[list[int]] = []
    for k in range(len(alignments)):
        for row in rows:
            together = [alignments[j] for j in [*row, k]]
            fits_s = sum(len(one.student) for one in together) <= most_s
            if fits_s and sum(len(one.teacher) for one in together) <= most_t:
                row.append(k)
                break
        else:
            rows.append([k])
    return rows


@given(texts(6), st.integers(9, 20), st.integers(9, 20), st.data())
@settings(max_examples=100, deadline=None)
def test_packed_texts_read_the_same_as_padded_ones(
    alignments: list[Alignment], most_s: int, most_t: int, data: st.DataObject
) -> None:
    learn = data.draw(masks(alignments))
    padded, packed = collate(alignments, learn=learn), collate(alignments, learn=learn, pack=(most_s, most_t))
    assert chunks_read(packed) == chunks_read(padded)
    assert targets_read(packed.student, packed.student_targets) == targets_read(padded.student, padded.student_targets)
    assert targets_read(packed.teacher, packed.teacher_targets) == targets_read(padded.teacher, padded.teacher_targets)
    rows = rows_by_first_fit(alignments, most_s, most_t)
    assert texts_by_row(packed.student) == [ids_of([alignments[k].student for k in row]) for row in rows]
    assert texts_by_row(packed.teacher) == [ids_of([alignments[k].teacher for k in row]) for row in rows]


def ids_of(sequences: Sequence[TokenSequence]) -> list[int]:
    return [token for one in sequences for token in one.ids.tolist()]


@given(texts(6), st.integers(9, 20))
@settings(max_examples=40, deadline=None)
def test_positions_count_from_0_in_every_packed_text(alignments: list[Alignment], most: int) -> None:
    packed = collate(alignments, pack=(most, most))
    for tokens in (packed.student, packed.teacher):
        assert torch.equal(tokens.positions, (tokens.ids % STEP) * tokens.mask)


def logits_of(tokens: TokenBatch, table: Tensor) -> Tensor:
    """The logits at a token are its row of the table, wherever it lies; at padding one is large, to be noticed."""
    logits = table[tokens.ids.clamp(max=len(table) - 1)]
    logits[~tokens.mask] = 0
    logits[..., 1].masked_fill_(~tokens.mask, 50)
    return logits.requires_grad_()


def everything(ids: int) -> Pairs:
    """Every token paired with itself, so that `hybrid` is a KL."""
    here = np.arange(ids, dtype=np.int32)
    return pairs_of(CommonSet("all", here, here), Side("one", "0" * 64, ids, ids), Side("two", "1" * 64, ids, ids))


@pytest.mark.parametrize("merge", list(Merge))
def test_a_packed_batch_has_the_loss_of_the_padded_one(merge: Merge) -> None:
    alignments = [number(), word(1), align(words("x", "yz", text=2), words("", "xy", "z", text=2)), number(3)]
    padded, packed = collate(alignments), collate(alignments, pack=(9, 9))
    own = batch_of(alignments, *sides(alignments, left=True))
    generator = torch.Generator().manual_seed(0)
    tables = torch.randn(2, STEP * 4, STEP * 4, generator=generator, dtype=torch.float64) * 3
    losses, gradients = [], []
    for batch in (padded, packed, own):
        student, teacher = logits_of(batch.student, tables[0]), logits_of(batch.teacher, tables[1])
        loss = hybrid(student, teacher, batch, everything(STEP * 4), merge=merge)
        loss.mean().backward()
        losses.append(loss.values.detach())
        gradients.append(by_token(batch, student.grad))
        assert teacher.grad is None
    assert len(losses[0]) == 7
    for loss, gradient in zip(losses[1:], gradients[1:], strict=True):
        torch.testing.assert_close(loss, losses[0], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(gradient, gradients[0], rtol=1e-12, atol=1e-12)


def by_token(batch: Batch, gradient: Tensor | None) -> Tensor:
    """[T of all texts, V], the gradient at each real token, in the order of ids; padding has none."""
    assert gradient is not None
    assert not gradient[~batch.student.mask].any()
    ids = batch.student.ids[batch.student.mask]
    return gradient[batch.student.mask][ids.argsort()]


def test_labels_are_no_answer_to_what_is_to_be_learned() -> None:
    """-100 is true as a bool, so labels would train on the prompt."""
    aligned = align(words("", "a", "b"), words("", "a", "b"))
    labels = np.array([-100, -100, 5])
    with pytest.raises(ShapeError, match=re.escape("`learn` holds -100; it says yes or no. Give labels != -100.")):
        collate([aligned], learn=[labels])
    ids, mask = torch.from_numpy(aligned.student.ids)[None].long(), torch.ones(1, 3)
    with pytest.raises(ShapeError, match="labels != -100"):
        batch_of([aligned], (ids, mask), (ids, mask), learn=torch.from_numpy(labels)[None])
    assert len(batch_of([aligned], (ids, mask), (ids, mask), learn=torch.from_numpy(labels)[None] != -100)) == 1
