"""
Token bytes as one line of text that is safe to print: whitespace drawn, the invisible named, part characters in hex.

    b" the"       ·the
    b"\\xe2\\x80"   ⟨E2 80⟩
    b"a\\tb\\n"     a→b↵

Nothing here can move a cursor, reverse a line or hide: what controls, formats, is blank or unassigned is spelled out.
"""

import unicodedata

from xtoken_core.sequence import TokenSequence
from xtoken_core.spans import Span

DRAWN = {" ": "·", "\t": "→", "\n": "↵", "\r": "␍"}
_HIDDEN = ("C", "Zl", "Zp", "Zs")  # categories: controls, formats, surrogates, unassigned, separators
# drawn as nothing, though in the categories of letters, marks and symbols: fillers, variation selectors, blanks
_BLANK_RANGES = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
_BLANK_SINGLES = (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0x1D159)
_BLANK = {chr(code) for first, last in _BLANK_RANGES for code in range(first, last + 1)} | set(map(chr, _BLANK_SINGLES))


def visible(data: bytes) -> str:
    """Bytes as a line of printable text; every byte is shown.

    >>> visible(b" caf\\xc3\\xa9\\n"), visible("a\\u200db".encode()), visible(b"\\xf0\\x9f")
    ('·café↵', 'a⟨U+200D⟩b', '⟨F0 9F⟩')
    """
    shown: list[str] = []
    broken: list[str] = []
    for character in data.decode(errors="surrogateescape"):
        if "\udc80" <= character <= "\udcff":
            broken.append(f"{ord(character) - 0xDC00:02X}")
            continue
        shown += _chip(broken)
        broken = []
        shown.append(_drawn(character))
    return "".join([*shown, *_chip(broken)])


def _chip(broken: list[str]) -> list[str]:
    return [f"⟨{' '.join(broken)}⟩"] if broken else []


def _drawn(character: str) -> str:
    if character in DRAWN:
        return DRAWN[character]
    hidden = unicodedata.category(character).startswith(_HIDDEN) or character in _BLANK
    return f"⟨U+{ord(character):04X}⟩" if hidden else character


def visible_form(form: str) -> str:
    """A vocabulary's own string for a token, with what can't be seen spelled out."""
    return visible(form.encode(errors="surrogatepass"))


def spaced_hex(data: bytes) -> str:
    """Bytes as E2 80 8D."""
    return data.hex(" ").upper()


def told(sequence: TokenSequence, span: Span) -> str:
    """A span's tokens, divided by bars; a mark is its form in brackets.

    >>> from xtoken_core.sequence import sequence_of
    >>> told(sequence_of([b"", b"20", b" 1"], {0: "bos"}), Span(0, 3))
    '[<bos>] | 20 | ·1'
    """
    forms = {mark.position: f"[{visible_form(mark.form)}]" for mark in sequence.marks_between(span.start, span.stop)}
    tokens = (forms.get(k) or visible(sequence.bytes_between(k, k + 1)) for k in range(span.start, span.stop))
    return " | ".join(tokens)
