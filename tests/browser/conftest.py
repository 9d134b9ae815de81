"""A Chromium and a running app for the browser tests; where there is no Chromium they say how to get one."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.watching import Watched
from tests.running import NO_CHROMIUM, chromium_path, running_app, running_browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, headless. Without one the tests are skipped, in continuous integration they fail."""
    path = chromium_path()
    if path is None:
        pytest.fail(NO_CHROMIUM) if os.environ.get("CI") else pytest.skip(NO_CHROMIUM)
    with running_browser(path) as chromium:
        yield chromium


@pytest.fixture(scope="session")
def app_url() -> Iterator[str]:
    """The app as a user starts it, on a port of its own."""
    with running_app() as url:
        yield url


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    yield page
    page.close()


@pytest.fixture
def watched(page: Page, app_url: str) -> Iterator[Page]:
    """A fresh page in which nothing must run, ask another host or break."""
    watching = Watched(page, app_url)
    yield page
    watching.check()
