"""
W as tensors on one device: its gathers, and the two common sets that H-KL and GOLD compare.

Making it takes a fraction of a second; a training loop makes it once. `LearnedW` is the same with weights that train.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from xtoken_core.common_set import empty, relaxed, strict
from xtoken_core.losses.batch import moved
from xtoken_core.losses.by_pairs import Pairs, pairs_of
from xtoken_core.losses.projector import Projector, projector_of
from xtoken_core.matrix import Floats, Projection, Side


@dataclass(frozen=True, slots=True)
class PreparedW:
    """W on a device. student, teacher: the sides that W maps from and to. nothing: the set without a pair."""

    student: Side
    teacher: Side
    projector: Projector
    strict: Pairs
    relaxed: Pairs
    nothing: Pairs

    def to(self, device: torch.device | str) -> "PreparedW":
        """The same W on another device."""
        moved_w: PreparedW = moved(self, torch.device(device))
        return moved_w

    @property
    def prepared(self) -> "PreparedW":
        """Itself; a `LearnedW` has one too."""
        return self


def prepare(w: Projection, *, device: torch.device | str = "cpu") -> PreparedW:
    """W as a loss takes it, on a device."""
    made = PreparedW(
        w.student,
        w.teacher,
        projector_of(w.ids, w.weights, w.teacher.ids),
        pairs_of(strict(w), w.student, w.teacher),
        pairs_of(relaxed(w), w.student, w.teacher),
        pairs_of(empty(), w.student, w.teacher),
    )
    return made.to(device)


class LearnedW(nn.Module):
    """W of which the weights train: a softmax over each row's free logits, on the fixed support.

    It starts at W's own weights. X-Token gives `free` a learning rate of its own, 1e-2, and doesn't clip its gradients:

        AdamW([{"params": model.parameters(), "lr": 1e-5}, {"params": w.parameters(), "lr": 1e-2, "weight_decay": 0}])
    """

    support: Tensor

    def __init__(self, w: Projection, *, device: torch.device | str = "cpu") -> None:
        super().__init__()
        self.start = w
        self.prepared = prepare(w, device=device)
        with np.errstate(divide="ignore"):
            start = np.log(w.weights)
        self.register_buffer("support", torch.from_numpy(w.weights > 0).to(device))
        self.free = nn.Parameter(torch.from_numpy(np.where(w.weights > 0, start, 0)).to(device))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "LearnedW":
        # what a module is moved by; the gathers are no parameters, so they follow by hand
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.prepared = self.prepared.to(self.free.device)
        return self

    def rows(self) -> Tensor:
        """[V_s, K], the weights as they are now; 0 outside the support, and in an empty row."""
        return self._log_rows().exp()

    def projection(self) -> Projection:
        """W with the weights as they are now, to be saved or shown."""
        return learned(self.start, self.rows().detach().cpu().numpy())

    def log_weights(self) -> Tensor:
        """[E], with gradients to `free`."""
        padding = self.prepared.projector.log_weights == -torch.inf
        found = self._log_rows().flatten()[self.prepared.projector.places]
        return found.masked_fill(padding, -torch.inf)

    def _log_rows(self) -> Tensor:
        # where a row is empty its softmax would have no value
        used: Tensor = self.support | ~self.support.any(1, keepdim=True)
        rows = self.free.masked_fill(~used, -torch.inf).log_softmax(1)
        return rows.masked_fill(~self.support, -torch.inf)


def learned(w: Projection, weights: Floats) -> Projection:
    """W with other weights on the same support [V_s, K], each row heaviest first again, to be saved or shown."""
    order = np.argsort(-weights, axis=1, kind="stable")
    heaviest = np.take_along_axis(weights, order, 1).astype(np.float32)
    ids = np.where(heaviest > 0, np.take_along_axis(w.ids, order, 1), 0)  # a weight may have shrunk to nothing
    return replace(w, ids=ids, weights=heaviest)
