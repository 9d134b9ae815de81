"""The Coverage page below its controls: the advice, the categories and their tokens, teachers beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from ui import cached, coverage_figures, coverage_inputs, journey, link, projection_inputs
from ui import projection_tables as tables
from ui.cached import Prepared
from ui.coverage_inputs import CATEGORIES, Text
from ui.figures import shape_bars, shape_finding, show
from ui.layout import side_by_side
from ui.link import CoverageLink
from ui.messages import show_lines, show_plain
from ui.projection_view import table
from ui.token_table import Column
from xtoken_core import advice, audit
from xtoken_core.advice import Advice
from xtoken_core.audit import Coverage, Overlap
from xtoken_core.categories import RULES, Category, CategoryRule
from xtoken_core.corpus import Counted
from xtoken_core.display import visible
from xtoken_core.projection import same_vocabulary
from xtoken_core.sequence import Ints
from xtoken_core.tokenizer import Tokenizer

TOKEN_COLUMNS = (
    Column("text", "student token", "text", 130, grow=2, sortable=False),
    Column("id", "id", "number", 72, sortable=False),
    Column("occurrences", "occurrences", "number", 100, sortable=False),
    Column("place", "common set", "quiet", 112, sortable=False),
    Column("targets", "teacher tokens", "text", 130, grow=3, sortable=False),
    Column("weight", "weights", "number", 150, grow=1, sortable=False),
)
MOST_WORST = 50


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
    return advice.as_text(
        one.advice,
        one.vocabulary,
        found.critical,
        student=projection.student,
        teacher=projection.teacher,
        corpus=one.weighed,
        corpus_name=found.text.title if found.text else "",
    )


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


@st.fragment
def categories(found: Audit) -> None:
    """The categories of one teacher as bars, and the tokens of the chosen one."""
    one = _shown_teacher(found)
    left, right = side_by_side("bars_and_tokens")
    with left:
        _bars(found, one)
    with right:
        _tokens(found, one)
    with st.expander("The categories as a table"):
        st.dataframe(coverage_figures.category_table(one.shown), hide_index=True)
    _rules()
    write_link(found)


def _bars(found: Audit, one: Teacher) -> None:
    finding = coverage_figures.finding(one.shown, found.unit)
    st.markdown(f"**{finding}**")
    st.caption("● critical. Click on a bar to see its tokens.")
    st.plotly_chart(
        coverage_figures.by_category(one.shown, found.critical),
        key="category_bars",
        on_select=lambda: _take_bar(one.shown),
        selection_mode="points",
        config={"displayModeBar": False},
        alt=f"Bars of categories by their place in the common sets. {finding}.",
    )


def _shown_teacher(found: Audit) -> Teacher:
    """The teacher whose categories are shown: the pair's, or the one that the reader looks at."""
    if len(found.teachers) == 1:
        return found.teachers[0]
    places = range(len(found.teachers))
    place = st.selectbox(
        "Taught by",
        places,
        format_func=lambda k: found.teachers[k].name,
        key="looked_at",
        width=320,
        persist_state="session",
    )
    return found.teachers[place if place in places else 0]


def _take_bar(coverage: Coverage) -> None:
    """The category of the bar that was clicked."""
    points = st.session_state.category_bars.selection.points
    place = points[0].get("point_index") if points else None
    if isinstance(place, int) and 0 <= place < len(coverage.categories):
        st.session_state.category = coverage.categories[place].category.label


def _tokens(found: Audit, one: Teacher) -> None:
    """The tokens of the chosen category, the most frequent first where a text weighs."""
    owned = [category.category.label for category in one.vocabulary.categories]
    if st.session_state.category not in owned:
        st.session_state.category = _first_look(found, one)
    st.selectbox(
        "Tokens of",
        owned,
        key="category",
        format_func=lambda label: CATEGORIES[label].title,
        width=320,
        persist_state="session",
    )
    category = CATEGORIES[st.session_state.category]
    tokens = np.flatnonzero(one.prepared.student_listing.categories == category)
    occurrences = found.occurrences
    if occurrences is not None:
        tokens = tokens[np.argsort(-occurrences[tokens], kind="stable")]
    columns = [column for column in TOKEN_COLUMNS if occurrences is not None or column.name != "occurrences"]
    table("coverage", tokens, st.session_state.row, tuple(columns), lambda ids: _cells(found, one, ids), _choose)
    if not st.session_state.presenter:
        with st.container(horizontal=True):
            _steps(one, category, tokens)


def _first_look(found: Audit, one: Teacher) -> str:
    """The critical category that stands outside most."""
    critical = [number for number in one.shown.categories if number.category in found.critical]
    worst = max(critical or one.shown.categories, key=lambda number: number.share_outside)
    return worst.category.label


def _choose(token: int) -> None:
    st.session_state.row = token


def _cells(found: Audit, one: Teacher, tokens: Ints) -> list[list[str]]:
    occurrences = found.occurrences
    return [
        [
            tables.token_text(found.student, token),
            str(token),
            *([] if occurrences is None else [f"{occurrences[token]:,}"]),
            _place(one.prepared, token),
            *tables.entry_cells(one.prepared.teacher, one.prepared.projection, token),
        ]
        for token in tokens.tolist()
    ]


def _place(prepared: Prepared, token: int) -> str:
    if prepared.strict.teacher_of(token) is not None:
        return "strict"
    return "relaxed" if prepared.relaxed.teacher_of(token) is not None else "outside"


def _steps(one: Teacher, category: Category, tokens: Ints) -> None:
    """To W: the rows of the category, or that of the chosen token."""
    state = st.session_state
    taught = partial(st.button, on_click=_be_taught_by, args=(one.name,))
    if taught("Its rows of W", help="All rows of this category on the Projection page"):
        journey.to_category(category.label)
    if state.row is not None and state.row in tokens and taught("The chosen token's row"):
        journey.to_rows([state.row])


def _be_taught_by(teacher: str) -> None:
    """The teacher that the reader looks at becomes the pair's, which takes its place. A callback: the widgets stand."""
    state = st.session_state
    state.beside = [state.teacher if name == teacher else name for name in state.beside]
    state.teacher = teacher


def _rules() -> None:
    """What each category holds."""
    with st.expander("What the categories hold: each token is in one, the first that fits"):
        rows = [
            (rule.title, rule.rule, "  ".join(_example(rule, example) for example in rule.examples)) for rule in RULES
        ]
        st.dataframe(pd.DataFrame(rows, columns=["category", "rule", "examples"]), hide_index=True)


def _example(rule: CategoryRule, example: str) -> str:
    """A token as the page draws it; where bytes or a role decide, the example is drawn already."""
    return visible(example.encode()) if rule.pattern else example


def teachers(found: Audit) -> None:
    """Teachers × categories, and what each adds."""
    names = [one.name for one in found.teachers]
    coverages = [one.shown for one in found.teachers]
    wanted = [number.category for number in found.teachers[0].shown.categories]
    show(
        coverage_figures.teachers(names, coverages, wanted, found.critical),
        "Heatmap of teachers and categories",
        coverage_figures.teachers_finding(coverages, wanted),
    )
    st.caption("The share of each category in the relaxed common set. ● critical.")
    if len(names) > 1:
        _adds(found, coverages)
    with st.expander("The same as a table"):
        st.dataframe(_teacher_table(found, wanted), hide_index=True)
    write_link(found)


def _adds(found: Audit, coverages: list[Coverage]) -> None:
    st.markdown("**What each teacher adds: categories mostly in the common set with it and with no other**")
    added = advice.adds(coverages)
    show_lines(
        f"{one.name}: {', '.join(category.title for category in own) or 'nothing'}"
        for one, own in zip(found.teachers, added, strict=True)
    )


def _teacher_table(found: Audit, wanted: list[Category]) -> pd.DataFrame:
    shares = {one.name: [one.shown.of(category) for category in wanted] for one in found.teachers}
    return pd.DataFrame(
        {"category": [category.title for category in wanted]}
        | {
            f"{name}, in the relaxed set, %": [
                None if one is None else round(100 * (1 - one.share_outside), 1) for one in column
            ]
            for name, column in shares.items()
        }
    )


def text(found: Audit) -> None:
    """What the text shows: bytes a token, the shapes of its chunks, the worst tokens."""
    write_link(found)
    if not found.text or not found.counted:
        st.caption("Choose a text under Weighed by, or open your own, to see how each tokenizer cuts it.")
        return
    names = [found.student.name, *(one.name for one in found.teachers)]
    chart = coverage_figures.fertility(names, found.counted)
    show(chart.figure, "Bars of bytes per token by tokenizer", chart.finding)
    with st.expander("The same as a table"):
        st.dataframe(chart.table, hide_index=True)
    one = _shown_teacher(found)
    counts = coverage_inputs.shapes(found.text, found.student, one.prepared.teacher)
    if found.text.size > coverage_inputs.MOST_ALIGNED:
        st.caption(f"Chunks of the first {coverage_inputs.MOST_ALIGNED // 2**20} MiB of the text.")
    show(shape_bars(counts), "Bars of chunks by shape", shape_finding(counts))
    _worst(found, one)


def _worst(found: Audit, one: Teacher) -> None:
    occurrences = found.counted[0].counts
    tokens = audit.worst(one.prepared.projection, one.prepared.relaxed, occurrences, count=MOST_WORST)
    outside = one.shown.share_outside
    st.markdown(f"**{100 * outside:.1f} % of the student's tokens in this text are outside the common set**")
    rows = [
        (
            tables.token_text(found.student, token),
            token,
            int(occurrences[token]),
            tables.category_of(one.prepared.student_listing, token),
            *tables.entry_cells(one.prepared.teacher, one.prepared.projection, token),
        )
        for token in tokens.tolist()
    ]
    columns = ["student token", "id", "occurrences", "category", "teacher tokens", "weights"]
    st.dataframe(pd.DataFrame(rows, columns=columns), hide_index=True)


def overlap(found: Audit) -> None:
    """Vocabularies in common, each with each."""
    sides = [found.student, *(one.prepared.teacher for one in found.teachers)]
    names = [side.name for side in sides]
    with st.spinner("Comparing vocabularies …"):
        pairs = [[cached.overlap(first, second) for second in sides] for first in sides]
    shares = np.array([[100 * one.of_smaller for one in row] for row in pairs])
    show(
        coverage_figures.matrix(names, names, shares),
        "Heatmap of vocabularies in common",
        f"{pairs[0][1].shared:,} tokens are the same bytes in the student's and the first teacher's vocabulary, "
        f"{100 * pairs[0][1].of_smaller:.1f} % of the smaller",
    )
    st.caption(
        "Distinct byte strings that tokens of both stand for, over those of the smaller vocabulary; special tokens are "
        "left out. For Llama-3.2 and Qwen3 that is 0.856; NeMo-RL publishes 0.848, on token forms that take a tab for "
        "a line end and an underscore for a space."
    )
    with st.expander("The same as a table"):
        st.dataframe(_overlap_table(names, pairs), hide_index=True)
    write_link(found)


def _overlap_table(names: list[str], pairs: list[list[Overlap]]) -> pd.DataFrame:
    rows = [
        (names[i], names[j], one.shared, one.student, one.teacher, round(one.of_smaller, 4), round(one.jaccard, 4))
        for i, row in enumerate(pairs)
        for j, one in enumerate(row)
        if i < j
    ]
    counts = ["shared", "of the first", "of the second", "shared of the smaller", "shared of either"]
    return pd.DataFrame(rows, columns=["first", "second", *counts])
