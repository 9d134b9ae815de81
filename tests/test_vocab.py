"""Tokens as bytes: worked ids, the real vocabularies against a slow reading, and files that can't be used."""

import json
import re
import unicodedata
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.handmade import BYTE_LEVEL, METASPACE, added, as_bytes, byte_level, read, sentence_piece, template
from tests.hurt import HURTING
from tests.real import load, published
from tests.reference import slow_vocabulary
from xtoken_core import catalog
from xtoken_core.errors import TextError, TokenizerError
from xtoken_core.sequence import DUMMY_SPACE
from xtoken_core.tokenizer import DummySpace, Tokenizer
from xtoken_core.vocab import ALPHABET, MAX_IDS, UNUSED, vocabulary_from_json


@pytest.mark.parametrize(
    ("name", "token", "form", "spelled"),
    [
        ("llama-3.2", 279, "Ġthe", b" the"),
        ("gpt2", 262, "Ġthe", b" the"),
        ("mistral-v0.3", 1040, "▁the", b" the"),
        ("mistral-v0.3", 997, "<0xE2>", b"\xe2"),
        ("qwen3", 151_667, "<think>", b"<think>"),  # added, but not special: it's text
    ],
)
def test_a_worked_token_is_these_bytes(name: str, token: int, form: str, spelled: bytes) -> None:
    vocabulary = load(name).vocabulary
    assert vocabulary.forms[token] == form
    assert vocabulary.token_bytes(token) == spelled
    assert token not in vocabulary.roles


@pytest.mark.parametrize(
    ("name", "token", "form", "role"),
    [
        ("llama-3.2", 128_000, "<|begin_of_text|>", "bos"),
        ("mistral-v0.3", 2, "</s>", "eos"),
        ("qwen3", 151_645, "<|im_end|>", "turn_end"),
        ("phi-4-mini", 200_020, "<|end|>", "turn_end"),
        ("smollm2", 1, "<|im_start|>", "turn_start"),
        ("gpt2", 50_256, "<|endoftext|>", "eos"),
        ("gpt-oss", 200_002, "<|return|>", "<|return|>"),  # no other family has it: it meets only itself
    ],
)
def test_a_special_token_is_no_bytes_and_has_a_role(name: str, token: int, form: str, role: str) -> None:
    vocabulary = load(name).vocabulary
    assert vocabulary.forms[token] == form
    assert vocabulary.token_bytes(token) == b""
    assert vocabulary.roles[token] == role


def test_the_alphabet_names_every_byte_once() -> None:
    assert sorted(ALPHABET.values()) == list(range(256))
    assert len(ALPHABET) == 256


@pytest.mark.parametrize("name", catalog.ENTRIES)
def test_every_id_spells_what_a_slow_reading_says(name: str) -> None:
    vocabulary = load(name).vocabulary
    slow = slow_vocabulary(json.loads(published(name)))
    assert sorted(slow) == list(range(len(vocabulary)))
    whole = vocabulary.sequence(range(len(vocabulary)))
    assert whole.data == b"".join(slow[token] for token in range(len(vocabulary)))
    assert np.array_equal(vocabulary.lengths, [len(slow[token]) for token in range(len(vocabulary))])
    assert {mark.position for mark in whole.marks} == set(vocabulary.roles)


@pytest.mark.parametrize("name", catalog.ENTRIES)
def test_the_library_names_every_id_as_we_do(name: str) -> None:
    tokenizer = load(name)
    forms = {token: form for form, token in tokenizer.backend.get_vocab(with_added_tokens=True).items()}
    assert tokenizer.vocabulary.forms == tuple(forms[token] for token in range(len(forms)))


# what a tokenizer makes of a text before it cuts it; for all others it's nothing
NORMALISED = {"qwen3": lambda text: unicodedata.normalize("NFC", text)}
# bytes that no token has: the tokenizer leaves them out without a word
LACKING = {"smollm2": bytes.fromhex("04 06 13 14 16 1d c0 c1 f1 f2 f5 f6 f7 f8 f9 fa fb fc fd fe ff")}
# special tokens that eat the whitespace behind them
EATING = {"phi-4-mini": ("<|end|>", "<|user|>", "<|system|>", "<|assistant|>", "<|tag|>")}


def text_of(tokenizer: Tokenizer, text: str) -> str:
    """What the tokens of a text should spell: all of it but the special tokens that are written out in it."""
    vocabulary, eating = tokenizer.vocabulary, EATING.get(tokenizer.name, ())
    special = sorted((vocabulary.forms[token] for token in vocabulary.roles), key=len, reverse=True)
    patterns = (re.escape(form) + r"\s*" * (form in eating) for form in special)
    text = NORMALISED.get(tokenizer.name, str)(re.sub("|".join(patterns), "", text))
    # Mistral's own letter for a space can't be told from a space
    return text.replace("▁", " ") if tokenizer.name == "mistral-v0.3" else text


def test_the_tokens_of_a_text_that_hurts_spell_it(tokenizer: Tokenizer, hurting_text: str) -> None:
    for special in (True, False):
        assert tokenizer.encode(hurting_text, special=special).data.decode() == text_of(tokenizer, hurting_text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (name, text)
        for name in catalog.ENTRIES
        for text in HURTING
        if text not in {"special strings", "literal pieces"}
        and (name != "qwen3" or HURTING[text] == unicodedata.normalize("NFC", HURTING[text]))
    ],
)
def test_a_text_without_specials_comes_back_byte_for_byte(name: str, text: str) -> None:
    assert load(name).encode(HURTING[text]).data == HURTING[text].encode()


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_any_text_comes_back_byte_for_byte(text: str) -> None:
    for name in catalog.ENTRIES:
        if name not in NORMALISED:
            spelled = text_of(load(name), text).encode()
            assert load(name).encode(text).data == spelled.translate(None, delete=LACKING.get(name, b""))


@pytest.mark.parametrize("name", catalog.ENTRIES)
def test_every_byte_has_a_token_of_its_own_but_the_lacking_ones(name: str) -> None:
    vocabulary = load(name).vocabulary
    single = {vocabulary.token_bytes(token) for token in np.flatnonzero(vocabulary.lengths == 1).tolist()}
    assert set(range(256)) - {byte for (byte,) in single} == set(LACKING.get(name, b""))


@settings(max_examples=60, deadline=None)
@given(st.text("aeoA \u0301\u0308\u0323\u030aé\u212b"))
def test_qwen_spells_the_text_in_normal_form_c(text: str) -> None:
    assert load("qwen3").encode(text).data.decode() == unicodedata.normalize("NFC", text)


def test_bos_is_added_only_where_the_tokenizer_does_so() -> None:
    with_bos = {name for name in catalog.ENTRIES if [mark.role for mark in load(name).encode("a").marks] == ["bos"]}
    assert with_bos == {"llama-3.2", "mistral-v0.3"}
    assert not any(load(name).encode("a", special=False).marks for name in catalog.ENTRIES)


def test_a_number_is_cut_as_each_family_cuts_it() -> None:
    tokens = {name: len(load(name).encode("201", special=False)) for name in catalog.ENTRIES}
    assert tokens == {
        "llama-3.2": 1,
        "qwen3": 3,
        "phi-4-mini": 1,
        "gpt-oss": 1,
        "mistral-v0.3": 4,  # a dummy space and three digits
        "smollm2": 3,
        "gpt2": 1,
    }


def test_a_head_wider_than_the_vocabulary_is_padding_not_tokens() -> None:
    vocabulary = load("qwen3").vocabulary
    assert (len(vocabulary), vocabulary.head_size) == (151_669, 151_936)
    with pytest.raises(TokenizerError, match=r"Token id 151669 was given, but .* ids 0 to 151668\. .* padded head"):
        vocabulary.token_bytes(151_669)


@pytest.mark.parametrize("token", [-1, 4, 2**31, 2**40])
def test_an_id_outside_the_vocabulary_is_refused(token: int) -> None:
    vocabulary = read(byte_level("a", "b", "c", "d")).vocabulary
    sentence = rf"Token id {token} was given, but this vocabulary has the ids 0 to 3\. Check that the ids come from"
    with pytest.raises(TokenizerError, match=sentence):
        vocabulary.token_bytes(token)
    with pytest.raises(TokenizerError, match=sentence):
        vocabulary.sequence([0, token])


def test_no_ids_are_an_empty_sequence() -> None:
    sequence = load("gpt2").vocabulary.sequence([])
    assert (len(sequence), sequence.data, sequence.marks) == (0, b"", ())


def test_an_id_that_no_token_has_is_unused() -> None:
    spec = byte_level("a", "b")
    spec["model"]["vocab"] = {"a": 0, "b": 3}
    vocabulary = read(spec).vocabulary
    assert len(vocabulary) == 4
    assert vocabulary.roles == {1: UNUSED, 2: UNUSED}
    assert [mark.role for mark in vocabulary.sequence([0, 1, 3]).marks] == [UNUSED]
    assert vocabulary.sequence([0, 1, 3]).data == b"ab"


def test_a_letter_outside_the_alphabet_stands_for_its_own_text() -> None:
    # U+00AD is no letter of the alphabet, so it's never the byte AD
    vocabulary = read(byte_level("a", "中", "\u00ad", "Ġ中")).vocabulary
    assert [vocabulary.token_bytes(k) for k in range(4)] == [b"a", "中".encode(), "\u00ad".encode(), "Ġ中".encode()]


def test_a_declared_role_names_a_special_token_that_the_table_does_not_know() -> None:
    spec = byte_level("a", added_tokens=[added(1, "<|mine|>"), added(2, "<s>")])
    assert vocabulary_from_json(spec, declared={"<|mine|>": "eos"}).roles == {1: "eos", 2: "bos"}
    assert vocabulary_from_json(spec).roles == {1: "<|mine|>", 2: "bos"}


# ── dummy spaces ──


def nested(depth: int, stage: str, inner: dict[str, Any]) -> dict[str, Any]:
    for _ in range(depth):
        inner = {"type": "Sequence", stage: [inner]}
    return inner


PIECES = ("▁", "H", "i", "a", "Hi", "▁Hi", "▁a", "▁▁")
LETTERS = ("Ġ", "H", "i", "a", "Hi", "ĠHi", "Ġa")
PREPEND = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ],
}
SPACED: dict[str, tuple[DummySpace, dict[str, Any]]] = {
    "metaspace first": (
        DummySpace.FIRST_UNLESS_SPACE,
        sentence_piece(*PIECES, pre_tokenizer=METASPACE | {"prepend_scheme": "first"}),
    ),
    "metaspace always": (
        DummySpace.UNLESS_SPACE,
        sentence_piece(*PIECES, pre_tokenizer=METASPACE | {"prepend_scheme": "always"}),
    ),
    "metaspace never": (DummySpace.NEVER, sentence_piece(*PIECES)),
    "metaspace that says nothing": (
        DummySpace.UNLESS_SPACE,
        sentence_piece(*PIECES, pre_tokenizer={"type": "Metaspace", "replacement": "▁"}),
    ),
    "old metaspace": (
        DummySpace.UNLESS_SPACE,
        sentence_piece(*PIECES, pre_tokenizer={"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}),
    ),
    "prepend": (DummySpace.ALWAYS, sentence_piece(*PIECES, pre_tokenizer=None, normalizer=PREPEND)),
    "byte-level prefix": (
        DummySpace.UNLESS_SPACE,
        byte_level(*LETTERS, pre_tokenizer=BYTE_LEVEL | {"add_prefix_space": True}),
    ),
    "byte-level prefix, trimmed offsets": (
        DummySpace.UNLESS_SPACE,
        byte_level(*LETTERS, pre_tokenizer=BYTE_LEVEL | {"add_prefix_space": True}, post_processor=BYTE_LEVEL),
    ),
    "byte-level prefix in nested sequences": (
        DummySpace.UNLESS_SPACE,
        byte_level(
            *LETTERS, pre_tokenizer=nested(3, "pretokenizers", BYTE_LEVEL | {"add_prefix_space": True}), decoder=None
        ),
    ),
    "byte-level": (DummySpace.NEVER, byte_level(*LETTERS)),
}
TEXTS = [
    "",
    "Hi",
    " Hi",
    "  Hi",
    " ",
    "   ",
    "Hi a",
    "Hi<x>a",
    "Hi<x> a",
    "<x>Hi",
    "<x> Hi",
    "Hi <x><x> a ",
    "<x>",
    "Hi<x>",
]


def with_special(spec: dict[str, Any], **flags: bool) -> dict[str, Any]:
    """The file with a special token <x> behind its forms."""
    return spec | {"added_tokens": [added(len(spec["model"]["vocab"]), "<x>", **flags)]}


@pytest.mark.parametrize("spaced", SPACED)
@pytest.mark.parametrize("text", TEXTS)
def test_a_dummy_space_is_no_byte_of_the_text(spaced: str, text: str) -> None:
    kind, spec = SPACED[spaced]
    tokenizer = read(with_special(spec))
    assert tokenizer.dummy_space is kind
    assert tokenizer.encode(text).data.decode() == text.replace("<x>", "")


@pytest.mark.parametrize("spaced", SPACED)
@pytest.mark.parametrize("text", TEXTS)
def test_a_dummy_space_behind_bos_is_no_byte_of_the_text(spaced: str, text: str) -> None:
    spec = with_special(SPACED[spaced][1])
    token = spec["added_tokens"][0]["id"]
    spec |= {"post_processor": template("<x>", token)}
    sequence = read(spec).encode(text)
    assert sequence.ids[0] == token
    assert sequence.data.decode() == text.replace("<x>", "")


@pytest.mark.parametrize("spaced", [spaced for spaced, (kind, _) in SPACED.items() if kind is not DummySpace.NEVER])
def test_the_tokenizer_really_puts_a_dummy_space_there(spaced: str) -> None:
    tokenizer = read(SPACED[spaced][1])
    [token] = tokenizer.encode("Hi").ids
    assert tokenizer.vocabulary.token_bytes(int(token)) == b" Hi"


def test_a_dummy_space_alone_is_a_mark() -> None:
    sequence = load("mistral-v0.3").encode("201", special=False)
    assert [(mark.position, mark.role, mark.form) for mark in sequence.marks] == [(0, DUMMY_SPACE, "▁")]
    assert sequence.data == b"201"


def test_a_special_searched_in_normalised_text_has_no_dummy_space_behind_it() -> None:
    spec = with_special(sentence_piece(*PIECES, pre_tokenizer=None, normalizer=PREPEND), normalized=True)
    assert read(spec).encode("Hi <x> a").data == b"Hi a"  # the token is ▁<x>, the space behind it is the text's
    spec |= {"post_processor": template("<x>", spec["added_tokens"][0]["id"])}
    assert read(spec).encode("Hi").data == b"Hi"


def test_a_space_that_a_normaliser_made_is_a_byte_of_the_text() -> None:
    made = {"type": "Replace", "pattern": {"String": "_"}, "content": " "}
    first = METASPACE | {"prepend_scheme": "first"}
    tokenizer = read(with_special(sentence_piece(*PIECES, pre_tokenizer=first, normalizer=made)))
    assert tokenizer.encode("Hi<x>_a").data == b"Hi a"


def test_the_own_space_of_an_added_token_is_a_byte_of_the_text() -> None:
    spec = sentence_piece(*PIECES, pre_tokenizer=None, normalizer=PREPEND)
    tokenizer = read(spec | {"added_tokens": [added(8, " y", special=False)]})
    assert tokenizer.encode(" y").data == b" y"
    assert tokenizer.encode("Hi y y").data == b"Hi y y"


# ── files that can't be used ──

OUT_OF_RANGE = byte_level("a")
OUT_OF_RANGE["model"]["vocab"] = {"a": 2**31}
TWICE = byte_level("a", "b")
TWICE["model"]["vocab"] = {"a": 0, "b": 0}
MARKED = byte_level("a</w>")
MARKED["model"]["end_of_word_suffix"] = "</w>"
PLAIN = sentence_piece("a", pre_tokenizer={"type": "Whitespace"}, decoder={"type": "BPEDecoder", "suffix": "</w>"})
NOT_AS_THE_FORMAT_SAYS = r"mine\.json is JSON but no tokenizer\.json \(.*\)\. Choose the file that the tokenizers lib"
UNREADABLE = r"The tokenizers library can't read mine\.json: .*\. Check that the file is a tokenizer\.json as its auth"


def with_model(**parts: Any) -> dict[str, Any]:
    spec = byte_level("a")
    return spec | {"model": spec["model"] | parts}


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty file": (b"", r"mine\.json is not JSON \(.*\)\. Choose the tokenizer\.json of a fast tokenizer\."),
    "not JSON": (b"PK\x03\x04 weights", r"mine\.json is not JSON \(.*\)\. Choose the tokenizer\.json"),
    "half a file": (as_bytes(byte_level("a"))[:-9], r"mine\.json is not JSON \(.*\)\. Choose the tokenizer\.json"),
    "a list": (b"[]", r"mine\.json is JSON, but holds a list\. Choose the tokenizer\.json of a fast tokenizer\."),
    "null": (b"null", r"mine\.json is JSON, but holds a NoneType\. Choose"),
    "deep list": (b"[" * 100_000, r"mine\.json is not JSON \(maximum recursion depth.*\)\. Choose"),
    "deep object": (b'{"a":' * 100_000, r"mine\.json is not JSON \(maximum recursion depth.*\)\. Choose"),
    "a huge number": (b'{"model": ' + b"1" * 5000 + b"}", r"mine\.json is not JSON \(.*\)\. Choose"),
    "no model": (b'{"version": "1.0"}', r"mine\.json can't be used\. There is no model in the file\. Choose the token"),
    "an empty model": (
        b'{"model": {}}',
        r"mine\.json can't be used\. There is no model in the file\. Choose the token",
    ),
    "a config": (b'{"vocab_size": 5}', r"There is no model in the file\. .* config\.json and vocab\.json are other"),
    "WordPiece": (as_bytes(with_model(type="WordPiece")), r"mine\.json .* of type 'WordPiece'; .* Choose .* is BPE\."),
    "Unigram": (as_bytes({"model": {"type": "Unigram", "vocab": [["a", 0.0]]}}), r"of type 'Unigram'; .* Choose a"),
    "unknown model": (as_bytes(with_model(type="Weird")), r"of type 'Weird'; this tool reads BPE.*\. Choose a"),
    "no type": (as_bytes({"model": {"vocab": {"a": 0}}}), r"of type None; this tool reads BPE.*\. Choose a"),
    "a type that is no name": (as_bytes(with_model(type={})), r"of type \{\}; this tool reads BPE.*\. Choose a"),
    "neither kind of BPE": (
        as_bytes(PLAIN),
        r"neither byte-level nor .* \(its steps: Whitespace, BPEDecoder\).*Choose",
    ),
    "no steps": (as_bytes(byte_level("a", pre_tokenizer=None, decoder=None)), r"\(its steps: none\).*\. Choose a"),
    "pieces marked": (as_bytes(MARKED), r"marks the pieces of words \(end_of_word_suffix\).*\. Choose a"),
    "empty vocabulary": (as_bytes(byte_level()), r"mine\.json .* vocabulary is empty\. Choose .* trained vocabulary\."),
    "id of 2^31": (as_bytes(OUT_OF_RANGE), r"a token id of 2,147,483,648; ids up to 4,000,000 are read\. Check that"),
    "added id of 2^31": (as_bytes(byte_level("a", added_tokens=[added(2**31, "x")])), r"id of 2,147,483,648; .* Check"),
    "one id twice": (as_bytes(TWICE), r"Two tokens of the vocabulary have the same id.*\. Check that the file"),
    "an id that the library renumbers": (
        as_bytes(byte_level("a", added_tokens=[added(9, "<x>")])),
        r"mine\.json gives the added token '<x>' the id 9, but the tokenizers library reads it as 1\. Check that",
    ),
    "negative id": (as_bytes(with_model(vocab={"a": -1})), UNREADABLE),
    "a merge of unknown tokens": (as_bytes(with_model(merges=[["a", "q"]])), UNREADABLE),
    "merges that are no list": (as_bytes(with_model(merges=5)), UNREADABLE),
    "unknown step": (as_bytes(byte_level("a", normalizer={"type": "Weird"})), UNREADABLE),
    "broken pattern": (
        as_bytes(byte_level("a", normalizer={"type": "Replace", "pattern": {"Regex": "(("}, "content": ""})),
        UNREADABLE,
    ),
    "NaN": (as_bytes(byte_level("a", version=float("nan"))), UNREADABLE),
    "UTF-16": (json.dumps(byte_level("a")).encode("utf-16"), UNREADABLE),
    "deep normaliser": (
        as_bytes(byte_level("a", normalizer=nested(150, "normalizers", {"type": "NFC"}))),
        UNREADABLE,
    ),
    "model is a name": (as_bytes(byte_level("a", model="BPE")), NOT_AS_THE_FORMAT_SAYS),
    "model is a number": (as_bytes(byte_level("a", model=5)), NOT_AS_THE_FORMAT_SAYS),
    "no vocab": (as_bytes({"model": {"type": "BPE", "merges": []}}), NOT_AS_THE_FORMAT_SAYS),
    "vocab is a list": (as_bytes(with_model(vocab=["a"])), NOT_AS_THE_FORMAT_SAYS),
    "vocab of strings": (as_bytes(with_model(vocab={"a": "0"})), NOT_AS_THE_FORMAT_SAYS),
    "vocab of fractions": (as_bytes(with_model(vocab={"a": 0.5})), NOT_AS_THE_FORMAT_SAYS),
    "added tokens are a number": (as_bytes(byte_level("a", added_tokens=5)), NOT_AS_THE_FORMAT_SAYS),
    "added tokens are an object": (as_bytes(byte_level("a", added_tokens={"id": 1})), NOT_AS_THE_FORMAT_SAYS),
    "an added token is a name": (as_bytes(byte_level("a", added_tokens=["x"])), NOT_AS_THE_FORMAT_SAYS),
    "an added token without text": (as_bytes(byte_level("a", added_tokens=[{"id": 1}])), NOT_AS_THE_FORMAT_SAYS),
    "an added id is a string": (
        as_bytes(byte_level("a", added_tokens=[added(1, "x") | {"id": "1"}])),
        NOT_AS_THE_FORMAT_SAYS,
    ),
    "an added text is a number": (
        as_bytes(byte_level("a", added_tokens=[added(1, "x") | {"content": 5}])),
        NOT_AS_THE_FORMAT_SAYS,
    ),
    "a step is a name": (as_bytes(byte_level("a", pre_tokenizer="ByteLevel")), NOT_AS_THE_FORMAT_SAYS),
    "a step without type": (as_bytes(byte_level("a", normalizer={"prepend": "x"})), NOT_AS_THE_FORMAT_SAYS),
    "steps are a number": (
        as_bytes(byte_level("a", pre_tokenizer={"type": "Sequence", "pretokenizers": 5})),
        NOT_AS_THE_FORMAT_SAYS,
    ),
    "deep steps": (
        as_bytes(byte_level("a", pre_tokenizer=nested(300, "pretokenizers", BYTE_LEVEL))),
        f"{NOT_AS_THE_FORMAT_SAYS}|{UNREADABLE}|is not JSON",  # which limit is met first depends on the stack
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_can_not_be_used_is_refused_with_cause_and_next_step(case: str) -> None:
    content, sentence = HOSTILE[case]
    with pytest.raises(TokenizerError, match=sentence):
        catalog.from_upload("mine.json", content)


@pytest.mark.parametrize("depth", [100, 200, 300, 400, 450, 500, 700, 900])
def test_no_depth_of_nesting_escapes_as_another_error(depth: int) -> None:
    for stage, part in (("pretokenizers", "pre_tokenizer"), ("normalizers", "normalizer"), ("decoders", "decoder")):
        content = json.dumps(byte_level("a", **{part: None}))
        deep = f'{{"type": "Sequence", "{stage}": [' * depth + '{"type": "Fuse"}' + "]}" * depth
        with pytest.raises(TokenizerError):
            catalog.from_upload("mine.json", content.replace(f'"{part}": null', f'"{part}": {deep}').encode())


def test_steps_nested_deeper_than_the_stack_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # in newer Pythons the JSON reader goes deeper than Python's own functions
    deep = byte_level("a", pre_tokenizer=nested(5_000, "pretokenizers", BYTE_LEVEL))
    monkeypatch.setattr("xtoken_core.tokenizer.parse_json", lambda _, __: deep)
    with pytest.raises(TokenizerError, match=NOT_AS_THE_FORMAT_SAYS):
        catalog.from_upload("mine.json", b"")


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 2**33), st.floats(), st.text("aĠ<0x1>", max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["type", "vocab", "merges", "id", "content", "special", "a", "normalizers"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["model", "added_tokens", "normalizer", "pre_tokenizer", "decoder", "post_processor"]),
    st.booleans(),
    JSON,
)
def test_any_part_of_a_file_may_be_anything(part: str, inside: bool, value: Any) -> None:
    spec = byte_level("a", "b", "ab", added_tokens=[added(3, "<x>")])
    if inside and part == "model":
        spec["model"] |= value if isinstance(value, dict) else {"vocab": value}
    elif inside and part == "added_tokens":
        spec[part][0] |= value if isinstance(value, dict) else {"content": value}
    else:
        spec[part] = value
    try:
        read(spec).encode("ab<x>a")
    except TokenizerError as error:
        assert re.search(r"Choose|Check|Try", str(error))


def test_a_file_above_the_size_limit_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "MAX_TOKENIZER_BYTES", 2**20)
    with pytest.raises(TokenizerError, match=r"mine\.json is too large: .* up to 1 MiB is read\. Choose the tokenizer"):
        catalog.from_upload("mine.json", b" " * 2**21)


def test_the_largest_id_that_is_read_is_below_four_million() -> None:
    spec = byte_level("a")
    spec["model"]["vocab"] = {"a": MAX_IDS}
    with pytest.raises(TokenizerError, match="ids up to 4,000,000 are read"):
        read(spec)


def test_a_file_whose_ids_mostly_stand_for_nothing_is_refused() -> None:
    forms = [chr(letter) for letter in ALPHABET.values()]
    spec = byte_level(*forms)
    spec["model"]["vocab"]["ab"] = 3_999_999
    with pytest.raises(TokenizerError) as caught:
        read(spec)
    assert str(caught.value) == (
        "mine.json can't be used. The tokenizer has 257 tokens, but ids up to 3,999,999: most ids would stand for "
        "nothing. Check that the file is a tokenizer.json as its authors published it."
    )


@pytest.mark.parametrize("last", [3, 1_000, 65_536 + 2 * 2 - 1])
def test_ids_may_have_holes(last: int) -> None:
    spec = byte_level("a")
    spec["model"]["vocab"]["b"] = last
    vocabulary = read(spec).vocabulary
    assert len(vocabulary) == last + 1
    assert [token for token, data in enumerate(vocabulary.tokens()) if data] == [0, last]
    assert set(vocabulary.roles.values()) == {UNUSED}


@pytest.mark.parametrize(
    "part",
    [
        {"truncation": {"max_length": 1, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}},
        {
            "padding": {
                "strategy": {"Fixed": 20},
                "direction": "Left",
                "pad_to_multiple_of": None,
                "pad_id": 0,
                "pad_type_id": 0,
                "pad_token": "a",
            }
        },
    ],
    ids=["truncation", "padding"],
)
def test_truncation_and_padding_in_the_file_are_ignored(part: dict[str, Any]) -> None:
    spec = byte_level("a", "b", "Ġ") | part
    assert read(spec).encode("a b a b").ids.tolist() == [0, 2, 1, 2, 0, 2, 1]


def test_a_model_with_dropout_cuts_the_same_way_every_time() -> None:
    spec = byte_level("a", "b", "ab", "abab", "Ġ")
    spec["model"]["dropout"] = 0.5
    assert [read(spec).encode("abab" * 20).ids.tolist() for _ in range(3)] == [[3] * 20] * 3


@pytest.mark.parametrize("token", [5, 2**31, 2**32 - 1])
def test_a_post_processor_that_adds_an_unknown_id_is_refused(token: int) -> None:
    tokenizer = read(byte_level("a", post_processor=template("<q>", token)))
    with pytest.raises(TokenizerError, match=f"Token id {token} was given, but this vocabulary has the ids 0 to 0"):
        tokenizer.encode("a")


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"post_processor": template("<q>", 0) | {"special_tokens": {}}}, "a"),
        (
            {
                "pre_tokenizer": {
                    "type": "Sequence",
                    "pretokenizers": [
                        {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False},
                        BYTE_LEVEL,
                    ],
                }
            },
            "a" * 40 + "b",
        ),
    ],
    ids=["template without its token", "pattern without an end"],
)
def test_a_panic_of_the_library_is_a_sentence(part: dict[str, Any], text: str) -> None:
    tokenizer = read(byte_level("a", "b", **part))
    with pytest.raises(TokenizerError, match=r"mine\.json can't encode this text: .*\. Try another text, or check the"):
        tokenizer.encode(text)


def test_an_interrupt_while_a_file_is_read_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tokenizers.Tokenizer.from_buffer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read(byte_level("a"))


def test_a_lone_surrogate_in_a_text_is_refused() -> None:
    with pytest.raises(TextError, match=r"lone surrogate \(U\+D800\) at character 1; .*\. Remove it, or write"):
        load("gpt2").encode("a\ud800")


def test_a_template_that_puts_more_tokens_than_any_text_needs_is_refused() -> None:
    many = template("<x>", 1)
    many["special_tokens"]["<x>"] = {"id": "<x>", "ids": [1] * 20_000, "tokens": ["<x>"] * 20_000}
    tokenizer = read(byte_level("a", added_tokens=[added(1, "<x>")], post_processor=many))
    with pytest.raises(TokenizerError, match=r"makes 20,001 tokens of 1 characters; at most 10,004 are read"):
        tokenizer.encode("a")


def test_a_metaspace_step_with_another_sign_for_a_space_is_refused() -> None:
    with pytest.raises(TokenizerError, match="writes a space as '_'"):
        read(sentence_piece("a", pre_tokenizer=METASPACE | {"replacement": "_"}))
