"""The page of ``workstream report`` in a real Chromium, from a file, without a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from real_browser import violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

Report = Callable[[str], Path]

pytestmark = [
    pytest.mark.needs_package("playwright", "axe_playwright_python"),
    pytest.mark.slow,  # it opens a browser
]


def open_page(page: Page, file: Path) -> None:
    """Open a report, and wait for its timeline."""
    page.goto(file.as_uri())
    page.wait_for_selector(".row")


def lines(page: Page) -> str:
    """What the timeline says of how many lines it shows."""
    return page.inner_text(".tools output")


@pytest.mark.slow
def test_the_timeline_is_found_through(page: Page, report: Report) -> None:
    """By name and by status; what stands above a match is kept."""
    open_page(page, report("night"))
    assert lines(page) == "101 of 101 lines"

    page.fill("input[type=search]", "web-43")
    # Not by a function that is tried again and again: the page's policy lets no text
    # become code, so that would end with an error, unless its first try finds it true.
    page.locator(".row:visible").nth(2).wait_for(state="detached")
    assert page.locator(".row:visible").all_inner_texts() == ["Web tier", "web-43"]
    assert lines(page) == "2 of 101 lines"

    page.fill("input[type=search]", "")
    page.select_option("select", "FAILED")
    assert lines(page) == "6 of 101 lines"
    page.locator(".row:visible").nth(6).wait_for(state="detached")
    ids = page.locator(".row[id]").evaluate_all("rows => rows.map(({ id }) => id)")
    assert len(ids) == len(set(ids)) == 6  # a reader of the screen goes by them


def test_a_line_tells_what_was_asked_and_answered(page: Page, report: Report) -> None:
    """With the keyboard alone: find, choose, read."""
    open_page(page, report("night"))
    page.fill("input[type=search]", "web-43")
    page.focus("[role=listbox]")
    page.keyboard.press("End")

    detail = page.inner_text(".detail")

    assert "Web tier / web-43: failed" in detail
    assert "no space left" in detail
    assert '"NAME": "Start"' in detail
    assert page.get_attribute("[role=listbox]", "aria-activedescendant")


def test_keys_zoom_and_move(page: Page, report: Report) -> None:
    """The drawing changes, and 0 shows the whole run again."""
    open_page(page, report("night"))
    page.focus("[role=listbox]")
    drawing = "document.querySelector('canvas').toDataURL()"
    settled = "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))"
    page.evaluate(settled)
    whole = page.evaluate(drawing)

    page.keyboard.press("+")
    page.evaluate(settled)
    zoomed = page.evaluate(drawing)
    page.keyboard.press("ArrowRight")
    page.evaluate(settled)
    moved = page.evaluate(drawing)
    page.keyboard.press("0")
    page.evaluate(settled)

    assert len({whole, zoomed, moved}) == 3
    assert page.evaluate(drawing) == whole


def test_few_elements_draw_many_lines(page: Page, report: Report) -> None:
    """The pool does not grow with the plan, nor when one scrolls to its end."""
    open_page(page, report("night"))
    page.focus("[role=listbox]")
    page.keyboard.press("End")
    page.evaluate("new Promise((done) => requestAnimationFrame(done))")

    assert (
        page.evaluate("document.querySelectorAll('#timeline-section *').length") < 100
    )


def test_it_fits_on_paper(page: Page, report: Report) -> None:
    """The whole run is drawn as wide as a page of A4, and as wide as the screen again."""
    open_page(page, report("night"))
    wide = "document.querySelector('canvas').clientWidth"
    on_screen = page.evaluate(wide)

    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")

    assert page.evaluate(wide) <= 680 < on_screen
    assert page.locator(".tools").is_hidden()
    assert page.locator("#failed").is_visible()
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))"
    )
    assert page.evaluate(wide) == on_screen


def test_nothing_that_a_plan_says_runs(page: Page, report: Report) -> None:
    """Over 1,000 names, errors and lines that want to: none does, and none is lost."""
    open_page(page, report("nasty"))
    page.focus("[role=listbox]")
    for key in ["ArrowDown"] * 12 + ["End", "Home"]:
        page.keyboard.press(key)
    for summary in page.locator("summary").all():
        summary.click()

    assert page.evaluate("window.hacked") is None
    assert "361 of 361 lines" in lines(page)
    assert page.inner_text("h1") == "<script>window.hacked = 1</script>"
    # The fixture has seen no report of the policy, and no error.


def test_it_tells_the_story_without_a_script(report: Report, page: Page) -> None:
    """As a mail program shows it."""
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False, offline=True)
    plain = context.new_page()
    plain.goto(report("night").as_uri())

    text = plain.inner_text("body")

    context.close()
    for words in (
        "completed with failures",
        "5 failures",
        "no space left",
        "needs Java",
    ):
        assert words in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(page: Page, report: Report, scheme: Any) -> None:
    """axe-core finds nothing, in light and in dark."""
    page.emulate_media(color_scheme=scheme)
    open_page(page, report("night"))
    assert violations(page) == []
