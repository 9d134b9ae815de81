"""Charts: a frozen value in, a Plotly figure out; its finding stands above it."""

import html
from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from xtoken_core.spans import Shape

# Okabe and Ito's palette, the same as the token view's
SHAPE_COLOURS = {
    Shape.ONE_ONE: "#7F8C99",
    Shape.ONE_MANY: "#56B4E9",
    Shape.MANY_ONE: "#E69F00",
    Shape.MANY_MANY: "#009E73",
    Shape.MISMATCH: "#D55E00",
    Shape.STUDENT_GAP: "#CC79A7",
    Shape.TEACHER_GAP: "#CC79A7",
}
SHAPE_WORDS = {
    Shape.ONE_ONE: "one token each",
    Shape.ONE_MANY: "one against several",
    Shape.MANY_ONE: "several against one",
    Shape.MANY_MANY: "several against several",
    Shape.MISMATCH: "the bytes differ",
    Shape.STUDENT_GAP: "only student tokens",
    Shape.TEACHER_GAP: "only teacher tokens",
}
PLAIN = "#56B4E9"
MOST_IN_LABEL = 64


def shape_name(shape: Shape) -> str:
    """A shape as the page names it.

    >>> shape_name(Shape.STUDENT_GAP)
    'student gap'
    """
    return shape.value.replace("_", " ")


def shape_finding(counts: dict[Shape, int]) -> str:
    """What the counts say, in a sentence.

    >>> shape_finding({shape: 0 for shape in Shape} | {Shape.ONE_ONE: 31, Shape.ONE_MANY: 7})
    '31 of 38 chunks (82 %) are one token on both sides'
    """
    total = sum(counts.values())
    if not total:
        return "No chunks: the text is empty"
    one = counts[Shape.ONE_ONE]
    return f"{one:,} of {total:,} chunks ({one / total:.0%}".replace("%", " %") + ") are one token on both sides"


def shape_bars(counts: dict[Shape, int]) -> go.Figure:
    """Chunks by shape, a bar each, also at 0."""
    return bars(
        [f"{shape_name(shape)} · {SHAPE_WORDS[shape]}" for shape in counts],
        list(counts.values()),
        [f"{count:,}" for count in counts.values()],
        colours=[SHAPE_COLOURS[shape] for shape in counts],
    )


def bars(
    labels: Sequence[str],
    values: Sequence[float],
    texts: Sequence[str],
    *,
    colours: Sequence[str] | str = PLAIN,
    height: int = 260,
) -> go.Figure:
    """Lying bars from the top, each with its text behind it. Labels may be a stranger's words."""
    places = list(range(len(labels)))[::-1]  # by place: equal labels must not fall together
    figure = go.Figure(
        go.Bar(
            x=list(values),
            y=places,
            orientation="h",
            marker_color=colours,
            text=[escaped(text) for text in texts],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    figure.update_layout(
        height=height,
        margin={"l": 0, "r": 64, "t": 8, "b": 0},
        xaxis={"visible": False, "range": [0, max(values, default=0) * 1.05 or 1]},
        yaxis={"tickfont": {"size": 13}, "tickvals": places, "ticktext": [escaped(label) for label in labels]},
        bargap=0.35,
    )
    return figure


def show(figure: go.Figure, kind: str, finding: str) -> None:
    """A chart below its finding, which wraps where a title of Plotly's would be cut. Both texts must be ours."""
    st.markdown(f"**{finding}**")
    st.plotly_chart(figure, config={"displayModeBar": False}, alt=f"{kind}. {finding}.")


def escaped(text: str) -> str:
    """Plotly reads a label as HTML: a stranger's text must not be any, nor longer than there's room for.

    >>> escaped("<b>&")
    '&lt;b&gt;&amp;'
    """
    return html.escape(text if len(text) <= MOST_IN_LABEL else f"{text[:MOST_IN_LABEL]}…", quote=False)
