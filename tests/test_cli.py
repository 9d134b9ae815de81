"""The shell's commands, run as a user runs them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.handmade import added, as_bytes, byte_level, template
from tests.real import load
from xtoken_core import advice, catalog, cli, common_set, corpus, export, hub, llama, nemo, projection_file, samples
from xtoken_core.alignment import align
from xtoken_core.audit import reach
from xtoken_core.matrix import Options, Rule
from xtoken_core.projection import build

TEXT = "The 201 cats <img>"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m xtoken_core ARGUMENTS`, its output as UTF-8."""
    return subprocess.run(
        [sys.executable, "-m", "xtoken_core", *arguments],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"} | environment,
    )


class Shell:
    """The same in this process, where most facts need no new one."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        try:
            code = cli.main(arguments)
        except SystemExit as stopped:  # argparse stops so
            code = int(stopped.code or 0)
        out, err = self._capture.readouterr()
        return code, out, err

    def json(self, *arguments: str) -> Any:
        code, out, err = self(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    def refused(self, *arguments: str) -> str:
        """The one line on stderr of a command that the user got wrong."""
        code, out, err = self(*arguments)
        assert (code, out) == (2, "")
        assert re.fullmatch(r"xtoken_core[^\n]*: [^\n]+\n", err)
        return err


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setattr(catalog, "load", _loaded_once(catalog.load))
    return Shell(capsys)


def _loaded_once(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda name: load(name) if name in catalog.ENTRIES else read(name)


def expected(student: str, teacher: str, text: str, *, special: bool = True, scoring: Any = "exact") -> Any:
    sides = [load(name) for name in (student, teacher)]
    alignment = align(*(side.encode(text, special=special) for side in sides), scoring=scoring)
    return json.loads(json.dumps(export.as_json(*sides, alignment, scoring=scoring, text=text)))


def test_the_module_runs_as_a_program() -> None:
    ran = run("tokenizers", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [entry["name"] for entry in json.loads(ran.stdout)] == list(catalog.ENTRIES)
    assert all(entry["sha256"] == catalog.ENTRIES[entry["name"]].sha256 for entry in json.loads(ran.stdout))


def test_the_tokenizers_are_listed_one_a_line_with_llamas_notice(shell: Shell) -> None:
    code, out, err = shell("tokenizers")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[:-1]] == list(catalog.ENTRIES)
    assert out.splitlines()[-1] == llama.NOTICE


def test_an_alignment_is_read_by_a_person() -> None:
    ran = run("align", "gpt2", "smollm2", "--text", TEXT)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [
        "gpt2  sha256 8414cab924d8  6 tokens",
        "smollm2  sha256 9ca9acddb652  9 tokens",
        "1-1 5  1-n 1",
        "1-1          The  =  The",
        "1-n          ·201  =  · | 2 | 0 | 1",
        "1-1          ·cats  =  ·cats",
        "1-1          ·<  =  ·<",
        "1-1          img  =  img",
        "1-1          >  =  >",
    ]


def test_a_gap_shows_the_empty_side_and_the_special_token(shell: Shell) -> None:
    _, out, _ = shell("align", "mistral-v0.3", "gpt2", "--text", "Hi")
    assert "student_gap  [<s>]  =  ∅" in out.splitlines()
    assert "1-1          Hi  =  Hi" in out.splitlines()


@pytest.mark.parametrize("text", ["", TEXT, "naïve 😀\n\ttab"])
def test_the_json_of_a_text_is_the_alignment(text: str, shell: Shell) -> None:
    assert shell.json("align", "mistral-v0.3", "gpt2", "--text", text) == expected("mistral-v0.3", "gpt2", text)


@pytest.mark.parametrize("scoring", ["exact", "paper", "surface"])
def test_each_scoring_is_the_one_that_is_asked_for(scoring: str, shell: Shell) -> None:
    plain = shell.json("align", "gpt2", "smollm2", "--text", TEXT, "--scoring", scoring)
    assert plain["scoring"] == scoring
    assert plain == expected("gpt2", "smollm2", TEXT, scoring=scoring)


def test_without_special_tokens_there_is_no_bos(shell: Shell) -> None:
    plain = shell.json("align", "mistral-v0.3", "gpt2", "--text", TEXT, "--no-special")
    assert plain == expected("mistral-v0.3", "gpt2", TEXT, special=False)
    assert plain["student"]["ids"][0] != 1


def test_a_file_is_its_text(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "a.txt").write_bytes("caf\u00e9\r\nfin".encode())
    plain = shell.json("align", "gpt2", "smollm2", "--file", str(tmp_path / "a.txt"))
    assert plain == expected("gpt2", "smollm2", "caf\u00e9\r\nfin")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "one?"),
        (["--field", "answer"], "two"),
        (["--record", "2", "--field", "answer"], "three"),
        (["--record", "2"], "four?"),
    ],
)
def test_a_records_field_is_its_text(options: list[str], text: str, tmp_path: Path, shell: Shell) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"id": 1, "question": "one?", "answer": "two"}\n\n{"question": "four?", "answer": "three"}\n')
    plain = shell.json("align", "gpt2", "smollm2", "--file", str(file), *options)
    assert plain == expected("gpt2", "smollm2", text)


def test_a_folder_is_a_tokenizer_here_too(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "tokenizer.json").write_bytes(as_bytes(byte_level("H", "i")))
    plain = shell.json("align", str(tmp_path), "gpt2", "--text", "Hi")
    assert [chunk["shape"] for chunk in plain["chunks"]] == ["n-1"]


def test_an_error_is_one_line_on_stderr_and_exit_code_two() -> None:
    ran = run("align", "gpt2", "no-such-name", "--text", "a")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert re.fullmatch(r"xtoken_core: No tokenizer is called 'no-such-name'\. Type one of [^\n]+\n", ran.stderr)


def test_a_panic_of_the_library_ends_in_the_same_sentence(tmp_path: Path, shell: Shell) -> None:
    spec = byte_level("a", post_processor=template("<q>", 0) | {"special_tokens": {}})
    (tmp_path / "tokenizer.json").write_bytes(as_bytes(spec))
    assert "can't encode this text" in shell.refused("align", str(tmp_path), "gpt2", "--text", "a")


def test_a_file_that_can_not_be_read_is_told(tmp_path: Path, shell: Shell) -> None:
    def align_file(name: str, *options: str) -> str:
        return shell.refused("align", "gpt2", "smollm2", "--file", str(tmp_path / name), *options)

    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "empty.jsonl").write_text("\n")
    assert "can't be read: No such file or directory. Check the path." in align_file("missing.txt")
    assert "can't be read: Is a directory. Check the path." in align_file("")
    assert "is not UTF-8: byte 3 is 0xE9" in align_file("latin.txt")
    assert "has no records" in align_file("empty.jsonl")
    assert "has no text in the field 'prompt'. Its text fields: text." in align_file("a.jsonl", "--field", "prompt")
    for number in ("2", "0", "-1"):
        assert f"Record {number} of" in align_file("a.jsonl", f"--record={number}")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-command"],
        ["align"],
        ["align", "gpt2", "gpt2"],
        ["align", "gpt2", "gpt2", "--text", "a", "--file", "b"],
        ["align", "gpt2", "gpt2", "--text", "a", "--scoring", "best"],
        ["align", "gpt2", "gpt2", "--text", "a", "--record", "x"],
        ["align", "gpt2", "gpt2", "--text", "a", "surplus\nline\x1b[31m"],
        ["align", "gpt2", "gpt2", "--text", "a", "--no-such-option"],
        ["tokenizers", "--jsonl"],
    ],
)
def test_a_command_line_that_is_wrong_is_told_in_one_line(arguments: list[str], shell: Shell) -> None:
    line = shell.refused(*arguments)
    assert "--help lists the options" in line
    assert "\x1b" not in line


def test_a_table_of_the_paper_that_would_be_too_large_is_told(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "long.txt").write_text("a b " * 5_000)
    command = ("align", "gpt2", "smollm2", "--file", str(tmp_path / "long.txt"), "--scoring", "paper")
    assert "are 100,020,001 cells, and the limit is 32,000,000. Take a shorter text" in shell.refused(*command)


ESCAPES = "red \x1b[31mred\x07\u202eback\u2066 \r\x9b2J"


def test_escapes_in_a_text_never_reach_the_terminal_raw(shell: Shell) -> None:
    for student, teacher in (("gpt2", "smollm2"), ("mistral-v0.3", "llama-3.2")):
        for options in ([], ["--json"], ["--scoring", "surface"], ["--scoring", "paper"]):
            code, out, err = shell("align", student, teacher, "--text", ESCAPES, *options)
            assert (code, err) == (0, "")
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", out)


def test_escapes_in_a_name_or_a_field_never_reach_the_terminal_raw(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "a.jsonl").write_text('{"\\u001b[2J\\u202e": "a"}\n')
    lines = [
        shell.refused("align", "gpt2", "gpt2", "--file", str(tmp_path / "a.jsonl"), "--field", "x"),
        shell.refused("align", "gpt2", "gpt2", "--file", str(tmp_path / "\x1b[2J\u202e.txt")),
        shell.refused("align", "\x1b[2J\u202e", "gpt2", "--text", "a"),
    ]
    assert all("[2J" in line for line in lines)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", "".join(lines))


def test_a_terminal_that_lacks_a_character_gets_its_number() -> None:
    ran = run("align", "mistral-v0.3", "gpt2", "--text", "é 中", PYTHONIOENCODING="ascii")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert r"[<s>]  =  \u2205" in ran.stdout


def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("Hello world. " * 20_000)
    command = f"{sys.executable} -m xtoken_core align gpt2 smollm2 --file {tmp_path / 'long.txt'} | head -1"
    ran = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.fullmatch(r"gpt2  sha256 8414cab924d8  [0-9,]+ tokens\n", ran.stdout)


def test_a_file_without_end_is_refused_at_the_limit(shell: Shell) -> None:
    code, out, err = shell("align", "gpt2", "gpt2", "--file", "/dev/zero")
    assert (code, out) == (2, "")
    assert "texts up to" in err


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of W of GPT-2 and SmolLM2."""
    file = tmp_path_factory.mktemp("w") / "w.safetensors"
    projection_file.write(build(load("gpt2"), load("smollm2")), file)
    return file


def test_a_projection_is_built_saved_and_counted(tmp_path: Path, shell: Shell) -> None:
    out = tmp_path / "w.safetensors"
    plain = shell.json("project", "gpt2", "smollm2", "--out", str(out))
    built = build(load("gpt2"), load("smollm2"))
    assert out.read_bytes() == projection_file.save(built)
    assert plain["rows"] == {"exact": 36_960, "multi": 13_035, "special": 1, "empty": 261}
    assert plain["student"] == {"name": "gpt2", "sha256": catalog.ENTRIES["gpt2"].sha256}
    assert plain["teacher"] == {"name": "smollm2", "sha256": catalog.ENTRIES["smollm2"].sha256}
    assert plain["out"] == str(out)
    assert 0 < plain["build_seconds"] < 60
    assert 0 <= plain["peak_mb"] < 1_000


def test_a_projection_is_told_to_a_person(tmp_path: Path, shell: Shell) -> None:
    code, out, err = shell("project", "gpt2", "smollm2", "--out", str(tmp_path / "w.safetensors"))
    assert (code, err) == (0, "")
    assert out.splitlines()[:-1] == [
        "student  gpt2  50,257 ids  sha256 8414cab924d8",
        "teacher  smollm2  49,152 ids  sha256 9ca9acddb652",
        "exact       36,960   73.5 %",
        "multi       13,035   25.9 %",
        "special          1    0.0 %",
        "empty          261    0.5 %",
    ]
    assert re.fullmatch(r"built in \d+\.\d\d s with \d+ MB of memory", out.splitlines()[-1])


def test_the_options_of_a_projection_are_its_options(tmp_path: Path, shell: Shell) -> None:
    options = ["--top-k", "3", "--max-pieces", "2", "--beta", "0.8", "--gamma", "0.5", "--long", "truncate"]
    shell.json("project", "gpt2", "smollm2", "--out", str(tmp_path / "w"), *options)
    assert projection_file.read(tmp_path / "w").options == Options(3, 2, 0.8, 0.5, "truncate")
    shell.json("project", "gpt2", "smollm2", "--out", str(tmp_path / "w"))
    assert projection_file.read(tmp_path / "w").options == Options()


def test_a_projection_goes_into_nemos_format_too(tmp_path: Path, shell: Shell) -> None:
    shell.json("project", "gpt2", "smollm2", "--out", str(tmp_path / "w"), "--nemo", str(tmp_path / "w.pt"))
    assert (tmp_path / "w.pt").read_bytes() == nemo.save(projection_file.read(tmp_path / "w"))


@pytest.mark.parametrize("again", ["w", "./w", "link", "folder/../w", "same/w"])
def test_one_file_for_both_formats_is_refused_and_nothing_is_written(again: str, tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("w")
    (tmp_path / "same").symlink_to(".")
    out = f"{tmp_path}/w"
    told = shell.refused("project", "gpt2", "smollm2", "--out", out, "--nemo", f"{tmp_path}/{again}")
    assert f"--out and --nemo both name {out}. Give each file a name of its own." in told
    assert sorted(file.name for file in tmp_path.iterdir()) == ["folder", "link", "same"]


def test_a_projection_that_can_not_be_built_or_written_is_told(tmp_path: Path, shell: Shell) -> None:
    def project(*options: str) -> str:
        return shell.refused("project", "gpt2", "smollm2", *options)

    out = ("--out", str(tmp_path / "w"))
    assert "required: --out" in project()
    assert "The top-k was given as 65; it must be a whole number from 1 to 64." in project(*out, "--top-k", "65")
    assert "The γ was given as nan; it must be above 0, at most 1." in project(*out, "--gamma", "nan")
    assert "invalid choice: 'keep'" in project(*out, "--long", "keep")
    assert "can't be written: No such file or directory. Check the folder" in project(
        "--out", str(tmp_path / "a" / "w")
    )
    assert "can't be written: " in project(*out, "--nemo", str(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["w"]


def test_a_row_as_json_names_its_tokens_and_its_place_in_the_common_sets(w: Path, shell: Shell) -> None:
    assert shell.json("row", str(w), "201") == {
        "token": {"id": 1264, "bytes_hex": "323031"},
        "rule": "multi",
        "pieces": 3,
        "trimmed": 0.0,
        "entries": [
            {"id": 34, "weight": pytest.approx(0.9009, abs=1e-4), "bytes_hex": "32"},
            {"id": 32, "weight": pytest.approx(0.0901, abs=1e-4), "bytes_hex": "30"},
            {"id": 33, "weight": pytest.approx(0.0090, abs=1e-4), "bytes_hex": "31"},
        ],
        "strict": False,
        "relaxed": False,
        "taken_by": 17,
    }
    exact = shell.json("row", str(w), " the")
    assert [exact[name] for name in ("strict", "relaxed", "taken_by")] == [True, True, None]


def test_a_row_is_told_to_a_person(w: Path, shell: Shell) -> None:
    assert shell("row", str(w), "201")[1].splitlines() == [
        "    1264  multi    201  3 pieces",
        "      34   0.9009  2",
        "      32   0.0901  0",
        "      33   0.0090  1",
        "strict no, relaxed no; its teacher token went to 17 2",
    ]
    assert shell("row", str(w), "<|endoftext|>")[1].splitlines() == [
        "   50256  special  [<|endoftext|>]",
        "       0   1.0000  [<|endoftext|>]",
        "strict no, relaxed yes",
    ]


def test_a_threshold_decides_who_is_in_the_relaxed_set(w: Path, shell: Shell) -> None:
    row = next(k for k in range(50_257) if relaxed_only(w, k))
    assert shell.json("row", str(w), f"id:{row}")["relaxed"]
    assert not shell.json("row", str(w), f"id:{row}", "--threshold", "1")["relaxed"]
    assert "The threshold was given as 2.0; it must be" in shell.refused("row", str(w), "201", "--threshold", "2")


@cache
def _sets(file: Path) -> tuple[Any, Any]:
    projection = projection_file.read(file)
    strict, relaxed = common_set.strict(projection), common_set.relaxed(projection)
    multi = projection.rules == Rule.MULTI
    return strict.contains(len(multi)), relaxed.contains(len(multi)) & multi


def relaxed_only(file: Path, token: int) -> bool:
    strict, relaxed = _sets(file)
    return bool(relaxed[token] and not strict[token])


@pytest.mark.parametrize(
    ("token", "found"),
    [
        ("id:1264", 1264),
        ("201", 1264),
        (" the", 262),
        ("\n", 198),
        ("<|endoftext|>", 50256),
        ("\udce2\udc80", 447),  # how Python gets the bytes E2 80 from a shell
        ("id:007", 7),
    ],
)
def test_a_token_is_named_by_its_text_its_bytes_its_form_or_its_id(
    token: str, found: int, w: Path, shell: Shell
) -> None:
    assert shell.json("row", str(w), token)["token"]["id"] == found


def test_a_text_that_is_no_token_is_told_with_its_tokens(w: Path, shell: Shell) -> None:
    def row(token: str) -> str:
        return shell.refused("row", str(w), token)

    assert "gpt2 has no token 'two cats'; it cuts that text into 2: two | ·cats. Ask for one of" in row("two cats")
    assert "gpt2 has no token ''; it cuts that text into 0: none." in row("")
    assert "Row 50257 was asked for, but gpt2 has the ids 0 to 50256." in row("id:50257")
    assert "Row 999999999999999999 was asked" in row("id:" + "9" * 18)
    assert "gpt2 has no token 'id:-1'" in row("id:-1")
    assert "lone surrogate" in row("a\udcffb\udcff")


def test_of_several_ids_for_the_same_bytes_the_one_that_is_emitted_is_shown(tmp_path: Path, shell: Shell) -> None:
    spec = byte_level("\u0120", "b", added_tokens=[added(2, " ", special=False)])
    (tmp_path / "tokenizer.json").write_bytes(as_bytes(spec))
    shell.json("project", str(tmp_path), "gpt2", "--out", str(tmp_path / "w"))
    row = shell.json("row", str(tmp_path / "w"), " ", "--student", str(tmp_path))
    assert (row["token"]["id"], row["strict"]) == (2, True)
    assert shell.json("row", str(tmp_path / "w"), "id:0", "--student", str(tmp_path))["taken_by"] == 2


def test_a_name_in_a_file_opens_no_path_and_asks_no_hub(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tokenizer.json").write_bytes(as_bytes(byte_level("a", "b")))
    mine = catalog.load(str(tmp_path))
    monkeypatch.setattr(hub, "fetch", lambda name: pytest.fail(f"{name} was fetched"))
    for name in (str(tmp_path), "Qwen/Qwen3-8B", "GPT-2", "\x1b[2J"):
        projection_file.write(build(replace(mine, name=name), load("gpt2")), tmp_path / "w")
        told = shell.refused("row", str(tmp_path / "w"), "a")
        assert "which is no name of the catalogue, and a name in a file isn't followed to paths or hubs." in told
        assert told.endswith("Say which tokenizer that is with --student.\n")
        assert "\x1b" not in told
    assert shell.json("row", str(tmp_path / "w"), "a", "--student", str(tmp_path))["strict"]


def test_a_name_in_a_file_is_checked_against_its_hash(tmp_path: Path, shell: Shell) -> None:
    projection_file.write(build(replace(load("smollm2"), name="gpt2"), load("smollm2")), tmp_path / "w")
    told = shell.refused("row", str(tmp_path / "w"), "a")
    assert "This W was built for the student gpt2 (49,152 ids, sha256 9ca9acddb652), but the student is gpt2" in told
    assert shell.json("row", str(tmp_path / "w"), "a", "--student", "smollm2")["strict"]
    told = shell.refused("row", str(tmp_path / "w"), "a", "--student", "smollm2", "--teacher", "gpt2")
    assert "but the teacher is gpt2" in told


def test_a_file_that_is_no_projection_is_told(tmp_path: Path, w: Path, shell: Shell) -> None:
    (tmp_path / "cut").write_bytes(w.read_bytes()[:1_000])
    assert "it is no whole safetensors file" in shell.refused("row", str(tmp_path / "cut"), "a")
    assert "can't be read: No such file or directory. Check the path." in shell.refused("row", str(tmp_path / "x"), "a")


PUBLISHED = {
    "qwen3": ([13, 13], [0, 100], [0, 1000], [32, 32], "p-kl"),
    "phi-4-mini": ([13, 13], [100, 100], [1000, 1000], [32, 32], "h-kl"),
}


def test_an_audit_gives_the_published_counts_and_advice_in_the_order_of_the_teachers(shell: Shell) -> None:
    plain = shell.json("audit", "llama-3.2", *PUBLISHED)
    assert plain.keys() == {"student", "teachers"}
    assert plain["student"] == {"name": "llama-3.2", "sha256": catalog.ENTRIES["llama-3.2"].sha256}
    assert [teacher["name"] for teacher in plain["teachers"]] == list(PUBLISHED)
    for teacher in plain["teachers"]:
        one, two, three, punctuation, loss = PUBLISHED[teacher["name"]]
        assert teacher["published"] == {
            "one_digit": one,
            "two_digit": two,
            "three_digit": three,
            "ascii_punctuation": punctuation,
        }
        assert teacher["advice"]["loss"] == loss
        assert all(isinstance(teacher["advice"][part], list) for part in ("reasons", "against"))
        assert teacher["advice"]["rule"]
        assert teacher["sha256"] == catalog.ENTRIES[teacher["name"]].sha256
        assert sum(category["tokens"] for category in teacher["categories"]) == 128_256
        overlap = teacher["overlap"]
        assert overlap["of_smaller"] == overlap["shared"] / min(overlap["student"], overlap["teacher"])


def test_the_direction_of_an_audit_is_that_of_both_ways(shell: Shell) -> None:
    plain = shell.json("audit", "llama-3.2", "qwen3", "gpt2")
    assert [teacher["direction"] for teacher in plain["teachers"]] == [
        {"to_teacher": 109_827 / 151_669, "to_student": 110_562 / 128_256, "reaches_more": "to_student"},
        {"to_teacher": 44_085 / 50_257, "to_student": 43_772 / 128_256, "reaches_more": "to_teacher"},
    ]
    lines = shell("audit", "llama-3.2", "qwen3")[1].splitlines()
    place = next(k for k, line in enumerate(lines) if line.startswith("advice: "))
    assert lines[place - 1] == (
        "P-KL's direction: W reaches 72.4 % of the teacher's tokens; built from teacher to student it reaches 86.2 % "
        "of the student's. By that, to_student loses less."
    )


def test_the_direction_by_a_corpus_counts_what_occurs_in_it(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "a.txt").write_text(samples.text("mathematics"), encoding="utf-8")
    plain = shell.json("audit", "llama-3.2", "gpt2", "qwen3", "--file", str(tmp_path / "a.txt"))
    for teacher in plain["teachers"]:
        sides = load("llama-3.2"), load(teacher["name"])
        often = [
            corpus.count(side, corpus.pieces_of_text(samples.text("mathematics"))).counts for side in reversed(sides)
        ]
        ways = zip((sides, sides[::-1]), often, strict=True)
        there, back = (reach(build(*way), occurrences=counts).share_reached for way, counts in ways)
        assert (teacher["direction"]["to_teacher"], teacher["direction"]["to_student"]) == (there, back)
    qwen = plain["teachers"][1]["direction"]
    assert (round(qwen["to_teacher"], 3), round(qwen["to_student"], 3)) == (0.999, 0.869)
    assert qwen["reaches_more"] == "to_teacher"


def test_a_category_of_an_audit_has_the_numbers_of_its_rows(shell: Shell) -> None:
    categories = shell.json("audit", "gpt2", "smollm2")["teachers"][0]["categories"]
    w = build(load("gpt2"), load("smollm2"))
    names = {"name", "tokens", "strict", "relaxed", "multi", "multi_by_pieces", "empty"}
    assert all(category.keys() == names for category in categories)
    assert all(sum(category["multi_by_pieces"]) == category["multi"] for category in categories)
    totals = {name: sum(category[name] for category in categories) for name in names - {"name", "multi_by_pieces"}}
    assert totals == {
        "tokens": 50_257,
        "strict": len(common_set.strict(w)),
        "relaxed": len(common_set.relaxed(w)),
        "multi": 13_035,
        "empty": 261,
    }


def test_an_audit_is_told_to_a_person_in_aligned_columns_and_sentences(shell: Shell) -> None:
    code, out, err = shell("audit", "gpt2", "smollm2", "mistral-v0.3")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "student  gpt2  50,257 ids  sha256 8414cab924d8"
    assert [line for line in lines if line.startswith("teacher")] == [
        "teacher  smollm2  49,152 ids  sha256 9ca9acddb652",
        f"teacher  mistral-v0.3  32,768 ids  sha256 {catalog.ENTRIES['mistral-v0.3'].sha256[:12]}",
    ]
    head = next(k for k, line in enumerate(lines) if line.startswith("category"))
    table = lines[head : lines.index("", head)]
    table = table[: next(k for k, line in enumerate(table) if line.startswith("vocabularies"))]
    assert table[0].split() == ["category", "tokens", "strict", "relaxed", "multi", "empty"]
    assert len({len(line) for line in table}) == 1
    assert re.fullmatch(r"one digit +11 +11 +11 +0 +0", table[1])
    assert sum(line.startswith("advice: ") for line in lines) == 2


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    file = tmp_path / "corpus.txt"
    file.write_bytes("In 2024 we sold 201 lamps, 35 more than in 2023. Café!\r\n".encode() * 3)
    return file


def test_a_corpus_weighs_the_categories_and_tells_each_tokenizers_fertility(text_file: Path, shell: Shell) -> None:
    plain = shell.json("audit", "gpt2", "smollm2", "mistral-v0.3", "--file", str(text_file))
    size = len(text_file.read_bytes())
    assert plain["corpus"]["bytes"] == size
    for side, name in zip(plain["corpus"]["tokenizers"], ("gpt2", "smollm2", "mistral-v0.3"), strict=True):
        tokens = len(load(name).backend.encode(text_file.read_bytes().decode(), add_special_tokens=False))
        assert side == {"name": name, "tokens": tokens, "bytes_per_token": size / tokens}
    for teacher in plain["teachers"]:
        occurrences = {category["name"]: category["occurrences"] for category in teacher["categories"]}
        assert sum(occurrences.values()) == plain["corpus"]["tokenizers"][0]["tokens"]
        assert occurrences["two_digits"] == 3  # 2024 is " 20" and "24"
        assert all(0 <= category["share_outside"] <= 1 for category in teacher["categories"])
    _, out, _ = shell("audit", "gpt2", "smollm2", "--file", str(text_file))
    assert re.search(r"^category .* occurrences  outside$", out, re.MULTILINE)
    assert re.search(rf"^corpus   {size} bytes$", out, re.MULTILINE)


def test_a_corpus_of_records_is_the_field_that_is_asked_for(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "a.jsonl").write_text('{"question": "one", "answer": "two three"}\n' * 2)

    def size(*options: str) -> int:
        plain = shell.json("audit", "gpt2", "smollm2", "--file", str(tmp_path / "a.jsonl"), *options)
        return int(plain["corpus"]["bytes"])

    assert (size(), size("--field", "answer")) == (6, 18)


def test_a_corpus_without_tokens_is_no_error(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": ""}\n')
    plain = shell.json("audit", "gpt2", "smollm2", "--file", str(tmp_path / "a.jsonl"))
    assert plain["corpus"]["bytes"] == 0
    assert all(category["occurrences"] == 0 for category in plain["teachers"][0]["categories"])


def test_the_options_of_an_audit_are_its_options(shell: Shell) -> None:
    def relaxed(*options: str) -> int:
        teacher = shell.json("audit", "gpt2", "smollm2", *options)["teachers"][0]
        return sum(category["relaxed"] for category in teacher["categories"])

    assert relaxed("--threshold", "0.6") == relaxed() > relaxed("--threshold", "1")
    found = {
        critical: shell.json("audit", "gpt2", "mistral-v0.3", "--critical", critical)["teachers"][0]["advice"]
        for critical in cli.PRESETS
    }
    assert found["math"] == shell.json("audit", "gpt2", "mistral-v0.3")["teachers"][0]["advice"]
    assert len({json.dumps(one) for one in found.values()}) == len(cli.PRESETS)


def test_the_presets_of_the_shell_are_those_of_the_advice() -> None:
    assert tuple(advice.PRESETS) == cli.PRESETS


def test_the_same_tokenizer_is_told_plain_kl(shell: Shell) -> None:
    assert shell.json("audit", "gpt2", "gpt2")["teachers"][0]["advice"]["loss"] == "kl"


def test_an_audit_that_can_not_be_made_is_told(tmp_path: Path, shell: Shell) -> None:
    def audit(*options: str) -> str:
        return shell.refused("audit", "gpt2", "smollm2", *options)

    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{\n')
    assert "required: TEACHER" in shell.refused("audit", "gpt2")
    assert "No tokenizer is called 'no-such-name'" in audit("no-such-name")
    assert "invalid choice: 'physics'" in audit("--critical", "physics")
    assert "The threshold was given as nan; it must be" in audit("--threshold", "nan")
    assert "missing.txt can't be read: No such file or directory." in audit("--file", str(tmp_path / "missing.txt"))
    assert "can't be read: Is a directory. Check the path." in audit("--file", str(tmp_path))
    assert "latin.txt is not UTF-8: byte 3 is 0xE9." in audit("--file", str(tmp_path / "latin.txt"))
    assert "empty.txt is empty." in audit("--file", str(tmp_path / "empty.txt"))
    assert "Record 2 of" in audit("--file", str(tmp_path / "a.jsonl"))
    assert "no text in the field 'x'" in audit("--file", str(tmp_path / "a.jsonl"), "--field", "x")
    assert "/dev/zero is a device, which may have no end." in audit("--file", "/dev/zero")


def test_a_terminal_sees_how_far_a_corpus_is_and_others_do_not(
    text_file: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("audit", "gpt2", "smollm2", "--file", str(text_file))
    assert shell(*command)[2] == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    code, out, err = shell(*command)
    assert (code, err) == (0, "\rcorpus 100 %\r\x1b[K")
    assert out == shell(*command)[1]
    text_file.write_bytes(b"\xff")
    assert re.fullmatch(r"\r\x1b\[Kxtoken_core: [^\n]+ is not UTF-8[^\n]+\n", shell(*command)[2])


def test_an_audit_runs_without_torch_or_streamlit() -> None:
    program = (
        "import sys; from xtoken_core import cli; assert cli.main(['audit', 'gpt2', 'smollm2']) == 0;"
        "assert not {'torch', 'transformers', 'streamlit'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
