"""The benchmarks run, and the examples in docs/ are true."""

import doctest
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import audit, projection

ROOT = Path(__file__).parent.parent
COUNTS = {"student_tokens", "teacher_tokens", "chunks"}
MEASURES = {"tokens_per_second", "milliseconds", "median_milliseconds", "peak_mb"}


@pytest.mark.parametrize(("document", "least"), [("algorithm.md", 20), ("projection.md", 40)])
def test_the_examples_of_a_document_are_true(document: str, least: int) -> None:
    failed, tried = doctest.testfile(str(ROOT / "docs" / document), module_relative=False, encoding="utf-8")
    assert failed == 0
    assert tried > least


def test_the_alignment_benchmark_measures_every_method_on_every_text() -> None:
    command = [sys.executable, "-m", "benchmarks.alignment", "--quick", "--json"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    rows = json.loads(finished.stdout)
    methods = {"from_ids", "align", "paper", "surface"}
    assert {frozenset(row) for row in rows} == {
        frozenset(COUNTS | MEASURES | {"text", "student", "teacher", "method", "unmatched_tokens"})
    }
    by_text: dict[tuple[str, str, int], set[str]] = {}
    for row in rows:
        by_text.setdefault((row["text"], row["teacher"], row["student_tokens"]), set()).add(row["method"])
        assert all(row[name] > 0 for name in COUNTS | MEASURES), row
        assert 0 <= row["unmatched_tokens"] <= row["student_tokens"] + row["teacher_tokens"]
    assert set(map(frozenset, by_text.values())) == {frozenset(methods)}
    assert {text for text, _, _ in by_text} >= {"English prose", "code", "digits", "emoji", "CJK", "Cyrillic", "chat"}


def test_the_projection_benchmark_measures_every_pair_and_the_identities() -> None:
    command = [sys.executable, "-m", "benchmarks.projection", "--quick", "--json"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    rows = json.loads(finished.stdout)
    pairs = [("smollm2", "gpt2"), ("gpt2", "smollm2"), ("smollm2", "smollm2"), ("gpt2", "gpt2")]
    assert [(row["student"], row["teacher"]) for row in rows] == pairs
    for row in rows:
        assert sum(row[rule] for rule in ("exact", "multi", "special", "empty")) == row["rows"]
        assert 0 < row["milliseconds"] <= row["median_milliseconds"]
        assert min(row[name] for name in ("peak_mb", "file_mb", "load_milliseconds")) > 0
        assert (row["multi"] == row["empty"] == row["unreached"] == 0) == (row["student"] == row["teacher"])


def test_the_projection_benchmark_prints_a_markdown_table() -> None:
    row = projection.Row("gpt2", "smollm2", 50257, 36960, 13035, 1, 261, 11765, 180.25, 190.0, 27.0, 2.1, 1234.0)
    lines = [*projection.HEAD.splitlines(), projection.line(row)]
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2] == (
        "| gpt2 | smollm2 | 50,257 | 36,960 | 13,035 | 1 | 261 | 11,765 | 180.2 | 190.0 | 27.0 | 2.1 | 1,234.0 |"
    )


def test_the_audit_benchmark_measures_an_audit_and_a_weighted_text() -> None:
    command = [sys.executable, "-m", "benchmarks.audit", "--quick", "--json"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    (row,) = json.loads(finished.stdout)
    assert (row["student"], row["teacher"]) == ("smollm2", "gpt2")
    assert 0 < row["audit_milliseconds"] < row["anew_milliseconds"]
    assert row["text_mb"] >= 0.5
    assert min(row[name] for name in ("weighted_seconds", "tokens_per_second", "peak_mb")) > 0


def test_the_audit_benchmarks_text_is_the_same_each_time_and_never_repeats_itself() -> None:
    text = audit.corpus(1_000_000)
    assert audit.corpus(1_000_000) == text
    assert len(text) >= 1_000_000
    assert text[: len(text) // 2] != text[len(text) // 2 :]
    assert text.decode().count("\n") > 5_000


def test_the_audit_benchmark_prints_a_markdown_table() -> None:
    row = audit.Row("gpt2", "smollm2", 641.0, 1694.0, 10.5, 10.8, 599_638, 77.3)
    lines = [*audit.HEAD.splitlines(), audit.line(row)]
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2] == "| gpt2 | smollm2 | 641.0 | 1,694.0 | 10.5 | 10.8 | 599,638 | 77.3 |"


def test_the_losses_benchmark_measures_every_loss_and_the_labs() -> None:
    command = [sys.executable, "-m", "benchmarks.losses", "--quick", "--json"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    rows = json.loads(finished.stdout)
    names = ["p-kl", "p-kl-mean", "h-kl", "gold", "uld"]
    full = ["kl naive", "kl", "p-kl", "p-kl top-k 8192", *names[1:]]
    assert [row["name"] for row in rows] == [*full, *(f"lab {name}" for name in names)]
    keys = {"name", "device", "ms", "peak_mb", "loss_rel_error", "grad_rel_error"}
    for row in rows:
        assert set(row) == keys
        assert row["device"] == "cpu" and row["ms"] > 0 and row["peak_mb"] >= 0
        assert row["loss_rel_error"] <= (1e-5 if row["name"] == "kl naive" else 1e-6)
        assert row["grad_rel_error"] < (1e-6 if row["name"].startswith("lab") else 3e-3)  # 16 rows of bf16
