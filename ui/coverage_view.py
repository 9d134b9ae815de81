"""The Coverage page below its controls: the advice, the categories and their tokens, teachers beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from ui import cached, coverage_inputs, link, projection_inputs
from ui.cached import Prepared
from ui.coverage_inputs import Text
from ui.link import CoverageLink
from ui.messages import show_lines, show_plain
from xtoken_core import advice, audit
from xtoken_core.advice import Advice
from xtoken_core.audit import Coverage
from xtoken_core.categories import Category
from xtoken_core.corpus import Counted
from xtoken_core.projection import same_vocabulary
from xtoken_core.sequence import Ints
from xtoken_core.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Teacher:
    """One teacher with what it covers: in tokens of the vocabulary, and weighed by a text where there is one."""

    prepared: Prepared
    vocabulary: Coverage
    weighed: Coverage | None
    advice: Advice

    @property
    def name(self) -> str:
        return self.prepared.teacher.name

    @property
    def shown(self) -> Coverage:
        """What the charts show: occurrences where a text weighs, else tokens."""
        return self.weighed or self.vocabulary


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything the page shows: the student, each teacher, and the text that weighs, if any."""

    student: Tokenizer
    teachers: tuple[Teacher, ...]
    text: Text | None
    counted: tuple[Counted, ...]
    critical: frozenset[Category]

    @property
    def occurrences(self) -> Ints | None:
        """[V_s], how often each student token occurs in the text."""
        return self.counted[0].counts if self.counted else None

    @property
    def unit(self) -> str:
        return "the student's tokens in this text" if self.counted else "the student's tokens"


def audited(student: Tokenizer, teachers: list[Tokenizer]) -> Audit:
    """The audit of one student with each teacher. Raises XTokenError for a text or a value that can't be used."""
    text = coverage_inputs.chosen_text()
    counted = coverage_inputs.counted(text, [student, *teachers]) if text else ()
    critical = coverage_inputs.critical()
    occurrences = counted[0].counts if counted else None
    return Audit(
        student, tuple(_teacher(student, one, occurrences, critical) for one in teachers), text, counted, critical
    )


def _teacher(
    student: Tokenizer, teacher: Tokenizer, occurrences: Ints | None, critical: frozenset[Category]
) -> Teacher:
    prepared = cached.prepared(student, teacher, projection_inputs.options(), st.session_state.threshold)
    parts = prepared.projection, prepared.strict, prepared.relaxed, prepared.student_listing.categories
    vocabulary = audit.coverage(*parts)
    weighed = None if occurrences is None else audit.coverage(*parts, occurrences=occurrences)
    same = same_vocabulary(student.vocabulary, teacher.vocabulary)
    return Teacher(
        prepared, vocabulary, weighed, advice.advise(vocabulary, critical, corpus=weighed, same_vocabulary=same)
    )


def introduction() -> None:
    """What the reader sees, and what to try."""
    if not st.session_state.presenter:
        st.title("Coverage")
    st.caption(
        "Which of the student's tokens a teacher can teach one by one, which only through W, which not at all; and so "
        "which loss to use. Choose what is critical for you, and a text that weighs the categories."
    )


def write_link(found: Audit) -> None:
    """The address says what the page shows."""
    hashes = found.student.sha256, found.teachers[0].prepared.teacher.sha256
    link.write(link.current(CoverageLink).with_hashes(*hashes))


def verdicts(found: Audit) -> None:
    """The advice for each teacher in a line, the best teacher first, and what weighs."""
    ranked = _ranked(found)
    places = [f"{place}. " if len(ranked) > 1 else "" for place in range(1, len(ranked) + 1)]
    show_lines(f"{place}{one.name}: {one.advice.title}" for place, one in zip(places, ranked, strict=True))
    if found.text:
        show_plain(f"Weighed by {found.text.title}, {found.text.size:,} bytes{found.text.origin}.")


def _ranked(found: Audit) -> list[Teacher]:
    """The teachers, the best first."""
    weighed = [one.weighed for one in found.teachers if one.weighed]
    order = advice.rank([one.vocabulary for one in found.teachers], found.critical, corpora=weighed)
    return [found.teachers[place] for place in order]


def advise(found: Audit) -> None:
    """Each teacher's advice with its rule, its reasons and what speaks against it."""
    for place, one in enumerate(_ranked(found)):
        st.subheader(one.advice.title)
        show_plain(f"for {found.student.name}, taught by {one.name}")
        st.markdown(one.advice.rule)
        left, right = st.columns(2, gap="medium")
        with left:
            _list("Reasons", one.advice.reasons)
        with right:
            _list("Against it", one.advice.against or ("Nothing was found.",))
        if one.advice.loss != "kl":
            st.caption(_directions(found, one))
        with st.expander("As text, to copy into a review", key=f"advice {place}"):
            st.code(_as_text(found, one), language=None, wrap_lines=True)
    _published(found)
    write_link(found)


def _list(title: str, sentences: Sequence[str]) -> None:
    """Sentences of ours: no word of a user's is in them."""
    st.markdown("\n".join([f"**{title}**", "", *(f"- {sentence}" for sentence in sentences)]))


def _directions(found: Audit, one: Teacher) -> str:
    """Which way P-KL reaches more, by tokens or by their occurrences in the text."""
    backwards = cached.prepared(
        one.prepared.teacher, found.student, projection_inputs.options(), st.session_state.threshold
    )
    teachers = found.counted[found.teachers.index(one) + 1].counts if found.counted else None
    return advice.directions(
        audit.reach(one.prepared.projection, occurrences=teachers),
        audit.reach(backwards.projection, occurrences=found.occurrences),
        in_text=bool(found.counted),
    )


def _as_text(found: Audit, one: Teacher) -> str:
    projection = one.prepared.projection
    told = advice.as_text(
        one.advice,
        one.vocabulary,
        found.critical,
        student=projection.student,
        teacher=projection.teacher,
        corpus=one.weighed,
        corpus_name=found.text.title if found.text else "",
    )
    return told if one.advice.loss == "kl" else f"{told}\n{_directions(found, one)}\n"


def _published(found: Audit) -> None:
    """The counts that the paper states, for these teachers."""
    names = {
        "one_digit": "one digit, ¹²³ too",
        "two_digit": "two ASCII digits",
        "three_digit": "three ASCII digits",
        "ascii_punctuation": "one ASCII punctuation mark",
    }
    counts = {
        one.name: audit.published(one.prepared.projection, one.prepared.strict, one.prepared.student_listing.categories)
        for one in found.teachers
    }
    rows = [
        (words, *(f"{counts[one.name][name][0]:,} of {counts[one.name][name][1]:,}" for one in found.teachers))
        for name, words in names.items()
    ]
    with st.expander("The paper's four counts: how many tokens are in the strict common set"):
        st.dataframe(pd.DataFrame(rows, columns=["tokens", *(one.name for one in found.teachers)]), hide_index=True)
