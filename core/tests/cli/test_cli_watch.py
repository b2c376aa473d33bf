"""``workstream watch``: a plan that another process runs is followed to its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Call = Callable[..., Result]
Start = Callable[..., Any]
WritePlan = Callable[..., Path]

BEGUN = "called Deploy / Tier / one / hold"


def held(tmp_path: Path, fail: str = "") -> str:
    """Two sequences that wait for a file each, and then perhaps fail."""
    first, second = str(tmp_path / "go"), str(tmp_path / "go on")
    return f"""
    tier(
        Sequence(name="one", actions=[act("hold", hold={first!r}, say="hello")]),
        Sequence(name="two", actions=[act("hold", hold={second!r}, fail={fail!r})]),
        tolerated_failures=1,
    )
    """


def events(output: str) -> list[dict[str, Any]]:
    """The lines of ``--json``."""
    return [json.loads(line) for line in output.splitlines()]


def test_a_plan_is_followed_to_its_end(
    start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """How far it has come, then each line as ``run`` writes it, then the outcome."""
    run = start("run", write_plan(held(tmp_path, fail="no space left")))
    run.wait_for(BEGUN)

    watch = start("watch")
    watch.wait_for("Tier / one / hold")
    assert "Deploy" in watch.output
    assert "0 of 2" in watch.output
    (tmp_path / "go").touch()
    watch.wait_for("✓ Tier / one: completed")
    (tmp_path / "go on").touch()

    assert watch.end() == 3, watch.output
    assert run.end() == 3
    # From there on the two say the same.
    end = watch.output.index("✓ Tier / one: completed")
    told = [line[8:] for line in watch.output[end:].splitlines()[1:]]
    seen = run.output.index("✓ Tier / one: completed")
    lines = run.output[seen:].splitlines()[1:]
    assert told == [line[8:] for line in lines if not line.startswith("called")]


@pytest.mark.slow
def test_each_event_is_a_json_line(
    start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """First the plan, then each change once, in order, at last what became of it (WA-1)."""
    run = start("run", write_plan(held(tmp_path)))
    run.wait_for(BEGUN)
    watch = start("watch", "--json")
    watch.wait_for('"event": "plan"')
    for name in ("go", "go on"):
        (tmp_path / name).touch()
    assert watch.end() == 0, watch.output

    first, *changes, end = events(watch.output)
    assert first["plan"]["name"] == "Deploy"
    assert first["missed"] is False
    positions = [each["position"] for each in [first, *changes]]
    assert positions == list(range(positions[0], positions[-1] + 1))
    done = [each for each in changes if each["status"] == "COMPLETED"]
    assert [each["path"] for each in done] == [
        "Deploy / Tier / one / hold",
        "Deploy / Tier / one",
        "Deploy / Tier / two / hold",
        "Deploy / Tier / two",
        "Deploy / Tier",
        "Deploy",
    ]
    assert done[0]["attempts"] == 1
    assert done[0]["attempt"]["response"]["data"] == {"said": "hello"}
    assert done[-1]["reasons"] == []
    assert (end["event"], end["exit_status"]) == ("end", 0)
    assert end["position"] == positions[-1]
    assert end["outcome"] == "completed"

    # All of it once more, from the beginning, and from the middle.
    whole = start("watch", "--json", "--after", 0)
    assert whole.end() == 0
    *history, same_end = events(whole.output)
    assert same_end == end
    assert [each["position"] for each in history] == list(range(1, positions[-1] + 1))
    assert history[positions[0] :] == changes
    [line] = [each for each in history if each["event"] == "line"]
    assert (line["path"], line["text"]) == ("Deploy / Tier / one / hold", "hello")
    middle = start("watch", "--json", "--after", positions[0])
    assert middle.end() == 0
    assert events(middle.output) == [*changes, end]


@pytest.mark.slow
def test_lines_go_on_after_a_position(
    start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Ctrl-C ends the watching alone, and tells what to type to watch on (WA-1)."""
    run = start("run", write_plan(held(tmp_path)))
    run.wait_for(BEGUN)
    watch = start("watch")
    watch.wait_for("0 of 2")
    (tmp_path / "go").touch()
    watch.wait_for("✓ Tier / one: completed")

    watch.signal(signal.SIGINT)

    assert watch.end() == 130
    assert "the plan goes on" in watch.output
    again = watch.output.partition("watch on:  workstream ")[2].split()
    (tmp_path / "go on").touch()
    assert run.end() == 0
    on = start(*again)
    assert on.end() == 0
    assert "Tier / one: completed" not in on.output
    assert "Tier / two: completed" in on.output
    assert "(2 of 2)" in on.output
    assert "✓ Deploy: completed" in on.output


@pytest.mark.slow
def test_a_plan_that_crashes_is_not_waited_for(
    start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """When its process is killed, the status is 5, and how to go on is told."""
    run = start("run", write_plan(held(tmp_path)))
    run.wait_for(BEGUN)
    plain, as_json = start("watch"), start("watch", "--json")
    plain.wait_for("Tier / one / hold")
    as_json.wait_for('"event": "plan"')

    run.signal(signal.SIGKILL)
    run.end()

    assert plain.end() == 5
    assert "no process runs it any more" in plain.output
    assert "go on with it:  workstream resume" in plain.output
    assert as_json.end() == 5
    end = events(as_json.output)[-1]
    assert (end["event"], end["exit_status"]) == ("end", 5)
    assert "no process runs it" in end["broken_off"]


@pytest.mark.slow
def test_a_watcher_sees_a_resumed_plan_to_its_end(
    start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """What matters is the plan, not which process runs it."""
    run = start("run", write_plan(held(tmp_path)))
    run.wait_for(BEGUN)
    watch = start("watch", "--json")
    watch.wait_for('"event": "plan"')
    watch.signal(signal.SIGSTOP)  # so that it cannot be too fast
    run.signal(signal.SIGKILL)
    run.end()
    resumed = start("resume")
    resumed.wait_for(BEGUN)
    watch.signal(signal.SIGCONT)

    for name in ("go", "go on"):
        (tmp_path / name).touch()

    assert resumed.end() == 0
    assert watch.end() == 0
    attempts = [
        (each["path"], each["attempt"])
        for each in events(watch.output)
        if each["event"] == "state" and each["type"] == "ACTION" and each["attempt"]
    ]
    interrupted = [path for path, attempt in attempts if attempt.get("interrupted")]
    assert interrupted == ["Deploy / Tier / one / hold"]
    assert events(watch.output)[-1]["outcome"] == "completed"


SUBMIT = """
import trio
from workstream import open_workstream, Block, Plan, Sequence
from toy_plugin import Act, Do

async def main():
    async with open_workstream() as ws:
        actions = [Act.action(Do(), name="do")]
        await ws.submit(Plan(name="Later", blocks=[
            Block(name="b", sequences=[Sequence(name="s", actions=actions)])]))

trio.run(main)
"""


@pytest.mark.parametrize(("command", "status"), [("stop", 4), ("delete", 2)])
@pytest.mark.slow
def test_a_plan_that_is_not_started_is_waited_for(
    call: Call, start: Start, command: str, status: int
) -> None:
    """Until it has ended, or is no more (ST-8)."""
    subprocess.run([sys.executable, "-c", SUBMIT], check=True)
    watch = start("watch")
    watch.wait_for("Later is not started yet: waiting for it")

    assert call(command, "last").exit_code == 0

    assert watch.end() == status
    word = "stopped" if command == "stop" else "the store holds no plan"
    assert word in watch.output


@pytest.mark.parametrize("how", [["--json"], []])
@pytest.mark.slow
def test_a_reader_that_leaves_ends_the_watching(
    start: Start, write_plan: WritePlan, tmp_path: Path, how: list[str]
) -> None:
    """Nobody would see what comes; the plan goes on."""
    run = start("run", write_plan(held(tmp_path)))
    run.wait_for(BEGUN)
    with subprocess.Popen(
        [sys.executable, "-m", "workstream", "watch", *how],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ,
    ) as watch:
        assert watch.stdout is not None
        assert watch.stderr is not None
        watch.stdout.readline()
        watch.stdout.close()
        (tmp_path / "go").touch()
        errors = watch.stderr.read()  # ends while the plan still runs

    assert (watch.returncode, errors) == (130, b"")
    (tmp_path / "go on").touch()
    assert run.end() == 0


def test_what_there_is_not_cannot_be_watched(call: Call, write_plan: WritePlan) -> None:
    """No store, no such plan, a position that is none: the status is 2."""
    nothing = call("watch")
    assert nothing.exit_code == 2
    assert "no store at" in nothing.stderr
    call("run", write_plan('tier(Sequence(name="one", actions=[act("do")]))'))
    assert call("watch", "0123-4567").exit_code == 2
    assert call("watch", "--after", "-1").exit_code == 2
    ended = call("watch", "last", "--json")
    assert ended.exit_code == 0
    assert [each["event"] for each in events(ended.stdout)] == ["plan", "end"]
