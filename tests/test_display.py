"""Bytes as one printable line: nothing in it is invisible, and every byte is in it."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hurt import HURTING
from tests.real import load
from xtoken_core import catalog
from xtoken_core.display import DRAWN, spaced_hex, told, visible, visible_form
from xtoken_core.sequence import sequence_of
from xtoken_core.spans import Span

# Unicode's Default_Ignorable_Code_Point beyond the category of formats, and blanks that pass for letters or symbols
DRAWN_AS_NOTHING = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d159\U000e0100-\U000e01ef]"
)


def is_seen(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ" and not DRAWN_AS_NOTHING.match(character)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b" the", "·the"),
        (b"a\tb\n", "a→b↵"),
        (b"\r\n", "␍↵"),
        (b"\xe2\x80", "⟨E2 80⟩"),
        (b"a\xffb", "a⟨FF⟩b"),
        (b"\x00\x1b[31m", "⟨U+0000⟩⟨U+001B⟩[31m"),
        ("\u202e\u2066".encode(), "⟨U+202E⟩⟨U+2066⟩"),
        ("\u00a0\u3000\u2028".encode(), "⟨U+00A0⟩⟨U+3000⟩⟨U+2028⟩"),
        ("\u200b\ufeff".encode(), "⟨U+200B⟩⟨U+FEFF⟩"),
        ("1\ufe0f\u20e3".encode(), "1⟨U+FE0F⟩\u20e3"),
        ("\ue000\U0010ffff".encode(), "⟨U+E000⟩⟨U+10FFFF⟩"),
        ("\u115f\u3164\u2800".encode(), "⟨U+115F⟩⟨U+3164⟩⟨U+2800⟩"),
        (b"\xed\xa0\x80", "⟨ED A0 80⟩"),
        ("é中😀".encode(), "é中😀"),
        (b"", ""),
    ],
)
def test_worked_bytes_are_shown_so(data: bytes, shown: str) -> None:
    assert visible(data) == shown


BYTES = st.one_of(st.binary(), st.text().map(str.encode), st.sampled_from([text.encode() for text in HURTING.values()]))


@given(BYTES)
def test_nothing_in_the_line_is_invisible_but_the_space_inside_a_chip(data: bytes) -> None:
    assert all(is_seen(character) for character in re.sub(r"(?<=[0-9A-F]{2}) (?=[0-9A-F]{2})", "", visible(data)))


def test_no_character_of_unicode_is_shown_as_nothing() -> None:
    # the planes in between are unassigned, those behind are for private use
    for code in (*range(0xD800), *range(0xE000, 0x34000), *range(0xE0000, 0xE1000), sys.maxunicode):
        assert all(is_seen(shown) for shown in visible(chr(code).encode())), f"U+{code:04X}"


def bytes_shown(line: str) -> bytes:
    """The bytes back from the line, where they hold none of the signs that `visible` draws."""
    parts = re.split(r"(⟨[^⟩]*⟩)", line)
    return b"".join(_chip(part) if part.startswith("⟨") else _plain(part) for part in parts)


def _chip(part: str) -> bytes:
    inner = part[1:-1]
    return chr(int(inner[2:], 16)).encode() if inner.startswith("U+") else bytes.fromhex(inner)


def _plain(part: str) -> bytes:
    return part.translate({ord(sign): character for character, sign in DRAWN.items()}).encode()


@given(BYTES)
def test_every_byte_is_in_the_line(data: bytes) -> None:
    if not set("⟨⟩" + "".join(DRAWN.values())) & set(data.decode(errors="replace")):
        assert bytes_shown(visible(data)) == data


@pytest.mark.parametrize("name", catalog.ENTRIES)
def test_no_token_of_a_vocabulary_hides(name: str) -> None:
    vocabulary = load(name).vocabulary
    for token in range(0, len(vocabulary), 37):
        shown = visible(vocabulary.token_bytes(token)), visible_form(vocabulary.forms[token])
        assert all(is_seen(character) for line in shown for character in re.sub("(?<=[0-9A-F]) ", "", line))
        assert shown[0] or token in vocabulary.roles


def test_a_form_with_a_lone_surrogate_is_shown_by_its_bytes() -> None:
    assert visible_form("a\ud800") == "a⟨ED A0 80⟩"


def test_hex_is_in_pairs() -> None:
    assert spaced_hex(b"\xe2\x80\x8d") == "E2 80 8D"
    assert spaced_hex(b"") == ""


def test_tokens_are_told_apart_by_bars_and_marks_by_brackets() -> None:
    sequence = sequence_of([b"", b" a", b"\n", b"\xe2"], {0: "bos\u202e"})
    assert told(sequence, Span(0, 4)) == "[<bos⟨U+202E⟩>] | ·a | ↵ | ⟨E2⟩"
    assert told(sequence, Span(1, 2)) == "·a"
    assert told(sequence, Span(2, 2)) == ""
