"""The commands that play futures: ``verify`` and ``rehearse``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Call = Callable[..., Result]

PLAN = """
from workstream import Block, Plan, Sequence
from workstream.testing import always_ends, effect
from toy_plugin import Act, Do


def step(name):
    return Act.action(Do(), name=name)


def plan(hosts: int = 2) -> Plan:
    sequences = [
        Sequence(name=f"web-{n}", actions=[step("Stop"), step("Start")])
        for n in range(1, hosts + 1)
    ]
    return Plan(name="Rollout", blocks=[Block(name="Tier", sequences=sequences)])
"""

RULES = """
VERIFY = {
    "workers": 1,
    "effects": [
        effect("toy.act", path="Stop", sets={"up": False}),
        effect("toy.act", path="Start", sets={"up": True}),
    ],
    "invariants": [always_ends(up=True)],
}
"""


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a plan file, with more behind the plan."""

    def write(more: str = "") -> Path:
        path = tmp_path / "rollout.py"
        path.write_text(PLAN + more, encoding="utf-8")
        return path

    return write


def data(result: Result) -> Any:
    """The JSON that a command printed."""
    return json.loads(result.stdout)


def test_verify_tells_the_worst(call: Call, file: Callable[[str], Path]) -> None:
    """As a story, and as data; within bounds that are given."""
    path = file("")
    told = call("verify", path, "--workers", 1)
    assert told.exit_code == 0
    assert "1 fault: 1 of 2 sequences end touched and not completed" in told.stdout
    found = data(call("verify", path, "--workers", 1, "--json", "-p", "hosts=1"))
    assert found["ok"]
    assert [each["touched"] for each in found["worst"]] == [[], ["web-1"]]
    only = found["worst"][1]["only"]
    assert f"verify {path} --only 'fail@" in told.stdout
    again = data(call("verify", path, "-p", "hosts=1", "--only", only, "--json"))
    assert [each["only"] for each in again["worst"]] == [only]


@pytest.mark.slow
def test_verify_fails_where_a_rule_is_broken(
    call: Call, file: Callable[[str], Path]
) -> None:
    """By an option, or by what the file says: exit status 1."""
    path = file("")
    assert call("verify", path, "--workers", 1, "--at-most", 1).exit_code == 0
    assert call("verify", path, "--workers", 1, "--at-most", 0).exit_code == 1
    broken = call("verify", file(RULES), "-p", "hosts=1")
    assert broken.exit_code == 1
    assert "broken: it always ends up" in broken.stdout


def test_verify_refuses_what_makes_no_sense(
    call: Call, file: Callable[[str], Path]
) -> None:
    """With a message that names it: exit status 2."""
    for more, text in (
        ("VERIFY = 3", "VERIFY is of type int"),
        ("VERIFY = {'failures': -1}", "failures is -1"),
        ("VERIFY = {'mood': 1}", "VERIFY has 'mood'"),
        ("VERIFY = {'failure': 1}", "did you mean 'failures'?"),
        ("VERIFY = {'workers': 'x'}", "workers is 'x': it must be a whole number"),
        ("VERIFY = {'starts': ['up']}", "starts is ['up']: give a dict"),
        ("VERIFY = {'invariants': 3}", "invariants is 3: give a list of rules"),
        ("VERIFY = {'plugins': Act}", "VERIFY['plugins'] is <class"),
        ("VERIFY = {'invariants': [lambda end: end.mood]}", "has no attribute 'mood'"),
    ):
        result = call("verify", file(more), "--at-most", 1)
        assert result.exit_code == 2
        assert text in result.stderr


def test_plugins_that_are_not_installed(
    call: Call, file: Callable[[str], Path]
) -> None:
    """The file may list their classes; the message says how, in the file's words."""
    own = """
from workstream import ActionPlugin, Context

class Own(ActionPlugin[Do, None]):
    name = "own.act"

    async def execute(self, context: Context, request: Do) -> None: ...

Act = Own
"""
    for command in ("verify", "rehearse"):
        refused = call(command, file(own))
        assert refused.exit_code == 2
        assert "\n  own.act: did you mean toy.act?\n" in refused.stderr
        assert 'VERIFY = {"plugins": [SomePlugin]}' in refused.stderr
        assert call(command, file(f"{own}VERIFY = {{'plugins': [Own]}}")).exit_code == 0


def test_rehearse_plays_one_future(call: Call, file: Callable[[str], Path]) -> None:
    """It draws it, and its exit status is that of the plan."""
    path = file("")
    assert call("rehearse", path).exit_code == 0
    failed = call("rehearse", path, "--fail", "web-1 / Start", "--kill-at", 3)
    assert failed.exit_code == 1
    assert "web-1" in failed.stdout
    stopped = call("rehearse", path, "--takes", 10, "--stop-at", 5, "--json")
    assert stopped.exit_code == 4
    assert data(stopped)["outcome"] == "stopped"
    late = call("rehearse", path, "--takes", 1, "--stop-at", 99)
    assert "Did not come to pass: a stop is asked for after 1m 39s" in late.stdout
    refused = call("rehearse", path, "--hang", "web-9 / Start")
    assert refused.exit_code == 2
    assert "no action's path ends in" in refused.stderr


@pytest.fixture
def night(call: Call, tmp_path: Path) -> tuple[str, str]:
    """A store with a run that failed: the Start of both hosts, first web-1's."""
    path = tmp_path / "failing.py"
    failing = PLAN.replace("Do()", "Do(fail='full' if name == 'Start' else '')")
    path.write_text(failing, encoding="utf-8")
    assert call("run", path, "--store", tmp_path / "store").exit_code == 1
    return ("--store", str(tmp_path / "store"))


@pytest.mark.slow
def test_rehearse_takes_as_long_as_a_run(
    call: Call, file: Callable[[str], Path], night: tuple[str, str]
) -> None:
    """Its failures are not repeated."""
    calm = data(call("rehearse", file(""), "--like", "last", *night, "--json"))
    assert calm["outcome"] == "completed"
    # Two of four actions were run, and took far less than a quarter of their timeouts.
    unlike = data(call("rehearse", file(""), "--json"))
    assert calm["elapsed"] < unlike["elapsed"]


def test_what_if_plays_a_run_again(
    call: Call, file: Callable[[str], Path], night: tuple[str, str]
) -> None:
    """Under a changed plan; its exit status says whether that would have helped."""
    path = file("")
    same = call("what-if", "last", "--plan", path, *night)
    assert same.exit_code == 1
    assert "It would not have helped" in same.stdout
    assert "2 actions were not in the run" in same.stdout

    text = path.read_text(encoding="utf-8")
    changed = path.with_name("changed.py")
    changed.write_text(
        text.replace('name="Tier",', 'name="Tier", tolerated_failures=1,')
    )
    better = data(call("what-if", "last", "--plan", changed, *night, "--json"))
    assert better["helps"]
    assert better["before"]["outcome"] == "failed"
    assert better["before"]["completed"] == 0
    assert better["after"]["outcome"] == "completed with failures"
    assert better["after"]["completed"] == 1

    changed.write_text(text.replace('step("Start")', 'step("Begin")'))
    gone = call("what-if", "last", "--plan", changed, *night)
    assert gone.exit_code == 0
    assert "not in the new plan, and failed in the run (Tier / web-1 / Start)" in (
        gone.stdout
    )


def test_what_if_refuses_what_cannot_be_compared(
    call: Call, file: Callable[[str], Path], night: tuple[str, str], tmp_path: Path
) -> None:
    """A plan of other actions, a plan that is not stored: exit status 2."""
    path = file("")
    other = path.with_name("other.py")
    text = path.read_text(encoding="utf-8")
    other.write_text(text.replace('"Start"', '"Go"').replace('"Stop"', '"Halt"'))
    refused = call("what-if", "last", "--plan", other, *night)
    assert refused.exit_code == 2
    assert "has no action that ran in 'Rollout'" in refused.stderr
    assert call("what-if", "0" * 8, "--plan", path, *night).exit_code == 2


@pytest.mark.slow
def test_the_answer_is_a_page_too(
    call: Call, file: Callable[[str], Path], night: tuple[str, str], tmp_path: Path
) -> None:
    """The report of one run: the broken one, the rehearsed one, the repeated one."""
    path, page = file(""), tmp_path / "page.html"
    html = ("--format", "html", "-o", page)
    broken = call("verify", path, "--workers", 1, "--at-most", 0, *html)
    assert (broken.exit_code, broken.stdout) == (1, "")
    shown = call("show", page).stdout
    assert "Rollout: failed" in shown
    assert "The worst that was found: Rollout / Tier / web-1 / " in shown

    assert call("rehearse", path, "--fail", "web-2 / Stop", *html).exit_code == 1
    [failure] = data(call("show", page, "--json"))["failures"]
    assert failure["path"] == "Rollout / Tier / web-2 / Stop"

    again = call("what-if", "last", "--plan", path, *night, "--format", "html")
    assert again.exit_code == 1
    assert "It would not have helped" in again.stdout
    assert again.stdout.startswith("<!DOCTYPE html>")
