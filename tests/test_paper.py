"""The paper's program: worked scores, then properties against a slow table of our own, on a two-letter alphabet."""

from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xtoken_core.errors import AlignmentError
from xtoken_core.paper import align_paper, paper_score
from xtoken_core.sequence import TokenSequence, sequence_of
from xtoken_core.spans import Alignment, Chunk, ChunkKind

BOS, EOS = "bos", "eos"  # a str is a mark, bytes are text
Tokens = list[bytes | str]

TEXT = st.text("ab", min_size=1, max_size=4).map(str.encode)
TOKENS = st.lists(TEXT | st.sampled_from([BOS, EOS]), max_size=6)


def sequence(tokens: Tokens) -> TokenSequence:
    roles = {position: token for position, token in enumerate(tokens) if isinstance(token, str)}
    return sequence_of([token if isinstance(token, bytes) else b"" for token in tokens], roles)


def aligned(student: Tokens, teacher: Tokens) -> Alignment:
    return align_paper(sequence(student), sequence(teacher))


def score(student: Tokens, teacher: Tokens) -> float:
    return paper_score(sequence(student), sequence(teacher))


def shown(alignment: Alignment) -> list[tuple[int, int, str]]:
    """Tokens on either side and the kind, chunk by chunk."""
    return [(len(chunk.student), len(chunk.teacher), chunk.kind.label) for chunk in alignment]


def score_of(chunk: Chunk) -> float:
    """The published score of one chunk, from its shape."""
    if chunk.kind is ChunkKind.EXACT:
        longest = max(len(chunk.student), len(chunk.teacher))
        return 3.0 if longest == 1 else 1.5 * longest
    return -3.0 if chunk.kind is ChunkKind.MISMATCH else -1.5


def merged(tokens: Tokens) -> bytes | str | None:
    """What tokens spell as one; None where a mark would be merged."""
    if len(tokens) == 1:
        return tokens[0]
    text = [token for token in tokens if isinstance(token, bytes)]
    return b"".join(text) if len(text) == len(tokens) else None


def slow_path(student: Tokens, teacher: Tokens) -> tuple[float, list[tuple[int, int, str]]]:
    """The best score and its steps, by plain recursion; of a tie the step listed first."""
    shapes = [(1, 1), (2, 1), (1, 2), (3, 1), (1, 3), (4, 1), (1, 4)]

    def steps(i: int, j: int) -> list[tuple[int, int, str, float]]:
        equal = [
            (m, n, "exact", 3.0 if m == n else 1.5 * max(m, n))
            for m, n in shapes
            if m <= i and n <= j and merged(student[i - m : i]) == merged(teacher[j - n : j]) is not None
        ]
        mismatch = [(1, 1, "mismatch", -3.0)] if i and j and student[i - 1] != teacher[j - 1] else []
        gaps = [(1, 0, "student_gap", -1.5)] * (i > 0) + [(0, 1, "teacher_gap", -1.5)] * (j > 0)
        return equal + mismatch + gaps

    @cache
    def best(i: int, j: int) -> tuple[float, list[tuple[int, int, str]]]:
        if not i and not j:
            return 0.0, []
        reached = [(best(i - m, j - n)[0] + gain, (m, n, kind)) for m, n, kind, gain in steps(i, j)]
        total, step = max(reached, key=lambda option: option[0])  # max keeps the first of a tie
        return total, [*best(i - step[0], j - step[1])[1], step]

    return best(len(student), len(teacher))


def test_201_against_its_three_digits_scores_4_5() -> None:
    assert score([b"201"], [b"2", b"0", b"1"]) == 4.5
    assert shown(aligned([b"201"], [b"2", b"0", b"1"])) == [(1, 3, "exact")]


def test_an_extra_bos_before_three_equal_words_scores_7_5() -> None:
    words: Tokens = [b"one", b" two", b" six"]
    assert score([BOS, *words], words) == 7.5
    assert shown(aligned([BOS, *words], words)) == [(1, 0, "student_gap")] + [(1, 1, "exact")] * 3


def test_one_token_against_five_letters_scores_minus_9() -> None:
    letters: Tokens = [b"h", b"e", b"l", b"l", b"o"]
    assert score([b"hello"], letters) == -9.0
    assert shown(aligned([b"hello"], letters)) == [(0, 1, "teacher_gap")] * 4 + [(1, 1, "mismatch")]


def test_12_34_against_1_23_4_has_no_exact_chunk() -> None:
    assert score([b"12", b"34"], [b"1", b"23", b"4"]) == -7.5
    kinds = {chunk.kind for chunk in aligned([b"12", b"34"], [b"1", b"23", b"4"])}
    assert kinds == {ChunkKind.MISMATCH, ChunkKind.TEACHER_GAP}


def test_four_tokens_merge_into_one_on_either_side() -> None:
    letters: Tokens = [b"a", b"b", b"a", b"b"]
    assert score(letters, [b"abab"]) == score([b"abab"], letters) == 6.0


def test_marks_are_equal_by_role_and_never_by_bytes() -> None:
    assert shown(aligned([BOS], [BOS])) == [(1, 1, "exact")]
    assert shown(aligned([BOS], [EOS])) == [(1, 1, "mismatch")]
    assert shown(aligned([BOS], [b"bos"])) == [(1, 1, "mismatch")]


def test_a_mark_is_in_no_merge() -> None:
    assert score([b"ab"], [b"a", BOS, b"b"]) == -6.0
    assert score([b"a"], [BOS, b"a"]) == 1.5


def test_a_merge_is_preferred_to_a_mismatched_pair_of_the_same_score() -> None:
    # ab|a and ba|b,a score -3 + 3; ab|a,b and ba|a score 3 - 3
    assert shown(aligned([b"ab", b"ba"], [b"a", b"b", b"a"])) == [(1, 1, "mismatch"), (1, 2, "exact")]


def test_an_exact_pair_is_preferred_to_a_gap_so_the_gap_comes_first() -> None:
    assert shown(aligned([b"a"], [b"a", b"a"])) == [(0, 1, "teacher_gap"), (1, 1, "exact")]


def test_a_student_gap_at_the_end_is_preferred_to_a_teacher_gap() -> None:
    steps = [(0, 1, "teacher_gap"), (1, 1, "exact"), (1, 0, "student_gap")]
    assert shown(aligned([b"a", b"b"], [b"b", b"a"])) == steps


def test_a_mismatched_pair_is_preferred_to_two_gaps() -> None:
    assert shown(aligned([b"a"], [b"b"])) == [(1, 1, "mismatch")]


def test_an_empty_side_leaves_one_gap_a_token() -> None:
    assert shown(aligned([], [])) == [] and score([], []) == 0.0
    assert shown(aligned([b"a", BOS], [])) == [(1, 0, "student_gap")] * 2
    assert shown(aligned([], [b"a", b"b"])) == [(0, 1, "teacher_gap")] * 2
    assert score([], [b"a", b"b"]) == -3.0


def test_a_table_above_the_limit_is_refused_with_what_to_do() -> None:
    pair = sequence([b"a"] * 30), sequence([b"a"] * 40)
    assert len(align_paper(*pair, max_cells=1200)) == 40
    for refused in (align_paper, paper_score):
        with pytest.raises(AlignmentError, match=r"30 student x 40 teacher .* 1,200 cells.*limit is 1,199.*'exact'"):
            refused(*pair, max_cells=1199)


def test_bytes_that_are_no_utf8_are_compared_as_they_are() -> None:
    assert shown(aligned([b"\xc3\xa9"], [b"\xc3", b"\xa9"])) == [(1, 2, "exact")]
    assert shown(aligned([b"\xc3"], [b"\xa9"])) == [(1, 1, "mismatch")]


@given(TOKENS, TOKENS)
@example([b"ab", b"ba"], [b"a", b"b", b"a"])
def test_score_and_steps_are_those_of_the_slow_recursion(student: Tokens, teacher: Tokens) -> None:
    total, steps = slow_path(student, teacher)
    assert score(student, teacher) == total
    assert shown(aligned(student, teacher)) == steps


@given(TOKENS, TOKENS)
def test_the_chunks_add_up_to_the_score(student: Tokens, teacher: Tokens) -> None:
    assert sum(map(score_of, aligned(student, teacher))) == score(student, teacher)


@given(TOKENS, TOKENS)
def test_chunks_tile_both_sides_in_order(student: Tokens, teacher: Tokens) -> None:
    alignment = aligned(student, teacher)
    at = 0, 0
    for chunk in alignment:
        assert (chunk.student.start, chunk.teacher.start) == at
        at = chunk.student.stop, chunk.teacher.stop
    assert at == (len(student), len(teacher))


@given(TOKENS, TOKENS)
def test_an_exact_chunk_spells_the_same_bytes(student: Tokens, teacher: Tokens) -> None:
    alignment = aligned(student, teacher)
    for chunk in alignment:
        spelled = alignment.bytes_of(chunk)
        assert chunk.kind is not ChunkKind.EXACT or spelled[0] == spelled[1]


@given(TOKENS, TOKENS)
def test_the_score_is_the_same_with_the_sides_swapped(student: Tokens, teacher: Tokens) -> None:
    assert score(student, teacher) == score(teacher, student)


@given(TOKENS)
def test_identical_sequences_give_one_exact_pair_a_token(tokens: Tokens) -> None:
    assert shown(aligned(tokens, tokens)) == [(1, 1, "exact")] * len(tokens)
