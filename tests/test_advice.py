"""The advice: the rule by hand, its sentences, the published pairs, several teachers beside each other."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.real import load
from xtoken_core.advice import PRESETS, Advice, adds, advise, as_text, rank
from xtoken_core.audit import CategoryCoverage, Coverage, coverage
from xtoken_core.categories import Category, categories
from xtoken_core.common_set import relaxed, strict
from xtoken_core.errors import ProjectionError
from xtoken_core.matrix import Options, Side
from xtoken_core.projection_file import cached

ONE, TWO, THREE, WORD = Category.ONE_DIGIT, Category.TWO_DIGITS, Category.THREE_DIGITS, Category.LATIN_WORD
SIDES = {"student": Side("small", "a" * 64, 1_300, 1_300), "teacher": Side("large", "b" * 64, 20_000, 20_480)}


def of(**counts: tuple[int, int, int]) -> Coverage:
    """A coverage by hand: (total, in C, empty) a category; the other rows have two pieces or one."""
    return Coverage(
        tuple(
            CategoryCoverage(category, total, inside, inside, (total - inside - empty,), empty)
            for category in Category
            for total, inside, empty in ([counts[category.label]] if category.label in counts else [])
        )
    )


def with_numbers(inside: int = 0, empty: int = 0) -> Coverage:
    """A vocabulary of words and a hundred two-digit numbers."""
    return of(one_digit=(13, 13, 0), two_digits=(100, inside, empty), latin_word=(1_000, 900, 0))


def llama_with(teacher: str) -> Coverage:
    student = load("llama-3.2")
    w = cached(student, load(teacher), Options())
    return coverage(w, strict(w), relaxed(w), categories(student.vocabulary))


# the rule


@pytest.mark.parametrize(
    ("vocabulary", "loss"),
    [
        (with_numbers(inside=100), "h-kl"),
        (with_numbers(inside=50), "h-kl"),  # half isn't most
        (with_numbers(inside=49), "p-kl"),
        (with_numbers(), "p-kl"),
        (with_numbers(empty=50), "p-kl"),
        (with_numbers(empty=51), "none"),
        (of(two_digits=(100, 100, 0), latin_word=(1_000, 300, 0)), "p-kl"),  # the vocabulary as a whole
        (of(two_digits=(100, 100, 0), latin_word=(1_000, 300, 700)), "none"),
    ],
)
def test_the_rule_by_hand(vocabulary: Coverage, loss: str) -> None:
    assert advise(vocabulary, {ONE, TWO}).loss == loss


def test_one_vocabulary_on_both_sides_gets_plain_kl() -> None:
    assert advise(with_numbers(), {TWO}, same_vocabulary=True) == Advice(
        "kl",
        "Both models have one vocabulary: plain KL.",
        ("Every token is compared with itself: nothing is outside, nothing lost.",),
        (),
    )


def test_a_category_that_is_not_critical_decides_nothing_alone() -> None:
    assert advise(with_numbers(empty=100), {ONE}).loss == "h-kl"


def test_the_threshold_is_the_callers() -> None:
    assert advise(with_numbers(inside=40), {TWO}, threshold=0.6).loss == "h-kl"
    assert advise(with_numbers(inside=60), {TWO}, threshold=0.3).loss == "p-kl"
    assert "“mostly” is more than 30 %" in advise(with_numbers(inside=60), {TWO}, threshold=0.3).reasons[0]


def test_a_corpus_counts_where_the_category_occurs() -> None:
    corpus = of(two_digits=(10, 9, 0), latin_word=(90, 90, 0))
    advice = advise(with_numbers(), {ONE, TWO}, corpus=corpus)
    assert advice.loss == "h-kl"
    assert advice.reasons == (
        "Counted by occurrences in the corpus, and by tokens where a category doesn't occur in it; "
        "“mostly” is more than 50 %.",
        "All 13 tokens of “one digit” are in the common set.",
        "9 of 10 occurrences of “two digits” (90.0 %) are in the common set.",
        "99 of 100 tokens of the corpus (99.0 %) are in the common set.",
    )
    assert "Counted by tokens of the vocabulary instead of the corpus, the advice would be P-KL." in advice.against


def test_a_corpus_without_tokens_counts_for_nothing() -> None:
    assert advise(with_numbers(), {TWO}, corpus=Coverage(())) == advise(with_numbers(), {TWO})


def test_no_critical_category_is_refused() -> None:
    with pytest.raises(ProjectionError) as caught:
        advise(with_numbers(), ())
    assert str(caught.value) == (
        "No category was given as critical, and the advice rests on those. "
        "Choose at least one, or a preset: math, code, multilingual, chat."
    )


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_is_no_share_is_refused(threshold: float) -> None:
    with pytest.raises(ProjectionError) as caught:
        advise(with_numbers(), {TWO}, threshold=threshold)
    assert str(caught.value) == f"The threshold was given as {threshold!r}; it must be from 0 to 1, as a share is."


# its sentences


def test_the_reasons_for_p_kl_name_the_numbers_and_what_w_recovers() -> None:
    vocabulary = of(three_digits=(1_000, 0, 0), two_digits=(100, 20, 5), latin_word=(3_000, 3_000, 0))
    advice = advise(vocabulary, {ONE, TWO, THREE})
    assert advice.reasons == (
        "Counted by tokens of the vocabulary, each once; “mostly” is more than 50 %.",
        "The student has no token of “one digit”.",
        "80 of 100 tokens of “two digits” (80.0 %) are outside the common set; W's rows recover 75 of them.",
        "All 1,000 tokens of “three digits” are outside the common set; W's rows recover 1,000 of them.",
    )
    assert "5 tokens of critical categories with an empty row of W: P-KL can't teach those." in advice.against


def test_p_kl_names_the_published_pair_where_h_kl_was_ahead() -> None:
    against = advise(with_numbers(), {ONE, TWO}).against
    assert against[0].startswith("H-KL was ahead with Phi-4-mini") and "37.50, 39.18 and 38.66" in against[0]
    assert against[1] == "“one digit”: mostly in the common set, whose pairs H-KL compares one by one."


def test_h_kl_names_the_published_pair_where_p_kl_was_ahead_and_what_stays_outside() -> None:
    against = advise(with_numbers(inside=90), {ONE, TWO}).against
    assert against[0].startswith("P-KL was ahead with Qwen3-4B") and "38.85, 35.30 and 35.03" in against[0]
    assert against[1] == (
        "10 tokens of critical categories outside the common set: H-KL compares those by sorted probabilities alone, "
        "whatever they stand for."
    )


def test_none_names_what_is_lost_and_what_p_kl_would_still_teach() -> None:
    advice = advise(with_numbers(inside=10, empty=60), {TWO})
    assert advice.reasons[1] == (
        "60 of 100 tokens of “two digits” (60.0 %) are outside the common set with an empty row of W; "
        "W's rows recover 30 of the 90 outside."
    )
    assert advice.against[0] == (
        "1,053 of 1,113 tokens of the vocabulary (94.6 %) are reached by W: P-KL would still teach those."
    )


def test_a_category_near_the_threshold_is_named() -> None:
    near = "“two digits” is near the threshold: 59.0 % outside the common set, and 50.0 % decide."
    assert near in advise(with_numbers(inside=41), {TWO}).against
    assert not [line for line in advise(with_numbers(inside=39), {TWO}).against if "near the threshold" in line]


def test_a_share_of_nothing_is_near_no_threshold() -> None:
    against = advise(with_numbers(inside=100), {ONE, TWO}, threshold=0.1).against
    assert not [line for line in against if "near the threshold" in line and "“" in line]


def test_a_small_category_is_named() -> None:
    vocabulary = of(emoji=(1, 0, 0), two_digits=(9, 9, 0), three_digits=(10, 10, 0))
    advice = advise(vocabulary, {Category.EMOJI, TWO, THREE})
    assert advice.reasons[1] == "The only token of “emoji” is outside the common set; W's rows recover 1 of them."
    assert [line for line in advice.against if "says little" in line] == [
        "“two digits” has only 9 tokens, of which a share says little.",
        "“emoji” has only 1 token, of which a share says little.",
    ]


def test_none_and_one_have_words_of_their_own() -> None:
    vocabulary = of(one_digit=(10, 0, 0), two_digits=(10, 1, 0))
    assert advise(vocabulary, {ONE, TWO}, threshold=1).reasons[1:] == (
        "None of 10 tokens of “one digit” (0.0 %) is in the common set.",
        "1 of 10 tokens of “two digits” (10.0 %) is in the common set.",
        "1 of 20 tokens of the vocabulary (5.0 %) is in the common set.",
    )


COUNTS = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30)).map(
    lambda parts: (sum(parts), parts[0], parts[1])
)


@given(
    st.dictionaries(st.sampled_from([ONE.label, TWO.label, WORD.label]), COUNTS),
    st.floats(0, 1),
    st.none() | st.dictionaries(st.sampled_from([ONE.label, TWO.label, WORD.label]), COUNTS),
)
def test_any_numbers_give_an_advice_by_the_rule(
    counts: Mapping[str, tuple[int, int, int]], threshold: float, occurring: Mapping[str, tuple[int, int, int]] | None
) -> None:
    present = of(**{label: count for label, count in counts.items() if count[0]})
    corpus = None if occurring is None else of(**{label: count for label, count in occurring.items() if count[0]})
    advice = advise(present, {ONE, TWO}, corpus=corpus, threshold=threshold)
    deciding = [(corpus.of(kind) if corpus else None) or present.of(kind) for kind in (ONE, TWO)]
    shares = [
        (one.outside / one.total, one.empty / one.total)
        for one in [*deciding, corpus if corpus and corpus.total else present]
        if one and one.total
    ]
    if any(empty > threshold for _, empty in shares):
        assert advice.loss == "none"
    else:
        assert advice.loss == ("p-kl" if any(outside > threshold for outside, _ in shares) else "h-kl")
    assert all(line.endswith(".") for line in (advice.rule, *advice.reasons, *advice.against))


# the published pairs


@pytest.mark.parametrize(("teacher", "loss"), [("qwen3", "p-kl"), ("phi-4-mini", "h-kl")])
def test_mathematics_gets_the_published_loss_with_either_teacher(teacher: str, loss: str) -> None:
    assert advise(llama_with(teacher), PRESETS["math"].categories).loss == loss


def test_qwens_reasons_are_the_numbers_of_two_and_three_digits() -> None:
    assert advise(llama_with("qwen3"), PRESETS["math"].categories).reasons[2:] == (
        "All 100 tokens of “two digits” are outside the common set; W's rows recover 100 of them.",
        "All 1,000 tokens of “three digits” are outside the common set; W's rows recover 1,000 of them.",
    )


def test_presets_hold_categories_of_text_and_say_why() -> None:
    assert list(PRESETS) == ["math", "code", "multilingual", "chat"]
    for preset in PRESETS.values():
        assert preset.why.endswith(".")
        assert preset.categories and max(preset.categories) < Category.SPECIAL
    assert {Category.CYRILLIC, Category.HAN, Category.OTHER_SCRIPT} <= PRESETS["multilingual"].categories


# several teachers


def test_phi_adds_the_numbers_that_qwen_lacks() -> None:
    qwen, phi = adds([llama_with("qwen3"), llama_with("phi-4-mini")])
    assert {TWO, THREE} <= set(phi)
    assert qwen == ()


def test_what_two_of_three_have_inside_is_added_by_none() -> None:
    first = of(one_digit=(10, 10, 0), two_digits=(10, 10, 0), three_digits=(10, 0, 0))
    second = of(one_digit=(10, 10, 0), two_digits=(10, 0, 0), three_digits=(10, 6, 0))
    third = of(one_digit=(10, 0, 0), two_digits=(10, 0, 0), three_digits=(10, 0, 0))
    assert adds([first, second, third]) == ((TWO,), (THREE,), ())
    assert adds([second]) == ((ONE, THREE),)
    assert adds([first, second, third], threshold=0.3) == ((TWO,), (), ())


def test_teachers_are_ranked_by_what_is_outside_then_lost_and_none_is_last() -> None:
    outside, lost, inside = with_numbers(inside=60), with_numbers(inside=60, empty=30), with_numbers(inside=100)
    too_little = with_numbers(inside=40, empty=60)
    assert rank([too_little, lost, outside, with_numbers(), inside], {TWO}) == (4, 2, 1, 3, 0)


def test_equal_teachers_stay_in_order() -> None:
    assert rank([with_numbers(), with_numbers()], {TWO}) == (0, 1)


def test_a_corpus_changes_the_ranking() -> None:
    teachers = [with_numbers(inside=90), with_numbers(inside=10)]
    corpora = [of(two_digits=(100, 20, 0)), of(two_digits=(100, 80, 0))]
    assert (rank(teachers, {TWO}), rank(teachers, {TWO}, corpora=corpora)) == ((0, 1), (1, 0))


def test_a_corpus_for_some_teachers_only_is_refused() -> None:
    with pytest.raises(ProjectionError) as caught:
        rank([with_numbers(), with_numbers()], {TWO}, corpora=[with_numbers()])
    assert str(caught.value) == ("2 teachers were given with 1 counts of the corpus. Count it for each teacher.")


# text


def test_the_text_holds_names_hashes_reasons_and_numbers() -> None:
    vocabulary = with_numbers()
    advice = advise(vocabulary, {ONE, TWO})
    lines = as_text(advice, vocabulary, {ONE, TWO}, **SIDES).splitlines()
    assert lines[:4] == [
        "Advice: P-KL",
        f"Student: small, 1,300 ids, sha256 {'a' * 64}",
        f"Teacher: large, 20,000 ids, sha256 {'b' * 64}",
        advice.rule,
    ]
    assert [line for line in lines if line.endswith(":")] == [
        "Reasons:",
        "Against it:",
        "Critical categories, tokens of the vocabulary:",
    ]
    assert {f"- {line}" for line in (*advice.reasons, *advice.against)} <= set(lines)
    assert "- two digits: 100, in the strict set 0, in the relaxed set 0, multi-token rows 100, empty rows 0" in lines


def test_the_text_names_the_corpus_and_its_numbers() -> None:
    vocabulary, corpus = with_numbers(), of(two_digits=(1_000, 0, 0))
    advice = advise(vocabulary, {ONE, TWO}, corpus=corpus)
    text = as_text(advice, vocabulary, {ONE, TWO}, corpus=corpus, corpus_name="my\ncorpus.txt", **SIDES)
    assert "\nCorpus: my corpus.txt, 1,000 tokens of the student\n" in text
    assert "\nCritical categories, occurrences in the corpus:\n- two digits: 1,000," in text


def test_the_text_says_where_nothing_speaks_against_it() -> None:
    advice = advise(with_numbers(), {TWO}, same_vocabulary=True)
    assert "\nAgainst it:\n- Nothing was found.\n" in as_text(advice, with_numbers(), {TWO}, **SIDES)
