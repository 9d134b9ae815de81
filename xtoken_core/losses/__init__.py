"""
X-Token's losses on full vocabularies: P-KL, H-KL, and what they are compared with. Torch begins here.

    batch = collate([align(student.encode(text), teacher.encode(text)) for text in texts])
    w = prepare(build(student, teacher), device="cuda")
    loss = p_kl(student_logits, teacher_logits, batch, w)      logits [B, T, V], bf16 or float32
    loss.backward()                                            one number, the mean over the chunks

    p_kl        P-KL, merge chain            gold    strict set, merge scaled, as published
    p_kl_mean   P-KL, merged as in NeMo-RL   uld     no pairs, merge first
    h_kl        relaxed set, merge chain     kl      one vocabulary, token by token

`projected`, `hybrid` and `same` are the same losses with every option, and give one number a chunk.
"""

from xtoken_core.losses.batch import Batch, TokenBatch
from xtoken_core.losses.blocks import ChunkLosses
from xtoken_core.losses.by_pairs import Pairs, pairs_of
from xtoken_core.losses.by_projection import Direction
from xtoken_core.losses.collating import answer, batch_of, collate
from xtoken_core.losses.divergence import forward_kl, jsd, named, reverse_kl
from xtoken_core.losses.merge import Merge
from xtoken_core.losses.mixing import combined, cross_entropy, dynamic, fixed, teacher_weights
from xtoken_core.losses.objectives import hybrid, projected, same
from xtoken_core.losses.prepared import LearnedW, PreparedW, prepare
from xtoken_core.losses.presets import PRESETS, gold, h_kl, kl, p_kl, p_kl_mean, preset, uld

__all__ = [
    "PRESETS", "Batch", "ChunkLosses", "Direction", "LearnedW", "Merge", "Pairs", "PreparedW", "TokenBatch", "answer",
    "batch_of", "collate", "combined", "cross_entropy", "dynamic", "fixed", "forward_kl", "gold", "h_kl", "hybrid",
    "jsd", "kl", "named", "p_kl", "p_kl_mean", "pairs_of", "prepare", "preset", "projected", "reverse_kl", "same",
    "teacher_weights", "uld",
]  # fmt: skip
