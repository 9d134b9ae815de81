"""Losses mixed, named and learned: worked values, torch's own cross-entropy, and the sentence of every refusal."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from xtoken_core import losses as package
from xtoken_core.alignment import align
from xtoken_core.common_set import CommonSet
from xtoken_core.errors import LossError, ShapeError
from xtoken_core.losses import (
    PRESETS,
    Batch,
    Direction,
    LearnedW,
    Merge,
    blocks,
    collate,
    forward_kl,
    hybrid,
    jsd,
    kl,
    p_kl,
    pairs_of,
    prepare,
    preset,
    projected,
    reverse_kl,
    same,
)
from xtoken_core.losses.divergence import named
from xtoken_core.losses.mixing import combined, cross_entropy, dynamic, fixed, teacher_weights
from xtoken_core.losses.prepared import learned
from xtoken_core.losses.rows import FLOATS
from xtoken_core.matrix import Bools, Floats, Projection, Rule, Side
from xtoken_core.projection_file import load, save
from xtoken_core.sequence import TokenSequence, sequence_of

V_S, HEAD_S, V_T, HEAD_T = 5, 7, 6, 8
WEIGHTINGS = ["cross-entropy", "entropy", "confidence"]
TWO_VOCABULARIES = [name for name in PRESETS if name != "kl"]


def by_hand() -> Projection:
    """BOS 20 1 ! x to BOS 2 0 1 ! y: "20" is cut into two, "x" has an empty row, nothing reaches "y"."""
    return Projection(
        student=Side("ours", "0" * 64, V_S, HEAD_S),
        teacher=Side("theirs", "1" * 64, V_T, HEAD_T),
        options=None,
        ids=np.array([[0, 0], [1, 2], [3, 0], [4, 0], [0, 0]], np.int32),
        weights=np.array([[1, 0], [10 / 11, 1 / 11], [1, 0], [1, 0], [0, 0]], np.float32),
        rules=np.array([Rule.SPECIAL, Rule.MULTI, Rule.EXACT, Rule.EXACT, Rule.EMPTY], np.uint8),
        pieces=np.array([1, 2, 1, 1, 0], np.int32),
        trimmed=np.zeros(V_S, np.float32),
        canonical=np.ones(V_S, bool),
    )


def text(ids: Sequence[int], *tokens: bytes) -> TokenSequence:
    made = sequence_of(list(tokens), {k: "bos" for k, token in enumerate(tokens) if not token})
    return replace(made, ids=np.array(ids, np.int32))


def ours() -> TokenSequence:
    return text([0, 1, 2, 3], b"", b"20", b"1", b"!")


def theirs() -> TokenSequence:
    return text([0, 1, 2, 3, 4], b"", b"2", b"0", b"1", b"!")


def batch_of_201(learn: Bools | None = None, *, texts: int = 1) -> Batch:
    return collate([align(ours(), theirs())] * texts, learn=None if learn is None else [learn] * texts)


def random_logits(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2


def student_logits(texts: int = 1) -> Tensor:
    return random_logits(texts, 4, V_S).requires_grad_()


def teacher_logits(texts: int = 1) -> Tensor:
    return random_logits(texts, 5, V_T, seed=1)


def gradient_of(loss: Tensor, leaf: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(loss, leaf)
    return gradient


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


def refused(error: type[Exception], sentence: str) -> Any:
    return pytest.raises(error, match=re.escape(sentence))


# one loss of two


def test_dynamic_counts_both_alike() -> None:
    assert dynamic(number(3), number(0.5)).item() == 6
    assert dynamic(number(0.2), number(40)).item() == pytest.approx(0.4)


def test_dynamic_scales_the_gradient_by_the_ratio_and_sends_none_through_it() -> None:
    of_labels, of_teacher = number(3), number(0.5)
    dynamic(of_labels, of_teacher).backward()
    assert of_labels.grad == 1
    assert of_teacher.grad == 6


def test_dynamic_without_distillation_is_cross_entropy_alone() -> None:
    of_labels, of_teacher = number(3), number(0)
    mixed = dynamic(of_labels, of_teacher)
    mixed.backward()
    assert mixed == 3
    assert of_labels.grad == 1
    assert of_teacher.grad == 0


def test_dynamic_of_two_zeros_is_zero() -> None:
    mixed = dynamic(number(0), number(0))
    mixed.backward()
    assert mixed == 0


def test_dynamic_keeps_the_sign_of_a_negative_loss_and_of_its_gradient() -> None:
    of_labels, of_teacher = number(3), number(-0.5)
    mixed = dynamic(of_labels, of_teacher)
    mixed.backward()
    assert mixed == 0
    assert (of_labels.grad, of_teacher.grad) == (1, 6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sign", [1, -1])
def test_dynamic_counts_a_distillation_below_the_smallest_normal_number_as_0(dtype: torch.dtype, sign: int) -> None:
    smallest = torch.finfo(dtype).tiny
    for size, counted in ((smallest, 1), (smallest / 2, 0), (torch.finfo(dtype).smallest_normal / 2**20, 0)):
        of_teacher = torch.tensor(sign * size, dtype=dtype, requires_grad=True)
        mixed = dynamic(torch.tensor(1e-3, dtype=dtype), of_teacher)
        mixed.backward()
        assert mixed.item() == pytest.approx(1e-3 * (1 + sign * counted))
        assert bool(of_teacher.grad) == bool(counted)
        assert of_teacher.grad.isfinite()


def test_dynamic_without_labels_is_zero() -> None:
    assert dynamic(number(0), number(2)).item() == 0


def test_fixed_weighs_both() -> None:
    of_labels, of_teacher = number(3), number(0.5)
    mixed = fixed(0.25, 2)(of_labels, of_teacher)
    mixed.backward()
    assert mixed == 1.75
    assert (of_labels.grad, of_teacher.grad) == (0.25, 2)


@pytest.mark.parametrize("weights", [(1, 0), (0, 1)])
def test_one_of_the_fixed_weights_may_be_0(weights: tuple[float, float]) -> None:
    assert fixed(*weights)(number(3), number(0.5)).item() == (3 if weights[0] else 0.5)


@pytest.mark.parametrize("weights", [(-1, 2), (1, -0.5), (0, 0)])
def test_fixed_weights_that_mix_nothing_are_refused(weights: tuple[float, float]) -> None:
    sentence = (
        f"The weights of cross-entropy and distillation were given as {weights[0]!r} and {weights[1]!r}; give two that "
        f"aren't negative, one of them above 0."
    )
    with refused(LossError, sentence):
        fixed(*weights)


def torch_cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    """The mean over all real tokens but the first of each row, by torch's own function and a shift by hand."""
    wanted = batch.student.ids.masked_fill(~batch.student.mask, -100)
    return nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), wanted[:, 1:].flatten(), ignore_index=-100)


def three_texts() -> Batch:
    one = text([3, 2], b"!", b"1")
    return collate([align(ours(), theirs()), align(one, one), align(ours(), theirs())])


def test_cross_entropy_is_torch_s_own_and_so_is_its_gradient() -> None:
    batch = three_texts()
    logits = random_logits(3, 4, V_S).requires_grad_()
    mine, expected = cross_entropy(logits, batch), torch_cross_entropy(logits, batch)
    torch.testing.assert_close(mine, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient_of(mine * 3, logits), gradient_of(expected * 3, logits), rtol=1e-12, atol=1e-12)


def test_cross_entropy_takes_a_slice_of_logits() -> None:
    batch = three_texts()
    logits = random_logits(3, 4, HEAD_S).requires_grad_()
    mine, expected = cross_entropy(logits[..., :V_S], batch), torch_cross_entropy(logits[..., :V_S], batch)
    torch.testing.assert_close(mine, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient_of(mine, logits), gradient_of(expected, logits), rtol=1e-12, atol=1e-12)


def test_cross_entropy_of_bf16_logits_is_computed_in_float32() -> None:
    logits = random_logits(3, 4, V_S).to(torch.bfloat16).requires_grad_()
    mine = cross_entropy(logits, three_texts())
    assert mine.dtype == torch.float32
    torch.testing.assert_close(mine, torch_cross_entropy(logits.float(), three_texts()))
    assert gradient_of(mine, logits).dtype == torch.bfloat16


def test_cross_entropy_counts_the_tokens_that_are_to_be_learned_alone() -> None:
    batch = batch_of_201(np.array([1, 0, 0, 1], bool))
    logits = student_logits()
    mine = cross_entropy(logits, batch)
    assert mine.item() == pytest.approx(-logits[0, 2].log_softmax(0)[3].item())
    gradient = gradient_of(mine, logits)
    assert not gradient[0, [0, 1, 3]].any()
    assert gradient[0, 2].any()


@pytest.mark.parametrize("floats", [1, 2 * V_S, 3 * V_S + 1])
def test_rows_read_in_small_blocks_give_the_same(floats: int, monkeypatch: pytest.MonkeyPatch) -> None:
    logits, batches = random_logits(3, 4, V_S).requires_grad_(), [three_texts()] * 2
    teachers = [random_logits(3, 5, V_T, seed=seed) for seed in (1, 2)]
    whole = cross_entropy(logits, batches[0])
    expected, weights = gradient_of(whole, logits), [teacher_weights(by, teachers, batches) for by in WEIGHTINGS]
    monkeypatch.setitem(FLOATS, "cpu", floats)
    in_blocks = cross_entropy(logits, batches[0])
    assert in_blocks.item() == pytest.approx(whole.item(), rel=1e-12)
    torch.testing.assert_close(gradient_of(in_blocks, logits), expected, rtol=1e-12, atol=1e-12)
    for by, weight in zip(WEIGHTINGS, weights, strict=True):
        torch.testing.assert_close(teacher_weights(by, teachers, batches), weight, rtol=1e-12, atol=1e-12)


def test_cross_entropy_without_a_target_is_0_with_gradients_of_0() -> None:
    logits = student_logits()
    mine = cross_entropy(logits, batch_of_201(np.zeros(4, bool)))
    assert mine == 0
    assert torch.equal(gradient_of(mine, logits), torch.zeros_like(logits))


def test_cross_entropy_cuts_a_padded_head_where_it_is_told_the_vocabulary() -> None:
    logits = random_logits(3, 4, HEAD_S).requires_grad_()
    logits.data[..., V_S:] += 9
    mine, cut = cross_entropy(logits, three_texts(), vocabulary=V_S), cross_entropy(logits[..., :V_S], three_texts())
    assert torch.equal(mine, cut)
    assert cross_entropy(logits, three_texts()) > cut + 1
    gradient = gradient_of(mine, logits)
    assert torch.equal(gradient, gradient_of(cut, logits))
    assert not gradient[..., V_S:].any()


@pytest.mark.parametrize("shape", [(1, 3, V_S), (1, 8, V_S), (2, 4, V_S), (4, V_S)])
def test_cross_entropy_refuses_logits_of_another_shape_than_the_ids(shape: tuple[int, ...]) -> None:
    with refused(ShapeError, logits_do_not_fit("student", shape, [1, 4])):
        cross_entropy(torch.zeros(shape), batch_of_201())


def logits_do_not_fit(side: str, shape: Sequence[int], tokens: list[int]) -> str:
    return (
        f"The {side}'s logits have the shape {list(shape)}, but the batch has {tokens} tokens. Give logits [B, T, V] "
        f"of the batch's ids, every position, unshifted."
    )


def test_cross_entropy_refuses_logits_that_lack_a_token_of_the_text() -> None:
    with refused(ShapeError, "The student's text holds token 3, but its logits have V = 3."):
        cross_entropy(torch.zeros(1, 4, 3), batch_of_201())


# several teachers


def test_combined_is_the_weighted_sum() -> None:
    first, second = number(2), number(8)
    mixed = combined([first, second], [0.75, 0.25])
    mixed.backward()
    assert mixed == 3.5
    assert (first.grad, second.grad) == (0.75, 0.25)


def test_combined_takes_weights_of_another_kind_and_sends_them_no_gradient() -> None:
    weights = torch.tensor([0.5, 0.5], dtype=torch.float32, requires_grad=True)
    mixed = combined([number(2), number(8)], weights)
    mixed.backward()
    assert mixed == 5
    assert weights.grad is None


@pytest.mark.parametrize(("count", "weights"), [(2, [1.0]), (1, [0.5, 0.5]), (0, [])])
def test_combined_wants_a_weight_a_teacher(count: int, weights: list[float]) -> None:
    sentence = f"There are {count} teachers' losses and {len(weights)} weights. Give one weight a teacher."
    with refused(ShapeError, sentence):
        combined([number(1)] * count, weights)


def says(*rows: Sequence[float]) -> Tensor:
    """Logits [1, 5, V] of a teacher whose probabilities after each of its first tokens are these."""
    probabilities = torch.zeros(1, 5, len(rows[0]), dtype=torch.float64)
    probabilities[0, : len(rows)] = torch.tensor(rows, dtype=torch.float64)
    probabilities[0, len(rows) :, 0] = 1
    return probabilities.log()


def realised(probability: float) -> Tensor:
    """A teacher that gives each token of its text this probability, and the rest to "y"."""
    rows = np.zeros((4, V_T))
    rows[np.arange(4), [1, 2, 3, 4]] = probability
    rows[:, 5] = 1 - probability
    return says(*rows.tolist())


def uniform(*, over: int) -> Tensor:
    row = [1 / over] * over + [0.0] * (V_T - over)
    return says(*[row] * 4)


def test_scores_of_1_and_0_are_weights_of_7311_and_2689() -> None:
    """Cross-entropies of 1 and 2 differ as the scores do."""
    teachers = [realised(math.exp(-1)), realised(math.exp(-2))]
    weights = teacher_weights("cross-entropy", teachers, [batch_of_201()] * 2)
    assert weights.tolist() == pytest.approx([0.731058, 0.268941], abs=1e-5)
    assert weights.tolist() == pytest.approx(torch.tensor([1.0, 0.0]).softmax(0).tolist(), abs=1e-6)


def test_entropies_of_0_and_log_4_are_weights_of_four_fifths_and_one() -> None:
    weights = teacher_weights("entropy", [uniform(over=1), uniform(over=4)], [batch_of_201()] * 2)
    assert weights.tolist() == pytest.approx([0.8, 0.2])


def test_confidence_is_the_mean_of_the_top_probabilities() -> None:
    mixed = says([0.5, 0.5, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0.25] * 4 + [0, 0], [1, 0, 0, 0, 0, 0])
    weights = teacher_weights("confidence", [mixed, uniform(over=5)], [batch_of_201()] * 2)
    expected = torch.tensor([(0.5 + 1 + 0.25 + 1) / 4, 0.2]).softmax(0)
    assert weights.tolist() == pytest.approx(expected.tolist())


@pytest.mark.parametrize("by", WEIGHTINGS)
def test_the_better_teacher_weighs_more(by: str) -> None:
    for teachers in ([realised(0.9), uniform(over=6)], [uniform(over=6), realised(0.9)]):
        weights = teacher_weights(by, teachers, [batch_of_201()] * 2)
        assert weights.sum().item() == pytest.approx(1)
        better = 0 if teachers[0][0, 0, 1] > teachers[1][0, 0, 1] else 1
        assert weights[better] > 0.55


def test_a_teacher_that_is_sure_and_wrong_loses_by_cross_entropy_alone() -> None:
    teachers = [realised(0.02), realised(0.5)]
    weights = {by: teacher_weights(by, teachers, [batch_of_201()] * 2) for by in WEIGHTINGS}
    assert weights["cross-entropy"][0] < 0.1
    assert weights["entropy"][0] > 0.5
    assert weights["confidence"][0] > 0.5


def test_what_a_teacher_says_of_tokens_that_are_not_learned_counts_nothing() -> None:
    batch = batch_of_201(np.array([1, 0, 1, 1], bool))  # "20" is the teacher's tokens 1 and 2, at rows 0 and 1
    one = random_logits(1, 5, V_T)
    other = one.clone()
    other[0, [0, 1, 4]] = 7 * random_logits(3, V_T, seed=3)
    for by in WEIGHTINGS:
        assert teacher_weights(by, [one, other], [batch] * 2).tolist() == pytest.approx([0.5, 0.5])


def test_teachers_with_batches_and_vocabularies_of_their_own_are_weighed() -> None:
    batches = [batch_of_201(), three_texts()]
    weights = teacher_weights("entropy", [random_logits(1, 5, V_T), random_logits(3, 5, 9)], batches)
    assert weights.shape == (2,)
    assert weights.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("by", WEIGHTINGS)
def test_logits_of_minus_infinity_weigh_like_very_low_ones(by: str) -> None:
    one = random_logits(1, 5, V_T)
    one[..., 5] = -math.inf
    low = one.clone()
    low[..., 5] = -1e4
    other = random_logits(1, 5, V_T, seed=2)
    weights = teacher_weights(by, [one, other], [batch_of_201()] * 2)
    torch.testing.assert_close(weights, teacher_weights(by, [low, other], [batch_of_201()] * 2))


def test_a_teacher_that_rules_the_text_out_weighs_nothing() -> None:
    weights = teacher_weights("cross-entropy", [realised(0.0), realised(0.5)], [batch_of_201()] * 2)
    assert weights.tolist() == [0, 1]


def test_of_teachers_that_all_rule_the_text_out_none_is_better() -> None:
    weights = teacher_weights("cross-entropy", [realised(0.0), realised(0.0)], [batch_of_201()] * 2)
    assert weights.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("by", WEIGHTINGS)
def test_where_nothing_is_learned_all_teachers_weigh_alike(by: str) -> None:
    nothing = batch_of_201(np.zeros(4, bool))
    weights = teacher_weights(by, [teacher_logits(), realised(0.5)], [nothing] * 2)
    assert weights.tolist() == [0.5, 0.5]
    assert combined([number(0), number(0)], weights) == 0


@pytest.mark.parametrize("by", WEIGHTINGS)
def test_teacher_weights_refuse_logits_of_another_shape_than_the_ids(by: str) -> None:
    with refused(ShapeError, logits_do_not_fit("teacher", [1, 4, V_T], [1, 5])):
        teacher_weights(by, [teacher_logits(), teacher_logits()[:, :-1]], [batch_of_201()] * 2)
    with refused(ShapeError, "The teacher's text holds token 4, but its logits have V = 4."):
        teacher_weights(by, [teacher_logits()[..., :4]], [batch_of_201()])


def test_teacher_weights_carry_no_gradient() -> None:
    logits = teacher_logits().requires_grad_()
    assert not teacher_weights("entropy", [logits, logits], [batch_of_201()] * 2).requires_grad


def test_an_unknown_weighting_is_refused() -> None:
    sentence = "Teachers can't be weighed by 'loss'. Choose cross-entropy, entropy, confidence."
    with refused(LossError, sentence):
        teacher_weights("loss", [teacher_logits()], [batch_of_201()])


# names


def test_divergences_have_names() -> None:
    assert named("forward") is forward_kl
    assert named("reverse") is reverse_kl
    student, teacher = (random_logits(3, 6, seed=k).log_softmax(-1) for k in (0, 1))
    assert torch.equal(named("jsd", beta=0.3)(student, teacher), jsd(0.3)(student, teacher))
    assert torch.equal(named("jsd")(student, teacher), jsd(0.5)(student, teacher))


def test_an_unknown_divergence_is_refused() -> None:
    with refused(LossError, "There is no divergence 'kl'. Choose forward, reverse, jsd."):
        named("kl")


@pytest.mark.parametrize("beta", [0, 1, -0.1, 1.1, math.nan])
def test_a_jsd_whose_beta_is_not_between_0_and_1_is_refused(beta: float) -> None:
    sentence = f"The JSD's β was given as {beta!r}; it must lie between 0 and 1. For 0 and 1 use a KL."
    for asked in (jsd, lambda value: named("jsd", beta=value)):
        with refused(LossError, sentence):
            asked(beta)


@pytest.mark.parametrize("divergence", [forward_kl, reverse_kl, jsd(0.3)])
def test_outcomes_that_a_side_cannot_have_give_no_nan(divergence: Callable[[Tensor, Tensor], Tensor]) -> None:
    student = torch.tensor([[0.5, 0.5, 0.0, 0.0]], dtype=torch.float64).log().requires_grad_()
    teacher = torch.tensor([[0.5, 0.0, 0.5, 0.0]], dtype=torch.float64).log()
    loss = divergence(student, teacher).sum()
    assert loss.isfinite()
    assert gradient_of(loss, student).isfinite().all()


def test_the_names_of_the_losses_are_these() -> None:
    assert list(PRESETS) == ["p-kl", "p-kl-mean", "h-kl", "gold", "uld", "kl"]
    for name, loss in PRESETS.items():
        assert preset(name) is loss is getattr(package, name.replace("-", "_"))


def test_an_unknown_loss_is_refused() -> None:
    with refused(LossError, "There is no loss 'P-KL'. Choose p-kl, p-kl-mean, h-kl, gold, uld, kl."):
        preset("P-KL")


# W given in one way or another


@pytest.mark.parametrize("name", TWO_VOCABULARIES)
def test_a_projection_given_directly_equals_a_prepared_one_and_a_learned_one_at_its_start(name: str) -> None:
    found = []
    for w in (by_hand(), prepare(by_hand()), prepare(by_hand()).to("cpu"), LearnedW(by_hand())):
        student = student_logits(2)
        loss = preset(name)(student, teacher_logits(2), batch_of_201(texts=2), w)
        found.append((loss.item(), gradient_of(loss, student)))
    for loss, gradient in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-6)
        torch.testing.assert_close(gradient, found[0][1], rtol=1e-6, atol=1e-7)


def test_every_tensor_of_a_prepared_w_moves() -> None:
    """The meta device is on every machine."""
    devices = list(devices_of(prepare(by_hand()).to("meta")))
    assert len(devices) > 20
    assert set(devices) == {"meta"}


def devices_of(value: Any) -> list[str]:
    if isinstance(value, Tensor):
        return [value.device.type]
    parts = [getattr(value, field.name) for field in fields(value)] if is_dataclass(value) else []
    return [device for part in (value if isinstance(value, tuple) else parts) for device in devices_of(part)]


def test_a_learned_w_moves_as_a_whole() -> None:
    moved = LearnedW(by_hand()).to("meta")
    assert (moved.free.device.type, moved.support.device.type) == ("meta", "meta")
    assert set(devices_of(moved.prepared)) == {"meta"}


def test_a_learned_w_moves_with_the_module_that_holds_it() -> None:
    w = LearnedW(by_hand())
    nn.ModuleList([w]).to("meta")
    assert {w.free.device.type, w.support.device.type, *devices_of(w.prepared)} == {"meta"}


def test_the_prepared_sets_are_strict_relaxed_and_none() -> None:
    w = prepare(by_hand())
    assert (w.strict.name, w.relaxed.name, w.nothing.name) == ("strict", "relaxed", "empty")
    found = [
        hybrid(student_logits(), teacher_logits(), batch_of_201(), pairs, merge=Merge.FIRST).parts["common"]
        for pairs in (w.strict, w.relaxed, w.nothing)
    ]
    assert found[0].all()
    assert (found[0] != found[1]).all()
    assert not found[2].any()


# shapes


@pytest.mark.parametrize("head", [(V_S, HEAD_T), (HEAD_S, V_T)])
def test_one_head_may_be_cut_and_the_other_padded(head: tuple[int, int]) -> None:
    student, teacher = random_logits(1, 4, head[0]), random_logits(1, 5, head[1])
    loss = p_kl(student, teacher, batch_of_201(), by_hand())
    cut = p_kl(student[..., :V_S], teacher[..., :V_T], batch_of_201(), by_hand())
    torch.testing.assert_close(loss, cut, rtol=1e-12, atol=1e-12)


def vocabularies_do_not_fit(v_s: int, v_t: int) -> str:
    return (
        f"W is for the student ours, V_s=5, and the teacher theirs, V_t=6, but the logits have V_s={v_s} and "
        f"V_t={v_t}. Cut the model's padded vocabulary first, logits[..., :5] and [..., :6], or build W for these "
        f"models' tokenizers."
    )


@pytest.mark.parametrize("name", TWO_VOCABULARIES)
@pytest.mark.parametrize(("v_s", "v_t"), [(6, 6), (8, 6), (5, 5), (5, 7), (5, 9), (7, 7)])
def test_logits_of_another_width_are_refused(name: str, v_s: int, v_t: int) -> None:
    with refused(ShapeError, vocabularies_do_not_fit(v_s, v_t)):
        preset(name)(random_logits(1, 4, v_s), random_logits(1, 5, v_t), batch_of_201(), by_hand())


def test_to_student_swaps_the_sides_of_w() -> None:
    """W' from the teacher's tokens to the student's: here the "teacher" is the side that W calls ours."""
    turned = collate([align(theirs(), ours())])
    student, teacher = random_logits(1, 5, V_T), random_logits(1, 4, V_S)
    loss = projected(student, teacher, turned, by_hand(), direction=Direction.TO_STUDENT)
    assert loss.values.shape == (3,)
    with refused(ShapeError, vocabularies_do_not_fit(V_T, V_S)):
        projected(student, teacher, turned, by_hand())
    sentence = "W is for the student theirs, V_s=6, and the teacher ours, V_t=5, but the logits have V_s=5 and V_t=6."
    with refused(ShapeError, sentence):
        projected(
            random_logits(1, 4, V_S),
            random_logits(1, 5, V_T),
            batch_of_201(),
            by_hand(),
            direction=Direction.TO_STUDENT,
        )


ALL_WAYS: list[Callable[[Tensor, Tensor, Batch], Any]] = [
    lambda student, teacher, batch: projected(student, teacher, batch, by_hand()),
    lambda student, teacher, batch: hybrid(student, teacher, batch, prepare(by_hand()).strict),
]


@pytest.mark.parametrize("loss", ALL_WAYS, ids=["projected", "hybrid"])
@pytest.mark.parametrize("shape", [(1, 3, V_S), (1, 5, V_S), (2, 4, V_S), (4, V_S), (4, 1, V_S)])
def test_student_logits_of_another_shape_than_the_ids_are_refused(
    loss: Callable[[Tensor, Tensor, Batch], Any], shape: tuple[int, ...]
) -> None:
    with refused(ShapeError, logits_do_not_fit("student", shape, [1, 4])):
        loss(random_logits(*shape), teacher_logits(), batch_of_201())


@pytest.mark.parametrize("loss", ALL_WAYS, ids=["projected", "hybrid"])
def test_teacher_logits_of_another_shape_than_the_ids_are_refused(loss: Callable[[Tensor, Tensor, Batch], Any]) -> None:
    with refused(ShapeError, "The teacher's logits have the shape [1, 4, 6], but the batch has [1, 5] tokens."):
        loss(student_logits(), teacher_logits()[:, :-1], batch_of_201())


@pytest.mark.parametrize("loss", ALL_WAYS, ids=["projected", "hybrid"])
def test_a_token_that_the_logits_do_not_have_is_refused(loss: Callable[[Tensor, Tensor, Batch], Any]) -> None:
    sentence = "s text holds token 4,321, but its logits have V = {}. Use the model that belongs to the tokenizer."
    strange_s = replace(ours(), ids=np.array([0, 1, 2, 4321]))
    strange_t = replace(theirs(), ids=np.array([0, 1, 2, 3, 4321]))
    with refused(ShapeError, "The student'" + sentence.format(V_S)):
        loss(student_logits(), teacher_logits(), collate([align(strange_s, theirs())]))
    with refused(ShapeError, "The teacher'" + sentence.format(V_T)):
        loss(student_logits(), teacher_logits(), collate([align(ours(), strange_t)]))


def test_the_first_id_that_the_logits_do_not_have_is_refused() -> None:
    """Ids are counted from 0: V = 5 has the last id 4."""
    last, beyond = (align(replace(ours(), ids=np.array([0, 1, 2, token])), theirs()) for token in (4, 5))
    assert p_kl(student_logits(), teacher_logits(), collate([last]), by_hand()).isfinite()
    with refused(ShapeError, "The student's text holds token 5, but its logits have V = 5."):
        p_kl(student_logits(), teacher_logits(), collate([beyond]), by_hand())


@pytest.mark.parametrize("temperature", [0, -1.0, math.nan, math.inf])
def test_an_illegal_temperature_is_refused(temperature: float) -> None:
    student, teacher, batch, w = student_logits(), teacher_logits(), batch_of_201(), prepare(by_hand())
    sentence = f"The temperature was given as {temperature!r}; it must be above 0 and finite."
    with refused(LossError, sentence):
        projected(student, teacher, batch, w, temperature=temperature)
    with refused(LossError, sentence):
        hybrid(student, teacher, batch, w.strict, temperature=temperature)
    with refused(LossError, sentence):
        same(student, student, collate([align(ours(), ours())]), temperature=temperature)


@pytest.mark.parametrize("top_k", [0, -3, 1.5, 2.0, True, "2"])
def test_an_illegal_top_k_is_refused(top_k: Any) -> None:
    sentence = f"top_k was given as {top_k!r}; it must be a whole number from 1, or None for all tokens."
    with refused(LossError, sentence):
        projected(student_logits(), teacher_logits(), batch_of_201(), by_hand(), top_k=top_k)


@pytest.mark.parametrize("merge", ["no", "CHAIN", ""])
def test_an_unknown_merge_is_refused(merge: Any) -> None:
    sentence = f"There is no merge {merge!r}. Choose chain, scaled, first, last, mean."
    with refused(LossError, sentence):
        projected(student_logits(), teacher_logits(), batch_of_201(), by_hand(), merge=merge)
    with refused(LossError, sentence):
        hybrid(student_logits(), teacher_logits(), batch_of_201(), prepare(by_hand()).strict, merge=merge)


def test_an_unknown_direction_is_refused() -> None:
    with refused(LossError, "There is no direction 'no'. Choose to_teacher, to_student."):
        projected(student_logits(), teacher_logits(), batch_of_201(), by_hand(), direction="no")


def test_merges_and_directions_may_be_given_by_name() -> None:
    turned, student, teacher = collate([align(theirs(), ours())]), random_logits(1, 5, V_T), random_logits(1, 4, V_S)
    for merge in Merge:
        by_name, given = (
            projected(student, teacher, turned, by_hand(), merge=one, direction=way).values
            for one, way in ((str(merge), "to_student"), (merge, Direction.TO_STUDENT))
        )
        assert torch.equal(by_name, given)


def test_tensors_on_other_devices_are_refused() -> None:
    w, batch = prepare(by_hand()), batch_of_201()
    sentence = "The student's logits are on cpu, but {} on meta. Move all to one device"
    with refused(ShapeError, sentence.format("the teacher's are")):
        projected(student_logits(), teacher_logits().to("meta"), batch, w)
    with refused(ShapeError, sentence.format("the batch is")):
        projected(student_logits(), teacher_logits(), batch.to("meta"), w)
    with refused(ShapeError, sentence.format("W is")):
        projected(student_logits(), teacher_logits(), batch, w.to("meta"))
    with refused(ShapeError, sentence.format("W is")):
        hybrid(student_logits(), teacher_logits(), batch, w.to("meta").strict)


def test_another_thing_than_w_or_pairs_is_refused_by_its_kind() -> None:
    w = prepare(by_hand())
    with refused(LossError, "W was given as Pairs; give what `build`, `prepare` or `LearnedW` makes."):
        projected(student_logits(), teacher_logits(), batch_of_201(), w.strict)
    with refused(LossError, "The pairs were given as PreparedW; give `.strict` or `.relaxed` of a prepared W."):
        hybrid(student_logits(), teacher_logits(), batch_of_201(), w)


def test_a_set_that_is_none_is_refused() -> None:
    w = by_hand()
    with refused(LossError, "The common set mine pairs a student token twice. Give each one partner."):
        pairs_of(CommonSet("mine", np.array([1, 1]), np.array([0, 2])), w.student, w.teacher)
    with refused(LossError, "The common set mine holds tokens beyond"):
        pairs_of(CommonSet("mine", np.array([1]), np.array([99])), w.student, w.teacher)


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "kl"])
@pytest.mark.parametrize("side", ["student", "teacher"])
def test_a_logit_that_is_no_number_makes_a_loss_that_is_none(name: str, side: str) -> None:
    student, teacher = student_logits(), teacher_logits()
    (student if side == "student" else teacher).data[0, 0, 1] = math.nan
    assert PRESETS[name](student, teacher, batch_of_201(), prepare(by_hand())).isnan()


def test_a_second_derivative_is_refused_and_not_0() -> None:
    student = student_logits().detach().requires_grad_()
    loss = PRESETS["p-kl"](student, teacher_logits(), batch_of_201(), prepare(by_hand()))
    with refused(LossError, "A second derivative was asked for (create_graph=True)."):
        torch.autograd.grad(loss, student, create_graph=True)
    with refused(LossError, "A second derivative was asked for (create_graph=True)."):
        torch.autograd.grad(cross_entropy(student, batch_of_201()), student, create_graph=True)


def test_without_grad_mode_no_gradient_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_no_gradients", None)  # to call it would be an error
    with torch.no_grad():
        student = student_logits().detach().requires_grad_()
        assert PRESETS["p-kl"](student, teacher_logits(), batch_of_201(), prepare(by_hand())) > 0


def test_a_learned_w_gives_its_weights_as_a_w() -> None:
    w = LearnedW(by_hand())
    with torch.no_grad():
        w.free += torch.randn(w.free.shape, generator=torch.Generator().manual_seed(0))
    found = w.projection()
    assert np.allclose(np.sort(found.weights), np.sort(w.rows().detach().numpy()))
    assert (np.diff(found.weights) <= 0).all()


# one vocabulary


def test_same_wants_one_vocabulary() -> None:
    sentence = (
        "One vocabulary was compared with itself, but the student has 5 logits and the teacher 6. Cut both to the "
        "tokens that the tokenizer has, or use `projected` for two tokenizers."
    )
    with refused(ShapeError, sentence):
        same(random_logits(1, 4, 5), random_logits(1, 4, 6), collate([align(ours(), ours())]))


def test_same_wants_the_same_tokens_in_every_chunk() -> None:
    sentence = (
        "One vocabulary was compared token by token, but the batch's chunks hold other tokens on one side than on the "
        "other. Align with the same tokenizer on both sides, or use `projected` or `hybrid`."
    )
    with refused(LossError, sentence):
        same(random_logits(1, 4, 6), random_logits(1, 5, 6), batch_of_201())
    other_ids = replace(ours(), ids=np.array([0, 1, 2, 4]))
    with refused(LossError, sentence):
        same(random_logits(1, 4, 6), random_logits(1, 4, 6), collate([align(ours(), other_ids)]))


def test_same_refuses_logits_of_another_shape_than_the_ids() -> None:
    batch = collate([align(ours(), ours())])
    with refused(ShapeError, "The student's logits have the shape [1, 3, 5], but the batch has [1, 4] tokens."):
        same(random_logits(1, 3, 5), random_logits(1, 4, 5), batch)
    with refused(ShapeError, "The teacher's text holds token 3, but its logits have V = 3."):
        same(random_logits(1, 4, 3)[..., :3], random_logits(1, 4, 3), replace(batch, largest_student=2))


def test_kl_with_w_cuts_padded_heads() -> None:
    batch = collate([align(ours(), ours())])
    student, teacher = random_logits(1, 4, 7), random_logits(1, 4, 9, seed=1)
    cut = kl(student[..., :V_S], teacher[..., :V_S], batch)
    assert kl(student, teacher, batch, by_hand()).item() == pytest.approx(cut.item())
    with pytest.raises(ShapeError, match="the student has 7 logits and the teacher 9"):
        kl(student, teacher, batch)


@pytest.mark.parametrize("name", list(PRESETS))
@pytest.mark.parametrize("texts", [0, 1])
def test_a_batch_without_a_chunk_is_0_with_gradients_of_0(name: str, texts: int) -> None:
    one = ours() if name == "kl" else theirs()
    batch = collate([align(ours(), one)] * texts, learn=[np.zeros(4, bool)] * texts)
    student = random_logits(*batch.student.ids.shape, V_S).requires_grad_()
    teacher = random_logits(*batch.teacher.ids.shape, V_S if name == "kl" else V_T)
    loss = preset(name)(student, teacher, batch, by_hand())
    assert loss == 0
    assert torch.equal(gradient_of(loss, student), torch.zeros_like(student))


# a W that trains


def test_a_learned_w_s_logarithms_are_those_of_the_gathers() -> None:
    w = LearnedW(by_hand())
    torch.testing.assert_close(w.log_weights().double(), w.prepared.projector.log_weights, rtol=0, atol=1e-6)


def test_columns_of_three_and_of_four_entries_are_learned_alike() -> None:
    """They are gathered together, and the shorter one is padded."""
    ids = np.array([[0, 1], [0, 1], [0, 1], [1, 2], [3, 0]], np.int32)
    weights = np.array([[0.75, 0.25], [0.5, 0.5], [0.875, 0.125], [0.75, 0.25], [1, 0]], np.float32)
    rules = np.array([Rule.MULTI] * 4 + [Rule.EXACT], np.uint8)
    fixed_w = replace(by_hand(), ids=ids, weights=weights, rules=rules)
    w = LearnedW(fixed_w)
    torch.testing.assert_close(w.log_weights().double(), w.prepared.projector.log_weights, rtol=0, atol=1e-6)
    losses = [p_kl(student_logits(), teacher_logits(), batch_of_201(), one).item() for one in (fixed_w, w)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)


@given(st.lists(st.floats(-30, 30, width=32), min_size=2 * V_S, max_size=2 * V_S))
@settings(max_examples=40, deadline=None)
def test_rows_sum_to_1_and_empty_ones_stay_empty_whatever_is_learned(free: list[float]) -> None:
    w = LearnedW(by_hand())
    with torch.no_grad():
        w.free.copy_(torch.tensor(free).view(V_S, 2))
    rows = w.rows().detach()
    assert rows.sum(1).tolist() == pytest.approx([1, 1, 1, 1, 0], abs=1e-6)
    assert rows[4].tolist() == [0, 0]
    assert rows[[0, 2, 3]].tolist() == [[1, 0]] * 3  # one entry can't move
    assert not rows.isnan().any()


def splitting(first: float, second: float) -> tuple[Tensor, Tensor]:
    """A student that says "20" first, and a teacher that gives "2" and "0" these probabilities there."""
    student = torch.full((1, 4, V_S), -6.0, dtype=torch.float64)
    student[..., 1] = 3
    return student, says(*[[0.0, first, second, (1 - first - second), 0.0, 0.0]] * 4)


def step(w: LearnedW, loss: Tensor, *, rate: float) -> None:
    """One step down the loss."""
    gradient = gradient_of(loss, w.free)
    with torch.no_grad():
        w.free -= rate * gradient


@pytest.mark.parametrize(("wanted", "goes_up"), [((0.3, 0.6), 1), ((0.95, 0.01), 0)])
@pytest.mark.parametrize("merge", [Merge.FIRST, Merge.CHAIN])
def test_a_step_moves_the_weights_to_the_split_that_the_teacher_wants(
    wanted: tuple[float, float], goes_up: int, merge: Merge
) -> None:
    w = LearnedW(by_hand())
    student, teacher = splitting(*wanted)
    before = projected(student, teacher, batch_of_201(), w, merge=merge).mean()
    step(w, before, rate=0.1)
    rows = w.rows().detach().numpy()
    assert rows[1, goes_up] > by_hand().weights[1, goes_up] + 1e-4
    np.testing.assert_allclose(np.delete(rows, 1, 0), np.delete(by_hand().weights, 1, 0), atol=1e-6)
    assert projected(student, teacher, batch_of_201(), w, merge=merge).mean() < before


def test_a_w_that_trains_finds_the_teacher_s_split() -> None:
    w, batch = LearnedW(by_hand()), batch_of_201()
    student, teacher = splitting(0.3, 0.6)
    for _ in range(40):
        step(w, projected(student, teacher, batch, w, merge=Merge.FIRST).mean(), rate=4)
    assert w.rows()[1].tolist() == pytest.approx([1 / 3, 2 / 3], abs=0.01)


def test_a_row_of_one_entry_gets_no_gradient_at_all() -> None:
    w = LearnedW(by_hand())
    projected(student_logits(), teacher_logits(), batch_of_201(), w).mean().backward()
    assert w.free.grad is not None
    assert torch.equal(w.free.grad[[0, 2, 3, 4]], torch.zeros(4, 2))
    assert w.free.grad[1].all()


def test_learned_gives_rows_heaviest_first_that_project_alike() -> None:
    w = LearnedW(by_hand())
    with torch.no_grad():
        w.free[1] = torch.tensor([0.0, 2.0])
    rows: Floats = w.rows().detach().numpy()
    made = learned(by_hand(), rows)
    assert made.ids[1].tolist() == [2, 1]
    assert made.weights[1].tolist() == pytest.approx([1 / (1 + math.exp(-2)), 1 / (1 + math.exp(2))])
    assert made.weights.dtype == np.float32
    assert (np.diff(made.weights, axis=1) <= 0).all()
    probabilities = np.array([0.1, 0.4, 0.2, 0.05, 0.25])
    unsorted = replace(by_hand(), weights=rows)
    for one, other in zip(made.project(probabilities), unsorted.project(probabilities), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)
    student, teacher = student_logits(), teacher_logits()
    of_learned = p_kl(student, teacher, batch_of_201(), made)
    assert of_learned.item() == pytest.approx(p_kl(student, teacher, batch_of_201(), w).item(), rel=1e-6)


def test_learned_keeps_what_else_w_says() -> None:
    w = by_hand()
    made = learned(w, w.weights)
    np.testing.assert_array_equal(made.ids, w.ids)
    np.testing.assert_array_equal(made.weights, w.weights)
    assert (made.student, made.teacher, made.options) == (w.student, w.teacher, w.options)
    for name in ("rules", "pieces", "trimmed", "canonical"):
        np.testing.assert_array_equal(getattr(made, name), getattr(w, name))


def test_a_learned_w_can_be_saved_and_read() -> None:
    w = LearnedW(by_hand())
    with torch.no_grad():
        w.free[1] = torch.tensor([-3.0, 2.0])
    made = learned(by_hand(), w.rows().detach().numpy())
    found = load(save(made), "mine")
    np.testing.assert_array_equal(found.ids, made.ids)
    np.testing.assert_array_equal(found.weights, made.weights)


def test_a_weight_that_was_learned_down_to_0_leaves_an_unused_place() -> None:
    w = LearnedW(by_hand())
    with torch.no_grad():
        w.free[1] = torch.tensor([0.0, 200.0])
    made = learned(by_hand(), w.rows().detach().numpy())
    assert made.weights[1].tolist() == [1, 0]
    assert load(save(made), "mine").ids[1].tolist() == [2, 0]


def test_a_saved_state_brings_the_learned_weights_back() -> None:
    w, other = LearnedW(by_hand()), LearnedW(by_hand())
    with torch.no_grad():
        w.free[1] = torch.tensor([0.3, -0.4])
    other.load_state_dict(w.state_dict())
    assert torch.equal(other.rows(), w.rows())
    assert torch.equal(other.log_weights(), w.log_weights())
    assert [name for name, _ in w.named_parameters()] == ["free"]
