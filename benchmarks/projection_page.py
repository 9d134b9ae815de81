"""
How long a reader waits for the Projection page, in a headless Chromium on this machine, all rows of Llama-3.2 → Qwen3.

    open     from the click on its link, on the Alignment page, to the first frame with rows
    filter   from Enter in the search box to the first frame with another number of tokens
    sort     from the click on a header to the first frame with another first row
    scroll   from a jump of the scroll bar, to places that the browser doesn't have, to the first frame with their rows
    choose   from the click on a row to the first frame with its card

W is in memory for all but the first figure, which is a cold one too: both tokenizers read, W built or read from the
cache folder.

usage: python -m benchmarks.projection_page [--json] [--repeats 7]
"""

import argparse
import json
import platform
import statistics
import sys
from dataclasses import asdict, dataclass

from playwright.sync_api import Page

from tests.running import NO_CHROMIUM, chromium_path, running_app, running_browser

STEP_SECONDS = 60

# acts, then waits for the frame in which what `seen` tells has changed; milliseconds
WAIT = """
async ([act, seen, limit]) => {
  const roots = () => [...document.querySelectorAll("div")].map((part) => part.shadowRoot).filter(Boolean);
  const table = () => roots().map((root) => root.querySelector(".token-table")).find(Boolean);
  const look = new Function("table", `return ${seen}`);
  const before = look(table);
  const start = performance.now();
  new Function("table", act)(table);
  for (;;) {
    await new Promise(requestAnimationFrame);
    const now = look(table);
    if (now !== before && now !== null) return performance.now() - start;
    if (performance.now() - start > limit) throw new Error(`nothing changed: ${seen}`);
  }
}
"""
LINK = "document.querySelector(\"a[href$='/projection']\").click()"
FIRST_ROW = 'table()?.querySelector(".body .row:not(.awaited)")?.textContent ?? null'
TOTAL = "table()?.textContent.match(/of [\\d,]+/)?.[0] ?? null"
CARD = '[...document.querySelectorAll("h3")].map((h) => h.textContent).find((t) => t.startsWith("Row")) ?? null'


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: milliseconds as median, least and most over the repeats."""

    what: str
    median_ms: float
    least_ms: float
    most_ms: float


def main() -> None:
    options = _options()
    path = chromium_path()
    if path is None:
        sys.exit(NO_CHROMIUM)
    with running_app() as url, running_browser(path) as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        rows = _measure(page, url, options.repeats)
    print(json.dumps([asdict(row) for row in rows]) if options.json else _table(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--repeats", type=int, default=7, help="times a figure is taken")
    return parser.parse_args()


def _measure(page: Page, url: str, repeats: int) -> list[Row]:
    _to_alignment(page, url)
    cold = _waited(page, LINK, FIRST_ROW)
    opened = [_reopened(page) for _ in range(repeats)]
    page.wait_for_timeout(1000)
    return [
        Row("open, cold", round(cold), round(cold), round(cold)),
        _row("open", opened),
        _row("filter", [_filtered(page, k) for k in range(repeats)]),
        _row("sort", [_sorted(page) for _ in range(repeats)]),
        _row("scroll", [_scrolled(page, k) for k in range(repeats)]),
        _row("choose", [_chosen(page, k) for k in range(repeats)]),
    ]


def _to_alignment(page: Page, url: str) -> None:
    page.goto(url)
    page.locator(".token-view").wait_for(timeout=STEP_SECONDS * 1000)
    page.wait_for_timeout(1500)


def _reopened(page: Page) -> float:
    page.get_by_role("link", name="Alignment", exact=True).click()
    page.locator(".token-view").wait_for(timeout=STEP_SECONDS * 1000)
    page.wait_for_timeout(1500)
    return _waited(page, LINK, FIRST_ROW)


def _filtered(page: Page, number: int) -> float:
    """A search over all rows, then another."""
    box = page.get_by_role("textbox", name="Find a student token")
    times = []
    for query in (f"{number}", ""):
        box.fill(query)
        page.wait_for_timeout(300)
        box.evaluate("(box) => { window.box = box; }")
        press = 'window.box.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true}))'
        times.append(_waited(page, press, TOTAL))
        page.wait_for_timeout(700)
    return max(times)


def _sorted(page: Page) -> float:
    return _quiet(page, 'table().querySelectorAll("[role=columnheader] button")[0].click()', FIRST_ROW)


def _scrolled(page: Page, number: int) -> float:
    place = 1_000_000 + 300_000 * number
    return _quiet(page, f'table().querySelector("[role=grid]").scrollTop = {place}', FIRST_ROW)


def _chosen(page: Page, number: int) -> float:
    return _quiet(page, f'table().querySelectorAll(".body .row")[{3 + number}].click()', CARD)


def _quiet(page: Page, act: str, seen: str) -> float:
    milliseconds = _waited(page, act, seen)
    page.wait_for_timeout(700)
    return milliseconds


def _waited(page: Page, act: str, seen: str) -> float:
    return float(page.evaluate(WAIT, [act, seen, STEP_SECONDS * 1000]))


def _row(what: str, times: list[float]) -> Row:
    return Row(what, round(statistics.median(times)), round(min(times)), round(max(times)))


def _table(rows: list[Row]) -> str:
    lines = [f"Streamlit and headless Chromium on {platform.machine()}, Python {platform.python_version()}"]
    lines += ["", "| | median, ms | least | most |", "|---|---|---|---|"]
    lines += [f"| {row.what} | {row.median_ms:,.0f} | {row.least_ms:,.0f} | {row.most_ms:,.0f} |" for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
