"""docs/losses.md says what the losses do: its examples are true, and its training loop trains."""

import doctest
import re
from typing import Any

import pytest
import torch
import transformers

from tests.running import ROOT
from xtoken_core import catalog
from xtoken_core.alignment import align
from xtoken_core.losses import Batch, collate, p_kl, prepare
from xtoken_core.projection import build

DOCUMENT = ROOT / "docs" / "losses.md"
TEXTS = ["Hundreds of 201 cats", "17 + 25 = 42"]


def test_its_examples_are_true() -> None:
    failed, tried = doctest.testfile(str(DOCUMENT), module_relative=False, encoding="utf-8")
    assert failed == 0
    assert tried > 45


def tiny(name: str, **_: Any) -> transformers.PreTrainedModel:
    """A model with the vocabulary of the one that was asked for, and hardly more."""
    sizes = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    }
    llama = transformers.LlamaConfig(vocab_size=128_256, **sizes)
    qwen = transformers.Qwen3Config(vocab_size=151_936, head_dim=8, **sizes)
    torch.manual_seed(0)
    models = transformers.LlamaForCausalLM, transformers.Qwen3ForCausalLM
    return models[1](qwen) if "Qwen" in name else models[0](llama)


def test_its_training_loop_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", tiny)
    loop = re.search(r"```python\n(import torch\n.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert loop
    source = (
        loop[1]
        .replace("lr=1e-5", "lr=1e-2")
        .replace("    loss.backward()", "    losses.append(loss.item())\n    loss.backward()")
    )
    assert len([line for line in loop[1].splitlines() if line]) <= 24
    losses: list[float] = []
    exec(source, {"device": "cpu", "batches": [TEXTS] * 4, "losses": losses})
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.8 * losses[0]


def test_packed_texts_as_the_document_reads_them_have_the_loss_of_padded_ones() -> None:
    cut_s, cut_t = catalog.load("llama-3.2").encode, catalog.load("qwen3").encode
    aligned = [align(cut_s(text), cut_t(text)) for text in TEXTS]
    w, student, teacher = prepare(build(catalog.load("llama-3.2"), catalog.load("qwen3"))), tiny("Llama"), tiny("Qwen")

    def loss(batch: Batch, **masks: tuple[torch.Tensor | None, torch.Tensor | None]) -> float:
        sides = zip((student, teacher), (batch.student, batch.teacher), masks["masks"], strict=True)
        with torch.no_grad():
            read = [
                model(side.ids, attention_mask=mask, position_ids=side.positions, use_cache=False).logits
                for model, side, mask in sides
            ]
        return p_kl(*read, batch, w).item()

    padded, packed = collate(aligned), collate(aligned, pack=(64, 64))
    assert len(packed.student.ids) == 1
    wanted = loss(padded, masks=(padded.student.mask, padded.teacher.mask))
    assert loss(packed, masks=(None, None)) == pytest.approx(wanted, rel=1e-4)
