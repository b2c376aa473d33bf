"""What a report of a large plan takes: its size, and how a browser opens and scrolls it.

The times are those of Chromium's own trace: when a frame was on the screen, what became
of each frame of a scroll, and how long the page's main thread had the processor. The
page itself takes no part in it.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import attrs
import trio

from workstream import Plan, open_store
from workstream._report.document import report_of
from workstream._report.html import page
from workstream.vaults import LmdbVault

from . import engine
from .table import Figure
from .work import Shape, real_plan

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["reporting"]

BIGGEST = 3.0
"""Megabytes of a report of 100,000 actions."""
OPENED, PAINTED = 2.0, 1.0
"""Seconds until the page is at rest, and until its timeline is on the screen."""
FRAMES, DROPPED = 60, 0.01
"""Frames a second while it scrolls, and the share of them that may be late."""
ELEMENTS = 400
_LONG = 50_000
"""Microseconds of a task after which a page no longer answers at once."""
_SPEED, _SCROLLED = 3_000, 9_000
"""Pixels a second, and pixels."""
_CATEGORIES = (
    *("-*", "devtools.timeline", "blink.user_timing", "loading", "cc", "benchmark"),
    *(f"disabled-by-default-devtools.timeline{part}" for part in ("", ".frame")),
)
_MARK = """
new MutationObserver((_, self) => {
  if (!document.querySelector(".row")) return;
  self.disconnect();
  performance.mark("timeline drawn");
}).observe(document, { childList: true, subtree: true });
"""
"""The names are put beside what was drawn, in one go: what follows is on the screen."""

Event = dict[str, Any]


@attrs.frozen
class _Opened:
    """Seconds from the navigation to the first words, the timeline, and the rest."""

    words: float
    timeline: float
    rest: float


@attrs.frozen
class _Scrolled:
    """One scroll: its frames, and what they took.

    Attributes:
        rate: Frames that were shown, a second.
        dropped: The share that was not.
        slow: Seconds between two frames, of one in twenty more.
        busy: Seconds that the page's main thread had the processor, a frame.
    """

    rate: float
    dropped: float
    slow: float
    busy: float


def reporting(path: Path, actions: int, rounds: int) -> list[Figure]:
    """The report of a plan with checks, retries, output and failures.

    Args:
        path: An empty place for its store and the page.
        actions: How many actions the plan has.
        rounds: How often the page is opened and scrolled.
    """
    file = path / "report.html"
    seconds = trio.run(_make, path, _plan(actions), file)
    size = file.stat().st_size / 1_000_000
    biggest = BIGGEST * actions / 100_000
    figures = [
        Figure(
            name=f"a report of {actions:,} actions",
            value=f"{size:.2f} MB",
            goal=f"under {biggest:g} MB",
            reached=size < biggest,
        ),
        Figure(name="to make it from its store", value=f"{seconds:.1f} s"),
    ]
    program = shutil.which("chromium")
    if program is None:
        return [*figures, Figure(name="opened", value="chromium is missing")]
    return figures + _seen(program, file, rounds)


def _plan(actions: int) -> Plan:
    plan = real_plan(Shape(actions // 10, 10, 100))
    [block] = plan.blocks
    block.tolerated_failures = -1
    for sequence in block.sequences[::100]:
        sequence.actions[0].retries = 0  # its first attempt fails
    return plan


async def _make(path: Path, plan: Plan, file: Path) -> float:
    """Run a plan, and write its report; the seconds that the report took."""
    async with engine.opened(LmdbVault(path / "store")) as ws:
        ended = await ws.run(plan)
    assert ended.id is not None
    begun = time.perf_counter()
    async with open_store(path / "store") as store:
        report = await report_of(store, ended.id, datetime.now(UTC))
    await trio.Path(file).write_text(page(report), encoding="utf-8")
    return time.perf_counter() - begun


def _seen(program: str, file: Path, rounds: int) -> list[Figure]:
    # Only where the bench is run: the engine does not need it.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"]
        )
        seen = [_open_and_scroll(browser, file) for _ in range(rounds)]
        browser.close()
    opened = [each for each, _, _ in seen]
    scrolled = [each for _, each, _ in seen]
    elements = max(count for _, _, count in seen)
    rate, dropped = _of(scrolled, "rate"), _of(scrolled, "dropped")
    busy, slow = _of(scrolled, "busy") * 1_000, _of(scrolled, "slow") * 1_000
    budget = 1_000 / FRAMES
    return [
        Figure(name="its first words on the screen", value=_s(opened, "words")),
        Figure(
            name="its timeline on the screen",
            value=_s(opened, "timeline"),
            goal=f"under {PAINTED:g} s",
            reached=_of(opened, "timeline") < PAINTED,
        ),
        Figure(
            name="opened: the page is at rest",
            value=_s(opened, "rest"),
            goal=f"under {OPENED:g} s",
            reached=_of(opened, "rest") < OPENED,
        ),
        Figure(
            name="frames of a scroll",
            value=f"{rate:.0f} a second, {dropped:.1%} dropped; 95 in 100 after {slow:.1f} ms",
            goal=f"{FRAMES} a second",
            # The first and the last one are cut short.
            reached=rate > FRAMES - 2 and dropped <= DROPPED,
        ),
        Figure(
            name="processor time of a frame, on the page's main thread",
            value=f"{busy:.1f} ms",
            goal=f"under {budget:.1f} ms",
            reached=busy < budget,
        ),
        Figure(
            name="elements of the page that is scrolled",
            value=f"{elements}",
            goal=f"under {ELEMENTS}",
            reached=elements < ELEMENTS,
        ),
    ]


def _of(those: list[Any], name: str) -> float:
    return float(median(getattr(each, name) for each in those))


def _s(those: list[Any], name: str) -> str:
    return f"{_of(those, name):.2f} s"


def _open_and_scroll(browser: Browser, file: Path) -> tuple[_Opened, _Scrolled, int]:
    """Open a page in a new tab and scroll it; what the trace says, and its elements."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.add_init_script(_MARK)

    def traced(act: Callable[[], object]) -> list[Event]:
        browser.start_tracing(page=tab, categories=list(_CATEGORIES))
        act()
        return list(json.loads(browser.stop_tracing())["traceEvents"])

    def open_() -> None:
        tab.goto(file.as_uri())
        tab.wait_for_selector(".row", state="attached")
        tab.wait_for_timeout(500)  # what comes late counts, too

    opened = _opening(traced(open_))
    lanes = tab.locator("[role=listbox]")
    lanes.scroll_into_view_if_needed()
    lanes.focus()
    box = lanes.bounding_box()
    assert box is not None
    scroll = {
        "x": box["x"] + box["width"] / 2,
        "y": box["y"] + box["height"] / 2,
        "yDistance": -_SCROLLED,
        "speed": _SPEED,
        "gestureSourceType": "mouse",
    }
    session: Any = tab.context.new_cdp_session(tab)
    events = traced(lambda: session.send("Input.synthesizeScrollGesture", scroll))
    assert lanes.evaluate("each => each.scrollTop") == _SCROLLED
    elements = tab.evaluate("document.querySelectorAll('*').length")
    tab.close()
    return opened, _scrolling(events), elements


def _opening(events: list[Event]) -> _Opened:
    begun = next(
        each
        for each in events
        if each["name"] == "navigationStart"
        and str(each["args"]["data"]["documentLoaderURL"]).startswith("file:")
    )
    process, since = begun["pid"], begun["ts"]

    def at(name: str) -> int:
        return next(
            int(each["ts"])
            for each in events
            if each["name"] == name and each["pid"] == process and each["ts"] > since
        )

    drawn = at("timeline drawn")
    shown = min(
        ended
        for begin, ended, state in _frames(events, process)
        if begin <= drawn <= ended and state == "STATE_PRESENTED_ALL"
    )
    long = [
        each["ts"] + each["dur"]
        for each in _tasks(events, process)
        if each["dur"] >= _LONG and each["ts"] >= since
    ]
    moments = (at("firstContentfulPaint"), shown, max([shown, *long]))
    return _Opened(*((moment - since) / 1e6 for moment in moments))


def _scrolling(events: list[Event]) -> _Scrolled:
    # The page is what makes the most frames; the tab's frame around it makes few.
    sources = [each["pid"] for each in events if each["name"] == "PipelineReporter"]
    process = max(set(sources), key=sources.count)
    frames = [*_frames(events, process)]
    shown = sorted(end for _, end, state in frames if state == "STATE_PRESENTED_ALL")
    dropped = sum(state == "STATE_DROPPED" for _, _, state in frames)
    between = sorted(b - a for a, b in pairwise(shown))
    busy = sum(each.get("tdur", 0) for each in _tasks(events, process))
    return _Scrolled(
        rate=(len(shown) - 1) / (shown[-1] - shown[0]) * 1e6,
        dropped=dropped / (dropped + len(shown)),
        slow=between[int(len(between) * 0.95)] / 1e6,
        busy=busy / len(shown) / 1e6,
    )


def _frames(events: list[Event], process: int) -> Iterator[tuple[int, int, str]]:
    """When each frame of a page was begun and shown, and what became of it."""
    begun: dict[str, Event] = {}
    for each in sorted(events, key=lambda each: each["ts"]):
        if each["name"] != "PipelineReporter" or each["pid"] != process:
            continue
        if each["ph"] == "b":
            begun[each["id2"]["local"]] = each
        elif (begin := begun.pop(each["id2"]["local"], None)) is not None:
            state = begin["args"]["frame_reporter"]["state"]
            yield begin["ts"], each["ts"], state


def _tasks(events: list[Event], process: int) -> Iterator[Event]:
    """What the main thread of a page did, one task after the other."""
    main = next(
        each["tid"]
        for each in events
        if each["name"] == "thread_name"
        and each["pid"] == process
        and each["args"]["name"] == "CrRendererMain"
    )
    for each in events:
        if each["name"] == "RunTask" and (each["pid"], each["tid"]) == (process, main):
            yield each
