"""The audit's laws: counts by hand, identities, a slow reference, the published facts, every real pair."""

import itertools
from collections import Counter
from functools import cache, lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import handmade
from tests.real import load
from xtoken_core import catalog
from xtoken_core.audit import CategoryCoverage, Coverage, Reach, coverage, direction, overlap, published, reach, worst
from xtoken_core.categories import Category, categories
from xtoken_core.common_set import CommonSet, relaxed, strict
from xtoken_core.errors import ProjectionError
from xtoken_core.matrix import Options, Projection, Rule
from xtoken_core.projection import build
from xtoken_core.projection_file import cached
from xtoken_core.sequence import Ints

PAIRS = list(itertools.permutations(catalog.ENTRIES, 2))
# students of one and of several characters: teachers that know some of them, and digits alone
STUDENT = ("a", "b", "1", "2", "12", "111", "2121", "ab", "aab", ".", "..")
TEACHER = ("a", "b", "1", "2", ".", "ab")


@cache
def kinds(name: str) -> Ints:
    return categories(load(name).vocabulary)


@lru_cache(4)  # a W of these is some megabytes
def projection(student: str, teacher: str) -> Projection:
    return cached(load(student), load(teacher), Options())


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The bundled ordered pairs in turn."""
    return request.param


def audited(student: str, teacher: str) -> Coverage:
    w = projection(student, teacher)
    return coverage(w, strict(w), relaxed(w), kinds(student))


def small(student: tuple[str, ...] = STUDENT, teacher: tuple[str, ...] = TEACHER) -> tuple[Projection, Ints]:
    first, second = (handmade.read(handmade.byte_level(*forms)) for forms in (student, teacher))
    return build(first, second), categories(first.vocabulary)


def by_category(found: Coverage) -> dict[Category, CategoryCoverage]:
    return {one.category: one for one in found.categories}


def slow(w: Projection, first: CommonSet, second: CommonSet, kinds: Ints, occurrences: Ints) -> Coverage:
    """One token after the other."""
    counts: dict[Category, Counter[str | int]] = {}
    for token in range(len(w)):
        row, often = w.row(token), int(occurrences[token])
        count = counts.setdefault(Category(int(kinds[token])), Counter())
        count["total"] += often
        count["strict"] += often * (first.teacher_of(token) is not None)
        count["relaxed"] += often * (second.teacher_of(token) is not None)
        count[row.pieces if row.rule is Rule.MULTI else row.rule.label] += often
    most = max((row.pieces for row in map(w.row, range(len(w))) if row.rule is Rule.MULTI), default=2)
    return Coverage(
        tuple(
            CategoryCoverage(
                category,
                count["total"],
                count["strict"],
                count["relaxed"],
                tuple(count[pieces] for pieces in range(2, most + 1)),
                count["empty"],
            )
            for category, count in sorted(counts.items())
            if count["total"]
        )
    )


# counts by hand


def test_a_small_pair_counted_by_hand() -> None:
    w, found = small()
    assert coverage(w, strict(w), relaxed(w), found).categories == (
        CategoryCoverage(Category.ONE_DIGIT, 2, 2, 2, (0, 0, 0), 0),
        CategoryCoverage(Category.TWO_DIGITS, 1, 0, 0, (1, 0, 0), 0),
        CategoryCoverage(Category.THREE_DIGITS, 1, 0, 0, (0, 1, 0), 0),
        CategoryCoverage(Category.LONG_DIGITS, 1, 0, 0, (0, 0, 1), 0),
        CategoryCoverage(Category.ASCII_PUNCTUATION, 1, 1, 1, (0, 0, 0), 0),
        CategoryCoverage(Category.PUNCTUATION_RUN, 1, 0, 0, (1, 0, 0), 0),
        CategoryCoverage(Category.LATIN_PART, 4, 3, 3, (1, 0, 0), 0),
    )


def test_occurrences_weigh_each_token() -> None:
    w, found = small()
    often = np.array([0, 0, 5, 0, 7, 0, 0, 0, 2, 0, 0])  # "1", "12" and "aab"
    assert coverage(w, strict(w), relaxed(w), found, occurrences=often).categories == (
        CategoryCoverage(Category.ONE_DIGIT, 5, 5, 5, (0, 0, 0), 0),
        CategoryCoverage(Category.TWO_DIGITS, 7, 0, 0, (7, 0, 0), 0),
        CategoryCoverage(Category.LATIN_PART, 2, 0, 0, (2, 0, 0), 0),
    )


def test_what_no_teacher_token_spells_is_empty_and_outside() -> None:
    w, found = small(("a", "7"), ("a", "b"))
    [digit] = [one for one in coverage(w, strict(w), relaxed(w), found).categories if one.category == 0]
    assert (digit.total, digit.empty, digit.outside, digit.recovered, digit.share_empty) == (1, 1, 1, 0, 1.0)


def test_a_token_outside_with_a_row_is_recovered() -> None:
    digits = by_category(coverage(*(lambda w, found: (w, strict(w), relaxed(w), found))(*small())))[Category.TWO_DIGITS]
    assert (digits.outside, digits.recovered, digits.share_outside, digits.single) == (1, 1, 1.0, 0)


def test_a_category_without_tokens_is_left_out_and_has_no_share() -> None:
    w, found = small(("a",), ("a",))
    counted = coverage(w, strict(w), relaxed(w), found)
    assert counted.of(Category.HAN) is None
    assert counted.of(Category.LATIN_PART) == counted.categories[0]
    assert CategoryCoverage(Category.HAN, 0, 0, 0, (), 0).share_outside == 0
    nothing = coverage(w, strict(w), relaxed(w), found, occurrences=np.zeros(1, np.int64))
    assert (nothing.categories, nothing.total, nothing.share_outside, nothing.share_empty) == ((), 0, 0, 0)


def test_a_large_count_stays_exact() -> None:
    w, found = small(("a",), ("a",))
    often = np.array([2**53 - 1])
    assert coverage(w, strict(w), relaxed(w), found, occurrences=often).total == 2**53 - 1


@pytest.mark.parametrize("wrong", ["categories", "occurrences"])
def test_counts_of_another_vocabulary_are_refused(wrong: str) -> None:
    w, found = small()
    given_kinds = found[:3] if wrong == "categories" else found
    often = np.ones(len(w) - (wrong == "occurrences") * 8, np.int64)
    with pytest.raises(ProjectionError) as caught:
        coverage(w, strict(w), relaxed(w), given_kinds, occurrences=often)
    assert str(caught.value) == (
        f"W has V_s = 11 rows, but the {wrong} have the shape [3]. Take those of the student mine.json, one a token."
    )


# properties

FORMS = st.lists(st.text("a1", min_size=1, max_size=4), min_size=1, max_size=8, unique=True).map(tuple)
OFTEN = st.lists(st.integers(0, 9), min_size=8, max_size=8)


@given(FORMS, FORMS, OFTEN)
def test_the_counts_are_those_of_the_slow_reference(
    student: tuple[str, ...], teacher: tuple[str, ...], often: list[int]
) -> None:
    w, found = small(student, teacher)
    occurrences = np.array(often)[: len(w)]
    first, second = strict(w), relaxed(w)
    assert coverage(w, first, second, found) == slow(w, first, second, found, np.ones(len(w), np.int64))
    assert coverage(w, first, second, found, occurrences=occurrences) == slow(w, first, second, found, occurrences)


@given(FORMS, FORMS, OFTEN)
def test_worst_are_the_tokens_outside_that_occur_most(
    student: tuple[str, ...], teacher: tuple[str, ...], often: list[int]
) -> None:
    w, _ = small(student, teacher)
    occurrences = np.array(often)[: len(w)]
    common = relaxed(w)
    outside = [token for token in range(len(w)) if occurrences[token] and common.teacher_of(token) is None]
    expected = sorted(outside, key=lambda token: (-occurrences[token], token))
    assert worst(w, common, occurrences).tolist() == expected
    assert worst(w, common, occurrences, count=2).tolist() == expected[:2]


# real pairs


def test_the_identities_hold_for_every_bundled_pair(pair: tuple[str, str]) -> None:
    student, teacher = pair
    w, found = projection(student, teacher), audited(student, teacher)
    assert found.total == len(load(student).vocabulary)
    rules = {rule: np.bincount(kinds(student)[w.rules == rule], minlength=len(Category)).tolist() for rule in Rule}
    for one in found.categories:
        assert one.total == rules[Rule.EXACT][one.category] + rules[Rule.SPECIAL][one.category] + sum(one.multi) + (
            one.empty
        )
        assert one.single == rules[Rule.EXACT][one.category] + rules[Rule.SPECIAL][one.category]
        assert one.empty == rules[Rule.EMPTY][one.category]
        assert one.strict <= rules[Rule.EXACT][one.category]
        assert 0 <= one.strict <= one.relaxed <= one.total
        assert one.relaxed + one.recovered + one.empty == one.total
        assert one.recovered >= 0
    assert (found.strict, found.relaxed, found.empty) == (len(strict(w)), len(relaxed(w)), w.counts()[Rule.EMPTY])


def test_what_is_reached_is_every_column_that_has_a_student(pair: tuple[str, str]) -> None:
    w = projection(*pair)
    assert reach(w).reached == np.count_nonzero(w.reverse().lengths())
    assert reach(w).carried == len(w) - w.counts()[Rule.EMPTY]


def test_the_totals_of_a_corpus_are_its_tokens() -> None:
    text = "In 2024, 1234 + 201 = 1435; the café is open. Привет, 世界! " * 50
    w, ids = projection("llama-3.2", "qwen3"), load("llama-3.2").encode(text, special=False).ids
    often = np.bincount(ids, minlength=len(w))
    found = coverage(w, strict(w), relaxed(w), kinds("llama-3.2"), occurrences=often)
    assert found.total == len(ids) == sum(one.total for one in found.categories)
    assert found.outside == int(often[~relaxed(w).contains(len(w))].sum())
    tokens = load("llama-3.2").vocabulary.tokens()
    assert {tokens[token] for token in worst(w, relaxed(w), often, count=3).tolist()} <= {
        b"202",
        b"123",
        b"201",
        b"143",
    }


@pytest.mark.parametrize(
    ("teacher", "two", "three"), [("qwen3", (0, 100), (0, 1000)), ("phi-4-mini", (100, 100), (1000, 1000))]
)
def test_llamas_published_counts_come_out(teacher: str, two: tuple[int, int], three: tuple[int, int]) -> None:
    w = projection("llama-3.2", teacher)
    assert published(w, strict(w), categories(load("llama-3.2").vocabulary)) == {
        "one_digit": (13, 13),
        "two_digit": two,
        "three_digit": three,
        "ascii_punctuation": (32, 32),
    }


def test_published_counts_of_another_student_are_refused() -> None:
    w, _ = small()
    with pytest.raises(ProjectionError, match=r"W has V_s = 11 rows, but the categories have the shape \[50257\]"):
        published(w, strict(w), categories(load("gpt2").vocabulary))


def test_w_recovers_every_three_digit_number_of_llama_for_qwen() -> None:
    digits = by_category(audited("llama-3.2", "qwen3"))[Category.THREE_DIGITS]
    assert (digits.outside, digits.recovered, digits.multi, digits.empty) == (1000, 1000, (0, 1000, 0), 0)


def test_the_same_tokenizer_leaves_nothing_outside() -> None:
    w = build(load("gpt2"), load("gpt2"))
    found = coverage(w, strict(w), relaxed(w), kinds("gpt2"))
    assert (found.outside, found.empty) == (0, 0)


def test_truncated_rows_are_counted_by_all_their_pieces() -> None:
    first, second = (handmade.read(handmade.byte_level(*forms)) for forms in (("111111", "1"), ("1", "2")))
    w = build(first, second, options=Options(long="truncate"))
    [_, digits] = coverage(w, strict(w), relaxed(w), categories(first.vocabulary)).categories
    assert (digits.category, digits.multi) == (Category.LONG_DIGITS, (0, 0, 0, 0, 1))


# overlap


def test_an_overlap_by_hand() -> None:
    student, teacher = (
        handmade.read(handmade.byte_level(*forms, added_tokens=[handmade.added(len(forms), "<s>")])).vocabulary
        for forms in (("a", "b", "Ġa", "â"), ("a", "Ġa", "_a", "â", "c"))
    )
    found = overlap(student, teacher)
    assert (found.shared, found.student, found.teacher, found.shared_parts) == (3, 4, 5, 1)
    assert (found.of_smaller, found.jaccard) == (0.75, 0.5)


def test_llama_and_qwen_share_0_856_of_the_smaller_by_bytes() -> None:
    found = overlap(load("llama-3.2").vocabulary, load("qwen3").vocabulary)
    assert (found.shared, found.student, found.teacher, found.shared_parts) == (109_566, 128_000, 151_655, 977)
    assert round(found.of_smaller, 4) == 0.8560
    assert found.shared == len(strict(projection("llama-3.2", "qwen3")))


def test_forms_that_make_tokens_equal_bring_llama_and_qwen_to_the_published_0_848() -> None:
    # NeMo-RL's 0.8481 is "on canonical token forms": " x" and "_x" are one form, a tab is a line end, " ," is ","
    def form(data: bytes) -> bytes:
        first = b" " + data[1:] if data[:1] == b"_" else data
        return {b"\t": b"\n", b" \n": b"\n", b" ,": b",", b" .": b".", b" ;": b";", b" :": b":"}.get(first, first)

    sides = [
        {form(data or text.encode()) for data, text in zip(side.tokens(), side.forms, strict=True)}
        for side in (load("llama-3.2").vocabulary, load("qwen3").vocabulary)
    ]
    assert round(len(sides[0] & sides[1]) / len(sides[0]), 3) == 0.848


def test_an_overlap_is_the_same_both_ways(pair: tuple[str, str]) -> None:
    one, other = pair
    there, back = (overlap(load(a).vocabulary, load(b).vocabulary) for a, b in ((one, other), (other, one)))
    assert (there.shared, there.of_smaller, there.jaccard) == (back.shared, back.of_smaller, back.jaccard)
    assert 0 < there.jaccard <= there.of_smaller <= 1


# reach


def test_a_reach_by_hand() -> None:
    w, _ = small(("a", "11", "7"), ("a", "1", "2", "b"))
    assert reach(w) == Reach(rows=3, carried=2, columns=4, reached=2)
    assert reach(w, occurrences=np.array([3, 4, 2, 1])) == Reach(rows=3, carried=2, columns=10, reached=7)
    with pytest.raises(ProjectionError, match=r"W has V_t = 4 columns, but the occurrences have the shape \[3\]"):
        reach(w, occurrences=np.ones(3, np.int64))


def test_llama_leaves_the_published_42_109_logits_of_qwen_unreached() -> None:
    found = reach(projection("llama-3.2", "qwen3"))
    padded = load("qwen3").vocabulary.head_size - found.columns
    assert found.columns - found.reached + padded == 42_109


def test_the_way_that_reaches_more_is_told_and_a_tie_goes_to_the_teacher() -> None:
    to_teacher, to_student = (reach(projection(*pair)) for pair in (("llama-3.2", "gpt2"), ("gpt2", "llama-3.2")))
    assert to_teacher.share_reached > to_student.share_reached
    assert direction(to_teacher, to_student) == "to_teacher"
    assert direction(to_student, to_teacher) == "to_student"
    assert direction(to_teacher, to_teacher) == "to_teacher"
