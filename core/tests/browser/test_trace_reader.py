"""``--format perfetto`` in a real reader of such files: Chromium's Performance panel.

The panel is a page of its own, which Debian's package brings. What it reads a file with
is a module of that page, and the test asks that module what it has found.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.needs_package("playwright"), pytest.mark.slow]

PANEL = "devtools://devtools/bundled/devtools_app.html?panel=timeline"
READ = """
async (text) => {
  const { TraceModel, Handlers } = await import("devtools://devtools/bundled/models/trace/trace.js");
  const model = TraceModel.Model.createWithAllHandlers();
  await model.parse(JSON.parse(text).traceEvents, {});
  const { data } = model.parsedTrace(0);
  return {
    processes: Array.from(data.Meta.processNames.values(), (each) => each.args.name),
    lines: Handlers.Threads.threadsInTrace(data).map(({ name, entries }) => ({ name, entries })),
  };
}
"""


@pytest.fixture
def panel(browser: Browser) -> Iterator[Page]:
    """The page of the Performance panel."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(PANEL)
    yield page
    context.close()


def test_the_performance_panel_reads_each_attempt(
    panel: Page, report: Callable[[str], Path], tmp_path: Path
) -> None:
    """The plan's name, a line for each sequence, on it a slice for each attempt."""
    trace = tmp_path / "trace.json"
    command = [sys.executable, "-m", "workstream", "report", str(report("night"))]
    written = ["--format", "perfetto", "-o", str(trace)]
    subprocess.run([*command, *written], check=True)

    found: dict[str, Any] = panel.evaluate(READ, trace.read_text(encoding="utf-8"))

    assert found["processes"] == ["Deploy 2.1"]
    lines = {line["name"]: line["entries"] for line in found["lines"]}
    assert sorted(lines) == sorted(f"Web tier / web-{n}" for n in range(100))
    slices = [each for line in lines.values() for each in line]
    assert Counter(each["name"] for each in slices) == {"Copy": 100, "Start": 100}
    assert all(
        [each["name"] for each in line] == ["Copy", "Start"] for line in lines.values()
    )
    assert all(
        0 <= copy["ts"] <= copy["ts"] + copy["dur"] <= start["ts"]
        for copy, start in lines.values()
    )
    failed = {name for name, (_, start) in lines.items() if start["cat"] == "failed"}
    assert failed == {f"Web tier / web-{n}" for n in range(3, 100, 20)}
    assert "no space left" in lines["Web tier / web-3"][1]["args"]["error"]
