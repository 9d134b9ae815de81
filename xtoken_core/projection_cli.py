"""
The shell's commands about W: `project` builds and saves one, `row` shows one row of a saved one.

A command gives what there is to show, as plain values and as lines that are safe to print; the shell prints it.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xtoken_core import catalog, common_set, projection_file
from xtoken_core.display import told, visible, visible_form
from xtoken_core.errors import ProjectionError
from xtoken_core.export import projection_json, row_json
from xtoken_core.matrix import Options, Projection, Row, Side, check_pair
from xtoken_core.measure import measured
from xtoken_core.projection import build, ids_by_bytes
from xtoken_core.spans import Span
from xtoken_core.tokenizer import Tokenizer
from xtoken_core.vocab import UNUSED, Vocabulary

_ID = re.compile(r"id:([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Shown:
    """A command's result: as JSON can hold it, and for a person."""

    plain: dict[str, Any]
    lines: Sequence[str]


def project(student: str, teacher: str, options: Options, *, out: Path, nemo_out: Path | None) -> Shown:
    """Builds W anew, never from the cache, and saves it. What is measured is the building alone."""
    if nemo_out and os.path.realpath(out) == os.path.realpath(nemo_out):
        raise ProjectionError(f"--out and --nemo both name {out}. Give each file a name of its own.")
    sides = catalog.load(student), catalog.load(teacher)
    made = measured(lambda: build(*sides, options=options))
    projection_file.write(made.result, out)
    if nemo_out:
        from xtoken_core import nemo  # only here: nothing else in the shell needs torch

        nemo.write(made.result, nemo_out)
    plain = projection_json(made.result, seconds=made.seconds, peak_mb=made.peak_mb, out=str(out))
    return Shown(plain, [*_project_lines(made.result), _cost(made.seconds, made.peak_mb)])


def _project_lines(projection: Projection) -> Iterator[str]:
    for role, side in (("student", projection.student), ("teacher", projection.teacher)):
        yield f"{role}  {visible_form(side.name)}  {side.ids:,} ids  sha256 {side.sha256[:12]}"
    for rule, count in projection.counts().items():
        yield f"{rule.label:8} {count:>9,}  {100 * count / len(projection):5.1f} %"


def _cost(seconds: float, peak_mb: float) -> str:
    return f"built in {seconds:.2f} s with {peak_mb:.0f} MB of memory"


def row(file: Path, token: str, *, threshold: float, student: str | None, teacher: str | None) -> Shown:
    """One row of the W in a file. `student` and `teacher` name its tokenizers; the catalogue's are found by themselves.

    Raises ProjectionError where the tokenizers are others than W's, or the student has no such token.
    """
    projection = projection_file.read(file)
    sides = _tokenizer(projection.student, student, "student"), _tokenizer(projection.teacher, teacher, "teacher")
    check_pair(projection, *sides)
    found = projection.row(_token_id(sides[0], token))
    sets = common_set.strict(projection), common_set.relaxed(projection, threshold=threshold)
    plain = row_json(found, *sides, *sets)
    return Shown(plain, list(_row_lines(found, *sides, plain)))


def _tokenizer(side: Side, given: str | None, role: str) -> Tokenizer:
    """A name in a file is a stranger's: it opens no path and asks no hub. The names of the catalogue do neither."""
    if given is None and side.name not in catalog.ENTRIES:
        raise ProjectionError(
            f"This W was built for the {role} {side.name!r}, which is no name of the catalogue, and a name in a file "
            f"isn't followed to paths or hubs. Say which tokenizer that is with --{role}."
        )
    return catalog.load(given if given is not None else side.name)


def _token_id(student: Tokenizer, token: str) -> int:
    """The student's id for `id:N`, for a token's bytes, or for a special token's form. Raises where there's none."""
    by_id = _ID.fullmatch(token)
    if by_id:
        return int(by_id[1])
    # where the shell gives bytes that are no UTF-8, Python writes them as surrogates
    of_bytes = ids_by_bytes(student).get(token.encode(errors="surrogateescape"))
    found = of_bytes if of_bytes is not None else _special(student.vocabulary, token)
    if found is not None:
        return found
    cut = student.encode(token, special=False)
    raise ProjectionError(
        f"{student.name} has no token {token!r}; it cuts that text into {len(cut):,}: "
        f"{told(cut, Span(0, len(cut))) or 'none'}. Ask for one of its tokens, or for an id as id:N."
    )


def _special(vocabulary: Vocabulary, form: str) -> int | None:
    specials = (token for token, role in sorted(vocabulary.roles.items()) if role != UNUSED)
    return next((token for token in specials if vocabulary.forms[token] == form), None)


def _row_lines(row: Row, student: Tokenizer, teacher: Tokenizer, plain: dict[str, Any]) -> Iterator[str]:
    pieces = f"  {row.pieces} pieces" if row.pieces > 1 else ""
    trimmed = f"  {row.trimmed:.4f} trimmed" if row.trimmed else ""
    yield f"{row.token:>8}  {row.rule.label:7}  {_shown(student.vocabulary, row.token)}{pieces}{trimmed}"
    for entry in row.entries:
        yield f"{entry.id:>8}  {entry.weight:7.4f}  {_shown(teacher.vocabulary, entry.id)}"
    taken = plain["taken_by"]
    wanted = f"; its teacher token went to {taken} {_shown(student.vocabulary, taken)}" if taken is not None else ""
    yield f"strict {_yes(plain['strict'])}, relaxed {_yes(plain['relaxed'])}{wanted}"


def _shown(vocabulary: Vocabulary, token: int) -> str:
    """Bytes drawn, or a special token's form in brackets, as in an alignment."""
    return visible(vocabulary.token_bytes(token)) or f"[{visible_form(vocabulary.forms[token])}]"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
