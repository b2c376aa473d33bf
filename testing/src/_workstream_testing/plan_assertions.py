"""``assert_plan``: that a program generates the right plan."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import ndiff
from typing import Any

from workstream._plan.difference import difference
from workstream._plan.plan import Plan
from workstream._plan.text import plan_text

from .problems import says_all

__tracebackhide__ = says_all

SHOWN = 40
"""How many lines of a difference are shown."""


def assert_plan(
    actual: Plan, expected: Plan | str, *, ids: bool = False, times: bool = False
) -> None:
    """See that a plan is as expected; where it is not, tell what differs, line by line.

    ::

        assert_plan(rollout(hosts=2), Plan(name="Rollout", blocks=[...]))
        assert_plan(rollout(hosts=2), Path("rollout.txt").read_text())

    Args:
        actual: The plan.
        expected: Another plan, or a snapshot: what ``plan_text`` gave of one. Blank
            lines around a snapshot, and how far it is indented as a whole, do not count.
        ids: Whether ids count, where both are plans.
        times: Whether times count, where both are plans.

    Raises:
        AssertionError: They differ; secrets are not shown.
        TypeError: One of them is something else.
    """
    _require(actual, Plan, "a Plan")
    _require(expected, Plan | str, "a Plan, or the text that plan_text() gives of one")
    if isinstance(expected, Plan):
        lines = difference(expected, actual, ids=ids, times=times).splitlines()
        told = "the plan is not as expected (expected -> actual):"
    else:
        lines = list(_text_difference(expected, plan_text(actual)))
        told = "the plan's text is not as expected (- expected, + actual):"
    if lines:
        raise AssertionError("\n".join([told, *_shortened(lines)]))


def compared(left: Plan, right: Plan) -> list[str]:
    """Lines for a failed ``left == right``; for the pytest plugin."""
    lines = difference(left, right).splitlines()
    return ["the plans differ (left -> right):", *_shortened(lines)]


def _require(value: object, wanted: Any, what: str) -> None:
    if not isinstance(value, wanted):
        message = f"assert_plan() got a {type(value).__name__}: give it {what}"
        raise TypeError(message)


def _text_difference(expected: str, actual: str) -> Iterator[str]:
    """The lines that differ, each with those that it stands under."""
    before, after = _dedented(expected), _dedented(actual)
    if before == after:
        return
    above: list[str] = []
    told: list[str] = []
    for line in ndiff(before, after):
        if line.startswith("?"):
            continue
        depth = _depth(line[2:])
        while above and _depth(above[-1][2:]) >= depth:
            above.pop()
        if line.startswith(" "):
            above.append(line)
            continue
        yield from (outer for outer in above if outer not in told)
        told += above
        yield line


def _dedented(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.strip("\n").rstrip().splitlines()]
    margin = min((_depth(line) for line in lines if line), default=0)
    return [line[margin:] for line in lines]


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _shortened(lines: list[str]) -> list[str]:
    shown = [f"  {line}" for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        shown.append(f"  ... and {len(lines) - SHOWN:,} more lines")
    return shown
