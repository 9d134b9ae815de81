"""Finding tokens: what the page draws finds what it stands for, and no query runs for ever."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.handmade import added, byte_level, read
from tests.real import load
from xtoken_core import catalog, search
from xtoken_core.display import visible, visible_form
from xtoken_core.errors import SearchError
from xtoken_core.search import Index, Kind, find, index
from xtoken_core.vocab import ALPHABET, Vocabulary

LETTERS = {byte: chr(letter) for letter, byte in ALPHABET.items()}
TOKENS = (
    *(b" the", b"the", b"The", b"\n", b"\t", b"\r\n", b"\xe2\x80", b" \xe2\x80", "–".encode(), "·".encode()),
    *(b"a\xe2\x80\x8db", "é".encode(), b"E2 80", b"80", b"", "<\u200d>".encode(), "↵".encode(), b"\xed\xb2\x80"),
)


def spec_of(*tokens: bytes) -> dict[str, Any]:
    return byte_level(*("".join(map(LETTERS.__getitem__, token)) for token in tokens))


@cache
def small() -> Vocabulary:
    spec = spec_of(*TOKENS)
    return read(
        spec | {"added_tokens": [added(len(TOKENS), "<|im_start|>"), added(len(TOKENS) + 1, "← the ·")]}
    ).vocabulary


@cache
def small_index() -> Index:
    return index(small())


@cache
def real_index(name: str) -> Index:
    return index(load(name).vocabulary)


def found(kind: Kind, query: str) -> list[bytes | str]:
    """The tokens of the small vocabulary that match, special ones as their form."""
    tokens, forms = small().tokens(), small().forms
    return [tokens[token] or forms[token] for token in np.flatnonzero(find(small_index(), kind, query)).tolist()]


@pytest.mark.parametrize(
    ("query", "tokens"),
    [
        ("the", [b" the", b"the", "← the ·"]),
        ("The", [b"The"]),
        (" the", [b" the", "← the ·"]),
        ("·the", [b" the", "← the ·"]),
        ("·", [b" the", b" \xe2\x80", "·".encode(), b"E2 80", "← the ·"]),
        ("the··", ["← the ·"]),  # a space and a dot of its own are drawn alike
        (" ", [b" the", b" \xe2\x80", b"E2 80", "← the ·"]),  # not the one inside a chip
        ("↵", [b"\n", b"\r\n", "↵".encode()]),
        ("␍↵", [b"\r\n"]),
        ("→", [b"\t"]),
        ("⟨E2 80⟩", [b"\xe2\x80", b" \xe2\x80"]),  # not the dash E2 80 93
        ("·⟨e2⟩", [b" \xe2\x80"]),
        ("⟨U+200D⟩", [b"a\xe2\x80\x8db", "<\u200d>".encode()]),
        ("⟨U+200d⟩b", [b"a\xe2\x80\x8db"]),
        ("⟨C3 A9⟩", ["é".encode()]),
        ("é", ["é".encode()]),
        ("80", [b"E2 80", b"80"]),
        ("⟨", []),
        ("⟨U+D800⟩", []),
        ("⟨U+FFFFFF⟩", []),
        ("⟨ED B2 80⟩", [b"\xed\xb2\x80"]),
        ("⟨80⟩", [b"\xe2\x80", b" \xe2\x80", b"\xed\xb2\x80"]),
        ("im_start", ["<|im_start|>"]),
        ("(", []),
    ],
)
def test_a_text_finds_the_tokens_that_hold_it_or_what_it_draws(query: str, tokens: list[bytes | str]) -> None:
    assert found("text", query) == tokens


@pytest.mark.parametrize(
    ("query", "tokens"),
    [
        ("E2 80", [b"\xe2\x80", b" \xe2\x80", "–".encode(), b"a\xe2\x80\x8db", "<\u200d>".encode()]),
        *(
            (query, ["–".encode()])
            for query in ("e28093", "0xE2 0x80 0x93", r"\xe2\x80\x93", "0XE2,0x80,93", " E2 8093 ")
        ),
        ("0a", [b"\n", b"\r\n"]),
        ("3C7C", []),  # a special token stands for no bytes
    ],
)
def test_bytes_are_found_however_they_are_written(query: str, tokens: list[bytes | str]) -> None:
    assert found("bytes", query) == tokens


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("0", [0]),
        ("3,1 2", [1, 2, 3]),
        ("2-4", [2, 3, 4]),
        ("2 – 4, 9", [2, 3, 4, 9]),
        ("19-1000, 5", [5, 19]),
        ("1, 99999999999999999999", [1]),
        ("7-3, 1", [1]),
        ("007", [7]),
    ],
)
def test_ids_are_found_one_by_one_and_by_range(query: str, ids: list[int]) -> None:
    assert np.flatnonzero(find(small_index(), "id", query)).tolist() == ids


@pytest.mark.parametrize(
    ("query", "tokens"),
    [
        ("^.?the$", [b" the", b"the"]),
        ("(?i)^the", [b"the", b"The"]),
        (r"^\s+$", [b"\n", b"\t", b"\r\n"]),
        ("^⟨E2 80⟩$", [b"\xe2\x80"]),
        (r"\xE9|\x{2013}", ["–".encode(), "é".encode()]),
        (r"^<\|.*\|>$", ["<|im_start|>"]),
        ("(e+)+$", [b" the", b"the", b"The"]),
        ("\x00", []),
    ],
)
def test_a_pattern_finds_the_tokens_in_whose_text_it_occurs(query: str, tokens: list[bytes | str]) -> None:
    assert found("regex", query) == tokens


@pytest.mark.parametrize("kind", ["text", "bytes", "id", "regex"])
def test_an_empty_query_finds_every_token(kind: Kind) -> None:
    assert find(small_index(), kind, "").all()
    assert find(small_index(), kind, "").shape == (len(small()),)


@pytest.mark.parametrize("kind", ["bytes", "id"])
def test_blanks_are_an_empty_query_where_blanks_only_divide(kind: Kind) -> None:
    assert find(small_index(), kind, " \t").all()


RE2 = (
    r"can't be read \(.*\)\. Write it in RE2's syntax: it has no lookaheads, lookbehinds or backreferences, repeats at"
)


@pytest.mark.parametrize(
    ("kind", "query", "sentence"),
    [
        ("bytes", "E28", r"^'E28' was given as bytes, but it has 3 digits\. Write two hexadecimal digits a byte, such"),
        ("bytes", "0x", r"was given as bytes, but it has other characters\. Write two"),
        ("bytes", "é", r"was given as bytes, but it has other characters\. Write two"),
        ("id", "20", r"^No token has an id of '20'; this vocabulary has the ids 0 to 19\. Choose one of those, or a"),
        ("id", "7-3", r"^No token has an id of '7-3'; .* 0 to 19\. Choose one of those, or a range from low to high"),
        ("id", ",", r"^No token has an id of ','; .* 0 to 19\. Choose"),
        (
            "id",
            "-1",
            r"^'-1' was given as ids, but isn't numbers\. Write ids from 0 to 19, divided by commas or spaces",
        ),
        ("id", "1.5", r"was given as ids, but isn't numbers\. Write ids from 0 to 19"),
        ("id", "٣", r"was given as ids, but isn't numbers\. Write ids from 0 to 19"),
        ("regex", "(?=a)", RE2),
        ("regex", "(?<!a)", RE2),
        ("regex", r"(a)\1", RE2),
        ("regex", "(", RE2),
        ("regex", "[z-a]", RE2),
        ("regex", "a{1000}{1000}", RE2),
        ("regex", "((a{100}){100}){100}", RE2),
        ("regex", r"[\pL]{1000}", RE2 + r".* limits a pattern's memory"),
        (
            "regex",
            "a{3}" + "[^x]{0,1000}" * 2,
            r"^The pattern asks for 2,003 repetitions in all; at most 2,000 are read",
        ),
        ("regex", r"\\x{2001}\{9", r"^The pattern asks for 2,001 repetitions in all"),
        ("regex", "x{2001,}", r"^The pattern asks for 2,001 repetitions in all"),
        ("regex", "a" * 501, r"^The pattern has 501 characters; at most 500 are read\. Shorten it\."),
        ("text", "·" * 2001, r"^The query has 2,001 characters; at most 2,000 are read\. Shorten it\."),
        *(
            (kind, "a\udce2", r"has a lone surrogate \(U\+DCE2\), .*\. Remove it")
            for kind in ("text", "bytes", "id", "regex")
        ),
    ],
)
def test_a_query_that_can_not_be_read_is_refused_with_cause_and_next_step(
    kind: Kind, query: str, sentence: str
) -> None:
    with pytest.raises(SearchError, match=sentence):
        find(small_index(), kind, query)


@pytest.mark.parametrize("query", ["((.?){31}){32}" * 30 + "#", r"(\pL?){200}#"])
def test_a_pattern_that_would_take_minutes_is_given_up(query: str) -> None:
    # in one piece the first ran for more than four minutes
    with pytest.raises(SearchError, match=r"took longer than 1 s\. Ask for something simpler, with fewer or smaller"):
        find(real_index("llama-3.2"), "regex", query)


def test_a_pattern_is_given_up_between_two_pieces_of_the_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MAX_SECONDS", 0)
    with pytest.raises(SearchError, match="took longer than 0 s"):
        find(small_index(), "regex", "a")


def test_a_query_as_long_as_may_be_is_read() -> None:
    assert not find(small_index(), "text", "·" * 2000).any()
    assert not find(small_index(), "text", "⟨U+200D⟩" * 250).any()
    assert not find(small_index(), "bytes", "E2" * 1000).any()
    assert find(small_index(), "id", "0" * 2000).sum() == 1


def test_a_pattern_sees_the_beginning_of_a_token_of_more_than_1024_characters() -> None:
    long = index(read(spec_of(b"a" * 1024 + b"b", b"\xff" * 1025 + b"b", b"b")).vocabulary)
    assert find(long, "regex", "b").tolist() == [False, False, True]
    assert find(long, "regex", "a$").tolist() == [True, False, False]
    assert find(long, "text", "b").all()


def test_a_long_token_is_cut_between_two_characters() -> None:
    long = index(read(spec_of("é".encode() * 1000 + b"b", b"b" + "é".encode() * 5000)).vocabulary)
    assert find(long, "regex", "^é+b$|^bé+$").tolist() == [True, True]
    assert find(long, "text", "éb").tolist() == [True, False]
    assert long.printed[1].as_py() == "b" + "é" * 1023


@pytest.mark.parametrize("name", catalog.ENTRIES)
def test_a_token_is_found_by_what_the_page_draws_and_by_its_bytes_and_its_id(name: str) -> None:
    vocabulary, searchable = load(name).vocabulary, real_index(name)
    tokens = vocabulary.tokens()
    for token in np.linspace(0, len(vocabulary) - 1, 40).astype(int).tolist():
        drawn = visible(tokens[token]) if tokens[token] else visible_form(vocabulary.forms[token])
        assert find(searchable, "text", drawn)[token]
        assert not tokens[token] or find(searchable, "bytes", tokens[token].hex())[token]
        assert np.flatnonzero(find(searchable, "id", str(token))).tolist() == [token]


@pytest.mark.parametrize("query", ["the", " ", "é", "的", "ing", "\n\n", "<"])
def test_a_plain_text_finds_what_a_slow_reading_finds(query: str) -> None:
    vocabulary = load("llama-3.2").vocabulary
    texts = [data or form.encode() for data, form in zip(vocabulary.tokens(), vocabulary.forms, strict=True)]
    slow = [query.encode() in text for text in texts]
    assert find(real_index("llama-3.2"), "text", query).tolist() == slow


def test_a_pattern_of_three_digits_finds_the_thousand_of_llama() -> None:
    assert find(real_index("llama-3.2"), "regex", r"^\d{3}$").sum() == 1000


TOKEN = st.lists(
    st.sampled_from([b" ", b"\n", "·".encode(), b"\xe2", b"\x80", "–".encode(), b"a", b"\xed\xb2\x80"])
).map(b"".join)


WITHOUT_EDGES = str.maketrans("", "", "⟨⟩")  # a chip of the query may be a part of a token's chip


@settings(deadline=None)
@given(st.lists(TOKEN, min_size=1, max_size=6, unique=True))
def test_any_tokens_are_found_by_what_the_page_draws(tokens: list[bytes]) -> None:
    vocabulary = read(spec_of(*tokens)).vocabulary
    searchable = index(vocabulary)
    for token, data in enumerate(tokens):
        matches = find(searchable, "text", visible(data))
        assert matches[token]
        signs = visible(data).translate(WITHOUT_EDGES)
        assert all(signs in visible(tokens[k]).translate(WITHOUT_EDGES) for k in np.flatnonzero(matches).tolist())


@settings(deadline=None)
@given(st.sampled_from(["text", "bytes", "id", "regex"]), st.text("a⟨⟩U+E20 8-,\\x()[]{}*?|·↵\ud800é1", max_size=40))
def test_any_query_ends_in_tokens_or_in_a_sentence(kind: Kind, query: str) -> None:
    try:
        assert find(small_index(), kind, query).shape == (len(small()),)
    except SearchError as error:
        assert str(error).endswith(".")
