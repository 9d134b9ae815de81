"""Charts of W: frozen values in, a Plotly figure and its finding out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ui.figures import PLAIN, bars, escaped
from xtoken_core.categories import Category
from xtoken_core.compare import Difference
from xtoken_core.matrix import Columns, Floats, Projection, Rule
from xtoken_core.sequence import Ints

RULE_COLOURS = {Rule.EXACT: "#7F8C99", Rule.MULTI: "#56B4E9", Rule.SPECIAL: "#009E73", Rule.EMPTY: "#D55E00"}
RULE_WORDS = {
    Rule.EXACT: "a teacher token of the same bytes",
    Rule.MULTI: "several teacher tokens spell it",
    Rule.SPECIAL: "special tokens of the same role",
    Rule.EMPTY: "no teacher token stands for it",
}
# student tokens of a column, by where each class starts
REACHED = {0: "none", 1: "1", 2: "2", 3: "3 or 4", 5: "5 to 8", 9: "9 to 32", 33: "33 to 128", 129: "more"}
MOST_PIECES_APART = 8


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure, what it says, and its data."""

    figure: go.Figure
    finding: str
    table: pd.DataFrame


def share(part: float, whole: float) -> str:
    """A share in per cent.

    >>> share(1, 3), share(0, 0), share(999_999, 1_000_000), share(1, 100_000)
    ('33 %', '0 %', '99.99 %', '<0.01 %')
    """
    per_cent = 100 * part / whole if whole else 0.0
    if 0 < per_cent < 0.01:
        return "<0.01 %"
    if 99 < per_cent < 100:
        return f"{np.floor(per_cent * 100) / 100:.4g} %"
    return f"{per_cent:.0f} %" if per_cent >= 10 or not per_cent else f"{per_cent:.2g} %"


def _chart(
    labels: Sequence[str],
    counts: Sequence[int],
    *,
    finding: str,
    heads: tuple[str, str],
    colours: Sequence[str] | str = PLAIN,
) -> Chart:
    total = max(sum(counts), 1)
    figure = bars(
        labels,
        counts,
        [f"{count:,}" for count in counts],
        height=24 + 28 * max(len(labels), 4),
        colours=colours,
    )
    table = pd.DataFrame(
        {heads[0]: labels, heads[1]: counts, "share, %": [round(100 * count / total, 2) for count in counts]}
    )
    return Chart(figure, finding, table)


def by_rule(projection: Projection) -> Chart:
    """How many rows each rule made, the empty ones by what they lack."""
    counts = projection.counts()
    lost = counts.pop(Rule.EMPTY)
    too_long = int(np.count_nonzero((projection.rules == Rule.EMPTY) & (projection.pieces > 0)))
    finding = f"{share(counts[Rule.EXACT], len(projection))} of the rows are exact, " + (
        f"{lost:,} are empty" if lost else "none is empty"
    )
    return _chart(
        [*(rule.label for rule in counts), "empty, too many pieces", "empty, no counterpart"],
        [*counts.values(), too_long, lost - too_long],
        finding=finding,
        heads=("rule", "rows"),
        colours=[*(RULE_COLOURS[rule] for rule in counts), *[RULE_COLOURS[Rule.EMPTY]] * 2],
    )


def by_pieces(projection: Projection) -> Chart:
    """How many teacher tokens spell a student token."""
    counted = np.bincount(np.minimum(projection.pieces, MOST_PIECES_APART + 1), minlength=MOST_PIECES_APART + 2)
    labels = ["none", *map(str, range(1, MOST_PIECES_APART + 1)), f"more than {MOST_PIECES_APART}"]
    several = int(counted[2:].sum())
    finding = f"{several:,} student tokens ({share(several, len(projection))}) are spelled with several teacher tokens"
    return _chart(labels, counted.tolist(), finding=finding, heads=("teacher tokens", "rows"))


def by_students(columns: Columns) -> Chart:
    """How many student tokens reach a teacher token."""
    lengths = columns.lengths()
    counted = np.bincount(np.searchsorted(list(REACHED), lengths, "right") - 1, minlength=len(REACHED))
    finding = (
        f"{counted[0]:,} of {len(columns):,} teacher tokens ({share(counted[0], len(columns))}) are reached by none"
    )
    return _chart(list(REACHED.values()), counted.tolist(), finding=finding, heads=("student tokens", "columns"))


def unreached(columns: Columns, categories: Ints) -> Chart:
    """Which kinds of teacher tokens nothing reaches."""
    missed = np.bincount(categories[columns.lengths() == 0], minlength=max(Category) + 1)
    found = sorted((category for category in Category if missed[category]), key=lambda category: -missed[category])
    finding = (
        f"{share(missed[found[0]], missed.sum())} of what nothing reaches is: {found[0].title}"
        if found
        else "Every teacher token is reached"
    )
    return _chart(
        [category.title for category in found],
        [int(missed[category]) for category in found],
        finding=finding,
        heads=("category", "columns"),
    )


def by_reason(reasons: Sequence[Difference], counts: Sequence[int], rows: int) -> Chart:
    """Why the rows of two W differ."""
    differing = sum(counts)
    finding = f"All {rows:,} rows are the same"
    if differing:
        finding = f"{differing:,} of {rows:,} rows ({share(differing, rows)}) differ"
    return _chart([reason.title for reason in reasons], counts, finding=finding, heads=("why", "rows"))


def entries(labels: Sequence[str], weights: Sequence[float], *, colour: str) -> go.Figure:
    """A row's teacher tokens, or a column's student tokens, by weight."""
    return bars(
        labels,
        weights,
        [f"{weight:.4f}" for weight in weights],
        colours=colour,
        height=24 + 30 * max(len(labels), 2),
    )


def block(row_labels: Sequence[str], column_labels: Sequence[str], weights: Floats) -> go.Figure:
    """A block of W: weights [rows, columns], 0 where there is no entry."""
    shown = np.where(weights > 0, weights, np.nan)
    figure = go.Figure(
        go.Heatmap(
            z=shown,
            x=list(range(len(column_labels))),
            y=list(range(len(row_labels))),
            zmin=0,
            zmax=1,
            colorscale=[[0, "#6F7B87"], [1, "#0072B2"]],  # white figures can be read on either end, in both themes
            xgap=2,
            ygap=2,
            colorbar={"title": "weight", "thickness": 12},
            text=[[f"{weight:.4f}".lstrip("0") if weight > 0 else "" for weight in row] for row in weights],
            texttemplate="%{text}" if weights.size <= 600 else None,
            hovertemplate="weight %{z:.4f}<extra></extra>",
        )
    )
    figure.update_layout(
        height=96 + 34 * len(row_labels),
        margin={"l": 0, "r": 0, "t": 8, "b": 0},
        xaxis=_ticks(column_labels) | {"side": "bottom", "title": "teacher tokens"},
        yaxis=_ticks(row_labels) | {"autorange": "reversed", "title": "student tokens"},
    )
    return figure


def _ticks(labels: Sequence[str]) -> dict[str, object]:
    places = list(range(len(labels)))
    return {"tickvals": places, "ticktext": [escaped(label) for label in labels], "showgrid": False, "zeroline": False}
