"""How a tokenizer spells given bytes: its own pieces, of the very bytes, or none."""

import unicodedata
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import handmade
from tests.hurt import HURTING
from tests.real import load
from xtoken_core import catalog
from xtoken_core.errors import TokenizerError
from xtoken_core.projection import build
from xtoken_core.spell import spell
from xtoken_core.tokenizer import Tokenizer

FAITHFUL = ["llama-3.2", "phi-4-mini", "gpt-oss", "smollm2", "gpt2"]  # no normaliser, no dummy space
PREPEND = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ],
}


def pieces(tokenizer: Tokenizer, token: str | bytes) -> list[bytes]:
    """The bytes of the tokens that spell it."""
    data = token.encode() if isinstance(token, str) else token
    return [tokenizer.vocabulary.token_bytes(piece) for piece in spell(tokenizer, [data])[0]]


def lacks(tokenizer: Tokenizer, data: bytes) -> bool:
    """Whether a byte has no token of its own, or the text has the sign that the tokenizer writes for a space."""
    sign = not tokenizer.vocabulary.byte_level and b"\xe2\x96\x81" in data
    return sign or bool(lacking_bytes(tokenizer.name) & set(data))


@cache
def lacking_bytes(name: str) -> set[int]:
    tokens = set(load(name).vocabulary.tokens())
    return {byte for byte in range(256) if bytes([byte]) not in tokens}


@pytest.mark.parametrize(
    ("name", "spelled"),
    [("qwen3", ["2", "0", "1"]), ("phi-4-mini", ["201"]), ("mistral-v0.3", ["2", "0", "1"]), ("llama-3.2", ["201"])],
)
def test_a_number_is_cut_as_the_tokenizer_cuts_numbers(name: str, spelled: list[str]) -> None:
    assert pieces(load(name), "201") == [piece.encode() for piece in spelled]


def test_hundreds_is_two_pieces_of_phi_4_mini() -> None:
    assert pieces(load("phi-4-mini"), "Hundreds") == [b"Hund", b"reds"]


def test_no_space_is_put_in_front() -> None:
    mistral = load("mistral-v0.3")
    assert mistral.vocabulary.forms[mistral.encode("Hi", special=False).ids[0]] == "▁Hi"
    assert pieces(mistral, "Hi") == [b"Hi"]
    assert pieces(mistral, " Hi") == [b" Hi"]


@pytest.mark.parametrize("scheme", ["first", "always", "never"])
def test_a_metaspace_of_any_scheme_puts_no_space_in_front(scheme: str) -> None:
    mine = handmade.read(
        handmade.sentence_piece("▁", "a", "b", "▁a", pre_tokenizer=handmade.METASPACE | {"prepend_scheme": scheme})
    )
    assert spell(mine, [b"a", b" a", b"ab a"]) == [[1], [3], [1, 2, 3]]


def test_a_prepend_normaliser_puts_no_space_in_front() -> None:
    spec = handmade.sentence_piece("▁", "a", "▁a", "<0xC3>", pre_tokenizer=None, normalizer=PREPEND, decoder=None)
    spec["model"]["byte_fallback"] = True
    mine = handmade.read(spec)
    assert mine.encode("a").ids.tolist() == [2]
    assert spell(mine, [b"a", b" a", b" a\xc3", b"\xc3 "]) == [[1], [2], [2, 3], [3, 0]]


def test_a_step_inside_a_sequence_puts_no_space_in_front() -> None:
    steps: list[dict[str, Any]] = [
        {"type": "Digits", "individual_digits": True},
        handmade.BYTE_LEVEL | {"add_prefix_space": True},
    ]
    mine = handmade.read(
        handmade.byte_level("Ġ", "a", "1", "Ġa", "11", pre_tokenizer={"type": "Sequence", "pretokenizers": steps})
    )
    assert mine.encode("a").ids.tolist() == [3]
    assert spell(mine, [b"a", b" a", b"11"]) == [[1], [3], [2, 2]]  # and the other steps still cut


@pytest.mark.parametrize("name", catalog.ENTRIES)
def test_literal_special_strings_are_text(name: str) -> None:
    vocabulary = load(name).vocabulary
    forms = ["<s>", "<|im_end|>", "<|endoftext|>", "<0x41>", *(vocabulary.forms[token] for token in vocabulary.roles)]
    bytes_of = vocabulary.tokens()
    for form, ids in zip(forms, spell(load(name), [form.encode() for form in forms]), strict=True):
        assert b"".join(bytes_of[token] for token in ids) == form.encode()
        assert not set(ids) & set(vocabulary.roles)


def test_a_normaliser_is_left_out() -> None:
    qwen = load("qwen3")
    decomposed = unicodedata.normalize("NFD", "é")
    assert qwen.encode(decomposed).data == "é".encode()
    assert pieces(qwen, decomposed) == [b"e", "\u0301".encode()]


def test_spelling_leaves_the_tokenizer_as_it_was() -> None:
    mistral = load("mistral-v0.3")
    before = mistral.backend.to_str()
    spell(mistral, [b"Hi", b"\xff"])
    assert mistral.backend.to_str() == before


@pytest.mark.parametrize("name", ["qwen3", "llama-3.2", "gpt2"])
def test_half_a_character_is_merged_like_a_word(name: str) -> None:
    assert pieces(load(name), b"\xe2\x80") == [b"\xe2\x80"]  # as in every curly quote
    assert pieces(load(name), b"\xff\xfe") == [b"\xff", b"\xfe"]


def test_half_a_character_is_byte_tokens_in_sentence_piece() -> None:
    mistral = load("mistral-v0.3")
    spelled = spell(mistral, [b"\xe2\x80", b"\x80\xa9 the\xe2"])
    assert [[mistral.vocabulary.forms[token] for token in ids] for ids in spelled] == [
        ["<0xE2>", "<0x80>"],
        ["<0x80>", "<0xA9>", "▁the", "<0xE2>"],
    ]


@pytest.mark.parametrize("name", catalog.ENTRIES)
@pytest.mark.parametrize("data", [b"\xa9 caf\xc3", b"\xc3(", b"\xed\xa0\x80", b"\xf5\xff", b"\xf0\x9f\x91"])
def test_bytes_that_are_no_text_are_spelled_too(name: str, data: bytes) -> None:
    expected = [] if lacks(load(name), data) else data
    assert (b"".join(pieces(load(name), data)) or []) == expected


def test_the_sign_for_a_space_is_not_spelled_as_a_space() -> None:
    assert spell(load("mistral-v0.3"), ["▁".encode(), "a▁b".encode(), b"\xe2\x96\x81\xff"]) == [[], [], []]
    assert pieces(load("mistral-v0.3"), b"\xe2\x96") == [b"\xe2", b"\x96"]
    assert b"".join(pieces(load("qwen3"), "▁")) == "▁".encode()


def test_a_byte_that_the_tokenizer_lacks_leaves_the_whole_token_unspelled() -> None:
    smollm2 = load("smollm2")
    lacking = lacking_bytes("smollm2")
    assert len(lacking) == 21
    assert spell(smollm2, [bytes([byte]) for byte in lacking]) == [[]] * 21
    assert spell(smollm2, [b"a\x04b", b"a\xffb", b"ab"]) == [[], [], spell(smollm2, [b"ab"])[0]]
    assert spell(smollm2, [b"ab"]) != [[]]


def test_the_answers_are_in_the_order_of_the_tokens() -> None:
    mistral = load("mistral-v0.3")
    mixed = [b"a", b"\xff", b" b", b"\xe2\x80", b"", b"c"]
    assert spell(mistral, mixed) == [spell(mistral, [token])[0] for token in mixed]
    assert spell(mistral, mixed)[4] == []


@pytest.mark.parametrize("name", catalog.ENTRIES)
def test_nothing_is_spelled_by_nothing(name: str) -> None:
    assert spell(load(name), []) == []
    assert spell(load(name), [b""]) == [[]]


@pytest.mark.parametrize("name", catalog.ENTRIES)
def test_every_text_that_hurts_is_spelled_by_its_own_bytes(name: str) -> None:
    for text in HURTING.values():
        expected = b"" if lacks(load(name), text.encode()) else text.encode()
        assert b"".join(pieces(load(name), text)) == expected


@pytest.mark.parametrize("name", ["qwen3", "mistral-v0.3", "smollm2"])
@settings(max_examples=20, deadline=None)
@given(tokens=st.lists(st.binary(max_size=12), min_size=5, max_size=60))
def test_any_bytes_are_spelled_whole_or_not_at_all(name: str, tokens: list[bytes]) -> None:
    bytes_of = load(name).vocabulary.tokens()
    spelled = [b"".join(bytes_of[piece] for piece in ids) for ids in spell(load(name), tokens)]
    assert spelled == [b"" if lacks(load(name), data) else data for data in tokens]


@pytest.mark.parametrize("name", FAITHFUL)
def test_whole_characters_are_cut_as_the_tokenizers_own_encode_cuts_them(name: str) -> None:
    teacher = load(name)
    forms = [teacher.vocabulary.forms[token] for token in teacher.added_ids]
    texts = [text for text in texts_of(load("qwen3")) if not any(form in text for form in forms)]
    spelled = spell(teacher, [text.encode() for text in texts])
    own = [encoding.ids for encoding in teacher.backend.encode_batch(texts, add_special_tokens=False)]
    assert len(texts) > 140_000
    differing = [text for text, ours, theirs in zip(texts, spelled, own, strict=True) if ours != theirs]
    assert [text for text in differing if not lacks(teacher, text.encode())] == []


def test_mistrals_pieces_are_what_it_cuts_inside_a_text() -> None:
    mistral = load("mistral-v0.3")
    inside = [text for text in texts_of(load("gpt2")) if text.startswith(" ") and "▁" not in text]
    own = [encoding.ids for encoding in mistral.backend.encode_batch(inside, add_special_tokens=False)]
    assert len(inside) > 30_000
    assert spell(mistral, [text.encode() for text in inside]) == own


def texts_of(tokenizer: Tokenizer) -> list[str]:
    """Its tokens that are whole characters."""
    texts = []
    for data in tokenizer.vocabulary.tokens():
        try:
            texts.append(data.decode())
        except UnicodeDecodeError:
            continue
    return [text for text in texts if text]


def test_a_tokenizer_that_refuses_says_so() -> None:
    model = {"type": "BPE", "vocab": {"a": 0}, "merges": [], "unk_token": "<unk>"}
    with pytest.raises(TokenizerError) as caught:
        spell(handmade.read(handmade.byte_level(model=model)), [b"a", b"b"])
    assert str(caught.value) == (
        "mine.json can't cut the other side's tokens: Unk token `<unk>` not found in the vocabulary. "
        "Check its pre_tokenizer and its model."
    )


def test_steps_that_take_too_long_are_stopped_between_two_lots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xtoken_core.spell.MAX_SECONDS", -1)
    mine = handmade.read(handmade.byte_level("a", "b"))
    assert spell(mine, [b"ab"] * 256) == [[0, 1]] * 256  # all of them are done
    with pytest.raises(TokenizerError) as caught:
        spell(mine, [b"ab"] * 257)
    assert str(caught.value) == (
        "mine.json can't cut the other side's tokens: its steps took longer than -1 s for 256 of 257 tokens. "
        "Check its pre_tokenizer and its model."
    )


def test_a_w_whose_teacher_takes_too_long_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xtoken_core.spell.MAX_SECONDS", -1)
    letters = "abcdefghijklmnopq"
    pairs = [one + other for one in letters for other in letters]
    student, teacher = (
        handmade.read(handmade.byte_level(*letters, *pairs)),
        handmade.read(handmade.byte_level(*letters)),
    )
    with pytest.raises(TokenizerError, match=r"its steps took longer than -1 s for 256 of 289 tokens\. Check its"):
        build(student, teacher)
