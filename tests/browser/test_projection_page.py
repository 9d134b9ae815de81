"""The Projection page in a real browser: finding, sorting, choosing, and the way from a chunk to its rows and back."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.watching import HOSTILE
from tests.running import ROOT, running_app
from xtoken_core import projection_file

SMALL = "student=gpt2&teacher=smollm2"


@pytest.fixture
def fresh_app_url() -> Iterator[str]:
    """An app that nobody has asked for a page yet."""
    with running_app() as url:
        yield url


def open_page(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("heading", name="Projection").wait_for(timeout=60_000)
    page.get_by_text("Teacher: ").wait_for(timeout=60_000)


def chosen(page: Page) -> Locator:
    return page.locator(".token-table [role=row][aria-selected=true]")


def test_a_link_to_this_page_opens_it_also_as_the_first_request_after_a_start(fresh_app_url: str, page: Page) -> None:
    open_page(page, f"{fresh_app_url}/projection?{SMALL}&query=2024")
    expect(page.get_by_role("textbox", name="Find a student token")).to_have_value("2024")
    expect(page.get_by_text("Page not found")).to_have_count(0)


def test_the_first_screen_shows_where_201_goes(watched: Page, app_url: str) -> None:
    open_page(watched, f"{app_url}/projection")
    expect(watched.get_by_role("heading", name="Row 679: multi")).to_be_visible()
    expect(chosen(watched)).to_contain_text("2 | 0 | 1")


def test_a_click_chooses_the_row_and_goes_into_the_address(watched: Page, app_url: str) -> None:
    open_page(watched, f"{app_url}/projection?query=Hundreds")
    watched.locator(".token-table").get_by_text("91722", exact=True).click()
    expect(watched.get_by_role("heading", name="Row 91,722: exact")).to_be_visible()
    watched.wait_for_url("**row=91722**")


def test_the_choice_survives_sorting_and_filtering_as_the_same_token(watched: Page, app_url: str) -> None:
    open_page(watched, f"{app_url}/projection?row=679")
    watched.locator(".token-table").get_by_role("button", name="weights").click()
    watched.wait_for_url("**sort=-weight**")
    expect(watched.get_by_role("heading", name="Row 679: multi")).to_be_visible()
    box = watched.get_by_role("textbox", name="Find a student token")
    box.fill("01")
    box.press("Enter")
    watched.wait_for_url("**query=01**")
    expect(chosen(watched)).to_contain_text("679")
    expect(chosen(watched)).to_be_in_viewport()
    expect(watched.get_by_role("heading", name="Row 679: multi")).to_be_visible()


def test_a_column_button_leads_to_the_reverse_and_back_to_a_row(watched: Page, app_url: str) -> None:
    open_page(watched, f"{app_url}/projection?row=679")
    watched.get_by_role("button", name="Column 17", exact=True).click()
    expect(watched.get_by_role("heading", name="Column 17: 291 student tokens")).to_be_visible()
    watched.get_by_role("button", name="Row 1313", exact=True).click()
    expect(watched.get_by_role("heading", name="Row 1,313: multi")).to_be_visible()


def test_a_chunk_leads_to_its_rows_and_back(watched: Page, app_url: str) -> None:
    watched.goto(app_url)
    watched.get_by_role("button", name="Its rows of W").click(timeout=60_000)
    expect(watched.get_by_role("heading", name="Row 679: multi")).to_be_visible(timeout=60_000)
    watched.get_by_role("button", name="Back to chunk 5").click()
    expect(watched.get_by_role("heading", name="chunk 5 of")).to_be_visible(timeout=60_000)


def test_a_hostile_query_is_shown_and_never_run(watched: Page, app_url: str) -> None:
    for kind in ("text", "regex", "bytes", "id"):
        open_page(watched, f"{app_url}/projection?{SMALL}&kind={kind}&query={quote(HOSTILE)}")
        expect(watched.get_by_role("textbox", name="Find a student token")).to_have_value(HOSTILE)
    open_page(watched, f"{app_url}/projection?{SMALL}&view=block&block={quote(HOSTILE)}")
    expect(watched.get_by_role("textbox", name="Tokens for the block")).to_have_value(HOSTILE)
    watched.wait_for_timeout(500)


def test_both_files_and_the_listed_rows_can_be_saved(watched: Page, app_url: str, tmp_path: Path) -> None:
    open_page(watched, f"{app_url}/projection?{SMALL}&query=2024")
    with watched.expect_download() as download:
        watched.get_by_role("button", name="Save the listed rows").click()
    download.value.save_as(tmp_path / "rows.csv")
    assert "2024" in (tmp_path / "rows.csv").read_text()
    watched.get_by_role("button", name="Save", exact=True).click()
    for label, name in (("W (safetensors)", "w.safetensors"), ("W for NeMo-RL (.pt)", "w.pt")):
        with watched.expect_download(timeout=60_000) as download:
            watched.get_by_role("button", name=label).click()
        download.value.save_as(tmp_path / name)
    assert projection_file.load((tmp_path / "w.safetensors").read_bytes(), "w").student.name == "gpt2"
    open_page(watched, f"{app_url}/projection?{SMALL}&view=compare")
    watched.locator("input[type=file]").first.set_input_files(tmp_path / "w.pt")
    expect(watched.get_by_text("All 50,257 rows are the same")).to_be_visible(timeout=60_000)


def test_files_that_are_no_w_get_a_sentence(watched: Page, app_url: str, tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(b"\x80\x02cposix\nsystem\n(S'touch pwned'\ntR.")
    open_page(watched, f"{app_url}/projection?{SMALL}&view=compare")
    watched.locator("input[type=file]").first.set_input_files(tmp_path / "w.pt")
    expect(watched.get_by_text("This can't be used")).to_be_visible()
    assert not (ROOT / "pwned").exists()


def test_the_keyboard_walks_the_rows(watched: Page, app_url: str) -> None:
    open_page(watched, f"{app_url}/projection?{SMALL}&row=0")
    watched.locator(".token-table [role=grid]").focus()
    watched.keyboard.press("End")
    expect(watched.get_by_role("heading", name="Row 50,256: special")).to_be_visible()
    watched.wait_for_url("**row=50256**")
