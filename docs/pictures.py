"""
The pictures of the README and of docs/, taken from the running app in a headless Chromium.

    an address of the app  ->  wait until all is drawn  ->  the part that the text speaks of  ->  docs/NAME.png

usage: python -m docs.pictures [NAME …]
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FloatRect, Locator, Page

from tests.running import NO_CHROMIUM, chromium_path, running_app, running_browser

HERE = Path(__file__).parent
WIDTH = 1440
MARGIN = 16  # px around the part
COLOURS = 256
PAIR = "student=llama-3.2&teacher=qwen3"
TWO = f"coverage?{PAIR}&beside=phi-4-mini"

MAIN = "[data-testid=stMainBlockContainer]"
TITLE = "h1"
VIEWS = "[data-testid=stButtonGroup]"
CHART = "[data-testid=stPlotlyChart]"
EXPANDER = "[data-testid=stExpander]"
TABLE = ".token-table"
DATA = "[data-testid=stDataFrame]"

# what shows that the page still works, or that nobody would want in a picture; a closed expander may wait for its own
UNREADY = ", ".join(
    f"[data-testid={name}]:not(details *)" for name in ("stStatusWidget", "stSkeleton", "stSpinner", "stToast")
)
READY = f"""
() => document.fonts.status === "loaded"
  && !document.querySelector("{UNREADY}, [data-stale=true]")
  && [...document.querySelectorAll("{CHART}")].every((chart) => chart.querySelector(".cartesianlayer .subplot"))
  && [...document.querySelectorAll("{DATA}:not(details *)")].every((table) => table.querySelector("canvas"))
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """A part of a page: from the top of the first match of `top` to the bottom of the last match of `bottom`."""

    name: str
    address: str
    top: str
    bottom: str
    press: str = ""  # a token of the table that is chosen first, by what stands in its row


PICTURES: tuple[Picture, ...] = (
    Picture("alignment", f"?{PAIR}", TITLE, ".st-key-tokens"),
    Picture("projection", f"projection?{PAIR}&row=679", TITLE, DATA),
    Picture("projection-summary", f"projection?{PAIR}&view=summary", VIEWS, EXPANDER),
    Picture("projection-block", "projection?student=llama-3.2&teacher=phi-4-mini&view=block", TITLE, CHART),
    Picture("coverage", TWO, TITLE, EXPANDER),
    Picture("coverage-categories", f"{TWO}&coverage_view=categories", VIEWS, f"{CHART} >> nth=0"),
    Picture(
        "coverage-tokens",
        f"{TWO}&coverage_view=categories&category=three_digits",
        "[data-testid=stSelectbox]:has-text('Tokens of')",
        "button:has-text('Its rows of W') >> visible=true",
        press="679",
    ),
    Picture(
        "coverage-teachers",
        f"coverage?{PAIR}&beside=phi-4-mini,mistral-v0.3,gpt2&coverage_view=teachers",
        VIEWS,
        "[data-testid=stText]:has-text('gpt2: ')",
    ),
    Picture("coverage-text", f"{TWO}&coverage_view=text&corpus=mathematics", VIEWS, DATA),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Takes the pictures of the documents from the running app.")
    parser.add_argument("names", nargs="*", help="which; all if left out", metavar="NAME")
    wanted = parser.parse_args(arguments).names
    path = chromium_path()
    if path is None:
        print(NO_CHROMIUM, file=sys.stderr)
        return 2
    os.environ["STREAMLIT_SERVER_FILE_WATCHER_TYPE"] = "none"  # no notice of changed files
    with running_app() as url, running_browser(path) as browser:
        for picture in PICTURES:
            if not wanted or picture.name in wanted:
                content = small(taken(browser, url, picture))
                (HERE / f"{picture.name}.png").write_bytes(content)
                print(f"docs/{picture.name}.png  {len(content):,} bytes")
    return 0


def taken(browser: Browser, url: str, picture: Picture) -> bytes:
    """A picture as PNG, in the light theme."""
    page = browser.new_page(viewport={"width": WIDTH, "height": 1000}, color_scheme="light", device_scale_factor=1)
    page.goto(f"{url}/{picture.address}")
    page.get_by_text("licence:").first.wait_for(timeout=60_000)  # the last line of each page
    _grow(page)
    if picture.press:
        page.locator(TABLE).get_by_text(picture.press, exact=True).click()
        page.get_by_role("button", name="The chosen token's row").wait_for()
    _settle(page)
    content = page.screenshot(clip=_part(page, picture))
    page.close()
    return content


def _grow(page: Page) -> None:
    """A window that holds the whole page, since what is scrolled away isn't drawn."""
    _settle(page)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": WIDTH, "height": height})


def _settle(page: Page) -> None:
    """Until all is drawn, and a moment more for what fades in; the pointer rests where it lights up nothing."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)
    page.wait_for_function(READY, timeout=60_000)
    page.wait_for_timeout(1_000)


def _part(page: Page, picture: Picture) -> FloatRect:
    main = page.locator(MAIN)
    left, width = (main.evaluate(f"(e) => parseFloat(getComputedStyle(e).padding{side})") for side in ("Left", "Right"))
    box = _box(main)
    first = _box(page.locator(picture.top).first)
    last = _box(page.locator(picture.bottom).last)
    top = max(first["y"] - MARGIN, 0)
    return {
        "x": box["x"] + left - MARGIN,
        "y": top,
        "width": box["width"] - left - width + 2 * MARGIN,
        "height": last["y"] + last["height"] + MARGIN - top,
    }


def _box(place: Locator) -> FloatRect:
    box = place.bounding_box()
    if box is None:
        raise RuntimeError(f"{place} isn't to be seen. Has the page changed?")
    return box


def small(content: bytes) -> bytes:
    """A PNG with a palette, which is a third as large and looks the same."""
    packed = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        packed, "PNG", optimize=True
    )
    return packed.getvalue()


if __name__ == "__main__":
    sys.exit(main())
