"""A package is upgraded while plans of it lie in the store (STO-14)."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., Any]
WritePlan = Callable[..., Path]


@pytest.fixture
def crashed(start: Start, write_plan: WritePlan, tmp_path: Path) -> str:
    """The id of a plan that was killed in its second action; it goes on with ``go``."""
    body = f"""tier(
        Sequence(name="one", actions=[
            act("first", say="hello"), act("second", hold={str(tmp_path / "go")!r}),
        ]),
    )"""
    child = start("run", write_plan(body))
    child.wait_for("called Deploy / Tier / one / second")
    child.signal(signal.SIGKILL)
    child.end()
    (tmp_path / "go").touch()
    listed = start("list", "--json")
    assert listed.end() == 0
    [row] = json.loads(listed.output)
    short_id: str = row["short_id"]
    return short_id


def change(toy: Path, before: str, after: str) -> None:
    """Install another version of the package.

    The file must get another size: Python takes a module that was compiled in the same
    second from a file of the same size for the same.
    """
    path = toy / "toy_plugin.py"
    text = path.read_text()
    assert before in text
    assert len(before) != len(after)
    path.write_text(text.replace(before, after, 1))


def problems(doctor: Any) -> list[str]:
    """What the doctor finds wrong with plans."""
    doctor.end()
    found: list[dict[str, Any]] = json.loads(doctor.output)["findings"]
    return [
        each["message"]
        for each in found
        if each["area"] == "plans" and each["level"] == "problem"
    ]


@pytest.mark.slow
def test_a_field_with_a_default_is_filled(
    toy: Path, crashed: str, start: Start
) -> None:
    """The plan goes on as if nothing had been changed."""
    change(
        toy, '    say: str = ""\n', '    say: str = ""\n    to: tuple[str, ...] = ()\n'
    )
    [has_crashed] = problems(start("doctor", "--json"))
    assert "has crashed" in has_crashed

    resumed = start("resume")

    assert resumed.end() == 0, resumed.output
    assert "called Deploy / Tier / one / second" in resumed.output
    assert "called Deploy / Tier / one / first" not in resumed.output


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            "class Do:\n",
            "class Do:\n    who: str\n    why: str\n",
            "who is missing; why is",
        ),
        ("    hold: str", "    wait_for: str", "hold is not a field"),
        (
            "    times: int = 1000",
            '    times: str = "1000"',
            "times must be a text, not",
        ),
    ],
)
@pytest.mark.slow
def test_any_other_change_is_that_plan_s_trouble(
    toy: Path,
    crashed: str,
    start: Start,
    before: str,
    after: str,
    told: str,
) -> None:
    """It is told before and when it is to go on; the old version goes on with it."""
    if before == "class Do:\n":  # the fields of an attrs class with defaults come last
        after = f"@attrs.frozen(kw_only=True)\n{after}"
        before = f"@attrs.frozen\n{before}"
    old = (toy / "toy_plugin.py").read_text()
    change(toy, before, after)
    if "hold" in before:
        change(toy, "request.hold and not os.path.exists(request.hold)", "False")

    found = problems(start("doctor", "--json"))
    resumed = start("resume")
    assert resumed.end() == 2
    shown = start("show", crashed)

    assert len(found) == 2
    assert "has crashed" in found[0]
    assert f"Deploy ({crashed}) does not fit its plugins" in found[1]
    assert told in found[1]
    assert "the request of 'Deploy / Tier / one / first'" in resumed.output
    assert told in resumed.output
    assert (
        "install the version of the package that it was stored with" in resumed.output
    )
    # It can be looked at all the same.
    assert shown.end() == 0
    assert "was running when it crashed" in shown.output.lower()

    (toy / "toy_plugin.py").write_text(old)
    again = start("resume", crashed)
    assert again.end() == 0, again.output


FLOWING = """
from workstream import *
from toy_plugin import Act, Do


def plan():
    first = Act.action(Do(say="hello"), name="first", key="first")
    second = Act.action(Do(hold={go!r}), name="second")
    said = Act.response("first").said
    third = Act.action(late(Do)(say=said), name="third")
    one = Sequence(name="one", actions=[first, second, third])
    return Plan(name="Deploy", blocks=[Block(name="Tier", sequences=[one])])
"""


@pytest.mark.slow
def test_a_response_that_is_needed_and_gone_is_that_plan_s_trouble(
    toy: Path, start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """The doctor tells it, and nothing is called; the old version goes on with it."""
    go = tmp_path / "go"
    child = start("run", write_plan(FLOWING.format(go=str(go)), whole=True))
    child.wait_for("called Deploy / Tier / one / second")
    child.signal(signal.SIGKILL)
    child.end()
    go.touch()
    old = (toy / "toy_plugin.py").read_text()
    change(toy, 'class Done:\n    said: str = ""', 'class Done:\n    answer: str = ""')

    found = problems(start("doctor", "--json"))
    resumed = start("resume")

    assert resumed.end() == 2
    assert len(found) == 2
    for told in (found[1], resumed.output):
        assert "Deploy / Tier / one / third: request: " in told
        assert "the response is Done, which has no field 'said'" in told
    assert "called" not in resumed.output

    (toy / "toy_plugin.py").write_text(old)
    again = start("resume")
    assert again.end() == 0, again.output
    assert "called Deploy / Tier / one / third" in again.output
    assert "called Deploy / Tier / one / first" not in again.output
