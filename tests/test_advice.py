"""The advice: the rule by hand, its sentences, the published pairs, several teachers beside each other."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.real import load
from xtoken_core.advice import MOSTLY_LOST, PRESETS, Advice, adds, advise, as_text, directions, rank
from xtoken_core.audit import CategoryCoverage, Coverage, Reach, coverage, reach
from xtoken_core.categories import Category, categories
from xtoken_core.common_set import relaxed, strict
from xtoken_core.errors import ProjectionError
from xtoken_core.matrix import Options, Side
from xtoken_core.projection_file import cached

ONE, TWO, THREE, WORD = Category.ONE_DIGIT, Category.TWO_DIGITS, Category.THREE_DIGITS, Category.LATIN_WORD
P_KL_WAS_AHEAD = (
    "Published for Llama-3.2: P-KL was ahead with Qwen3-4B, whose two- and three-digit numbers are outside the common "
    "set; averages of P-KL, H-KL and GOLD are 38.85, 35.30 and 35.03 (with Phi-4-mini 37.50, 39.18 and 38.66)."
)
H_KL_WAS_AHEAD = (
    "Published for Llama-3.2: H-KL was ahead with Phi-4-mini, whose two- and three-digit numbers are in the common "
    "set; averages of P-KL, H-KL and GOLD are 37.50, 39.18 and 38.66 (with Qwen3-4B 38.85, 35.30 and 35.03)."
)
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
        (of(two_digits=(100, 100, 0), latin_word=(1_000, 300, 0)), "p-kl"),  # the whole
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
    assert "“mostly” is more than 30 %" in advise(with_numbers(inside=60), {TWO}, threshold=0.3).reasons[-1]


def test_a_corpus_counts_where_the_category_occurs() -> None:
    corpus = of(two_digits=(10, 9, 0), latin_word=(90, 90, 0))
    advice = advise(with_numbers(), {ONE, TWO}, corpus=corpus)
    assert advice.loss == "h-kl"
    assert advice.reasons == (
        "All 13 tokens of “one digit” are in the common set.",
        "9 of 10 occurrences of “two digits” (90.0 %) are in the common set.",
        "99 of 100 tokens of the corpus (99.0 %) are in the common set.",
        "Counted by occurrences in the corpus, and by tokens where a category doesn't occur in it; "
        "“mostly” is more than 50 %.",
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
        "80 of 100 tokens of “two digits” (80.0 %) are outside the common set; W's rows recover 75 of them.",
        "All 1,000 tokens of “three digits” are outside the common set; W's rows recover all of them.",
        "The student has no token of “one digit”.",
        "Counted by tokens of the vocabulary, each once; “mostly” is more than 50 %.",
    )
    assert "5 tokens of critical categories with an empty row of W: P-KL can't teach those." in advice.against


@pytest.mark.parametrize(
    ("lacking", "listed"),
    [
        ((TWO,), "“two digits”"),
        ((TWO, THREE), "“two digits” or “three digits”"),
        ((Category.EMOJI, TWO, THREE), "“two digits”, “three digits” or “emoji”"),
    ],
)
def test_the_categories_that_the_student_lacks_are_listed_with_or(lacking: tuple[Category, ...], listed: str) -> None:
    vocabulary = of(one_digit=(13, 13, 0))
    assert advise(vocabulary, {ONE, *lacking}).reasons[-2] == f"The student has no token of {listed}."


def test_p_kl_names_what_is_inside_and_last_the_published_pair_where_h_kl_was_ahead() -> None:
    assert advise(with_numbers(), {ONE, TWO}).against == (
        "“one digit”: mostly in the common set, whose pairs H-KL compares one by one.",
        H_KL_WAS_AHEAD,
    )


def test_h_kl_names_what_stays_outside_and_last_the_published_pair_where_p_kl_was_ahead() -> None:
    assert advise(with_numbers(inside=90), {ONE, TWO}).against == (
        "10 tokens of critical categories outside the common set: H-KL compares those by sorted probabilities alone, "
        "whatever they stand for.",
        P_KL_WAS_AHEAD,
    )


def test_none_names_what_is_lost_and_what_p_kl_would_still_teach() -> None:
    advice = advise(with_numbers(inside=10, empty=60), {TWO})
    assert advice.title == "no loss: this teacher reaches too little"
    assert advice.reasons[0] == (
        "60 of 100 tokens of “two digits” (60.0 %) are outside the common set with an empty row of W; "
        "W's rows recover 30 of the 90 outside."
    )
    assert advice.against[0] == (
        "1,053 of 1,113 tokens of the vocabulary (94.6 %) are reached by W: P-KL would still teach those."
    )


@pytest.mark.parametrize(
    ("empty", "comfort"),
    [
        (989, ["111 of 1,100 tokens of the vocabulary (10.1 %) are reached by W: P-KL would still teach those."]),
        (990, []),
        (1_100, []),
    ],
)
def test_what_w_reaches_is_no_comfort_where_nine_in_ten_of_all_are_lost(empty: int, comfort: list[str]) -> None:
    vocabulary = of(two_digits=(100, 0, 100), latin_word=(1_000, 0, empty - 100))
    advice = advise(vocabulary, {TWO})
    assert (MOSTLY_LOST, advice.loss) == (0.9, "none")
    assert [line for line in advice.against if "still teach" in line] == comfort


def test_none_names_no_published_pair() -> None:
    assert not [line for line in advise(with_numbers(empty=60), {TWO}).against if "Published" in line]


def test_where_the_vocabulary_alone_would_say_none_the_corpus_says_so_in_its_words() -> None:
    corpus = of(two_digits=(10, 10, 0))
    against = advise(with_numbers(empty=60), {TWO}, corpus=corpus).against
    expected = (
        "Counted by tokens of the vocabulary instead of the corpus, the advice would be "
        "no loss: this teacher reaches too little."
    )
    assert expected in against


@pytest.mark.parametrize(
    ("words", "loss"), [((1_000, 900, 0), "h-kl"), ((1_000, 400, 0), "p-kl"), ((1_000, 0, 600), "none")]
)
def test_a_student_without_any_critical_token_is_told_that_all_tokens_decide(
    words: tuple[int, int, int], loss: str
) -> None:
    advice = advise(of(latin_word=words), {ONE, TWO})
    assert advice.loss == loss
    assert advice.rule == (
        "The student has no token of any critical category, so this rests on the whole alone: "
        "choose categories that it has."
    )
    assert advice.reasons[1:] == (
        "The student has no token of “one digit” or “two digits”.",
        "Counted by tokens of the vocabulary, each once; “mostly” is more than 50 %.",
    )
    assert advise(of(one_digit=(13, 13, 0), latin_word=words), {ONE, TWO}).rule != advice.rule


def test_a_category_near_the_threshold_is_named() -> None:
    near = "“two digits” is near the threshold of 50.0 %: 59.0 % outside the common set."
    assert near in advise(with_numbers(inside=41), {TWO}).against
    assert (
        "“two digits” is near the threshold of 30.0 %: 25.0 % with an empty row of W."
        in advise(with_numbers(inside=20, empty=25), {TWO}, threshold=0.3).against
    )
    assert not [line for line in advise(with_numbers(inside=39), {TWO}).against if "near the threshold" in line]


def test_a_share_of_nothing_is_near_no_threshold() -> None:
    against = advise(with_numbers(inside=100), {ONE, TWO}, threshold=0.1).against
    assert not [line for line in against if "near the threshold" in line and "“" in line]


def test_a_small_category_is_named() -> None:
    vocabulary = of(emoji=(1, 0, 0), two_digits=(9, 9, 0), three_digits=(10, 10, 0))
    advice = advise(vocabulary, {Category.EMOJI, TWO, THREE})
    assert advice.reasons[0].startswith("The only token of “emoji” is outside the common set; W's rows recover ")
    assert [line for line in advice.against if "says little" in line] == [
        "“two digits” has only 9 tokens, of which a share says little.",
        "“emoji” has only 1 token, of which a share says little.",
    ]


def test_none_and_one_have_words_of_their_own() -> None:
    vocabulary = of(one_digit=(10, 0, 0), two_digits=(10, 1, 0))
    assert advise(vocabulary, {ONE, TWO}, threshold=1).reasons[:-1] == (
        "None of 10 tokens of “one digit” (0.0 %) is in the common set.",
        "1 of 10 tokens of “two digits” (10.0 %) is in the common set.",
        "1 of 20 tokens of the vocabulary (5.0 %) is in the common set.",
    )


@pytest.mark.parametrize(
    ("inside", "total", "share"),
    [
        (1, 2_001, "less than 0.1 %"),
        (1, 2_000, "0.1 %"),
        (1_998, 1_999, "99.9 %"),
        (1_999, 2_000, "more than 99.9 %"),
        (99_999, 100_000, "more than 99.9 %"),
    ],
)
def test_a_share_that_is_not_all_or_nothing_is_never_rounded_to_it(inside: int, total: int, share: str) -> None:
    [first, *_] = advise(of(two_digits=(total, inside, 0)), {TWO}, threshold=1).reasons
    verb = "is" if inside == 1 else "are"
    assert first == f"{inside:,} of {total:,} tokens of “two digits” ({share}) {verb} in the common set."


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
    assert [line for line in advice.reasons if line.startswith("Counted")] == [advice.reasons[-1]]
    published = [line for line in advice.against if line.startswith("Published")]
    assert published == ([] if advice.loss == "none" else [advice.against[-1]])


# the published pairs


@pytest.mark.parametrize(("teacher", "loss"), [("qwen3", "p-kl"), ("phi-4-mini", "h-kl")])
def test_mathematics_gets_the_published_loss_with_either_teacher(teacher: str, loss: str) -> None:
    assert advise(llama_with(teacher), PRESETS["math"].categories).loss == loss


def test_qwens_reasons_are_the_numbers_of_two_and_three_digits() -> None:
    assert advise(llama_with("qwen3"), PRESETS["math"].categories).reasons == (
        "All 100 tokens of “two digits” are outside the common set; W's rows recover all of them.",
        "All 1,000 tokens of “three digits” are outside the common set; W's rows recover all of them.",
        "The student has no token of “four and more digits” or “number with a sign, a separator or a space”.",
        "Counted by tokens of the vocabulary, each once; “mostly” is more than 50 %.",
    )


def test_presets_hold_categories_of_text_and_say_why() -> None:
    assert list(PRESETS) == ["math", "code", "multilingual", "chat"]
    for preset in PRESETS.values():
        assert preset.why.endswith(".")
        assert preset.categories and max(preset.categories) < Category.SPECIAL
    assert {Category.CYRILLIC, Category.HAN, Category.OTHER_SCRIPT} <= PRESETS["multilingual"].categories


# the direction


def test_the_direction_that_reaches_more_is_told_with_both_shares() -> None:
    much, little = Reach(rows=5, carried=5, columns=1_000, reached=901), Reach(rows=5, carried=5, columns=40, reached=3)
    assert directions(much, little) == (
        "P-KL's direction: W reaches 90.1 % of the teacher's tokens; built from teacher to student it reaches 7.5 % of "
        "the student's. By that, to_teacher, the paper's, loses less."
    )
    assert directions(little, much) == (
        "P-KL's direction: W reaches 7.5 % of the teacher's tokens; built from teacher to student it reaches 90.1 % of "
        "the student's. By that, to_student loses less."
    )


def test_llama_and_qwen_lose_less_to_the_student_and_the_other_way_round_to_the_teacher() -> None:
    llama, qwen = load("llama-3.2"), load("qwen3")
    there, back = (reach(cached(*sides, Options())) for sides in ((llama, qwen), (qwen, llama)))
    assert directions(there, back) == (
        "P-KL's direction: W reaches 72.4 % of the teacher's tokens; built from teacher to student it reaches 86.2 % "
        "of the student's. By that, to_student loses less."
    )
    assert directions(back, there) == (
        "P-KL's direction: W reaches 86.2 % of the teacher's tokens; built from teacher to student it reaches 72.4 % "
        "of the student's. By that, to_teacher, the paper's, loses less."
    )


# several teachers


def test_phi_adds_the_numbers_that_qwen_lacks() -> None:
    qwen, phi = adds([llama_with("qwen3"), llama_with("phi-4-mini")])
    assert {TWO, THREE} <= set(phi)
    assert qwen == ()


def test_gpt2_is_before_qwen_for_mathematics_since_what_is_critical_counts_first() -> None:
    gpt2, qwen = llama_with("gpt2"), llama_with("qwen3")
    assert gpt2.share_outside > 0.66 > 0.15 > qwen.share_outside
    assert rank([qwen, gpt2], PRESETS["math"].categories) == (1, 0)
    assert rank([qwen, gpt2], PRESETS["code"].categories) == (0, 1)


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
