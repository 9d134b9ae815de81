"""The Alignment page without a browser: what a session shows for what a user chose."""

import json
import lzma
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from ui.link import AlignmentLink
from ui.samples import SAMPLES
from xtoken_core.catalog import DATA

ROOT = Path(__file__).parents[2]


def page(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


def shown(app: AppTest) -> dict[str, Any]:
    """What the token view was sent."""
    return dict(json.loads(app.get("bidi_component")[0].proto.json))


def shapes(app: AppTest) -> list[tuple[int, int, int]]:
    chunks = shown(app)["chunks"]
    return list(zip(chunks["student_ends"], chunks["teacher_ends"], chunks["kinds"], strict=True))


def sentences(app: AppTest) -> str:
    elements = [*app.warning, *app.info, *app.caption, *app.subheader, *app.text]
    return "\n".join(element.value for element in elements)


def test_the_first_screen_shows_llama_and_qwen_without_any_input() -> None:
    app = page()
    assert not app.exception
    assert [side["title"] for side in (shown(app)["student"], shown(app)["teacher"])] == ["llama-3.2", "qwen3"]
    assert "1-n" in app.subheader[0].value
    assert app.dataframe[0].value["text"].tolist() == ["201"]
    assert app.dataframe[1].value["text"].tolist() == ["2", "0", "1"]


def test_the_hash_and_the_licence_of_either_side_are_on_the_page() -> None:
    told = sentences(page())
    assert "6b9e4e7fb171f92fd137b777cc2714bf87d11576700a1dcd7a399e7bbe39537b" in told
    assert "Apache-2.0" in told
    assert "Built with Llama" in told


def test_typed_text_is_aligned() -> None:
    app = page()
    app.text_area(key="text").set_value("201").run()
    assert shapes(app) == [(1, 0, 2), (2, 3, 0)]


def test_without_special_tokens_the_gap_is_gone() -> None:
    app = page(text="201")
    app.toggle(key="student_special").set_value(False).run()
    assert shapes(app) == [(1, 3, 0)]


def test_empty_text_is_no_error() -> None:
    app = page()
    app.text_area(key="text").set_value("").run()
    app.toggle(key="student_special").set_value(False).run()
    assert not app.exception
    assert shapes(app) == []


def test_swapping_takes_the_special_switches_along() -> None:
    app = page(text="201", student_special="0")
    next(button for button in app.button if button.label == "Swap").click().run()
    assert shown(app)["student"]["title"] == "qwen3"
    assert app.session_state["teacher_special"] is False


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_every_sample_is_shown_with_its_sentence(number: int) -> None:
    app = page()
    app.selectbox(key="sample").set_value(number).run()
    assert not app.exception
    assert app.text_area(key="text").value == SAMPLES[number].text
    assert SAMPLES[number].look in sentences(app)


def test_gold_as_published_says_where_it_collapsed() -> None:
    app = page(text="The quick brown fox jumps over the lazy dog", gold="1")
    assert "GOLD as published has collapsed: from position 0 of the student and 0 of the teacher on" in sentences(app)
    assert shown(app)["surface"]["kinds"] == [1]


def test_gold_as_published_says_when_it_has_not_collapsed() -> None:
    app = page(text="one two", gold="1", student_special="0")
    assert "has not collapsed" in sentences(app)


def test_the_papers_scoring_can_be_chosen() -> None:
    app = page(text="12345", student="gpt2", teacher="qwen3", scoring="paper")
    assert not app.exception
    assert app.session_state["scoring"] == "paper"


def test_the_papers_scoring_says_when_the_text_is_too_long() -> None:
    app = page(scoring="paper")
    app.text_area(key="text").set_value("word 1 " * 9000).run()
    assert not app.exception
    assert "scoring 'exact'" in sentences(app)


def test_an_unknown_name_gets_a_sentence_and_keeps_the_text() -> None:
    app = page(text="keep me", teacher="no-such-tokenizer")
    assert not app.exception
    assert "No tokenizer is called 'no-such-tokenizer'" in sentences(app)
    assert app.text_area(key="text").value == "keep me"


def test_a_text_over_the_limit_gets_a_sentence_and_stays() -> None:
    app = page()
    app.text_area(key="text").set_value("x" * 200_001).run()
    assert "aligns up to 200,000" in sentences(app)
    assert len(app.text_area(key="text").value) == 200_001


def test_a_link_carries_everything() -> None:
    link = AlignmentLink(
        student="gpt2",
        teacher="smollm2",
        text="a ünï\n201",
        student_special=False,
        scoring="paper",
        gold=True,
        chunk=2,
        form="raw",
        layout="beside",
    )
    app = page(**link.parameters())
    assert not app.exception
    assert AlignmentLink.from_parameters(dict(app.query_params)) == link.with_hashes("8414cab924d8", "9ca9acddb652")
    assert shown(app)["view"] == {"form": "raw", "layout": "beside", "presenter": False}
    assert shown(app)["chosen"] == 2


def test_a_link_with_another_hash_is_warned_about() -> None:
    app = page(student="gpt2", student_sha="000000000000")
    assert "its hash began with 000000000000" in sentences(app)
    app = page(student="gpt2", student_sha="8414cab924d8")
    assert "its hash began with" not in sentences(app)


@pytest.mark.parametrize(
    "parameters",
    [
        {"chunk": "-1"},
        {"chunk": "9" * 30},
        {"chunk": "x"},
        {"scoring": "none"},
        {"form": "<b>", "layout": "'"},
        {"packed": "!!"},
        {"packed": "eJwDAAAAAAE"},
        {"text": ""},
        {"student": "", "teacher": ""},
        {"student": "uploaded: x.json"},
        {"student": "\x00"},
        {"gold": "yes", "presenter": "2"},
        {"unknown": "1"},
    ],
)
def test_a_broken_link_shows_a_page(parameters: dict[str, str]) -> None:
    assert not page(**parameters).exception


def test_presenting_hides_the_controls_and_keeps_the_state() -> None:
    app = page(text="201", student="gpt2")
    app.toggle(key="presenter").set_value(True).run()
    assert not app.text_area
    assert shown(app)["view"]["presenter"] is True
    app.toggle(key="presenter").set_value(False).run()
    assert app.text_area(key="text").value == "201"
    assert app.selectbox(key="student").value == "gpt2"


def test_an_uploaded_text_goes_into_the_box() -> None:
    app = page()
    app.file_uploader(key="text_file").upload("note.md", b"two 2 tokens", "text/markdown").run()
    assert app.text_area(key="text").value == "two 2 tokens"


def test_a_record_and_a_field_of_json_lines_are_chosen() -> None:
    lines = b'{"n": 1, "question": "Q1", "answer": "A1"}\n{"question": "Q2", "answer": "A2"}\n'
    app = page()
    app.file_uploader(key="text_file").upload("x.jsonl", lines, "application/json").run()
    assert app.text_area(key="text").value == "Q1"
    next(box for box in app.selectbox if box.label == "Field").set_value("answer").run()
    app.number_input[0].set_value(2).run()
    assert app.text_area(key="text").value == "A2"


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"\xff\xfe", "a.txt", "a.txt is not UTF-8"),
        (b"", "a.jsonl", "has no records"),
        (b"{", "a.jsonl", "Record 1 of a.jsonl is not JSON"),
        (b"[1]", "a.jsonl", "is no object"),
        (b'{"a": 1}', "a.jsonl", "has no text in the field"),
        (b'{"a": "\\ud800"}', "a.jsonl", "lone surrogate"),
    ],
)
def test_a_bad_text_file_gets_a_sentence_and_the_box_keeps_its_text(content: bytes, name: str, sentence: str) -> None:
    app = page(text="keep me")
    app.file_uploader(key="text_file").upload(name, content, "text/plain").run()
    assert not app.exception
    assert sentence in sentences(app)
    assert app.text_area(key="text").value == "keep me"


def test_an_uploaded_tokenizer_becomes_the_teacher() -> None:
    content = lzma.decompress((DATA / "gpt2.tokenizer.json.xz").read_bytes())
    app = page(text="201")
    app.file_uploader(key="tokenizer_file").upload("mine.json", content, "application/json").run()
    assert not app.exception
    assert shown(app)["teacher"]["title"] == "mine.json"
    assert "8414cab9" in shown(app)["teacher"]["note"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"not json", "is not JSON"),
        (b'{"model": {"type": "WordPiece", "vocab": {"a": 0}}}', "of type 'WordPiece'"),
        (b"[]", "holds a list"),
    ],
)
def test_a_bad_tokenizer_file_gets_a_sentence_and_the_pair_stays(content: bytes, sentence: str) -> None:
    app = page(text="201")
    app.file_uploader(key="tokenizer_file").upload("bad.json", content, "application/json").run()
    assert not app.exception
    assert sentence in sentences(app)
    assert shown(app)["teacher"]["title"] == "qwen3"


def test_a_tokenizer_that_changes_the_text_is_named() -> None:
    told = sentences(page(text="e\u0301", student="smollm2", teacher="qwen3"))
    assert "qwen3 composes the text first" in told
    assert "smollm2 composes" not in told
    assert "smollm2 changes" not in told
    assert "smollm2 changes or drops characters" in sentences(page(text="a\x04b", student="smollm2", teacher="qwen3"))


def test_a_strangers_words_are_never_markdown() -> None:
    words = "![x](http://192.0.2.1/x.png) :red[no] www.evil.example"
    app = page(teacher=words)
    assert any(words in element.value for element in app.text)
    markdown = [*app.markdown, *app.error, *app.warning, *app.info, *app.caption, *app.subheader]
    assert not [element.value for element in markdown if "evil" in element.value]


def test_a_link_with_a_text_that_cannot_be_unpacked_says_so() -> None:
    assert "packed text can't be read" in sentences(page(packed="AAAA"))
    assert "packed text can't be read" not in sentences(page(**AlignmentLink(text="x" * 30_000).parameters()))


def test_a_chunk_too_large_to_draw_is_told() -> None:
    app = page(student_special="0")
    app.text_area(key="text").set_value(unicodedata.normalize("NFD", "한국어") * 16_000).run()
    assert not app.exception
    assert "too many to draw" in sentences(app)
    assert len(app.dataframe[0].value) == 500


def test_files_opened_after_json_lines_are_shown() -> None:
    lines = b'{"question": "Q1", "answer": "A1"}\n'
    app = page()
    app.file_uploader(key="text_file").upload("c.jsonl", lines, "application/json").run()
    next(box for box in app.selectbox if box.label == "Field").set_value("answer").run()
    app.file_uploader(key="text_file").set_value([("d.txt", b"plain", "text/plain")]).run()
    assert not app.exception
    assert app.text_area(key="text").value == "plain"


def test_a_name_typed_under_open_is_read_for_the_chosen_side() -> None:
    app = page(text="201")
    app.segmented_control(key="side_to_read").set_value("Student").run()
    app.text_input(key="typed_name").set_value("no/such-model").run()
    assert app.session_state["student"] == "no/such-model"
    assert "Student: The hub didn't give no/such-model" in sentences(app)


def test_both_wrong_names_are_told() -> None:
    told = sentences(page(student="x y", teacher="z y"))
    assert "Student: No tokenizer is called 'x y'" in told
    assert "Teacher: No tokenizer is called 'z y'" in told


def test_a_special_token_read_from_the_text_is_named() -> None:
    assert "qwen3 reads special tokens in this text, which spell none of it: <|im_end|>" in sentences(
        page(text="a<|im_end|>b", student="gpt2")
    )
