"""
A tokenizer as this tool uses it: text in, a `TokenSequence` out, with its identity beside it.

The ids come from the `tokenizers` library; the bytes come from the vocabulary. What the library adds in front
of a text (a dummy space) is taken off again, so that the bytes are the text's own:

    Mistral:  "Hi"  ->  <s> ▁Hi  ->  bytes "" "Hi"
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Any

import tokenizers

from xtoken_core.errors import TextError, TokenizerError
from xtoken_core.sequence import TokenSequence
from xtoken_core.vocab import Vocabulary, steps, vocabulary_from_json


class DummySpace(Enum):
    """When the tokenizer puts a space that isn't in the text in front of a section of it."""

    NEVER = "never"
    ALWAYS = "always"  # also where the section starts with a space
    UNLESS_SPACE = "unless_space"  # at each section that doesn't start with one
    FIRST_UNLESS_SPACE = "first_unless_space"  # at the text's first section only


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a tokenizer.json came from. sha256 is the hash of its bytes."""

    sha256: str
    source: str
    licence: str


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """A named tokenizer: `encode` cuts a text, `vocabulary` knows the bytes."""

    name: str
    vocabulary: Vocabulary
    provenance: Provenance
    backend: tokenizers.Tokenizer
    dummy_space: DummySpace
    added_ids: frozenset[int]

    @property
    def sha256(self) -> str:
        return self.provenance.sha256

    def encode(self, text: str, *, special: bool = True) -> TokenSequence:
        """The text's tokens. special: with the tokens that the tokenizer adds by itself (BOS, EOS).

        A special token spelled out in the text is read as the tokenizer reads it, with either setting.
        Raises TextError for lone surrogates, TokenizerError where the tokenizer itself refuses the text.
        """
        check_encodable(text)
        try:
            encoding = self.backend.encode(text, add_special_tokens=special)
        except Exception as error:  # the library raises plain Exception
            raise TokenizerError(
                f"{self.name} can't encode this text: {error}. Try another text, or check the tokenizer.json."
            ) from error
        return self.vocabulary.sequence(encoding.ids, dummy=self._dummy_positions(text, encoding))

    def _dummy_positions(self, text: str, encoding: tokenizers.Encoding) -> list[int]:
        """The tokens whose first byte is a space that the tokenizer put there."""
        if self.dummy_space is DummySpace.NEVER:
            return []
        ids, offsets = encoding.ids, encoding.offsets
        starts = [k for k, token in enumerate(ids) if token not in self.added_ids and self._starts_section(ids, k)]
        if self.dummy_space is DummySpace.FIRST_UNLESS_SPACE:
            starts = [k for k in starts if offsets[k][0] == 0]
        if self.dummy_space is not DummySpace.ALWAYS:
            starts = [k for k in starts if text[offsets[k][0] : offsets[k][0] + 1] not in (" ", "\u2581")]
        return [k for k in starts if self.vocabulary.token_bytes(ids[k])[:1] == b" "]

    def _starts_section(self, ids: list[int], k: int) -> bool:
        # the library cuts the text at its added tokens first and treats what is between them one by one
        return k == 0 or ids[k - 1] in self.added_ids


def check_encodable(text: str) -> None:
    """Raises TextError where the text has lone surrogates: no bytes spell them."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TextError(
            f"The text has a lone surrogate (U+{ord(text[error.start]):04X}) at character {error.start:,}; "
            f"no UTF-8 bytes spell it. Remove it, or write the whole character."
        ) from None


def tokenizer_from_json(
    content: bytes,
    *,
    name: str,
    source: str,
    licence: str,
    declared: Mapping[str, str] | None = None,
    head_size: int = 0,
) -> Tokenizer:
    """Reads the bytes of a tokenizer.json. Raises TokenizerError with the reason where it can't be used."""
    spec = parse_json(content, name)
    try:
        vocabulary = vocabulary_from_json(spec, declared=declared, head_size=head_size)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise TokenizerError(
            f"{name} is JSON but no tokenizer.json (its model or added_tokens aren't as the format says: {error!r}). "
            f"Choose the file that the tokenizers library writes."
        ) from error
    backend = _backend(content, name)
    return Tokenizer(
        name=name,
        vocabulary=vocabulary,
        provenance=Provenance(sha256(content).hexdigest(), source, licence),
        backend=backend,
        dummy_space=dummy_space(spec),
        added_ids=frozenset(added["id"] for added in spec.get("added_tokens") or ()),
    )


def parse_json(content: bytes, name: str) -> dict[str, Any]:
    """A JSON object from bytes. Raises TokenizerError where it's anything else."""
    try:
        spec = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"{name} is not JSON ({error}). Choose the tokenizer.json of a fast tokenizer.") from error
    if not isinstance(spec, dict):
        raise TokenizerError(
            f"{name} is JSON, but holds a {type(spec).__name__}. Choose the tokenizer.json of a fast tokenizer."
        )
    return spec


def _backend(content: bytes, name: str) -> tokenizers.Tokenizer:
    try:
        backend = tokenizers.Tokenizer.from_buffer(content)
    except BaseException as error:  # a panic of the library is no Exception
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        raise TokenizerError(
            f"The tokenizers library can't read {name}: {error}. "
            f"Check that the file is a tokenizer.json as its authors published it."
        ) from error
    # a file may ask for truncation or padding; what is shown is the whole text and nothing else
    backend.no_truncation()
    backend.no_padding()
    return backend


def dummy_space(spec: Mapping[str, Any]) -> DummySpace:
    """Told from the tokenizer.json: a Prepend normaliser, a Metaspace or ByteLevel step that adds a prefix."""
    for step in steps(spec.get("normalizer")):
        if step["type"] == "Prepend":
            return DummySpace.ALWAYS
    for step in steps(spec.get("pre_tokenizer")):
        if step["type"] == "ByteLevel" and step.get("add_prefix_space"):
            return DummySpace.UNLESS_SPACE
        if step["type"] == "Metaspace":
            scheme = step.get("prepend_scheme") or ("always" if step.get("add_prefix_space") else "never")
            return {
                "first": DummySpace.FIRST_UNLESS_SPACE,
                "always": DummySpace.UNLESS_SPACE,
                "never": DummySpace.NEVER,
            }[scheme]
    return DummySpace.NEVER
