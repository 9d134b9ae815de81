"""
Texts for the benchmarks, all written here: a kind of text is a function that draws one passage.

    passage(random) -> "Nadia counted 1,204 lanterns in the harbour before the fog came. "

The draws are seeded by the kind's name, so every run and every machine measures the same text.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from random import Random

from xtoken_core.tokenizer import Tokenizer

Passage = Callable[[Random], str]


def listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


NOUNS = listed("""
    harbour lantern orchard ledger bridge kitchen engine glacier market violin compass window meadow archive signal
    carpet factory library whistle mountain bakery envelope staircase telescope village blanket theatre chimney
    notebook valley printer battery river ladder parliament hospital umbrella tunnel island museum contract mirror
    laboratory teapot festival shipyard magnet courtyard satellite vineyard keyboard cathedral pension thermometer
""")
ADJECTIVES = listed("""
    quiet crooked bright forgotten narrow generous frozen curious expensive hollow ancient restless wooden distant
    fragile enormous ordinary bitter transparent reluctant coastal unfinished rusty gentle suspicious seasonal
    mechanical invisible stubborn provisional peculiar magnificent accidental unreasonable
""")
VERBS = listed("""
    counted repaired painted followed remembered borrowed measured ignored described carried discovered promised
    translated delivered questioned collected abandoned polished defended photographed misunderstood reorganised
""")
NAMES = listed("Nadia Tomasz Ingrid Okonkwo Beatrice Farouk Leilani Sven Priya Montgomery Yusuf Clementine Aoife Ravi")
SYLLABLES = listed("bar del mor tun wick ham ash thorne el ford ling vor sten kir mead ros ca lin dra hol")

SENTENCES = (
    "{name} {verb} {number} {noun}s in the {adjective} {noun} before the fog came. ",
    "Nobody in {place} {verb} the {adjective} {noun}, although it had stood there since {year}. ",
    '"If the {noun} breaks again," {name} said, "we\'ll sell the {noun} and move to {place}." ',
    "The {adjective} {noun} cost {number} crowns; the {adjective} one was free. ",
    "It rained for {number} days, so {name} {verb} every {noun} twice.\n\n",
    "What the {noun} of {place} doesn't explain is why {name} {verb} it so late. ",
    "Between {place} and {place} there's a {noun}, a {adjective} {noun} and not much else. ",
    "According to the {adjective} report ({year}), {number}% of all {noun}s were {adjective}. ",
    "She {verb} the {noun}. He {verb} the {noun}. They never spoke of the {noun} again. ",
    "Dear {name}, the {noun} has arrived, but the {noun} was {adjective} and, frankly, {adjective}.\n",
)

CODE = (
    "def {noun}_{verb}({noun}: int, {noun}s: list[str]) -> dict[str, float]:\n"
    '    """Returns every {noun} that was {verb}."""\n'
    "    return {key: {number} * len(key) / 3.5 for key in {noun}s if key != '{adjective}'}\n\n\n",
    "for (int i = 0; i < {noun}_count; ++i) {\n\tif ({noun}[i]->{adjective} && !{noun}[i]->done) {\n"
    '\t\tprintf("%s: %d\\n", {noun}[i]->name, {number});\n\t}\n}\n',
    "class {name}{place}(Base):\n    __slots__ = ('{noun}', '_{adjective}')\n\n    @property\n"
    "    def {noun}(self):\n        return self._{adjective} ** 2 or {number}\n\n",
    "const {noun}{place} = async ({ {noun}, {adjective} = {number} }) => {\n"
    "  await fetch(`/api/{noun}s/${noun}.id}?year={year}`);\n};\n\n",
    "SELECT {noun}_id, COUNT(*) AS n FROM {noun}s WHERE {adjective} = TRUE AND year >= {year} GROUP BY 1;\n",
    '# TODO({name}): {verb} the {adjective} {noun}, see #{number}\nassert {noun} == 0x{number}FF, f"{{noun}!r}"\n',
)

CYRILLIC = listed("""
    Старый дом у реки построили задолго до войны, и никто уже не помнит его первых хозяев.
    Каждое утро почтальон приносил письма, газеты и маленькие посылки из далёкого города.
    Учёные измерили температуру воды в озере и записали результаты в толстую тетрадь.
    Ми довго йшли лісом, аж поки побачили хату з зеленим дахом і криницю біля неї.
    Поїзд запізнився на дві години, тому всі пасажири пили чай і розповідали історії.
    Правительство обещало пересмотреть закон об образовании, но решение снова отложили.
    Какой необыкновенный голос у этой женщины, сказал он и закрыл окно.
""")
CHINESE = (
    "河边的老房子建于很久以前，没有人记得第一位主人是谁。每天早晨邮递员都会带来信件和报纸。科学家测量了湖水的温度，并把结果写进"
    "笔记本。火车晚点了两个小时，旅客们喝着茶讲故事。政府答应重新审议教育法案，但是决定又被推迟了。"
)
JAPANESE = (
    "川のそばの古い家はずっと昔に建てられ、最初の持ち主を覚えている人はいない。毎朝、郵便屋さんが手紙と新聞を届けてくれた。"
    "カメラとノートパソコンを鞄に入れて、彼女は駅まで歩いた。電車は二時間も遅れていた。"
)
KOREAN = listed("""
    강가의 오래된 집은 아주 옛날에 지어졌고 첫 주인을 기억하는 사람은 아무도 없다
    매일 아침 우체부가 편지와 신문을 가져왔다 과학자들은 호수의 온도를 재고 결과를 공책에 적었다
    기차가 두 시간 늦어서 승객들은 차를 마시며 이야기를 나누었다 정부는 교육법을 다시 검토하겠다고 약속했다
""")
VIETNAMESE = listed("""
    Ngôi nhà cũ bên sông được xây dựng từ rất lâu và không ai còn nhớ chủ nhân đầu tiên của nó.
    Mỗi buổi sáng người đưa thư mang đến những lá thư, tờ báo và vài gói hàng nhỏ.
    Các nhà khoa học đã đo nhiệt độ nước hồ rồi ghi kết quả vào một quyển vở dày.
    Chuyến tàu bị trễ hai tiếng nên hành khách vừa uống trà vừa kể chuyện cho nhau nghe.
""")
ACCENTED = listed("café naïve déjà façade jalapeño Zürich crème señor fiancée Malmö Ålesund Čapek")
EMOJI = listed("😀 😂 🥲 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 🇯🇵 1️⃣ ❤️ 🔥 🎉 🧑🏿‍🚀 🐙 🍜 ⚽ 🚲 🗺️ ✅ 🤷‍♀️ 💶 🧪 🌍 🎻 🥐 🦖")


SPECIALS = (
    "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n{}<|im_end|>\n",
    "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n{}<|eot_id|>",
    "<|user|>{}<|end|><|assistant|>{}<|end|>",
    "[INST]{}[/INST]{}</s><s>",
)

DRAWS: Mapping[str, Passage] = {
    "noun": lambda random: random.choice(NOUNS),
    "adjective": lambda random: random.choice(ADJECTIVES),
    "verb": lambda random: random.choice(VERBS),
    "name": lambda random: random.choice(NAMES),
    "place": lambda random: "".join(random.choices(SYLLABLES, k=random.randint(2, 4))).capitalize(),
    "number": lambda random: f"{random.randrange(10 ** random.randint(1, 6)):,}",
    "year": lambda random: str(random.randint(1700, 2030)),
}
SLOT = re.compile(r"\{(" + "|".join(DRAWS) + r")\}")


def filled(templates: Sequence[str], random: Random) -> str:
    """One of the templates; a {slot} that stands in it twice is drawn twice."""
    return SLOT.sub(lambda slot: DRAWS[slot[1]](random), random.choice(templates))


def prose(random: Random) -> str:
    return filled(SENTENCES, random)


def code(random: Random) -> str:
    return filled(CODE, random)


def digits(random: Random) -> str:
    number = random.randrange(10 ** random.randint(1, 12))
    return random.choice(("{} ", "{:,}\n", "{}.5, ", "+{} = ", "{}", "-{}e3\t")).format(number)


def emoji(random: Random) -> str:
    pictures = [*random.choices(EMOJI, k=random.randint(1, 6)), characters(random, "🌀", "🙏")]
    return "".join(pictures) + random.choice(("", "", " ", "\n"))


def cjk(random: Random) -> str:
    if random.random() < 0.3:
        return phrase(random, KOREAN)
    text = random.choice((CHINESE, JAPANESE))
    start = random.randrange(len(text) - 5)
    return text[start : start + random.randint(5, 30)] + characters(random, "一", "龥")


def cyrillic(random: Random) -> str:
    return phrase(random, (*CYRILLIC, characters(random, "а", "я")))


def phrase(random: Random, words: Sequence[str]) -> str:
    return " ".join(random.choices(words, k=random.randint(4, 12))) + " "


def characters(random: Random, first: str, last: str) -> str:
    """A few neighbours in Unicode, in no order: words that no tokenizer has."""
    return "".join(chr(random.randint(ord(first), ord(last))) for _ in range(random.randint(1, 6)))


def mix(random: Random) -> str:
    """Digits, euro signs, emoji, CJK and Cyrillic."""
    return f"{digits(random)}€ {emoji(random)}{cjk(random)} {cyrillic(random)}€{digits(random)}"


def accents(random: Random) -> str:
    """About 50 tokens with one decomposed word: one difference where the other side composes."""
    return decomposed(f"{prose(random)}{prose(random)}{random.choice(ACCENTED)} {random.choice(NOUNS)}s, ")


def hangul(random: Random) -> str:
    return decomposed(phrase(random, KOREAN))


def vietnamese(random: Random) -> str:
    return decomposed(phrase(random, VIETNAMESE))


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def chat(random: Random) -> str:
    """Two turns in the marks of one of four model families: special tokens to one tokenizer, plain text to another."""
    return random.choice(SPECIALS).format(prose(random), prose(random))


def repeated(random: Random) -> str:
    return random.choice("aaeo=-_#0 \n\t.хの") * int(2 ** random.uniform(0, 12)) + random.choice(("", " ", "x", "\n"))


KINDS: Mapping[str, Passage] = {
    "English prose": prose,
    "code": code,
    "digits": digits,
    "emoji": emoji,
    "CJK": cjk,
    "Cyrillic": cyrillic,
    "mix": mix,
    "NFD, one word in 50 tokens": accents,
    "NFD Hangul": hangul,
    "NFD Vietnamese": vietnamese,
    "chat": chat,
    "repeated characters": repeated,
}


def texts_of(kind: str, tokenizer: Tokenizer, lengths: Sequence[int]) -> dict[int, str]:
    """For each length a text of about so many of the tokenizer's tokens; the shorter are the start of the longest."""
    random = Random(kind)
    longest, passages = max(lengths), 64
    text = ""
    offsets: list[tuple[int, int]] = []
    while len(offsets) < longest:
        text += "".join(KINDS[kind](random) for _ in range(passages))
        offsets = tokenizer.backend.encode(text).offsets
        # as many passages again as the missing tokens take, and a few more
        passages = 8 + (longest - len(offsets)) * passages * 11 // 10 // len(offsets)
    return {length: text[: offsets[length - 1][1]] for length in lengths}
