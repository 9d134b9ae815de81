"""The laws of span alignment: worked pairs, properties on a two-letter alphabet, real tokenizers."""

import itertools
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import load
from tests.hurt import HURTING
from tests.reference import cheapest, common_boundaries
from xtoken_core import alignment as module
from xtoken_core import catalog
from xtoken_core.alignment import align
from xtoken_core.sequence import TokenSequence, sequence_of
from xtoken_core.spans import Alignment, ChunkKind, Shape
from xtoken_core.tokenizer import Spelling, spelling

PAIRS = list(itertools.permutations(catalog.ENTRIES, 2))


def words(*tokens: str, **marks: str) -> TokenSequence:
    return sequence_of([token.encode() for token in tokens], {int(k[1:]): role for k, role in marks.items()})


def shapes(alignment: Alignment) -> list[str]:
    return [chunk.shape.value for chunk in alignment]


def spelled(alignment: Alignment) -> list[tuple[str, str]]:
    return [
        (student.decode(), teacher.decode()) for student, teacher in (alignment.bytes_of(chunk) for chunk in alignment)
    ]


def cost(alignment: Alignment) -> tuple[int, int, int]:
    """(unmatched tokens, unmatched marks, -exact chunks), to be held against the reference."""
    marks = [{mark.position for mark in side.marks} for side in (alignment.student, alignment.teacher)]
    tokens = unmatched_marks = exact = 0
    for chunk in alignment:
        if chunk.kind is ChunkKind.EXACT:
            exact += 1
            continue
        for span, positions in zip((chunk.student, chunk.teacher), marks, strict=True):
            here = sum(k in positions for k in range(span.start, span.stop))
            unmatched_marks += here
            tokens += len(span) - here
    return tokens, unmatched_marks, -exact


def check_laws(alignment: Alignment) -> None:
    """Chunks tile both sides; exact means the same bytes; a special that isn't matched stands alone."""
    student = teacher = 0
    for chunk in alignment:
        assert (chunk.student.start, chunk.teacher.start) == (student, teacher)
        student, teacher = chunk.student.stop, chunk.teacher.stop
        assert len(chunk.student) + len(chunk.teacher) > 0
        bytes_s, bytes_t = alignment.bytes_of(chunk)
        marks_s = alignment.student.marks_between(chunk.student.start, chunk.student.stop)
        marks_t = alignment.teacher.marks_between(chunk.teacher.start, chunk.teacher.stop)
        match chunk.kind:
            case ChunkKind.EXACT:
                assert bytes_s == bytes_t
                assert len(chunk.student) > 0 < len(chunk.teacher)
                assert [mark.role for mark in marks_s] == [mark.role for mark in marks_t]
            case ChunkKind.MISMATCH:
                assert len(chunk.student) > 0 < len(chunk.teacher)
                assert not marks_s
                assert not marks_t
            case ChunkKind.STUDENT_GAP:
                assert len(chunk.teacher) == 0
            case ChunkKind.TEACHER_GAP:
                assert len(chunk.student) == 0
        if marks_s or marks_t:
            assert len(chunk.student) <= 1 >= len(chunk.teacher)
    assert (student, teacher) == (len(alignment.student), len(alignment.teacher))


def test_one_number_against_its_digits_is_one_chunk() -> None:
    assert shapes(align(words("201"), words("2", "0", "1"))) == ["1-n"]


def test_two_numbers_cut_differently_are_one_chunk_of_two_against_three() -> None:
    aligned = align(words("12", "34"), words("1", "23", "4"))
    assert shapes(aligned) == ["m-n"]
    assert spelled(aligned) == [("1234", "1234")]


def test_one_token_against_five_letters_is_exact() -> None:
    assert shapes(align(words("abcde"), words(*"abcde"))) == ["1-n"]


def test_tokens_that_end_together_are_cut_there() -> None:
    assert shapes(align(words("ab", "cd"), words("a", "bc", "d"))) == ["m-n"]
    assert shapes(align(words("ab", "cd"), words("a", "b", "c", "d"))) == ["1-n", "1-n"]


def test_two_empty_sides_have_no_chunk() -> None:
    assert len(align(words(), words())) == 0


def test_an_empty_side_makes_one_gap() -> None:
    assert shapes(align(words("a", "b"), words())) == ["student_gap"]
    assert shapes(align(words(), words("a", "b"))) == ["teacher_gap"]


def test_specials_of_one_role_meet_and_others_stand_alone() -> None:
    student = words("", "a", "", _0="bos", _2="eos")
    assert shapes(align(student, words("", "a", "", _0="bos", _2="eos"))) == ["1-1", "1-1", "1-1"]
    assert shapes(align(student, words("", "a", "", _0="bos", _2="turn_end"))) == [
        "1-1",
        "1-1",
        "student_gap",
        "teacher_gap",
    ]


def test_neighbouring_specials_are_a_gap_each() -> None:
    assert shapes(align(words("", "", "a", _0="bos", _1="turn_start"), words("a"))) == [
        "student_gap",
        "student_gap",
        "1-1",
    ]


def test_a_special_inside_the_other_sides_token_is_never_glued_to_text() -> None:
    aligned = align(words("ab", "", "cd", _1="turn_end"), words("abcd"))
    check_laws(aligned)
    assert shapes(aligned) == ["mismatch", "student_gap", "student_gap"]


def test_no_text_is_given_up_for_specials() -> None:
    specials = {f"_{k}": f"role{k}" for k in range(9)}
    behind = {f"_{k + 1}": f"role{k}" for k in range(9)}
    aligned = align(words(*[""] * 9, "x", **specials), words("x", *[""] * 9, **behind))
    assert ("x", "x") in spelled(aligned)


def test_nfc_and_nfd_are_one_mismatch_that_says_so() -> None:
    aligned = align(words("caf", "e", "\u0301", "!"), words("caf", "é", "!"))
    assert shapes(aligned) == ["1-1", "mismatch", "1-1"]
    assert aligned.same_after_nfc(aligned.chunk(1))


def test_other_differences_are_not_called_normalisation() -> None:
    aligned = align(words("a", "X", "b"), words("a", "Y", "b"))
    assert shapes(aligned) == ["1-1", "mismatch", "1-1"]
    assert not aligned.same_after_nfc(aligned.chunk(1))


def test_bytes_that_are_no_text_are_never_called_normalisation() -> None:
    aligned = align(sequence_of([b"a", b"\xe2", b"b"]), sequence_of([b"a", b"\xe3", b"b"]))
    assert not aligned.same_after_nfc(aligned.chunk(1))


def test_leaving_one_token_beats_leaving_two() -> None:
    aligned = align(words("ab", "a", "b", "cd"), words("ab", "cd"))
    assert spelled(aligned) == [("ab", ""), ("ab", "ab"), ("cd", "cd")]


TOKEN = st.text("ab", min_size=1, max_size=3)
ROLE = st.sampled_from(["bos", "eos"])


@st.composite
def sequences(draw: st.DrawFn, *, most: int = 7) -> TokenSequence:
    tokens = draw(st.lists(st.one_of(TOKEN, st.just("")), max_size=most))
    roles = {k: draw(ROLE) for k, token in enumerate(tokens) if not token}
    return sequence_of([token.encode() for token in tokens], roles)


@st.composite
def cut_twice(draw: st.DrawFn) -> tuple[TokenSequence, TokenSequence]:
    """One text, cut in two ways."""
    text = draw(st.text("ab", max_size=200))
    return cut(text, draw(st.sets(st.integers(1, 199)))), cut(text, draw(st.sets(st.integers(1, 199))))


def cut(text: str, places: set[int]) -> TokenSequence:
    inner = sorted(k for k in places if k < len(text))
    bounds = [0, *inner, len(text)] if text else [0]
    return words(*[text[start:stop] for start, stop in itertools.pairwise(bounds)])


@given(sequences(), sequences())
def test_as_few_tokens_are_unmatched_as_brute_force_leaves(student: TokenSequence, teacher: TokenSequence) -> None:
    aligned = align(student, teacher)
    check_laws(aligned)
    assert cost(aligned) == cheapest(student, teacher)


@given(cut_twice())
def test_on_lossless_text_there_are_as_many_chunks_as_common_boundaries(
    pair: tuple[TokenSequence, TokenSequence],
) -> None:
    aligned = align(*pair)
    check_laws(aligned)
    assert len(aligned) == common_boundaries(*pair)


@given(cut_twice(), st.integers(0, 199))
def test_one_extra_bos_costs_one_gap_and_changes_no_other_chunk(
    pair: tuple[TokenSequence, TokenSequence], _: int
) -> None:
    student, teacher = pair
    with_bos = words("", *[student.bytes_between(k, k + 1).decode() for k in range(len(student))], _0="bos")
    before, after = align(student, teacher), align(with_bos, teacher)
    assert after.student_ends.tolist() == [1, *(before.student_ends + 1).tolist()]
    assert after.teacher_ends.tolist() == [0, *before.teacher_ends.tolist()]
    assert after.kinds.tolist() == [ChunkKind.STUDENT_GAP, *before.kinds.tolist()]


@st.composite
def edited_twice(draw: st.DrawFn) -> tuple[TokenSequence, TokenSequence]:
    """One text of distinct words, cut in two ways, with words replaced on one side and marks put in."""
    size = draw(st.integers(70, 160))
    student, teacher = [f"w{k} " for k in range(size)], [f"w{k} " for k in range(size)]
    for k in draw(st.sets(st.integers(0, size - 1), max_size=8)):
        teacher[k] = draw(st.sampled_from(["", "X ", "w ", f"W{k} ", f"w{k} w{k} "]))
    return cut_words(draw, student), cut_words(draw, teacher)


def cut_words(draw: st.DrawFn, parts: list[str]) -> TokenSequence:
    marks = draw(st.sets(st.integers(0, len(parts) - 1), max_size=3))
    tokens = [
        piece
        for k, part in enumerate(parts)
        for piece in (["", part] if k in marks else [part])
        if piece != part or part
    ]
    tokens = [
        token
        for part in tokens
        for token in ([part[:2], part[2:]] if len(part) > 3 and draw(st.booleans()) else [part])
    ]
    return sequence_of([token.encode() for token in tokens], {k: "bos" for k, token in enumerate(tokens) if not token})


@settings(max_examples=40, deadline=None)
@given(edited_twice())
def test_windows_leave_no_more_unmatched_than_the_whole_program(pair: tuple[TokenSequence, TokenSequence]) -> None:
    by_windows = align(*pair)
    check_laws(by_windows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_CELLS", 10**9)
        whole = align(*pair)
    assert cost(by_windows) == cost(whole)


@pytest.mark.parametrize(("student", "teacher"), PAIRS)
def test_every_pair_keeps_the_laws_on_every_text_that_hurts(student: str, teacher: str) -> None:
    for text in HURTING.values():
        aligned = align(load(student).encode(text), load(teacher).encode(text))
        check_laws(aligned)
        if aligned.student.data == aligned.teacher.data:
            exact = [chunk for chunk in aligned if chunk.kind is ChunkKind.EXACT]
            in_text = [chunk for chunk in exact if aligned.bytes_of(chunk)[0]]
            assert len(in_text) == common_boundaries(aligned.student, aligned.teacher)


@pytest.mark.parametrize("name", catalog.ENTRIES)
def test_identical_tokenizers_give_one_chunk_a_token(name: str) -> None:
    for text in HURTING.values():
        sequence = load(name).encode(text)
        aligned = align(sequence, sequence)
        assert set(shapes(aligned)) <= {Shape.ONE_ONE}
        assert len(aligned) == len(sequence)


@pytest.mark.parametrize(("student", "teacher"), PAIRS)
def test_bos_on_one_side_is_one_gap_for_every_pair_that_differs_in_it(student: str, teacher: str) -> None:
    text = "The 201 cats, naïve as ever, sat. " * 20
    adds_bos = {
        name: len(load(name).encode("a").marks) > len(load(name).encode("a", special=False).marks)
        for name in (student, teacher)
    }
    if adds_bos[student] == adds_bos[teacher]:
        return
    with_bos = align(load(student).encode(text), load(teacher).encode(text))
    without = align(load(student).encode(text, special=False), load(teacher).encode(text, special=False))
    gap = ChunkKind.STUDENT_GAP if adds_bos[student] else ChunkKind.TEACHER_GAP
    shift_s, shift_t = int(adds_bos[student]), int(adds_bos[teacher])
    assert with_bos.kinds.tolist() == [gap, *without.kinds.tolist()]
    assert with_bos.student_ends[1:].tolist() == (without.student_ends + shift_s).tolist()
    assert with_bos.teacher_ends[1:].tolist() == (without.teacher_ends + shift_t).tolist()


def test_a_normaliser_costs_only_the_passages_that_it_changes() -> None:
    composed = "The old house by the river café and 2024 more words here so that walks go on. " * 100
    text = unicodedata.normalize("NFD", composed)
    aligned = align(load("llama-3.2").encode(text), load("qwen3").encode(text))
    check_laws(aligned)
    mismatches = [chunk for chunk in aligned if chunk.kind is ChunkKind.MISMATCH]
    assert len(mismatches) == 100
    assert all(aligned.same_after_nfc(chunk) for chunk in mismatches)


def test_a_long_text_in_another_normal_form_keeps_its_exact_chunks() -> None:
    text = unicodedata.normalize("NFD", "모든 인간은 2024 자유롭다. ") * 200
    aligned = align(load("llama-3.2").encode(text, special=False), load("qwen3").encode(text, special=False))
    check_laws(aligned)
    assert aligned.counts()[Shape.ONE_MANY] >= 200  # the number of each sentence


def test_real_text_in_windows_costs_no_more_than_the_whole_program() -> None:
    text = "".join(
        HURTING[name] + "\n" for name in ("NFD accents", "NFC and NFD mixed", "special strings", "CJK", "code")
    )
    pair = load("llama-3.2").encode(text), load("qwen3").encode(text)
    by_windows = align(*pair)
    assert (len(pair[0]) + 1) * (len(pair[1]) + 1) > module.MAX_CELLS
    assert cost(by_windows) == cheapest_by_whole_program(*pair)


def cheapest_by_whole_program(student: TokenSequence, teacher: TokenSequence) -> tuple[int, int, int]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_CELLS", 10**9)
        return cost(align(student, teacher))


def test_thousands_of_marks_on_one_letter_are_composed_at_once() -> None:
    # Python's own normalisation would sort them in time that grows with the square of their number
    text = "a" + "\u0300" * 100_000 + "\u0316" * 99_999
    aligned = align(load("gpt2").encode(text), load("qwen3").encode(text))
    check_laws(aligned)
    assert spelling(text, aligned.teacher) is Spelling.COMPOSED
