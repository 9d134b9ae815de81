"""On a GPU: the same numbers as on the CPU, compiled or not, and the same bits each time. Skipped without one."""

from collections.abc import Callable, Iterator
from functools import cache, partial

import pytest
import torch
from torch import Tensor

from tests.real import load
from xtoken_core import losses
from xtoken_core.alignment import align
from xtoken_core.losses import blocks
from xtoken_core.losses.mixing import cross_entropy
from xtoken_core.projection import build

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")

TEXTS = ["Sums: 201 + 3456 = 3657, unbelievably.", "naïve 東京 Überraschung"]
Loss = Callable[[Tensor, Tensor, losses.Batch], Tensor]


@cache
def batch() -> losses.Batch:
    student, teacher = load("llama-3.2").encode, load("qwen3").encode
    return losses.collate([align(student(text), teacher(text)) for text in TEXTS])


@cache
def w(device: str) -> losses.PreparedW:
    return losses.prepare(build(load("llama-3.2"), load("qwen3")), device=device)


@cache
def logits() -> tuple[Tensor, Tensor]:
    """In float32: among so many bf16 logits some are equal, and a sort then has several right gradients."""
    torch.manual_seed(0)
    student, teacher = batch().student.ids, batch().teacher.ids
    return 3 * torch.randn(*student.shape, 128_256), 3 * torch.randn(*teacher.shape, 151_936)


def run(name: str, device: str, dtype: torch.dtype, rule_out: bool = False) -> tuple[Tensor, Tensor]:
    student, teacher = (one.to(device, dtype).clone() for one in logits())
    if rule_out:
        student[..., ::3], teacher[..., ::5] = -torch.inf, -torch.inf
    student.requires_grad_()
    if name == "cross-entropy":
        value = cross_entropy(student, batch().to(device))
    elif name == "top-k":
        value = losses.projected(student, teacher, batch().to(device), w(device), top_k=100).mean()
    else:
        value = losses.PRESETS[name](student, teacher, batch().to(device), w(device))
    value.backward()
    assert student.grad is not None
    return value.detach().cpu().double(), student.grad.cpu().double()


NAMES = [*(name for name in losses.PRESETS if name != "kl"), "top-k", "cross-entropy"]
exact = cache(partial(run, device="cpu", dtype=torch.float64))


@pytest.fixture(params=["compiled", "uncompiled"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(blocks, "COMPILE_FROM", 0)
    with torch.compiler.set_stance("default" if request.param == "compiled" else "force_eager"):
        yield


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule_out", [False, True])
def test_a_gpu_computes_what_the_cpu_does(name: str, rule_out: bool) -> None:
    if name == "cross-entropy" and rule_out:
        pytest.skip("infinite")
    value, gradient = exact(name, rule_out=rule_out)
    found, found_gradient = run(name, "cuda", torch.float32, rule_out)
    assert abs(found - value) <= 1e-6 * abs(value)
    # where two probabilities are all but equal, float32 may sort them the other way round
    assert (found_gradient - gradient).norm() <= (2e-5 if name == "uld" else 3e-6) * gradient.norm()


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_gives_equal_bits_each_time(name: str) -> None:
    first, second = (run(name, "cuda", torch.bfloat16) for _ in range(2))
    assert all(map(torch.equal, first, second))


def test_a_learned_w_gets_the_same_gradient_on_a_gpu() -> None:
    found = []
    for device, dtype in (("cpu", torch.float64), ("cuda", torch.float32)):
        learned = losses.LearnedW(build(load("llama-3.2"), load("qwen3"))).to(device)
        student, teacher = (one.to(device, dtype) for one in logits())
        losses.projected(student, teacher, batch().to(device), learned).mean().backward()
        assert learned.free.grad is not None
        found.append(learned.free.grad.cpu().double())
    assert (found[1] - found[0]).norm() <= 1e-5 * found[0].norm()


def test_autocast_changes_nothing_on_a_gpu() -> None:
    plain = run("p-kl", "cuda", torch.float32)
    with torch.autocast("cuda", torch.bfloat16):
        under = run("p-kl", "cuda", torch.float32)
    assert all(map(torch.equal, plain, under))


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_needs_nothing_that_is_not_deterministic(name: str) -> None:
    torch.use_deterministic_algorithms(True)  # raises at what gives other bits each time
    try:
        run(name, "cuda", torch.bfloat16)
    finally:
        torch.use_deterministic_algorithms(False)
