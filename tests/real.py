"""Real tokenizers, read once. Not in conftest.py: pytest reads that file under a name of its own, so twice."""

import lzma
from functools import cache

from xtoken_core import catalog, llama
from xtoken_core.tokenizer import Tokenizer

_read = catalog.load  # a test may put something else in its place


@cache
def load(name: str) -> Tokenizer:
    return _read(name)


def published(name: str) -> bytes:
    """The tokenizer.json behind a name, as its authors published it."""
    if name == llama.NAME:
        return llama.tokenizer_json()
    return lzma.decompress((catalog.DATA / f"{name}.tokenizer.json.xz").read_bytes())
