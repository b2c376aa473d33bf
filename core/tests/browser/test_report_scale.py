"""A report of 100,000 actions, in a real Chromium: it stays small, and so does its page.

How fast it opens and scrolls is measured by ``nox -s bench``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    PluginError,
    Registry,
    Sequence,
    open_store,
    open_workstream,
)
from workstream._report.document import report_of
from workstream._report.html import page as report_page
from workstream.retries import RetryPolicy

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.needs_package("playwright"), pytest.mark.slow]

HOSTS, STEPS = 10_000, 10


@attrs.frozen
class Asked:
    """What a step is asked."""

    host: str
    number: int


class Step(ActionPlugin[Asked, Asked]):
    """Says a line; every tenth answers on its second attempt only."""

    name = "test.step"
    retry = RetryPolicy(initial_interval=0.001, max_interval=0.001)

    async def execute(self, context: Context, request: Asked, /) -> Asked:
        context.report(f"{request.host}: at work")
        if request.number == 0 and context.attempt == 1:
            message = f"{request.host} did not answer"
            raise PluginError(message)
        return request


def plan() -> Plan:
    """Of each hundred hosts one fails for good."""
    return Plan(
        name="Deploy 2.1",
        blocks=[
            Block(
                name="Web tier",
                concurrency=100,
                tolerated_failures=-1,
                sequences=[
                    Sequence(
                        name=f"web-{host}",
                        actions=[
                            Step.action(
                                Asked(f"web-{host}", step),
                                name=f"Step {step}",
                                retries=2 if host % 100 else 0,
                            )
                            for step in range(STEPS)
                        ],
                    )
                    for host in range(HOSTS)
                ],
            )
        ],
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report file of a run of that plan."""
    directory = tmp_path_factory.mktemp("large")
    file = directory / "large.html"

    async def make() -> None:
        store = directory / "store"
        async with open_workstream(store, registry=Registry([Step()])) as ws:
            ended = await ws.run(plan())
        assert ended.id is not None
        async with open_store(store) as plans:
            report = await report_of(plans, ended.id, datetime.now(UTC))
        await trio.Path(file).write_text(report_page(report), encoding="utf-8")

    trio.run(make)
    return file


def test_a_report_of_100_000_actions_is_small(page: Page, large: Path) -> None:
    """The file is under 3 MB, and its page has fewer than 400 elements, all the way down."""
    assert large.stat().st_size < 3_000_000

    page.goto(large.as_uri())
    page.wait_for_selector(".row")
    assert page.inner_text(".tools output") == "10,001 of 10,001 lines"
    lanes = page.locator("[role=listbox]")
    lanes.focus()
    counts: list[int] = []
    for key in ("End", "PageUp", "Home", *["PageDown"] * 5):
        page.keyboard.press(key)
        page.evaluate(
            "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))"
        )
        counts.append(page.evaluate("document.querySelectorAll('*').length"))

    assert max(counts) < 400
    assert page.inner_text("[aria-selected=true]").startswith("web-")
