"""W as a file, W kept in the user's cache folder, and W made elsewhere."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from tests.handmade import added, as_bytes, byte_level, read
from tests.real import load
from tests.running import ROOT
from xtoken_core import catalog, files, imported, measure, projection_file
from xtoken_core.errors import ProjectionError
from xtoken_core.matrix import Options, Projection, Rule, check_pair
from xtoken_core.projection import build
from xtoken_core.tokenizer import Tokenizer

ARRAYS = ("ids", "weights", "rules", "pieces", "trimmed", "canonical")
BOS = [added(5, "<s>")]

STUDENT = read(byte_level("a", "b", "ab", "z", "aa", "<s>", added_tokens=BOS))
TEACHER = read(byte_level("b", "a", "c", "<s>", added_tokens=[added(3, "<s>")]))
#   a -> 1, b -> 0, ab -> 1 0, z -> nothing, aa -> 1 1 (once), <s> -> 3
W = build(STUDENT, TEACHER)


def same(one: Projection, other: Projection) -> bool:
    plain = ("student", "teacher", "options")
    return all(getattr(one, name) == getattr(other, name) for name in plain) and all(
        np.array_equal(getattr(one, name), getattr(other, name))
        and getattr(one, name).dtype == getattr(other, name).dtype
        for name in ARRAYS
    )


def metadata(**parts: Any) -> dict[str, str]:
    """Those of W; parts given as values become JSON, None takes one away."""
    whole = dict(header(projection_file.save(W))["__metadata__"])
    whole |= {name: part if isinstance(part, str) else json.dumps(part) for name, part in parts.items()}
    return whole


def header(content: bytes) -> dict[str, Any]:
    length = int.from_bytes(content[:8], "little")
    found: dict[str, Any] = json.loads(content[8 : 8 + length])
    return found


def written(parts: dict[str, str] | None = None, **arrays: Any) -> bytes:
    """W as the library itself writes it, with some of its parts replaced; an array that is None is left out."""
    whole = {name: getattr(W, name) for name in ARRAYS} | arrays
    return safetensors.numpy.save({k: v for k, v in whole.items() if v is not None}, parts or metadata())


def changed(name: str, row: int, value: Any) -> dict[str, Any]:
    array = getattr(W, name).copy()
    array[row] = value
    return {name: array}


def refused(content: bytes) -> str:
    with pytest.raises(ProjectionError) as raised:
        projection_file.load(content, "w.safetensors")
    return str(raised.value)


def test_the_pair_written_by_hand_has_a_row_of_every_rule() -> None:
    assert all(W.counts().values())
    assert W.row(4).pieces == 2
    assert [(entry.id, entry.weight) for entry in W.row(4).entries] == [(1, 1.0)]


@pytest.mark.parametrize("options", [Options(), Options(top_k=1), Options(beta=1, gamma=1, long="truncate")])
def test_what_is_saved_is_loaded_byte_by_byte(options: Options) -> None:
    w = build(STUDENT, TEACHER, options=options)
    content = projection_file.save(w)
    loaded = projection_file.load(content, "w.safetensors")
    assert same(loaded, w)
    assert projection_file.save(loaded) == content


def test_a_real_pair_is_saved_and_loaded(tmp_path: Path) -> None:
    w = build(load("gpt2"), load("smollm2"))
    projection_file.write(w, tmp_path / "w.safetensors")
    loaded = projection_file.read(tmp_path / "w.safetensors")
    assert same(loaded, w)
    assert (tmp_path / "w.safetensors").read_bytes() == projection_file.save(loaded)
    check_pair(loaded, load("gpt2"), load("smollm2"))


def test_the_library_reads_what_is_saved_and_its_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(projection_file.save(W))
    with safetensors.safe_open(tmp_path / "w.safetensors", "numpy") as file:
        assert file.metadata()["schema"] == "xtoken-explorer/projection/1"
        assert json.loads(file.metadata()["student"])["sha256"] == STUDENT.sha256
        assert all(np.array_equal(file.get_tensor(name), getattr(W, name)) for name in ARRAYS)
    assert same(projection_file.load(written(), "w"), W)


def test_each_tensor_starts_where_its_numbers_are_aligned() -> None:
    content = projection_file.save(W)
    starts = {name: part["data_offsets"][0] for name, part in header(content).items() if name in ARRAYS}
    assert int.from_bytes(content[:8], "little") % 8 == 0
    assert all(start % getattr(W, name).itemsize == 0 for name, start in starts.items())


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"{}", (2**60).to_bytes(8, "little") + b"{}", b"\xff" * 64])
def test_what_is_no_safetensors_file_is_refused(content: bytes) -> None:
    assert refused(content).startswith("w.safetensors can't be used: it is no whole safetensors file (")
    assert refused(content).endswith("Choose a file that this tool saved, or build W anew.")


def test_a_file_cut_anywhere_is_refused() -> None:
    content = projection_file.save(W)
    assert all("it is no whole safetensors file" in refused(content[:stop]) for stop in range(len(content)))
    assert "it is no whole safetensors file" in refused(content + b"\0")


def test_a_file_with_any_byte_changed_is_read_or_refused_in_a_sentence() -> None:
    content = projection_file.save(W)
    for place in range(len(content)):
        for bit in (1, 0x80):
            hurt = bytearray(content)
            hurt[place] ^= bit
            try:
                projection_file.load(bytes(hurt), "w.safetensors")
            except ProjectionError as error:
                assert str(error).startswith("w.safetensors can't be used")


def test_another_schema_is_told() -> None:
    newer = refused(written(metadata(schema="xtoken-explorer/projection/2")))
    assert "its schema is 'xtoken-explorer/projection/2', and this version reads 'xtoken-explorer/" in newer
    assert newer.endswith("Update X-Token Explorer, or build W anew.")
    assert "of something else than a W (its schema: 'a model')" in refused(written(metadata(schema="a model")))
    assert "of something else than a W (its schema: None)" in refused(safetensors.numpy.save({"a": np.zeros(1)}))


SIDE = {"name": "mine", "sha256": "0" * 64, "ids": 6, "head_size": 6}


@pytest.mark.parametrize(
    ("part", "value", "told"),
    [
        ("student", "no JSON", "its metadata don't tell the student."),
        ("teacher", "[" * 100_000, "its metadata don't tell the teacher."),
        ("teacher", '{"ids": ' + "9" * 10_000 + "}", "its metadata don't tell the teacher."),
        ("student", [], "its metadata don't tell the student's name, sha256, ids and head_size."),
        ("student", SIDE | {"more": 1}, "its metadata don't tell the student's name, sha256, ids and head_size."),
        ("student", SIDE | {"name": ""}, "the student's name is no text of up to 4,096 characters"),
        ("student", SIDE | {"name": 7}, "the student's name is no text"),
        ("student", SIDE | {"name": "\ud800"}, "the student's name is no text"),
        ("teacher", SIDE | {"name": "a" * 4_097}, "the teacher's name is no text"),
        ("teacher", SIDE | {"sha256": "0" * 63}, "the teacher's sha256 is '000"),
        ("teacher", SIDE | {"sha256": "G" * 64}, "not 64 hexadecimal digits"),
        ("teacher", SIDE | {"sha256": None}, "the teacher's sha256 is None, not 64 hexadecimal digits"),
        ("student", SIDE | {"ids": 0}, "the student's ids is 0, not a number from 1 to 4,000,000"),
        ("student", SIDE | {"ids": True}, "the student's ids is True, not a number"),
        ("student", SIDE | {"ids": 4_000_001}, "the student's ids is 4000001, not a number"),
        ("teacher", SIDE | {"head_size": 5}, "the teacher's head_size is 5, not a number from 6 to 4,000,000"),
        ("teacher", SIDE | {"head_size": 2**70}, "the teacher's head_size is 1180591620717411303424, not a number"),
        ("options", {}, "its metadata don't tell how it was built."),
        ("options", "", "its metadata don't tell the options."),
        ("options", {"top_k": 4.0}, "its metadata give top_k as 4.0."),
        ("options", {"long": 4}, "its metadata give long as 4."),
        ("options", {"beta": True}, "its metadata give beta as True."),
        ("options", {"gamma": float("nan")}, "in a way that isn't possible (The γ was given as nan; it must be"),
        ("options", {"top_k": 65}, "in a way that isn't possible (The top-k was given as 65; it must be"),
        ("options", {"top_k": 3}, "its ids have the shape [6, 4]; K must be 3."),
    ],
)
def test_metadata_that_are_wrong_are_told(part: str, value: Any, told: str) -> None:
    if part == "options" and value:
        value = {"top_k": 4, "max_pieces": 4, "beta": 0.9, "gamma": 0.1, "long": "drop"} | value
    assert told in refused(written(metadata(**{part: value})))


def test_metadata_that_are_missing_are_told() -> None:
    for part in ("student", "teacher", "options"):
        rest = {name: value for name, value in metadata().items() if name != part}
        assert f"its metadata don't tell the {part}." in refused(written(rest))


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"pieces": None}, "it has the tensors canonical, ids, rules, trimmed, weights, not ids, weights, pieces"),
        ({"more": np.zeros(1)}, "it has the tensors canonical, ids, more, pieces"),
        ({"ids": W.ids.astype(np.int64)}, "its tensor ids is of type I64, not I32"),
        ({"weights": W.weights.astype(np.float16)}, "its tensor weights is of type F16, not F32"),
        ({"ids": W.ids.ravel()}, "its ids have the shape [24]; K must be 4"),
        ({"ids": np.zeros((6, 65), np.int32)}, "its ids have the shape [6, 65]; K must be 4"),
        ({"weights": W.weights[:, :3].copy()}, "its tensor weights has the shape [6, 3], not [6, 4]"),
        ({"ids": W.ids[:5].copy()}, "its tensor ids has the shape [5, 4], not [6, 4]"),
        ({"rules": W.rules[:5].copy()}, "its tensor rules has the shape [5], not [6]"),
        ({"trimmed": np.zeros((), np.float32)}, "its tensor trimmed has the shape [], not [6]"),
        ({"pieces": np.zeros((1, 1, 6), np.int32)}, "its tensor pieces has 3 axes"),
        (changed("weights", 0, [np.nan, 0, 0, 0]), "its row 0 has a weight that is no number from 0 up"),
        (changed("weights", 1, [np.inf, 0, 0, 0]), "its row 1 has a weight that is no number from 0 up"),
        (changed("weights", 1, [1.5, -0.5, 0, 0]), "its row 1 has a weight that is no number from 0 up"),
        (changed("weights", 2, [0.1, 0.9, 0, 0]), "its row 2 isn't sorted: its weights must fall"),
        (changed("weights", 2, [0.5, 0.4998, 0, 0]), "its row 2 has weights that sum neither to 1 nor to 0"),
        (changed("weights", 0, [1.01, 0, 0, 0]), "its row 0 has weights that sum neither to 1 nor to 0"),
        (changed("ids", 0, [4, 0, 0, 0]), "its row 0 goes to a teacher id outside 0 to 3"),
        (changed("ids", 5, [-1, 0, 0, 0]), "its row 5 goes to a teacher id outside 0 to 3"),
        (changed("ids", 3, [1, 0, 0, 0]), "its row 3 names a teacher id where the weight is 0"),
        (changed("ids", 2, [1, 1, 0, 0]), "its row 2 goes to the same teacher id twice"),
        (changed("rules", 0, 4), "its row 0 was made by a rule that this version doesn't know"),
        (changed("rules", 0, Rule.EMPTY), "its row 0 is empty by its rule and not by its weights"),
        (changed("rules", 3, Rule.MULTI), "its row 3 is empty by its rule and not by its weights"),
        (changed("rules", 2, Rule.EXACT), "its row 2 is exact by its rule, but goes to several teacher ids"),
        (changed("pieces", 2, 1), "its row 2 goes to more teacher ids than it has pieces"),
        (changed("pieces", 3, -1), "its row 3 goes to more teacher ids than it has pieces"),
        (changed("trimmed", 2, 1.5), "its row 2 has a trimmed share that isn't from 0 to 1"),
        (changed("trimmed", 2, np.nan), "its row 2 has a trimmed share that isn't from 0 to 1"),
    ],
)
def test_tensors_that_make_no_w_are_told(arrays: dict[str, Any], told: str) -> None:
    assert told in refused(written(**arrays))


def test_a_sum_may_be_off_by_what_float32_loses() -> None:
    assert projection_file.load(written(**changed("weights", 2, [0.5, 0.49995, 0, 0])), "w")


def test_a_truth_value_that_is_neither_is_told() -> None:
    content = bytearray(projection_file.save(W))
    content[-1] = 2
    assert "its tensor canonical holds other bytes than 0 and 1" in refused(bytes(content))


def test_a_tensor_of_a_hundred_axes_is_told() -> None:
    parts = header(projection_file.save(W))
    parts["trimmed"]["shape"] = [1] * 99 + [6]
    plain = json.dumps(parts).encode()
    content = projection_file.save(W)
    data = content[8 + int.from_bytes(content[:8], "little") :]
    assert "its tensor trimmed has 100 axes" in refused(len(plain).to_bytes(8, "little") + plain + data)


def reshaped(name: str, shape: list[int]) -> bytes:
    """W with one tensor emptied, and said to be of this shape."""
    content = written(**{name: np.zeros(0, getattr(W, name).dtype)})
    length, parts = int.from_bytes(content[:8], "little"), header(content)
    parts[name]["shape"] = shape
    plain = json.dumps(parts).encode()
    return len(plain).to_bytes(8, "little") + plain + content[8 + length :]


SHAPES = [[0, 2**62], [2**62, 0], [0, 2**63]]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ARRAYS)
def test_an_empty_tensor_with_an_axis_that_no_array_has_is_told(name: str, shape: list[int]) -> None:
    assert f"its tensor {name} has 2 axes, or one above 4,000,000." in refused(reshaped(name, shape))


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**40)
    monkeypatch.setattr(projection_file, "MAX_FILE_BYTES", 2**20)
    with pytest.raises(ProjectionError, match="large is larger than 1 MiB, and no larger file of a W is read or saved"):
        projection_file.read(tmp_path / "large")
    monkeypatch.setattr(projection_file, "MAX_FILE_BYTES", 100)
    with pytest.raises(ProjectionError, match=r"This W is larger than 0 MiB.*Choose a W with a smaller top-k"):
        projection_file.save(W)


def test_what_would_not_be_loaded_is_not_saved() -> None:
    with pytest.raises(ProjectionError, match="This W can't be used: its row 1 has weights that sum neither to 1 nor"):
        projection_file.save(replace(W, **changed("weights", 1, [0.5, 0, 0, 0])))


def test_a_w_of_other_tokenizers_is_refused_by_hash() -> None:
    wrong = "0" * 64
    parts = metadata(student={"name": "mine.json", "sha256": wrong, "ids": 6, "head_size": 6})
    loaded = projection_file.load(written(parts), "w")
    with pytest.raises(ProjectionError) as raised:
        check_pair(loaded, STUDENT, TEACHER)
    assert str(raised.value) == (
        f"This W was built for the student mine.json (6 ids, sha256 000000000000), but the student is mine.json "
        f"(6 ids, sha256 {STUDENT.sha256[:12]}). Choose that student, or build W anew."
    )


def test_a_path_that_can_not_be_used_is_told(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ProjectionError, match=rf"can't be read: {why}\. Check the path\."):
            projection_file.read(path)
    for path in (tmp_path / "no-folder" / "w", tmp_path, Path("/dev/null")):
        with pytest.raises(
            ProjectionError, match=r"can't be written: [^.]+\. Check the folder, and who may write there"
        ):
            projection_file.write(W, path)
    assert not Path("/dev/null").is_file()


def test_a_file_is_written_whole_through_a_link_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "w")
    files.write_whole(tmp_path / "w", b"one")
    files.write_whole(tmp_path / "link", b"two")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "w").read_bytes() == b"two"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link", "w"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder, a temporary one; it doesn't exist yet."""
    monkeypatch.setattr(projection_file, "user_cache_path", lambda name: tmp_path / "cache" / name)
    return projection_file.cache_folder()


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """The options of every W that was built since."""
    calls: list[Options] = []

    def counting(student: Tokenizer, teacher: Tokenizer, *, options: Options) -> Projection:
        calls.append(options)
        return build(student, teacher, options=options)

    monkeypatch.setattr(projection_file, "build", counting)
    return calls


def kept(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_a_w_is_built_once_and_kept(folder: Path, built: list[Options]) -> None:
    first, second = (projection_file.cached(STUDENT, TEACHER, Options()) for _ in range(2))
    assert same(first, W)
    assert same(second, W)
    assert len(built) == len(kept(folder)) == 1


@pytest.mark.parametrize("option", ["top_k", "max_pieces", "beta", "gamma", "long"])
def test_every_option_has_a_w_of_its_own(option: str, folder: Path) -> None:
    other = replace(
        Options(), **{option: {"top_k": 2, "max_pieces": 2, "beta": 0.5, "gamma": 0.5, "long": "truncate"}[option]}
    )
    assert projection_file.cached(STUDENT, TEACHER, Options()).options == Options()
    assert projection_file.cached(STUDENT, TEACHER, other).options == other
    assert len(kept(folder)) == 2


def with_config(folder: Path, config: dict[str, Any]) -> Tokenizer:
    folder.mkdir()
    spec = byte_level("a", "<x>", "<y>", added_tokens=[added(1, "<x>"), added(2, "<y>")])
    (folder / "tokenizer.json").write_bytes(as_bytes(spec))
    (folder / "tokenizer_config.json").write_bytes(as_bytes(config))
    return catalog.load(str(folder))


def test_the_same_file_beside_another_config_has_a_w_of_its_own(tmp_path: Path, folder: Path) -> None:
    one = with_config(tmp_path / "one", {"bos_token": "<x>"})
    other = with_config(tmp_path / "other", {"bos_token": "<y>"})
    assert one.sha256 == other.sha256
    assert projection_file.cached(one, TEACHER, Options()).row(1).rule is Rule.SPECIAL
    assert projection_file.cached(other, TEACHER, Options()).row(1).rule is Rule.EMPTY
    assert projection_file.cached(TEACHER, one, Options()).row(3).entries[0].id == 1
    assert projection_file.cached(TEACHER, other, Options()).row(3).entries[0].id == 2
    assert len(kept(folder)) == 4


def test_a_kept_w_has_todays_names(folder: Path, built: list[Options]) -> None:
    projection_file.cached(STUDENT, TEACHER, Options())
    renamed = replace(STUDENT, name="another name")
    assert projection_file.cached(renamed, TEACHER, Options()).student.name == "another name"
    assert len(built) == len(kept(folder)) == 1


OF_THE_SAME_PAIR = build(STUDENT, TEACHER, options=Options(top_k=2))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        projection_file.save(W)[:-1],
        projection_file.save(OF_THE_SAME_PAIR),
        projection_file.save(build(TEACHER, STUDENT)),
        projection_file.save(build(STUDENT, STUDENT)),
        *(reshaped("weights", shape) for shape in SHAPES),
    ],
)
def test_a_kept_file_that_is_broken_or_of_another_w_is_built_anew(
    content: bytes, folder: Path, built: list[Options]
) -> None:
    projection_file.cached(STUDENT, TEACHER, Options())
    [file] = kept(folder)
    file.write_bytes(content)
    assert same(projection_file.cached(STUDENT, TEACHER, Options()), W)
    assert len(built) == 2
    assert file.read_bytes() == projection_file.save(W)


def test_another_builder_makes_another_w(folder: Path, built: list[Options], monkeypatch: pytest.MonkeyPatch) -> None:
    projection_file.cached(STUDENT, TEACHER, Options())
    monkeypatch.setattr(projection_file, "BUILDER", projection_file.BUILDER + 1)
    projection_file.cached(STUDENT, TEACHER, Options())
    assert len(built) == len(kept(folder)) == 2


PINNED = 2, "66b6f9977b8eecce815df47c05d4f25fc9f46c42b3652b08bcbb2e0a75107437"


def test_the_w_that_is_built_is_that_of_the_builders_number() -> None:
    # every rule; a piece that comes again; more pieces than K and than are allowed, dropped and truncated
    forms = [*"abcz", "ab", "aab", "abab", "abcab", "bcbcabca", "acbacbac"]
    student = read(byte_level(*forms, "<s>", added_tokens=[added(10, "<s>")]))
    teacher = read(byte_level(*"cba", "bc", "<s>", added_tokens=[added(4, "<s>")]))
    digest = sha256()
    for options in (Options(), Options(top_k=2, max_pieces=5, gamma=0.5, long="truncate")):
        w = build(student, teacher, options=options)
        assert all(w.counts().values())
        for name in ARRAYS:
            digest.update(getattr(w, name).tobytes())
    assert (projection_file.BUILDER, digest.hexdigest()) == PINNED, (
        "projection.build makes another W than before. Where that's on purpose, raise projection_file.BUILDER, so that "
        "what users keep in their cache folders counts no more, and pin the new number with the new hash here."
    )


def test_a_folder_that_can_not_be_written_costs_time_only(folder: Path, built: list[Options]) -> None:
    folder.parent.parent.mkdir()
    folder.parent.write_text("a file where the folder should be")
    assert same(projection_file.cached(STUDENT, TEACHER, Options()), W)
    assert same(projection_file.cached(STUDENT, TEACHER, Options()), W)
    assert len(built) == 2


def test_what_can_not_be_saved_is_built_each_time(folder: Path, built: list[Options]) -> None:
    unsayable = replace(STUDENT, name="\ud800")
    for _ in range(2):
        assert projection_file.cached(unsayable, TEACHER, Options()).student.name == "\ud800"
    assert len(built) == 2
    assert not folder.exists()


def test_only_so_many_are_kept_and_the_oldest_go(folder: Path) -> None:
    folder.mkdir(parents=True)
    most = projection_file.MAX_KEPT
    for k in range(most + 6):
        (folder / f"{k}.safetensors").write_bytes(b"")
        os.utime(folder / f"{k}.safetensors", (k, k))
    (folder / "a note").write_text("not ours")
    projection_file.cached(STUDENT, TEACHER, Options())
    names = {file.stem for file in folder.glob("*.safetensors")}
    assert len(names) == most
    assert names > {str(k) for k in range(7, most + 6)}
    assert (folder / "a note").exists()


def test_a_folder_among_the_kept_files_stays_and_stops_no_clean_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection_file, "MAX_KEPT", 3)
    (folder / "x.safetensors").mkdir(parents=True)
    os.utime(folder / "x.safetensors", (0, 0))  # the oldest of all
    for k in range(1, 6):
        (folder / f"{k}.safetensors").write_bytes(b"")
        os.utime(folder / f"{k}.safetensors", (k, k))
    projection_file.cached(STUDENT, TEACHER, Options())
    assert (folder / "x.safetensors").is_dir()
    files = {file.stem for file in kept(folder) if file.is_file()}
    assert len(files) == 3
    assert files > {"4", "5"}


@pytest.mark.parametrize("content", [b"precious", projection_file.save(W), None])
def test_a_link_at_the_place_of_a_kept_file_is_replaced_and_what_it_leads_to_untouched(
    content: bytes | None, folder: Path, built: list[Options], tmp_path: Path
) -> None:
    projection_file.cached(STUDENT, TEACHER, Options())
    [file] = kept(folder)
    file.unlink()
    target = tmp_path / "elsewhere"
    if content is not None:
        target.write_bytes(content)
    file.symlink_to(target)
    assert same(projection_file.cached(STUDENT, TEACHER, Options()), W)
    assert len(built) == 2  # what another folder holds isn't read
    assert not file.is_symlink()
    assert file.read_bytes() == projection_file.save(W)
    assert (target.read_bytes() if target.exists() else None) == content


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs here")
def test_a_fifo_at_the_place_of_a_kept_file_is_not_waited_for(folder: Path, built: list[Options]) -> None:
    projection_file.cached(STUDENT, TEACHER, Options())
    [file] = kept(folder)
    file.unlink()
    os.mkfifo(file)
    found: list[Projection] = []
    reading = Thread(target=lambda: found.append(projection_file.cached(STUDENT, TEACHER, Options())), daemon=True)
    reading.start()
    reading.join(timeout=20)
    assert found, "it waits for someone to write into the FIFO"
    assert same(found[0], W)
    assert len(built) == 2
    assert file.is_fifo()


# made elsewhere

IDS = [[-1, 1, -1, -1], [0, 1, -1, -1], [1, 0, 1, 2], [-1, -1, -1, -1], [2, -1, -1, -1], [3, -1, -1, -1]]
WEIGHTS = [[0, 0.5, 0, 0], [0.25, 0.75, 0, 0], [0.25, 0.375, 0.5, 0], [0, 0, 0, 0], [1, 0.5, 0, 0], [1, 0, 0, 0]]


def made(ids: Any = IDS, weights: Any = WEIGHTS, *, ids_type: Any = np.int64, type: Any = np.float32) -> Projection:
    return imported.from_arrays(STUDENT, TEACHER, np.array(ids, ids_type), np.array(weights, type))


def test_a_matrix_made_elsewhere_is_sorted_merged_and_keeps_its_sums() -> None:
    w = made()
    entries = [[(entry.id, entry.weight) for entry in w.row(token).entries] for token in range(len(w))]
    assert entries == [[(1, 0.5)], [(1, 0.75), (0, 0.25)], [(1, 0.75), (0, 0.375)], [], [(2, 1.0)], [(3, 1.0)]]
    assert w.ids[w.weights == 0].tolist() == [0] * 17
    assert (w.ids.dtype, w.weights.dtype, w.rules.dtype) == (np.int32, np.float32, np.uint8)


def test_its_rules_are_told_from_its_content() -> None:
    w = made()
    assert [Rule(rule).label for rule in w.rules] == ["exact", "multi", "multi", "empty", "multi", "special"]
    assert w.pieces.tolist() == [1, 2, 2, 0, 1, 1]
    assert w.options is None
    assert not w.trimmed.any()
    assert w.canonical.all()


def test_of_ids_for_the_same_bytes_the_one_that_is_emitted_is_canonical() -> None:
    twice = read(byte_level("Ġ", "b", added_tokens=[added(2, " ", special=False)]))
    w = imported.from_arrays(twice, TEACHER, np.full((3, 1), -1), np.zeros((3, 1)))
    assert w.canonical.tolist() == build(twice, TEACHER).canonical.tolist() == [False, True, True]


def test_a_w_of_ours_comes_back_as_it_was() -> None:
    again = imported.from_arrays(STUDENT, TEACHER, np.where(W.weights > 0, W.ids, -1), W.weights)
    assert same(again, replace(W, options=None, pieces=again.pieces))
    assert projection_file.load(projection_file.save(again), "w").options is None


def test_rows_of_the_padded_head_are_cut_away() -> None:
    w = imported.from_arrays(
        replace(STUDENT, vocabulary=replace(STUDENT.vocabulary, head_size=8)),
        TEACHER,
        np.array([*IDS, [1, 2, 3, 0], [-1] * 4]),
        np.array([*WEIGHTS, [1, 1, 1, 1], [0] * 4], float),
    )
    assert len(w) == 6
    assert np.array_equal(w.ids, made().ids)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda: made(IDS[:5], WEIGHTS[:5]), "has 5 rows, but the student mine.json has 6 ids; a row for each"),
        (lambda: made([*IDS, IDS[0]], [*WEIGHTS, WEIGHTS[0]]), "has 7 rows, but the student mine.json has 6 ids"),
        (
            lambda: made(IDS[0], WEIGHTS[0]),
            r"The ids have the shape \[4\] and the weights \[4\]; both must be \[rows, K\]",
        ),
        (lambda: made(np.zeros((6, 0)), np.zeros((6, 0))), r"the weights \[6, 0\]; both must be"),
        (lambda: made(np.zeros((6, 65)), np.zeros((6, 65))), "with K from 1 to 64. Save the matrix anew"),
        (lambda: made(IDS, np.zeros((6, 3))), r"The ids have the shape \[6, 4\] and the weights \[6, 3\]"),
        (lambda: made(ids_type=float), "The ids are of type float64 and the weights of type float32; they must be"),
        (lambda: made(type=np.int64), "the weights of type int64; they must be whole numbers and floating-point"),
        (
            lambda: made([*IDS[:5], [4, -1, -1, -1]]),
            "Row 5 of the matrix goes to the id 4, but the teacher mine.json has",
        ),
        (lambda: made([*IDS[:5], [-2, -1, -1, -1]]), "goes to the id -2, .* the ids 0 to 3; -1 marks a place"),
        (lambda: made([*IDS[:5], [2**33, 0, 0, 0]]), "goes to the id 8589934592"),
        (lambda: made(weights=[*WEIGHTS[:5], [-1, 0, 0, 0]]), "Row 5 of the matrix has a weight that is no finite"),
        (lambda: made(weights=[[np.nan, 0, 0, 0], *WEIGHTS[1:]]), "Row 0 .* logits need a softmax first"),
        (lambda: made(weights=[[1e300, 0, 0, 0], *WEIGHTS[1:]], type=float), "Row 0 of the matrix has a weight that"),
        (lambda: made(weights=[*WEIGHTS[:2], [3e38, 0, 3e38, 0], *WEIGHTS[3:]]), "Row 2 of the matrix has a weight"),
    ],
)
def test_a_matrix_that_is_none_of_the_pair_is_told(change: Callable[[], Projection], told: str) -> None:
    with pytest.raises(ProjectionError, match=told):
        change()


# measuring


def test_memory_is_measured_though_nothing_is_left_of_it() -> None:
    # in a process of its own: this one may have as much that it freed and didn't give back
    program = (
        "import numpy as np; from xtoken_core.measure import measured;"
        "found = measured(lambda: int(np.ones(50_000_000, np.uint8)[-1])); print(found.result, found.peak_mb)"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    result, peak_mb = ran.stdout.split()
    assert result == "1"
    assert 45 < float(peak_mb) < 80


def test_an_earlier_peak_is_not_this_calls() -> None:
    np.ones(60_000_000, np.uint8)
    assert measure.measured(lambda: None).peak_mb < 20


def test_time_is_wall_time() -> None:
    assert 0.05 <= measure.measured(lambda: time.sleep(0.05)).seconds < 5


@pytest.mark.parametrize("missing", ["_CLEAR", "_STATUS"])
def test_where_the_mark_can_not_be_set_back_the_peak_since_the_start_counts(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, missing, tmp_path / "no" / "such" / "file")
    highest = iter((1_000_000, 43_500_000))
    monkeypatch.setattr(measure, "_highest_ever", lambda: next(highest))
    assert measure.measured(lambda: 7) == measure.Measured(7, pytest.approx(0, abs=5), 42.5)
