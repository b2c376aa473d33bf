"""The page about a bad night is followed for real: two hundred hosts, one ``kill -9``.

Its commands are carried out in one shell, as a reader types them. What a reader waits for
by looking, the test waits for by ``workstream watch --json``, and by what is stored.

The page links the report of such a night. This writes it anew::

    WORKSTREAM_WRITE_REPORT=1 python -m pytest docs/test_bad_night.py
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_examples import ROOT, blocks, commands, environment, matches

from workstream._report.document import read_report

PAGE = "docs/how-to/bad-night.md"
REPORT = ROOT / "docs" / "reports" / "bad-night.html"
BY, HOST = "ana@ops-1", "ops-1"
END = "the command has ended with status"


class Shell:
    """A terminal."""

    def __init__(self, directory: Path) -> None:
        """Open it in a directory, with a store beside."""
        self.directory = directory / "work"
        self.directory.mkdir()
        self.environment = {**environment(directory), "WORKSTREAM_BY": BY}
        self._bash = subprocess.Popen(
            ["bash"],
            cwd=self.directory,
            env=self.environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def type(self, command: str) -> tuple[str, int]:
        """Type a command; what it prints, and its exit status."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{command}\nended=$?; echo; echo {END} $ended\n")
        self._bash.stdin.flush()
        printed = ""
        for line in self._bash.stdout:
            if line.startswith(END):
                # An empty line was added, in case that the last one was not ended.
                return printed[:-1], int(line.removeprefix(END))
            printed += line
        pytest.fail(f"the shell ended in {command}:\n{printed}")

    def close(self) -> None:
        """Close it, and end what it has begun in the background."""
        self._bash.communicate("kill $(jobs -p) 2>/dev/null; wait\n")

    # -- A second terminal -----------------------------------------------------------

    def rollout(self) -> dict[str, Any]:
        """The rollout, as it is stored."""
        listed = self._read("list", "--json")
        [oldest] = [each for each in listed if each["name"] == "Rollout"][-1:]
        shown: dict[str, Any] = self._read("show", oldest["id"], "--json")
        return shown

    def _read(self, *words: str) -> Any:
        done = subprocess.run(
            ["workstream", *words],
            env=self.environment,
            text=True,
            capture_output=True,
            check=True,
        )
        return json.loads(done.stdout)

    def watch_until(self, seen: Callable[[dict[str, Any]], bool]) -> None:
        """Follow the rollout until something is seen."""
        command = ["workstream", "watch", self.rollout()["id"], "--json"]
        with subprocess.Popen(
            command, env=self.environment, text=True, stdout=subprocess.PIPE
        ) as watcher:
            assert watcher.stdout is not None
            lines = map(json.loads, watcher.stdout)
            found = any(map(seen, lines))
            watcher.kill()
        assert found, "the rollout ended before"


def is_held(event: dict[str, Any]) -> bool:
    """Whether the plan is frozen after this."""
    told = event.get("plan", {}).get("interventions", ())
    return bool(event.get("held")) or any(each["verb"] == "FREEZE" for each in told)


def has_begun(event: dict[str, Any]) -> bool:
    """Whether an action begins."""
    return event["event"] == "state" and event.get("status") == "RUNNING"


def wait_after(shell: Shell, command: str) -> None:
    """Wait for what a reader sees before going on."""
    if "$(grep" in command:
        shell.watch_until(has_begun)
        while not shell.rollout()["failures"]:
            pass
    elif "freeze -m" in command and "unfreeze" not in command:
        shell.watch_until(is_held)
    elif "unfreeze" in command or " resume " in command:
        while shell.rollout()["owner"] is None:
            pass
        shell.watch_until(has_begun)
    elif command.startswith("kill -9"):
        while not shell.rollout()["crashed"]:
            pass


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A terminal, and no process of the hosts left in the end."""
    opened = Shell(tmp_path)
    yield opened
    opened.close()
    if list(opened.directory.glob("web-*/pid")):
        subprocess.run("cat web-*/pid | xargs kill", shell=True, cwd=opened.directory)


@pytest.mark.slow
def test_page_is_followed_on_two_hundred_hosts(shell: Shell) -> None:
    """Each command prints what stands below it; no host is upgraded twice."""
    for program in ("setsid", "bash"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} here")
    for block in blocks((ROOT / PAGE).read_text("utf-8")):
        if block.verb == "file":
            path = shell.directory / block.what
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, "utf-8")
        for command in commands(block, every=True) if block.verb == "on hosts" else ():
            if command.command.startswith("cat web-"):
                check(shell)
            printed, status = shell.type(command.command)
            if command.output.strip():
                assert matches(command.output, printed), (
                    f"{command.command}\nprinted\n{printed}\nnot\n{command.output}"
                )
            else:
                assert status == 0, f"{command.command}\nprinted\n{printed}"
            wait_after(shell, command.command)
    if "WORKSTREAM_WRITE_REPORT" in os.environ:
        write_report(shell)


def write_report(shell: Shell) -> None:
    """Keep the report that the night wrote; it names no machine of ours."""
    data, status = shell.type("workstream report night.html --format json")
    assert status == 0, data
    here = (shell.directory / "night.json", socket.gethostname())
    here[0].write_text(data.replace(here[1], HOST), "utf-8")
    printed, status = shell.type(f"workstream report {here[0]} -o {REPORT}")
    assert status == 0, printed


def test_the_report_of_such_a_night_tells_it() -> None:
    """Whoever opens the link sees who did what, the failures, and what a crash cut short."""
    assert f'<a href="../reports/{REPORT.name}">' in (ROOT / PAGE).read_text("utf-8")
    text = REPORT.read_text("utf-8")
    words = " ".join(re.sub(r"<[^>]*>", " ", text).split())

    for said in (
        *("Rollout", "stopped", "no room for v2", "alarms from the tier"),
        *("its disk is being replaced", "half of the tier is idle"),
        *("it was the balancer", "enough for tonight", BY),
        *("after a crash, which cut", "1 skipped: web-77"),
    ):
        assert said in words, said
    plan = read_report(text).plan
    assert [each.verb.name for each in plan.interventions] == [
        *("FREEZE", "SKIP", "SET_LIMITS", "UNFREEZE", "STOP")
    ]
    attempts = [
        attempt
        for sequence in plan.blocks[0].sequences
        for action in sequence.actions
        for attempt in action.attempts
    ]
    assert any(attempt.interrupted for attempt in attempts)
    assert len(plan.blocks[0].sequences) == 200


def check(shell: Shell) -> None:
    """Every host but the skipped one serves; what completed was called once."""
    hosts = {path.parent.name: path for path in shell.directory.glob("web-*/pid")}
    assert hosts.keys() == {f"web-{n}" for n in range(1, 201)} - {"web-77"}
    for path in hosts.values():
        os.kill(int(path.read_text()), 0)
    plan = shell.rollout()
    assert plan["status"] == "STOPPED"
    assert plan["skipped"] == 1
