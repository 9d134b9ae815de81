"""The Alignment page in a real browser: what a user clicks, and what a hostile text must not do."""

import json
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, expect

from tests.browser.watching import HOSTILE
from ui.samples import SAMPLES


def open_page(page: Page, url: str) -> None:
    page.goto(url)
    page.locator(".token-view").wait_for(timeout=60_000)


def write(page: Page, text: str) -> None:
    box = page.get_by_role("textbox", name="Text")
    box.fill(text)
    box.press("Control+Enter")


def test_the_first_screen_needs_no_input(watched: Page, app_url: str) -> None:
    page = watched
    open_page(page, app_url)
    expect(page.get_by_text("Hundreds", exact=True).first).to_be_visible()
    expect(page.get_by_role("heading", name="Chunk 5 of")).to_be_visible()


def test_a_click_on_a_token_shows_its_chunk_and_goes_into_the_address(watched: Page, app_url: str) -> None:
    page = watched
    open_page(page, f"{app_url}/?text=one+2024+two&student_special=0")
    page.locator(".token-view").get_by_text("one", exact=True).first.click()
    expect(page.get_by_role("heading", name="Chunk 1 of")).to_be_visible()
    page.wait_for_url("**chunk=1**")


def test_a_link_opens_the_same_chunk(watched: Page, app_url: str) -> None:
    page = watched
    open_page(page, f"{app_url}/?text=one+2024+two&student_special=0&chunk=2")
    expect(page.get_by_role("heading", name="Chunk 2 of")).to_be_visible()


def test_typing_draws_anew_and_a_reload_keeps_the_text(watched: Page, app_url: str) -> None:
    page = watched
    open_page(page, app_url)
    write(page, "entirely new words 77")
    expect(page.locator(".token-view").get_by_text("·words", exact=True).first).to_be_visible()
    page.wait_for_url("**entirely**")
    page.reload()
    page.locator(".token-view").wait_for(timeout=60_000)
    expect(page.get_by_role("textbox", name="Text")).to_have_value("entirely new words 77")


def test_hostile_text_is_shown_and_never_run(watched: Page, app_url: str) -> None:
    page = watched
    open_page(page, app_url)
    write(page, HOSTILE)
    expect(page.locator(".token-view").get_by_text("onerror").first).to_be_visible()
    page.get_by_text("Every chunk as a table").click()
    page.wait_for_timeout(500)


def test_hostile_links_are_shown_and_never_run(watched: Page, app_url: str) -> None:
    page = watched
    page.goto(f"{app_url}/?teacher={quote(HOSTILE)}&text={quote(HOSTILE)}")
    expect(page.get_by_text("The link names")).to_be_visible(timeout=60_000)
    page.wait_for_timeout(500)
    expect(page.get_by_role("textbox", name="Text")).to_have_value(HOSTILE)


def test_each_sample_is_drawn(watched: Page, app_url: str) -> None:
    page = watched
    open_page(page, app_url)
    for sample in SAMPLES[1:4]:
        page.get_by_role("combobox", name="Sample").click()
        page.get_by_role("option", name=sample.title).click()
        expect(page.get_by_text(sample.look)).to_be_visible()


def test_the_view_keeps_its_form_in_the_address(watched: Page, app_url: str) -> None:
    page = watched
    open_page(page, app_url)
    page.locator(".token-view").get_by_text("Beside", exact=True).click()
    page.wait_for_url("**layout=beside**")
    page.locator(".token-view").get_by_text("Vocabulary", exact=True).click()
    page.wait_for_url("**form=raw**")


def test_the_three_files_can_be_saved(watched: Page, app_url: str, tmp_path: Path) -> None:
    page = watched
    open_page(page, f"{app_url}/?text={quote(HOSTILE)}")
    page.get_by_role("button", name="Save").click()
    for label, name in (("Page (HTML", "x.html"), ("Alignment (JSON)", "x.json"), ("Chunks (CSV)", "x.csv")):
        with page.expect_download() as download:
            page.get_by_role("button", name=label).click()
        download.value.save_as(tmp_path / name)
    assert json.loads((tmp_path / "x.json").read_text())["schema"] == "xtoken-explorer/alignment/1"
    assert "<img" not in (tmp_path / "x.html").read_text()
    page.goto((tmp_path / "x.html").as_uri())
    expect(page.locator(".token-view").get_by_text("onerror").first).to_be_visible()


def test_the_page_follows_the_keyboard(watched: Page, app_url: str) -> None:
    page = watched
    page.set_viewport_size({"width": 1440, "height": 640})
    open_page(page, app_url)
    page.locator(".token-view").get_by_text("Hundreds", exact=True).first.click()
    page.keyboard.press("End")
    expect(page.locator(".token-view .current").first).to_be_in_viewport()
    expect(page.locator(".token-view .inspector")).to_be_in_viewport()
