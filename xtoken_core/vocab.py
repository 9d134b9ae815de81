"""
A vocabulary as bytes: which bytes every id stands for, whatever its display string says.

    byte-level BPE   Ġthe    ->  20 74 68 65      256 letters stand for 256 bytes (GPT-2's alphabet)
    SentencePiece    ▁the    ->  20 74 68 65      ▁ is a space, <0xE2> is the byte E2
    special          <s>     ->  no bytes, role bos
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xtoken_core.errors import TokenizerError
from xtoken_core.roles import role_of
from xtoken_core.sequence import DUMMY_SPACE, Ints, Mark, TokenSequence

MAX_IDS = 4_000_000  # the largest published vocabularies hold a million ids; a hostile file could ask for 2^32
MOST_IDS_A_TOKEN, SPARE_IDS = 2, 65_536  # published vocabularies have holes, but not mostly
UNUSED = "unused"
EMPTY = "empty"
META_SPACE = "\u2581"  # ▁, how SentencePiece writes a space

_BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """V ids. data: all tokens' bytes in id order (uint8), starts [V] and lengths [V] in bytes.

    forms [V] are the strings of the vocabulary; roles names the ids that stand for no bytes.
    head_size is how many logits the model's head has: ids from V to head_size are padding, no tokens.
    byte_level: the forms are written in the alphabet of 256 letters; else SentencePiece style.
    """

    data: npt.NDArray[np.uint8]
    starts: Ints
    lengths: Ints
    forms: tuple[str, ...]
    roles: Mapping[int, str]
    head_size: int
    byte_level: bool

    def __len__(self) -> int:
        return len(self.forms)

    def token_bytes(self, token: int) -> bytes:
        """The bytes of one id; b"" for a special token. Raises TokenizerError for an id outside 0 … V - 1."""
        self._check(np.array([token]))
        start = int(self.starts[token])
        return self.data[start : start + int(self.lengths[token])].tobytes()

    def specials(self) -> dict[int, str]:
        """The ids that have a role, and it; not those that stand for nothing at all."""
        return {token: role for token, role in self.roles.items() if role not in (UNUSED, EMPTY)}

    def tokens(self) -> list[bytes]:
        """Every id's bytes, [V]; b"" for a special token."""
        data = self.data.tobytes()
        bounds = zip(self.starts.tolist(), (self.starts + self.lengths).tolist(), strict=True)
        return [data[start:stop] for start, stop in bounds]

    def sequence(self, ids: Sequence[int] | Ints, *, dummy: Sequence[int] = ()) -> TokenSequence:
        """ids [T] with their bytes. `dummy` lists positions whose leading space is no part of the text.

        Raises TokenizerError for an id outside 0 … V - 1.
        """
        given = np.asarray(ids, dtype=np.int64)  # a post-processor may name any id up to 2^32
        self._check(given)
        tokens = given.astype(np.int32)
        starts, lengths = self.starts[tokens], self.lengths[tokens]
        if len(dummy):
            positions = np.asarray(dummy)
            starts[positions] += 1
            lengths[positions] -= 1
        ends = np.cumsum(lengths, dtype=np.int64)
        return TokenSequence(tokens, gather(self.data, starts, lengths), ends, self._marks(tokens, lengths))

    def _check(self, tokens: Ints) -> None:
        outside = tokens[(tokens < 0) | (tokens >= len(self))]
        if len(outside):
            raise TokenizerError(
                f"Token id {outside[0]} was given, but this vocabulary has the ids 0 to {len(self) - 1}. "
                f"Check that the ids come from this tokenizer; ids of the padded head stand for no token."
            )

    def _marks(self, tokens: Ints, lengths: Ints) -> tuple[Mark, ...]:
        positions = np.flatnonzero(lengths == 0).tolist()
        ids = tokens[positions].tolist()
        return tuple(
            Mark(position, self.roles.get(token, DUMMY_SPACE), self.forms[token])
            for position, token in zip(positions, ids, strict=True)
        )


def gather(data: npt.NDArray[np.uint8], starts: Ints, lengths: Ints) -> bytes:
    """The slices data[starts[k] : starts[k] + lengths[k]], end to end; starts [T] and lengths [T]."""
    empty = np.flatnonzero(lengths == 0)
    if len(empty):
        starts, lengths = np.delete(starts, empty), np.delete(lengths, empty)
    if not len(lengths):
        return b""
    # an index that goes on by one inside a slice and jumps between slices: a sum of steps is faster than a repeat
    steps = np.ones(int(lengths.sum()), np.int64)
    steps[0] = starts[0]
    steps[np.cumsum(lengths)[:-1]] += starts[1:] - (starts[:-1] + lengths[:-1])
    return data[np.cumsum(steps, out=steps)].tobytes()


def vocabulary_from_json(
    spec: Mapping[str, Any], *, declared: Mapping[str, str] | None = None, head_size: int = 0
) -> Vocabulary:
    """Reads a parsed tokenizer.json of a BPE model, byte-level or SentencePiece style.

    declared: roles by token text, see `roles.declared_roles`. Raises TokenizerError for any other model.
    """
    forms = _forms(spec)
    spell = _speller(spec)
    tokens = spell(forms)
    roles = {k: UNUSED if not form else EMPTY for k, form in enumerate(forms) if not tokens[k]}
    for added in spec.get("added_tokens") or ():
        token, form = added["id"], added["content"]
        tokens[token] = b"" if added.get("special") else spell.added(form)
        if not tokens[token]:
            roles[token] = role_of(form, declared or {})
    lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    return Vocabulary(
        data=np.frombuffer(b"".join(tokens), dtype=np.uint8),
        starts=np.cumsum(lengths) - lengths,
        lengths=lengths,
        forms=tuple(forms),
        roles=roles,
        head_size=max(head_size, len(forms)),
        byte_level=isinstance(spell, ByteLevel),
    )


def _forms(spec: Mapping[str, Any]) -> list[str]:
    """Every id's string in the vocabulary, [V]; "" for an id that no token has."""
    model = spec.get("model")
    if not model:
        raise TokenizerError(
            "There is no model in the file. Choose the tokenizer.json itself; tokenizer_config.json, config.json "
            "and vocab.json are other files."
        )
    kind = model.get("type", "BPE") if "merges" in model else model.get("type")
    if kind != "BPE":
        raise TokenizerError(
            f"The tokenizer's model is of type {kind!r}; this tool reads BPE, byte-level or SentencePiece style. "
            f"Choose a tokenizer.json whose model.type is BPE."
        )
    form_of = {token: form for form, token in model["vocab"].items()}
    if len(form_of) < len(model["vocab"]):
        raise TokenizerError(
            "Two tokens of the vocabulary have the same id, so it can't be told what that id stands for. "
            "Check that the file is a tokenizer.json as its authors published it."
        )
    form_of |= {added["id"]: added["content"] for added in spec.get("added_tokens") or ()}
    if not form_of:
        raise TokenizerError("The tokenizer's vocabulary is empty. Choose a tokenizer.json with a trained vocabulary.")
    if max(form_of) >= MAX_IDS:
        raise TokenizerError(
            f"The tokenizer has a token id of {max(form_of):,}; ids up to {MAX_IDS:,} are read. "
            f"Check that the file is a tokenizer.json as its authors published it."
        )
    ids = max(form_of) + 1
    if ids > MOST_IDS_A_TOKEN * len(form_of) + SPARE_IDS:
        raise TokenizerError(
            f"The tokenizer has {len(form_of):,} tokens, but ids up to {ids - 1:,}: most ids would stand for nothing. "
            f"Check that the file is a tokenizer.json as its authors published it."
        )
    return [form_of.get(token, "") for token in range(ids)]


def _speller(spec: Mapping[str, Any]) -> "ByteLevel | SentencePiece":
    """How this tokenizer's forms spell bytes, told from its pre-tokenizer and decoder."""
    found = [step for stage in ("pre_tokenizer", "decoder") for step in steps(spec.get(stage))]
    stages = [step["type"] for step in found]
    odd = [step["replacement"] for step in found if step["type"] == "Metaspace" and step["replacement"] != META_SPACE]
    if odd:
        raise TokenizerError(
            f"The tokenizer writes a space as {odd[0]!r}; this tool reads SentencePiece style with U+2581 for a space. "
            f"Choose a tokenizer.json with that sign."
        )
    marked = [name for name in ("continuing_subword_prefix", "end_of_word_suffix") if spec["model"].get(name)]
    if marked:
        raise TokenizerError(
            f"The tokenizer marks the pieces of words ({', '.join(marked)}), and a mark stands for no fixed bytes. "
            f"Choose a tokenizer.json of byte-level or SentencePiece style without such marks."
        )
    if "ByteLevel" in stages:
        return ByteLevel()
    if spec["model"].get("byte_fallback") or "ByteFallback" in stages or "Metaspace" in stages:
        return SentencePiece()
    raise TokenizerError(
        f"The tokenizer is BPE, but neither byte-level nor SentencePiece style "
        f"(its steps: {', '.join(stages) or 'none'}), so the bytes of its tokens aren't known. "
        f"Choose a tokenizer.json with a ByteLevel or Metaspace step."
    )


def steps(stage: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """A normalizer, pre_tokenizer or decoder of a tokenizer.json as its list of steps, nested sequences unfolded."""
    if not stage:
        return []
    inner = next((stage[name] for name in ("normalizers", "pretokenizers", "decoders") if name in stage), None)
    return [stage] if inner is None else [step for part in inner for step in steps(part)]


def _alphabet() -> dict[int, int]:
    """GPT-2's 256 letters as letter -> byte: printable Latin-1 stands for itself, the rest starts at U+0100."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return {byte: byte for byte in printable} | {0x100 + k: byte for k, byte in enumerate(hidden)}


ALPHABET: Mapping[int, int] = _alphabet()


class ByteLevel:
    """Byte-level BPE: one letter of the alphabet is one byte."""

    # what is below U+0100 and no letter mustn't pass for the byte of its number: it's sent where Latin-1 can't follow
    _letters = dict.fromkeys(range(0x100), 0xFFFF) | dict(ALPHABET)

    def __call__(self, forms: Sequence[str]) -> list[bytes]:
        return [self._spell(form) for form in forms]

    def _spell(self, form: str) -> bytes:
        try:
            return form.translate(self._letters).encode("latin-1")
        except UnicodeEncodeError:  # not written in the alphabet: it stands for its own text, as in the decoder
            return form.encode(errors="surrogatepass")

    def added(self, form: str) -> bytes:
        return form.encode(errors="surrogatepass")


class SentencePiece:
    """SentencePiece style: ▁ is a space, <0xHH> is one byte, the rest is text."""

    def __call__(self, forms: Sequence[str]) -> list[bytes]:
        return [self._spell(form) for form in forms]

    def _spell(self, form: str) -> bytes:
        byte = _BYTE_PIECE.fullmatch(form)
        return bytes([int(byte[1], 16)]) if byte else self.added(form)

    def added(self, form: str) -> bytes:
        return form.replace(META_SPACE, " ").encode(errors="surrogatepass")
