"""
Llama-3.2's tokenizer.json, rebuilt from the ranks in Meta's own package and checked against the official hash.

The licence of Llama asks for its agreement to go along, so this project carries no copy. Meta's package
`llama-models` on PyPI carries the ranks: `base64(token) rank`, a line each. BPE merges follow from ranks:

    every split of a token into two tokens is a merge, a token's splits in order of their parts' ranks
"""

import base64
import importlib.util
import json
import lzma
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from xtoken_core.errors import TokenizerError
from xtoken_core.files import keep
from xtoken_core.vocab import ALPHABET

NAME = "llama-3.2"
SHA256 = "6b9e4e7fb171f92fd137b777cc2714bf87d11576700a1dcd7a399e7bbe39537b"
SOURCE = "rebuilt: meta-llama/Llama-3.2, from PyPI llama-models 0.3.0"
LICENCE = "Llama 3.2 Community License"
NOTICE = (
    "Built with Llama. Llama 3.2 is licensed under the Llama 3.2 Community License, "
    "Copyright © Meta Platforms, Inc. All Rights Reserved."
)

_SKELETON = Path(__file__).parent / "data" / "tokenizers" / "llama-3.2.skeleton.json.xz"


def tokenizer_json() -> bytes:
    """The official file's bytes, from the user's cache folder or built anew. Raises TokenizerError where neither is."""
    cached = cache_file()
    try:
        content = cached.read_bytes()
    except OSError:
        content = b""
    if _is_official(content):
        return content
    ranks_file = _ranks_file().read_bytes()
    try:
        content = build(ranks_file)
    except ValueError:  # other lines than those of a token and its rank
        content = b""
    if not _is_official(content):
        raise TokenizerError(
            f"{NAME} was rebuilt, but its hash is {sha256(content).hexdigest()[:12]}… and the official one is "
            f"{SHA256[:12]}…. Install the version of Meta's package that was checked: pip install llama-models==0.3.0."
        )
    keep(cached, content)
    return content


def cache_file() -> Path:
    """Where the built file is kept: the user's cache folder, by hash."""
    return user_cache_path("xtoken-explorer") / "tokenizers" / f"{NAME}-{SHA256[:12]}.json"


def build(ranks_file: bytes) -> bytes:
    """The tokenizer.json from the lines of Meta's `tokenizer.model`."""
    ranks = dict(_parse(ranks_file))
    letters = {byte: chr(code) for code, byte in ALPHABET.items()}
    spelled = {token: "".join(map(letters.__getitem__, token)) for token in ranks}
    skeleton: dict[str, Any] = json.loads(lzma.decompress(_SKELETON.read_bytes()))
    skeleton["model"]["vocab"] = {spelled[token]: rank for token, rank in ranks.items()}
    skeleton["model"]["merges"] = [[spelled[left], spelled[right]] for left, right in _merges(ranks)]
    return json.dumps(skeleton, ensure_ascii=False, indent=2).encode()


def _parse(ranks_file: bytes) -> Iterator[tuple[bytes, int]]:
    for line in ranks_file.splitlines():
        token, rank = line.split()
        yield base64.b64decode(token), int(rank)


def _merges(ranks: dict[bytes, int]) -> Iterator[tuple[bytes, bytes]]:
    for token in ranks:
        splits = ((token[:cut], token[cut:]) for cut in range(1, len(token)))
        known = [(ranks[left], ranks[right], left, right) for left, right in splits if left in ranks and right in ranks]
        yield from ((left, right) for _, _, left, right in sorted(known))


def _is_official(content: bytes) -> bool:
    return sha256(content).hexdigest() == SHA256


def _ranks_file() -> Path:
    """Meta's file by its path; the package itself is never imported."""
    package = importlib.util.find_spec("llama_models")
    folders = list(package.submodule_search_locations or ()) if package else []
    files = [file for folder in folders if (file := Path(folder) / "llama3" / "tokenizer.model").is_file()]
    if not files:
        raise TokenizerError(
            f"{NAME} is rebuilt from Meta's package, which isn't installed. Run: pip install llama-models==0.3.0"
        )
    return files[0]
