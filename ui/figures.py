"""Charts: a frozen value in, a Plotly figure out, its title the finding."""

import plotly.graph_objects as go

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
STATIC = {"displayModeBar": False}


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
    shapes = list(counts)[::-1]
    figure = go.Figure(
        go.Bar(
            x=[counts[shape] for shape in shapes],
            y=[f"{shape_name(shape)} · {SHAPE_WORDS[shape]}" for shape in shapes],
            orientation="h",
            marker_color=[SHAPE_COLOURS[shape] for shape in shapes],
            text=[f"{counts[shape]:,}" for shape in shapes],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    figure.update_layout(
        title=shape_finding(counts),
        height=300,
        margin={"l": 0, "r": 48, "t": 48, "b": 0},
        xaxis={"visible": False},
        yaxis={"tickfont": {"size": 13}},
        bargap=0.35,
    )
    return figure
