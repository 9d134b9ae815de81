"""
The shell's command `audit`: what each teacher can teach a student, and which loss to use.

A command gives what there is to show, as plain values and as lines that are safe to print; the shell prints it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from xtoken_core import catalog, projection_file
from xtoken_core.advice import directions
from xtoken_core.audit import Overlap
from xtoken_core.audit_report import Audited, audit_json, audited
from xtoken_core.categories import Category
from xtoken_core.corpus import Counted, Progress, count_all, pieces_of_file
from xtoken_core.display import visible_form
from xtoken_core.errors import TextError
from xtoken_core.matrix import Options
from xtoken_core.projection_cli import Shown
from xtoken_core.tokenizer import Tokenizer

_COLUMNS = ("category", "tokens", "strict", "relaxed", "multi", "empty")
_WEIGHTED = ("occurrences", "outside")


def audit(
    student: str,
    teachers: Sequence[str],
    *,
    file: Path | None,
    field: str | None,
    critical: str,
    threshold: float,
    progress: Progress | None = None,
) -> Shown:
    """Each teacher's coverage of the student, and the advice. threshold: of the relaxed common set.

    progress: per cent of the file that are read. Raises XTokenError for names, files and values that can't be used.
    """
    sides = [catalog.load(name) for name in (student, *teachers)]
    counted = _counted(sides, file, field, progress) if file else ()
    occurrences = counted[0].counts if counted else None
    found = [
        audited(
            sides[0],
            teacher,
            projection_file.cached(sides[0], teacher, Options()),
            projection_file.cached(teacher, sides[0], Options()),
            occurrences=occurrences,
            teacher_occurrences=counted[place].counts if counted else None,
            critical=critical,
            threshold=threshold,
        )
        for place, teacher in enumerate(sides[1:], 1)
    ]
    return Shown(audit_json(sides[0], found, counted), list(_lines(sides, found, counted)))


def _counted(
    sides: Sequence[Tokenizer], file: Path, field: str | None, progress: Progress | None
) -> tuple[Counted, ...]:
    try:
        with file.open("rb") as source:
            size = file.stat().st_size
            told = _per_cent(source, size, progress) if progress and size else None
            return count_all(sides, pieces_of_file(source, str(file), field=field), progress=told)
    except OSError as error:
        raise TextError(f"{file} can't be read: {error.strerror}. Check the path.") from error


def _per_cent(source: BinaryIO, size: int, progress: Progress) -> Progress:
    """A file that is read tells how far it is; a record's bytes of text would be fewer."""
    return lambda _: progress(100 * source.tell() // size)


def _lines(sides: Sequence[Tokenizer], found: Sequence[Audited], counted: Sequence[Counted]) -> Iterator[str]:
    yield f"student  {_name(sides[0])}"
    if counted:
        yield f"corpus   {counted[0].bytes:,} bytes"
        for side, count in zip(sides, counted, strict=True):
            fertility = f"{count.tokens:,} tokens  {count.bytes_per_token:.2f} bytes a token"
            yield f"         {visible_form(side.name)}  {fertility}"
    for one in found:
        yield ""
        yield f"teacher  {_name(one.teacher)}"
        yield from _table(one)
        yield _overlap_line(one.overlap)
        if one.advice.loss != "kl":
            yield directions(one.to_teacher, one.to_student, in_text=one.corpus is not None)
        yield f"advice: {one.advice.title}"
        yield from (f"  {sentence}" for sentence in (one.advice.rule, *one.advice.reasons))
        yield from (f"  against: {sentence}" for sentence in one.advice.against)


def _name(tokenizer: Tokenizer) -> str:
    return f"{visible_form(tokenizer.name)}  {len(tokenizer.vocabulary):,} ids  sha256 {tokenizer.sha256[:12]}"


def _table(one: Audited) -> Iterator[str]:
    rows = [[*_COLUMNS, *(_WEIGHTED if one.corpus else ())]]
    for found in one.vocabulary.categories:
        numbers = [found.total, found.strict, found.relaxed, sum(found.multi), found.empty]
        rows.append([found.category.title, *(f"{number:,}" for number in numbers), *_weighted(found.category, one)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for title, *cells in rows:
        padded = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield "  ".join([title.ljust(widths[0]), *padded])


def _weighted(category: Category, one: Audited) -> list[str]:
    """The cells of the corpus; a category that doesn't occur has no share."""
    if not one.corpus:
        return []
    found = one.corpus.of(category)
    return [f"{found.total:,}", f"{100 * found.share_outside:.1f} %"] if found else ["0", ""]


def _overlap_line(found: Overlap) -> str:
    return (
        f"vocabularies: {found.shared:,} byte strings in both, of {found.student:,} and {found.teacher:,}: "
        f"{100 * found.of_smaller:.1f} % of the smaller"
    )
