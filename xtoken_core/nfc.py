"""
Places at which two spellings of one text may be cut, where one is composed (NFC) and the other isn't.

    student   e ◌́ | t | e ◌́        positions in the composed text: 0 1 2 3
    teacher   é   | t   é          both have a boundary at 0, 1 and 3
"""

import unicodedata

import numpy as np

from xtoken_core.normal import nfc
from xtoken_core.program import Side


def common_cuts(student: Side, teacher: Side) -> list[tuple[int, int]]:
    """Cells (i, j) before and after which both sides are the same text in NFC, in order; none where they aren't."""
    try:
        cuts_s, text_s = _cuts(student)
        cuts_t, text_t = _cuts(teacher)
    except UnicodeDecodeError:
        return []
    if text_s != text_t:
        return []
    return [(cuts_s[position], cuts_t[position]) for position in sorted(cuts_s.keys() & cuts_t.keys())]


def _cuts(side: Side) -> tuple[dict[int, int], str]:
    """Position in the composed text -> number of tokens before it, and the composed text."""
    data = side.data[side.starts[0] : side.starts[-1]]
    text = data.decode()
    leads = (np.frombuffer(data, np.uint8) & 0xC0) != 0x80  # the first byte of each character
    character = [0, *np.cumsum(leads).tolist()]
    pieces: list[str] = []
    cuts: dict[int, int] = {}
    position = last = 0
    for token, start in enumerate(side.starts):
        at = character[start - side.starts[0]]
        whole = start == side.starts[-1] or leads[start - side.starts[0]]
        if not whole or not _starts_anew(text[at : at + 1]):
            continue
        pieces.append(nfc(text[last:at]))
        position, last = position + len(pieces[-1]), at
        cuts.setdefault(position, token)
    return cuts, "".join(pieces)


def _starts_anew(character: str) -> bool:
    """Whether a character never composes with what is before it: no mark, no Hangul vowel or final consonant."""
    return not unicodedata.category(character or " ").startswith("M") and not "\u1160" <= character <= "\u11ff"
