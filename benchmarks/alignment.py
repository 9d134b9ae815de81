"""
How fast two tokenizations of one text are aligned, and in how much memory.

    python -m benchmarks.alignment            every kind of text, 256 to 1,000,000 tokens: a quarter of an hour
    python -m benchmarks.alignment --quick    the same methods on short texts: seconds
    python -m benchmarks.alignment --json     a JSON list instead of the table

A token is a student token. Encoding the text is never timed. Timed are

    from_ids   ours: `vocabulary.sequence(ids)` of both sides, then `align`
    align      ours: `align` alone, of two sequences
    paper      the published program, where its table fits its limit of cells
    surface    GOLD as published

each after a warm-up, as the best and the median of up to 50 runs in half a second, of at least three where they aren't
seconds long. All of it runs on one thread: NumPy uses no others for these operations. Peak memory is the most that a
method holds at once beyond its input, its result included (tracemalloc, which NumPy reports to); it has a pass of its
own, since it slows the run. An MB is 10^6 bytes.
"""

import argparse
import json
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from statistics import median
from time import perf_counter

import numpy as np

from benchmarks.texts import KINDS, texts_of
from xtoken_core import catalog, paper
from xtoken_core.alignment import align
from xtoken_core.sequence import TokenSequence
from xtoken_core.spans import Alignment, ChunkKind
from xtoken_core.tokenizer import Tokenizer

Method = Callable[[], Alignment]

STUDENT = "llama-3.2"
LENGTHS: Mapping[str, Sequence[int]] = {  # by teacher
    "qwen3": (256, 4_096, 10_000, 100_000, 1_000_000),
    "mistral-v0.3": (4_096, 100_000),
    "phi-4-mini": (4_096, 100_000),
}
QUICK_LENGTHS: Mapping[str, Sequence[int]] = {"qwen3": (64, 768), "mistral-v0.3": (256,), "phi-4-mini": (256,)}

NO_BOS = ", no BOS"  # the one text that is encoded without special tokens
TEXTS = ("English prose" + NO_BOS, *KINDS)

SECONDS = 0.5  # to repeat a method in
QUICK_SECONDS = 0.01
MOST_RUNS = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One method on one text. unmatched_tokens: of both sides, marks included, in chunks that aren't exact."""

    text: str
    student: str
    teacher: str
    student_tokens: int
    teacher_tokens: int
    method: str
    tokens_per_second: float
    milliseconds: float
    median_milliseconds: float
    peak_mb: float
    chunks: int
    unmatched_tokens: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.alignment", description=__doc__.split("\n")[1])
    parser.add_argument("--quick", action="store_true", help="short texts and few repeats: seconds, not minutes")
    parser.add_argument("--json", action="store_true", help="a JSON list instead of the table")
    options = parser.parse_args()
    rows = measured(QUICK_LENGTHS, seconds=QUICK_SECONDS) if options.quick else measured(LENGTHS, seconds=SECONDS)
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print(HEAD)
    for _, methods in groupby(rows, lambda row: (row.text, row.teacher, row.student_tokens)):
        print(line({row.method: row for row in methods}), flush=True)
    print(f"paper, surface: times the milliseconds of align; -: a table of over {paper.MAX_CELLS:,} cells")


def measured(lengths: Mapping[str, Sequence[int]], *, seconds: float) -> Iterator[Row]:
    """All rows: text by text, for each teacher from short to long, method by method."""
    tokenizers = {name: catalog.load(name) for name in (STUDENT, *lengths)}
    student = tokenizers[STUDENT]
    every_length = sorted({length for chosen in lengths.values() for length in chosen})
    for name in TEXTS:
        texts = texts_of(name.removesuffix(NO_BOS), student, every_length)
        for teacher, chosen in lengths.items():
            for length in chosen:
                for method, run in methods(student, tokenizers[teacher], texts[length], NO_BOS not in name).items():
                    yield row_of(name, teacher, method, run, seconds)


def methods(student: Tokenizer, teacher: Tokenizer, text: str, special: bool) -> dict[str, Method]:
    """What is timed on one text, by name."""
    sequences = student.encode(text, special=special), teacher.encode(text, special=special)
    from_ids = again(student, sequences[0]), again(teacher, sequences[1])
    timed: dict[str, Method] = {
        "from_ids": lambda: align(from_ids[0](), from_ids[1]()),
        "align": lambda: align(*sequences),
        "paper": lambda: align(*sequences, scoring="paper"),
        "surface": lambda: align(*sequences, scoring="surface"),
    }
    if len(sequences[0]) * len(sequences[1]) > paper.MAX_CELLS:
        del timed["paper"]
    return timed


def again(tokenizer: Tokenizer, sequence: TokenSequence) -> Callable[[], TokenSequence]:
    """The sequence anew from its ids, and from which of them start with a space that isn't in the text."""
    vocabulary, ids = tokenizer.vocabulary, sequence.ids
    dummy = np.flatnonzero(np.diff(sequence.ends, prepend=0) != vocabulary.lengths[ids]).tolist()
    return lambda: vocabulary.sequence(ids, dummy=dummy)


def row_of(text: str, teacher: str, method: str, run: Method, seconds: float) -> Row:
    alignment = run()  # the warm-up
    milliseconds = [1000 * elapsed for elapsed in times(run, seconds)]
    tokens = len(alignment.student)
    return Row(
        text=text,
        student=STUDENT,
        teacher=teacher,
        student_tokens=tokens,
        teacher_tokens=len(alignment.teacher),
        method=method,
        tokens_per_second=1000 * tokens / min(milliseconds),
        milliseconds=min(milliseconds),
        median_milliseconds=median(milliseconds),
        peak_mb=peak_bytes(run) / 1e6,
        chunks=len(alignment),
        unmatched_tokens=unmatched_tokens(alignment),
    )


def times(run: Method, seconds: float) -> list[float]:
    """Seconds of each run: as many as fit into `seconds`, but three if they take no more than ten times that."""
    elapsed: list[float] = []
    while sum(elapsed) < (seconds if len(elapsed) >= 3 else 10 * seconds) and len(elapsed) < MOST_RUNS:
        start = perf_counter()
        run()
        elapsed.append(perf_counter() - start)
    return elapsed


def peak_bytes(run: Method) -> int:
    tracemalloc.start()  # what was there before isn't traced
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def unmatched_tokens(alignment: Alignment) -> int:
    inexact = alignment.kinds != ChunkKind.EXACT
    ends = alignment.student_ends, alignment.teacher_ends
    return sum(int(np.diff(side, prepend=0)[inexact].sum()) for side in ends)


HEAD = (
    f"{'':51}{'from ids':^46}{'align alone':^22}{'times align':^16}\n"
    f"{'text':27}{'teacher':13}{'tokens':>11}"
    f"{'best ms':>10}{'median ms':>11}{'M tok/s':>9}{'peak MB':>9}{'B/token':>9}"
    f"{'best ms':>11}{'M tok/s':>9}{'paper':>9}{'surface':>9}{'chunks':>11}{'unmatched':>11}"
)


def line(rows: Mapping[str, Row]) -> str:
    """One text of the table, from its row of each method."""
    ours, alone = rows["from_ids"], rows["align"]
    ratios = {name: f"{row.milliseconds / alone.milliseconds:,.1f}" for name, row in rows.items()}
    return (
        f"{ours.text:27}{ours.teacher:13}{ours.student_tokens:>11,}"
        f"{ours.milliseconds:>10.2f}{ours.median_milliseconds:>11.2f}{ours.tokens_per_second / 1e6:>9.2f}"
        f"{ours.peak_mb:>9.2f}{1e6 * ours.peak_mb / ours.student_tokens:>9.0f}"
        f"{alone.milliseconds:>11.2f}{alone.tokens_per_second / 1e6:>9.2f}"
        f"{ratios.get('paper', '-'):>9}{ratios['surface']:>9}{ours.chunks:>11,}{ours.unmatched_tokens:>11,}"
    )


if __name__ == "__main__":
    main()
