"""Tests of the questions that the engine asks of annotations."""

from __future__ import annotations

import collections.abc
import dataclasses
import typing
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypeVar

import attrs
import pytest

from workstream._values.annotations import (
    arguments_of,
    bare,
    fields_of,
    fits,
    members,
    parts,
    records_below,
)

T = TypeVar("T")
U = TypeVar("U")
Number = NewType("Number", int)


@attrs.frozen
class Base(Generic[T]):
    first: T


@attrs.frozen
class Turned(Base[list[U]], Generic[T, U]):
    """Its T is not the T of its base."""

    second: T


@dataclasses.dataclass
class Tree:
    children: list[Tree]
    leaf: Annotated[int, "weight"] = 3


class Place(NamedTuple):
    row: int


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, (type(None),)),
        (int, (int,)),
        (int | None, (int, type(None))),
        (typing.Optional[Annotated[Number, "x"]], (int, type(None))),  # noqa: UP045
        (Annotated[int | Number | str, "x"], (int, int, str)),
        (list[int] | Any, (list[int], Any)),
    ],
    ids=str,
)
def test_members_of_a_union(wanted: Any, expected: tuple[Any, ...]) -> None:
    """Unions are taken apart, through all that only decorates them."""
    assert members(wanted) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (dict[str, list[int | None]], [str, int, type(None)]),
        (Literal["a"], [str]),
        (tuple[int, ...], [int]),
        (collections.abc.Callable[[], int], [collections.abc.Callable[[], int]]),
        (Base[list[int]], [Base[list[int]]]),
        (T, [Any]),
    ],
    ids=str,
)
def test_parts_of_a_type(wanted: Any, expected: list[Any]) -> None:
    """Collections are taken apart too; a class with fields stays whole."""
    assert list(parts(wanted)) == expected


def test_fields_are_those_of_the_constructor() -> None:
    """Types in quotes are looked up, and decoration is off."""
    children, leaf = fields_of(Tree)

    assert (children.name, children.type, children.default) == (
        "children",
        list[Tree],
        attrs.NOTHING,
    )
    assert (bare(leaf.type), leaf.default, leaf.init) == (int, 3, True)
    assert [field.name for field in fields_of(Place)] == ["row"]
    assert fields_of(int) == ()


def test_type_variables_stand_for_what_their_own_class_says() -> None:
    """A base and a class below it may use one variable for different types."""
    first, second = fields_of(Turned[str, int])

    assert (first.type, second.type) == (list[int], str)
    assert arguments_of(Turned[str, int], Base) == (list[int],)
    [open_one] = arguments_of(Turned, Base)
    assert typing.get_args(open_one) == (U,)


def test_records_below_are_named_by_the_shortest_way() -> None:
    """Each once, also where types refer to themselves."""
    found = [(path, cls) for path, cls, _ in records_below(Base[Tree], Place)]

    assert found == [("Base", Base[Tree]), ("Place", Place), ("Base.first", Tree)]


FITTING: list[tuple[object, Any, bool]] = [
    (3, int, True),
    (True, int, False),
    (3, int | None, True),
    (None, int | None, True),
    (None, None, True),
    ("3", int | None, False),
    (..., Any, True),
    (Base(3), Base[int], True),
    (Turned(["a"], "b"), Base[int], False),
]


@pytest.mark.parametrize(("value", "wanted", "expected"), FITTING, ids=str)
def test_a_class_fits_exactly(value: object, wanted: Any, expected: bool) -> None:
    """A subclass is another class (V-23, A-7)."""
    assert fits(value, wanted) is expected
