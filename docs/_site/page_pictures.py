"""Takes the pictures of the live page: ``python docs/_site/page_pictures.py``.

It runs the demo, serves the page of its store, and photographs it in a real Chromium, light
and dark: while the demo runs, and its timeline after it. Needs chromium and
the environment in which ``workstream``, workstream-web and playwright are installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
DEMO = "docs/examples/rolling_deploy.py"
PICTURES = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 1100, 860
PATIENCE = 120_000
"""Milliseconds that the demo may take."""
TOKEN = "a-token-of-the-pictures"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@contextmanager
def process(*words: str, **more: str) -> Generator[subprocess.Popen[str]]:
    """One of our commands, until the body ends."""
    command = [sys.executable, "-m", "workstream", *words]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env={**os.environ, **more},
    ) as child:
        try:
            yield child
        finally:
            child.terminate()


def take(page: Page, name: str, part: str = "") -> None:
    """Write what the page or a part of it shows, in light and in dark."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        file = PICTURES / f"{name}-{scheme}.png"
        if part:
            page.locator(part).screenshot(path=file)
        else:
            page.screenshot(path=file)


def photograph(browser: Browser, url: str, demo: subprocess.Popen[str]) -> None:
    """Take all pictures."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.set_default_timeout(PATIENCE)
    page.goto(f"{url}plans/last")
    page.get_by_role("button", name="Take control").click()
    page.get_by_label("Your token").fill(TOKEN)
    page.get_by_role("dialog").get_by_role("button", name="Take control").click()
    page.locator("#failures .cause").first.wait_for()
    page.locator("#running li").first.wait_for()
    take(page, "page")
    demo.communicate()
    page.locator("#line", has_text="It has ended").wait_for()
    page.wait_for_selector(".row")
    take(page, "timeline", "#timeline-section")


def main() -> None:
    """Run the demo, and take the pictures."""
    program = shutil.which("chromium")
    if program is None:
        sys.exit("chromium is missing: install it")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"]
        )
        store = ("--store", str(Path(folder, "store")))
        with process("run", *store, DEMO, WORKSTREAM_BY="ben") as demo:
            assert demo.stdout is not None
            demo.stdout.readline()  # the plan is stored
            tokens = f"ana={TOKEN}"
            with process(
                "ui", *store, "--port", "0", WORKSTREAM_UI_TOKENS=tokens
            ) as ui:
                assert ui.stdout is not None
                photograph(browser, ui.stdout.readline().strip(), demo)
        browser.close()


if __name__ == "__main__":
    main()
