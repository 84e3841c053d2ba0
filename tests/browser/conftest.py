"""A real Chromium for tests of pages. Where there is none, or no Playwright, they skip and say so."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One browser for all tests of a process."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser is installed ({', '.join(NAMES)}): apt-get install chromium")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright is not installed: pip install 'mmwave-gym[dev]'")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


class Page:
    """A page in the browser that remembers what went wrong in it."""

    def __init__(self, page: Any):
        self.page = page
        self.faults: list[str] = []
        page.on("console", lambda m: self.faults.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("requestfailed", lambda request: self.faults.append(request.url))
        page.on("request", lambda request: self._asked(request.url))

    def _asked(self, url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:")):
            self.faults.append(f"asks the network for {url}")

    def go(self, address: str) -> Any:
        self.page.goto(address)
        return self.page

    def sideways(self) -> int:
        """By how many pixels the page can be scrolled sideways."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.fixture(params=[1440, 390])
def sized(browser: Any, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page as wide as a desk, and one as wide as a phone."""
    yield from _opened(browser, request.param, 900 if request.param > 800 else 844, "light")


@pytest.fixture
def phone(browser: Any) -> Iterator[Page]:
    yield from _opened(browser, 390, 844, "light")


@pytest.fixture
def dark(browser: Any) -> Iterator[Page]:
    yield from _opened(browser, 1440, 900, "dark")


def _opened(browser: Any, width: int, height: int, scheme: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    yield Page(context.new_page())
    context.close()
