"""The laws of the losses: worked values, what may change nothing, and the slow reference on random batches."""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend

from tests import reference
from tests.reference import SlowLoss, SlowMass, SlowW, slow_gradient, slow_hybrid, slow_mass, slow_projected, slow_same
from xtoken_core.alignment import align
from xtoken_core.common_set import CommonSet, empty, grouped, relaxed, strict
from xtoken_core.losses import (
    PRESETS,
    Batch,
    ChunkLosses,
    LearnedW,
    Merge,
    batch_of,
    collate,
    forward_kl,
    hybrid,
    jsd,
    kl,
    p_kl,
    pairs_of,
    prepare,
    projected,
    reverse_kl,
    same,
    uld,
)
from xtoken_core.losses import blocks as blocks_module
from xtoken_core.losses import product as product_module
from xtoken_core.losses import rows as rows_module
from xtoken_core.losses.by_pairs import common_loss
from xtoken_core.losses.merge import Mass
from xtoken_core.losses.projector import Projector, projector_of
from xtoken_core.matrix import Projection, Rule, Side
from xtoken_core.sequence import TokenSequence, sequence_of

MERGES = tuple(Merge)
DIVERGENCES = {
    "forward": (forward_kl, reference.slow_forward),
    "reverse": (reverse_kl, reference.slow_reverse),
    "jsd": (jsd(0.3), reference.slow_jsd(0.3)),
}
SETS = {"strict": strict, "relaxed": relaxed, "grouped": grouped, "empty": lambda _: empty()}

Rows = Sequence[Mapping[int, float]]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small tensors gain nothing from a second thread, and wait for it where the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# W, texts and logits by hand


def w_of(rows: Rows, columns: int, *, padded: tuple[int, int] = (0, 0)) -> Projection:
    """A W of these rows, heaviest first. padded: how many logits the two heads have beyond the tokens."""
    width = max(1, *map(len, rows))
    ids, weights = np.zeros((len(rows), width), np.int32), np.zeros((len(rows), width), np.float32)
    for k, row in enumerate(rows):
        for place, (column, weight) in enumerate(sorted(row.items(), key=lambda entry: -entry[1])):
            ids[k, place], weights[k, place] = column, weight
    lengths = np.count_nonzero(weights, axis=1)
    rules = np.where(lengths == 0, Rule.EMPTY, np.where(lengths == 1, Rule.EXACT, Rule.MULTI)).astype(np.uint8)
    student = Side("student", "0" * 64, len(rows), len(rows) + padded[0])
    teacher = Side("teacher", "1" * 64, columns, columns + padded[1])
    none, yes = np.zeros(len(rows), np.float32), np.ones(len(rows), bool)
    return Projection(student, teacher, None, ids, weights, rules, lengths.astype(np.int32), none, yes)


def identity(size: int) -> Projection:
    return w_of([{k: 1.0} for k in range(size)], size)


def slow_w(w: Projection) -> SlowW:
    rows = [w.row(token) for token in range(len(w))]
    return SlowW([{entry.id: math.log(entry.weight) for entry in row.entries} for row in rows], w.teacher.ids)


def slow_pairs(common: CommonSet) -> list[tuple[int, int]]:
    return list(zip(common.students.tolist(), common.teachers.tolist(), strict=True))


def text_of(tokens: list[bytes], ids: Sequence[int]) -> TokenSequence:
    """Tokens of these bytes and ids; the first is a BOS where it's empty."""
    roles = {} if tokens[0] else {0: "bos"}
    return replace(sequence_of(tokens, roles), ids=np.array(ids, np.int32))


def one_text(student: Sequence[int], teacher: Sequence[int]) -> Batch:
    """One text: a BOS (id 0), then one chunk of these ids on either side, cut early here and late there."""
    cuts_s, cuts_t = b"t" * (len(student) - 1), b"t" * (len(teacher) - 1)
    forms_s = [b"", *map(bytes, zip(cuts_s)), b"t" * (9 - len(cuts_s))]
    forms_t = [b"", b"t" * (9 - len(cuts_t)), *map(bytes, zip(cuts_t))]
    batch = collate([align(text_of(forms_s, [0, *student]), text_of(forms_t, [0, *teacher]))])
    assert len(batch) == 1
    return batch


def logits_of(*rows: Sequence[float]) -> Tensor:
    """[1, T, V] from probabilities: the rows that predict the tokens after the BOS, and one that predicts nothing."""
    last = [1.0] * len(rows[0])
    return torch.tensor([*rows, last], dtype=torch.float64).log()[None]


def mass_of(merge: Merge, rows: Sequence[Sequence[float]], ids: Sequence[int]) -> list[float]:
    """What the student's tokens weigh after a merge: each in turn gets the only empty row of W, and is lost."""
    size = len(rows[0])
    found = []
    for token in range(size):
        w = w_of([{} if k == token else {k: 1.0} for k in range(size)], size)
        losses = projected(logits_of(*rows), logits_of(rows[0]), one_text(ids, ids[:1]), w, merge=merge)
        found.append(losses.others["lost"].item())
    return found


def teacher_mass_of(merge: Merge, rows: Sequence[Sequence[float]], ids: Sequence[int]) -> list[float]:
    """The same for the teacher's tokens: each in turn is the only one that W doesn't reach."""
    size = len(rows[0])
    found = []
    for token in range(size):
        w = w_of([{k: 1.0} if k != token else {(token + 1) % size: 1.0} for k in range(size)], size)
        losses = projected(logits_of(*rows), logits_of(*rows), one_text(ids, ids), w, merge=merge)
        found.append(losses.others["unreachable"].item())
    return found


# worked values


def test_the_realised_mass_of_a_chunk_is_the_product_of_its_tokens() -> None:
    rows = [(0.9, 0.1), (0.8, 0.2), (0.95, 0.05)]
    nothing = w_of([{}, {}], 2)
    losses = projected(logits_of(*rows), logits_of(*rows), one_text([0, 0, 0], [0, 0, 0]), nothing)
    assert losses.others["lost"].item() == pytest.approx(1 - 0.684)
    assert losses.others["unreachable"].item() == pytest.approx(1 - 0.684)


def test_a_realised_chunk_is_an_outcome_of_its_own() -> None:
    student, teacher = [(0.9, 0.1), (0.8, 0.2), (0.95, 0.05)], [(0.6, 0.4)]
    assert mass_of(Merge.CHAIN, student, [0, 0, 0]) == pytest.approx([0.9 - 0.684, 0.1])
    losses = projected(logits_of(*student), logits_of(*teacher), one_text([0, 0, 0], [0]), identity(2))
    assert losses.parts["realised"].item() == pytest.approx(0.6 * math.log(0.6 / 0.684))
    assert losses.parts["tokens"].item() == pytest.approx(0.4 * math.log(0.4 / 0.1))


@pytest.mark.parametrize(
    ("merge", "student", "teacher"),
    [
        (Merge.CHAIN, [0.3, 0.3, 0.1], [0.3, 0.3, 0.1]),
        (Merge.SCALED, [0.3, 0.15, 0.05], [0.3, 0.15, 0.05]),
        (Merge.FIRST, [0.6, 0.3, 0.1], [0.6, 0.3, 0.1]),
        (Merge.LAST, [0.12, 0.30, 0.18], [0.12, 0.30, 0.18]),
        (Merge.MEAN, [0.4, 0.4, 0.2], [0.12**0.5, 0.15**0.5, 0.03**0.5]),
    ],
)
def test_the_worked_rows_of_each_merge(merge: Merge, student: list[float], teacher: list[float]) -> None:
    rows = [(0.6, 0.3, 0.1), (0.2, 0.5, 0.3)]
    assert mass_of(merge, rows, [0, 1]) == pytest.approx(student)
    assert teacher_mass_of(merge, rows, [0, 1]) == pytest.approx(teacher)


def test_the_worked_p_kl() -> None:
    w = w_of([{0: 1.0}, {1: 1.0}, {0: 0.9091, 1: 0.0909}], 2)
    losses = projected(logits_of((0.5, 0.3, 0.2)), logits_of((0.6, 0.4)), one_text([0], [0]), w, merge=Merge.FIRST)
    assert losses.values.item() == pytest.approx(0.0148, abs=5e-5)


def test_the_worked_sum_of_the_chain_is_the_formula() -> None:
    p, q, r_s, r_t = (0.5, 0.3, 0.2), (0.6, 0.4), 0.5 * 0.3, 0.6 * 0.7
    w = w_of([{0: 1.0}, {1: 1.0}, {0: 0.75, 1: 0.25}], 2)
    losses = projected(logits_of(p, (0.4, 0.3, 0.3)), logits_of(q, (0.3, 0.7)), one_text([0, 1], [0, 1]), w)
    sent = p[0] - r_s + 0.75 * p[2], p[1] + 0.25 * p[2]
    left = q[0] - r_t, q[1]
    expected = r_t * math.log(r_t / r_s) + sum(b * math.log(b / a) for a, b in zip(sent, left, strict=True))
    assert losses.values.item() == pytest.approx(expected)


def test_the_worked_hybrid_loss() -> None:
    pairs = pairs_of(CommonSet("one", np.array([0]), np.array([1])), *(Side(n, n, 4, 4) for n in "st"))
    p, q = (0.4, 0.3, 0.2, 0.1), (0.25, 0.5, 0.125, 0.125)
    losses = hybrid(logits_of(p), logits_of(q), one_text([0], [1]), pairs, merge=Merge.FIRST)
    assert losses.parts["common"].item() == pytest.approx(0.5 * math.log(0.5 / 0.4))
    assert losses.parts["outside"].item() == pytest.approx(0.05 + 0.075 + 0.025)
    assert losses.values.item() == pytest.approx(0.5 * math.log(0.5 / 0.4) + 0.15)


def test_the_shorter_side_of_uld_is_padded_with_zeros() -> None:
    nothing = pairs_of(empty(), Side("s", "0", 2, 2), Side("t", "1", 3, 3))
    short, long = (0.1, 0.9), (0.2, 0.5, 0.3)
    there = hybrid(logits_of(short), logits_of(long), one_text([0], [0]), nothing, merge=Merge.FIRST)
    assert there.values.item() == pytest.approx(0.4 + 0.2 + 0.2)
    swapped = pairs_of(empty(), Side("s", "0", 3, 3), Side("t", "1", 2, 2))
    back = hybrid(logits_of(long), logits_of(short), one_text([0], [0]), swapped, merge=Merge.FIRST)
    assert back.values.item() == pytest.approx(0.8)


@pytest.mark.parametrize(("v_s", "v_t"), [(2, 300), (300, 2), (200, 300), (300, 200), (300, 0), (0, 300)])
def test_uld_pads_vocabularies_of_any_two_sizes(v_s: int, v_t: int) -> None:
    """`v_s` and `v_t` tokens outside the set; the first token of either side is its one pair."""
    torch.manual_seed(v_s + v_t)
    student, teacher = torch.randn(1, 2, v_s + 1).double().requires_grad_(), torch.randn(1, 2, v_t + 1).double()
    sides = Side("s", "0", v_s + 1, v_s + 1), Side("t", "1", v_t + 1, v_t + 1)
    pairs = pairs_of(CommonSet("first", np.array([0]), np.array([0])), *sides)
    found = hybrid(student, teacher, one_text([0], [0]), pairs, merge=Merge.FIRST)
    found.mean().backward()
    again = student.detach().requires_grad_()
    p, q = (logits[0, 0].softmax(-1)[1:].sort(descending=True).values for logits in (again, teacher))
    longest = max(v_s, v_t)
    l1 = (pad(p, 0, longest - v_s) - pad(q, 0, longest - v_t)).abs().sum()
    log_p, log_q = again[0, 0].log_softmax(-1)[0], teacher[0, 0].log_softmax(-1)[0]
    (l1 + log_q.exp() * (log_q - log_p)).backward()
    assert found.parts["outside"].item() == pytest.approx(l1.item())
    assert torch.allclose(student.grad, again.grad, rtol=1e-9, atol=1e-12)


def test_the_worked_divergences() -> None:
    p, q = torch.tensor([0.75, 0.25]).double(), torch.tensor([0.5, 0.5]).double()
    forward = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    reverse = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    m = 0.1 * q + 0.9 * p
    mixed = 0.1 * (q * (q / m).log()).sum() + 0.9 * (p * (p / m).log()).sum()
    assert forward_kl(p.log(), q.log()).item() == pytest.approx(forward)
    assert reverse_kl(p.log(), q.log()).item() == pytest.approx(reverse)
    assert jsd(0.1)(p.log(), q.log()).item() == pytest.approx(mixed.item())


def test_an_outcome_that_the_other_side_rules_out_counts_nothing_in_a_kl_and_is_finite_in_a_jsd() -> None:
    p, q = torch.tensor([1.0, 0.0]).log(), torch.tensor([0.5, 0.5]).log()
    assert forward_kl(p, q).item() == pytest.approx(0.5 * math.log(0.5))
    assert reverse_kl(q, p).item() == pytest.approx(0.5 * math.log(0.5))
    expected = 0.5 * (0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)) + 0.5 * math.log(1 / 0.75)
    assert jsd(0.5)(p, q).item() == pytest.approx(expected)


def test_the_square_of_the_temperature_multiplies_the_loss() -> None:
    p, q = (0.5, 0.3, 0.2), (0.2, 0.2, 0.6)
    squares = [[one**2 for one in side] for side in (p, q)]
    batch = one_text([0], [0])
    hot = projected(logits_of(squares[0]), logits_of(squares[1]), batch, identity(3), temperature=2)
    assert hot.values.item() == pytest.approx(
        4 * projected(logits_of(p), logits_of(q), batch, identity(3)).values.item()
    )


# what can't be matched


def test_what_w_does_not_reach_is_reported_and_the_rest_renormalised() -> None:
    w = w_of([{0: 1.0}, {1: 1.0}, {}], 3)
    p, q = (0.5, 0.3, 0.2), (0.3, 0.1, 0.6)
    losses = projected(logits_of(p), logits_of(q), one_text([0], [0]), w, merge=Merge.FIRST)
    expected = 0.4 * (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.3))
    assert losses.values.item() == pytest.approx(expected)
    assert losses.others["unreachable"].item() == pytest.approx(0.6)
    assert losses.others["lost"].item() == pytest.approx(0.2)


def test_a_teacher_that_says_only_what_w_does_not_reach_costs_nothing() -> None:
    w = w_of([{0: 1.0}, {0: 1.0}], 2)
    student = logits_of((0.5, 0.5)).requires_grad_()
    losses = projected(
        student, torch.tensor([[[-math.inf, 0.0]] * 2]).double(), one_text([0], [1]), w, merge=Merge.FIRST
    )
    losses.mean().backward()
    assert (losses.values.item(), losses.others["unreachable"].item()) == (0, 1)
    assert torch.equal(student.grad, torch.zeros_like(student))


def test_the_share_that_is_unreachable_is_one_of_the_merged_mass() -> None:
    # the teacher's mass after `scaled` is a half: 0.3 of it can't be reached, which is a share of 0.6
    w = w_of([{0: 1.0}, {1: 1.0}, {}], 3)
    p, q, then = (0.5, 0.3, 0.2), (0.3, 0.1, 0.6), (0.25, 0.5, 0.25)
    losses = projected(logits_of(p), logits_of(q, then), one_text([0], [0, 1]), w, merge=Merge.SCALED)
    expected = 0.4 * (0.375 * math.log(0.375 / 0.5) + 0.125 * math.log(0.125 / 0.3))
    assert losses.values.item() == pytest.approx(expected)
    assert losses.others["unreachable"].item() == pytest.approx(0.3)


@pytest.mark.parametrize("merge", MERGES)
def test_all_of_the_teachers_mass_is_unreachable_for_an_empty_w(merge: Merge) -> None:
    rows = [(0.6, 0.3, 0.1), (0.2, 0.5, 0.3)]
    losses = projected(logits_of(*rows), logits_of(*rows), one_text([0, 1], [0, 1]), w_of([{}] * 3, 3), merge=merge)
    realised = {Merge.CHAIN: 0.6 * 0.5}.get(merge, 0)
    whole = {Merge.SCALED: 0.5, Merge.LAST: 0.6, Merge.MEAN: 0.12**0.5 + 0.15**0.5 + 0.03**0.5}.get(merge, 1)
    assert losses.others["unreachable"].item() + realised == pytest.approx(whole)


def test_the_realised_chunk_is_reachable_whatever_w_is() -> None:
    rows = [(0.6, 0.3, 0.1), (0.2, 0.5, 0.3)]
    student = [(0.5, 0.3, 0.2), (0.2, 0.5, 0.3)]
    losses = projected(logits_of(*student), logits_of(*rows), one_text([0, 1], [0, 1]), w_of([{}] * 3, 3))
    assert losses.values.item() == pytest.approx(0.3 * math.log(0.3 / 0.3 / 0.25))


# Proposition 1


def strict_mass() -> tuple[Tensor, Mass, Mass]:
    """Student logits of (.5, .3, .2) and a teacher whose first two tokens, the common ones, have 0.7."""
    logits = torch.tensor([[0.5, 0.3, 0.2]]).double().log().requires_grad_()
    teacher = torch.tensor([[0.4, 0.3, 0.3]]).double().log()
    return logits, Mass(logits.log_softmax(-1), None, torch.zeros(1)), Mass(teacher, None, torch.zeros(1).double())


def test_golds_common_term_pushes_down_every_student_token_outside_c() -> None:
    logits, student, teacher = strict_mass()
    pairs = pairs_of(
        CommonSet("strict", np.array([0, 2]), np.array([0, 1])), Side("s", "0", 3, 3), Side("t", "1", 3, 3)
    )
    (gradient,) = torch.autograd.grad(common_loss(student, teacher, pairs, forward_kl).sum(), logits)
    assert gradient[0, 1].item() == pytest.approx(0.3 * 0.7)
    assert gradient[0].tolist() == pytest.approx([0.5 * 0.7 - 0.4, 0.21, 0.2 * 0.7 - 0.3])


@pytest.mark.parametrize("seed", range(5))
def test_golds_common_term_pushes_down_whatever_the_teacher_thinks(seed: int) -> None:
    w = case(seed).w
    pairs, size = strict(w), len(w)
    torch.manual_seed(seed)
    logits, teacher = (
        torch.randn(1, size).double().requires_grad_(),
        torch.randn(1, w.teacher.ids).double().log_softmax(-1),
    )
    student = Mass(logits.log_softmax(-1), None, torch.zeros(1))
    loss = common_loss(student, Mass(teacher, None, torch.zeros(1)), pairs_of(pairs, w.student, w.teacher), forward_kl)
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    outside = ~torch.from_numpy(pairs.contains(size))
    common = teacher[0, torch.from_numpy(pairs.teachers).long()].exp().sum()
    expected = logits.detach().softmax(-1)[0, outside] * common
    assert outside.any() and (gradient[0, outside] >= 0).all()
    assert torch.allclose(gradient[0, outside], expected, rtol=1e-9, atol=0)


def test_p_kl_pushes_no_token_down_where_the_teacher_agrees() -> None:
    w = w_of([{0: 1.0}, {1: 0.5, 2: 0.5}, {2: 1.0}], 3)
    student = logits_of((0.5, 0.3, 0.2)).requires_grad_()
    losses = projected(student, logits_of((0.5, 0.15, 0.35)), one_text([0], [0]), w, merge=Merge.FIRST)
    losses.mean().backward()
    assert student.grad.abs().max() < 1e-12


def test_p_kl_raises_a_token_outside_c_that_the_teacher_wants() -> None:
    w = w_of([{0: 1.0}, {1: 0.5, 2: 0.5}, {2: 1.0}], 3)
    student = logits_of((0.5, 0.3, 0.2)).requires_grad_()
    projected(student, logits_of((0.1, 0.6, 0.3)), one_text([0], [0]), w, merge=Merge.FIRST).mean().backward()
    assert student.grad[0, 0, 1] < -0.2


# identical models and tokenizers


def same_texts(size: int, *lengths: int) -> tuple[Batch, Tensor]:
    """Texts with the same tokens on both sides, padded on the right, and logits for them."""
    chosen = random.Random(size)
    texts = [_same_text(chosen, size, length) for length in lengths]
    torch.manual_seed(size)
    return collate([align(text, text) for text in texts]), torch.randn(len(lengths), max(lengths), size)


def _same_text(chosen: random.Random, size: int, length: int) -> TokenSequence:
    return text_of(
        [b"", *[b"%d;" % k for k in range(1, length)]], [0, *(chosen.randrange(size) for _ in range(1, length))]
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("merge", MERGES)
def test_identical_models_and_tokenizers_cost_nothing(merge: Merge, dtype: torch.dtype) -> None:
    batch, logits = same_texts(40, 9, 4)
    logits, w, options = (3 * logits).to(dtype), identity(40), {"merge": merge}
    prepared = prepare(w)
    found = [projected(logits, logits, batch, prepared, **options, **more) for more in ALL_PROJECTED]
    for pairs in (prepared.strict, prepared.relaxed, prepared.nothing, pairs_of(grouped(w), w.student, w.teacher)):
        found += [hybrid(logits, logits, batch, pairs, **options, divergence=one) for one, _ in DIVERGENCES.values()]
    found += [same(logits, logits, batch, divergence=one) for one, _ in DIVERGENCES.values()]
    assert len(batch) == 8 + 3
    assert max(losses.values.abs().max().item() for losses in found) <= 1e-6


ALL_PROJECTED: list[dict[str, Any]] = [
    {"direction": direction, "top_k": top_k, "divergence": divergence, "temperature": temperature}
    for direction in ("to_teacher", "to_student")
    for top_k in (None, 5)
    for divergence, _ in DIVERGENCES.values()
    for temperature in (1, 2)
]


@pytest.mark.parametrize("name", PRESETS)
def test_identical_models_and_tokenizers_cost_nothing_by_name(name: str) -> None:
    batch, logits = same_texts(40, 9, 4)
    student = logits.clone().requires_grad_()
    loss = PRESETS[name](student, logits, batch, identity(40))
    loss.backward()
    assert abs(loss.item()) <= 1e-6
    if name != "uld" and name != "gold":  # of an L1 distance of 0 the slope is anything from -1 to 1
        assert student.grad.abs().max() <= 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_chains_p_kl_of_identical_models_is_exactly_0(dtype: torch.dtype) -> None:
    batch, logits = same_texts(40, 9, 4)
    logits = (3 * logits).to(dtype)
    assert projected(logits, logits, batch, identity(40)).values.tolist() == [0] * len(batch)


def test_the_chains_p_kl_is_0_where_the_teacher_says_what_w_makes_of_the_student() -> None:
    # (.5, .3, .2) and then .6: the realised chunk has .3 on both sides, and Wᵀp̃ = (.2 + .15, .15 + .2) is q̃
    w = w_of([{0: 1.0}, {0: 0.5, 1: 0.5}, {1: 1.0}], 2)
    student, teacher = logits_of((0.5, 0.3, 0.2), (0.6, 0.2, 0.2)), logits_of((0.35, 0.65), (0.7, 0.3), (0.4, 0.6))
    batch = one_text([0, 0], [1, 1, 0])
    realised = 0.65 * 0.3 * 0.4
    assert realised != pytest.approx(0.3)  # so this teacher is told apart …
    assert projected(student, teacher, batch, w).values.item() > 0.1
    equal = logits_of((0.35, 0.65), (1 - 0.3 / 0.65, 0.3 / 0.65), (1.0, 0.0))
    assert projected(student, equal, batch, w).values.item() == pytest.approx(0, abs=1e-12)  # … and this one isn't


@pytest.mark.parametrize("k", range(5))
def test_the_chains_p_kl_is_never_negative(k: int) -> None:
    one = case(rich(k))
    for top_k in (None, 2):
        assert projected(one.student, one.teacher, one.batch, one.w, top_k=top_k).values.min() >= -1e-12


# random batches against the slow reference


class Read(NamedTuple):
    """A chunk that enters the loss: the text, the student's rows and tokens, the teacher's rows and tokens."""

    text: int
    student_rows: list[int]
    student_tokens: list[int]
    teacher_rows: list[int]
    teacher_tokens: list[int]


@dataclass(frozen=True, slots=True)
class Case:
    """A random batch: float64 logits of both heads, W there and back, and the chunks that count."""

    batch: Batch
    student: Tensor
    teacher: Tensor
    w: Projection
    back: Projection
    chunks: list[Read]

    def unread(self, merge: Merge) -> Tensor:
        """[B, T_s], the rows of the student's logits that take no part."""
        unread = torch.ones(self.student.shape[:2], dtype=torch.bool)
        for chunk in self.chunks:
            unread[chunk.text, chunk.student_rows[:1] if merge is Merge.FIRST else chunk.student_rows] = False
        return unread


@cache
def case(seed: int, scale: float = 2.0) -> Case:
    """1 to 3 texts of chunks of 1-1 to 3-3 tokens, gaps and mismatches between them, some tokens not to be learned."""
    chosen = random.Random(seed)
    v_s, v_t = chosen.randint(5, 12), chosen.randint(5, 12)
    padded = chosen.randint(0, 2), chosen.randint(0, 2)
    texts = [random_text(chosen, k, v_s, v_t) for k in range(chosen.randint(1, 3))]
    batch = collate([align(text.student, text.teacher) for text in texts], learn=[text.learn for text in texts])
    torch.manual_seed(seed)
    return Case(
        batch,
        scale * torch.randn(*batch.student.ids.shape, v_s + padded[0], dtype=torch.float64),
        scale * torch.randn(*batch.teacher.ids.shape, v_t + padded[1], dtype=torch.float64),
        w_of(random_rows(chosen, v_s, v_t), v_t, padded=padded),
        w_of(random_rows(chosen, v_t, v_s), v_s, padded=padded[::-1]),
        [chunk for text in texts for chunk in text.chunks],
    )


@cache
def rich(k: int = 0) -> int:
    """The seed of the k-th case with five chunks or more, of several shapes, and padding on either side."""
    return [seed for seed in range(60) if is_rich(case(seed))][k]


def is_rich(one: Case) -> bool:
    shapes = {(len(chunk.student_rows), len(chunk.teacher_rows)) for chunk in one.chunks}
    padded = not one.batch.student.mask.all() and not one.batch.teacher.mask.all()
    return len(one.chunks) >= 5 and len(shapes) >= 4 and padded and min(one.w.lengths().tolist()) == 0


class RandomText(NamedTuple):
    student: TokenSequence
    teacher: TokenSequence
    learn: np.ndarray
    chunks: list[Read]


def random_text(chosen: random.Random, text: int, v_s: int, v_t: int) -> RandomText:
    """Every byte of a text occurs once in it, so that there is one alignment. No two chunks share a row."""
    student: list[bytes] = [b""] * chosen.randint(0, 1)
    teacher: list[bytes] = [b""] * chosen.randint(0, 1)
    fresh = iter(range(1, 256))
    spans = []
    for _ in range(chosen.randint(2, 5)):
        pieces_s, pieces_t, exact = random_chunk(chosen, fresh)
        if exact and student and teacher:
            spans.append((len(student), len(pieces_s), len(teacher), len(pieces_t)))
        student += pieces_s
        teacher += pieces_t
    ids_s, ids_t = ([chosen.randrange(size) for _ in side] for side, size in ((student, v_s), (teacher, v_t)))
    learn = np.array([chosen.random() > 0.05 for _ in student])
    chunks = [
        Read(
            text,
            list(range(start_s - 1, start_s - 1 + m)),
            ids_s[start_s : start_s + m],
            list(range(start_t - 1, start_t - 1 + n)),
            ids_t[start_t : start_t + n],
        )
        for start_s, m, start_t, n in spans
        if learn[start_s : start_s + m].all()
    ]
    return RandomText(text_of(student, ids_s), text_of(teacher, ids_t), learn, chunks)


def random_chunk(chosen: random.Random, fresh: Iterator[int]) -> tuple[list[bytes], list[bytes], bool]:
    """The two sides' tokens of one chunk, without a common boundary inside; now and then one that isn't exact."""
    m, n = chosen.randint(1, 3), chosen.randint(1, 3)
    data = bytes(next(fresh) for _ in range(m + n))
    if chosen.random() < 0.1:
        return [data[:1]], [data[1:2]], False
    cuts = chosen.sample(range(1, len(data)), m + n - 2)
    return split_at(data, cuts[: m - 1]), split_at(data, cuts[m - 1 :]), True


def split_at(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    ends = [0, *sorted(cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(ends)]


def random_rows(chosen: random.Random, rows: int, columns: int) -> list[dict[int, float]]:
    """Rows of 0 to 4 entries; most hold one favourite column, and some column is never reached."""
    favourite, never = chosen.sample(range(columns), 2)
    return [random_row(chosen, columns, favourite, never) for _ in range(rows)]


def random_row(chosen: random.Random, columns: int, favourite: int, never: int) -> dict[int, float]:
    """Weights of k / 64, so that a row sums to 1 exactly, as float32 too."""
    count = chosen.choice([0, 1, 1, 2, 3, 4])
    others = [column for column in range(columns) if column not in (favourite, never)]
    found = chosen.sample(others, min(count, len(others)))
    if found and chosen.random() < 0.6:
        found[0] = favourite
    if not found:
        return {}
    cuts = [0, *sorted(chosen.sample(range(1, 64), len(found) - 1)), 64]
    return {column: (stop - start) / 64 for column, (start, stop) in zip(found, pairwise(cuts), strict=True)}


class Objective(NamedTuple):
    """What is compared, and how."""

    kind: str
    merge: Merge
    divergence: str = "forward"
    temperature: float = 1.0

    def fast(self, one: Case, student: Tensor, teacher: Tensor, w: Any = None) -> ChunkLosses:
        shared: dict[str, Any] = {
            "merge": self.merge,
            "divergence": DIVERGENCES[self.divergence][0],
            "temperature": self.temperature,
        }
        if self.kind in SETS:
            pairs = pairs_of(SETS[self.kind](one.w), one.w.student, one.w.teacher)
            return hybrid(student, teacher, one.batch, pairs, **shared)
        w = w or (one.back if self.direction == "to_student" else one.w)
        return projected(student, teacher, one.batch, w, direction=self.direction, top_k=self.top_k, **shared)

    @property
    def direction(self) -> str:
        return self.kind.partition(" ")[0]

    @property
    def top_k(self) -> int | None:
        return 2 if self.kind.endswith("top 2") else None

    def slow(self, one: Case, student: SlowMass, teacher: SlowMass, w: SlowW | None = None) -> SlowLoss:
        divergence = DIVERGENCES[self.divergence][1]
        if self.kind in SETS:
            common = slow_pairs(SETS[self.kind](one.w))
            return slow_hybrid(student, teacher, common, divergence=divergence, temperature=self.temperature)
        w = w or slow_w(one.back if self.direction == "to_student" else one.w)
        return slow_projected(
            student,
            teacher,
            w,
            divergence=divergence,
            temperature=self.temperature,
            direction=self.direction,
            top_k=self.top_k,
        )


KINDS = ("to_teacher", "to_student", "to_teacher top 2", "to_student top 2", *SETS)


class Expected(NamedTuple):
    """values, unreachable, lost [C]; gradient [B, T_s, V] of Σ weights · values."""

    values: Tensor
    unreachable: Tensor
    lost: Tensor
    gradient: Tensor


def expected(
    objective: Objective,
    one: Case,
    student: Tensor,
    teacher: Tensor,
    weights: Sequence[float],
    w: SlowW | None = None,
    *,
    slopes: bool = True,
) -> Expected:
    """What the slow reference finds, chunk by chunk; without `slopes` the gradient is left at 0."""
    found = []
    gradient = torch.zeros(student.shape, dtype=torch.float64)
    ids_s = one.w.student.ids
    if w is None and objective.kind not in SETS:
        w = slow_w(one.back if objective.direction == "to_student" else one.w)
    for chunk, weight in zip(one.chunks, weights, strict=True):
        mass_t = teacher_side(objective, one, chunk, teacher)
        rows = student[chunk.text, chunk.student_rows, :ids_s].double()

        def loss(flat: list[float], chunk: Read = chunk, mass_t: SlowMass = mass_t) -> SlowLoss:
            split = [flat[k : k + ids_s] for k in range(0, len(flat), ids_s)]
            mass_s = slow_mass(objective.merge, split, chunk.student_tokens, objective.temperature, geometric=False)
            return objective.slow(one, mass_s, mass_t, w)

        flat = rows.flatten().tolist()
        found.append(loss(flat))
        if slopes:
            found_slopes = slow_gradient(lambda flat, loss=loss: loss(flat).value, flat)
            weighted = weight * torch.tensor(found_slopes, dtype=torch.float64)
            gradient[chunk.text, chunk.student_rows, :ids_s] += weighted.view(rows.shape)
    columns = torch.tensor(found, dtype=torch.float64).reshape(-1, 3).T
    return Expected(*columns, gradient)


def teacher_side(objective: Objective, one: Case, chunk: Read, teacher: Tensor) -> SlowMass:
    rows = teacher[chunk.text, chunk.teacher_rows, : one.w.teacher.ids].double().tolist()
    return slow_mass(objective.merge, rows, chunk.teacher_tokens, objective.temperature, geometric=True)


def random_weights(one: Case, seed: int) -> list[float]:
    chosen = random.Random(seed)
    return [chosen.uniform(-1, 2) for _ in one.chunks]


def run(
    objective: Objective, one: Case, student: Tensor, teacher: Tensor, weights: Sequence[float] | None = None
) -> tuple[ChunkLosses, Tensor]:
    """The losses, and the gradient of Σ weights · values; without weights of the mean."""
    student = student.detach().clone().requires_grad_()
    losses = objective.fast(one, student, teacher)
    if weights is None:
        losses.mean().backward()
    else:
        (losses.values * torch.tensor(weights, dtype=losses.values.dtype)).sum().backward()
    return losses, student.grad


def assert_near(found: Tensor, wanted: Tensor, relative: float, floor: float) -> None:
    """|found - wanted| ≤ relative · |wanted| + floor everywhere; NaN is never near."""
    off = (found.double() - wanted).abs() - relative * wanted.abs()
    assert not found.isnan().any() and (off <= floor).all(), f"off by {off.max().item():.3g}"


def assert_as_expected(losses: ChunkLosses, gradient: Tensor, wanted: Expected) -> None:
    assert_near(losses.values, wanted.values, 1e-9, 1e-12)
    assert_near(sum(losses.parts.values()), wanted.values, 1e-9, 1e-12)
    if losses.others:
        assert_near(losses.others["unreachable"], wanted.unreachable, 1e-9, 1e-12)
        assert_near(losses.others["lost"], wanted.lost, 1e-9, 1e-12)
    assert_near(gradient, wanted.gradient, 1e-6, 2e-8)  # central differences are no better


@pytest.fixture(params=[None, 50, 1], ids=["one block", "some chunks a block", "a chunk a block"])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """W's summed columns are a matrix product where all is one block, and gathered where there are several."""
    if request.param:
        monkeypatch.setitem(rows_module.FLOATS, "cpu", request.param)
        monkeypatch.setattr(product_module, "SMALLEST_SUM", math.inf)


@pytest.fixture
def poisoned() -> Iterator[None]:
    """Memory that nobody has written to holds NaN."""
    before = torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    assert torch.empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(before[0])
    torch.utils.deterministic.fill_uninitialized_memory = before[1]


OPTIONS = [(divergence, temperature) for divergence in DIVERGENCES for temperature in (1.0, 2.0)]


@cache
def worked(objective: Objective, seed: int) -> Expected:
    one = case(seed)
    return expected(objective, one, one.student, one.teacher, random_weights(one, seed))


@pytest.mark.usefixtures("poisoned", "blocks")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("merge", MERGES)
def test_a_loss_and_its_gradient_are_the_references(merge: Merge, kind: str) -> None:
    for seed, (divergence, temperature) in enumerate(OPTIONS, MERGES.index(merge) * 100 + KINDS.index(kind) * 10):
        objective, one = Objective(kind, merge, divergence, temperature), case(seed)
        losses, gradient = run(objective, one, one.student, one.teacher, random_weights(one, seed))
        assert_as_expected(losses, gradient, worked(objective, seed))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("merge", MERGES)
def test_in_float32_a_loss_is_the_references(merge: Merge, kind: str) -> None:
    for seed, (divergence, temperature) in enumerate(OPTIONS, MERGES.index(merge) * 100 + KINDS.index(kind) * 10):
        objective, one = Objective(kind, merge, divergence, temperature), case(seed)
        student, teacher = one.student.float(), one.teacher.float()
        losses, gradient = run(objective, one, student, teacher, random_weights(one, seed))
        exact, exact_gradient = run(objective, one, student.double(), teacher.double(), random_weights(one, seed))
        assert losses.values.dtype == torch.float32
        # log p = -4 is rounded by 2e-7, and the loss is a difference of such
        assert_near(losses.values, exact.values, 1e-6, 3e-7 * temperature**2)
        assert_near(gradient, exact_gradient, 1e-5, 1e-6)


def test_the_random_batches_hold_what_they_should() -> None:
    """Chunks of every shape, texts without any, padding, columns of many degrees, shared teacher tokens."""
    cases = [case(merge * 100 + kind * 10 + k) for merge in range(5) for kind in range(8) for k in range(6)]
    shapes = {(len(chunk.student_rows), len(chunk.teacher_rows)) for one in cases for chunk in one.chunks}
    degrees = {degree for one in cases for degree in one.w.reverse().lengths().tolist()}
    assert shapes == {(m, n) for m in (1, 2, 3) for n in (1, 2, 3)}
    assert degrees >= set(range(9))
    assert {length for one in cases for length in one.w.lengths().tolist()} == {0, 1, 2, 3, 4}
    assert any(len(grouped(one.w)) > len(relaxed(one.w)) > len(strict(one.w)) for one in cases)
    assert any(not one.chunks for one in cases) and any(len(one.chunks) > 6 for one in cases)
    assert any(not one.batch.student.mask.all() for one in cases)


@pytest.mark.parametrize("seed", range(30))
def test_collate_finds_the_chunks_that_count(seed: int) -> None:
    one = case(seed)
    width_s, width_t = one.batch.student.ids.shape[1], one.batch.teacher.ids.shape[1]
    targets_s, targets_t = one.batch.student_chunks.targets, one.batch.teacher_chunks.targets
    assert targets_s.rows.tolist() == [chunk.text * width_s + row for chunk in one.chunks for row in chunk.student_rows]
    assert targets_t.rows.tolist() == [chunk.text * width_t + row for chunk in one.chunks for row in chunk.teacher_rows]
    assert targets_s.tokens.tolist() == [token for chunk in one.chunks for token in chunk.student_tokens]
    assert targets_t.tokens.tolist() == [token for chunk in one.chunks for token in chunk.teacher_tokens]


@pytest.mark.parametrize(("divergence", "temperature"), OPTIONS)
def test_the_loss_of_one_vocabulary_is_the_references(divergence: str, temperature: float) -> None:
    batch, logits = same_texts(7, 5, 3)
    torch.manual_seed(0)
    student, teacher = logits.double().requires_grad_(), torch.randn(logits.shape).double()
    losses = same(student, teacher, batch, divergence=DIVERGENCES[divergence][0], temperature=temperature)
    weights = torch.linspace(-1, 2, len(batch)).double()
    (losses.values * weights).sum().backward()
    rows = batch.student_chunks.targets.rows.tolist()
    wanted, gradient = [], torch.zeros(logits.shape).double().flatten(0, 1)
    for row, weight in zip(rows, weights.tolist(), strict=True):
        mass_t = slow_mass("first", [teacher.flatten(0, 1)[row].tolist()], [0], temperature, geometric=True)

        def loss(logits: list[float], mass_t: SlowMass = mass_t) -> float:
            mass_s = slow_mass("first", [logits], [0], temperature, geometric=False)
            return slow_same(mass_s, mass_t, divergence=DIVERGENCES[divergence][1], temperature=temperature).value

        here = student.detach().flatten(0, 1)[row].tolist()
        wanted.append(loss(here))
        gradient[row] = weight * torch.tensor(slow_gradient(loss, here), dtype=torch.float64)
    assert_near(losses.values, torch.tensor(wanted, dtype=torch.float64), 1e-9, 1e-12)
    assert_near(student.grad.flatten(0, 1), gradient, 1e-6, 2e-8)


# a learned W


def learned_case(seed: int, direction: str) -> tuple[Case, LearnedW]:
    """A W of which the free logits have moved from where they started, in float64."""
    one = case(seed)
    w = LearnedW(one.back if direction == "to_student" else one.w).double()
    torch.manual_seed(seed)
    with torch.no_grad():
        w.free += torch.randn_like(w.free)
    return one, w


def softmax_rows(w: Projection, free: Sequence[float]) -> SlowW:
    """W whose rows are softmaxes of `free` [V_s · K] on W's own support."""
    width = w.ids.shape[1]
    rows = []
    for token in range(len(w)):
        row = w.row(token)
        here = free[token * width : token * width + len(row.entries)]
        log_weights = reference.log_softmax(here, 1) if here else []
        rows.append({entry.id: one for entry, one in zip(row.entries, log_weights, strict=True)})
    return SlowW(rows, w.teacher.ids)


@pytest.mark.usefixtures("poisoned", "blocks")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in SETS])
@pytest.mark.parametrize("merge", MERGES)
def test_a_learned_w_gets_the_gradient_of_its_row_softmax(merge: Merge, kind: str) -> None:
    first = MERGES.index(merge) * 10 + KINDS.index(kind)
    for seed, (divergence, temperature) in enumerate([("forward", 1.0), ("jsd", 2.0), ("reverse", 2.0)], first):
        objective = Objective(kind, merge, divergence, temperature)
        one, w = learned_case(seed, objective.direction)
        weights, student = random_weights(one, seed), one.student.clone().requires_grad_()
        losses = objective.fast(one, student, one.teacher, w)
        (losses.values * torch.tensor(weights, dtype=torch.float64)).sum().backward()
        wanted = worked_learned(objective, seed)
        assert_near(losses.values, wanted.values, 1e-9, 1e-12)
        assert_near(student.grad, wanted.gradient, 1e-6, 2e-8)
        assert_near(w.free.grad.flatten(), wanted.free, 1e-6, 2e-8)


class ExpectedLearned(NamedTuple):
    values: Tensor
    gradient: Tensor
    free: Tensor


@cache
def worked_learned(objective: Objective, seed: int) -> ExpectedLearned:
    one, w = learned_case(seed, objective.direction)
    weights, fixed = random_weights(one, seed), one.back if objective.direction == "to_student" else one.w
    free = w.free.detach().flatten().tolist()
    found = expected(objective, one, one.student, one.teacher, weights, softmax_rows(fixed, free))
    sides = [
        (student_side(objective, one, chunk), teacher_side(objective, one, chunk, one.teacher)) for chunk in one.chunks
    ]

    def total(free: list[float]) -> float:
        moved = softmax_rows(fixed, free)
        return sum(
            weight * objective.slow(one, *side, moved).value for weight, side in zip(weights, sides, strict=True)
        )

    return ExpectedLearned(found.values, found.gradient, torch.tensor(slow_gradient(total, free), dtype=torch.float64))


def student_side(objective: Objective, one: Case, chunk: Read) -> SlowMass:
    rows = one.student[chunk.text, chunk.student_rows, : one.w.student.ids].tolist()
    return slow_mass(objective.merge, rows, chunk.student_tokens, objective.temperature, geometric=False)


def test_a_learned_w_gets_the_gradient_of_what_it_makes_unreachable() -> None:
    """A student's chunk of one token is its realised outcome alone: what W' sends to that token is unreachable."""
    w = LearnedW(w_of([{0: 0.5, 1: 0.5}, {1: 1.0}], 2)).double()
    student, teacher = logits_of((0.5, 0.5)), logits_of((0.6, 0.4), (0.7, 0.3))
    batch = one_text([0], [1, 0])  # r_S = .5, r_T = .4 · .7, and q̃ = (.6, .4 - .28)

    def loss(a: Tensor) -> Tensor:
        """With a the weight of the first row's first entry: u = .6 a, and (1 - a) .6 + .12 is left for token 1."""
        u, left, realised = 0.6 * a, 0.6 * (1 - a) + 0.12, 0.28
        parts = [(left, 0.5), (realised, 0.5)]
        return sum((q * torch.log(q / (1 - u) / p) for q, p in parts), torch.zeros(()).double())

    losses = projected(student, teacher, batch, w, direction="to_student")
    losses.mean().backward()
    free = w.free.detach().clone().requires_grad_()
    wanted = loss(free[0].softmax(0)[0])
    wanted.backward()
    assert losses.others["unreachable"].item() == pytest.approx(0.3)
    assert losses.values.item() == pytest.approx(wanted.item())
    assert w.free.grad[0].tolist() == pytest.approx(free.grad[0].tolist())


def test_a_learned_w_starts_at_the_rules_weights() -> None:
    one = case(rich())
    w = LearnedW(one.w)
    assert torch.allclose(w.rows(), torch.from_numpy(one.w.weights), rtol=1e-6, atol=0)
    fixed = projected(one.student, one.teacher, one.batch, one.w)
    assert torch.allclose(projected(one.student, one.teacher, one.batch, w).values, fixed.values, rtol=1e-5)


def test_a_learned_w_in_its_own_float32_gets_its_gradient() -> None:
    one = case(rich())
    w, exact = LearnedW(one.w), LearnedW(one.w).double()
    p_kl(one.student.float(), one.teacher.float(), one.batch, w).backward()
    p_kl(one.student, one.teacher, one.batch, exact).backward()
    assert w.free.grad.dtype == torch.float32
    assert_near(w.free.grad, exact.free.grad, 1e-4, 1e-6)
    assert exact.free.grad.abs().max() > 1e-3


def test_a_learned_w_trains_beside_logits_that_do_not() -> None:
    one, w = learned_case(rich(), "to_teacher")
    p_kl(one.student, one.teacher, one.batch, w).backward()
    alone = w.free.grad.clone()
    w.free.grad = None
    p_kl(one.student.clone().requires_grad_(), one.teacher, one.batch, w).backward()
    assert torch.equal(alone, w.free.grad) and alone.abs().max() > 1e-3


# what changes nothing, and who gets a gradient

EACH = [Objective(kind, merge) for kind in KINDS for merge in MERGES]
SOME = [Objective(kind, merge) for kind in ("to_teacher", "to_student top 2", "strict") for merge in MERGES]


def named(objective: Objective) -> str:
    return f"{objective.kind}-{objective.merge}"


@pytest.mark.parametrize("objective", EACH, ids=named)
def test_a_batch_in_which_all_is_masked_costs_exactly_0(objective: Objective) -> None:
    one = case(5)
    tokens = [align(text_of([b"", b"ab"], [0, 1]), text_of([b"", b"a", b"b"], [0, 1, 2]))]
    masked = replace(one, batch=collate(tokens, learn=[np.array([True, False])]), chunks=[])
    student = torch.randn(1, 2, one.w.student.ids).requires_grad_()
    losses = objective.fast(masked, student, torch.randn(1, 3, one.w.teacher.ids))
    losses.mean().backward()
    assert len(losses.values) == 0 and losses.mean().item() == 0
    assert torch.equal(student.grad, torch.zeros_like(student))


def test_a_learned_w_gets_a_gradient_of_0_where_all_is_masked() -> None:
    text = text_of([b"", b"ab"], [0, 1])
    w = LearnedW(identity(4))
    p_kl(
        torch.randn(1, 2, 4), torch.randn(1, 2, 4), collate([align(text, text)], learn=[np.zeros(2, bool)]), w
    ).backward()
    assert torch.equal(w.free.grad, torch.zeros_like(w.free))


@pytest.mark.parametrize("objective", EACH, ids=named)
def test_logits_that_are_not_read_change_nothing_and_get_no_gradient(objective: Objective) -> None:
    for seed in map(rich, range(3)):
        one = case(seed)
        other_s, other_t = one.student.clone(), one.teacher.clone()
        unread = one.unread(objective.merge)
        other_s[unread] = math.nan
        other_s[..., one.w.student.ids :] = 1e6
        other_t[..., one.w.teacher.ids :] = math.nan
        read_t = torch.zeros(other_t.shape[:2], dtype=torch.bool)
        for chunk in one.chunks:
            read_t[chunk.text, chunk.teacher_rows] = True
        other_t[~read_t] = math.nan
        losses, gradient = run(objective, one, one.student, one.teacher)
        losses_there, gradient_there = run(objective, one, other_s, other_t)
        assert unread.any() and one.chunks
        assert torch.equal(losses.values, losses_there.values) and torch.equal(gradient, gradient_there)
        assert not gradient[unread].any() and not gradient[..., one.w.student.ids :].any()
        assert gradient[~unread].any()


@pytest.mark.parametrize("objective", SOME, ids=named)
def test_ids_and_logits_of_padding_change_nothing(objective: Objective) -> None:
    """The same texts padded left and right, and with other ids there: the same numbers to the bit."""
    one = case(rich())
    student, teacher = one.batch.student, one.batch.teacher
    alignments = [align(text.student, text.teacher) for text in texts_of(rich())]
    learn = torch.zeros(student.ids.shape, dtype=torch.bool)
    for k, text in enumerate(texts_of(rich())):
        learn[k, : len(text.learn)] = torch.from_numpy(text.learn)
    sides = [
        (
            torch.nn.functional.pad(side.ids.where(side.mask, torch.tensor(3)), (2, 1), value=4),
            pad(side.mask.int(), 2, 1),
        )
        for side in (student, teacher)
    ]
    moved = replace(one, batch=batch_of(alignments, *sides, learn=pad(learn.int(), 2, 1).bool()))
    losses, gradient = run(objective, one, one.student, one.teacher)
    wide_s, wide_t = (
        torch.full((*side[0].shape, logits.shape[2]), math.nan).double()
        for side, logits in zip(sides, (one.student, one.teacher), strict=True)
    )
    wide_s[:, 2:-1], wide_t[:, 2:-1] = one.student, one.teacher
    losses_there, gradient_there = run(objective, moved, wide_s, wide_t)
    assert torch.equal(losses.values, losses_there.values)
    assert torch.equal(gradient, gradient_there[:, 2:-1])
    assert not gradient_there[:, :2].any() and not gradient_there[:, -1].any()


def pad(values: Tensor, left: int, right: int) -> Tensor:
    return torch.nn.functional.pad(values, (left, right))


def texts_of(seed: int) -> list[RandomText]:
    """The texts of `case(seed)`."""
    chosen = random.Random(seed)
    v_s, v_t = chosen.randint(5, 12), chosen.randint(5, 12)
    chosen.randint(0, 2), chosen.randint(0, 2)
    return [random_text(chosen, k, v_s, v_t) for k in range(chosen.randint(1, 3))]


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "kl"])
def test_gradients_reach_the_student_alone(name: str) -> None:
    one = case(rich())
    student, teacher = one.student.clone().requires_grad_(), one.teacher.clone().requires_grad_()
    w = LearnedW(one.w)
    PRESETS[name](student, teacher, one.batch, w).backward()
    assert student.grad.any() and teacher.grad is None
    assert (w.free.grad is not None) == name.startswith("p-kl")  # a hybrid reads W's heaviest entries alone


def test_without_a_gradient_to_make_the_numbers_are_the_same() -> None:
    for objective in SOME:
        one = case(rich())
        with torch.no_grad():
            quiet = objective.fast(one, one.student.clone().requires_grad_(), one.teacher)
        assert not quiet.values.requires_grad
        assert torch.equal(quiet.values, run(objective, one, one.student, one.teacher)[0].values)


def test_logits_may_lie_in_memory_as_they_like() -> None:
    for objective in SOME:
        one = case(rich())
        losses, gradient = run(objective, one, one.student, one.teacher)
        turned = one.student.permute(2, 0, 1).contiguous().permute(1, 2, 0).requires_grad_()
        wide = torch.cat([one.teacher, one.teacher], 2)[..., : one.teacher.shape[2]]
        there = objective.fast(one, turned, wide)
        there.mean().backward()
        assert not turned.is_contiguous() and not wide.is_contiguous()
        assert torch.allclose(there.values, losses.values, rtol=1e-12)
        assert torch.allclose(turned.grad, gradient, rtol=1e-12, atol=1e-15)


def test_no_part_and_no_report_has_a_gradient() -> None:
    one = case(rich())
    losses = projected(one.student.clone().requires_grad_(), one.teacher, one.batch, one.w)
    assert losses.values.requires_grad
    assert not any(number.requires_grad for number in [*losses.parts.values(), *losses.others.values()])


@pytest.mark.parametrize("k", range(3))
def test_the_hybrid_without_a_pair_is_uld(k: int) -> None:
    one = case(rich(k))
    nothing = pairs_of(empty(), one.w.student, one.w.teacher)
    losses = hybrid(one.student, one.teacher, one.batch, nothing, merge=Merge.FIRST)
    by_hand = []
    for chunk in one.chunks:
        p = one.student[chunk.text, chunk.student_rows[0], : one.w.student.ids].softmax(-1).tolist()
        q = one.teacher[chunk.text, chunk.teacher_rows[0], : one.w.teacher.ids].softmax(-1).tolist()
        longest = max(len(p), len(q))
        p, q = (sorted(side + [0] * (longest - len(side))) for side in (p, q))
        by_hand.append(sum(abs(a - b) for a, b in zip(p, q, strict=True)))
    assert losses.values.tolist() == pytest.approx(by_hand)
    assert not losses.parts["common"].any() and not losses.parts["realised"].any()
    assert uld(one.student, one.teacher, one.batch, one.w).item() == pytest.approx(sum(by_hand) / len(by_hand))


def test_each_preset_is_the_mean_of_its_loss() -> None:
    one = case(rich())
    w, student, teacher = prepare(one.w), one.student, one.teacher
    wanted = {
        "p-kl": projected(student, teacher, one.batch, w, merge=Merge.CHAIN),
        "p-kl-mean": projected(student, teacher, one.batch, w, merge=Merge.MEAN),
        "h-kl": hybrid(student, teacher, one.batch, w.relaxed, merge=Merge.CHAIN),
        "gold": hybrid(student, teacher, one.batch, w.strict, merge=Merge.SCALED),
        "uld": hybrid(student, teacher, one.batch, w.nothing, merge=Merge.FIRST),
    }
    for name, losses in wanted.items():
        assert PRESETS[name](student, teacher, one.batch, one.w).item() == pytest.approx(losses.values.mean().item())
    assert len({losses.mean().item() for losses in wanted.values()}) == 5
    batch, logits = same_texts(7, 5, 3)
    assert kl(logits, 2 * logits, batch).item() == pytest.approx(same(logits, 2 * logits, batch).values.mean().item())


def test_a_top_k_of_the_whole_vocabulary_is_no_top_k() -> None:
    for seed in map(rich, range(3)):
        one = case(seed)
        whole = projected(one.student, one.teacher, one.batch, one.w, top_k=50)
        assert torch.allclose(whole.values, projected(one.student, one.teacher, one.batch, one.w).values, rtol=1e-12)


def test_a_top_k_is_each_chunks_own_and_drops_no_mass() -> None:
    teacher = [(0.7, 0.2, 0.06, 0.04), (0.04, 0.06, 0.2, 0.7)]
    student = [(0.4, 0.3, 0.2, 0.1), (0.4, 0.3, 0.2, 0.1)]
    text = text_of([b"", b"a", b"b"], [0, 1, 1])
    losses = projected(
        logits_of(*student), logits_of(*teacher), collate([align(text, text)]), identity(4), merge=Merge.FIRST, top_k=1
    )
    expected = [
        0.7 * math.log(0.7 / 0.4) + 0.3 * math.log(0.3 / 0.6),
        0.7 * math.log(0.7 / 0.1) + 0.3 * math.log(0.3 / 0.9),
    ]
    assert losses.values.tolist() == pytest.approx(expected)


# other weights than the mean's, and a second backward pass


@pytest.mark.parametrize("objective", SOME, ids=named)
def test_the_gradient_of_the_mean_is_that_of_equal_weights(objective: Objective) -> None:
    one = case(rich())
    _, mean = run(objective, one, one.student, one.teacher)
    _, total = run(objective, one, one.student, one.teacher, [1.0] * len(one.chunks))
    # weights that differ by nothing that counts take the other path
    uneven = [1 + 1e-15 * k for k in range(len(one.chunks))]
    _, anew = run(objective, one, one.student, one.teacher, uneven)
    assert len(one.chunks) > 2
    assert_near(mean * len(one.chunks), total, 1e-12, 1e-15)
    assert_near(anew, total, 1e-12, 1e-15)


@pytest.mark.parametrize("weighted", ["mean", "sum", "uneven"])
def test_a_second_backward_pass_makes_the_same_gradient(weighted: str) -> None:
    for objective in SOME:
        one, w = learned_case(rich(), objective.direction)
        student = one.student.clone().requires_grad_()
        losses = objective.fast(one, student, one.teacher, None if objective.kind in SETS else w)
        weights = torch.linspace(-1, 2, len(one.chunks)).double()
        loss = {"mean": losses.mean(), "sum": losses.values.sum(), "uneven": (losses.values * weights).sum()}[weighted]
        leaves = [student] if objective.kind in SETS else [student, w.free]
        once = torch.autograd.grad(loss, leaves, retain_graph=True)
        twice = torch.autograd.grad(loss, leaves, retain_graph=True)
        thrice = torch.autograd.grad(3 * loss, leaves)
        for first, second, third in zip(once, twice, thrice, strict=True):
            assert_near(second, first, 1e-12, 1e-15)
            assert_near(third, 3 * first, 1e-12, 1e-15)


def test_a_gradient_handed_out_is_not_changed_by_the_next_pass() -> None:
    one = case(rich())
    student = one.student.clone().requires_grad_()
    losses = projected(student, one.teacher, one.batch, one.w)
    (first,) = torch.autograd.grad(losses.values.sum(), student, retain_graph=True)
    kept = first.clone()
    torch.autograd.grad(5 * losses.values.sum(), student)
    assert torch.equal(first, kept)


def test_a_chunk_of_weight_0_gets_no_gradient() -> None:
    one = case(rich())
    weights = [0.0] * len(one.chunks)
    weights[1] = 2.0
    _, gradient = run(Objective("to_teacher", Merge.CHAIN), one, one.student, one.teacher, weights)
    for chunk, weight in zip(one.chunks, weights, strict=True):
        assert gradient[chunk.text, chunk.student_rows].any() == bool(weight)
    _, none = run(Objective("to_teacher", Merge.CHAIN), one, one.student, one.teacher, [0.0] * len(one.chunks))
    assert not none.any()


# logits that rule out, and logits far apart

EXTREMES = ("student", "teacher", "both", "far")


def extreme(seed: int, where: str) -> Case:
    """-inf in a third of a side's logits but never in all of a row, or logits up to 1e4."""
    one = case(seed)
    student, teacher = one.student.float().double(), one.teacher.float().double()
    torch.manual_seed(seed)
    if where == "far":
        return replace(one, student=student * 4096, teacher=teacher * 4096)
    for side, logits in (("student", student), ("teacher", teacher)):
        if where in (side, "both"):
            ruled_out = torch.rand(logits.shape) < 0.35
            ruled_out[..., 0] = False
            logits[ruled_out] = -math.inf
    return replace(one, student=student, teacher=teacher)


@pytest.mark.parametrize("where", EXTREMES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("merge", MERGES)
def test_logits_of_minus_infinity_and_of_1e4_are_the_references(merge: Merge, kind: str, where: str) -> None:
    for seed, divergence in enumerate(("forward", "jsd" if where == "both" else "reverse"), 40 + MERGES.index(merge)):
        objective, one = Objective(kind, merge, divergence), extreme(seed, where)
        weights = random_weights(one, seed)
        wanted = expected(objective, one, one.student, one.teacher, weights, slopes=where != "far")
        losses, gradient = run(objective, one, one.student, one.teacher, weights)
        assert_near(losses.values, wanted.values, 1e-9, 1e-12)
        assert gradient.isfinite().all()
        if where != "far":
            assert_near(gradient, wanted.gradient, 1e-6, 2e-8)
        quick, quick_gradient = run(objective, one, one.student.float(), one.teacher.float(), weights)
        floor = 1e-6 if where != "far" else 5e-3  # log p = -1e4 is rounded by 5e-4
        assert_near(quick.values, wanted.values, 1e-6, floor)
        assert quick_gradient.isfinite().all()


@pytest.mark.parametrize("nats", [50, 95, 120, 800, math.inf])
@pytest.mark.parametrize("merge", MERGES)
def test_a_chunk_that_the_teacher_all_but_rules_out_is_finite(merge: Merge, nats: float) -> None:
    """The mass of `scaled` and `last` is then about e^-nats, which float32 rounds to 0 from 104 on."""
    unlikely, likely = [-nats, 0.0], [0.0, -1.0]
    rows = [unlikely, likely] if merge is Merge.LAST else [likely, unlikely]
    student = torch.tensor([[[0.5, 0.0], [0.0, 1.0], [0.0, 0.0]]]).requires_grad_()
    w = w_of([{0: 1.0}, {}], 2)
    losses = projected(student, torch.tensor([[*rows, likely]]), one_text([0, 0], [0, 0]), w, merge=merge)
    losses.mean().backward()
    assert losses.values.isfinite().all() and student.grad.isfinite().all()
    if merge in (Merge.SCALED, Merge.LAST):
        assert abs(losses.values.item()) < 1e-18


@pytest.mark.parametrize("gap", [5.0, 10.0, 14.0, 18.0])
def test_in_float32_the_chain_keeps_its_digits_where_the_rest_of_a_chunk_is_all_but_certain(gap: float) -> None:
    """p̃(x_1) = p(x_1) (1 - p_2(x_2)), with p_2(x_2) as near to 1 as e^-gap, and the teacher's q̃ is mostly there."""
    student = torch.tensor([[[1.0, 0.0], [gap, 0.0], [0.0, 0.0]]])
    teacher = torch.tensor([[[1.0, 0.0], [0.0, 0.5], [0.0, 0.0]]])
    batch = one_text([0, 0], [0, 0])
    found, gradient = run_chain(student, teacher, batch)
    exact, exact_gradient = run_chain(student.double(), teacher.double(), batch)
    assert exact > 0.4 * (gap - 4)
    assert_near(found, exact, 1e-6, 2e-6)
    assert_near(gradient, exact_gradient, 1e-5, 1e-6)


def run_chain(student: Tensor, teacher: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    student = student.clone().requires_grad_()
    losses = projected(student, teacher, batch, identity(2))
    losses.mean().backward()
    return losses.values.detach(), student.grad


@pytest.mark.parametrize("log_reached", [-5.0, -12.0, -17.3, -20.0])
def test_in_float32_a_teacher_that_says_little_of_what_w_reaches_costs_little(log_reached: float) -> None:
    w = w_of([{0: 1.0}, {1: 1.0}, {0: 1.0}], 3)
    student = torch.tensor([[[0.5, 0.0, -0.5]] * 2])
    teacher = torch.tensor([[[log_reached, log_reached - 1, 0.0]] * 2])
    for divergence, _ in DIVERGENCES.values():
        options = {"merge": Merge.FIRST, "divergence": divergence}
        found = projected(student, teacher, one_text([0], [0]), w, **options).values
        exact = projected(student.double(), teacher.double(), one_text([0], [0]), w, **options).values
        assert_near(found, exact, 1e-6, 2e-7)


# half precision, autocast, equal bits


def half(one: Case, dtype: torch.dtype) -> Case:
    return replace(one, student=one.student.to(dtype), teacher=one.teacher.to(dtype))


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.bfloat16, 2**-8), (torch.float16, 2**-11)])
@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_logits_are_computed_in_float32(kind: str, dtype: torch.dtype, rounding: float) -> None:
    for merge in MERGES:
        for seed in (rich(0), rich(1)):
            objective, one = Objective(kind, merge), half(case(seed), dtype)
            losses, gradient = run(objective, one, one.student, one.teacher)
            exact, wanted = run(objective, one, one.student.double(), one.teacher.double())
            assert losses.values.dtype == torch.float32 and gradient.dtype == dtype
            assert_near(losses.values, exact.values, 1e-6, 3e-7)
            assert_near(gradient, wanted, rounding, 1e-6)
            least = (wanted.to(dtype).double() - wanted).norm()
            assert (gradient.double() - wanted).norm() <= 1.05 * least


def test_a_loss_scaled_for_float16_keeps_its_small_gradients() -> None:
    """As a gradient scaler does it: what float16 can't hold before the factor, it can after."""
    one = half(replace(case(rich()), student=4 * case(rich()).student), torch.float16)
    scale = 2.0**12
    objective, weights = Objective("to_teacher", Merge.CHAIN), [scale / len(one.chunks)] * len(one.chunks)
    _, gradient = run(objective, one, one.student, one.teacher, weights)
    _, wanted = run(objective, one, one.student.float(), one.teacher.float(), weights)
    small = (wanted != 0) & (wanted.abs() < scale * 2**-24)  # before the factor these are below a subnormal
    assert small.sum() > 3
    assert_near(gradient, wanted.double(), 2**-11, 2**-24)


def test_autocast_changes_nothing() -> None:
    for objective in SOME:
        one = half(case(rich()), torch.bfloat16)
        losses, gradient = run(objective, one, one.student, one.teacher)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            cast, cast_gradient = run(objective, one, one.student, one.teacher)
        assert torch.equal(losses.values, cast.values) and torch.equal(gradient, cast_gradient)


def test_equal_inputs_give_equal_bits() -> None:
    for objective in EACH:
        one = half(case(rich()), torch.float32)
        weights = random_weights(one, 1)
        first, first_gradient = run(objective, one, one.student, one.teacher, weights)
        again, again_gradient = run(objective, one, one.student, one.teacher, weights)
        assert torch.equal(first.values, again.values) and torch.equal(first_gradient, again_gradient)


# the two ways to sum a column of W, and the compiled way to all


def gathers(seed: int) -> Projector:
    """Of a random W, with columns of several degrees."""
    chosen = random.Random(seed)
    v_s, v_t = chosen.randint(8, 16), chosen.randint(5, 12)
    w = w_of(random_rows(chosen, v_s, v_t), v_t)
    return projector_of(w.ids, w.weights, v_t)


def projection(projector: Projector, log_mass: Tensor, seed: int) -> tuple[Tensor, ...]:
    """log Wᵀp, and the gradients of a random sum of it: of log p, and of W's log weights."""
    log_mass = log_mass.clone().requires_grad_()
    log_weights = projector.log_weights.to(log_mass.dtype).requires_grad_()
    found = projector.log_project(log_mass, log_weights)
    torch.manual_seed(seed)
    weights = torch.randn(found.shape, dtype=torch.float64).to(found.dtype)
    weights = weights.where(found > -math.inf, 0)  # what a loss gives a column at which nothing arrives
    return found.detach(), *torch.autograd.grad(found, (log_mass, log_weights), weights)


def is_product(projector: Projector, log_mass: Tensor) -> bool:
    return product_module.summed(projector.product, log_mass, projector.log_weights.to(log_mass.dtype)) is not None


def assert_ways_agree(projector: Projector, log_mass: Tensor, seed: int) -> None:
    """As product, if it is one, and as gathers, in float64 and in float32."""
    gathered = projection(replace(projector, product=None), log_mass.double(), seed)
    for dtype, relative, floor in ((torch.float64, 1e-9, 1e-12), (torch.float32, 1e-6, 2e-5)):
        for found, wanted in zip(projection(projector, log_mass.to(dtype), seed), gathered, strict=True):
            impossible = wanted == -math.inf
            assert torch.equal(found == -math.inf, impossible)
            assert_near(found.masked_fill(impossible, 0), wanted.masked_fill(impossible, 0), relative, floor)


@pytest.mark.parametrize("seed", range(12))
def test_a_columns_sum_as_a_product_is_that_of_its_gathers(seed: int) -> None:
    projector = gathers(seed)
    torch.manual_seed(seed)
    log_mass = 2 * torch.randn(5, projector.students).log_softmax(-1)
    assert projector.product is not None and len(projector.buckets) > 1
    assert is_product(projector, log_mass)
    assert_ways_agree(projector, log_mass, seed)


@pytest.mark.parametrize("seed", range(12))
def test_where_masses_are_too_unlike_the_product_is_left_and_no_digit_lost(seed: int) -> None:
    projector = gathers(seed)
    torch.manual_seed(seed)
    for low in (-20.0, -45.0, -65.0, -80.0, -100.0):
        log_mass = torch.randn(5, projector.students)
        log_mass[2, first_column(projector)] += low  # all that arrives there is e^low of the largest mass
        assert is_product(projector, log_mass) == (low > -50)
        assert_ways_agree(projector, log_mass, seed)


def first_column(projector: Projector) -> Tensor:
    """The student tokens whose mass is summed at the first column that sums any."""
    bucket = projector.buckets[0]
    return bucket.rows.view(bucket.columns, -1)[0]


def test_where_nothing_arrives_at_a_column_the_product_is_left() -> None:
    projector = gathers(0)
    nowhere, nothing = torch.zeros(2, projector.students), torch.zeros(2, projector.students)
    nowhere[0, first_column(projector)] = -math.inf
    nothing[1] = -math.inf
    for log_mass in (nowhere, nothing):
        assert not is_product(projector, log_mass)
        assert_ways_agree(projector, log_mass, 0)
    assert is_product(projector, torch.zeros(2, projector.students))


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_the_product_is_left_where_torch_may_multiply_less_exactly(precision: str) -> None:
    projector = gathers(0)
    log_mass = torch.randn(5, projector.students)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        assert not is_product(projector, log_mass)
        found = projection(projector, log_mass, 0)
    finally:
        torch.set_float32_matmul_precision(before)
    assert is_product(projector, log_mass)
    for one, other in zip(found, projection(replace(projector, product=None), log_mass, 0), strict=True):
        assert torch.equal(one, other)


def test_a_large_w_is_no_product(monkeypatch: pytest.MonkeyPatch) -> None:
    size = gathers(0).product.matrix(gathers(0).log_weights).numel()
    monkeypatch.setattr(product_module, "SMALL_PRODUCT", size)
    assert gathers(0).product is not None
    monkeypatch.setattr(product_module, "SMALL_PRODUCT", size - 1)
    assert gathers(0).product is None


def twice(seed: int) -> Case:
    """The texts of a case two times, with logits of their own."""
    one = case(seed)
    texts = texts_of(seed) * 2
    batch = collate([align(text.student, text.teacher) for text in texts], learn=[text.learn for text in texts])
    sides = [torch.cat([logits, logits.flip(-1)]) for logits in (one.student, one.teacher)]
    return replace(one, batch=batch, student=sides[0], teacher=sides[1], chunks=one.chunks * 2)


COMPILED = [
    (Objective("to_teacher", Merge.CHAIN), True),
    (Objective("to_student", Merge.CHAIN), True),
    (Objective("to_teacher top 2", Merge.CHAIN), False),
    (Objective("relaxed", Merge.CHAIN), False),
    (Objective("strict", Merge.SCALED), False),
    (Objective("empty", Merge.FIRST), False),
]


@contextmanager
def compiling() -> Iterator[CompileCounterWithBackend]:
    """Blocks are computed as on a GPU, in one graph, by the steps that torch traced; it counts the graphs."""
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    numbers = torch.compile(blocks_module._numbers, backend=counter, fullgraph=True)

    def numbers_of(work: Any, student: Any, part_s: Any, part_t: Any, log_weights: Tensor) -> Tensor:
        for tensor in (*part_s, *part_t):
            if tensor is not None:
                torch._dynamo.mark_dynamic(tensor, 0)
        made: Tensor = numbers(work, student.rows.dtype, part_s, part_t, log_weights)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks_module, "_numbers_of", numbers_of)
        patch.setattr(product_module, "SMALL_PRODUCT", 0)  # a GPU has none
        yield counter
    torch._dynamo.reset()


def numbers_and_gradients(loss: Callable[[Tensor], ChunkLosses], student: Tensor, *others: Tensor) -> list[Tensor]:
    """What a loss gives, and its gradients for the mean, made beside it, and for uneven weights, made anew."""
    leaves = student.clone().requires_grad_(), *others
    losses = loss(leaves[0])
    uneven = losses.values * torch.linspace(-1, 2, len(losses.values)).double()
    gradients = [torch.autograd.grad(one, leaves, retain_graph=True) for one in (losses.mean(), uneven.sum())]
    assert all(gradient.any() for each in gradients for gradient in each)
    return [losses.values.detach(), *losses.parts.values(), *losses.others.values(), *gradients[0], *gradients[1]]


def assert_compiled_alike(made: Callable[[], list[list[Tensor]]]) -> None:
    """Of batches of different sizes, with one graph for all."""
    wanted = made()
    with compiling() as counter:
        found = made()
    assert counter.frame_count == 1
    for ones, others in zip(found, wanted, strict=True):
        for one, other in zip(ones, others, strict=True):
            assert_near(one, other, 1e-9, 1e-12)


@pytest.mark.parametrize(("objective", "learn"), COMPILED, ids=[named(objective) for objective, _ in COMPILED])
def test_compiled_a_loss_has_the_values_and_gradients_of_its_steps(objective: Objective, learn: bool) -> None:
    one = case(rich())

    def made() -> list[list[Tensor]]:
        w = LearnedW(one.back if objective.direction == "to_student" else one.w).double() if learn else None
        others = [] if w is None else [w.free]
        return [
            numbers_and_gradients(partial(objective.fast, each, teacher=each.teacher, w=w), each.student, *others)
            for each in (one, twice(rich()))
        ]

    assert_compiled_alike(made)


def test_compiled_the_loss_of_one_vocabulary_has_the_values_and_gradients_of_its_steps() -> None:
    def made() -> list[list[Tensor]]:
        texts = [same_texts(7, 5, 3), same_texts(7, 6, 4, 4)]
        return [
            numbers_and_gradients(lambda student, b=b, t=t: same(student, t, b), t.flip(-1))
            for b, t in ((batch, logits.double()) for batch, logits in texts)
        ]

    assert_compiled_alike(made)
