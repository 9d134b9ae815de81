"""
Finding tokens in a vocabulary: by text, by bytes, by id or by a pattern. Case counts: "The" and "the" are two tokens.

    text    ·the          the tokens that contain " the": as it stands, or as the page draws it
    bytes   e2 80         those with these two bytes in a row
    id      5, 100-200    those with these ids
    regex   ^ ?\\d{3}$     those whose text the pattern (RE2) finds something in
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xtoken_core.display import DRAWN, spaced_hex
from xtoken_core.errors import SearchError
from xtoken_core.matrix import Bools
from xtoken_core.vocab import Vocabulary

Kind = Literal["text", "bytes", "id", "regex"]

MAX_CHARACTERS = 2_000  # of a query
MAX_PATTERN_CHARACTERS = 500
MAX_REPETITIONS = 2_000  # RE2 takes seconds to read a pattern with many more, and can't be stopped
MAX_SECONDS = 1.0  # for a pattern; a usual one takes a hundredth
LONGEST_TEXT = 1_024  # characters of a token that a pattern sees; the longest published one has 128
_FIRST_BYTES = 256
_START = 16  # in bytes: what a pattern's start on a token may cost

_UNDRAWN = {sign: character for character, sign in DRAWN.items()}
_BROKEN = re.compile("[\udc80-\udcff]+")
_SIGN = re.compile(
    rf"[{''.join(_UNDRAWN)}]|⟨U\+(?P<code>[0-9A-Fa-f]{{4,6}})⟩|⟨(?P<broken>[0-9A-Fa-f]{{2}}(?: [0-9A-Fa-f]{{2}})*)⟩"
)
_HEX_MARKS = re.compile(r"(?<![0-9A-Fa-f])0x|\\x|[\s,]", re.IGNORECASE)
_REPETITION = re.compile(r"\\x\{[^}]*\}|\\.|\{([0-9]+),?([0-9]*)\}", re.DOTALL)  # what is escaped is none
_IDS = re.compile(r"([0-9]+)(?:-([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Index:
    """A vocabulary's V tokens as Arrow arrays, [V] each.

    spelled (binary): the bytes; none for a special token. texts (binary): the text, with a byte that is in no whole
    character as the three bytes that UTF-8 would give a surrogate, so that no character looks like it. printed
    (string): the text, with such bytes as a chip ⟨E2 80⟩. In the last two a special token is its form.
    """

    spelled: pa.BinaryArray
    texts: pa.BinaryArray
    printed: pa.StringArray

    def __len__(self) -> int:
        return len(self.spelled)


def index(vocabulary: Vocabulary) -> Index:
    """Makes a vocabulary searchable, once."""
    tokens = vocabulary.tokens()
    owned = zip(tokens, vocabulary.forms, strict=True)
    texts = [data or form.encode(errors="surrogatepass") for data, form in owned]
    printed = texts.copy()
    for token in (token for token, data in enumerate(texts) if len(data) > LONGEST_TEXT or not is_whole(data)):
        text = texts[token].decode(errors="surrogateescape")
        texts[token] = text.encode(errors="surrogatepass")
        printed[token] = _BROKEN.sub(_chip, text[:LONGEST_TEXT]).encode()
    return Index(column(tokens, pa.binary()), column(texts, pa.binary()), column(printed, pa.string()))


def is_whole(data: bytes) -> bool:
    """Whether bytes are whole UTF-8 characters."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def column(values: Sequence[bytes], kind: pa.DataType) -> pa.Array:
    """Bytes [V] as an Arrow array of binary or string, [V]."""
    # pyarrow.array would import pandas to look at its argument
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(value) for value in values], out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(values))]
    return pa.Array.from_buffers(kind, len(values), buffers)


def _chip(broken: re.Match[str]) -> str:
    return f"⟨{spaced_hex(broken[0].encode(errors='surrogateescape'))}⟩"


def find(index: Index, kind: Kind, query: str) -> Bools:
    """[V], which tokens match; an empty query matches all. Raises SearchError for a query that can't be read.

    >>> from xtoken_core import catalog
    >>> np.flatnonzero(find(index(catalog.load("gpt2").vocabulary), "text", "·theless")).tolist()
    []
    """
    by_kind: Mapping[Kind, Callable[[Index, str], Bools]] = {
        "text": _by_text,
        "bytes": _by_bytes,
        "id": _by_id,
        "regex": _by_regex,
    }
    _check_length(query, "query", MAX_CHARACTERS)
    _check_characters(query)
    if not query or (kind in ("bytes", "id") and query.isspace()):
        return np.ones(len(index), bool)
    return by_kind[kind](index, query)


def _check_length(query: str, name: str, most: int) -> None:
    if len(query) > most:
        raise SearchError(f"The {name} has {len(query):,} characters; at most {most:,} are read. Shorten it.")


def _check_characters(query: str) -> None:
    surrogates = re.findall("[\ud800-\udfff]", query)
    if surrogates:
        raise SearchError(
            f"The query has a lone surrogate (U+{ord(surrogates[0]):04X}), which is no character. "
            f"Remove it, or search by bytes."
        )


def _by_text(index: Index, query: str) -> Bools:
    """A sign of the page may be a character of its own too, so each stands for both."""
    if not _SIGN.search(query):
        return _bools(pc.match_substring(index.texts, query.encode()))
    parts: list[str] = []
    start = 0
    for sign in _SIGN.finditer(query):
        parts += [_escaped(query[start : sign.start()]), f"(?:{_escaped(sign[0])}|{_escaped(_meaning(sign))})"]
        start = sign.end()
    return _matched(index.texts, "".join([*parts, _escaped(query[start:])]), query)


def _meaning(sign: re.Match[str]) -> str:
    """What a sign of the page stands for: · a space, ⟨U+200D⟩ that character, ⟨E2 80⟩ these bytes."""
    if sign["broken"]:
        return bytes.fromhex(sign["broken"]).decode(errors="surrogateescape")
    if not sign["code"]:
        return _UNDRAWN[sign[0]]
    code = int(sign["code"], 16)
    is_character = code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF
    return chr(code) if is_character else sign[0]


def _escaped(text: str) -> str:
    """A text as a pattern over the bytes of `texts`."""
    return "".join(f"\\x{byte:02x}" for byte in text.encode(errors="surrogatepass"))


def _by_bytes(index: Index, query: str) -> Bools:
    digits = _HEX_MARKS.sub("", query)
    if not re.fullmatch(r"([0-9A-Fa-f]{2})+", digits):
        found = f"{len(digits)} digits" if re.fullmatch("[0-9A-Fa-f]+", digits) else "other characters"
        raise SearchError(
            f"{query[:80]!r} was given as bytes, but it has {found}. "
            f"Write two hexadecimal digits a byte, such as E2 80 or 0xE2 0x80."
        )
    return _bools(pc.match_substring(index.spelled, bytes.fromhex(digits)))


def _by_id(index: Index, query: str) -> Bools:
    last = len(index) - 1
    wanted = [_IDS.fullmatch(part) for part in re.sub(r"\s*[-–]\s*", "-", query).replace(",", " ").split()]
    found = np.zeros(len(index), bool)
    for ids in wanted:
        if ids is None:
            raise SearchError(
                f"{query[:80]!r} was given as ids, but isn't numbers. "
                f"Write ids from 0 to {last}, divided by commas or spaces, or ranges such as 100-200."
            )
        found[int(ids[1]) : int(ids[2] or ids[1]) + 1] = True
    if not found.any():
        raise SearchError(
            f"No token has an id of {query[:80]!r}; this vocabulary has the ids 0 to {last}. "
            f"Choose one of those, or a range from low to high such as 0-{last}."
        )
    return found


def _by_regex(index: Index, query: str) -> Bools:
    _check_length(query, "pattern", MAX_PATTERN_CHARACTERS)
    _check_repetitions(query)
    return _matched(index.printed, query, query)


def _check_repetitions(pattern: str) -> None:
    counted = [max(int(least), int(most or 0)) for least, most in _REPETITION.findall(pattern) if least]
    if sum(counted) > MAX_REPETITIONS:
        raise SearchError(
            f"The pattern asks for {sum(counted):,} repetitions in all; at most {MAX_REPETITIONS:,} are read. "
            f"Write smaller numbers, or * and +."
        )


def _matched(texts: pa.Array, pattern: str, query: str) -> Bools:
    """Piece by piece, first a small one: RE2 is linear in the text, but a large pattern makes each byte slow."""
    ends = np.cumsum(pc.binary_length(texts).to_numpy() + _START, dtype=np.int64)
    began = monotonic()
    found: list[Bools] = []
    start, size = 0, _FIRST_BYTES
    while start < len(texts):
        before = monotonic()
        stop = max(start + 1, int(np.searchsorted(ends, ends[start] + size)))
        found.append(_matched_at_once(texts[start:stop], pattern, query))
        _check_time(monotonic() - began, query)
        start, size = stop, size * (8 if monotonic() - before < MAX_SECONDS / 32 else 1)
    return np.concatenate(found)


def _matched_at_once(texts: pa.Array, pattern: str, query: str) -> Bools:
    try:
        return _bools(pc.match_substring_regex(texts, pattern))
    except pa.ArrowInvalid as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        raise SearchError(
            f"The pattern {query[:80]!r} can't be read ({reason}). Write it in RE2's syntax: it has no lookaheads, "
            f"lookbehinds or backreferences, repeats at most 1000 times in all, and limits a pattern's memory."
        ) from None


def _check_time(seconds: float, query: str) -> None:
    if seconds > MAX_SECONDS:
        raise SearchError(
            f"The search for {query[:80]!r} took longer than {MAX_SECONDS:g} s. "
            f"Ask for something simpler, with fewer or smaller repetitions."
        )


def _bools(matches: pa.BooleanArray) -> Bools:
    found: Bools = matches.to_numpy(zero_copy_only=False)
    return found
