"""
What each loss costs, forward and backward, over full vocabularies; and how exact it is.

    python -m benchmarks.losses                  on the CPU: a quarter of an hour and more, most of it in float64
    python -m benchmarks.losses --device cuda    on the first GPU
    python -m benchmarks.losses --quick          16 tokens instead of 2,048, timed once: seconds
    python -m benchmarks.losses --lab            the lab's rows alone: seconds
    python -m benchmarks.losses --json           a JSON list instead of the table

2,048 tokens of the bundled texts, mathematics and twenty languages, Llama-3.2 -> Qwen3 with the real W and alignment;
logits are random with a Zipf-like bias and a likelier right token, in bf16 as a model gives them. `kl naive` is what
one would write for a single tokenizer, both models with Llama-3.2's vocabulary: log_softmax in float32, and kl_div.
The rows `lab …` are a batch of the numerals lab's size: 512 sums, 1,119 and 18 active tokens, in float32.

ms is the median of the runs after a warm-up. peak_mb, in 10^6 bytes, is the most above the inputs: on a GPU what torch
has allocated, on the CPU the process's memory. The errors are relative, the loss's and the gradient's (Frobenius),
against the same loss in float64 on the same logits. A gradient in bf16 can't be nearer than 1.7e-3, its own rounding.
"""

import argparse
import ctypes
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from statistics import median

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax

from xtoken_core import catalog, losses, samples
from xtoken_core.alignment import align
from xtoken_core.losses import Batch, PreparedW
from xtoken_core.matrix import Projection
from xtoken_core.measure import measured
from xtoken_core.projection import build
from xtoken_core.sequence import Ints, TokenSequence
from xtoken_core.tokenizer import Tokenizer

RUNS = {"cpu": 7, "cuda": 20}
TOKENS, QUICK = 2048, 16


@dataclass(frozen=True, slots=True)
class Row:
    """One loss. ms: forward and backward."""

    name: str
    device: str
    ms: float
    peak_mb: float
    loss_rel_error: float
    grad_rel_error: float


@dataclass(frozen=True, slots=True)
class Inputs:
    """A batch with logits [1, T_s, V_s], [1, T_t, V_t]; another_logits [1, T_s, V_s] are a same-tokenizer teacher's."""

    student_logits: Tensor
    teacher_logits: Tensor
    another_logits: Tensor
    batch: Batch
    same_batch: Batch
    w: PreparedW


Loss = Callable[[Tensor, Tensor, Tensor, Inputs], Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.losses", description=__doc__.split("\n")[1])
    parser.add_argument("--device", choices=tuple(RUNS), default="cpu")
    parser.add_argument("--quick", action="store_true", help="16 tokens instead of 2,048")
    parser.add_argument("--lab", action="store_true", help="the lab's rows alone")
    parser.add_argument("--json", action="store_true", help="a JSON list instead of the table")
    options = parser.parse_args()
    tokens, runs = (QUICK, 1) if options.quick else (TOKENS, RUNS[options.device])
    rows = lab_rows(options.device, runs)
    if not options.lab:
        rows = chain(full_rows(options.device, tokens, runs), rows)
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print(f"{device_name(options.device)}, torch {torch.__version__}\n")
    print("| loss | ms | peak MB | loss error | gradient error |\n|---|---:|---:|---:|---:|")
    for row in rows:
        errors = f"{row.loss_rel_error:.1e} | {row.grad_rel_error:.2e}"
        print(f"| {row.name} | {row.ms:,.1f} | {row.peak_mb:,.0f} | {errors} |", flush=True)


def device_name(device: str) -> str:
    """The card, or how many threads torch uses."""
    return torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"


def full_rows(device: str, tokens: int, runs: int) -> Iterator[Row]:
    inputs = full_inputs(device, tokens)
    for name, loss in FULL.items():
        yield row_of(name, device, inputs, loss, runs)


def lab_rows(device: str, runs: int) -> Iterator[Row]:
    inputs = lab_inputs(device)
    for name in ("p-kl", "p-kl-mean", "h-kl", "gold", "uld"):
        yield row_of(f"lab {name}", device, inputs, partial(by_preset, name), runs)


def by_preset(name: str, student: Tensor, teacher: Tensor, another: Tensor, inputs: Inputs) -> Tensor:
    if name == "kl":
        return losses.kl(student, another, inputs.same_batch)
    return losses.PRESETS[name](student, teacher, inputs.batch, inputs.w)


def naive_kl(student: Tensor, _: Tensor, another: Tensor, inputs: Inputs) -> Tensor:
    """KL token by token as one would write it, with autograd keeping everything in float32."""
    dtype = torch.float64 if student.dtype == torch.float64 else torch.float32
    log_p, log_q = log_softmax(student, -1, dtype=dtype), log_softmax(another, -1, dtype=dtype)
    by_token = kl_div(log_p, log_q, log_target=True, reduction="none").sum(-1)
    return by_token.flatten()[inputs.same_batch.student_chunks.targets.rows].mean()


def top_k(student: Tensor, teacher: Tensor, _: Tensor, inputs: Inputs) -> Tensor:
    return losses.projected(student, teacher, inputs.batch, inputs.w, top_k=8192).mean()


FULL: dict[str, Loss] = {
    "kl naive": naive_kl,
    "kl": partial(by_preset, "kl"),
    "p-kl": partial(by_preset, "p-kl"),
    "p-kl top-k 8192": top_k,
    "p-kl-mean": partial(by_preset, "p-kl-mean"),
    "h-kl": partial(by_preset, "h-kl"),
    "gold": partial(by_preset, "gold"),
    "uld": partial(by_preset, "uld"),
}


def row_of(name: str, device: str, inputs: Inputs, loss: Loss, runs: int) -> Row:
    """One loss, timed, weighed and compared with itself in float64."""
    value, gradient = run(loss, inputs, inputs.student_logits.dtype)
    milliseconds, peak = (cuda_cost if device == "cuda" else cpu_cost)(loss, inputs, runs)
    exact_value, exact_gradient = run(loss, inputs, torch.float64)
    loss_error = abs(float(value) / float(exact_value) - 1)
    # summed in place: two arrays in float64 are all that fits beside the logits
    size = exact_gradient.norm()
    grad_error = float(exact_gradient.sub_(gradient).norm() / size)
    return Row(name, device, milliseconds, peak / 1e6, loss_error, grad_error)


def run(loss: Loss, inputs: Inputs, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The loss and its gradient [1, T_s, V_s]."""
    student = inputs.student_logits.to(dtype).detach().requires_grad_()
    value = loss(student, inputs.teacher_logits.to(dtype), inputs.another_logits.to(dtype), inputs)
    value.backward()  # type: ignore[no-untyped-call]
    gradient = student.grad
    assert gradient is not None
    return value.detach(), gradient


def step(loss: Loss, inputs: Inputs) -> None:
    student = inputs.student_logits.detach().requires_grad_()
    loss(student, inputs.teacher_logits, inputs.another_logits, inputs).backward()  # type: ignore[no-untyped-call]


def cuda_cost(loss: Loss, inputs: Inputs, runs: int) -> tuple[float, float]:
    """Milliseconds by the card's own clock, bytes above what was allocated before."""
    step(loss, inputs)
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    step(loss, inputs)
    peak = torch.cuda.max_memory_allocated() - before
    times = []
    for _ in range(runs):
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        step(loss, inputs)
        stop.record()
        stop.synchronize()
        times.append(start.elapsed_time(stop))
    return median(times), peak


def cpu_cost(loss: Loss, inputs: Inputs, runs: int) -> tuple[float, float]:
    """Milliseconds, and bytes above what the process held before."""
    step(loss, inputs)
    give_back()
    peak = measured(lambda: step(loss, inputs)).peak_mb * 1e6
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        step(loss, inputs)
        times.append(1000 * (time.perf_counter() - start))
    return median(times), peak


def give_back() -> None:
    """Gives freed memory back to the system, so that what is allocated next counts; glibc alone can."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def full_inputs(device: str, tokens: int) -> Inputs:
    """Full vocabularies, so many student tokens of the texts that come along."""
    student, teacher = catalog.load("llama-3.2"), catalog.load("qwen3")
    records = (record for name in ("mathematics", "languages") for record in samples.records(name))
    text = "\n\n".join(record.text[:150] for record in records)
    whole = align(student.encode(text), teacher.encode(text))
    chunks = int(np.searchsorted(whole.student_ends, tokens, "right"))
    aligned = whole.head(max(int(whole.student_ends[chunks - 1]), int(whole.teacher_ends[chunks - 1])))
    w = build(student, teacher)
    return inputs_of(losses.collate([aligned]), losses.collate([align(aligned.student, aligned.student)]), w, device)


def inputs_of(
    batch: Batch, same_batch: Batch, w: Projection, device: str, dtype: torch.dtype = torch.bfloat16
) -> Inputs:
    generator = torch.Generator(device).manual_seed(0)
    logits = partial(random_logits, generator=generator, dtype=dtype)
    batch, same_batch = batch.to(device), same_batch.to(device)
    return Inputs(
        logits(batch.student.ids, w.student.ids),
        logits(batch.teacher.ids, w.teacher.ids),
        logits(batch.student.ids, w.student.ids),
        batch,
        same_batch,
        losses.prepare(w, device=device),
    )


def random_logits(ids: Tensor, vocabulary: int, *, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    """[B, T, V]: noise, a Zipf-like bias, and a likelier next token."""
    device = ids.device
    bias = -torch.log1p(torch.randperm(vocabulary, generator=generator, device=device).float())
    logits = torch.empty(*ids.shape, vocabulary, dtype=dtype, device=device).normal_(0, 1.5, generator=generator)
    logits += bias.to(dtype)
    right = torch.empty(ids[:, 1:].shape, dtype=dtype, device=device).normal_(4, 3, generator=generator)
    logits[:, :-1].scatter_add_(2, ids[:, 1:, None], right[..., None])
    return logits


def lab_inputs(device: str) -> Inputs:
    """512 sums of two numbers below 1,000, over the tokens that such sums can hold."""
    student, teacher = catalog.load("llama-3.2"), catalog.load("qwen3")
    numbers = np.random.default_rng(0).integers(0, 1000, (512, 2))
    texts = [f";{a}+{b}={a + b};" for a, b in numbers]
    possible = [
        *map(str, range(1000)),
        *(f"{n:02}" for n in range(100)),
        *(f"{n:03}" for n in range(1000)),
        *";+= -*()",
    ]
    active_s, active_t = active(student, possible), active(teacher, possible)
    aligned = [align(narrowed(student.encode(x), active_s), narrowed(teacher.encode(x), active_t)) for x in texts]
    w = restricted(build(student, teacher), active_s, active_t)
    batch = losses.collate(aligned)
    same_batch = losses.collate([align(one.student, one.student) for one in aligned])
    return inputs_of(batch, same_batch, w, device, torch.float32)


def active(tokenizer: Tokenizer, texts: Sequence[str]) -> Ints:
    """The ids that occur in any of the texts, ascending, special tokens included."""
    return np.unique(np.concatenate([tokenizer.encode(text).ids for text in texts]))


def narrowed(sequence: TokenSequence, active_ids: Ints) -> TokenSequence:
    """The sequence with its ids numbered among the active ones."""
    return replace(sequence, ids=np.searchsorted(active_ids, sequence.ids).astype(np.int32))


def restricted(w: Projection, students: Ints, teachers: Ints) -> Projection:
    """The rows of some students over some teachers, both numbered anew; rows that lose weight are made to sum to 1."""
    ids, weights = w.ids[students], w.weights[students]
    places = np.searchsorted(teachers, ids).clip(max=len(teachers) - 1)
    weights = np.where(teachers[places] == ids, weights, 0)
    total = weights.sum(1, keepdims=True)
    weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return replace(
        w,
        student=replace(w.student, ids=len(students), head_size=len(students)),
        teacher=replace(w.teacher, ids=len(teachers), head_size=len(teachers)),
        ids=np.where(weights > 0, places, 0).astype(np.int32),
        weights=weights,
        rules=np.where(total[:, 0] > 0, w.rules[students], 0),
        pieces=w.pieces[students],
        trimmed=w.trimmed[students],
        canonical=w.canonical[students],
    )


if __name__ == "__main__":
    main()
