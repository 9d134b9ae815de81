"""
How fast the projection matrix W is built, read from a file, and in how much memory.

    python -m benchmarks.projection            every ordered pair of named tokenizers: some minutes
    python -m benchmarks.projection --quick    the two smallest vocabularies: seconds
    python -m benchmarks.projection --json     a JSON list instead of the table

Each pair has a process of its own, in which both tokenizers are loaded before anything is measured. Timed are

    build      `projection.build` with its default options
    load       `projection_file.load` of the saved W, all its checks included; the file is in memory

each after a warm-up, as the best and the median of three runs. Peak memory is the warm-up's: the most that the process
holds above what it held before, the result and what compiled libraries allocate included. What loading the tokenizers
has freed without giving it back can be used again and isn't in it. An MB is 10^6 bytes. unreached counts the teacher
tokens that no student token goes to; padded ids of the model's head aren't among them. The last rows are the
identities.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, astuple, dataclass
from itertools import permutations
from multiprocessing import get_context
from statistics import median

import numpy as np

from xtoken_core import catalog, projection_file
from xtoken_core.matrix import Rule
from xtoken_core.measure import measured
from xtoken_core.projection import build

Pair = tuple[str, str]

QUICK = ("smollm2", "gpt2")
RUNS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One pair. rows: V_s; exact, multi, special, empty: of them by rule; unreached: of V_t."""

    student: str
    teacher: str
    rows: int
    exact: int
    multi: int
    special: int
    empty: int
    unreached: int
    milliseconds: float
    median_milliseconds: float
    peak_mb: float
    file_mb: float
    load_milliseconds: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.projection", description=__doc__.split("\n")[1])
    parser.add_argument("--quick", action="store_true", help="the two smallest vocabularies: seconds, not minutes")
    parser.add_argument("--json", action="store_true", help="a JSON list instead of the table")
    options = parser.parse_args()
    rows = measured_rows(pairs(QUICK if options.quick else tuple(catalog.ENTRIES)))
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print(HEAD)
    for row in rows:
        print(line(row), flush=True)


def pairs(names: Sequence[str]) -> list[Pair]:
    """The ordered pairs, then each name with itself."""
    return [*permutations(names, 2), *((name, name) for name in names)]


def measured_rows(chosen: Sequence[Pair]) -> Iterator[Row]:
    # a process that has built a W before would take the next one's memory from what it has kept
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        yield from pool.map(row_of, chosen)


def row_of(pair: Pair) -> Row:
    """One pair, measured in this process."""
    student, teacher = (catalog.load(name) for name in pair)
    warm_up = measured(lambda: build(student, teacher))
    w = warm_up.result
    milliseconds = times(lambda: build(student, teacher))
    content = projection_file.save(w)
    counts = w.counts()
    return Row(
        student=student.name,
        teacher=teacher.name,
        rows=len(w),
        exact=counts[Rule.EXACT],
        multi=counts[Rule.MULTI],
        special=counts[Rule.SPECIAL],
        empty=counts[Rule.EMPTY],
        unreached=int(np.count_nonzero(w.reverse().lengths() == 0)),
        milliseconds=min(milliseconds),
        median_milliseconds=median(milliseconds),
        peak_mb=warm_up.peak_mb,
        file_mb=len(content) / 1e6,
        load_milliseconds=min(times(lambda: projection_file.load(content, "W"))),
    )


def times(run: Callable[[], object]) -> list[float]:
    """Milliseconds of each run, after a warm-up."""
    run()
    return [1000 * measured(run).seconds for _ in range(RUNS)]


HEAD = (
    "| student | teacher | rows | exact | multi | special | empty | unreached "
    "| build ms | median ms | peak MB | file MB | load ms |\n"
    f"|---|---|{'---:|' * 11}"
)


def line(row: Row) -> str:
    """One row of the table."""
    cells = [f"{cell:,.1f}" if isinstance(cell, float) else f"{cell:,}" for cell in astuple(row)[2:]]
    return f"| {row.student} | {row.teacher} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
