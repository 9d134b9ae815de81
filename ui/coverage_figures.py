"""Charts of a coverage: shares of categories, teachers beside each other, tokens a byte, vocabularies in common."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ui.figures import bars, escaped
from ui.projection_figures import Chart, share
from xtoken_core.audit import CategoryCoverage, Coverage
from xtoken_core.categories import Category
from xtoken_core.corpus import Counted
from xtoken_core.matrix import Floats

PARTS = {
    "strict": ("in the strict set", "#7F8C99"),
    "relaxed": ("in the relaxed set only", "#56B4E9"),
    "recovered": ("outside, with a row of W", "#E69F00"),
    "empty": ("outside, row empty", "#D55E00"),
}
BAR_HEIGHT = 24
SCALE = [[0, "#D55E00"], [0.5, "#8A7A6A"], [1, "#0072B2"]]


def parts(found: CategoryCoverage | Coverage) -> dict[str, int]:
    """A category's tokens, each in one part."""
    return {
        "strict": found.strict,
        "relaxed": found.relaxed - found.strict,
        "recovered": found.recovered,
        "empty": found.empty,
    }


def by_category(coverage: Coverage, critical: frozenset[Category]) -> go.Figure:
    """A bar a category, its four parts as shares; the critical ones are marked. A click on a bar gives its place."""
    found = coverage.categories
    figure = go.Figure([_part(name, found) for name in PARTS])
    labels = [f"{_marked(one.category, critical)} · {one.total:,}" for one in found]
    figure.update_layout(
        barmode="stack",
        height=64 + BAR_HEIGHT * len(found),
        margin={"l": 0, "r": 16, "t": 8, "b": 0},
        xaxis={"range": [0, 100], "ticksuffix": " %", "showgrid": False, "fixedrange": True},
        yaxis={
            "tickvals": list(range(len(found))),
            "ticktext": labels,
            "autorange": "reversed",
            "tickfont": {"size": 12},
            "fixedrange": True,
        },
        bargap=0.25,
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        clickmode="event+select",
        dragmode=False,
    )
    return figure


def _part(name: str, found: Sequence[CategoryCoverage]) -> go.Bar:
    words, colour = PARTS[name]
    counts = [parts(one)[name] for one in found]
    return go.Bar(
        name=words,
        x=[100 * count / one.total for count, one in zip(counts, found, strict=True)],
        y=list(range(len(found))),
        orientation="h",
        marker_color=colour,
        customdata=counts,
        hovertemplate=f"{words}: %{{customdata:,}} (%{{x:.1f}} %)<extra></extra>",
        unselected={"marker": {"opacity": 1}},
    )


def category_table(coverage: Coverage) -> pd.DataFrame:
    """The twin of the bars, with the multi-token rows by pieces."""
    rows = [
        (
            one.category.title,
            one.total,
            one.strict,
            one.relaxed,
            one.recovered,
            one.empty,
            round(100 * one.share_outside, 1),
            " ".join(f"{pieces}:{count:,}" for pieces, count in enumerate(one.multi, 2) if count),
        )
        for one in coverage.categories
    ]
    columns = [
        "category",
        "tokens",
        "strict",
        "relaxed",
        "outside, with a row",
        "empty",
        "outside, %",
        "rows by pieces",
    ]
    return pd.DataFrame(rows, columns=columns)


def teachers(
    names: Sequence[str], coverages: Sequence[Coverage], wanted: Sequence[Category], critical: frozenset[Category]
) -> go.Figure:
    """Teachers across, categories down: the share in the relaxed set."""
    shares = np.array([[inside(coverage, category) for coverage in coverages] for category in wanted])
    return matrix([_marked(category, critical) for category in wanted], names, shares)


def _marked(category: Category, critical: frozenset[Category]) -> str:
    return f"● {category.title}" if category in critical else category.title


def teachers_finding(coverages: Sequence[Coverage], wanted: Sequence[Category]) -> str:
    """How many categories each teacher has mostly in the common set: the best and the least."""
    counts = [sum(inside(coverage, category) >= 50 for category in wanted) for coverage in coverages]
    best = f"{max(counts)} of {len(wanted)} categories are mostly in the common set"
    return f"{best} with the best teacher, {min(counts)} with the one that has fewest" if len(counts) > 1 else best


def inside(coverage: Coverage, category: Category) -> float:
    """How much of a category is in the relaxed set, in per cent; no number where it has no token."""
    found = coverage.of(category)
    return np.nan if found is None else 100 * (1 - found.share_outside)


def matrix(rows: Sequence[str], columns: Sequence[str], shares: Floats) -> go.Figure:
    """Shares in per cent [rows, columns] as a heatmap with figures; no figure where there is no number."""
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            zmin=0,
            zmax=100,
            colorscale=SCALE,
            xgap=2,
            ygap=2,
            showscale=False,
            text=[["" if np.isnan(value) else f"{value:.0f} %" for value in row] for row in shares],
            texttemplate="%{text}",
            textfont={"color": "#FFFFFF"},
            hoverinfo="skip",
        )
    )
    figure.update_layout(
        height=56 + 26 * len(rows),
        margin={"l": 0, "r": 0, "t": 8, "b": 0},
        xaxis={"tickvals": list(range(len(columns))), "ticktext": [escaped(name) for name in columns], "side": "top"},
        yaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": [escaped(name) for name in rows],
            "autorange": "reversed",
        },
    )
    return figure


def fertility(names: Sequence[str], counted: Sequence[Counted]) -> Chart:
    """How many bytes of the text a token holds, a tokenizer each."""
    bytes_per_token = [one.bytes_per_token for one in counted]
    order = sorted(range(len(names)), key=lambda place: -bytes_per_token[place])
    least, most = min(bytes_per_token, default=0.0), max(bytes_per_token, default=0.0)
    finding = f"A token holds {least:.2f} to {most:.2f} bytes of this text"
    figure = bars(
        [names[place] for place in order],
        [bytes_per_token[place] for place in order],
        [f"{bytes_per_token[place]:.2f}" for place in order],
        height=24 + 30 * max(len(names), 2),
    )
    table = pd.DataFrame(
        {
            "tokenizer": names,
            "tokens": [one.tokens for one in counted],
            "bytes per token": [round(value, 4) for value in bytes_per_token],
        }
    )
    return Chart(figure, finding, table)


def finding(coverage: Coverage, unit: str) -> str:
    """What the bars say in all."""
    inside = f"{share(coverage.relaxed, coverage.total)} of {unit} are in the common set"
    return (
        f"{inside}; of the rest W reaches {share(coverage.recovered, coverage.outside)}" if coverage.outside else inside
    )
