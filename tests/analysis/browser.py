"""A headless Chromium for the tests of pages."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Chromium would otherwise look for updates, which is a network request of its own.
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]


@contextmanager
def chromium() -> Iterator[Any]:
    """Playwright's browser. Skips the test where there is no Chromium; an error there with DDRSA_NEEDS_BROWSER set."""
    executable = next((path for name in NAMES if (path := shutil.which(name))), None)
    if executable is None:
        reason = f"none of {', '.join(NAMES)} is installed: pages are not tested in a browser"
        if os.environ.get("DDRSA_NEEDS_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A page that was opened, with what it said on the console and what it asked for."""

    def __init__(
        self, browser: Any, page: Path | str, width: int = 1280, scheme: str = "light", **options: Any
    ) -> None:
        """page: a file, or an address. options: of the context."""
        self.context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, **options)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: self.said.append(f"dialog {dialog.message}"))
        self.page.on("dialog", lambda dialog: dialog.dismiss())
        self.page.goto(page if isinstance(page, str) else page.as_uri())

    def column(self, label: str) -> list[str]:
        """The cells that are shown under the heading that begins with `label`."""
        headings = [text.strip() for text in self.page.locator("#run-table thead th").all_inner_texts()]
        number = next(i for i, text in enumerate(headings) if text.startswith(label)) + 1
        return self.page.locator(f"#run-table tbody tr > :nth-child({number})").all_inner_texts()

    def heading(self, label: str) -> Any:
        """The heading of the table of runs with this label."""
        return self.page.locator("#run-table thead th").filter(has=self.page.get_by_text(label, exact=True))

    def wait_for_count(self, start: str) -> None:
        """Until the number of runs is said, beginning so."""
        from playwright.sync_api import expect

        expect(self.page.locator("#count")).to_have_text(re.compile(rf"^{start}(?!\d)"))

    @property
    def count(self) -> str:
        """What is said of the number of runs."""
        return str(self.page.locator("#count").inner_text())
