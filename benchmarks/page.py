"""
How long a reader waits for the Alignment page, in a headless Chromium on this machine.

    edit     from Ctrl+Enter in the text box to the first frame with the new tokens
    hover    from a pointer event on a token to its partner being lit, in the browser alone

usage: python -m benchmarks.page [--json] [--repeats 5]
"""

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

from playwright.sync_api import Page

from tests.running import NO_CHROMIUM, chromium_path, running_app, running_browser

SENTENCE = "The committee counted 1,234 of 201 votes in 2024, while naïve onlookers waited outside for news. "
LAYOUTS = ("Woven", "Above", "Beside")

# sets window.drawn: milliseconds from the next Enter to the frame that shows another number of tokens
WATCH = """
(view) => {
  const tokens = () => view.textContent.match(/[\\d,]+ tokens/)[0];
  const before = tokens();
  let start = 0;
  const note = (event) => { if (event.key === "Enter") start = performance.now(); };
  document.addEventListener("keydown", note, { capture: true });
  window.drawn = new Promise((resolve) => {
    const painted = () => requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
    const observer = new MutationObserver(() => {
      if (tokens() === before) return;
      observer.disconnect();
      document.removeEventListener("keydown", note, { capture: true });
      painted();
    });
    observer.observe(view, { childList: true, subtree: true, characterData: true });
  });
}
"""

HOVER = """
(view) => {
  const tokens = [...view.querySelectorAll("[data-s], [data-t], [data-k]")].slice(0, 400);
  const start = performance.now();
  for (const token of tokens) token.dispatchEvent(new PointerEvent("pointerover", { bubbles: true, composed: true }));
  return (performance.now() - start) / tokens.length;
}
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: milliseconds as median and least over the repeats."""

    what: str
    layout: str
    student_tokens: str
    median_ms: float
    least_ms: float


def main() -> None:
    options = _options()
    path = chromium_path()
    if path is None:
        sys.exit(NO_CHROMIUM)
    with running_app() as url, running_browser(path) as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(url)
        page.locator(".token-view").wait_for(timeout=60_000)
        rows = [row for layout in LAYOUTS for row in _layout(page, layout, options.repeats)]
    print(json.dumps([asdict(row) for row in rows]) if options.json else _table(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--repeats", type=int, default=5, help="edits a figure")
    return parser.parse_args()


def _layout(page: Page, layout: str, repeats: int) -> list[Row]:
    _edit(page, "short 1")
    page.locator(".token-view").get_by_text(layout, exact=True).click()
    page.wait_for_timeout(1000)
    small = _row(page, "edit of 2,000 characters", layout, repeats, lambda k: _edit(page, _text(2000, k)))
    large = _row(page, "edit of 40,000 tokens", layout, repeats, lambda k: _edit(page, _text(138_000, k)))
    hover = _row(page, "hover", layout, repeats, lambda _: float(page.locator(".token-view").evaluate(HOVER)))
    return [small, large, hover]


def _text(characters: int, number: int) -> str:
    return (SENTENCE * (characters // len(SENTENCE) + 1))[:characters] + " x" * number


def _edit(page: Page, text: str) -> float:
    """Milliseconds until the text is drawn."""
    box = page.get_by_role("textbox", name="Text")
    box.fill(text)
    page.locator(".token-view").evaluate(WATCH)
    box.press("Control+Enter")
    drawn = float(page.evaluate("() => window.drawn"))
    page.wait_for_timeout(500)  # the rest of the page, below the tokens
    return drawn


def _row(page: Page, what: str, layout: str, repeats: int, once: Callable[[int], float]) -> Row:
    once(repeats)  # a warm-up
    times = [once(k) for k in range(repeats)]
    note = page.locator(".token-view").evaluate("(view) => view.textContent.match(/[\\d,]+ tokens/)[0]")
    return Row(what, layout, note.removesuffix(" tokens"), round(statistics.median(times), 2), round(min(times), 2))


def _table(rows: list[Row]) -> str:
    lines = [f"Streamlit and headless Chromium on {platform.machine()}, Python {platform.python_version()}"]
    lines += [f"{'what':28}{'layout':10}{'student tokens':>15}{'median ms':>12}{'least ms':>12}"]
    lines += [
        f"{row.what:28}{row.layout:10}{row.student_tokens:>15}{row.median_ms:>12,.2f}{row.least_ms:>12,.2f}"
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
