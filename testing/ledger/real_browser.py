"""A real Chromium, for the tests of the pages that we make.

The ``conftest.py`` of such tests takes ``browser`` in, and says what its pages may reach.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["browser", "violations"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is missing")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


def violations(page: Page) -> list[tuple[str, str]]:
    """What axe-core finds on a page that somebody could not read or use."""
    from importlib import resources

    # Not as an element: the page's policy would not let it in.
    page.evaluate(
        (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
    )
    found = page.evaluate("axe.run()")["violations"]
    return [(each["id"], each["nodes"][0]["html"]) for each in found]
