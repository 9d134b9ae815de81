"""GOLD as published: worked groups, then properties against the growth told token by token with growing strings."""

from itertools import pairwise
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtoken_core.sequence import Mark, TokenSequence, sequence_of
from xtoken_core.spans import Alignment, ChunkKind, Span
from xtoken_core.surface import added_by_each, align_surface, collapse

BOS, EOS = "bos", "eos"  # a str is a mark, bytes are text
Tokens = list[bytes | str]

WORDS: Tokens = [b"w0", *(b" w%d" % k for k in range(1, 50))]
E_ACUTE, ZH, SMILE = "é".encode(), "中".encode(), "😀".encode()

MARKS = st.sampled_from([BOS, EOS])
ANY_TOKENS = st.lists(st.sampled_from([b"a", b"b", b"ab", b"\xc3", b"\xa9", b"\xed", b"\xa0", b"\xf0\x9f"]) | MARKS)
PASSAGES = st.text("aé", max_size=12).map(str.encode)


def sequence(tokens: Tokens) -> TokenSequence:
    roles = {position: token for position, token in enumerate(tokens) if isinstance(token, str)}
    return sequence_of([token if isinstance(token, bytes) else b"" for token in tokens], roles)


def aligned(student: Tokens, teacher: Tokens) -> Alignment:
    return align_surface(sequence(student), sequence(teacher))


def shown(alignment: Alignment) -> list[tuple[int, int, str]]:
    """Tokens on either side and the kind, group by group."""
    return [(len(chunk.student), len(chunk.teacher), chunk.kind.label) for chunk in alignment]


def shapes(alignment: Alignment) -> list[tuple[int, int]]:
    return [(len(chunk.student), len(chunk.teacher)) for chunk in alignment]


def spoken(tokens: Tokens) -> list[bytes]:
    return [token if isinstance(token, bytes) else f"<{token}>".encode() for token in tokens]


def added(tokens: Tokens) -> list[str]:
    """What each token adds when all tokens so far are decoded anew each time, cut at the length before."""
    texts = [b"".join(spoken(tokens)[:count]).decode(errors="replace") for count in range(len(tokens) + 1)]
    return [after[len(before) :] for before, after in pairwise(texts)]


def grown(student: Tokens, teacher: Tokens) -> list[tuple[int, int]]:
    """The groups' shapes, by growing two strings."""
    left, right = added(student), added(teacher)
    groups: list[tuple[int, int]] = []
    open_left: list[str] = []
    open_right: list[str] = []
    while left or right:
        if "".join(open_left) == "".join(open_right) != "":
            groups.append((len(open_left), len(open_right)))
            open_left, open_right = [], []
        student_is_shorter = len("".join(open_left)) <= len("".join(open_right))
        if left and (student_is_shorter or not right):
            open_left.append(left.pop(0))
        else:
            open_right.append(right.pop(0))
    return groups + [(len(open_left), len(open_right))] * bool(open_left or open_right)


@st.composite
def cuts(draw: st.DrawFn, passage: bytes) -> Tokens:
    """One passage cut anywhere, also within a character, perhaps with marks around it."""
    at = sorted(draw(st.sets(st.integers(1, max(1, len(passage) - 1)))))
    tokens = [passage[i:j] for i, j in pairwise([0, *at, len(passage)]) if passage[i:j]]
    return [*draw(st.sampled_from([[], [BOS]])), *tokens, *draw(st.sampled_from([[], [EOS]]))]


SAME_TEXT = PASSAGES.flatmap(lambda passage: st.tuples(cuts(passage), cuts(passage)))
OTHER_TEXT = st.tuples(PASSAGES.flatmap(cuts), PASSAGES.flatmap(cuts))
PAIRS = SAME_TEXT | OTHER_TEXT | st.tuples(ANY_TOKENS, ANY_TOKENS)


def test_one_bos_on_one_side_of_50_words_gives_one_51_to_50_group() -> None:
    assert shown(aligned([BOS, *WORDS], WORDS)) == [(51, 50, "mismatch")]
    assert shown(aligned(WORDS, [BOS, *WORDS])) == [(50, 51, "mismatch")]


def test_one_leading_space_on_one_side_of_50_words_gives_one_51_to_50_group() -> None:
    assert shown(aligned([b" ", *WORDS], WORDS)) == [(51, 50, "mismatch")]


def test_the_same_50_words_give_50_groups() -> None:
    assert shown(aligned([BOS, *WORDS], [BOS, *WORDS])) == [(1, 1, "exact")] * 51


def test_201_against_its_three_digits_is_one_exact_group() -> None:
    assert shown(aligned([b"a", b"201"], [b"a", b"2", b"0", b"1"])) == [(1, 1, "exact"), (1, 3, "exact")]


def test_crossing_tokens_close_at_their_common_end() -> None:
    assert shown(aligned([b"12", b"34", b"5"], [b"1", b"23", b"4", b"5"])) == [(2, 3, "exact"), (1, 1, "exact")]


def test_a_tail_on_one_side_is_a_gap() -> None:
    assert shown(aligned([b"a", b"b", EOS], [b"a"])) == [(1, 1, "exact"), (2, 0, "student_gap")]
    assert shown(aligned([b"a"], [b"a", EOS])) == [(1, 1, "exact"), (0, 1, "teacher_gap")]


def test_an_empty_side_gives_one_gap() -> None:
    assert shown(aligned([], [])) == []
    assert shown(aligned([b"a", b"b"], [])) == [(2, 0, "student_gap")]
    assert shown(aligned([], [b"a", b"b"])) == [(0, 2, "teacher_gap")]


def test_a_word_that_differs_takes_the_rest_of_the_text() -> None:
    assert shown(aligned([b"a", b"b", b"c"], [b"a", b"x", b"c"])) == [(1, 1, "exact"), (2, 2, "mismatch")]


def test_nothing_closes_behind_a_character_that_one_side_splits() -> None:
    # the first half decodes to U+FFFD and the second half adds nothing, so the two strings differ for good
    halves: Tokens = [E_ACUTE[:1], E_ACUTE[1:]]
    assert added(halves) == ["\ufffd", ""]
    assert shown(aligned([b"a", E_ACUTE, b"b"], [b"a", *halves, b"b"])) == [(1, 1, "exact"), (2, 3, "exact")]


def test_an_open_group_of_equal_bytes_is_a_collapse_where_it_could_be_split() -> None:
    alignment = aligned([SMILE, *WORDS], [SMILE[:2], SMILE[2:], *WORDS])
    assert shown(alignment) == [(51, 52, "exact")]
    assert collapse(alignment) == alignment.chunk(0)


def test_a_collapse_is_found_where_both_sides_have_other_byte_offsets() -> None:
    people: Tokens = [b" people"] * 5
    alignment = aligned([BOS, SMILE, *people], [b"<bos>", SMILE[:2], SMILE[2:], *people])
    assert shown(alignment) == [(1, 1, "mismatch"), (6, 7, "exact")]
    assert collapse(alignment) == alignment.chunk(1)


def test_the_second_half_of_a_split_character_begins_the_next_group() -> None:
    split: Tokens = [E_ACUTE[:1], E_ACUTE[1:], b"b"]
    assert shown(aligned(split, split)) == [(1, 1, "exact"), (2, 2, "exact")]


def test_equal_strings_of_unequal_bytes_are_a_mismatch() -> None:
    assert shown(aligned([ZH[:2], ZH[2:], b"b"], [ZH[:1], ZH[1:], b"b"])) == [(1, 1, "mismatch"), (2, 2, "mismatch")]


def test_marks_alone_are_exact_by_role() -> None:
    student, teacher = sequence_of([b"a", b""], {1: EOS}), sequence_of([b"a", b""], {1: EOS})
    assert shown(align_surface(student, teacher)) == [(1, 1, "exact")] * 2
    assert shown(aligned([b"a", EOS], [b"a", BOS])) == [(1, 1, "exact"), (1, 1, "mismatch")]


def test_a_mark_glued_to_text_is_not_exact() -> None:
    assert shown(aligned([BOS, b"a"], [b"a"])) == [(2, 1, "mismatch")]
    assert shown(aligned([b"a", BOS, b"b"], [b"a", b"b"])) == [(1, 1, "exact"), (2, 1, "mismatch")]


def test_a_mark_without_a_form_joins_the_group_behind_it() -> None:
    silent = TokenSequence(np.arange(3), b"ab", np.array([0, 1, 2]), (Mark(0, BOS, ""),))
    assert shown(align_surface(silent, silent)) == [(2, 2, "mismatch"), (1, 1, "exact")]


def test_text_that_spells_a_mark_closes_with_it_as_a_mismatch() -> None:
    assert shown(aligned([BOS, b"a"], [b"<bos>", b"a"])) == [(1, 1, "mismatch"), (1, 1, "exact")]


def test_a_collapse_is_the_open_group_at_the_end() -> None:
    alignment = aligned([b"a", BOS, *WORDS], [b"a", *WORDS])
    found = collapse(alignment)
    assert found is not None and found == alignment.chunk(1)
    assert (found.student, found.teacher) == (Span(1, 52), Span(1, 51))


def test_a_long_exact_group_or_a_long_gap_is_no_collapse() -> None:
    letters: Tokens = [bytes([letter]) for letter in b"abcdefgh"]
    assert collapse(aligned([b"abcdefgh"], letters)) is None
    assert collapse(aligned([b"x", *letters], [b"x"])) is None
    assert collapse(aligned([], [])) is None


def test_a_last_word_of_four_tokens_is_no_collapse_and_of_five_is_one() -> None:
    assert collapse(aligned([b"abcx"], [b"a", b"b", b"c", b"d"])) is None
    assert collapse(aligned([b"abcdx"], [b"a", b"b", b"c", b"d", b"e"])) is not None


def test_a_hundred_thousand_tokens_take_linear_time() -> None:
    words: Tokens = [b" word"] * 100_000
    started = perf_counter()
    assert shapes(aligned([BOS, *words], words)) == [(100_001, 100_000)]
    assert len(aligned(words, words)) == 100_000
    assert perf_counter() - started < 10  # growing the strings themselves would take hours


@given(PAIRS)
def test_groups_are_those_of_the_growing_strings(pair: tuple[Tokens, Tokens]) -> None:
    assert shapes(aligned(*pair)) == grown(*pair)


@given(ANY_TOKENS | PASSAGES.flatmap(cuts))
def test_a_token_adds_what_decoding_everything_so_far_adds(tokens: Tokens) -> None:
    assert list(added_by_each(sequence(tokens))) == added(tokens)


@given(ANY_TOKENS | st.text("aé中😀", max_size=6).map(str.encode).flatmap(cuts))
def test_a_token_adds_what_a_byte_level_tokenizer_decodes(tokens: Tokens) -> None:
    decoders = pytest.importorskip("tokenizers.decoders")
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]  # GPT-2's alphabet: these show themselves
    others = [byte for byte in range(256) if byte not in plain]
    alphabet = {byte: chr(byte) for byte in plain} | {byte: chr(256 + k) for k, byte in enumerate(others)}
    forms = ["".join(alphabet[byte] for byte in token) for token in spoken(tokens)]
    texts = [decoders.ByteLevel().decode(forms[:count]) for count in range(len(forms) + 1)]
    assert list(added_by_each(sequence(tokens))) == [after[len(before) :] for before, after in pairwise(texts)]


@given(PAIRS)
def test_groups_tile_both_sides_in_order(pair: tuple[Tokens, Tokens]) -> None:
    at = 0, 0
    for chunk in aligned(*pair):
        assert (chunk.student.start, chunk.teacher.start) == at
        at = chunk.student.stop, chunk.teacher.stop
    assert at == (len(pair[0]), len(pair[1]))


@given(PAIRS)
def test_a_group_is_exact_when_both_sides_are_the_same_text_or_the_same_marks(pair: tuple[Tokens, Tokens]) -> None:
    for chunk in aligned(*pair):
        both = pair[0][chunk.student.start : chunk.student.stop], pair[1][chunk.teacher.start : chunk.teacher.stop]
        texts = [b"".join(spoken(side)) if not {BOS, EOS} & set(side) else None for side in both]
        marks = [side if {BOS, EOS} >= set(side) else None for side in both]
        same = all(both) and any(one == other is not None for one, other in (texts, marks))
        assert (chunk.kind is ChunkKind.EXACT) == same


@given(PAIRS)
def test_only_the_last_group_can_be_a_gap(pair: tuple[Tokens, Tokens]) -> None:
    kinds = [chunk.kind for chunk in aligned(*pair)]
    assert not {ChunkKind.STUDENT_GAP, ChunkKind.TEACHER_GAP} & set(kinds[:-1])


@given(PAIRS)
def test_identical_sequences_never_collapse(pair: tuple[Tokens, Tokens]) -> None:
    assert collapse(aligned(pair[0], pair[0])) is None
