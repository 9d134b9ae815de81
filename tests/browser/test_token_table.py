"""The token table in a real browser: over 200,000 rows of a small app, and mounted by itself the way Streamlit does."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.table_app import COLUMNS, HOSTILE
from tests.browser.watching import Watched
from tests.running import ROOT, running_app
from ui.token_table import payload, window_around

FOLDER = ROOT / "ui" / "token_table"
MOST_ROWS = 60  # in the document, whatever the table holds


@pytest.fixture(scope="module")
def table_url() -> Iterator[str]:
    """The small app, on a port of its own."""
    with running_app("tests/browser/table_app.py") as url:
        yield url


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One cache for all tests: the app's own scripts are loaded once."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    yield context
    context.close()


@pytest.fixture
def opened(context: BrowserContext, table_url: str) -> Iterator[Callable[..., Page]]:
    """Opens the app. A request to another host, a script error or a dialog fails the test."""
    page = context.new_page()
    watching = Watched(page, table_url)

    def open_app(rows: int = 200_000, *, scheme: Any = "light") -> Page:
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{table_url}/?rows={rows}")
        page.locator(".token-table .body .row").first.wait_for(timeout=30_000)
        return page

    yield open_app
    watching.check()
    page.close()


@pytest.fixture
def mount(page: Page) -> Callable[..., None]:
    """Runs the table as Streamlit does, again on the same element at every call; reports land in `window.reports`."""
    script = (FOLDER / "table.js").read_text(encoding="utf-8")
    page.set_content(f"<style>{(FOLDER / 'table.css').read_text(encoding='utf-8')}</style><div id=host></div>")
    page.add_script_tag(
        type="module",
        content=f"""{script}
        const parentElement = document.getElementById("host");
        window.reports = [];
        window.cleanups = [];
        const setStateValue = (name, value) => reports.push([name, ...value.slice(0, -1)]);
        window.mount = (data) => cleanups.push(tokenTable({{ data, parentElement, setStateValue }}));""",
    )
    page.wait_for_function("'mount' in window")
    return lambda **changes: page.evaluate("data => { mount(data) }", data(**changes))


def data(*, first: int = 0, total: int = 10_000, size: int = 400, **changes: Any) -> dict[str, Any]:
    """A payload in which the token at each position has the position as its id."""
    ids = range(first, min(first + size, total))
    rows = [[f"token{k}", str(k), "", "", ""] for k in ids]
    known = {"order": "all", "sort": None, "chosen": None, "chosen_at": None, "noun": "tokens", "empty": "None left."}
    return {**payload(COLUMNS, rows, ids, first=first, total=total, **{**known, **changes}), "height": 480}


def rows_in_sight(page: Page) -> list[str]:
    """The ids of the rows in sight from the top, "" for one that is awaited."""
    return page.locator(".grid").evaluate("""(grid) => {
        const frame = grid.getBoundingClientRect();
        const isInSight = ({ top, bottom }) => top >= frame.top + 31 && bottom <= frame.top + grid.clientHeight + 1;
        const rows = [...grid.querySelectorAll(".body .row")];
        return rows.filter((row) => isInSight(row.getBoundingClientRect())).map((row) => row.children[1].textContent);
    }""")


def row(page: Page, token: int) -> Locator:
    """The row whose second column, the id, is `token`."""
    return page.locator(".body .row").filter(has=page.locator(f".cell:nth-child(2):text-is('{token}')"))


def scroll_to(page: Page, share: float) -> None:
    page.locator(".grid").evaluate("(grid, share) => { grid.scrollTop = share * grid.scrollHeight }", share)


def press(page: Page, *keys: str) -> None:
    page.locator(".grid").focus()
    for key in keys:
        page.keyboard.press(key)


def sort_by(page: Page, title: str) -> Locator:
    header = page.get_by_role("columnheader", name=title)
    header.get_by_role("button").click()
    return header


def chosen(page: Page, token: int) -> Locator:
    """The row of `token`, once it is the chosen one in the browser and on the server."""
    expect(page.get_by_text(f"chosen {token}", exact=True)).to_be_visible()
    expect(page.locator(".body .chosen")).to_have_count(1)
    expect(page.locator(".body .chosen .cell").nth(1)).to_have_text(str(token))
    return page.locator(".body .chosen")


def test_of_two_hundred_thousand_rows_a_few_are_drawn(opened: Callable[..., Page]) -> None:
    page = opened()
    assert rows_in_sight(page)[:3] == ["0", "1", "2"]
    assert page.locator(".body .row").count() < MOST_ROWS
    expect(page.get_by_role("grid")).to_have_attribute("aria-rowcount", "200001")
    expect(row(page, 0)).to_have_attribute("aria-rowindex", "2")
    expect(page.locator(".place")).to_have_text("rows 1-15 of 200,000 tokens")


def test_a_click_chooses_by_id_and_a_rerun_repeats_nothing(opened: Callable[..., Page]) -> None:
    page = opened()
    row(page, 6).click()
    expect(chosen(page, 6)).to_have_attribute("aria-selected", "true")
    row(page, 6).click()
    expect(page.get_by_text("choose 2 window 0 sort 0", exact=True)).to_be_visible()
    page.get_by_role("button", name="Again").click()
    scroll_to(page, 0.5)
    expect(page.get_by_text("choose 2 window 1 sort 0", exact=True)).to_be_visible()


def test_a_table_that_went_and_came_back_shows_its_choice_and_repeats_nothing(opened: Callable[..., Page]) -> None:
    page = opened()
    row(page, 6).click()
    chosen(page, 6)
    scroll_to(page, 0.5)
    expect(page.get_by_text("choose 1 window 1 sort 0", exact=True)).to_be_visible()
    page.get_by_text("Table", exact=True).click()
    expect(page.locator(".token-table")).to_have_count(0)
    page.get_by_text("Table", exact=True).click()
    expect(chosen(page, 6)).to_be_in_viewport()
    expect(page.get_by_text("choose 1 window 2 sort 0", exact=True)).to_be_visible()
    row(page, 6).click()
    expect(page.get_by_text("choose 2 window 2 sort 0", exact=True)).to_be_visible()


def test_a_choice_survives_sorting_and_filtering_and_is_scrolled_to(opened: Callable[..., Page]) -> None:
    page = opened()
    row(page, 7).click()
    chosen(page, 7)
    sort_by(page, "Number seen")
    expect(page.locator(".place")).to_contain_text("144,5")
    expect(chosen(page, 7)).to_be_in_viewport()
    assert "7" in rows_in_sight(page)
    page.get_by_label("Id ends with").fill("7")
    page.keyboard.press("Enter")
    expect(page.locator(".place")).to_contain_text("of 20,000 tokens")
    expect(chosen(page, 7)).to_be_in_viewport()
    assert "7" in rows_in_sight(page)


def test_a_filter_that_leaves_the_choice_out_starts_at_the_top_and_keeps_it(opened: Callable[..., Page]) -> None:
    page = opened()
    row(page, 7).click()
    chosen(page, 7)
    scroll_to(page, 0.5)
    page.get_by_label("Id ends with").fill("8")
    page.keyboard.press("Enter")
    expect(page.locator(".place")).to_contain_text("rows 1-15 of 20,000")
    expect(page.locator(".body .chosen")).to_have_count(0)
    page.get_by_label("Id ends with").fill("")
    page.keyboard.press("Enter")
    expect(chosen(page, 7)).to_be_in_viewport()


def test_scrolling_loads_the_rows_of_the_middle_and_the_end(opened: Callable[..., Page]) -> None:
    page = opened()
    scroll_to(page, 0.5)
    expect(row(page, 100_003)).to_be_visible()
    in_sight = [int(token) for token in rows_in_sight(page)]
    assert in_sight == list(range(in_sight[0], in_sight[0] + len(in_sight))) and 100_003 in in_sight
    scroll_to(page, 1)
    expect(row(page, 199_999)).to_be_visible()
    assert rows_in_sight(page)[-1] == "199999"
    assert page.locator(".body .row").count() < MOST_ROWS
    expect(page.locator(".place")).to_contain_text("-200,000 of 200,000 tokens")


def test_the_keyboard_reaches_both_ends_and_goes_by_pages(opened: Callable[..., Page]) -> None:
    page = opened()
    press(page, "End")
    expect(page.locator(".body .chosen")).to_have_attribute("aria-rowindex", "200001")  # before its row is here
    expect(chosen(page, 199_999)).to_be_in_viewport()
    press(page, "PageUp")
    chosen(page, 199_999 - 13)
    press(page, "Home", "PageDown", "ArrowDown", "ArrowUp", "ArrowDown")
    expect(chosen(page, 14)).to_be_in_viewport()
    expect(page.get_by_role("grid")).to_have_attribute("aria-activedescendant", "row-14")


def test_hostile_text_is_shown_and_never_run(opened: Callable[..., Page]) -> None:
    page = opened()
    shown = page.locator(".body .row .cell:first-child")
    assert [cell.evaluate("cell => cell.textContent") for cell in shown.all()[: len(HOSTILE)]] == list(HOSTILE)
    assert page.locator(".token-table :is(img, script)").count() == 0
    boxes = [row(page, token).locator(".cell").nth(1).bounding_box() for token in (0, 1, 2, 4, 9)]
    assert len({box and (box["x"], box["width"], box["height"]) for box in boxes}) == 1
    shown.nth(2).hover()
    expect(shown.nth(2)).to_have_attribute("title", HOSTILE[2])
    assert row(page, 9).locator("[title]").count() == 0


def test_of_a_million_rows_the_last_is_reached_and_each_key_goes_one_row(opened: Callable[..., Page]) -> None:
    page = opened(1_000_000)
    assert page.locator(".body").evaluate("body => body.offsetHeight") == 12_000_000
    press(page, "End")
    expect(chosen(page, 999_999)).to_be_in_viewport()
    assert rows_in_sight(page)[-1] == "999999"
    press(page, *["ArrowUp"] * 20)
    expect(chosen(page, 999_979)).to_be_in_viewport()
    assert rows_in_sight(page)[0] == "999979"
    scroll_to(page, 0.5)
    expect(row(page, 500_003)).to_be_visible()
    press(page, "Home")
    expect(chosen(page, 0)).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_a_plain_and_from_a_chosen_row(opened: Callable[..., Page], scheme: str) -> None:
    page = opened(scheme=scheme)
    row(page, 6).click()
    chosen(page, 6)
    ratios = page.locator(".token-table").evaluate("""(table) => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
        const context = canvas.getContext("2d", { willReadFrequently: true });
        const painted = (...colours) => {
            for (const colour of colours) {
                context.fillStyle = colour;
                context.fillRect(0, 0, 1, 1);
            }
            return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
        };
        const linear = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        const light = (c) => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]) + 0.05;
        const paper = getComputedStyle(table.querySelector(".head")).backgroundColor;
        return [...table.querySelectorAll(".body .row")].slice(5, 7).flatMap((row) => [...row.children].map((cell) => {
            const ground = [paper, getComputedStyle(row).backgroundColor];
            const text = light(painted(...ground, getComputedStyle(cell).color));
            const behind = light(painted(...ground));
            return Math.max(text, behind) / Math.min(text, behind);
        }));
    }""")
    assert len(ratios) == 10
    assert min(ratios) >= 7


def test_headers_sort_upwards_first_and_numbers_downwards(mount: Callable[..., None], page: Page) -> None:
    mount()
    for title, direction, glyph in (("Token", "ascending", "▲"), ("Id", "descending", "▼"), ("Id", "ascending", "▲")):
        header = sort_by(page, title)
        expect(header).to_have_attribute("aria-sort", direction)
        expect(header.locator(".glyph")).to_have_text(glyph)
    assert page.evaluate("reports") == [["sort", "token", False], ["sort", "id", True], ["sort", "id", False]]
    expect(page.locator("[aria-sort=none]")).to_have_count(3)
    expect(page.get_by_role("columnheader", name="Category").get_by_role("button")).to_have_count(0)


def test_a_held_key_is_drawn_at_once_and_reported_once(mount: Callable[..., None], page: Page) -> None:
    mount()
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    press(page, *["ArrowDown"] * 40)
    expect(page.locator(".chosen")).to_have_attribute("id", "row-39")
    assert page.evaluate("reports") == []
    page.clock.run_for(500)
    assert page.evaluate("reports") == [["choose", 39]]


def test_nothing_left_is_said_in_a_sentence(mount: Callable[..., None], page: Page) -> None:
    mount()
    mount(total=0, order="none")
    expect(page.get_by_text("None left.")).to_be_visible()
    expect(page.locator(".place")).to_have_text("0 tokens")
    assert page.locator(".body .row").count() == 0


def test_the_page_never_scrolls_sideways(mount: Callable[..., None], page: Page) -> None:
    mount()
    for width in (1440, 800, 420):
        page.set_viewport_size({"width": width, "height": 760})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        grid, last = page.locator(".grid"), row(page, 5).locator(".cell").last
        assert grid.evaluate("grid => grid.scrollWidth > grid.clientWidth") == (width == 420)
        grid.evaluate("grid => { grid.scrollLeft = 10_000 }")
        expect(last).to_be_in_viewport(ratio=0.99)
        header = page.get_by_role("columnheader", name="Category")
        assert (last.bounding_box() or {})["x"] == (header.bounding_box() or {})["x"]


def test_another_window_moves_nothing_though_the_choice_is_out_of_sight(mount: Callable[..., None], page: Page) -> None:
    mount(chosen=3, chosen_at=3)
    scroll_to(page, 0.02)
    before = page.locator(".grid").evaluate("grid => grid.scrollTop"), rows_in_sight(page)
    page.locator(".body .row").nth(15).evaluate("row => { window.kept = row }")
    mount(first=100, chosen=3, chosen_at=3)
    assert (page.locator(".grid").evaluate("grid => grid.scrollTop"), rows_in_sight(page)) == before
    assert page.locator(".token-table").count() == 1
    assert page.locator(".body .row").nth(15).evaluate("row => row === window.kept")


def test_rows_that_are_awaited_keep_their_places_and_are_asked_for_once(mount: Callable[..., None], page: Page) -> None:
    mount()
    scroll_to(page, 0.5)
    expect(page.locator(".awaited").first).to_be_visible()
    assert set(rows_in_sight(page)) == {""}
    page.wait_for_function("reports.length > 0")
    scroll_to(page, 0.8)
    page.wait_for_timeout(150)
    [[name, first, order]] = page.evaluate("reports")
    assert (name, first, order) == ("window", window_around(5_008, 10_000), "all")
    mount(first=first)
    page.wait_for_function("reports.length > 1")  # where the reader went on to in the meantime
    assert page.evaluate("reports[1][1]") == window_around(8_009, 10_000)


def test_a_late_echo_takes_no_choice_back(mount: Callable[..., None], page: Page) -> None:
    mount()
    row(page, 3).click()
    row(page, 5).click()
    mount(chosen=3, chosen_at=3)
    assert page.locator(".chosen .cell").nth(1).inner_text() == "5"
    mount(chosen=5, chosen_at=5)
    mount(chosen=9_000, chosen_at=9_000)
    assert page.locator(".chosen").get_attribute("id") == "row-9000"
    expect(page.locator(".chosen")).to_be_in_viewport()


def test_a_choice_ahead_of_its_row_is_reported_when_the_row_comes(mount: Callable[..., None], page: Page) -> None:
    mount()
    press(page, "End")
    page.wait_for_function("reports.length > 0")
    page.wait_for_timeout(200)
    assert page.evaluate("reports") == [["window", 9_600, "all"]]
    mount(first=9_600)
    assert page.evaluate("reports[1]") == ["choose", 9_999]


def test_the_cleanup_of_an_overtaken_run_leaves_the_table(mount: Callable[..., None], page: Page) -> None:
    mount()
    mount(first=100)
    page.evaluate("cleanups[0]()")
    assert page.locator(".token-table").count() == 1
    page.evaluate("cleanups[1]()")
    assert page.locator(".token-table").count() == 0
