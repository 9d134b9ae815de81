"""
The same jobs from a shell: `python -m xtoken_core COMMAND`.

An error of the user's is one line on stderr and exit code 2; everything else goes to stdout.
"""

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from xtoken_core import catalog, export, llama, texts
from xtoken_core.alignment import Scoring, align
from xtoken_core.common_set import THRESHOLD
from xtoken_core.display import told, visible_form
from xtoken_core.errors import TextError, XTokenError
from xtoken_core.files import read_up_to
from xtoken_core.matrix import Long, Options
from xtoken_core.spans import Alignment, Chunk

if TYPE_CHECKING:
    from xtoken_core import projection_cli

PRESETS = ("math", "code", "multilingual", "chat")  # of `advice`, which this module doesn't import before it's called
NAMES = "a name of the catalogue, a path of a tokenizer.json or its folder, or a hub id"


class _Parser(argparse.ArgumentParser):
    """Errors in one line; argparse would print its usage before them."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {_one_line(message)}; {self.prog} --help lists the options\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # where the encoding lacks a character, its number is shown
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        options.command(options)
        if sys.stdout:  # there is none where it was closed
            sys.stdout.flush()
    except XTokenError as error:
        print(f"xtoken_core: {_one_line(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print(f"xtoken_core: the result can't be written: {error.strerror}. Check where it goes.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _one_line(message: str) -> str:
    """Words and single spaces; whatever in a word could move a terminal's cursor is spelled out."""
    return " ".join(map(visible_form, message.split()))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="xtoken_core", description="Two tokenizers, one text, and what a teacher can teach.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    tokenizers = commands.add_parser("tokenizers", help="list the tokenizers that have a name")
    tokenizers.add_argument("--json", action="store_true", help="as JSON")
    tokenizers.set_defaults(command=_tokenizers)

    _add_align(commands)
    _add_project(commands)
    _add_row(commands)
    _add_audit(commands)
    return parser


def _add_align(commands: "argparse._SubParsersAction[_Parser]") -> None:
    aligned = commands.add_parser("align", help="align two tokenizations of one text")
    aligned.add_argument("student", metavar="STUDENT", help=NAMES)
    aligned.add_argument("teacher", metavar="TEACHER", help=NAMES)
    source = aligned.add_mutually_exclusive_group(required=True)
    source.add_argument("--text", help="the text itself")
    source.add_argument("--file", type=Path, help="a file in UTF-8; of a .jsonl file one field of one record")
    aligned.add_argument("--field", help="the field of a .jsonl file; its first text field if left out")
    aligned.add_argument("--record", type=int, default=1, help="the record of a .jsonl file, from 1")
    aligned.add_argument(
        "--special",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="with the special tokens that the tokenizers add by themselves, such as BOS (default: on)",
    )
    aligned.add_argument(
        "--scoring", choices=get_args(Scoring), default="exact", help="exact: ours; paper; surface: GOLD as published"
    )
    aligned.add_argument("--json", action="store_true", help="as JSON")
    aligned.set_defaults(command=_align)


def _add_project(commands: "argparse._SubParsersAction[_Parser]") -> None:
    default = Options()
    project = commands.add_parser("project", help="build the projection matrix W of a pair")
    project.add_argument("student", metavar="STUDENT", help=NAMES)
    project.add_argument("teacher", metavar="TEACHER", help=NAMES)
    project.add_argument("--out", type=Path, required=True, metavar="FILE", help="where W goes, in safetensors format")
    project.add_argument("--nemo", type=Path, metavar="FILE", help="where W goes in NeMo-RL's format, a .pt")
    project.add_argument("--top-k", type=int, default=default.top_k, help="entries that a row keeps (default: 4)")
    project.add_argument(
        "--max-pieces", type=int, default=default.max_pieces, help="teacher tokens that may spell one (default: 4)"
    )
    project.add_argument("--beta", type=float, default=default.beta, help="weight of the first piece (default: 0.9)")
    project.add_argument("--gamma", type=float, default=default.gamma, help="weight of each next one (default: 0.1)")
    project.add_argument(
        "--long", choices=get_args(Long), default=default.long, help="what becomes of tokens of more pieces"
    )
    project.add_argument("--json", action="store_true", help="as JSON")
    project.set_defaults(command=_project)


def _add_row(commands: "argparse._SubParsersAction[_Parser]") -> None:
    row = commands.add_parser("row", help="show one row of a projection matrix")
    row.add_argument("file", type=Path, metavar="FILE", help="a W that `project` saved")
    row.add_argument("token", metavar="TOKEN", help="a student token: its text, or id:N")
    row.add_argument("--threshold", type=float, default=THRESHOLD, help="of the relaxed common set (default: 0.6)")
    row.add_argument("--student", metavar="STUDENT", help="where the file's own is none of the catalogue")
    row.add_argument("--teacher", metavar="TEACHER", help="the same")
    row.add_argument("--json", action="store_true", help="as JSON")
    row.set_defaults(command=_row)


def _add_audit(commands: "argparse._SubParsersAction[_Parser]") -> None:
    audit = commands.add_parser("audit", help="what teachers can teach a student, and which loss to use")
    audit.add_argument("student", metavar="STUDENT", help=NAMES)
    audit.add_argument("teachers", nargs="+", metavar="TEACHER", help="the same")
    audit.add_argument("--file", type=Path, metavar="CORPUS", help="a text in UTF-8 of any length, or a .jsonl")
    audit.add_argument("--field", help="the field of a .jsonl file; its first text field if left out")
    audit.add_argument(
        "--critical", choices=PRESETS, default="math", help="categories that must not be lost (default: math)"
    )
    audit.add_argument("--threshold", type=float, default=THRESHOLD, help="of the relaxed common set (default: 0.6)")
    audit.add_argument("--json", action="store_true", help="as JSON")
    audit.set_defaults(command=_audit)


def _tokenizers(options: argparse.Namespace) -> None:
    if options.json:
        _print_json([export.entry_json(entry) for entry in catalog.ENTRIES.values()])
        return
    for entry in catalog.ENTRIES.values():
        print(f"{entry.name:13} {entry.ids:>8,} ids  sha256 {entry.sha256[:12]}  {entry.licence:28}  {entry.source}")
    print(llama.NOTICE)


def _align(options: argparse.Namespace) -> None:
    text = options.text if options.text is not None else _read(options)
    student, teacher = catalog.load(options.student), catalog.load(options.teacher)
    alignment = align(
        student.encode(text, special=options.special),
        teacher.encode(text, special=options.special),
        scoring=options.scoring,
    )
    if options.json:
        _print_json(export.as_json(student, teacher, alignment, scoring=options.scoring, text=text))
        return
    for tokenizer, sequence in ((student, alignment.student), (teacher, alignment.teacher)):
        tokens = "token" if len(sequence) == 1 else "tokens"
        print(f"{_one_line(tokenizer.name)}  sha256 {tokenizer.sha256[:12]}  {len(sequence):,} {tokens}")
    print("".join(f"{shape.value} {count:,}  " for shape, count in alignment.counts().items() if count).rstrip())
    for chunk in alignment:
        print(_line(alignment, chunk))


def _read(options: argparse.Namespace) -> str:
    name = str(options.file)
    try:
        content = read_up_to(options.file, texts.MAX_TEXT_BYTES)
    except OSError as error:
        raise TextError(f"{name} can't be read: {error.strerror}. Check the path.") from error
    text = texts.decode(content, name)
    if options.file.suffix != ".jsonl":
        return text
    records = texts.json_lines(text, name)
    field = options.field or next(iter(records.fields()), "text")
    return records.text(options.record - 1, field)


def _line(alignment: Alignment, chunk: Chunk) -> str:
    student = told(alignment.student, chunk.student)
    teacher = told(alignment.teacher, chunk.teacher)
    return f"{chunk.shape.value:12} {student or '∅'}  =  {teacher or '∅'}"


def _project(options: argparse.Namespace) -> None:
    from xtoken_core import projection_cli  # only here: the other commands need no safetensors

    built_with = Options(options.top_k, options.max_pieces, options.beta, options.gamma, options.long)
    _print(
        projection_cli.project(options.student, options.teacher, built_with, out=options.out, nemo_out=options.nemo),
        as_json=options.json,
    )


def _row(options: argparse.Namespace) -> None:
    from xtoken_core import projection_cli

    shown = projection_cli.row(
        options.file, options.token, threshold=options.threshold, student=options.student, teacher=options.teacher
    )
    _print(shown, as_json=options.json)


def _audit(options: argparse.Namespace) -> None:
    from xtoken_core import audit_cli  # only here: the other commands need no pyarrow

    watched = sys.stderr is not None and sys.stderr.isatty()
    try:
        shown = audit_cli.audit(
            options.student,
            options.teachers,
            file=options.file,
            field=options.field,
            critical=options.critical,
            threshold=options.threshold,
            progress=_show_progress if watched else None,
        )
    finally:
        if watched:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # the line is cleared for what comes
    _print(shown, as_json=options.json)


def _show_progress(per_cent: int) -> None:
    print(f"\rcorpus {per_cent:3} %", end="", file=sys.stderr, flush=True)


def _print(shown: "projection_cli.Shown", *, as_json: bool) -> None:
    if as_json:
        _print_json(shown.plain)
    else:
        print("\n".join(shown.lines))


def _print_json(value: Any) -> None:
    print(json.dumps(value))
