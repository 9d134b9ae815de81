"""Texts made to hurt, by what hurts."""

import unicodedata

HURTING: dict[str, str] = {
    "empty": "",
    "one space": " ",
    "leading spaces": "   three spaces first",
    "NFD accents": unicodedata.normalize("NFD", "Café où l'élève naïf déjà mangé à Noël, ça va?"),
    "NFC and NFD mixed": "é e\u0301 é e\u0301 ñ n\u0303 Å \u212b",
    "stacked marks": "Z\u0351\u036b\u0343\u036aalgo\u0300\u0301\u0302\u0303 text\u0323\u0307",
    "Hangul NFD": unicodedata.normalize("NFD", "모든 인간은 태어날 때부터 자유롭다"),
    "Vietnamese NFD": unicodedata.normalize("NFD", "Tất cả mọi người sinh ra đều được tự do"),
    "emoji with joiners": "👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇩🇪 1️⃣",
    "CJK": "人人生而自由，在尊严和权利上一律平等。日本語の文章。",
    "Arabic": "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق",
    "Hindi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है",
    "RTL overrides": "user\u202etxt.exe\u202c \u2066abc\u2069 \u200fאבג\u200e",
    "NBSP": "10\u00a0000\u202f€ and\u3000wide",
    "zero-width": "a\u200bb\u200cc\u200dd\ufeffe\u2060f",
    "tabs and CRLF": "a\tb\r\n\tc\r\n\r\n\n\n  d",
    "long digits": "314159265358979323846264338327950288419716939937510" * 3,
    "code": "def f(x):\n    if x:\n\treturn {'a': [1, 2], \"b\": x**2 != 0}\n\n\n# end\n",
    "repeated characters": "a" * 300 + " " + "=" * 120 + " " * 90 + "\n" * 40,
    "special strings": "<s>a</s> <|im_end|><|endoftext|> <|begin_of_text|> [INST] <unk> <|im_start|>user\n<think>",
    "literal pieces": "▁x <0x41> Ġthe Ċ",
    "control characters": "a\x00b\x07c\x1b[31mred\x7f\x85",
    "private and rare": "\ue000 \U0010ffff \U000e0001 𝔘𝔫𝔦 ﬁ ½ ² Ⅷ",
    "markup": "<img src=x onerror=alert(1)> </script><script>alert(1)</script> $x^2$ :red[x] **b**",
    "long words": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft " * 4,
}
