"""
The hybrid loss: pairs of a common set are compared one by one, what is outside by sorted probabilities.

    Σ over pairs (s, t):  p_T[t] (log p_T[t] - log p_S[s])     +     L1( sorted p_S outside, sorted p_T outside )

GOLD is this with the strict set, H-KL with the relaxed one, ULD with none. The shorter side is padded with zeros.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xtoken_core.common_set import CommonSet
from xtoken_core.errors import LossError
from xtoken_core.losses.batch import moved
from xtoken_core.losses.divergence import Divergence
from xtoken_core.losses.merge import Mass
from xtoken_core.losses.projector import Projector, projector_of
from xtoken_core.losses.selection import Selection, selection
from xtoken_core.matrix import Side

SORT_FROM = 8  # a row is sorted as a whole where at least an eighth of it is wanted in order


@dataclass(frozen=True, slots=True)
class Pairs:
    """A common set as tensors, for the vocabularies of student and teacher.

    common: the students of each paired teacher token, summed where there are several. outside_student,
    outside_teacher: the tokens in no pair.
    """

    name: str
    student: Side
    teacher: Side
    common: Projector
    outside_student: Selection
    outside_teacher: Selection


def pairs_of(common: CommonSet, student: Side, teacher: Side, *, device: torch.device | str = "cpu") -> Pairs:
    """A common set for two vocabularies (`Projection.student`, `.teacher`), on a device.

    Raises LossError where a student token is in several pairs, or a token isn't in its vocabulary.
    """
    if len(np.unique(common.students)) < len(common):
        raise LossError(f"The common set {common.name} pairs a student token twice. Give each one partner.")
    if max(common.students, default=0) >= student.ids or max(common.teachers, default=0) >= teacher.ids:
        raise LossError(f"The common set {common.name} holds tokens beyond {student.ids:,} and {teacher.ids:,}.")
    weights, ids = np.zeros((student.ids, 1)), np.zeros((student.ids, 1), np.int64)
    weights[common.students, 0], ids[common.students, 0] = 1, common.teachers
    paired = projector_of(ids, weights, teacher.ids)
    outside_s = selection(np.setdiff1d(np.arange(student.ids), common.students), student.ids)
    outside_t = selection(np.setdiff1d(np.arange(teacher.ids), common.teachers), teacher.ids)
    pairs = Pairs(common.name, student, teacher, paired, outside_s, outside_t)
    placed: Pairs = moved(pairs, torch.device(device))
    return placed


def common_loss(student: Mass, teacher: Mass, pairs: Pairs, divergence: Divergence) -> Tensor:
    """[n], the divergence over the pairs; with GOLD's set the term of X-Token's Proposition 1."""
    common = pairs.common
    log_student = common.log_project(student.log_mass(), common.log_weights.to(student.tokens.dtype))
    return divergence(log_student, common.reached.of(teacher.log_mass()))


def outside_loss(student: Mass, teacher: Mass, pairs: Pairs) -> Tensor:
    """[n], the L1 distance of the probabilities outside the pairs, each side sorted (ULD, arXiv 2402.12030)."""
    mass_s = pairs.outside_student.of(student.log_mass()).exp()
    mass_t = pairs.outside_teacher.of(teacher.log_mass()).exp()
    longer, shorter = (mass_s, mass_t) if mass_s.shape[1] >= mass_t.shape[1] else (mass_t, mass_s)
    largest, others = _split(longer, shorter.shape[1])
    # beyond the shorter side's end the longer one is compared with zeros, so only its sum counts there
    return (largest - shorter.sort(1, descending=True).values).abs().sum(1) + others.sum(1)


def hybrid_loss(student: Mass, teacher: Mass, pairs: Pairs, divergence: Divergence) -> dict[str, Tensor]:
    """[n] each: the loss's parts `common`, `outside` and `realised`; a realised chunk is one more pair."""
    realised = student.tokens.new_zeros(len(student.tokens))
    if student.realised is not None and teacher.realised is not None:
        realised = divergence(student.realised[:, None], teacher.realised[:, None])
    common = common_loss(student, teacher, pairs, divergence)
    return {"common": common, "outside": outside_loss(student, teacher, pairs), "realised": realised}


def _split(mass: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest of each row, largest first, and the row without them."""
    if count * SORT_FROM > mass.shape[1]:
        ordered = mass.sort(1, descending=True).values
        return ordered[:, :count], ordered[:, count:]
    largest, places = mass.topk(count, 1)
    return largest, mass.scatter(1, places, 0)
