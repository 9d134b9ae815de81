"""
What kind of token each token of a vocabulary is: every one is in exactly one category.

    "7" one digit    " the" word    "ing" part of a word    "的" CJK    "():" punctuation    "x1" mixed

A token is told by the text it stands for; a leading space makes a word of letters and changes no other category.
"""

from collections.abc import Mapping
from enum import IntEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xtoken_core.search import column, is_whole
from xtoken_core.sequence import Ints
from xtoken_core.vocab import EMPTY, UNUSED, Vocabulary


class Category(IntEnum):
    """Each with the tokens that it holds."""

    ONE_DIGIT = 0  # "7" "²": 0 … 9 and ¹ ² ³, as the published counts have it
    TWO_DIGITS = 1  # "42": ASCII, without a space
    THREE_DIGITS = 2  # "201"
    OTHER_NUMBER = 3  # " 7" "2024" "½" "٣" "１０": nothing but numbers and a leading space
    ASCII_PUNCTUATION = 4  # "." "{" "+": one of the 32
    OTHER_PUNCTUATION = 5  # " ." "()" ");\n" "—" " €": no letter, no number
    EMOJI = 6  # "😀" " 👍🏽" "❤️"
    WHITESPACE = 7  # " " "\n\n" "\t\t": also no-break and ideographic spaces
    CONTROL = 8  # "\x00" and the zero-width space: invisible, but not blank
    LATIN_WORD = 9  # " the" " São": a leading space, then Latin letters
    LATIN_PART = 10  # "the" "ing" "ß": Latin letters
    CJK = 11  # "的" "です" " 한국": Han, Kana, Bopomofo or Hangul
    OTHER_SCRIPT = 12  # " мир" "ال" "हि": letters of other scripts, or of several
    MIXED = 13  # ".get" "'s" "x1" "1.0" "的，": letters or numbers with something else; much of it is code
    PART_CHARACTER = 14  # E2 80, or " " and F0 9F: with bytes that are no whole character
    SPECIAL = 15  # <|begin_of_text|>
    UNUSED = 16  # an id without a token, or a token without bytes

    @property
    def label(self) -> str:
        """The name in JSON, CSV and links."""
        return self.name.lower()

    @property
    def title(self) -> str:
        """The name in words, for the page."""
        return _TITLES[self]


_TITLES: Mapping[Category, str] = {
    Category.ONE_DIGIT: "one digit",
    Category.TWO_DIGITS: "two digits",
    Category.THREE_DIGITS: "three digits",
    Category.OTHER_NUMBER: "other numbers",
    Category.ASCII_PUNCTUATION: "one ASCII punctuation mark",
    Category.OTHER_PUNCTUATION: "other punctuation and symbols",
    Category.EMOJI: "emoji",
    Category.WHITESPACE: "whitespace only",
    Category.CONTROL: "control and invisible characters",
    Category.LATIN_WORD: "Latin word with a leading space",
    Category.LATIN_PART: "Latin word part",
    Category.CJK: "Chinese, Japanese, Korean",
    Category.OTHER_SCRIPT: "other scripts",
    Category.MIXED: "mixed text and code",
    Category.PART_CHARACTER: "part of a character",
    Category.SPECIAL: "special token",
    Category.UNUSED: "unused id",
}

_BLANK = r"\p{Z}\t-\r\x{85}"
_PICTURE = r"\x{1F000}-\x{1FAFF}"  # nearly all emoji; an older sign becomes one by the selector FE0F
_SELECTED = r"[©®\x{203C}-\x{3299}]\x{FE0F}"
_JOINED = r"♀♂\x{200D}\x{FE0F}"
_CJK = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Bopomofo}ー"

# RE2, over whole characters; of several patterns that fit, the first counts
_PATTERNS: Mapping[Category, str] = {
    Category.ONE_DIGIT: "[0-9¹²³]",
    Category.TWO_DIGITS: "[0-9]{2}",
    Category.THREE_DIGITS: "[0-9]{3}",
    Category.OTHER_NUMBER: r" ?\p{N}+",
    Category.ASCII_PUNCTUATION: r"[!-/:-@\[-`{-~]",
    Category.WHITESPACE: rf"[{_BLANK}]+",
    Category.EMOJI: rf" ?([{_PICTURE}]|{_SELECTED})([{_PICTURE}{_JOINED}]|{_SELECTED})*",
    Category.CONTROL: rf"[\p{{C}}{_BLANK}]+",
    Category.OTHER_PUNCTUATION: rf"[\p{{P}}\p{{S}}\p{{C}}{_BLANK}\x{{FE0F}}\x{{20E3}}]+",
    Category.LATIN_WORD: r" \p{Latin}[\p{Latin}\p{M}]*",
    Category.LATIN_PART: r"\p{Latin}[\p{Latin}\p{M}]*",
    Category.CJK: rf"[ \x{{3000}}]?[{_CJK}][{_CJK}\p{{M}}]*",
    Category.OTHER_SCRIPT: r" ?[\p{L}\p{M}\x{200C}\x{200D}]+",
}


def categories(vocabulary: Vocabulary) -> Ints:
    """[V] uint8, the `Category` of each token.

    >>> from xtoken_core import catalog
    >>> of = categories(catalog.load("gpt2").vocabulary)
    >>> [Category(of[token]).title for token in (22, 262, 1264)]  # "7", " the", "201"
    ['one digit', 'Latin word with a leading space', 'three digits']
    """
    tokens = vocabulary.tokens()
    whole = np.fromiter(map(is_whole, tokens), bool, len(tokens))
    texts = column([data if is_whole(data) else b"" for data in tokens], pa.string())
    found = np.full(len(tokens), Category.MIXED, np.uint8)
    for category, pattern in reversed(list(_PATTERNS.items())):
        matches = pc.match_substring_regex(texts, f"^(?:{pattern})$")
        found[matches.to_numpy(zero_copy_only=False)] = category
    found[~whole] = Category.PART_CHARACTER
    for token, role in vocabulary.roles.items():
        found[token] = Category.UNUSED if role in (UNUSED, EMPTY) else Category.SPECIAL
    return found
