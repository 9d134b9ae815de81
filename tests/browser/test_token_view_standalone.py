"""The token view by itself, in a real browser: as the exported page, and mounted the way Streamlit mounts it."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from ui.token_view.page import SCRIPT, STYLE, standalone_page
from ui.token_view.payload import View, payload
from xtoken_core.alignment import align
from xtoken_core.sequence import TokenSequence, sequence_of

FAMILY = "👩‍👧".encode()  # a woman, a joiner, a girl
HOSTILE = '<img src=x onerror="window.pwned=1"></script><script>window.pwned=2</script>\u202eevil\u202c'
RING = "rgb(0, 114, 178)"


def data(
    student: list[bytes],
    teacher: list[bytes],
    *,
    student_roles: dict[int, str] | None = None,
    forms: tuple[str, ...] = (),
    gold: bool = False,
    chosen: int | None = None,
    **view: Any,
) -> dict[str, Any]:
    """The payload of two hand-made tokenizations; `forms` are the student vocabulary's strings."""
    sides = sequence_of(student, student_roles), sequence_of(teacher)
    return payload(
        _tokenizer("one", sides[0], forms),
        _tokenizer("two", sides[1]),
        align(*sides),
        surface=align(*sides, scoring="surface") if gold else None,
        chosen=chosen,
        view=View(**view),
    )


def _tokenizer(name: str, sequence: TokenSequence, forms: tuple[str, ...] = ()) -> Any:
    marks = {mark.position: mark.form for mark in sequence.marks}
    forms = forms or tuple(marks.get(k, f"form {k}") for k in range(len(sequence)))
    return SimpleNamespace(name=name, sha256="0123456789abcdef" * 4, vocabulary=SimpleNamespace(forms=forms))


@pytest.fixture
def show(page: Page, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Opens the exported page of two tokenizations. Whatever it asks for, runs or breaks fails the test."""
    wrong: list[str] = []
    page.on("request", lambda request: wrong.append(request.url) if not request.url.startswith("file://") else None)
    page.on("pageerror", lambda error: wrong.append(f"script error {error}"))
    page.on("console", lambda message: wrong.append(message.text))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))

    def open_page(*sides: list[bytes], **options: Any) -> Page:
        file = tmp_path / "view.html"
        file.write_text(standalone_page(data(*sides, **options), options.pop("title", "Tokens")), encoding="utf-8")
        page.goto(file.as_uri())
        return page

    yield open_page
    assert not wrong


@pytest.fixture
def mount(page: Page) -> Callable[[dict[str, Any]], None]:
    """Runs the view as Streamlit does, again on the same element at every call; reports land in `window.reports`."""
    page.set_content(f"<style>:root {{ --st-primary-color: {RING} }} {STYLE}</style><div id=host></div>")
    page.add_script_tag(
        type="module",
        content=f"""{SCRIPT}
        const parentElement = document.getElementById("host").attachShadow({{ mode: "open" }});
        const style = parentElement.appendChild(document.createElement("style"));
        style.textContent = document.querySelector("style").textContent;
        window.reports = [];
        window.cleanups = [];
        const setStateValue = (name, value) => reports.push([name, value]);
        window.mount = (data) => cleanups.push(tokenView({{ data, parentElement, setStateValue }}));""",
    )
    page.wait_for_function("'mount' in window")
    return lambda payload: page.evaluate("payload => { mount(payload) }", payload)


def student(page: Page, token: int) -> Locator:
    return page.locator(f".stage [data-s='{token}']").first


def teacher(page: Page, token: int) -> Locator:
    return page.locator(f".stage [data-t='{token}']").first


def press(page: Page, *keys: str) -> None:
    page.locator(".stage").focus()
    for key in keys:
        page.keyboard.press(key)


def inspected(page: Page) -> str:
    """Which chunk the inspector shows, such as "Chunk 2 of 4"."""
    return page.locator(".inspector strong").inner_text()


def selected(page: Page, first: Locator, last: Locator, *, offsets: tuple[int, int] = (0, 1)) -> str:
    """What a copy of a selection puts on the clipboard; 0 is before what an element holds, 1 behind it."""
    page.evaluate(
        """([first, last, [from, to]]) => {
            document.addEventListener("copy", (event) => {
                window.copied = event.clipboardData.getData("text/plain");
            }, { once: true });
            const [start, end] = [from * first.childNodes.length, to * last.childNodes.length];
            document.getSelection().setBaseAndExtent(first, start, last, end);
            document.execCommand("copy");
        }""",
        [first.element_handle(), last.element_handle(), offsets],
    )
    return page.evaluate("window.copied")


NUMBERS = [b"In", b" 2024", b" or", b" 3", b"."], [b"In", b" ", b"20", b"24", b" or", b" ", b"3", b"."]


@pytest.mark.parametrize("layout", ["above", "beside"])
def test_hovering_a_token_lights_its_chunk_on_both_sides(show: Callable[..., Page], layout: str) -> None:
    page = show(*NUMBERS, layout=layout)
    teacher(page, 2).hover()
    assert page.locator(".lit").all_inner_texts() == ["·2024", "·", "20", "24"]
    student(page, 0).hover()
    assert page.locator(".lit").all_inner_texts() == ["In", "In"]


def test_hovering_in_the_woven_layout_lights_the_column(show: Callable[..., Page]) -> None:
    page = show(*NUMBERS, layout="woven")
    student(page, 1).hover()
    assert page.locator(".lit").get_attribute("data-k") == "1"


def test_what_hover_shows_focus_shows(show: Callable[..., Page]) -> None:
    page = show(*NUMBERS)
    student(page, 1).hover()
    pointed = page.locator(".inspector").inner_text()
    page.mouse.move(0, 0)
    press(page, "ArrowRight", "ArrowRight")
    assert page.locator(".inspector").inner_text() == pointed
    assert "20 32 30 32 34" in pointed and "one student token, several teacher tokens" in pointed


def test_the_walked_chunk_stays_when_the_mouse_leaves(show: Callable[..., Page]) -> None:
    page = show(*NUMBERS)
    press(page, "End")
    student(page, 0).hover()
    assert inspected(page) == "Chunk 1 of 5"
    page.mouse.move(0, 0)
    assert inspected(page) == "Chunk 5 of 5"


def test_arrow_keys_walk_the_chunks(show: Callable[..., Page]) -> None:
    page = show(*NUMBERS)
    walked = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "Home", "ArrowLeft"):
        press(page, key)
        walked.append(int(inspected(page).split()[1]))
    assert walked == [1, 2, 1, 5, 5, 1, 1]


def test_n_jumps_to_the_next_chunk_that_is_not_1_1_and_round_the_end(show: Callable[..., Page]) -> None:
    page = show(*NUMBERS)
    jumped = []
    for key in ("n", "n", "n", "Shift+N"):
        press(page, key)
        jumped.append(int(inspected(page).split()[1]))
    assert jumped == [2, 4, 2, 4]


def test_g_jumps_to_the_next_gap_or_mismatch(show: Callable[..., Page]) -> None:
    page = show([b"", b"201", b" ", "e\u0301".encode()], [b"2", b"01", b" ", "é".encode()], student_roles={0: "bos"})
    jumped = []
    for key in ("g", "g", "g", "Shift+G"):
        press(page, key)
        jumped.append(page.locator(".finding .swatch").inner_text())
    assert jumped == ["student gap", "mismatch", "student gap", "mismatch"]


def test_the_legend_counts_and_jumps_and_is_disabled_at_none(show: Callable[..., Page]) -> None:
    page = show(*NUMBERS)
    legend = page.locator(".legend button")
    assert [entry.split() for entry in legend.all_inner_texts()][:3] == [["1-1", "3"], ["1-n", "2"], ["n-1", "0"]]
    legend.nth(1).click()
    assert inspected(page) == "Chunk 2 of 5"
    expect(legend.nth(2)).to_be_disabled()
    expect(page.get_by_role("button", name="Next gap or mismatch")).to_be_disabled()


def test_keys_scroll_to_the_chunk_in_every_pane(show: Callable[..., Page]) -> None:
    words = [b" word\n"] * 2000
    page = show(words, words, layout="beside")
    press(page, "End")
    for token in (student(page, 1999), teacher(page, 1999)):
        expect(token).to_be_in_viewport()


def test_a_copy_is_the_original_text(show: Callable[..., Page]) -> None:
    text = [b"a ", b"\tb", b"\n", "\u200d".encode(), b" c"]
    page = show(text, text, layout="above")
    assert selected(page, student(page, 1), student(page, 3)) == "\tb\n\u200d"


def test_a_copy_has_the_whole_of_a_character_that_a_token_cuts(show: Callable[..., Page]) -> None:
    page = show([b"a", FAMILY[:2], FAMILY[2:]], [b"a", FAMILY], layout="above")
    assert selected(page, student(page, 1), student(page, 1)) == "👩"
    assert selected(page, student(page, 2), student(page, 2)) == FAMILY.decode()


def test_a_selection_that_only_touches_a_token_leaves_it_out(show: Callable[..., Page]) -> None:
    page = show([b"a", b"b", b"c"], [b"a", b"b", b"c"], layout="above")
    assert selected(page, student(page, 0), student(page, 2), offsets=(1, 0)) == "b"


def test_a_copy_of_woven_text_is_the_side_where_it_starts(show: Callable[..., Page]) -> None:
    page = show([b"a", b"", b"bc"], [b"a", b"b", b"c"], student_roles={1: "bos"}, layout="woven")
    assert selected(page, student(page, 0), teacher(page, 2)) == "abc"
    assert selected(page, teacher(page, 1), teacher(page, 2)) == "bc"


@pytest.mark.parametrize("form", ["faithful", "visible", "raw"])
def test_hostile_text_is_neither_run_nor_read_as_markup(show: Callable[..., Page], form: str) -> None:
    token = HOSTILE.encode()
    page = show([token], [token[:9], token[9:]], forms=(HOSTILE,), form=form, layout="above")
    assert page.evaluate("window.pwned") is None
    assert page.locator("img, main script").count() == 0
    assert "\u202e" not in page.locator("main").inner_text()
    shown = student(page, 0).inner_text().replace("·", " ")
    assert shown == HOSTILE.replace("\u202e", "RLO").replace("\u202c", "PDF")


def test_a_hostile_title_is_text(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "view.html"
    title = f"</title></h1>{HOSTILE}"
    file.write_text(standalone_page(data([b"a"], [b"a"]), title), encoding="utf-8")
    page.goto(file.as_uri())
    assert page.title() == title == page.locator("h1").text_content()
    assert page.locator("img").count() == 0 and page.evaluate("window.pwned") is None


def test_nothing_in_the_payload_can_end_its_script() -> None:
    html = standalone_page(data([HOSTILE.encode()], [b"a"], forms=(HOSTILE + "\u2028",)), "Tokens")
    embedded = html.split('<script id="payload" type="application/json">')[1].split("</script>")[0]
    assert not set("<>&\u2028\u202e") & set(embedded)
    assert json.loads(embedded)["student"]["forms"] == [HOSTILE + "\u2028"]


def test_the_policy_lets_nothing_run_but_the_view(show: Callable[..., Page]) -> None:
    page = show(*NUMBERS)
    policy = page.locator("meta[http-equiv]").get_attribute("content") or ""
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy and "http" not in policy


def test_parts_of_a_character_are_joined_hex_chips_and_the_character_follows_the_last(
    show: Callable[..., Page],
) -> None:
    page = show([FAMILY[:2], FAMILY[2:3], FAMILY[3:]], [FAMILY], layout="above")
    assert student(page, 0).locator(".hex").all_inner_texts() == ["F0", "9F"]
    assert student(page, 1).locator(".hex").all_inner_texts() == ["91"]
    assert student(page, 2).locator(".hex").all_inner_texts() == ["A9"]
    assert student(page, 2).locator(".whole").inner_text() == "👩"
    assert "\ufffd" not in page.locator("main").inner_text()


@pytest.mark.parametrize("layout", ["woven", "above"])
def test_the_chips_of_a_character_touch_also_where_both_sides_cut_it(show: Callable[..., Page], layout: str) -> None:
    page = show([FAMILY[:2], FAMILY[2:4], b"!"], [FAMILY[:2], FAMILY[2:4], b"!"], layout=layout)
    boxes = [(student(page, token).bounding_box() or {}) for token in range(3)]
    gaps = [right["x"] - (left["x"] + left["width"]) for left, right in pairwise(boxes)]
    assert gaps[0] <= 2 < gaps[1]


def test_bytes_of_no_character_are_hex_chips_beside_the_text(show: Callable[..., Page]) -> None:
    broken = [b"a\xffb", b"\xed\xa0\x80", b"\xc3"]  # a stray byte, a surrogate, a character that never ends
    page = show(broken, broken, layout="above")
    assert [student(page, k).inner_text() for k in range(3)] == ["aFFb", "EDA080", "C3"]
    assert selected(page, student(page, 0), student(page, 2)) == "a\\xFFb\\xED\\xA0\\x80\\xC3"


def test_the_three_forms(show: Callable[..., Page]) -> None:
    text = [b" a", b"\t", "\u00a0".encode()]
    page = show(text, text, forms=("Ġa", "ĉ", "Âł"), form="faithful", layout="above")
    read = {}
    for form in ("Faithful", "Visible", "Vocabulary"):
        page.get_by_role("button", name=form).click()
        read[form] = [student(page, k).evaluate("token => token.textContent") for k in range(3)]
    assert read == {
        "Faithful": [" a", "\t", "NBSP"],
        "Visible": ["·a", "→", "NBSP"],
        "Vocabulary": ["Ġa", "ĉ", "Âł"],
    }


@pytest.mark.parametrize("form", ["faithful", "visible", "raw"])
def test_a_newline_breaks_the_line_once(show: Callable[..., Page], form: str) -> None:
    text = [b"a", b"\n", b"b", b"\n\n", b"c"]
    page = show(text, text, form=form, layout="above")
    tops = [round((student(page, k).bounding_box() or {})["y"]) for k in (0, 2, 4)]
    lines = [(top - tops[0]) / (tops[1] - tops[0]) for top in tops]
    assert lines == pytest.approx([0, 1, 2 if form == "raw" else 3], abs=0.1)


NAMED = {
    "ZWJ": 0x200D,
    "ZWNJ": 0x200C,
    "LRM": 0x200E,
    "RLO": 0x202E,
    "LRI": 0x2066,
    "BOM": 0xFEFF,
    "SHY": 0xAD,
    "NBSP": 0xA0,
    "IDSP": 0x3000,
    "LSEP": 0x2028,
    "VS16": 0xFE0F,
    "NUL": 0x00,
    "CR": 0x0D,
    "DEL": 0x7F,
    "U+FFFD": 0xFFFD,
    "U+E000": 0xE000,
    "U+E0041": 0xE0041,
}


@pytest.mark.parametrize("form", ["faithful", "visible", "raw"])
def test_what_cannot_be_seen_is_named(show: Callable[..., Page], form: str) -> None:
    characters = [chr(code) for code in NAMED.values()]
    text = [character.encode() for character in characters]
    page = show(text, text, forms=tuple(characters), form=form, layout="above")
    assert [student(page, k).inner_text() for k in range(len(text))] == list(NAMED)


def test_a_mark_cut_from_its_letter_stands_on_a_dotted_circle(show: Callable[..., Page]) -> None:
    page = show([b"e", "\u0301".encode()], ["e\u0301".encode()])
    assert student(page, 1).inner_text() == "◌\u0301"
    assert teacher(page, 0).inner_text() == "e\u0301"


def test_right_to_left_tokens_stand_in_the_order_of_the_text(show: Callable[..., Page]) -> None:
    words = ["שלום".encode(), " עולם".encode(), b" abc", b"!"]
    page = show(words, words, layout="above")
    lefts = [(student(page, k).bounding_box() or {})["x"] for k in range(4)]
    assert lefts == sorted(lefts)


def test_special_tokens_and_dummy_spaces_are_badges(show: Callable[..., Page]) -> None:
    page = show([b"", b"", b"a"], [b"a"], student_roles={0: "bos", 1: "dummy_space"})
    assert page.locator(".badge").all_inner_texts() == ["<bos>", "<dummy_space>"]
    student(page, 1).hover()
    assert "a dummy space, which the tokenizer adds" in page.locator(".finding").inner_text()


def test_a_mismatch_says_whether_it_is_the_same_text_after_nfc(show: Callable[..., Page]) -> None:
    page = show(["e\u0301".encode(), b"!"], ["é".encode(), b"!"])
    student(page, 0).hover()
    assert "after Unicode normalisation (NFC) they are the same text" in page.locator(".finding").inner_text()
    assert page.locator(".cell.nfc").count() == 1


def test_a_gap_leaves_a_hole_on_the_other_side(show: Callable[..., Page]) -> None:
    page = show([b"", b"a"], [b"a"], student_roles={0: "bos"}, layout="above")
    page.locator(".hole").hover()
    assert page.locator(".lit").all_inner_texts()[0] == "<bos>"


def test_gold_stands_beside_with_its_one_large_group(show: Callable[..., Page]) -> None:
    words = [b" a"] * 50
    page = show([b"", *words], words, student_roles={0: "bos"}, gold=True, layout="woven")
    assert page.locator(".group.first").all_inner_texts() == ["51-50"]
    student(page, 7).hover()
    assert "GOLD as published: in a group of 51 student and 50 teacher tokens" in page.locator(".finding").inner_text()
    page.get_by_role("button", name="Above").click()
    assert page.locator(".gold [data-s]").count() == 51
    student(page, 7).hover()
    assert page.locator(".lit").count() == 3


def test_an_empty_text_is_a_sentence(show: Callable[..., Page]) -> None:
    page = show([], [])
    expect(page.get_by_text("No text yet.")).to_be_visible()
    assert page.locator(".pane").count() == 0
    press(page, "ArrowRight", "n", "End", "Enter")


def test_long_chunks_are_cut_in_the_inspector_and_counted(show: Callable[..., Page]) -> None:
    page = show([b"abcdefgh"], [bytes([byte]) for byte in b"abcdefgh"])
    student(page, 0).hover()
    expect(page.locator(".inspector").get_by_text("+5 more")).to_be_visible()


@pytest.mark.parametrize("layout", ["woven", "above", "beside"])
def test_pointing_moves_nothing(show: Callable[..., Page], layout: str) -> None:
    page = show(*NUMBERS, layout=layout)
    before = page.locator("main").bounding_box(), student(page, 4).bounding_box()
    student(page, 1).hover()
    assert (page.locator("main").bounding_box(), student(page, 4).bounding_box()) == before


def test_beside_falls_back_to_above_where_it_is_narrow(show: Callable[..., Page]) -> None:
    page = show(*NUMBERS, layout="beside")
    tops = [pane.bounding_box()["y"] for pane in page.locator(".pane").all()]  # type: ignore[index]
    assert tops[0] == tops[1]
    page.set_viewport_size({"width": 640, "height": 900})
    tops = [pane.bounding_box()["y"] for pane in page.locator(".pane").all()]  # type: ignore[index]
    assert tops[0] < tops[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_on_every_tint_has_a_contrast_of_seven(show: Callable[..., Page], page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    show(*NUMBERS)
    ratios = page.evaluate("""() => {
        const rgba = (color) => {
            const numbers = color.match(/[\\d.]+/g).map(Number);
            return color.startsWith("rgb") ? numbers.map((n, i) => (i < 3 ? n / 255 : n)) : numbers;
        };
        const over = ([r, g, b, a = 1], below) => [r, g, b].map((n, i) => n * a + below[i] * (1 - a));
        const linear = (n) => (n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
        const light = (c) => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]) + 0.05;
        const paper = rgba(getComputedStyle(document.body).backgroundColor).slice(0, 3);
        return [...document.querySelectorAll(".legend .swatch")].flatMap((swatch) => {
            swatch.className += " glyph";
            const muted = rgba(getComputedStyle(swatch).color);
            swatch.classList.remove("glyph");
            const tint = light(over(rgba(getComputedStyle(swatch).backgroundColor), paper));
            return [rgba(getComputedStyle(swatch).color), muted].map((ink) => {
                const text = light(over(ink, paper));
                return Math.max(text, tint) / Math.min(text, tint);
            });
        });
    }""")
    assert len(ratios) == 14
    assert min(ratios) >= 7


def test_a_click_and_enter_report_the_chunk_once(mount: Callable[..., None], page: Page) -> None:
    mount(data(*NUMBERS))
    assert page.evaluate("reports") == []
    student(page, 1).click()
    student(page, 1).click()
    press(page, "ArrowRight", "Enter")
    assert page.evaluate("reports") == [["chunk", 1], ["chunk", 2]]


def test_a_change_of_form_or_layout_is_drawn_at_once_and_reported(mount: Callable[..., None], page: Page) -> None:
    mount(data(*NUMBERS))
    page.get_by_role("button", name="Beside").click()
    assert page.locator(".pane").count() == 2
    assert page.evaluate("reports") == [["view", {"form": "visible", "layout": "beside", "presenter": False}]]


def test_a_late_echo_takes_nothing_back(mount: Callable[..., None], page: Page) -> None:
    mount(data(*NUMBERS, chosen=0))
    page.get_by_role("button", name="Beside").click()
    page.get_by_role("button", name="Above").click()
    student(page, 1).click()
    student(page, 2).click()
    mount(data(*NUMBERS, chosen=1, layout="beside"))
    assert page.locator(".token-view").get_attribute("data-layout") == "above"
    assert inspected(page) == "Chunk 3 of 5"
    mount(data(*NUMBERS, chosen=4, layout="woven"))
    assert page.locator(".token-view").get_attribute("data-layout") == "woven"
    assert page.locator(".chosen").get_attribute("data-k") == "4"


def test_the_same_data_again_keeps_elements_scrolling_and_focus(mount: Callable[..., None], page: Page) -> None:
    words = [b" word\n"] * 500
    mount(data(words, words))
    press(page, "End", "ArrowLeft")
    scrolled = page.locator(".tokens").evaluate("tokens => tokens.scrollTop")
    page.locator(".cell").first.evaluate("cell => { window.kept = cell }")
    mount(data(words, words))
    assert page.locator(".token-view").count() == 1
    assert page.locator(".cell").first.evaluate("cell => cell === window.kept")
    assert page.locator(".tokens").evaluate("tokens => tokens.scrollTop") == scrolled
    assert inspected(page) == "Chunk 499 of 500"
    press(page, "ArrowRight")
    assert inspected(page) == "Chunk 500 of 500"


def test_another_layout_starts_where_the_reader_was(mount: Callable[..., None], page: Page) -> None:
    words = [b" word\n"] * 500
    mount(data(words, words, layout="above"))
    page.locator(".tokens").first.evaluate("tokens => { tokens.scrollTop = tokens.scrollHeight / 2 }")
    page.wait_for_timeout(300)  # until the blocks in sight are laid out
    uppermost = page.locator(".tokens").first.evaluate("""(tokens) => {
        const top = tokens.getBoundingClientRect().top;
        const isInSight = (token) => token.getBoundingClientRect().top >= top;
        return [...tokens.querySelectorAll("[data-s]")].findIndex(isInSight);
    }""")
    assert uppermost > 100
    page.get_by_role("button", name="Woven").click()
    expect(student(page, uppermost)).to_be_in_viewport()


def test_another_text_starts_at_the_top_with_nothing_lit(mount: Callable[..., None], page: Page) -> None:
    words = [b" word\n"] * 500
    mount(data(words, words))
    press(page, "End")
    mount(data([b"other\n"] * 500, [b"other\n"] * 500))
    assert page.locator(".tokens").evaluate("tokens => tokens.scrollTop") == 0
    assert page.locator(".lit, .current, .chosen").count() == 0


def test_a_chosen_chunk_in_the_data_is_shown_at_once(mount: Callable[..., None], page: Page) -> None:
    words = [b" word\n"] * 500
    mount(data(words, words, chosen=400))
    expect(student(page, 400)).to_be_in_viewport()
    assert inspected(page) == "Chunk 401 of 500"


def test_the_cleanup_of_an_overtaken_run_leaves_the_view(mount: Callable[..., None], page: Page) -> None:
    mount(data(*NUMBERS))
    mount(data(*NUMBERS, chosen=1))
    page.evaluate("cleanups[0]()")
    assert page.locator(".token-view").count() == 1
    page.evaluate("cleanups[1]()")
    assert page.locator(".token-view").count() == 0


def test_the_presenter_sees_no_controls(mount: Callable[..., None], page: Page) -> None:
    mount(data(*NUMBERS))
    small = (student(page, 1).bounding_box() or {})["height"]
    mount(data(*NUMBERS, presenter=True))
    expect(page.locator(".controls")).to_be_hidden()
    assert (student(page, 1).bounding_box() or {})["height"] > 1.3 * small


@pytest.mark.usefixtures("mount")
@pytest.mark.parametrize("layout", ["woven", "above", "beside"])
def test_of_forty_thousand_tokens_a_side_those_out_of_sight_are_not_laid_out(page: Page, layout: str) -> None:
    words = [b" word", b" 20", b"24", b".\n"] * 10_000
    page.evaluate("payload => { window.payload = payload }", data(words, words, layout=layout))
    count, skipped = page.evaluate("""async () => {
        const tokens = () => document.getElementById("host").shadowRoot.querySelectorAll(".stage [data-s]");
        mount(payload);
        await new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)));
        return [tokens().length, !tokens()[39_999].checkVisibility({ contentVisibilityAuto: true })];
    }""")
    assert count == 40_000
    assert skipped
