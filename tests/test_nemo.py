"""W in NeMo-RL's format, and files that are made to hurt its reader."""

import io
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.handmade import added, byte_level, read
from tests.real import load
from xtoken_core import nemo
from xtoken_core.errors import ProjectionError
from xtoken_core.matrix import Options, Projection
from xtoken_core.projection import build

STUDENT = read(byte_level("a", "b", "ab", "z", "aa", "<s>", added_tokens=[added(5, "<s>")]))
TEACHER = read(byte_level("b", "a", "c", "<s>", added_tokens=[added(3, "<s>")]))
W = build(STUDENT, TEACHER)


def saved(held: Any, **options: Any) -> bytes:
    content = io.BytesIO()
    torch.save(held, content, **options)
    return content.getvalue()


def indices(rows: int = 6, k: int = 4) -> torch.Tensor:
    return torch.full((rows, k), -1)


def likelihoods(rows: int = 6, k: int = 4) -> torch.Tensor:
    return torch.zeros(rows, k)


def loaded(content: bytes) -> Projection:
    return nemo.load(content, "w.pt", STUDENT, TEACHER)


def refused(content: bytes) -> str:
    with pytest.raises(ProjectionError) as raised:
        loaded(content)
    assert str(raised.value).startswith("w.pt can't be used")
    return str(raised.value)


def parsed_as_nemo_does(content: bytes) -> tuple[torch.Tensor, torch.Tensor]:
    """Coordinates [2, n] and values [n], as the dense branch of NeMo-RL's `parse_projection_file` unfolds them."""
    held = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    targets, values = held["indices"].long(), held["likelihoods"].float()
    assert targets.shape == values.shape
    rows = torch.arange(len(targets)).unsqueeze(1).expand(-1, targets.shape[1]).reshape(-1)
    valid = targets.reshape(-1) >= 0
    return torch.stack([rows, targets.reshape(-1)])[:, valid], values.reshape(-1)[valid]


def test_the_file_is_the_dict_that_nemo_reads() -> None:
    held = torch.load(io.BytesIO(nemo.save(W)), weights_only=True)
    assert list(held) == ["indices", "likelihoods"]
    assert (held["indices"].dtype, held["likelihoods"].dtype) == (torch.int64, torch.float32)
    assert held["indices"].tolist() == [
        [1, -1, -1, -1],
        [0, -1, -1, -1],
        [1, 0, -1, -1],
        [-1, -1, -1, -1],
        [1, -1, -1, -1],
        [3, -1, -1, -1],
    ]
    assert torch.equal(held["likelihoods"], torch.from_numpy(np.array(W.weights)))


def test_nemos_reader_sees_the_same_matrix() -> None:
    places, values = parsed_as_nemo_does(nemo.save(W))
    dense = torch.zeros(6, 4).index_put_(tuple(places), values, accumulate=True).numpy()
    expected = np.zeros((6, 4), np.float32)
    for token in range(6):
        for entry in W.row(token).entries:
            expected[token, entry.id] = entry.weight
    assert np.array_equal(dense, expected)


@pytest.mark.parametrize("options", [Options(), Options(top_k=1), Options(top_k=32)])
def test_what_is_saved_is_loaded_byte_by_byte(options: Options) -> None:
    w = build(STUDENT, TEACHER, options=options)
    content = nemo.save(w)
    assert nemo.save(loaded(content)) == content
    for name in ("ids", "weights", "rules", "canonical"):
        assert np.array_equal(getattr(loaded(content), name), getattr(w, name))


def test_a_real_pair_goes_there_and_back(tmp_path: Path) -> None:
    student, teacher = load("gpt2"), load("smollm2")
    w = build(student, teacher)
    nemo.write(w, tmp_path / "w.pt")
    back = nemo.load((tmp_path / "w.pt").read_bytes(), "w.pt", student, teacher)
    assert back.counts() == w.counts()
    assert np.array_equal(back.ids, w.ids)
    assert np.array_equal(back.weights, w.weights)


def test_other_keys_are_ignored_and_a_slice_of_a_larger_tensor_is_read() -> None:
    wide = torch.cat([torch.from_numpy(W.ids.astype(np.int64)), torch.zeros(6, 60, dtype=torch.int64)], dim=1)
    held = {"indices": wide[:, :4], "likelihoods": torch.from_numpy(np.array(W.weights)), "k": 4, "more": [1.5, "text"]}
    assert np.array_equal(loaded(saved(held)).ids, W.ids)


def test_a_learned_matrix_that_wants_gradients_is_read() -> None:
    held = {"indices": indices(), "likelihoods": torch.nn.Parameter(likelihoods())}
    assert loaded(saved(held)).lengths().tolist() == [0] * 6


WANTED = "Choose a .pt with a dict of 'indices' and 'likelihoods', both [V_s, K], as NeMo-RL's x_token writes it."


@pytest.mark.parametrize("content", [b"", b"text", b"PK\3\4" * 9, pickle.dumps({"indices": 1}), nemo.save(W)[:-40]])
def test_what_is_no_zip_is_refused(content: bytes) -> None:
    assert refused(content) == f"w.pt can't be used: it is no whole zip, as torch.save writes it. {WANTED}"


def test_the_format_before_zips_is_refused_unread() -> None:
    old = saved({"indices": indices(), "likelihoods": likelihoods()}, _use_new_zipfile_serialization=False)
    assert "it is no whole zip" in refused(old)


def test_a_file_cut_or_changed_anywhere_is_read_or_refused_in_a_sentence() -> None:
    content = nemo.save(W)
    for place in range(0, len(content), 7):
        refused(content[:place])
        hurt = bytearray(content)
        hurt[place] ^= 0xFF
        try:
            loaded(bytes(hurt))
        except ProjectionError as error:
            assert str(error).startswith("w.pt can't be used")


class Harm:
    """A pickle of it would write a file where it is loaded."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.file),)


def with_records(content: bytes, **changes: bytes) -> bytes:
    """The same zip with some records replaced, by the last part of their name."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(changed, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, changes.get(Path(info.filename).stem, old.read(info)))
    return changed.getvalue()


CODE = "it holds code, objects other than tensors, or is broken, and none of it was run"


@pytest.mark.parametrize("inside", [False, True])
def test_code_in_a_pickle_never_runs(inside: bool, tmp_path: Path) -> None:
    harm = Harm(tmp_path / "harmed")
    held = {"indices": indices(), "likelihoods": likelihoods(), "more": harm} if inside else harm
    content = saved(held)
    assert CODE in refused(content)
    assert not harm.file.exists()
    torch.load(io.BytesIO(content), weights_only=False)  # it would have
    assert harm.file.exists()


def test_code_in_a_zip_of_another_name_never_runs(tmp_path: Path) -> None:
    content = with_records(nemo.save(W), data=pickle.dumps(Harm(tmp_path / "harmed")))
    assert CODE in refused(content)
    assert not (tmp_path / "harmed").exists()


def test_an_environment_that_asks_for_code_gets_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    assert CODE in refused(saved(Harm(tmp_path / "harmed")))
    assert not (tmp_path / "harmed").exists()


def zipped(*records: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(content, "w", compression) as file:
        warnings.simplefilter("ignore")  # of the same name twice
        for name, data in records:
            file.writestr(name, data)
    return content.getvalue()


def test_a_zip_bomb_is_refused_by_its_sizes() -> None:
    bomb = zipped(("archive/data.pkl", bytes(300 * 2**20)), compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 2**20
    assert "it is larger than 256 MiB, or would be when unpacked" in refused(bomb)


def test_a_zip_bomb_that_lies_of_its_size_is_refused_unpacked() -> None:
    bomb = zipped(("archive/data.pkl", bytes(2**20)), compression=zipfile.ZIP_DEFLATED)
    directory = bomb.rindex(b"PK\1\2") + 24
    assert struct.unpack_from("<I", bomb, directory) == (2**20,)
    lying = bomb[:directory] + struct.pack("<I", 10) + bomb[directory + 4 :]
    assert "its records are compressed, and torch.save compresses none" in refused(lying)


def test_records_of_the_same_name_or_too_many_are_refused() -> None:
    assert "its zip has 2 records, too many or some of the same name" in refused(zipped(("a/b", b""), ("a/b", b"")))
    many = zipped(*((f"archive/data/{k}", b"") for k in range(1_001)))
    assert "its zip has 1,001 records, too many" in refused(many)


def test_a_large_file_is_refused_before_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nemo, "MAX_FILE_BYTES", 100)
    assert "or would be when unpacked" in refused(nemo.save(W))


def test_torch_sees_the_zip_that_was_checked_not_one_that_only_it_finds() -> None:
    """A reader that trusts an offset and one that looks before the end may see two directories in one file."""
    hidden, shown = saved([1]), nemo.save(W)
    assert np.array_equal(loaded(hidden + shown).ids, W.ids)


@pytest.mark.parametrize("length", [4, 0])
def test_a_storage_that_is_shorter_than_it_claims_is_refused(length: int) -> None:
    assert CODE in refused(with_records(nemo.save(W), **{"0": bytes(length)}))


def test_a_few_bytes_that_claim_many_numbers_are_refused_before_they_are_made() -> None:
    wide = torch.zeros(4, dtype=torch.int64).expand(2**38, 4)
    content = saved({"indices": wide, "likelihoods": likelihoods()})
    assert len(content) < 5_000
    assert f"its tensor 'indices' claims {2**40:,} numbers and holds fewer" in refused(content)
    stepping = torch.zeros(9, dtype=torch.float32).as_strided((6, 4), (1, 1))
    assert "its tensor 'likelihoods' claims 24 numbers" in refused(
        saved({"indices": indices(), "likelihoods": stepping})
    )


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ([1], "it holds a list, not a dict"),
        (torch.zeros(3), "it holds a Tensor, not a dict"),
        ({}, "its dict has no tensor 'indices' (its keys: none)"),
        ({"weights": torch.zeros(3), 7: 1}, "its dict has no tensor 'indices' (its keys: 'weights')"),
        ({(0, 1): 3.0}, "its dict has no tensor 'indices' (its keys: none)"),
        ({"indices": indices()}, "its dict has no tensor 'likelihoods' (its keys: 'indices')"),
        ({"indices": [[1]], "likelihoods": likelihoods()}, "its dict has no tensor 'indices'"),
        ({"indices": indices().int(), "likelihoods": likelihoods()}, "is of type torch.int32, not torch.int64"),
        ({"indices": indices(), "likelihoods": likelihoods().double()}, "is of type torch.float64, not torch.float32"),
        ({"indices": indices(), "likelihoods": likelihoods().bfloat16()}, "is of type torch.bfloat16, not"),
        ({"indices": indices().to_sparse(), "likelihoods": likelihoods()}, "'indices' is sparse, nested or without"),
        ({"indices": indices(), "likelihoods": likelihoods().to_sparse()}, "'likelihoods' is sparse, nested or"),
        ({"indices": indices().to("meta"), "likelihoods": likelihoods()}, "'indices' is sparse, nested or without"),
        ({"indices": indices()[0], "likelihoods": likelihoods()}, "has the shape [4], not [V_s, K] with K up to 64"),
        ({"indices": indices(k=65), "likelihoods": likelihoods()}, "has the shape [6, 65], not [V_s, K] with K up"),
        ({"indices": indices(), "likelihoods": likelihoods(k=3)}, "w.pt can't be used. The ids have the shape [6, 4]"),
        ({"indices": indices(rows=5), "likelihoods": likelihoods(rows=5)}, "The matrix has 5 rows, but the student"),
        ({"indices": indices() + 9, "likelihoods": likelihoods()}, "Row 0 of the matrix goes to the id 8, but the"),
        ({"indices": indices(), "likelihoods": likelihoods() - 1}, "has a weight that is no finite number from 0 up"),
    ],
)
def test_other_content_is_told(held: Any, told: str) -> None:
    assert told in refused(saved(held))


def test_a_nested_tensor_is_told() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nested = torch.nested.nested_tensor([torch.zeros(2, dtype=torch.int64), torch.zeros(3, dtype=torch.int64)])
        content = saved({"indices": nested, "likelihoods": likelihoods()})
    assert "w.pt can't be used: " in refused(content)
