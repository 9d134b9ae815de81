"""
The losses by name, each one call and one number: the mean over the chunks, 0 where there are none.

    p-kl        P-KL, merge chain                              X-Token's first loss
    p-kl-mean   P-KL, merge mean                               as NeMo-RL merges
    h-kl        hybrid, relaxed set, merge chain               X-Token's second loss
    gold        hybrid, strict set, merge scaled               GOLD as published
    uld         hybrid, no pairs, merge first                  plain ULD
    kl          one vocabulary, token by token
"""

from collections.abc import Callable, Mapping

from torch import Tensor

from xtoken_core.errors import LossError
from xtoken_core.losses.batch import Batch
from xtoken_core.losses.merge import Merge
from xtoken_core.losses.objectives import AnyW, hybrid, prepared_for, projected, same

Preset = Callable[[Tensor, Tensor, Batch, AnyW], Tensor]


def p_kl(student_logits: Tensor, teacher_logits: Tensor, batch: Batch, w: AnyW) -> Tensor:
    """P-KL with the merge `chain`, from logits [B, T_s, V_s] and [B, T_t, V_t] -> []."""
    return projected(student_logits, teacher_logits, batch, w).mean()


def p_kl_mean(student_logits: Tensor, teacher_logits: Tensor, batch: Batch, w: AnyW) -> Tensor:
    """P-KL with the merge `mean`, as NeMo-RL merges a chunk's tokens; it flattens."""
    return projected(student_logits, teacher_logits, batch, w, merge=Merge.MEAN).mean()


def h_kl(student_logits: Tensor, teacher_logits: Tensor, batch: Batch, w: AnyW) -> Tensor:
    """H-KL: the hybrid loss over the relaxed set, merge `chain`."""
    return hybrid(student_logits, teacher_logits, batch, prepared_for(student_logits, w).relaxed).mean()


def gold(student_logits: Tensor, teacher_logits: Tensor, batch: Batch, w: AnyW) -> Tensor:
    """GOLD as published: the hybrid loss over the strict set, merge `scaled`."""
    pairs = prepared_for(student_logits, w).strict
    return hybrid(student_logits, teacher_logits, batch, pairs, merge=Merge.SCALED).mean()


def uld(student_logits: Tensor, teacher_logits: Tensor, batch: Batch, w: AnyW) -> Tensor:
    """Plain ULD: all probabilities sorted, merge `first`. W only says how large the vocabularies are."""
    pairs = prepared_for(student_logits, w).nothing
    return hybrid(student_logits, teacher_logits, batch, pairs, merge=Merge.FIRST).mean()


def kl(student_logits: Tensor, teacher_logits: Tensor, batch: Batch, w: AnyW | None = None) -> Tensor:
    """KL over one vocabulary, token by token. W isn't needed; where it's given, padded logits are cut off."""
    if w is not None:
        ids = prepared_for(student_logits, w).student.ids
        student_logits, teacher_logits = student_logits[..., :ids], teacher_logits[..., :ids]
    return same(student_logits, teacher_logits, batch).mean()


PRESETS: Mapping[str, Preset] = {
    "p-kl": p_kl,
    "p-kl-mean": p_kl_mean,
    "h-kl": h_kl,
    "gold": gold,
    "uld": uld,
    "kl": kl,
}


def preset(name: str) -> Preset:
    """A loss by name. Raises LossError for others."""
    if name not in PRESETS:
        raise LossError(f"There is no loss {name!r}. Choose {', '.join(PRESETS)}.")
    return PRESETS[name]
