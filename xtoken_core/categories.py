"""
What kind of token each token of a vocabulary is: every one is in exactly one category, by the rules in one table.

    "7" one digit    " the" word    "ing" part of a word    "的" Chinese    "():" punctuation    ".get(" code

A token is told by the text it stands for, from its first to its last character. Of several rules that fit, the first
counts.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xtoken_core.search import column, is_whole
from xtoken_core.sequence import Ints
from xtoken_core.vocab import EMPTY, UNUSED, Vocabulary


class Category(IntEnum):
    """In the order of `RULES`, which says what each holds."""

    ONE_DIGIT = 0
    TWO_DIGITS = 1
    THREE_DIGITS = 2
    LONG_DIGITS = 3
    OTHER_DIGITS = 4
    NUMBER = 5
    ASCII_PUNCTUATION = 6
    WHITESPACE = 7
    PUNCTUATION_RUN = 8
    EMOJI = 9
    CONTROL = 10
    SYMBOL = 11
    LATIN_WORD = 12
    LATIN_PART = 13
    LATIN_MARKED = 14
    CODE = 15
    MIXED = 16
    CYRILLIC = 17
    GREEK = 18
    ARABIC = 19
    HEBREW = 20
    ARMENIAN = 21
    GEORGIAN = 22
    DEVANAGARI = 23
    BENGALI = 24
    GUJARATI = 25
    TAMIL = 26
    TELUGU = 27
    KANNADA = 28
    MALAYALAM = 29
    THAI = 30
    HANGUL = 31
    HAN = 32
    KANA = 33
    OTHER_SCRIPT = 34
    PART_CHARACTER = 35
    SPECIAL = 36
    UNUSED = 37

    @property
    def label(self) -> str:
        """The name in JSON, CSV and links."""
        return self.name.lower()

    @property
    def title(self) -> str:
        """The name in words, for the page."""
        return RULES[self].title


@dataclass(frozen=True, slots=True)
class CategoryRule:
    """What a category holds. rule: in words, for the table. examples: whole tokens, spaces and all.

    pattern: the same rule as code, RE2 over the whole token; empty where bytes or the token's role decide, and there
    an example is what the page writes for such a token.
    """

    category: Category
    title: str
    rule: str
    examples: tuple[str, ...]
    pattern: str = ""


_BLANK = r"\p{Z}\t-\r\x{85}"
_MARK = r"!-/:-@\[-`{-~"  # the 32 of ASCII
_PICTURE = r"\x{1F000}-\x{1FAFF}"  # nearly all emoji; an older sign becomes one by the selector FE0F
_SELECTED = r"[©®\x{203C}-\x{3299}]\x{FE0F}|[0-9#*]\x{FE0F}?\x{20E3}"
_JOINED = r"♀♂\x{200D}\x{FE0F}"
_BESIDE_DIGITS = rf"{_BLANK}+−±.,:/'’٫٬%‰\-"
_ON_LETTERS = r"\p{M}\x{200C}\x{200D}"  # accents and vowels, and the two joiners of Indic and Persian words
_LETTER = rf"\p{{L}}{_ON_LETTERS}"
_LATIN = r"\p{Latin}[\p{Latin}\p{M}]*"
_ASCII = r"[ -~\t-\r]"
_KANA = r"\p{Hiragana}\p{Katakana}ーｰ"


def _script(category: Category, title: str, examples: tuple[str, ...]) -> CategoryRule:
    """The letters of one script, which Unicode calls as we call the category."""
    script = category.label.capitalize()
    rule = f"Letters and marks of the script {script} alone, with or without a leading space."
    pattern = rf" ?[{_ON_LETTERS}]*\p{{{script}}}[\p{{{script}}}{_ON_LETTERS}]*"
    return CategoryRule(category, title, rule, examples, pattern)


RULES: tuple[CategoryRule, ...] = (
    CategoryRule(
        Category.ONE_DIGIT,
        "one digit",
        "One ASCII digit, or one of ¹ ² ³, which the published counts include.",
        ("7", "²"),
        "[0-9¹²³]",
    ),
    CategoryRule(Category.TWO_DIGITS, "two digits", "Two ASCII digits and nothing else.", ("00", "42"), "[0-9]{2}"),
    CategoryRule(
        Category.THREE_DIGITS, "three digits", "Three ASCII digits and nothing else.", ("000", "201"), "[0-9]{3}"
    ),
    CategoryRule(
        Category.LONG_DIGITS,
        "four and more digits",
        "Four or more ASCII digits and nothing else.",
        ("2024", "00000000"),
        "[0-9]{4,}",
    ),
    CategoryRule(
        Category.OTHER_DIGITS,
        "other digits",
        "Digits and numerals of which at least one isn't ASCII, and nothing else.",
        ("٣", "１０", "½"),
        r"\p{N}+",
    ),
    CategoryRule(
        Category.NUMBER,
        "number with a sign, a separator or a space",
        "At least one digit or numeral; beside those only + - − ± . , : / ' ’ ٫ ٬ % ‰ and white space.",
        (" 7", "3.14", "-5"),
        rf"[{_BESIDE_DIGITS}]*\p{{N}}[\p{{N}}{_BESIDE_DIGITS}]*",
    ),
    CategoryRule(
        Category.ASCII_PUNCTUATION,
        "one ASCII punctuation mark",
        "One of the 32 marks and signs of ASCII.",
        (".", "{", "+"),
        f"[{_MARK}]",
    ),
    CategoryRule(
        Category.WHITESPACE,
        "whitespace only",
        "Spaces of any kind, tabs and line ends, and nothing else.",
        (" ", "\n\n", "\t\t"),
        f"[{_BLANK}]+",
    ),
    CategoryRule(
        Category.PUNCTUATION_RUN,
        "run of ASCII punctuation",
        "Marks and signs of ASCII, several, or with white space around or between them.",
        ("());", " .", ");\n"),
        f"[{_MARK}{_BLANK}]+",
    ),
    CategoryRule(
        Category.EMOJI,
        "emoji",
        "One or several emoji, with or without a leading space.",
        ("😀", " 👍🏽", "❤️"),
        rf" ?(?:[{_PICTURE}]|{_SELECTED})(?:[{_PICTURE}{_JOINED}]|{_SELECTED})*",
    ),
    CategoryRule(
        Category.CONTROL,
        "control and invisible characters",
        "Characters of Unicode's group C, such as NUL and the zero-width space, with or without white space.",
        ("\x00", "\u200b"),
        rf"[\p{{C}}{_BLANK}]+",
    ),
    CategoryRule(
        Category.SYMBOL,
        "other punctuation and symbols",
        "None of the above, and neither letter nor digit: marks and signs, also with white space and invisible "
        "characters.",
        ("—", " €", "。"),
        rf"[\p{{P}}\p{{S}}\p{{C}}{_BLANK}\x{{FE0F}}\x{{20E3}}]+",
    ),
    CategoryRule(
        Category.LATIN_WORD,
        "Latin word with a leading space",
        "One leading space, then characters of the script Latin, with marks on them.",
        (" the", " São"),
        f" {_LATIN}",
    ),
    CategoryRule(
        Category.LATIN_PART,
        "Latin word part",
        "Characters of the script Latin, with marks on them, without a leading space.",
        ("ing", "The", "é"),
        _LATIN,
    ),
    CategoryRule(
        Category.LATIN_MARKED,
        "Latin letters with an apostrophe or a hyphen",
        "Latin letters and ' ’ or - before or between them, or one behind them; with or without a leading space.",
        ("'s", " don't", "-based"),
        rf" ?(?:{_LATIN})?(?:['’\-]{_LATIN})+| ?{_LATIN}['’\-]",
    ),
    CategoryRule(
        Category.CODE,
        "code-like",
        "None of the above, in ASCII alone, with at least one letter or digit: with marks, with each other, or with "
        "white space other than one leading space.",
        (".get(", "_name", "x1"),
        rf"{_ASCII}*[0-9A-Za-z]{_ASCII}*",
    ),
    CategoryRule(
        Category.MIXED,
        "other mixtures",
        "None of the above, and not letters alone: most are letters beyond ASCII with punctuation or digits.",
        ("的，", "2月", "“How"),
        rf"(?s)[^{_LETTER} \x{{3000}}].*|.+[^{_LETTER}].*",
    ),
    _script(Category.CYRILLIC, "Cyrillic", (" мир", "ни")),
    _script(Category.GREEK, "Greek", (" και", "λ")),
    _script(Category.ARABIC, "Arabic", (" من", "ال")),
    _script(Category.HEBREW, "Hebrew", (" של", "ים")),
    _script(Category.ARMENIAN, "Armenian", (" եւ", "ում")),
    _script(Category.GEORGIAN, "Georgian", (" და", "ის")),
    _script(Category.DEVANAGARI, "Devanagari", (" और", "हि")),
    _script(Category.BENGALI, "Bengali", (" এবং", "কে")),
    _script(Category.GUJARATI, "Gujarati", (" અને", "ના")),
    _script(Category.TAMIL, "Tamil", (" ஒரு", "கள்")),
    _script(Category.TELUGU, "Telugu", (" ఒక", "లు")),
    _script(Category.KANNADA, "Kannada", (" ಮತ್ತು", "ಗಳು")),
    _script(Category.MALAYALAM, "Malayalam", (" ഒരു", "ന്ന")),
    _script(Category.THAI, "Thai", ("ที่", "การ")),
    _script(Category.HANGUL, "Hangul", (" 한국", "는")),
    CategoryRule(
        Category.HAN,
        "Han",
        "Characters of the script Han alone, with or without a leading space, also a wide one.",
        ("的", "中国"),
        r"[ \x{3000}]?\p{Han}[\p{Han}\p{M}]*",
    ),
    CategoryRule(
        Category.KANA,
        "Kana",
        "Hiragana or Katakana, also together with Han, with or without a leading space, also a wide one.",
        ("です", "データ", "食べ"),
        rf"[ \x{{3000}}]?[{_KANA}\p{{Han}}\p{{M}}]*[{_KANA}][{_KANA}\p{{Han}}\p{{M}}]*",
    ),
    CategoryRule(
        Category.OTHER_SCRIPT,
        "other scripts",
        "Letters and marks of any other script, or of several, with or without a leading space.",
        ("አማ", "ខ្មែរ", "日a"),
        rf"[ \x{{3000}}]?[{_LETTER}]+",
    ),
    CategoryRule(
        Category.PART_CHARACTER,
        "part of a character",
        "Bytes that aren't whole UTF-8 characters, also behind whole ones.",
        ("⟨E2 80⟩", " ⟨F0 9F⟩"),
    ),
    CategoryRule(
        Category.SPECIAL,
        "special token",
        "A token that stands for no bytes of text and has a role.",
        ("<|begin_of_text|>",),
    ),
    CategoryRule(
        Category.UNUSED,
        "unused id",
        "An id that no token has, or a token without bytes and without a role.",
        (),
    ),
)


def categories(vocabulary: Vocabulary) -> Ints:
    """[V] uint8, the `Category` of each token.

    >>> from xtoken_core import catalog
    >>> of = categories(catalog.load("gpt2").vocabulary)
    >>> [Category(of[token]).title for token in (22, 262, 1264)]  # "7", " the", "201"
    ['one digit', 'Latin word with a leading space', 'three digits']
    """
    tokens = vocabulary.tokens()
    texts = column([data if is_whole(data) else b"" for data in tokens], pa.string())
    found = np.full(len(tokens), Category.PART_CHARACTER, np.uint8)
    for rule in reversed(RULES):
        if rule.pattern:
            matches = pc.match_substring_regex(texts, f"^(?:{rule.pattern})$")
            found[matches.to_numpy(zero_copy_only=False)] = rule.category
    for token, role in vocabulary.roles.items():
        found[token] = Category.UNUSED if role in (UNUSED, EMPTY) else Category.SPECIAL
    return found
