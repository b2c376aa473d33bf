"""A real Chromium, for the tests of the pages that we make.

The ``conftest.py`` of such tests takes ``browser`` in, and says what its pages may reach.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["attentive", "browser", "violations"]


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


@contextmanager
def attentive(
    browser: Browser, reach: str, *, offline: bool = False, pardoned: str = "\0"
) -> Generator[Page]:
    """A tab that lets nothing pass which its page complains of, or asks of others.

    Args:
        browser: Where it is opened.
        reach: How the addresses begin that the page may ask for.
        offline: Whether there is no network.
        pardoned: How complaints begin that are none.
    """
    context = browser.new_context(
        offline=offline,
        viewport={"width": 1200, "height": 900},
        reduced_motion="reduce",
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(reach)
            else complaints.append(f"asked for {request.url}")
        ),
    )
    yield page
    context.close()
    assert [each for each in complaints if not each.startswith(pardoned)] == []


def violations(page: Page) -> list[tuple[str, str]]:
    """What axe-core finds on a page that somebody could not read or use."""
    from importlib import resources

    # Not as an element: the page's policy would not let it in.
    page.evaluate(
        (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
    )
    found = page.evaluate("axe.run()")["violations"]
    return [(each["id"], each["nodes"][0]["html"]) for each in found]
