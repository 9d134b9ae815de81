"""Every token in exactly one category: tokens by hand, the published counts, and bytes of all kinds."""

import re
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.handmade import added, byte_level, read
from tests.hurt import HURTING
from tests.real import load
from xtoken_core import catalog
from xtoken_core.categories import RULES, Category, CategoryRule, categories
from xtoken_core.sequence import Ints
from xtoken_core.vocab import ALPHABET, Vocabulary

LETTERS = {byte: chr(letter) for letter, byte in ALPHABET.items()}

BY_HAND: dict[Category, tuple[str, ...]] = {
    Category.ONE_DIGIT: ("0", "7", "¹", "²", "³"),
    Category.TWO_DIGITS: ("00", "42"),
    Category.THREE_DIGITS: ("000", "201"),
    Category.LONG_DIGITS: ("2024", "00000000"),
    Category.OTHER_DIGITS: ("⁴", "½", "٣", "１", "１０", "Ⅵ", "①", "²³", "1²", "〇"),
    Category.NUMBER: (
        *(
            " 7",
            " 42",
            " 201",
            " 2024",
            "3.14",
            "1,000",
            "-5",
            "−5",
            "+1",
            "10%",
            "12:30",
            "2024-01-01",
            "1/2",
            "1'000",
        ),
        *("1.", ".5", " ½", "12 ", " 12 ", "1\n", "42\n", "201\n", "\n1", "10\u00a0000", "٣٫٥"),
    ),
    Category.ASCII_PUNCTUATION: tuple("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    Category.WHITESPACE: (" ", "  ", "\n", "\r\n", "\t\t", " \n\n", "\u00a0", "\u3000", "\u2028", "\x0b", "\x85"),
    Category.PUNCTUATION_RUN: ("()", "());", ");\n", " .", "\n\n//", "$$", "- -", "}\n\n", " ("),
    Category.EMOJI: ("😀", " 👍🏽", "❤️", "👩‍👩‍👧", "🇩🇪", "🏳️‍🌈", "🤷‍♂️", "1\ufe0f\u20e3"),
    Category.CONTROL: ("\x00", "\x1b", "\u200b", "\ufeff", " \u200b", "\ue000", "\u200d", "\x7f"),
    Category.SYMBOL: ("…", "—", " €", "。", "、", "★", ".\u200b", "·", "”)", "۔"),
    Category.LATIN_WORD: (" the", " The", " I", " São", " ñ", " e\u0301", " ß"),
    Category.LATIN_PART: ("the", "ing", "B", "é", "camelCase", "e\u0301", "ﬁ", "ª"),
    Category.LATIN_MARKED: ("'s", " don't", "-based", "’re", "l'", " d’", "e-mail", " vis-à-vis", "well-"),
    Category.CODE: (
        *(
            ".get",
            ".get(",
            "_id",
            "get_name",
            "x1",
            "\tif",
            " (x",
            "  the",
            "\nthe",
            "the\n",
            "a b",
            ".a",
            "$1",
            "a--b",
        ),
        *("(1", "camelCase(", "</div", "#include", "'s'"),
    ),
    Category.MIXED: ("的，", "2月", "“How", "a\x00", "हि१", "я-", "7\x00", "é(", "\u00a0a", "  мир", "ا۔", "a²"),
    Category.CYRILLIC: (" мир", "ни", "и\u0306"),
    Category.GREEK: (" Ω", "λ", " και"),
    Category.ARABIC: ("ال", " من", "\u064eو", "می\u200cخواهم"),
    Category.HEBREW: (" של", "ים"),
    Category.ARMENIAN: (" եւ",),
    Category.GEORGIAN: (" და",),
    Category.DEVANAGARI: ("हि", "क्\u200d"),
    Category.BENGALI: ("কে",),
    Category.GUJARATI: ("ના",),
    Category.TAMIL: ("கள்",),
    Category.TELUGU: ("లు",),
    Category.KANNADA: ("ಗಳು",),
    Category.MALAYALAM: ("ന്ന",),
    Category.THAI: ("ที่", "การ"),
    Category.HANGUL: (" 한국", "한국어", "\u1112\u1161"),
    Category.HAN: ("的", "々", "\u3000本", " 中"),
    Category.KANA: ("です", "データ", "か\u3099", "食べ", "\u3000の", "ー"),
    Category.OTHER_SCRIPT: ("አማ", "\u0301", "日a", "xд", "µ", "ㄅ", "한日"),
}


def vocabulary_of(*tokens: bytes) -> Vocabulary:
    return read(byte_level(*("".join(map(LETTERS.__getitem__, token)) for token in tokens))).vocabulary


def category_of(token: bytes) -> Category:
    [category] = categories(vocabulary_of(token)).tolist()
    return Category(category)


@cache
def real(name: str) -> Ints:
    return categories(load(name).vocabulary)


@pytest.mark.parametrize("category", BY_HAND, ids=lambda category: category.label)
def test_a_token_picked_by_hand_is_in_its_category(category: Category) -> None:
    found = categories(vocabulary_of(*(text.encode() for text in BY_HAND[category])))
    assert {text: Category(kind).label for text, kind in zip(BY_HAND[category], found.tolist(), strict=True)} == (
        dict.fromkeys(BY_HAND[category], category.label)
    )


def test_every_category_of_text_has_tokens_picked_by_hand() -> None:
    assert list(BY_HAND) == [rule.category for rule in RULES if rule.pattern]


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.pattern], ids=lambda rule: rule.category.label)
def test_the_examples_of_the_table_are_in_their_category(rule: CategoryRule) -> None:
    assert 1 <= len(rule.examples) <= 3
    assert [category_of(text.encode()) for text in rule.examples] == [rule.category] * len(rule.examples)


def test_the_table_has_every_category_once_in_order() -> None:
    assert [rule.category for rule in RULES] == list(Category)
    assert all(rule.rule.endswith(".") for rule in RULES)


@pytest.mark.parametrize(
    "token", [b"\xe2\x80", b"\x80", b" \xf0\x9f", b"ab\xc3", b"7\xff", b"\xc0\x80", b"\xed\xa0\x80"]
)
def test_bytes_that_are_no_whole_characters_are_part_of_a_character(token: bytes) -> None:
    assert category_of(token) is Category.PART_CHARACTER


def test_a_special_token_and_an_unused_id_are_told_by_their_role() -> None:
    spec = byte_level("a", "b", "", added_tokens=[added(3, "<s>"), added(4, "7", special=False), added(5, "42")])
    found = categories(read(spec).vocabulary)
    assert found.dtype == np.uint8
    assert [Category(kind).label for kind in found.tolist()] == [
        *("latin_part", "latin_part", "unused", "special"),
        *("one_digit", "special"),  # an added token that isn't special is text
    ]


@pytest.mark.parametrize(
    ("category", "count"),
    [
        (Category.ONE_DIGIT, 13),
        (Category.TWO_DIGITS, 100),
        (Category.THREE_DIGITS, 1000),
        (Category.LONG_DIGITS, 0),
        (Category.ASCII_PUNCTUATION, 32),
        (Category.SPECIAL, 256),
        (Category.UNUSED, 0),
    ],
    ids=lambda value: getattr(value, "label", value),
)
def test_llama_has_as_many_tokens_of_a_category_as_published(category: Category, count: int) -> None:
    assert np.count_nonzero(real("llama-3.2") == category) == count


def test_qwen_has_the_same_single_digits_and_no_longer_ones() -> None:
    counted = np.bincount(real("qwen3"), minlength=len(Category))
    assert counted[[Category.ONE_DIGIT, Category.TWO_DIGITS, Category.THREE_DIGITS]].tolist() == [13, 0, 0]


@pytest.mark.parametrize("name", catalog.ENTRIES)
def test_every_token_of_a_real_vocabulary_has_a_category(name: str) -> None:
    vocabulary = load(name).vocabulary
    assert real(name).shape == (len(vocabulary),)
    assert real(name).max() < len(Category)
    assert set(np.flatnonzero(real(name) >= Category.SPECIAL).tolist()) == set(vocabulary.roles)


@pytest.mark.parametrize("name", catalog.ENTRIES)
def test_real_tokens_are_where_a_slow_reading_puts_them(name: str) -> None:
    tokens = load(name).vocabulary.tokens()
    slow = {
        Category.ONE_DIGIT: re.compile("[0-9¹²³]"),
        Category.TWO_DIGITS: re.compile("[0-9]{2}"),
        Category.THREE_DIGITS: re.compile("[0-9]{3}"),
        Category.LONG_DIGITS: re.compile("[0-9]{4,}"),
        Category.CODE: re.compile(
            r"(?=.*[0-9A-Za-z])(?! ?[A-Za-z]+$)(?! ?[A-Za-z]*(['-][A-Za-z]+)+$)(?! ?[A-Za-z]+['-]$)"
            r"(?![0-9+.,:/'%\s-]+$)[ -~\t-\r]+",
            re.DOTALL,
        ),
        Category.ASCII_PUNCTUATION: re.compile(r"[!-~](?<![0-9A-Za-z])"),
        Category.WHITESPACE: re.compile(r"[^\S\x1c-\x1f]+"),  # four controls are blank to Python
    }
    for category, pattern in slow.items():
        found = {tokens[token] for token in np.flatnonzero(real(name) == category).tolist()}
        assert found == {data for data in tokens if data and pattern.fullmatch(data.decode(errors="surrogateescape"))}


@settings(deadline=None)
@given(st.one_of(st.text(), st.sampled_from(list(HURTING.values()))))
def test_any_text_is_in_a_category_of_text(text: str) -> None:
    assert not text or category_of(text.encode()) < Category.PART_CHARACTER


@settings(deadline=None)
@given(st.binary(min_size=1))
def test_any_bytes_are_in_the_category_of_their_wholeness(data: bytes) -> None:
    broken = re.search("[\udc80-\udcff]", data.decode(errors="surrogateescape"))
    assert (category_of(data) is Category.PART_CHARACTER) == bool(broken)


def test_every_category_has_a_name_and_words_of_its_own() -> None:
    assert len({category.title for category in Category}) == len({category.label for category in Category})
    assert (Category.THREE_DIGITS.label, Category.THREE_DIGITS.title) == ("three_digits", "three digits")
