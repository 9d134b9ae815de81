"""
Which loss to use with a teacher: P-KL, H-KL, plain KL or none, by the categories that must not be lost.

    same vocabulary                                        -> KL      every token is compared with itself
    a critical category outside C, and its rows empty      -> none    not even W says anything of it
    a critical category outside C, or most of all tokens   -> P-KL    W says where they go
    else                                                   -> H-KL    the pairs of C are compared one by one

"Outside" and "empty" are shares above a threshold. Source of the rule and of the outcomes: X-Token, arXiv 2605.21699.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from xtoken_core.audit import CategoryCoverage, Coverage, Direction, Reach, direction
from xtoken_core.categories import Category
from xtoken_core.errors import ProjectionError
from xtoken_core.matrix import Side

Loss = Literal["p-kl", "h-kl", "kl", "none"]

THRESHOLD = 0.5  # of a category's tokens: what is above is "mostly"
NEAR = 0.1  # so near to the threshold a category is named as evidence against
MOSTLY_LOST = 0.9  # of all: what W reaches beyond is no comfort
SMALL = 10  # tokens; a share of fewer says little

TITLES: Mapping[Loss, str] = {
    "p-kl": "P-KL",
    "h-kl": "H-KL",
    "kl": "KL over the vocabulary",
    "none": "no loss: this teacher reaches too little",
}
_RULES: Mapping[Loss, str] = {
    "kl": "Both models have one vocabulary: plain KL.",
    "none": "A critical category, or the whole, is mostly outside the common set and its rows of W are "
    "mostly empty: no loss teaches that with this teacher.",
    "p-kl": "A critical category, or the whole, is mostly outside the common set: P-KL, which compares through W.",
    "h-kl": "Every critical category and the whole are mostly in the common set: H-KL, which compares "
    "its pairs one by one.",
}
_DIRECTIONS: Mapping[Direction, str] = {
    "to_teacher": "to_teacher, the paper's,",
    "to_student": "to_student",
}
_NOTHING_CRITICAL = (
    "The student has no token of any critical category, so this rests on the whole alone: choose "
    "categories that it has."
)
_OUTCOMES: Mapping[Loss, str] = {
    "p-kl": "Published for Llama-3.2: H-KL was ahead with Phi-4-mini, whose two- and three-digit numbers are in the "
    "common set; averages of P-KL, H-KL and GOLD are 37.50, 39.18 and 38.66 (with Qwen3-4B 38.85, 35.30 and 35.03).",
    "h-kl": "Published for Llama-3.2: P-KL was ahead with Qwen3-4B, whose two- and three-digit numbers are outside the "
    "common set; averages of P-KL, H-KL and GOLD are 38.85, 35.30 and 35.03 (with Phi-4-mini 37.50, 39.18 and 38.66).",
}


@dataclass(frozen=True, slots=True)
class Preset:
    """Categories that are critical for a use, and why."""

    categories: frozenset[Category]
    why: str


PRESETS: Mapping[str, Preset] = {
    "math": Preset(
        frozenset(
            {
                Category.ONE_DIGIT,
                Category.TWO_DIGITS,
                Category.THREE_DIGITS,
                Category.LONG_DIGITS,
                Category.NUMBER,
                Category.ASCII_PUNCTUATION,
            }
        ),
        "A wrong digit or operator makes the answer wrong, and digits are where tokenizers differ most.",
    ),
    "code": Preset(
        frozenset(
            {
                Category.CODE,
                Category.ASCII_PUNCTUATION,
                Category.PUNCTUATION_RUN,
                Category.WHITESPACE,
                Category.LATIN_WORD,
                Category.LATIN_PART,
            }
        ),
        "A program is names, brackets and indentation; runs of marks and spaces are tokens of their own.",
    ),
    "multilingual": Preset(
        # from the first script to the last, and the bytes that rare characters are made of
        frozenset(Category(kind) for kind in range(Category.LATIN_WORD, Category.SPECIAL))
        - {Category.LATIN_MARKED, Category.CODE, Category.MIXED},
        "Each script has its tokens in one vocabulary and is cut into pieces in another.",
    ),
    # without special tokens: most are reserved, and a chat's markers meet by role
    "chat": Preset(
        frozenset(
            {
                Category.LATIN_WORD,
                Category.LATIN_PART,
                Category.LATIN_MARKED,
                Category.ASCII_PUNCTUATION,
                Category.EMOJI,
            }
        ),
        "A conversation is everyday words, contractions, punctuation and emoji.",
    ),
}


@dataclass(frozen=True, slots=True)
class Advice:
    """A loss, the rule that chose it, and plain sentences for it and against it."""

    loss: Loss
    rule: str
    reasons: tuple[str, ...]
    against: tuple[str, ...]

    @property
    def title(self) -> str:
        """The loss as the page writes it."""
        return TITLES[self.loss]


def advise(
    vocabulary: Coverage,
    critical: Collection[Category],
    *,
    corpus: Coverage | None = None,
    same_vocabulary: bool = False,
    threshold: float = THRESHOLD,
) -> Advice:
    """Which loss to use with one teacher.

    A critical category is counted by its occurrences where it occurs in the corpus, else by its tokens. Raises
    ProjectionError where no category is critical, or for a threshold outside 0 … 1.
    """
    _check(critical, threshold)
    if same_vocabulary:
        return Advice(
            "kl", _RULES["kl"], ("Every token is compared with itself: nothing is outside, nothing lost.",), ()
        )
    measured = _measured(vocabulary, critical, corpus)
    loss = _loss(measured, threshold)
    reasons = [*_reasons(loss, measured, threshold), *_missing(vocabulary, critical), _basis(corpus, threshold)]
    against = [
        *_against(loss, measured, threshold),
        *_other_count(loss, vocabulary, critical, corpus, threshold),
        *_outcome(loss),
    ]
    return Advice(loss, _RULES[loss] if measured[:-1] else _NOTHING_CRITICAL, tuple(reasons), tuple(against))


def _check(critical: Collection[Category], threshold: float) -> None:
    if not critical:
        raise ProjectionError(
            f"No category was given as critical, and the advice rests on those. "
            f"Choose at least one, or a preset: {', '.join(PRESETS)}."
        )
    if not 0 <= threshold <= 1:
        raise ProjectionError(f"The threshold was given as {threshold!r}; it must be from 0 to 1, as a share is.")


@dataclass(frozen=True, slots=True)
class _Measured:
    """A category's numbers, or those of all together, in tokens or in occurrences."""

    name: str
    numbers: CategoryCoverage | Coverage
    unit: str

    def subject(self, count: int) -> str:
        """Some of the total, up to the verb.

        >>> _Measured("“emoji”", CategoryCoverage(Category.EMOJI, 8, 2, 2, (6,), 0), "token").subject(6)
        '6 of 8 tokens of “emoji” (75.0 %) are'
        """
        total, some = self.numbers.total, f"{self.unit}s of {self.name}"
        if count == total:
            return f"The only {self.unit} of {self.name} is" if total == 1 else f"All {total:,} {some} are"
        verb = "is" if count <= 1 else "are"
        return f"{f'{count:,}' if count else 'None'} of {total:,} {some} ({_percent(count / total)}) {verb}"


def _percent(share: float) -> str:
    """
    >>> _percent(0.5), _percent(0.99999), _percent(0.00001), _percent(0)
    ('50.0 %', 'more than 99.9 %', 'less than 0.1 %', '0.0 %')
    """
    if 0 < share < 0.0005:
        return "less than 0.1 %"
    return "more than 99.9 %" if 0.9995 <= share < 1 else f"{100 * share:.1f} %"


def _measured(vocabulary: Coverage, critical: Collection[Category], corpus: Coverage | None) -> list[_Measured]:
    """The critical categories that the student has, in order, then all categories together."""
    found = [_measured_one(category, vocabulary, corpus) for category in sorted(critical)]
    whole = _Measured("the corpus", corpus, "token") if corpus and corpus.total else None
    return [one for one in found if one] + [whole or _Measured("the vocabulary", vocabulary, "token")]


def _measured_one(category: Category, vocabulary: Coverage, corpus: Coverage | None) -> _Measured | None:
    occurring, owned = corpus.of(category) if corpus else None, vocabulary.of(category)
    name = f"“{category.title}”"
    if occurring:
        return _Measured(name, occurring, "occurrence")
    return _Measured(name, owned, "token") if owned else None


def _loss(measured: Sequence[_Measured], threshold: float) -> Loss:
    if any(one.numbers.share_empty > threshold for one in measured):  # what is empty is outside C
        return "none"
    return "p-kl" if any(one.numbers.share_outside > threshold for one in measured) else "h-kl"


def _basis(corpus: Coverage | None, threshold: float) -> str:
    mostly = f"“mostly” is more than {100 * threshold:g} %."
    if corpus and corpus.total:
        return f"Counted by occurrences in the corpus, and by tokens where a category doesn't occur in it; {mostly}"
    return f"Counted by tokens of the vocabulary, each once; {mostly}"


def _missing(vocabulary: Coverage, critical: Collection[Category]) -> Iterator[str]:
    missing = [f"“{category.title}”" for category in sorted(critical) if not vocabulary.of(category)]
    if missing:
        yield f"The student has no token of {_listed(missing, 'or')}."


def _listed(names: Sequence[str], word: str = "and") -> str:
    """
    >>> _listed(["a"]), _listed(["a", "b", "c"]), _listed(["a", "b"], "or")
    ('a', 'a, b and c', 'a or b')
    """
    return f" {word} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _reasons(loss: Loss, measured: Sequence[_Measured], threshold: float) -> Iterator[str]:
    for one in measured:
        numbers = one.numbers
        if loss == "none" and numbers.share_empty > threshold:
            yield (
                f"{one.subject(numbers.empty)} outside the common set with an empty row of W; "
                f"W's rows recover {numbers.recovered:,} of the {numbers.outside:,} outside."
            )
        elif loss == "p-kl" and numbers.share_outside > threshold:
            some = "all" if numbers.recovered == numbers.outside else f"{numbers.recovered:,}"
            recovered = (
                "W's rows recover it" if some == "all" and numbers.outside == 1 else f"W's rows recover {some} of them"
            )
            yield f"{one.subject(numbers.outside)} outside the common set; {recovered}."
        elif loss == "h-kl":
            yield f"{one.subject(numbers.relaxed)} in the common set."


def _against(loss: Loss, measured: Sequence[_Measured], threshold: float) -> Iterator[str]:
    """What speaks for another loss."""
    critical = measured[:-1]
    inside = [one.name for one in critical if one.numbers.share_outside <= threshold]
    if loss != "h-kl" and inside:
        yield f"{_listed(inside)}: mostly in the common set, whose pairs H-KL compares one by one."
    if loss == "none":
        whole = measured[-1]
        if whole.numbers.share_empty < MOSTLY_LOST:
            reached = whole.subject(whole.numbers.total - whole.numbers.empty)
            yield f"{reached} reached by W: P-KL would still teach those."
    if loss == "h-kl":
        yield from _outside(critical)
    if loss == "p-kl":
        yield from _lost(critical)
    yield from _near(measured, threshold)
    for one in critical:
        if one.numbers.total < SMALL:
            yield f"{one.name} has only {_counted(one.numbers.total, one.unit)}, of which a share says little."


def _counted(count: int, unit: str) -> str:
    return f"{count:,} {unit}" if count == 1 else f"{count:,} {unit}s"


def _outcome(loss: Loss) -> Iterator[str]:
    if loss in _OUTCOMES:
        yield _OUTCOMES[loss]


def _outside(critical: Sequence[_Measured]) -> Iterator[str]:
    for unit in ("token", "occurrence"):
        outside = sum(one.numbers.outside for one in critical if one.unit == unit)
        if outside:
            yield (
                f"{_counted(outside, unit)} of critical categories outside the common set: H-KL compares those by "
                f"sorted probabilities alone, whatever they stand for."
            )


def _lost(critical: Sequence[_Measured]) -> Iterator[str]:
    for unit in ("token", "occurrence"):
        empty = sum(one.numbers.empty for one in critical if one.unit == unit)
        if empty:
            yield f"{_counted(empty, unit)} of critical categories with an empty row of W: P-KL can't teach those."


def directions(to_teacher: Reach, to_student: Reach, *, in_text: bool = False) -> str:
    """Which way P-KL reaches more: the student projected onto the teacher, or the teacher onto the student.

    in_text: both were counted by occurrences in a text.
    """
    better = direction(to_teacher, to_student)
    shares = _percent(to_teacher.share_reached), _percent(to_student.share_reached)
    where = " in the text" if in_text else ""
    even = to_teacher.share_reached == to_student.share_reached
    verdict = "neither way loses less" if even else f"{_DIRECTIONS[better]} loses less"
    return (
        f"P-KL's direction: W reaches {shares[0]} of the teacher's tokens{where}; built from teacher to student it "
        f"reaches {shares[1]} of the student's. By that, {verdict}."
    )


def _near(measured: Sequence[_Measured], threshold: float) -> Iterator[str]:
    for one in measured:
        shares = {
            "outside the common set": one.numbers.share_outside,
            "with an empty row of W": one.numbers.share_empty,
        }
        for where, share in shares.items():
            if share and abs(share - threshold) <= NEAR:
                name = f"{one.name[:1].upper()}{one.name[1:]}"
                yield f"{name} is near the threshold of {_percent(threshold)}: {_percent(share)} {where}."


def _other_count(
    loss: Loss, vocabulary: Coverage, critical: Collection[Category], corpus: Coverage | None, threshold: float
) -> Iterator[str]:
    """Whether the vocabulary alone would say something else than the corpus."""
    other = _loss(_measured(vocabulary, critical, None), threshold)
    if corpus and other != loss:
        yield f"Counted by tokens of the vocabulary instead of the corpus, the advice would be {TITLES[other]}."


def rank(
    vocabularies: Sequence[Coverage],
    critical: Collection[Category],
    *,
    corpora: Sequence[Coverage] = (),
    threshold: float = THRESHOLD,
) -> tuple[int, ...]:
    """The positions of several teachers' coverages of one student, best first.

    Last are those whose advice is none. Then counts the mean share of the critical categories outside C, then the mean
    share with empty rows, then all tokens outside C, then the order given. Raises as `advise`, and where a corpus is
    counted for some teachers only.
    """
    _check(critical, threshold)
    if corpora and len(corpora) != len(vocabularies):
        raise ProjectionError(
            f"{len(vocabularies)} teachers were given with {len(corpora)} counts of the corpus. "
            f"Count it for each teacher."
        )
    counted: Sequence[Coverage | None] = corpora or [None] * len(vocabularies)
    sides = [_measured(vocabulary, critical, corpus) for vocabulary, corpus in zip(vocabularies, counted, strict=True)]
    return tuple(sorted(range(len(sides)), key=lambda place: _key(sides[place], threshold)))


def _key(measured: Sequence[_Measured], threshold: float) -> tuple[bool, float, float, float]:
    return (
        _loss(measured, threshold) == "none",
        _mean(measured[:-1], lambda one: one.numbers.share_outside),
        _mean(measured[:-1], lambda one: one.numbers.share_empty),
        measured[-1].numbers.share_outside,
    )


def _mean(critical: Sequence[_Measured], share: Callable[[_Measured], float]) -> float:
    return sum(map(share, critical)) / len(critical) if critical else 0.0


def adds(coverages: Sequence[Coverage], *, threshold: float = THRESHOLD) -> tuple[tuple[Category, ...], ...]:
    """For each of several teachers of one student: the categories that are inside C with it and with no other.

    A single teacher adds all that are inside. A share above the threshold is outside, as in `advise`.
    """
    inside = [
        {found.category for found in coverage.categories if found.share_outside <= threshold} for coverage in coverages
    ]
    return tuple(
        tuple(sorted(own.difference(*(other for place, other in enumerate(inside) if place != here))))
        for here, own in enumerate(inside)
    )


def as_text(
    advice: Advice,
    vocabulary: Coverage,
    critical: Collection[Category],
    *,
    student: Side,
    teacher: Side,
    corpus: Coverage | None = None,
    corpus_name: str = "",
) -> str:
    """The advice as plain text for a review, with the critical categories' numbers.

    corpus_name: what to call the corpus, where there is one; as all names it's put on one line.
    """
    counted = [f"Corpus: {_line(corpus_name)}, {_counted(corpus.total, 'token')} of the student"] if corpus else []
    head = [f"Advice: {advice.title}", _side("Student", student), _side("Teacher", teacher), *counted, advice.rule]
    return "\n".join(
        [
            *head,
            *_section("Reasons", advice.reasons),
            *_section("Against it", advice.against or ("Nothing was found.",)),
            *_section("Critical categories, tokens of the vocabulary", _numbers(vocabulary, critical)),
            *(_section("Critical categories, occurrences in the corpus", _numbers(corpus, critical)) if corpus else []),
            "",
        ]
    )


def _line(name: str) -> str:
    return " ".join(name.split())


def _side(role: str, side: Side) -> str:
    return f"{role}: {_line(side.name)}, {side.ids:,} ids, sha256 {side.sha256}"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"{title}:", *(f"- {line}" for line in lines)]


def _numbers(coverage: Coverage, critical: Collection[Category]) -> list[str]:
    found = [one for one in coverage.categories if one.category in critical]
    return [
        f"{one.category.title}: {one.total:,}, in the strict set {one.strict:,}, in the relaxed set {one.relaxed:,}, "
        f"multi-token rows {sum(one.multi):,}, empty rows {one.empty:,}"
        for one in found
    ] or ["None has any."]
