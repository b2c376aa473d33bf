"""``workstream logs``: all that happened to a plan, in order."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from workstream._show import history

Call = Callable[..., Result]
Start = Callable[..., Any]
WritePlan = Callable[..., Path]

PLAN = """
tier(
    Sequence(name="web-1", actions=[act("copy", say="copied"), act("start")]),
    Sequence(name="web-2", actions=[
        Act.action(Do(say="try", fail="busy", times=1, permanent=False), name="copy",
            retries=2),
        act("start")]),
    Sequence(name="web-3", actions=[act("copy", fail="no space left")]),
    tolerated_failures=1,
)
"""
CLOCK = re.compile(r"^\d\d:\d\d:\d\d\.\d{3}  ")


def story(result: Result) -> list[str]:
    """The lines without their times, and how long things took."""
    assert result.exit_code == 0, result.output
    day, *lines = result.stdout.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", day)
    assert all(CLOCK.match(line) for line in lines)
    return [re.sub(r" in [\d.]+m?s", "", CLOCK.sub("", line)) for line in lines]


WEB_2 = [
    "▶ Tier / web-2: begins",
    "▶ Tier / web-2 / copy: attempt 1 begins",
    "│ Tier / web-2 / copy: try",
    "↻ Tier / web-2 / copy: attempt 1 failed, retries: busy",
    "▶ Tier / web-2 / copy: attempt 2 begins",
    "│ Tier / web-2 / copy: try",
    "✓ Tier / web-2 / copy: completed after 2 attempts",
    "▶ Tier / web-2 / start: attempt 1 begins",
    "✓ Tier / web-2 / start: completed",
    "✓ Tier / web-2: completed",
]


def test_an_object_is_told_with_its_contents(call: Call, write_plan: WritePlan) -> None:
    """Every attempt, every line, every state, in order; nothing of its siblings."""
    call("run", write_plan(PLAN))

    assert story(call("logs", "last", "web-2")) == WEB_2
    whole = story(call("logs"))
    assert [line for line in whole if "web-2" in line] == WEB_2
    assert "✗ Tier / web-3 / copy: failed: no space left" in whole
    assert whole[0] == "▶ Deploy: runs"
    assert whole[-1] == "✓ Deploy: completed"


def test_what_the_log_no_longer_keeps_is_read_off_the_plan(
    call: Call, write_plan: WritePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same story, as far as the stored plan has it."""
    call("run", write_plan(PLAN))
    monkeypatch.setattr(history, "LOG_KEPT", 2)

    assert story(call("logs", "last", "web-2")) == WEB_2
    positions = [
        json.loads(line)["position"]
        for line in call("logs", "--json").stdout.splitlines()
    ]
    assert positions[0] == 0
    assert positions[-1] > 2


def test_each_event_is_an_object_a_line(call: Call, write_plan: WritePlan) -> None:
    """As of ``watch``, each with its time."""
    call("run", write_plan(PLAN))

    result = call("logs", "last", "web-2 / copy", "--json")

    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["event"] for each in events] == [
        *("state", "line", "state"),
        *("state", "line", "state"),
    ]
    times = [each["time"] for each in events]
    assert times == sorted(times)


def test_what_was_never_reached_is_said_to_be_so(
    call: Call, write_plan: WritePlan
) -> None:
    """A line says that there is nothing to tell; programs get no object."""
    failing = "tier(Sequence(name='one', actions=[act('go', fail='full'), act('on')]))"
    call("run", write_plan(failing))

    assert call("logs", "last", "on").stdout == "nothing has happened to it\n"
    assert call("logs", "last", "on", "--json").stdout == ""


@pytest.mark.slow
def test_what_people_said_is_told(
    call: Call, start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """A pause by whom and why; the log goes on to the plan's end."""
    go = str(tmp_path / "go")
    plan = f"tier(Sequence(name='one', actions=[act('hold', hold={go!r})]))"
    run = start("run", write_plan(plan))
    run.wait_for("called Deploy / Tier / one / hold")
    follower = start("logs", "--follow")
    follower.wait_for("Tier / one / hold: attempt 1 begins")
    call("pause", "last", "--by", "ana", "-m", "look first")
    follower.wait_for("ana: pause: look first")
    call("unpause", "last", "--by", "ana")
    (tmp_path / "go").touch()

    assert follower.end() == 0, follower.output
    assert run.end() == 0
    assert "✓ Deploy: completed" in follower.output.splitlines()[-1]
    lines = story(call("logs", "last"))
    assert [line for line in lines if "Deploy: runs" in line] == ["▶ Deploy: runs"]
    assert [line for line in lines if line.startswith("ana: ")] == [
        "ana: pause: look first",
        "ana: unpause",
    ]


def test_an_unknown_path_is_answered_with_the_nearest(
    call: Call, write_plan: WritePlan
) -> None:
    """And a mistyped command with the one that was meant."""
    call("run", write_plan(PLAN))

    result = call("logs", "last", "web-22")

    assert result.exit_code == 2
    assert "did you mean 'Deploy / Tier / web-2'" in result.stderr
    assert "Did you mean logs?" in call("log").stderr
