"""Tests of STO-7 where ``==`` does not tell whether a value came back as it was."""

from __future__ import annotations

import dataclasses
import enum
import http
import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
import trio

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    Registry,
    Sequence,
    Status,
    ValidationError,
    open_workstream,
)
from workstream._values.sameness import changed_at

PARIS = ZoneInfo("Europe/Paris")
TWICE = datetime(2027, 10, 31, 2, 15, tzinfo=PARIS)
"""A time at which the clocks go back."""
NEVER = datetime(2027, 3, 28, 2, 15, tzinfo=PARIS)
"""One that they jump over."""


def fixed(time: datetime) -> datetime:
    """The time with its offset instead of its zone: so it comes out of a store."""
    return datetime.fromisoformat(time.isoformat())


@attrs.frozen
class Record:
    value: Any


@dataclasses.dataclass(frozen=True)
class Data:
    value: Any


class Level(enum.IntEnum):
    LOW = 1


class Mode(str, enum.Enum):  # noqa: UP042  (of the old kind)
    FAST = "fast"


@pytest.mark.parametrize("inside", [Record, Data])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TWICE, fixed(TWICE)),
        (TWICE.replace(fold=1), fixed(TWICE.replace(fold=1))),
        (NEVER, fixed(NEVER)),
        (math.nan, float("nan")),
        (Decimal("NaN"), Decimal("NaN")),
        (Decimal("sNaN"), Decimal("sNaN")),
        (-0.0, -0.0),
        ([TWICE], (fixed(TWICE),)),
        ({"a": [math.nan]}, {"a": [float("nan")]}),
        ({TWICE: 1}, {fixed(TWICE): 1}),
        ({math.nan}, {float("nan")}),
        (frozenset({TWICE}), frozenset({fixed(TWICE)})),
        ({Record(TWICE): 1}, {Record(fixed(TWICE)): 1}),
    ],
    ids=str,
)
def test_same_value_is_the_same(before: Any, after: Any, inside: Any) -> None:
    """Not-a-number and zones do not make a value another one, wherever they are."""
    assert changed_at(before, after, "") is None
    assert changed_at(inside(before), inside(after), "") is None
    assert changed_at({"k": (inside(before),)}, {"k": [inside(after)]}, "") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TWICE, fixed(TWICE.replace(fold=1))),
        (TWICE, TWICE.astimezone(UTC)),
        (TWICE, fixed(TWICE) + timedelta(microseconds=1)),
        (math.nan, 1.0),
        (Decimal("NaN"), Decimal("sNaN")),
        (Level.LOW, 1),
        ({math.nan}, {1.0}),
        ([1], [1, 2]),
        ({1}, {2}),
        ({1}, {1, 2}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ("1", 1),
    ],
    ids=str,
)
def test_other_value_is_another(before: Any, after: Any) -> None:
    """Another instant, another offset, another number: each is found and named."""
    place = changed_at(Record([before]), Record([after]), "it") or ""

    assert changed_at(before, after, "it") is not None
    assert place.startswith("it.value[0]")


# -- From the plan to the store --------------------------------------------------------


@attrs.frozen
class Window:
    starts: datetime
    limit: int = 0
    name: str = ""
    extra: Any = None


class Announce(ActionPlugin[Window, Window]):
    name = "window.announce"

    async def execute(self, context: Context, request: Window, /) -> Window:
        return request


def run(plan: Plan) -> Plan:
    """The plan, after its run."""

    async def main() -> Plan:
        async with open_workstream("memory:", registry=Registry([Announce()])) as ws:
            return await ws.run(plan)

    return trio.run(main)


def plan_of(request: Window) -> Plan:
    """A plan of one action."""
    action = Announce.action(request, name="Announce")
    sequence = Sequence(name="people", description="d", actions=[action])
    block = Block(name="Tell", description="d", sequences=[sequence])
    return Plan(name="Maintenance", description="d", blocks=[block])


@pytest.mark.parametrize("starts", [TWICE, TWICE.replace(fold=1), NEVER], ids=str)
def test_a_time_while_the_clocks_change_is_stored_and_returned(
    starts: datetime,
) -> None:
    """Requests and responses keep instant and offset; the action is COMPLETED (STO-7)."""
    done = run(plan_of(Window(starts)))

    [action] = done.blocks[0].sequences[0].actions
    response = action.attempts[0].response
    assert isinstance(response, Window)
    assert done.state.status is Status.COMPLETED
    for kept in (action.request, response):
        assert isinstance(kept, Window)
        assert kept.starts.utcoffset() == starts.utcoffset()
        assert kept.starts.astimezone(UTC) == starts.astimezone(UTC)


@pytest.mark.parametrize(
    ("request_", "place"),
    [
        (Window(TWICE, limit=Level.LOW), "request.limit"),
        (Window(TWICE, limit=http.HTTPStatus.OK), "request.limit"),
        (Window(TWICE, name=Mode.FAST), "request.name"),
        (Window(TWICE, extra=[Level.LOW]), "request.extra[0]"),
        (Window(TWICE, extra={Level.LOW: 1}), "request.extra["),
        (Window(TWICE, extra={Level.LOW}), "request.extra["),
        (Window(TWICE, extra=(0, {"a": Mode.FAST})), "request.extra[1]['a']"),
    ],
    ids=str,
)
def test_an_enum_where_a_number_or_text_is_declared_is_refused(
    request_: Window, place: str
) -> None:
    """It would come back as a plain number or text (STO-7): the place is named."""
    with pytest.raises(ValidationError, match=re.escape(place)):
        run(plan_of(request_))
