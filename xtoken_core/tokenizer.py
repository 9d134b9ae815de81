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
from xtoken_core.normal import nfc
from xtoken_core.sequence import TokenSequence
from xtoken_core.vocab import Vocabulary, steps, vocabulary_from_json

MAX_TOKENS_PER_BYTE = 4
MAX_TOKENS_PUT_THERE = 10_000  # by a template; the published ones put a handful


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
    """A named tokenizer: `encode` cuts a text, `vocabulary` knows the bytes.

    added_ids: tokens that are searched in the text before anything else; cutting_ids: those behind which the
    tokenizer may put a dummy space.
    """

    name: str
    vocabulary: Vocabulary
    provenance: Provenance
    backend: tokenizers.Tokenizer
    dummy_space: DummySpace
    added_ids: frozenset[int]
    cutting_ids: frozenset[int]

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
        except BaseException as error:
            raise_unless_library(error)
            raise TokenizerError(
                f"{self.name} can't encode this text: {error}. Try another text, or check the tokenizer.json."
            ) from error
        self._check_count(text, len(encoding))
        return self.vocabulary.sequence(encoding.ids, dummy=self._dummy_positions(text, encoding))

    def _check_count(self, text: str, tokens: int) -> None:
        most = MAX_TOKENS_PER_BYTE * len(text.encode()) + MAX_TOKENS_PUT_THERE
        if tokens > most:
            raise TokenizerError(
                f"{self.name} makes {tokens:,} tokens of {len(text):,} characters; at most {most:,} are read. "
                f"Check its normalizer and its post_processor, or choose another tokenizer."
            )

    def _dummy_positions(self, text: str, encoding: tokenizers.Encoding) -> list[int]:
        """The tokens whose first byte is a space that the tokenizer put there."""
        if self.dummy_space is DummySpace.NEVER:
            return []
        sections = self._sections(encoding)
        if self.dummy_space is DummySpace.FIRST_UNLESS_SPACE:
            sections = [(k, start) for k, start in sections if start == 0]
        if self.dummy_space is not DummySpace.ALWAYS:
            sections = [(k, start) for k, start in sections if text[start : start + 1] not in (" ", "\u2581")]
        return [k for k, _ in sections if self.vocabulary.token_bytes(encoding.ids[k])[:1] == b" "]

    def _sections(self, encoding: tokenizers.Encoding) -> list[tuple[int, int]]:
        """The first token of each section and where the section starts in the text, in characters.

        The library cuts the text at its added tokens first and treats what is between them one by one.
        """
        # a token's own offset is no help: where offsets are trimmed, it's behind the token's spaces
        ids, offsets, put_there = encoding.ids, encoding.offsets, encoding.special_tokens_mask
        sections = []
        for k, token in enumerate(ids):
            if token in self.added_ids:
                continue
            if k == 0 or put_there[k - 1]:  # put in front of the text, such as BOS
                sections.append((k, 0))
            elif ids[k - 1] in self.cutting_ids:
                sections.append((k, offsets[k - 1][1]))
        return sections


def raise_unless_library(error: BaseException) -> None:
    """Lets an interrupt through. The tokenizers library raises plain Exception, and a panic of it is not even that."""
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        raise error


class Spelling(Enum):
    """What the bytes of a text's tokens are, end to end."""

    TEXT = "text"  # the text's own
    COMPOSED = "composed"  # the text's in normal form C
    OTHER = "other"  # neither: a special token read from the text, or characters that the tokenizer changes or drops


def spelling(text: str, sequence: TokenSequence) -> Spelling:
    """How faithful a tokenization is to its text.

    >>> from xtoken_core.sequence import sequence_of
    >>> spelling("e\u0301", sequence_of(["é".encode()]))
    <Spelling.COMPOSED: 'composed'>
    """
    if sequence.data == text.encode():
        return Spelling.TEXT
    return Spelling.COMPOSED if sequence.data == nfc(text).encode() else Spelling.OTHER


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
        kind = dummy_space(spec)
        added = {token["id"]: token for token in spec.get("added_tokens") or ()}
    except TokenizerError as error:
        raise TokenizerError(f"{name} can't be used. {error}") from error
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise TokenizerError(
            f"{name} is JSON but no tokenizer.json (its parts aren't as the format says: {error!r}). "
            f"Choose the file that the tokenizers library writes."
        ) from error
    backend = _backend(content, name)
    for token, declaration in added.items():
        _check_added(backend, declaration["content"], token, name)
    return Tokenizer(
        name=name,
        vocabulary=vocabulary,
        provenance=Provenance(sha256(content).hexdigest(), source, licence),
        backend=backend,
        dummy_space=kind,
        added_ids=frozenset(added),
        # a Prepend normaliser runs before the tokens that are searched in normalised text, so not behind those
        cutting_ids=frozenset(
            k for k, token in added.items() if kind is not DummySpace.ALWAYS or not token.get("normalized")
        ),
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
    except BaseException as error:
        raise_unless_library(error)
        raise TokenizerError(
            f"The tokenizers library can't read {name}: {error}. "
            f"Check that the file is a tokenizer.json as its authors published it."
        ) from error
    # a file may ask for truncation or padding; what is shown is the whole text and nothing else
    backend.no_truncation()
    backend.no_padding()
    if getattr(backend.model, "dropout", None):  # cuts at random while a model is trained
        backend.model.dropout = None
    return backend


def _check_added(backend: tokenizers.Tokenizer, form: str, token: int, name: str) -> None:
    """The library numbers an added token anew where ids before it are missing; its ids and the file's would part."""
    found = backend.token_to_id(form)
    if found != token:
        raise TokenizerError(
            f"{name} gives the added token {form!r} the id {token}, but the tokenizers library reads it as {found}. "
            f"Check that the file is a tokenizer.json as its authors published it."
        )


def dummy_space(spec: Mapping[str, Any]) -> DummySpace:
    """Told from the tokenizer.json: a Prepend normaliser, a Metaspace or ByteLevel step that adds a prefix."""
    for step in steps(spec.get("normalizer")):
        if step["type"] == "Prepend":
            return DummySpace.ALWAYS
    for step in steps(spec.get("pre_tokenizer")):
        if step["type"] == "ByteLevel" and step.get("add_prefix_space"):
            return DummySpace.UNLESS_SPACE
        if step["type"] == "Metaspace":
            scheme = step.get("prepend_scheme", "always")
            return {
                "first": DummySpace.FIRST_UNLESS_SPACE,
                "always": DummySpace.UNLESS_SPACE,
                "never": DummySpace.NEVER,
            }[scheme]
    return DummySpace.NEVER
