"""A user's file as text: UTF-8 as it is, records by number and field, and what's wrong with a file."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtoken_core import texts
from xtoken_core.errors import TextError
from xtoken_core.texts import JsonLines, decode, json_lines


def test_a_text_is_its_utf8_unchanged(hurting_text: str) -> None:
    assert decode(hurting_text.encode(), "a.txt") == hurting_text


@given(st.binary(max_size=40))
def test_bytes_are_a_text_or_the_first_wrong_byte_is_named(content: bytes) -> None:
    try:
        assert decode(content, "a.txt").encode() == content
    except TextError as error:
        assert "a.txt is not UTF-8: byte " in str(error)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"caf\xe9", r"a\.txt is not UTF-8: byte 3 is 0xE9\. Save it as UTF-8, or choose another file\."),
        ("é".encode("utf-16"), r"a\.txt is not UTF-8: byte 0 is 0xFF\. Save it as UTF-8"),
        (b"\xed\xa0\x80", r"byte 0 is 0xED"),  # a surrogate is no character of UTF-8
        (b"a" * 1500 + b"\x80", r"byte 1,500 is 0x80"),
    ],
)
def test_what_is_no_utf8_is_refused_with_its_first_wrong_byte(content: bytes, sentence: str) -> None:
    with pytest.raises(TextError, match=sentence):
        decode(content, "a.txt")


def test_the_limit_is_in_bytes_and_stated() -> None:
    assert decode("é".encode() * 5, "a.txt", limit=10) == "é" * 5
    with pytest.raises(TextError, match=r"a\.txt holds 12 bytes; texts up to 10 bytes are read\. Cut it, or choose a"):
        decode("é".encode() * 6, "a.txt", limit=10)


def test_the_limit_is_sixteen_mebibytes_unless_another_is_given() -> None:
    assert texts.MAX_TEXT_BYTES == 16 * 2**20
    with pytest.raises(TextError, match=r"texts up to 16,777,216 bytes are read"):
        decode(bytes(16 * 2**20 + 1), "a.txt")


RECORDS = '{"id": 1, "question": "one?", "answer": "two"}\r\n\n  \n{"text": "a\\nb", "answer": "three"}\n'


def test_records_are_lines_and_blank_lines_do_not_count() -> None:
    records = json_lines(RECORDS, "a.jsonl")
    assert len(records.lines) == 2
    assert records.text(0, "question") == "one?"
    assert records.text(1, "text") == "a\nb"


def test_the_text_fields_are_named_in_order_of_appearance() -> None:
    assert json_lines(RECORDS, "a.jsonl").fields() == ("question", "answer", "text")
    assert json_lines(RECORDS, "a.jsonl").fields(sample=1) == ("question", "answer")


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none()), min_size=1))
def test_whatever_text_a_record_holds_comes_back(record: dict[str, object]) -> None:
    for ascii_only in (True, False):
        records = json_lines(json.dumps(record, ensure_ascii=ascii_only), "a.jsonl")
        assert len(records.lines) == 1
        fields = {key: value for key, value in record.items() if isinstance(value, str)}
        assert set(records.fields()) == set(fields)
        assert all(records.text(0, key) == value for key, value in fields.items())


def test_only_a_line_feed_ends_a_record() -> None:
    separators = "a\u2028b\u2029c\u0085d"
    assert json_lines(f'{{"text": "{separators}"}}', "a.jsonl").text(0, "text") == separators


def test_a_byte_order_mark_in_front_is_no_part_of_the_first_record() -> None:
    assert json_lines('\ufeff{"text": "a"}', "a.jsonl").text(0, "text") == "a"


@pytest.mark.parametrize("text", ["", "\n\n", "  \r\n \t"])
def test_a_file_without_records_is_refused(text: str) -> None:
    with pytest.raises(TextError, match=r"a\.jsonl has no records\. Choose a file with one JSON object a line\."):
        json_lines(text, "a.jsonl")


@pytest.mark.parametrize("number", [-1, 2, 10**12])
def test_a_record_that_is_not_there_is_told_with_how_many_there_are(number: int) -> None:
    with pytest.raises(TextError, match=rf"Record {number + 1} of a\.jsonl was asked; it has 2 records\."):
        json_lines(RECORDS, "a.jsonl").text(number, "text")


def test_a_field_that_is_not_there_is_told_with_those_that_are() -> None:
    records = json_lines(RECORDS, "a.jsonl")
    with pytest.raises(
        TextError, match=r"Record 1 of a\.jsonl has no text in the field 'text'\. .*: question, answer\."
    ):
        records.text(0, "text")
    with pytest.raises(TextError, match=r"no text in the field 'id'"):
        records.text(0, "id")  # a number is no text
    with pytest.raises(TextError, match=r"Its text fields: none\."):
        json_lines('{"id": 1}', "a.jsonl").text(0, "text")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", r"Record 1 of a\.jsonl is not JSON: .*\. Check the file\."),
        ("text", r"Record 1 of a\.jsonl is not JSON: .*\. Check the file\."),
        ("[" * 100_000, r"Record 1 of a\.jsonl is not JSON: maximum recursion.*\. Check the file\."),
        ('{"n": ' + "1" * 5000 + "}", r"Record 1 of a\.jsonl is not JSON: .*\. Check the file\."),
        ("[1]", r"Record 1 of a\.jsonl is no object with fields\. Check the file\."),
        ("null", r"Record 1 of a\.jsonl is no object with fields\. Check the file\."),
        ('"text"', r"Record 1 of a\.jsonl is no object with fields\. Check the file\."),
    ],
)
def test_a_broken_record_is_told_where_it_is_asked_for(line: str, sentence: str) -> None:
    records = json_lines(line + '\n{"text": "a"}', "a.jsonl")
    with pytest.raises(TextError, match=sentence):
        records.text(0, "text")
    assert records.text(1, "text") == "a"
    assert records.fields() == ("text",)


def test_a_lone_surrogate_in_a_record_is_refused() -> None:
    with pytest.raises(TextError, match=r"lone surrogate \(U\+D83D\) at character 1"):
        JsonLines("a.jsonl", (r'{"text": "a\ud83d"}',)).text(0, "text")
    assert JsonLines("a.jsonl", (r'{"text": "\ud83d\ude00"}',)).text(0, "text") == "😀"


def test_a_text_that_hurts_survives_as_a_record(hurting_text: str) -> None:
    assert json_lines(json.dumps({"text": hurting_text}), "a.jsonl").text(0, "text") == hurting_text
