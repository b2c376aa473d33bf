"""Deep copies: what nobody can change is shared, and all else is copied."""

from __future__ import annotations

import copy
import dataclasses
import functools
from typing import Any

import attrs
import pytest

from workstream._plan.copying import deep_copy
from workstream._plan.plan import Action, Block, Plan, Sequence
from workstream._protocols.plugin import ActionPlugin, Context
from workstream._registry.registry import Registry
from workstream._secrets.references import SecretRef
from workstream._validation.validation import prepared


@attrs.frozen
class Point:
    x: int
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Place:
    point: Point
    label: str | None = None


@attrs.frozen
class Holds:
    value: Any


@attrs.define
class Changeable:
    x: int = 1


@attrs.frozen(slots=False)
class Caching:
    x: int

    @functools.cached_property
    def doubled(self) -> list[int]:
        return [self.x, self.x]


@attrs.frozen
class CopiesItself:
    x: int

    def __deepcopy__(self, memo: dict[int, Any]) -> CopiesItself:
        return CopiesItself(self.x + 1)


class Looser(Point):
    """A subclass that is no frozen attrs class itself."""

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


class Words(str):
    """A text with a memory."""

    __slots__ = ("seen",)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "a",
        1,
        1.5,
        b"a",
        (1, ("a",)),
        frozenset({1}),
        Point(1, ("a",)),
        Place(Point(1)),
    ],
    ids=repr,
)
def test_what_nobody_can_change_is_shared(value: object) -> None:
    """As ``copy.deepcopy`` shares a text."""
    assert deep_copy(value) is value


@pytest.mark.parametrize(
    "value",
    [
        [1],
        {"a": 1},
        Holds([1]),
        Holds((1, {})),
        Holds(Changeable()),
        Place(Point(1, ["a"])),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        Changeable(),
        Looser(1),
        Holds(Words("a")),
        Holds(SecretRef("env:TOKEN")),
    ],
    ids=repr,
)
def test_all_else_is_copied(value: object) -> None:
    """Whatever could be changed, at any depth."""
    copied = deep_copy(value)
    assert copied == value
    assert copied is not value


def test_more_than_fields_is_copied() -> None:
    """What a frozen class keeps beside its fields may be changed."""
    value = Caching(1)
    value.doubled.append(3)
    copied = deep_copy(value)
    assert copied.doubled == [1, 1, 3]
    assert copied.doubled is not value.doubled


def test_what_copies_itself_does_so() -> None:
    """Its class knows better."""
    assert (
        deep_copy(CopiesItself(1)) == copy.deepcopy(CopiesItself(1)) == CopiesItself(2)
    )


@attrs.frozen
class Fills:
    """A frozen request that fills itself in all the same."""

    host: str = ""

    def defaults(self) -> None:
        object.__setattr__(self, "host", "localhost")


class Do(ActionPlugin[Fills, None]):
    """Does nothing."""

    name = "t.do"

    async def execute(self, context: Context, request: Fills) -> None:
        """Do nothing."""


def test_defaults_do_not_reach_the_callers_plan() -> None:
    """A request is copied for its defaults, frozen or not (SUB-2)."""
    action = Action(name="a", plugin="t.do", request=Fills())
    blocks = [Block(name="B", sequences=[Sequence(name="s", actions=[action])])]
    ready, _ = prepared(Plan(name="P", blocks=blocks), Registry([Do()]))
    assert ready.blocks[0].sequences[0].actions[0].request == Fills("localhost")
    assert action.request == Fills()
