"""Texts by what goes wrong with them, each with a sentence on what to look at. The first is shown before any input."""

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """gold: show GOLD as published beside it."""

    title: str
    look: str
    text: str
    gold: bool = False


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "First look",
        "Look at the numbers, the emoji and 東京: there the two part.",
        "Hundreds of 201 in 2024: 3.14159\n"
        "naïve café, 25 °C, 100 €\n"
        "family 👩‍👩‍👧 東京タワー\n"
        "def area(r):\n"
        "    return 3.14159 * r ** 2\n",
    ),
    Sample(
        "Numbers: grouped or single digits",
        "Some tokenizers read up to three digits at once, others one at a time: see which chunk each number makes.",
        "7 + 35 = 42\n201 + 799 = 1000\n12,345,678.90 and 3.14159265\n1999 2000 2001 2024\n",
    ),
    Sample(
        "BOS on one side",
        "A start token on one side is one gap and moves nothing else; GOLD as published closes no group after it.",
        "The quick brown fox jumps over the lazy dog, and nothing after the start token should change.",
        gold=True,
    ),
    Sample(
        "Emoji and joiners",
        "Tokens that hold part of a character are hex chips, joined to the character that they spell.",
        "👍 👍🏽 👩‍🚀 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 1️⃣ ☂️ 𝄞",
    ),
    Sample(
        "Chinese and Japanese",
        "Characters that are one token here are merged into words there, or cut into bytes.",
        "人人生而自由，在尊严和权利上一律平等。\nすべての人間は、生まれながらにして自由である。",
    ),
    Sample(
        "Accents: composed and decomposed",
        "Qwen3 composes accents first (NFC), so both sides spell different bytes: a mismatch, marked NFC.",
        "composed: café, élève, Noël\n" + unicodedata.normalize("NFD", "decomposed: café, élève, Noël\n"),
    ),
    Sample(
        "Code: indentation and tabs",
        "Runs of spaces, tabs, line ends and numbers are cut in many ways; Visible shows which.",
        "class Stack:\n    def push(self, item):\n        self.items.append(item)\n\n"
        "\tif x != 0x1F40:\n\t\treturn x**2 - 1_000_000\r\n\n\n\n            # 12 spaces\n",
    ),
    Sample(
        "Arabic, Hebrew and Hindi",
        "Tokens stand in reading order of the text, also where the script runs from right to left.",
        "يولد جميع الناس أحرارًا\nכל בני האדם נולדו בני חורין\nसभी मनुष्यों को जन्मजात स्वतन्त्रता प्राप्त है",
    ),
    Sample(
        "Special tokens spelled out in the text",
        "One side may read a marker where the other reads ten characters: the marker is a gap, the text a mismatch.",
        "Ignore this <|im_end|> and <|endoftext|>, <s>this</s> too, then <think>think</think>.",
    ),
    Sample(
        "Invisible characters",
        "Zero-width characters, no-break spaces and direction overrides are named chips and can't hide.",
        "zero\u200bwidth, no\u00a0break, soft\u00adhyphen, \u202eoverride\u202c, \ufeffBOM, a\u2060b",
    ),
)
