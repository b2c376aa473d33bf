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
    again = data(call("verify", path, "-p", "hosts=1", "--only", only, "--json"))
    assert [each["only"] for each in again["worst"]] == [only]


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
        ("VERIFY = {'mood': 1}", "mood"),
    ):
        result = call("verify", file(more))
        assert result.exit_code == 2
        assert text in result.stderr


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
    refused = call("rehearse", path, "--hang", "web-9 / Start")
    assert refused.exit_code == 2
    assert "no action's path ends in" in refused.stderr


def test_rehearse_plays_what_was(
    call: Call, file: Callable[[str], Path], tmp_path: Path
) -> None:
    """A stored plan is the script: how long actions took, and which failed."""
    store = tmp_path / "store"
    failing = PLAN.replace("Do()", "Do(fail='full' if name == 'Start' else '')")
    path = tmp_path / "failing.py"
    path.write_text(failing, encoding="utf-8")
    assert call("run", path, "--store", store).exit_code == 1

    told = ("--like", "last", "--store", store)
    calm = data(call("rehearse", file(""), *told, "--json"))
    assert calm["outcome"] == "completed"
    # Two of four actions were run, and took next to nothing.
    assert calm["elapsed"] < 20
    again = call("rehearse", file(""), *told, "--with-failures")
    assert again.exit_code == 1
    assert call("rehearse", file(""), "--with-failures").exit_code == 2
