"""
How a tokenizer spells given bytes as they stand inside a text, also bytes that are no whole characters.

    Qwen3     "201"    ->  2 0 1
    Mistral   "201"    ->  2 0 1      without the space that its `encode` puts in front of a text
    any       E2 80    ->  the pieces that its merges, or its byte tokens, make of these two bytes

Only what cuts is used: pre-tokenizer and model. A normaliser would change the bytes, and tokens that are searched in a
text before anything else would swallow them.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from time import monotonic
from typing import Any

import tokenizers

from xtoken_core.errors import TokenizerError
from xtoken_core.tokenizer import Tokenizer, raise_unless_library
from xtoken_core.vocab import ALPHABET, META_SPACE

MAX_SECONDS = 20  # for all tokens of a vocabulary; the slowest bundled pair takes one
_FIRST_TEXTS = 256

_LETTERS = {byte: chr(letter) for letter, byte in ALPHABET.items()}


def spell(tokenizer: Tokenizer, tokens: Sequence[bytes]) -> list[list[int]]:
    """For each of the bytes the ids that spell them, end to end; no ids where the tokenizer can't.

    Raises TokenizerError where the tokenizer's own steps refuse.
    """
    try:
        spelled = _spelled(tokenizer, tokens)
    except BaseException as error:
        raise_unless_library(error)
        raise TokenizerError(
            f"{tokenizer.name} can't cut the other side's tokens: {error}. Check its pre_tokenizer and its model."
        ) from error
    bytes_of = tokenizer.vocabulary.tokens()
    return [
        ids if b"".join([bytes_of[token] for token in ids]) == data else []
        for data, ids in zip(tokens, spelled, strict=True)
    ]


def _spelled(tokenizer: Tokenizer, tokens: Sequence[bytes]) -> list[list[int]]:
    """Whole characters all at once, the rest one by one."""
    byte_level = tokenizer.vocabulary.byte_level
    cutting = _cutting_only(tokenizer.backend)
    texts = [_text(data) for data in tokens]
    whole = [text if byte_level else text.replace(" ", META_SPACE) for text in texts if text is not None]
    encoded = _encoded(cutting, whole)
    broken = _merged if byte_level else _byte_tokens
    return [
        broken(cutting, data) if text is None else next(encoded).ids for data, text in zip(tokens, texts, strict=True)
    ]


def _encoded(cutting: tokenizers.Tokenizer, texts: Sequence[str]) -> Iterator[tokenizers.Encoding]:
    """Some at a time, against a clock: a pattern of a stranger's pre-tokenizer may take for ever."""
    began, start, count = monotonic(), 0, _FIRST_TEXTS
    while start < len(texts):
        yield from cutting.encode_batch_fast(texts[start : start + count], add_special_tokens=False)
        start, count = start + count, count * 2
        if monotonic() - began > MAX_SECONDS and start < len(texts):
            raise TokenizerError(f"its steps took longer than {MAX_SECONDS} s for {start:,} of {len(texts):,} tokens")


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _merged(cutting: tokenizers.Tokenizer, data: bytes) -> list[int]:
    """Byte-level: the merges work on letters that stand for bytes, so half a character is a word like any other."""
    return [token.id for token in cutting.model.tokenize("".join(map(_LETTERS.__getitem__, data)))]


def _byte_tokens(cutting: tokenizers.Tokenizer, data: bytes) -> list[int]:
    """SentencePiece: text is cut as text; a byte that is in no whole character has a token such as <0xE2>."""
    ids: list[int | None] = []
    for broken, run in groupby(data.decode(errors="surrogateescape"), _stands_for_a_byte):
        text = "".join(run)
        if broken:
            ids += [cutting.token_to_id(f"<0x{ord(character) - 0xDC00:02X}>") for character in text]
        else:
            ids += cutting.encode(text.replace(" ", META_SPACE), add_special_tokens=False).ids
    return [token for token in ids if token is not None]


def _stands_for_a_byte(character: str) -> bool:
    return "\udc80" <= character <= "\udcff"


def _cutting_only(backend: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """The same model and pre-tokenizer, with no space put in front. The model is shared, not copied."""
    cutting = tokenizers.Tokenizer(backend.model)
    if backend.pre_tokenizer:
        steps = _without_prefix(json.loads(backend.pre_tokenizer.__getstate__()))
        bare = {"version": "1.0", "model": {"type": "BPE", "vocab": {}, "merges": []}, "pre_tokenizer": steps}
        cutting.pre_tokenizer = tokenizers.Tokenizer.from_str(json.dumps(bare)).pre_tokenizer
    return cutting


def _without_prefix(step: Any) -> Any:
    """A pre-tokenizer's description, nested or not, that puts no space in front.

    >>> _without_prefix({"type": "Metaspace", "prepend_scheme": "first"})
    {'type': 'Metaspace', 'prepend_scheme': 'never'}
    """
    if isinstance(step, list):
        return [_without_prefix(part) for part in step]
    if not isinstance(step, dict):
        return step
    never = {"add_prefix_space": False, "prepend_scheme": "never"}
    return {name: never.get(name, _without_prefix(value)) for name, value in step.items()}
