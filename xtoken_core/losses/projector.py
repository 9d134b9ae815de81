"""
log Wᵀp on a device: where a student's log-probabilities go among the teacher's tokens, in log space.

    a column with one entry       log p + log w                  nothing is summed, nothing is rounded away
    columns with 2, 3-4, 5-8, …   logsumexp over log p + log w   those of like degree in one gather

On a CPU, a small W's summed columns are one matrix product instead, as long as no sum is too small for it.

W's columns are gathered, and the gradient is gathered through its rows. Nothing adds to one place from two sides, so
equal inputs give equal bits. Teacher tokens that no student token reaches are no columns here.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from xtoken_core.losses.product import Product, Sums, product_of, summed
from xtoken_core.losses.selection import Selection, columns, selection, with_zero
from xtoken_core.matrix import Bools, Floats
from xtoken_core.sequence import Ints


@dataclass(frozen=True, slots=True)
class Bucket:
    """N columns of like degree, padded to D entries each. rows [N · D]: the student token of each entry."""

    rows: Tensor
    columns: int
    first_entry: int

    @property
    def entries(self) -> slice:
        return slice(self.first_entry, self.first_entry + len(self.rows))


@dataclass(frozen=True, slots=True)
class Layer:
    """The k-th entry of every row that has one: rows [N], all different, and their entries [N]."""

    rows: Tensor
    entries: Tensor


@dataclass(frozen=True, slots=True)
class Projector:
    """W as gathers, from V_s student tokens to the R teacher tokens that any of them reaches.

    reached: R teacher tokens; the columns are in their order. unreached [V_t - R]: the others. lost: student tokens
    with an empty row. alone [A]: the student token of each of the first A columns; the others are in buckets.
    log_weights [E]: of every entry in the columns' order, -inf for padding. places [E]: where an entry's weight stands
    in W's weights flattened to [V_s · K]. product: the buckets of a small W, for a CPU. first_entries [V_s]: a row's
    first entry, E where it has none; further: the other entries.
    """

    students: int
    reached: Selection
    unreached: Tensor
    lost: Tensor
    alone: Tensor
    buckets: tuple[Bucket, ...]
    log_weights: Tensor
    places: Tensor
    product: Product | None
    first_entries: Tensor
    further: tuple[Layer, ...]

    def log_project(self, log_mass: Tensor, log_weights: Tensor) -> Tensor:
        """log Wᵀp: [n, V_s] -> [n, R], -inf where nothing arrives. Gradients reach both arguments."""
        projected: Tensor = _LogProject.apply(log_mass, log_weights, self)  # type: ignore[no-untyped-call]
        return projected


class _LogProject(torch.autograd.Function):
    """Saved are its arguments and its result; a bucket's shares are made anew in the backward pass.

    Nothing is written in place in the forward pass: compiled by torch 2.11, a result so written loses its gradient.
    """

    @staticmethod
    def forward(ctx: Any, log_mass: Tensor, log_weights: Tensor, projector: Projector) -> Tensor:
        parts = [columns(log_mass, projector.alone) + log_weights[: len(projector.alone)]]
        ctx.sums = summed(projector.product, log_mass, log_weights)
        if ctx.sums is not None:
            parts.append(ctx.sums.log_sums)
        else:
            parts += [torch.logsumexp(_arriving(log_mass, log_weights, bucket), -1) for bucket in projector.buckets]
        projected = torch.cat(parts, 1) if len(parts) > 1 else parts[0]
        ctx.projector = projector
        ctx.save_for_backward(log_mass, log_weights, projected)
        return projected

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        log_mass, log_weights, projected = ctx.saved_tensors
        of_mass, of_weights, _ = ctx.needs_input_grad
        if ctx.sums is not None:
            for_mass = _through_sums(ctx.projector, ctx.sums, gradient) if of_mass else None
            for_weights = _to_entries(ctx.projector, ctx.sums, gradient, log_weights) if of_weights else None
            return for_mass, for_weights, None
        by_entry = _by_entry(ctx.projector, log_mass, log_weights, projected, gradient)
        for_mass = _through_rows(ctx.projector, by_entry) if of_mass else None
        return for_mass, by_entry[:, :-1].sum(0) if of_weights else None, None


def _through_sums(projector: Projector, sums: Sums, gradient: Tensor) -> Tensor:
    """[n, R] -> [n, V_s]"""
    alone = len(projector.alone)
    return sums.for_mass(gradient[:, alone:]).index_add_(1, projector.alone, gradient[:, :alone])


def _to_entries(projector: Projector, sums: Sums, gradient: Tensor, log_weights: Tensor) -> Tensor:
    """[n, R] -> [E]"""
    alone, product = len(projector.alone), projector.product
    assert product is not None
    by_entry = torch.zeros_like(log_weights)
    by_entry[:alone] = gradient[:, :alone].sum(0)
    by_entry[product.entries] = sums.for_matrix(gradient[:, alone:])[product.rows, product.columns]
    return by_entry


def _arriving(log_mass: Tensor, log_weights: Tensor, bucket: Bucket) -> Tensor:
    """[n, N, D], the log mass that each entry of a bucket brings to its column."""
    arriving = columns(log_mass, bucket.rows) + log_weights[bucket.entries]
    return arriving.view(len(log_mass), bucket.columns, -1)


def _by_entry(
    projector: Projector, log_mass: Tensor, log_weights: Tensor, projected: Tensor, gradient: Tensor
) -> Tensor:
    """[n, E + 1], the gradient of log p + log w of each entry: its share of its column's; the last is 0."""
    column = len(projector.alone)
    parts = [gradient[:, :column]]
    for bucket in projector.buckets:
        here = slice(column, column + bucket.columns)
        shares = _arriving(log_mass, log_weights, bucket).sub_(projected[:, here, None]).exp_()
        shares.nan_to_num_(0.0)  # a column at which nothing arrives: -inf less -inf
        parts.append(shares.mul_(gradient[:, here, None]).flatten(1))
        column += bucket.columns
    return with_zero(torch.cat(parts, 1))


def _through_rows(projector: Projector, by_entry: Tensor) -> Tensor:
    """[n, E + 1] -> [n, V_s], the sum over each row's entries."""
    by_row = columns(by_entry, projector.first_entries)
    for layer in projector.further:
        by_row.index_add_(1, layer.rows, columns(by_entry, layer.entries))
    return by_row


def projector_of(ids: Ints, weights: Floats, teachers: int) -> Projector:
    """Gathers for W given as ids [V_s, K] and weights [V_s, K], weight 0 in unused places, and V_t teacher tokens."""
    rows, ranks = np.nonzero(weights)
    order = np.lexsort((rows, ids[rows, ranks]))
    rows, ranks = rows[order], ranks[order]
    degrees = np.bincount(ids[rows, ranks], minlength=teachers)
    reached, entries, buckets = _columns(degrees)
    real = entries >= 0
    log_weights = np.where(real, np.log(weights[rows, ranks].astype(np.float64))[entries], -np.inf)
    entry_rows = np.where(real, rows[entries], 0)
    alone = int(np.count_nonzero(degrees == 1))
    first_entries, further = _rows(entry_rows, real, len(weights))
    matrix = len(weights), len(reached) - alone
    return Projector(
        students=len(weights),
        reached=selection(reached, teachers),
        unreached=torch.from_numpy(np.flatnonzero(degrees == 0)),
        lost=torch.from_numpy(np.flatnonzero(~weights.any(1))),
        alone=torch.from_numpy(entry_rows[:alone]),
        buckets=tuple(Bucket(torch.from_numpy(entry_rows[start:stop]), count, start) for start, stop, count in buckets),
        log_weights=torch.from_numpy(log_weights),
        places=torch.from_numpy(np.where(real, (rows * weights.shape[1] + ranks)[entries], 0)),
        product=product_of(entry_rows[alone:], _column_of(buckets), real[alone:], alone, matrix),
        first_entries=first_entries,
        further=further,
    )


def _columns(degrees: Ints) -> tuple[Ints, Ints, list[tuple[int, int, int]]]:
    """The reached teacher tokens in order; the entries in that order, numbered by column, -1 for padding; and of each
    bucket its first entry, the one after its last, and its columns."""
    starts = np.cumsum(degrees) - degrees
    alone = np.flatnonzero(degrees == 1)
    reached, entries, buckets = [alone], [starts[alone]], []
    sizes = np.ceil(np.log2(np.maximum(degrees, 1))).astype(np.int64)
    for size in range(1, int(sizes.max(initial=0)) + 1):
        members = np.flatnonzero(sizes == size)
        if not len(members):
            continue
        depth = np.arange(degrees[members].max())
        padded = np.where(depth < degrees[members, None], starts[members, None] + depth, -1)
        start = sum(map(len, entries))
        buckets.append((start, start + padded.size, len(members)))
        reached.append(members)
        entries.append(padded.ravel())
    return np.concatenate(reached), np.concatenate(entries), buckets


def _rows(entry_rows: Ints, real: Bools, students: int) -> tuple[Tensor, tuple[Layer, ...]]:
    """Each row's first entry, and layers of its others."""
    entries = np.flatnonzero(real)
    order = np.argsort(entry_rows[entries], kind="stable")
    entries = entries[order]
    rows = entry_rows[entries]
    depth = np.arange(len(rows)) - np.searchsorted(rows, rows)
    first_entries = np.full(students, len(entry_rows))
    first_entries[rows[depth == 0]] = entries[depth == 0]
    layers = (depth == k for k in range(1, depth.max(initial=0) + 1))
    further = tuple(Layer(torch.from_numpy(rows[here]), torch.from_numpy(entries[here])) for here in layers)
    return torch.from_numpy(first_entries), further


def _column_of(buckets: list[tuple[int, int, int]]) -> Ints:
    """Of each entry in the buckets its column, counted from the first bucket's."""
    starts, stops, counts = np.array(buckets, np.int64).reshape(-1, 3).T
    return np.repeat(np.arange(counts.sum()), np.repeat((stops - starts) // counts, counts))
