"""The Projection page without a browser: what a session shows for what a user chose."""

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

from tests.handmade import added, as_bytes, byte_level, read
from tests.real import load
from ui.link import ProjectionLink
from ui.projection_tables import token_label, token_text
from xtoken_core import projection_file
from xtoken_core.matrix import Options
from xtoken_core.projection import build

ROOT = Path(__file__).parents[2]


def page(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.switch_page("pages/projection.py")
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


def small(**parameters: str) -> AppTest:
    """A small pair, where the pair doesn't matter."""
    return page(**{"student": "gpt2", "teacher": "smollm2"} | parameters)


def listed(app: AppTest) -> dict[str, Any]:
    """What the token table was sent."""
    return dict(json.loads(app.get("bidi_component")[0].proto.json))


def texts(app: AppTest) -> list[str]:
    return [row[0] for row in listed(app)["rows"]]


def sent(app: AppTest) -> int:
    """How many bytes the whole page is."""
    return sum(len(element.proto.SerializeToString()) for element in app.main if not isinstance(element, Block))


def sentences(app: AppTest) -> str:
    elements = [*app.warning, *app.info, *app.caption, *app.subheader, *app.text]
    return "\n".join(element.value for element in elements)


def test_the_first_screen_shows_where_201_goes_without_any_input() -> None:
    app = page()
    assert not app.exception
    assert listed(app)["total"] == 128_256
    assert listed(app)["chosen"] == 679
    assert "Row 679: multi" in app.subheader[0].value
    assert app.dataframe[0].value["text"].tolist() == ["2", "0", "1"]
    assert app.dataframe[0].value["weight"].round(4).tolist() == [0.9009, 0.0901, 0.009]


def test_the_whole_w_is_told_in_a_sentence() -> None:
    assert "128,256 rows, 109,566 exact, 17,993 multi, 3 special, 694 empty" in sentences(page())


def test_only_a_window_of_the_rows_is_sent() -> None:
    shown = listed(page())
    assert len(shown["rows"]) == 400
    assert 679 in shown["ids"]


@pytest.mark.parametrize(
    ("kind", "query", "expected"),
    [
        ("text", "201", ["201"]),
        ("bytes", "32 30 31", ["201"]),
        ("id", "679 220", ["·", "201"]),
        ("regex", r"^\d0\d$", [f"{k}" for k in range(1000) if k >= 100 and (k // 10) % 10 == 0] + ["000"]),
    ],
)
def test_a_search_lists_what_it_finds(kind: str, query: str, expected: list[str]) -> None:
    app = page(kind=kind, query=query)
    assert not app.exception
    assert set(expected) <= set(texts(app))
    assert listed(app)["total"] < 200


@pytest.mark.parametrize(
    ("kind", "query", "sentence"),
    [
        ("regex", "(", "The pattern '(' can't be read"),
        ("regex", "(?!a)b", "RE2"),
        ("bytes", "E2 8", "hex"),
        ("id", "seven", "id"),
    ],
)
def test_a_query_that_is_none_gets_a_sentence_and_stays(kind: str, query: str, sentence: str) -> None:
    app = small(kind=kind, query=query)
    assert not app.exception
    assert sentence in sentences(app)
    assert app.text_input(key="query").value == query


def test_a_regular_expression_that_would_never_end_ends() -> None:
    app = small(kind="regex", query="(a+)+$")
    assert not app.exception
    assert listed(app)["total"] > 0


def test_filters_narrow_the_rows() -> None:
    assert listed(page(rules="empty"))["total"] == 694
    assert listed(page(rules="special"))["total"] == 3
    assert listed(page(categories="three_digits"))["total"] == 1000
    assert listed(page(least_pieces="2", most_pieces="2", rules="multi"))["total"] > 10_000
    assert listed(page(least_weight="0.95", most_weight="0.99"))["total"] == 0


def test_the_chosen_row_stays_the_same_token_under_sorting_and_filtering() -> None:
    for parameters in ({"sort": "-weight"}, {"sort": "text"}, {"query": "2", "rules": "multi"}):
        shown = listed(page(row="679", **parameters))
        assert shown["chosen"] == 679
        assert shown["ids"][shown["chosen_at"] - shown["first"]] == 679


def test_a_row_outside_the_filter_stays_chosen_and_has_no_place() -> None:
    shown = listed(page(row="679", rules="exact"))
    assert (shown["chosen"], shown["chosen_at"]) == (679, None)


def test_the_card_says_who_took_the_place_in_the_relaxed_set() -> None:
    told = sentences(page(row="679"))
    assert "Strict common set: out, no teacher token has the same bytes." in told
    assert "Relaxed common set: out, its teacher token went to the student token 2 (17)." in told


def test_before_a_choice_the_first_that_is_found_is_shown() -> None:
    app = page(kind="regex", query="^ the$")
    assert listed(app)["chosen"] == 279
    assert "Row 279: exact" in app.subheader[0].value


def test_a_choice_that_the_search_leaves_out_stays_and_is_told() -> None:
    app = page(row="679", query="nothing has this text")
    assert "Row 679" in app.subheader[0].value
    assert "Not in the list" in sentences(app)


def test_a_search_by_id_is_forgotten_in_another_vocabulary() -> None:
    app = page(view="columns", kind="id", query="17 15 16")
    assert listed(app)["total"] == 3
    app.segmented_control(key="view").set_value("rows").run()
    assert listed(app)["total"] == 128_256


def test_bounds_that_exclude_all_get_a_sentence() -> None:
    assert "No pieces is at least 4 and at most 2" in sentences(small(least_pieces="4", most_pieces="2"))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("least_pieces", {"least_pieces": "3"}),
        ("most_pieces", {"most_pieces": "1"}),
        ("least_weight", {"least_weight": "0.95"}),
        ("most_weight", {"most_weight": "0.5"}),
    ],
)
def test_an_emptied_bound_is_no_bound(name: str, parameters: dict[str, str]) -> None:
    app = small(**parameters)
    assert listed(app)["total"] < 50_257
    app.number_input(key=name).set_value(None).run()
    assert not app.exception
    assert app.number_input(key=name).value is None
    assert listed(app)["total"] == 50_257
    assert name not in app.query_params


@pytest.mark.parametrize(("name", "value"), [("top_k", "2"), ("max_pieces", "2"), ("gamma", "0.5")])
def test_an_emptied_number_under_options_gets_a_sentence(name: str, value: str) -> None:
    app = small(**{name: value})
    assert name in app.query_params
    app.number_input(key=name).set_value(None).run()
    assert not app.exception
    assert "A number under Options is empty. Fill it in: K and the most pieces are 4, γ is 0.1." in sentences(app)
    assert app.number_input(key=name).value is None
    assert name not in app.query_params


def test_the_filters_show_a_token_s_category() -> None:
    assert "category: three digits" in sentences(page(row="679"))


def test_an_exact_row_is_in_both_common_sets() -> None:
    told = sentences(page(query="Hundreds", row="78955", teacher="qwen3"))
    assert "Strict common set: in" in told
    assert "Relaxed common set: in" in told


def test_a_token_of_a_million_bytes_is_drawn_short() -> None:
    spec = byte_level("a", "b")
    spec["model"]["vocab"]["ab" * 500_000] = 2
    app = page(student="gpt2", teacher="gpt2")
    for side in ("Student", "Teacher"):
        app.segmented_control(key="side_to_read").set_value(side)
        app.file_uploader(key="tokenizer_file").set_value(("long.json", as_bytes(spec), "application/json")).run()
    for view, chosen in (("rows", {"row": 2}), ("columns", {"column": 2})):
        app.session_state["view"] = view
        for name, token in chosen.items():
            app.session_state[name] = token
        app.run()
        assert not app.exception
        assert f"{view[:-1].title()} 2" in app.subheader[0].value
        short = "ab" * 30 + "…"
        assert texts(app) == ["a", "b", short]
        assert f"text: {short}\nbytes: 61 62" in sentences(app)
        assert "1,000,000 in all" in sentences(app)
        assert f"vocabulary form: {short}" in sentences(app)
        [entry] = app.dataframe[0].value.to_dict("records")
        assert entry["text"] == short
        assert entry["bytes"] == "61 62 " * 127 + "61 62 … 1,000,000 in all"
        assert sent(app) < 50_000


def test_a_form_of_a_million_characters_is_drawn_short() -> None:
    spec = byte_level("a", added_tokens=[added(1, "<" * 1_000_000)])
    student = read(spec)
    assert token_text(student, 1) == f"[{'<' * 60}…]"
    assert len(token_label(student, 1)) < 80


def test_an_empty_row_says_why() -> None:
    app = page(rules="empty", sort="-pieces")
    app = page(row=str(listed(app)["ids"][0]))
    assert "tokens and Options allow 4" in sentences(app)


def test_the_reverse_lists_all_that_maps_to_a_teacher_token() -> None:
    app = page(view="columns", column="17")
    assert not app.exception
    assert "Column 17" in app.subheader[0].value
    reaching = app.dataframe[0].value
    assert "201" in reaching["text"].tolist()
    assert reaching["weight"].is_monotonic_decreasing


def test_teacher_tokens_that_nothing_reaches_are_listed() -> None:
    assert listed(page(view="columns", unreached="1"))["total"] == 41_842


def test_the_summary_states_findings_with_their_tables() -> None:
    app = page(view="summary")
    assert not app.exception
    charts = app.get("plotly_chart")
    assert len(charts) == 4
    by_rule, by_pieces, by_students, unreached = [element.value for element in app.dataframe]
    assert by_rule["rows"].tolist() == [109_566, 17_993, 3, 441, 253]
    assert by_pieces["rows"].sum() == 128_256
    assert by_students["columns"].sum() == 151_669
    assert unreached["columns"].sum() == 41_842


def test_the_block_draws_the_tokens_of_each_line() -> None:
    app = page(view="block", teacher="phi-4-mini")
    assert not app.exception
    table = app.dataframe[0].value
    rows = dict(zip(table["student token"], table["teacher tokens"], strict=True))
    assert rows["201"] == "201"
    assert rows["Hundreds"] == "Hund | reds"


def test_a_w_of_our_own_is_compared_with_itself() -> None:
    content = projection_file.save(build(load("gpt2"), load("smollm2")))
    app = small(view="compare")
    app.file_uploader(key="their_file").upload("w.safetensors", content, "application/octet-stream").run()
    assert not app.exception
    assert "**All 50,257 rows are the same**" in [element.value for element in app.markdown]


def test_an_opened_w_is_still_there_after_a_look_at_the_rows() -> None:
    content = projection_file.save(build(load("gpt2"), load("smollm2"), options=Options(top_k=1)))
    app = small(view="compare")
    app.file_uploader(key="their_file").upload("w.safetensors", content, "application/octet-stream").run()
    compared = f"Compared with w.safetensors, {len(content):,} bytes."
    total = listed(app)["total"]
    assert compared in sentences(app)
    app.segmented_control(key="view").set_value("rows").run()
    assert compared not in sentences(app)
    app.segmented_control(key="view").set_value("compare").run()
    assert not app.exception
    assert compared in sentences(app)
    assert 0 < listed(app)["total"] == total < 50_257


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("w.safetensors", b"no safetensors", "w.safetensors"),
        ("w.pt", b"PK\x03\x04 no archive", "w.pt"),
        ("w.pt", b"\x80\x02cos\nsystem\n", "w.pt"),
    ],
)
def test_a_file_that_is_no_w_gets_a_sentence(name: str, content: bytes, sentence: str) -> None:
    app = small(view="compare")
    app.file_uploader(key="their_file").upload(name, content, "application/octet-stream").run()
    assert not app.exception
    assert sentence in sentences(app)


def test_a_w_for_other_tokenizers_is_refused() -> None:
    content = projection_file.save(build(load("smollm2"), load("gpt2")))
    app = small(view="compare")
    app.file_uploader(key="their_file").upload("w.safetensors", content, "application/octet-stream").run()
    assert not app.exception
    assert "was built for the student smollm2" in sentences(app)


def test_a_link_carries_everything() -> None:
    link = ProjectionLink(
        student="gpt2",
        teacher="smollm2",
        top_k=2,
        max_pieces=3,
        gamma=0.2,
        long="truncate",
        threshold=0.5,
        kind="regex",
        query="^a",
        rules=("exact", "multi"),
        categories=("latin_part",),
        least_pieces=1,
        most_pieces=3,
        least_weight=0.1,
        most_weight=0.9,
        sort="-weight",
        row=64,
        column=7,
    )
    app = page(**link.parameters())
    assert not app.exception
    assert ProjectionLink.from_parameters(dict(app.query_params)) == link.with_hashes("8414cab924d8", "9ca9acddb652")


def test_a_link_with_another_hash_is_warned_about() -> None:
    assert "its hash began with 000000000000" in sentences(small(student_sha="000000000000"))


@pytest.mark.parametrize(
    "parameters",
    [
        {"row": "999999999"},
        {"row": "-1", "column": "x"},
        {"view": "none"},
        {"kind": "<b>"},
        {"top_k": "0", "max_pieces": "999", "gamma": "-1", "long": "x", "threshold": "7"},
        {"gamma": "nan", "threshold": "inf"},
        {"rules": "x,,exact", "categories": "y"},
        {"sort": "-nothing"},
        {"least_pieces": "999999999", "most_weight": "-3"},
        {"view": "columns", "column": "999999999"},
        {"view": "block", "block": "\x00"},
        {"view": "block", "block": ""},
        {"student": "", "teacher": ""},
        {"query": "x" * 3000},
        {"presenter": "1"},
    ],
)
def test_a_broken_link_shows_a_page(parameters: dict[str, str]) -> None:
    assert not small(**parameters).exception


def test_an_unknown_name_gets_a_sentence() -> None:
    app = page(teacher="no-such-tokenizer")
    assert not app.exception
    assert "No tokenizer is called 'no-such-tokenizer'" in sentences(app)


def test_options_build_another_w() -> None:
    app = small(query="", row="1264")
    app.number_input(key="top_k").set_value(1).run()
    assert not app.exception
    assert app.dataframe[0].value["weight"].tolist() == [1.0]
    assert "Trimmed: 9.9 % of the weights was cut" in sentences(app)


def test_presenting_hides_the_controls_and_keeps_the_state() -> None:
    app = small(query="201", row="1264")
    app.toggle(key="presenter").set_value(True).run()
    assert not app.text_input
    assert "Row 1,264" in app.subheader[0].value
    app.toggle(key="presenter").set_value(False).run()
    assert app.text_input(key="query").value == "201"


def test_a_chunk_leads_to_its_rows_and_back() -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    next(button for button in app.button if button.label == "Its rows of W").click().run()
    assert not app.exception
    assert texts(app) == ["201"]
    assert listed(app)["chosen"] == 679
    next(button for button in app.button if button.label.startswith("← Back to chunk")).click().run()
    assert not app.exception
    assert "chunk 5 of" in app.subheader[0].value
