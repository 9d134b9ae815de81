"""
Divergences of two measures in log space, one number a row. An outcome that one side can't have at all counts nothing:
what it would cost is infinite, so the caller reports its mass instead.

    forward   KL(teacher ‖ student)      the default: the student must cover what the teacher says
    reverse   KL(student ‖ teacher)      the student must not say what the teacher doesn't
    jsd(β)    β KL(teacher ‖ m) + (1 - β) KL(student ‖ m),  m = β teacher + (1 - β) student
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from xtoken_core.errors import LossError

Divergence = Callable[[Tensor, Tensor], Tensor]

NAMES = ("forward", "reverse", "jsd")


def forward_kl(log_student: Tensor, log_teacher: Tensor) -> Tensor:
    """KL(teacher ‖ student): [..., V], [..., V] -> [...]. Student outcomes of mass 0 aren't counted."""
    possible = (log_teacher != -math.inf) & (log_student != -math.inf)  # a NaN is possible, and stays one
    difference = torch.where(possible, log_teacher - log_student, 0)
    return (log_teacher.exp() * difference).sum(-1)


def reverse_kl(log_student: Tensor, log_teacher: Tensor) -> Tensor:
    """KL(student ‖ teacher): [..., V], [..., V] -> [...]. Teacher outcomes of mass 0 aren't counted."""
    return forward_kl(log_teacher, log_student)


def jsd(beta: float = 0.5) -> Divergence:
    """The generalised Jensen-Shannon divergence with the teacher's share β (Agarwal et al., arXiv 2306.13649).

    Raises LossError for a β that isn't between 0 and 1.
    """
    if not 0 < beta < 1:
        raise LossError(f"The JSD's β was given as {beta!r}; it must lie between 0 and 1. For 0 and 1 use a KL.")

    def generalised_jsd(log_student: Tensor, log_teacher: Tensor) -> Tensor:
        mixed = _log_sum(log_teacher + math.log(beta), log_student + math.log1p(-beta))
        return beta * forward_kl(mixed, log_teacher) + (1 - beta) * forward_kl(mixed, log_student)

    return generalised_jsd


def named(name: str, *, beta: float = 0.5) -> Divergence:
    """A divergence by name: forward, reverse or jsd, of which only the last has a β. Raises LossError for others."""
    match name:
        case "forward":
            return forward_kl
        case "reverse":
            return reverse_kl
        case "jsd":
            return jsd(beta)
    raise LossError(f"There is no divergence {name!r}. Choose {', '.join(NAMES)}.")


def log_sum(log_mass: Tensor) -> Tensor:
    """log Σ e^x over the last axis, -inf over nothing; its gradient is defined there too: [..., V] -> [...]."""
    nothing = (log_mass == -math.inf).all(-1)
    return torch.logsumexp(log_mass.masked_fill(nothing[..., None], 0), -1).masked_fill(nothing, -math.inf)


def _log_sum(one: Tensor, other: Tensor) -> Tensor:
    """log(e^one + e^other), -inf where both are; its gradient is defined there too."""
    neither = (one == -math.inf) & (other == -math.inf)
    return torch.logaddexp(one.masked_fill(neither, 0), other.masked_fill(neither, 0)).masked_fill(neither, -math.inf)
