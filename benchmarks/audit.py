"""
How long the audit of a pair takes, and how fast a text is weighted for it, in how much memory.

    python -m benchmarks.audit            five pairs, 10 MB of text: a few minutes
    python -m benchmarks.audit --quick    the two smallest vocabularies, 0.5 MB: seconds
    python -m benchmarks.audit --json     a JSON list instead of the table

Each pair has a process of its own, in which both tokenizers are loaded before anything is measured. Timed are

    audit      all numbers of the shell's `audit` without a corpus, W read from the cache folder
    anew       the same with W built
    weighted   the text read from a file and counted for both tokenizers in one pass

the first two as the best of three runs, the text once. The text is the bundled samples again and again, their lines in
another order and their digits drawn anew each time. tokens/s counts the tokens of both sides. Peak memory is the most
that the process holds above what it held before the text was read. An MB is 10^6 bytes.
"""

import argparse
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, astuple, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random

from xtoken_core import catalog, projection_file
from xtoken_core.audit_report import audited
from xtoken_core.corpus import count_all, pieces_of_file
from xtoken_core.matrix import Options, Projection
from xtoken_core.measure import measured
from xtoken_core.projection import build
from xtoken_core.samples import SAMPLES, text

Pair = tuple[str, str]

PAIRS: tuple[Pair, ...] = (
    ("llama-3.2", "qwen3"),
    ("llama-3.2", "phi-4-mini"),
    ("llama-3.2", "mistral-v0.3"),
    ("qwen3", "llama-3.2"),
    ("gpt-oss", "smollm2"),
)
QUICK: tuple[Pair, ...] = (("smollm2", "gpt2"),)
BYTES, QUICK_BYTES = 10_000_000, 500_000
RUNS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One pair."""

    student: str
    teacher: str
    audit_milliseconds: float
    anew_milliseconds: float
    text_mb: float
    weighted_seconds: float
    tokens_per_second: int
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.audit", description=__doc__.split("\n")[1])
    parser.add_argument("--quick", action="store_true", help="the two smallest vocabularies: seconds, not minutes")
    parser.add_argument("--json", action="store_true", help="a JSON list instead of the table")
    options = parser.parse_args()
    rows = measured_rows(QUICK, QUICK_BYTES) if options.quick else measured_rows(PAIRS, BYTES)
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print(HEAD)
    for row in rows:
        print(line(row), flush=True)


def measured_rows(chosen: Sequence[Pair], size: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "corpus.txt"
        file.write_bytes(corpus(size))
        # a process that has counted before would take the next one's memory from what it has kept
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
            yield from pool.map(partial(row_of, file), chosen)


def corpus(size: int) -> bytes:
    """At least `size` bytes of the samples' lines."""
    random = Random("audit")
    lines = [line for name in SAMPLES for line in text(name).splitlines(keepends=True)]
    parts: list[bytes] = []
    while sum(map(len, parts)) < size:
        random.shuffle(lines)
        parts.append(re.sub(r"[0-9]", lambda _: str(random.randrange(10)), "".join(lines)).encode())
    return b"".join(parts)


def row_of(file: Path, pair: Pair) -> Row:
    """One pair, measured in this process."""
    student, teacher = (catalog.load(name) for name in pair)
    weighted = measured(lambda: count_all((student, teacher), pieces_of_file(file, file.name)))

    def audit(w: Projection) -> None:
        audited(
            student, teacher, w, projection_file.cached(teacher, student, Options()), occurrences=None, critical="math"
        )

    return Row(
        student=student.name,
        teacher=teacher.name,
        audit_milliseconds=best(lambda: audit(projection_file.cached(student, teacher, Options()))),
        anew_milliseconds=best(lambda: audit(build(student, teacher))),
        text_mb=weighted.result[0].bytes / 1e6,
        weighted_seconds=weighted.seconds,
        tokens_per_second=round(sum(counted.tokens for counted in weighted.result) / weighted.seconds),
        peak_mb=weighted.peak_mb,
    )


def best(run: Callable[[], object]) -> float:
    """Milliseconds of the fastest run, after a warm-up."""
    run()
    return min(1000 * measured(run).seconds for _ in range(RUNS))


HEAD = f"| student | teacher | audit ms | anew ms | text MB | weighted s | tokens/s | peak MB |\n|---|---|{'---:|' * 6}"


def line(row: Row) -> str:
    """One row of the table."""
    cells = [f"{cell:,.1f}" if isinstance(cell, float) else f"{cell:,}" for cell in astuple(row)[2:]]
    return f"| {row.student} | {row.teacher} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
