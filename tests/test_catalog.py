"""Names that a user can type: the bundled ones, paths, uploads, and Llama rebuilt from Meta's package."""

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests.handmade import added, as_bytes, byte_level
from tests.real import load, published
from xtoken_core import catalog, llama
from xtoken_core.errors import TokenizerError
from xtoken_core.tokenizer import Tokenizer

NO_SUCH_NAME = (
    r"No tokenizer is called .*\. Type one of llama-3\.2, qwen3, phi-4-mini, gpt-oss, mistral-v0\.3, smollm2, gpt2, "
    r"the path of a tokenizer\.json or of its folder, or a hub id such as Qwen/Qwen3-8B\."
)


def test_an_entry_says_what_its_file_is(tokenizer: Tokenizer) -> None:
    entry = catalog.ENTRIES[tokenizer.name]
    assert len(tokenizer.vocabulary) == entry.ids
    assert tokenizer.vocabulary.head_size == entry.head_size >= entry.ids
    assert tokenizer.provenance.sha256 == entry.sha256 == tokenizer.sha256
    assert (tokenizer.provenance.source, tokenizer.provenance.licence) == (entry.source, entry.licence)


@pytest.mark.parametrize("name", catalog.ENTRIES)
def test_an_entrys_hash_is_that_of_the_official_file(name: str) -> None:
    assert sha256(published(name)).hexdigest() == catalog.ENTRIES[name].sha256


def test_spaces_around_a_name_do_not_matter() -> None:
    assert catalog.load(" gpt2\n").sha256 == catalog.ENTRIES["gpt2"].sha256


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with a tokenizer.json of three forms and one special token."""
    model = tmp_path / "my model"
    model.mkdir()
    (model / "tokenizer.json").write_bytes(as_bytes(byte_level("a", "b", "ab", added_tokens=[added(3, "<|stop|>")])))
    return model


def test_a_folder_and_its_tokenizer_json_are_the_same_tokenizer(folder: Path) -> None:
    by_folder, by_file = catalog.load(str(folder)), catalog.load(str(folder / "tokenizer.json"))
    assert by_folder.encode("ab").ids.tolist() == by_file.encode("ab").ids.tolist() == [2]
    assert by_folder.sha256 == by_file.sha256 == sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    assert by_folder.provenance.source == f"local file: {folder}"
    assert by_folder.vocabulary.head_size == 4


def test_a_file_may_have_any_name(folder: Path) -> None:
    other = (folder / "tokenizer.json").rename(folder / "mine.json")
    assert len(catalog.load(str(other)).vocabulary) == 4


def test_a_path_may_start_at_home_or_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert len(catalog.load("~/my model").vocabulary) == 4
    monkeypatch.chdir(folder)
    assert len(catalog.load(".").vocabulary) == 4
    assert len(catalog.load("./tokenizer.json").vocabulary) == 4


def test_the_files_beside_it_declare_roles_and_the_size_of_the_head(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text('{"eos_token": {"content": "<|stop|>"}, "pad_token": "<|stop|>"}')
    (folder / "config.json").write_text('{"vocab_size": 64}')
    vocabulary = catalog.load(str(folder)).vocabulary
    assert vocabulary.roles == {3: "eos"}
    assert vocabulary.head_size == 64


def test_the_older_file_of_special_tokens_declares_roles_too(folder: Path) -> None:
    (folder / "special_tokens_map.json").write_text('{"bos_token": "<|stop|>"}')
    assert catalog.load(str(folder)).vocabulary.roles == {3: "bos"}


@pytest.mark.parametrize("size", ['"64"', "null", "2", "-1", "[64]"])
def test_a_head_smaller_than_the_vocabulary_or_no_number_is_as_wide_as_the_vocabulary(folder: Path, size: str) -> None:
    (folder / "config.json").write_text(f'{{"vocab_size": {size}}}')
    assert catalog.load(str(folder)).vocabulary.head_size == 4


def test_a_broken_file_beside_it_is_named(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    with pytest.raises(TokenizerError, match=r"my model, config\.json, is not JSON"):
        catalog.load(str(folder))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "  ",
        "gpt-5",
        "a/b/c",
        "no/such/folder/tokenizer.json",
        "nul\0byte",
        "/nul\0byte",
        "~nobody-of-this-name/model",
        "../nowhere",
        "./a/b",
        "../../b",
        "-",
        "a/",
        "/",
        "org/model@",
        "org/model with spaces",
        "\u202eorg/\u200bmodel",
        "line\nbreak",
        "http://127.0.0.1/model",
        "🤖",
    ],
)
def test_a_name_that_nothing_has_is_told_with_the_names_that_there_are(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    expected = NO_SUCH_NAME
    if name.startswith(("/", "./", "../", "~")) or name.endswith(".json"):
        expected = "There is no file or folder"
    if name == "/":
        expected = "neither a tokenizer.json nor a folder with one"
    with pytest.raises(TokenizerError, match=expected):
        catalog.load(name)


@pytest.mark.parametrize("name", ["x" * 10_000, "org/" + "x" * 10_000, "x" * 300 + "/" + "y" * 300, "/" + "x" * 10_000])
def test_a_very_long_name_is_told_in_short(name: str) -> None:
    expected = "There is no file or folder" if name.startswith("/") else NO_SUCH_NAME
    with pytest.raises(TokenizerError, match=expected) as raised:
        catalog.load(name)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("name", [".", ".."])
def test_a_folder_without_a_tokenizer_json_is_told(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    with pytest.raises(TokenizerError, match=r"neither a tokenizer\.json nor a folder with one\. Choose the folder of"):
        catalog.load(name)


def test_a_folder_of_that_name_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").mkdir()
    with pytest.raises(TokenizerError, match=r"neither a tokenizer\.json nor a folder with one"):
        catalog.load(str(tmp_path))


def test_a_device_is_no_file() -> None:
    with pytest.raises(TokenizerError, match=r"/dev/zero is neither a tokenizer\.json nor a folder with one"):
        catalog.load("/dev/zero")


def test_a_file_that_may_not_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Path, __: int) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(catalog, "read_up_to", refused)
    with pytest.raises(TokenizerError, match=r"my model can't be read: Permission denied\. Check the path and who may"):
        catalog.load(str(folder))


def test_weights_in_the_place_of_a_tokenizer_json_are_refused_unread(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "MAX_TOKENIZER_BYTES", 2**20)
    with (folder / "tokenizer.json").open("wb") as file:
        file.truncate(2**33)
    with pytest.raises(TokenizerError, match=r"my model is too large: .* Choose the tokenizer\.json itself, not the"):
        catalog.load(str(folder))


def test_an_uploaded_file_is_a_tokenizer() -> None:
    content = as_bytes(byte_level("a", "b", "ab"))
    uploaded = catalog.from_upload("mine.json", content)
    assert uploaded.encode("abba").ids.tolist() == [2, 1, 0]
    assert (uploaded.name, uploaded.provenance.source) == ("mine.json", "uploaded file")
    assert uploaded.sha256 == sha256(content).hexdigest()


def test_an_uploaded_official_file_is_the_bundled_tokenizer() -> None:
    uploaded = catalog.from_upload("tokenizer.json", published("smollm2"))
    assert uploaded.sha256 == load("smollm2").sha256
    assert uploaded.vocabulary.roles == load("smollm2").vocabulary.roles


# ── Llama, rebuilt ──


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the built file in an empty cache folder."""
    file = tmp_path / "cache" / "tokenizers" / "llama.json"
    monkeypatch.setattr(llama, "cache_file", lambda: file)
    return file


@pytest.fixture(scope="session")
def official() -> bytes:
    """The file as it's built, or from the cache of whoever runs the tests."""
    return published("llama-3.2")


@pytest.fixture
def builds(official: bytes, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What `build` was given, call by call; it answers with the official file at once."""
    calls: list[bytes] = []

    def build(ranks_file: bytes) -> bytes:
        calls.append(ranks_file)
        return official

    monkeypatch.setattr(llama, "build", build)
    return calls


def test_the_cache_is_in_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert llama.cache_file().is_relative_to(tmp_path)
    assert llama.SHA256[:12] in llama.cache_file().name


def test_llama_is_built_once_and_then_read_from_the_cache(builds: list[bytes], cached: Path) -> None:
    first, second = llama.tokenizer_json(), llama.tokenizer_json()
    assert sha256(first).hexdigest() == llama.SHA256
    assert first == second == cached.read_bytes()
    assert len(builds) == 1
    assert list(cached.parent.iterdir()) == [cached]


@pytest.mark.parametrize("content", [b"", b"{}", b"half"])
def test_a_corrupt_cache_file_is_built_anew(content: bytes, builds: list[bytes], cached: Path) -> None:
    cached.parent.mkdir(parents=True)
    cached.write_bytes(content)
    assert sha256(llama.tokenizer_json()).hexdigest() == llama.SHA256
    assert sha256(cached.read_bytes()).hexdigest() == llama.SHA256
    assert len(builds) == 1


def test_a_cache_folder_that_can_not_be_written_costs_a_build_no_more(
    builds: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(llama, "cache_file", lambda: tmp_path / "file" / "tokenizers" / "llama.json")
    for _ in range(2):
        assert sha256(llama.tokenizer_json()).hexdigest() == llama.SHA256
    assert len(builds) == 2


def test_a_full_disk_leaves_no_half_file_behind(
    builds: list[bytes], cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        write(path, content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert sha256(llama.tokenizer_json()).hexdigest() == llama.SHA256
    assert list(cached.parent.iterdir()) == []
    assert len(builds) == 1


def test_without_metas_package_the_user_is_told_how_to_install_it(
    cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not cached.exists()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(TokenizerError, match=r"llama-3\.2 is rebuilt from .* Run: pip install llama-models==0\.3\.0$"):
        catalog.load("llama-3.2")


def test_a_cached_file_needs_no_package(cached: Path, builds: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    llama.tokenizer_json()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert llama.tokenizer_json() == cached.read_bytes()
    assert len(builds) == 1


@pytest.mark.parametrize("ranks", [b"", b"IQ== 0\nIg== 1\n", b"\x08\x01 a protocol buffer", b"IQ==\n", b"*** 0 1\n"])
def test_other_ranks_than_the_official_ones_are_refused(
    ranks: bytes, cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tokenizer.model"
    file.write_bytes(ranks)
    monkeypatch.setattr(llama, "_ranks_file", lambda: file)
    sentence = (
        r"llama-3\.2 was rebuilt, but its hash is \w{12}… and the official one is 6b9e4e7fb171….*pip install llama-m"
    )
    with pytest.raises(TokenizerError, match=sentence):
        llama.tokenizer_json()
    assert not cached.exists()


def test_llama_is_built_without_importing_metas_package(tmp_path: Path) -> None:
    program = (
        "import json, sys; from xtoken_core import catalog, llama; tokenizer = catalog.load('llama-3.2');"
        "print(json.dumps([tokenizer.sha256, 'llama_models' in sys.modules, llama.cache_file().is_file()]))"
    )
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [llama.SHA256, False, True]


def test_a_name_is_found_in_any_case_and_by_its_title() -> None:
    assert catalog.load("GPT2").name == catalog.load("GPT-2").name == "gpt2"
