"""The benchmarks run, and the examples in docs/algorithm.md are true."""

import doctest
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
COUNTS = {"student_tokens", "teacher_tokens", "chunks"}
MEASURES = {"tokens_per_second", "milliseconds", "median_milliseconds", "peak_mb"}


def test_the_examples_of_the_algorithm_are_true() -> None:
    failed, tried = doctest.testfile(str(ROOT / "docs" / "algorithm.md"), module_relative=False, encoding="utf-8")
    assert failed == 0
    assert tried > 20


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
