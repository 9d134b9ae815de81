"""The Coverage page without a browser: the advice, the categories and their tokens, the weights of a text."""

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from ui.link import CoverageLink

ROOT = Path(__file__).parents[2]


def page(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.switch_page("pages/coverage.py")
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


def small(**parameters: str) -> AppTest:
    """A small pair, where the pair doesn't matter."""
    return page(**{"student": "gpt2", "teacher": "smollm2", "beside": ""} | parameters)


def sentences(app: AppTest) -> str:
    elements = [*app.caption, *app.subheader, *app.text, *app.markdown]
    return "\n".join(element.value for element in elements)


def listed(app: AppTest) -> dict[str, Any]:
    """What the token table was sent."""
    return dict(json.loads(app.get("bidi_component")[0].proto.json))


def test_the_first_screen_advises_for_two_teachers_without_any_input() -> None:
    app = page()
    assert not app.exception
    assert "1. phi-4-mini: H-KL\n2. qwen3: P-KL" in sentences(app)
    assert "All 1,000 tokens of “three digits” are outside the common set" in sentences(app)


def test_the_papers_four_counts_are_on_the_page() -> None:
    table = page().dataframe[0].value
    assert table["qwen3"].tolist() == ["13 of 13", "0 of 100", "0 of 1,000", "32 of 32"]
    assert table["phi-4-mini"].tolist() == ["13 of 13", "100 of 100", "1,000 of 1,000", "32 of 32"]


def test_the_advice_can_be_copied_as_text() -> None:
    text = page().code[0].value
    assert "Advice: H-KL" in text
    assert "6b9e4e7fb171f92fd137b777cc2714bf87d11576700a1dcd7a399e7bbe39537b" in text


def test_the_way_that_reaches_more_is_told() -> None:
    told = sentences(page(beside=""))
    assert "W reaches 72.4 % of the teacher's tokens" in told
    assert "it reaches 86.2 % of the student's" in told


def test_a_link_to_a_category_survives_a_look_at_another_view() -> None:
    app = page(coverage_view="categories", category="greek", beside="")
    for view in ("teachers", "categories"):
        app.segmented_control(key="coverage_view").set_value(view).run()
        assert not app.exception
    assert app.selectbox(key="category").value == "greek"


def test_a_teacher_beside_changes_places_with_the_pairs() -> None:
    app = page(coverage_view="categories")
    app.selectbox(key="looked_at").set_value(1).run()
    next(button for button in app.button if button.label == "Its rows of W").click().run()
    assert app.session_state["teacher"] == "phi-4-mini"
    assert app.session_state["beside"] == ["qwen3"]


def test_each_tokenizer_is_counted_once() -> None:
    app = small(corpus="chat")
    before = dict(app.session_state["counted"])
    app.multiselect(key="beside").set_value(["mistral-v0.3"]).run()
    assert len(app.session_state["counted"]) == len(before) + 1


def test_one_vocabulary_on_both_sides_is_plain_kl() -> None:
    assert "gpt2: KL over the vocabulary" in sentences(small(teacher="gpt2"))


def test_the_categories_sum_to_the_vocabulary() -> None:
    app = small(coverage_view="categories")
    assert not app.exception
    table = app.dataframe[0].value
    assert table["tokens"].sum() == 50_257
    assert (table["strict"] <= table["relaxed"]).all()
    assert (table["relaxed"] + table["outside, with a row"] + table["empty"] == table["tokens"]).all()


def test_the_critical_category_that_is_outside_most_lists_its_tokens() -> None:
    app = page(coverage_view="categories", beside="")
    assert app.selectbox(key="category").value in ("two_digits", "three_digits")
    assert {row[2] for row in listed(app)["rows"]} == {"outside"}


def test_a_category_in_the_link_lists_its_tokens() -> None:
    assert listed(page(coverage_view="categories", category="three_digits"))["total"] == 1000


def test_a_category_leads_to_its_rows_of_w() -> None:
    app = page(coverage_view="categories", category="three_digits", beside="")
    next(button for button in app.button if button.label == "Its rows of W").click().run()
    assert not app.exception
    assert listed(app)["total"] == 1000
    assert app.session_state["categories"] == ["three_digits"]


def test_a_text_weighs_the_categories() -> None:
    app = small(coverage_view="categories", corpus="mathematics")
    assert not app.exception
    counted = app.dataframe[0].value["tokens"].sum()
    of_student = next(one for key, one in app.session_state["counted"].items() if key[1] == "gpt2")
    assert counted == of_student.tokens
    assert "in this text" in sentences(app)


def test_a_text_shows_bytes_a_token_and_its_worst_tokens() -> None:
    app = page(coverage_view="text", corpus="mathematics", beside="")
    assert not app.exception
    worst = app.dataframe[-1].value
    assert worst["occurrences"].is_monotonic_decreasing
    assert "outside the common set" in sentences(app)


def test_a_text_of_ones_own_is_counted() -> None:
    app = small(coverage_view="text", corpus="yours")
    assert "No text of yours is here yet" in sentences(app)
    app.text_area(key="corpus_text").set_value("201 and 202").run()
    assert not app.exception
    assert "outside the common set" in sentences(app)
    app.file_uploader(key="corpus_file").upload("mine.txt", b"one two 2024", "text/plain").run()
    assert not app.exception


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.txt", b"\xff\xfe", "a.txt is not UTF-8"),
        ("a.txt", b"", "a.txt is empty"),
        ("a.jsonl", b"{", "is not JSON"),
    ],
)
def test_a_text_that_cannot_be_read_gets_a_sentence(name: str, content: bytes, sentence: str) -> None:
    app = small()
    app.file_uploader(key="corpus_file").upload(name, content, "text/plain").run()
    assert not app.exception
    assert sentence in sentences(app)


def test_teachers_stand_beside_each_other() -> None:
    app = page(coverage_view="teachers", beside="phi-4-mini,gpt2")
    assert not app.exception
    table = app.dataframe[0].value.set_index("category")
    assert table.loc["three digits"].tolist() == [0.0, 100.0, 77.7]
    assert "phi-4-mini: " in sentences(app)


def test_vocabularies_in_common_are_stated_with_their_definition() -> None:
    app = page(coverage_view="overlap", beside="")
    table = app.dataframe[0].value
    assert table["shared"].tolist() == [109_566]
    assert table["shared of the smaller"].tolist() == [0.856]
    assert "NeMo-RL publishes 0.848" in sentences(app)


def test_own_critical_categories_decide() -> None:
    app = page(beside="", own_categories="latin_word")
    assert "qwen3: H-KL" in sentences(app)


def test_a_link_carries_everything() -> None:
    link = CoverageLink(
        student="gpt2",
        teacher="smollm2",
        beside=("mistral-v0.3",),
        threshold=0.5,
        critical="code",
        own_categories=("latin_word", "latin_part"),
        corpus="chat",
        coverage_view="categories",
        category="latin_part",
    )
    app = page(**link.parameters())
    assert not app.exception
    assert CoverageLink.from_parameters(dict(app.query_params)) == link.with_hashes("8414cab924d8", "9ca9acddb652")


@pytest.mark.parametrize(
    "parameters",
    [
        {"coverage_view": "none", "critical": "x", "corpus": "y", "category": "z"},
        {"beside": "no-such-tokenizer"},
        {"beside": "a,b,c,d,e,f,g,h,i"},
        {"beside": "evil-org/evil"},
        {"beside": "gpt2,gpt2,smollm2"},
        {"own_categories": "nothing,special"},
        {"corpus": "yours"},
        {"threshold": "9"},
        {"student": ""},
        {"presenter": "1"},
        {"presenter": "1", "coverage_view": "categories"},
    ],
)
def test_a_broken_link_shows_a_page(parameters: dict[str, str]) -> None:
    assert not small(**parameters).exception


def test_the_same_bytes_under_another_ending_are_read_anew() -> None:
    app = small()
    for name in ("a.txt", "a.jsonl"):
        app.file_uploader(key="corpus_file").set_value([(name, b'{"text": "two 2024"}', "text/plain")]).run()
        assert not app.exception
    of_student = [one.tokens for key, one in app.session_state["counted"].items() if key[1] == "gpt2"]
    assert len(of_student) == 2
    assert of_student[0] > of_student[1]
