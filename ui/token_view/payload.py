"""
What the token view is sent: both sides' bytes once, and integer arrays for everything else.

    student  data "201!"  ends 3 4        the browser cuts the bytes into tokens,
    teacher  data "201!"  ends 1 2 3 4    and the tokens into chunks
    chunks   student_ends 1 2   teacher_ends 3 4   kinds 0 0

A string a token would be ten times as large, and text that is no whole character can't be a string at all.
"""

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np

from xtoken_core.sequence import TokenSequence
from xtoken_core.spans import Alignment, ChunkKind
from xtoken_core.tokenizer import Tokenizer

VERSION = 1

Form = Literal["faithful", "visible", "raw"]
Layout = Literal["woven", "above", "beside"]


@dataclass(frozen=True, slots=True)
class View:
    """How the reader looks at the tokens."""

    form: Form = "visible"  # the text as it is, with its whitespace shown, or as the vocabulary's strings
    layout: Layout = "woven"  # interlinear, or one pane a side: above each other or beside each other
    presenter: bool = False  # larger type, no controls

    @classmethod
    def from_state(cls, state: object) -> "View":
        """The view in a link or in the component's state; what isn't known becomes the default.

        >>> View.from_state({"form": "raw", "layout": "sideways"})
        View(form='raw', layout='woven', presenter=False)
        """
        known = state if isinstance(state, Mapping) else {}
        default = cls()
        return cls(
            form=next((form for form in get_args(Form) if form == known.get("form")), default.form),
            layout=next((layout for layout in get_args(Layout) if layout == known.get("layout")), default.layout),
            presenter=known.get("presenter") is True,
        )


def payload(
    student: Tokenizer,
    teacher: Tokenizer,
    alignment: Alignment,
    *,
    surface: Alignment | None = None,
    view: View | None = None,
    chosen: int | None = None,
    whole: Alignment | None = None,
) -> dict[str, object]:
    """JSON-ready. surface: GOLD's groups of the same two sequences; chosen: a chunk's number, 0-based.

    whole: the alignment of the whole text, where `alignment` is only its head; what is counted is the whole.
    """
    whole = whole or alignment
    return {
        "version": VERSION,
        "student": _side(student, alignment.student, len(whole.student)),
        "teacher": _side(teacher, alignment.teacher, len(whole.teacher)),
        "chunks": {**_chunks(alignment), "nfc": _same_after_nfc(alignment)},
        "counts": list(whole.counts().values()),
        "surface": None if surface is None else _chunks(surface),
        "chosen": chosen if chosen is not None and 0 <= chosen < len(alignment) else None,
        "view": asdict(view or View()),
    }


def _side(tokenizer: Tokenizer, sequence: TokenSequence, whole: int) -> dict[str, object]:
    distinct, form_of = np.unique(sequence.ids, return_inverse=True)
    head = f"the first {len(sequence):,} of " if len(sequence) < whole else ""
    return {
        "title": tokenizer.name,
        "note": f"{head}{whole:,} {'token' if whole == 1 else 'tokens'} · sha256 {tokenizer.sha256[:8]}",
        "data": base64.b64encode(sequence.data).decode("ascii"),
        "ends": sequence.ends.tolist(),
        "ids": sequence.ids.tolist(),
        "forms": [tokenizer.vocabulary.forms[token] for token in distinct.tolist()],
        "form_of": form_of.tolist(),
        "marks": {
            "positions": [mark.position for mark in sequence.marks],
            "roles": [mark.role for mark in sequence.marks],
        },
    }


def _chunks(alignment: Alignment) -> dict[str, object]:
    return {
        "student_ends": alignment.student_ends.tolist(),
        "teacher_ends": alignment.teacher_ends.tolist(),
        "kinds": alignment.kinds.tolist(),
    }


def _same_after_nfc(alignment: Alignment) -> list[int]:
    """The mismatch chunks whose two sides are the same text after Unicode normalisation."""
    mismatches = np.flatnonzero(np.asarray(alignment.kinds) == ChunkKind.MISMATCH).tolist()
    return [k for k in mismatches if alignment.same_after_nfc(alignment.chunk(k))]
