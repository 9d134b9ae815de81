"""
The summed columns of a small W as one matrix product, on a CPU, where that is quicker than gathering them.

    log Σ_s w p  =  m + log( e^(log p - m) · W )        m: the row's largest log p

Where a sum is so small beside e^m that float32 would lose digits of it, there is no product, and columns are gathered.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xtoken_core.matrix import Bools
from xtoken_core.sequence import Ints

SMALL_PRODUCT = 2**17  # entries of a matrix; a full vocabulary's would have 10^9
SMALLEST_SUM = 1e-25  # of masses of which the largest is 1


@dataclass(frozen=True, slots=True)
class Product:
    """H columns of W as a matrix [V_s, H]: rows, columns and entries [N] of what isn't 0 in it."""

    shape: tuple[int, int]
    rows: Tensor
    columns: Tensor
    entries: Tensor

    def matrix(self, log_weights: Tensor) -> Tensor:
        """[E] -> [V_s, H]"""
        matrix = log_weights.new_zeros(self.shape)
        return matrix.index_put((self.rows, self.columns), log_weights[self.entries].exp())


@dataclass(frozen=True, slots=True)
class Sums:
    """A product: mass [n, V_s], each row's largest 1; matrix [V_s, H]; their sums [n, H], and log Σ w p [n, H]."""

    mass: Tensor
    matrix: Tensor
    sums: Tensor
    log_sums: Tensor

    def for_mass(self, gradient: Tensor) -> Tensor:
        """From the gradient of the log sums [n, H] to that of log p [n, V_s]."""
        return ((gradient / self.sums) @ self.matrix.T).mul_(self.mass)

    def for_matrix(self, gradient: Tensor) -> Tensor:
        """From the gradient of the log sums [n, H] to that of the log weights, as [V_s, H]."""
        return (self.mass.T @ (gradient / self.sums)).mul_(self.matrix)


def summed(product: Product | None, log_mass: Tensor, log_weights: Tensor) -> Sums | None:
    """log p [n, V_s], log weights [E]; None where there is no product, or where it would lose digits."""
    if product is None or log_mass.is_cuda or torch.get_float32_matmul_precision() != "highest":
        return None
    highest = log_mass.amax(1, keepdim=True)
    mass, matrix = (log_mass - highest).exp(), product.matrix(log_weights)
    sums = mass @ matrix
    # never so for NaN, which a row of -inf alone becomes
    return Sums(mass, matrix, sums, sums.log() + highest) if bool((sums > SMALLEST_SUM).all()) else None


def product_of(rows: Ints, columns: Ints, real: Bools, first: int, shape: tuple[int, int]) -> Product | None:
    """A matrix of the entries first, first + 1, …: rows, columns, which are no padding. None for a large matrix."""
    if not 0 < shape[0] * shape[1] <= SMALL_PRODUCT:
        return None
    entries = first + np.arange(len(rows))
    return Product(shape, *(torch.from_numpy(part[real]) for part in (rows, columns, entries)))
