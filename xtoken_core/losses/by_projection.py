"""
P-KL: the teacher compared with the student's mass as W sends it, KL(p_T ‖ Wᵀp_S).

    to_teacher   over the teacher's tokens that W reaches:    log Wᵀp_S beside log p_T      W: student -> teacher
    to_student   over the student's tokens that W' reaches:   log p_S beside log W'ᵀp_T     W': teacher -> student

What isn't reached can't be matched. With u its share of the teacher's mass the loss is (1 - u) times the divergence
from the teacher's mass renormalised over what is reached; u is reported, and no ε stands in for it.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from xtoken_core.losses.divergence import Divergence, log_sum
from xtoken_core.losses.merge import Mass
from xtoken_core.losses.projector import Projector
from xtoken_core.losses.selection import columns


class Direction(StrEnum):
    """Which side W projects: the student (the paper's way), or the teacher where the student splits finer."""

    TO_TEACHER = "to_teacher"
    TO_STUDENT = "to_student"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """n chunks over R outcomes that both sides may have: log mass [n, R] each, the teacher's as shares of its total.

    log_total [n]: the teacher's total, 0 for a distribution. unreachable [n]: the share of it on anything else.
    lost [n]: the student's mass on anything else.
    """

    student: Tensor
    teacher: Tensor
    log_total: Tensor
    unreachable: Tensor
    lost: Tensor


def same_outcomes(student: Mass, teacher: Mass) -> Outcomes:
    """One vocabulary on both sides, both of them distributions."""
    none = student.tokens.new_zeros(len(student.tokens))
    return Outcomes(student.tokens, teacher.tokens, none, none, none)


def projected_outcomes(
    student: Mass, teacher: Mass, projector: Projector, log_weights: Tensor, direction: Direction
) -> Outcomes:
    """The side that W projects, beside the other side's tokens that W reaches."""
    if direction is Direction.TO_TEACHER:
        log_student = projector.log_project(student.log_mass(), log_weights)
        log_teacher = projector.reached.of(teacher.tokens)
        missed, lost = _mass_of(teacher.tokens, projector.unreached), _mass_of(student.log_mass(), projector.lost)
    else:
        log_student = projector.reached.of(student.log_mass())
        log_teacher = projector.log_project(teacher.tokens, log_weights)
        missed, lost = _mass_of(teacher.tokens, projector.lost), _mass_of(student.log_mass(), projector.unreached)
    log_total = torch.zeros_like(lost) if teacher.total is None else teacher.total
    return Outcomes(log_student, log_teacher, log_total, missed, lost)


def projected_loss(
    student: Mass, teacher: Mass, outcomes: Outcomes, divergence: Divergence, top_k: int | None
) -> dict[str, Tensor]:
    """[n] each: the loss's parts `tokens` and `realised`, and the `unreachable` and `lost` mass.

    top_k: the teacher's k likeliest tokens of each chunk are compared one by one, all others as one outcome.
    """
    tokens_t, possible, impossible = _possible(outcomes.student, outcomes.teacher)
    pairs = {"tokens": _top(outcomes.student, tokens_t, top_k) if top_k else (outcomes.student, tokens_t)}
    if student.realised is not None and teacher.realised is not None:
        realised_s = student.realised[:, None]
        realised_t, more_possible, more_impossible = _possible(realised_s, teacher.realised[:, None])
        pairs["realised"] = realised_s, realised_t
        possible, impossible = possible + more_possible, impossible + more_impossible
    unreached = impossible + outcomes.unreachable
    share = _share(possible, unreached)
    renormalised = (outcomes.log_total - share.log())[:, None]  # from shares of all to what is reached, as large as all
    counted = share * (outcomes.log_total > -math.inf)  # a chunk that the teacher rules out teaches nothing
    parts = {name: counted * divergence(one, other + renormalised) for name, (one, other) in pairs.items()}
    return {
        "realised": torch.zeros_like(share),
        **parts,
        "unreachable": unreached * outcomes.log_total.exp(),
        "lost": outcomes.lost,
    }


def _possible(log_student: Tensor, log_teacher: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The teacher's log mass [n, R] without the outcomes that the student can't have; the mass left, and theirs."""
    impossible = log_student.detach() == -math.inf
    possible = log_teacher.masked_fill(impossible, -math.inf)
    before, left = log_teacher.exp().sum(1), possible.exp().sum(1)
    return possible, left, (before - left).clamp(min=0)


def _share(reached: Tensor, unreachable: Tensor) -> Tensor:
    """[n], the share of the teacher's mass that is reached: the smaller of the two is the one that is known exactly."""
    share = torch.where(unreachable < 0.5, 1 - unreachable, reached)
    return share.clamp(min=torch.finfo(share.dtype).tiny)


def _top(log_student: Tensor, log_teacher: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Both sides over the teacher's k likeliest outcomes and one of all others: [n, R] -> [n, k + 1]."""
    chosen = log_teacher.detach().topk(min(k, log_teacher.shape[1]), sorted=False).indices
    return _with_rest(log_student, chosen), _with_rest(log_teacher, chosen)


def _with_rest(log_mass: Tensor, chosen: Tensor) -> Tensor:
    others = log_mass.scatter(1, chosen, -math.inf)
    return torch.cat([log_mass.gather(1, chosen), log_sum(others)[:, None]], 1)


def _mass_of(log_mass: Tensor, tokens: Tensor) -> Tensor:
    """[n, V] -> [n], the mass of some tokens."""
    return columns(log_mass.detach(), tokens).exp().sum(1)
