"""The Coverage page in a real browser: a bar leads to its tokens, a token to its row, a text to its weights."""

from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, expect

from tests.browser.watching import HOSTILE


def open_page(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("heading", name="Coverage").wait_for(timeout=60_000)
    page.get_by_text("licence:").first.wait_for(timeout=60_000)


def test_the_first_screen_advises_for_two_teachers(watched: Page, app_url: str) -> None:
    open_page(watched, f"{app_url}/coverage")
    expect(watched.get_by_role("heading", name="H-KL")).to_be_visible()
    expect(watched.get_by_role("heading", name="P-KL")).to_be_visible()


def test_a_click_on_a_bar_lists_its_tokens(watched: Page, app_url: str) -> None:
    open_page(watched, f"{app_url}/coverage?coverage_view=categories&beside=&category=emoji")
    expect(watched.locator(".token-table")).to_contain_text("of 3 tokens")
    bars = watched.locator(".js-plotly-plot .barlayer .trace.bars").nth(0).locator(".point")
    bar = bars.nth(4)  # one ASCII punctuation mark
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    assert box
    watched.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # Plotly hears it on a layer above
    expect(watched.locator(".token-table")).to_contain_text("of 32 tokens")
    watched.wait_for_url("**category=ascii_punctuation**")


def test_a_category_leads_to_its_rows_and_a_token_to_its_own(watched: Page, app_url: str) -> None:
    open_page(watched, f"{app_url}/coverage?coverage_view=categories&beside=&category=three_digits")
    watched.locator(".token-table").get_by_text("679", exact=True).click()
    watched.get_by_role("button", name="The chosen token's row").click()
    expect(watched.get_by_role("heading", name="Row 679: multi")).to_be_visible(timeout=60_000)
    watched.get_by_role("link", name="Coverage").click()
    watched.get_by_role("button", name="Its rows of W").click(timeout=60_000)
    expect(watched.locator(".token-table")).to_contain_text("of 1,000 tokens", timeout=60_000)


def test_a_hostile_text_weighs_and_never_runs(watched: Page, app_url: str, tmp_path: Path) -> None:
    open_page(watched, f"{app_url}/coverage?student=gpt2&teacher=smollm2&beside=&coverage_view=text")
    (tmp_path / "x.txt").write_text(HOSTILE)
    watched.get_by_role("button", name="Open", exact=True).last.click()
    watched.locator("input[type=file]").first.set_input_files(tmp_path / "x.txt")
    expect(watched.get_by_text("outside the common set").first).to_be_visible(timeout=60_000)


def test_hostile_links_are_shown_and_never_run(watched: Page, app_url: str) -> None:
    watched.goto(f"{app_url}/coverage?beside={quote(HOSTILE)}&category={quote(HOSTILE)}&corpus={quote(HOSTILE)}")
    expect(watched.get_by_text("This can't be used")).to_be_visible(timeout=60_000)
    watched.wait_for_timeout(500)
