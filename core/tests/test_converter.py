"""Requests and responses as plain data, and back (STO-7)."""

from __future__ import annotations

import enum
import json
import math
import types
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Address
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    TypedDict,
    TypeVar,
    cast,
)
from uuid import UUID

import attrs
import pytest

from workstream._codec.typed.converter import converter
from workstream._codec.typed.forms import Form, unsealed
from workstream._secrets.references import SECURE, DataPath, SecretRef
from workstream._values.errors import SecretError
from workstream._values.wire import pack, unpack

T = TypeVar("T")
HostName = NewType("HostName", str)


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mode(enum.StrEnum):
    FAST = "fast"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


@attrs.frozen
class Host:
    name: str
    port: int = 22


@dataclass(frozen=True)
class Disk:
    size: int


@attrs.frozen
class CopyTo:
    path: str


@attrs.frozen
class CopyFrom:
    path: str


@attrs.frozen
class Tree:
    name: str
    inside: list[Tree] = attrs.field(factory=lambda: list[Tree]())
    parent: Tree | None = None


@attrs.frozen
class Pair(Generic[T]):
    first: T
    second: T


@attrs.frozen
class Hidden:
    _token: int
    shown: int = 1


class Options(TypedDict, total=False):
    retries: int


class Point(NamedTuple):
    x: int
    y: int


@attrs.frozen
class Login:
    user: str
    password: str = attrs.field(metadata=SECURE)


def there_and_back(value: Any, wanted: Any, form: Form = Form.STORED) -> Any:
    made = converter(form)
    data = made.unstructure(value, unstructure_as=wanted)
    if form is Form.STORED:
        data = unpack(b"\1", pack(b"\1", data))
    else:
        data = json.loads(json.dumps(data, allow_nan=False))
    return made.structure(data, wanted)


NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)

EXACT: list[tuple[Any, Any]] = [
    (True, bool),
    (True, int),
    (2**100, int),
    (-(2**63) - 1, int),
    (1.5, float),
    (5, float),
    (math.inf, float),
    (-math.inf, float),
    ("caf\N{LATIN SMALL LETTER E WITH ACUTE}\0", str),
    ("\udc80.txt", str),
    (b"\xff\0", bytes),
    (None, None),
    (NOON, datetime),
    (NOON.astimezone(timezone(timedelta(hours=5, minutes=30))), datetime),
    (datetime(2026, 1, 1), datetime),
    (date(2026, 1, 31), date),
    (time(12, 30, 0, 1), time),
    (timedelta(microseconds=1), timedelta),
    (timedelta(days=-1, seconds=1), timedelta),
    (timedelta.max, timedelta),
    (timedelta(days=300_000, microseconds=7), timedelta),
    (UUID(int=5), UUID),
    (Decimal("1.10"), Decimal),
    (Path("/etc/hosts"), Path),
    (PurePosixPath("a/b"), PurePosixPath),
    (PureWindowsPath("c:\\x"), PureWindowsPath),
    (IPv4Network("10.0.0.0/8"), IPv4Network),
    (IPv6Address("::1"), IPv6Address),
    (Colour.BLUE, Colour),
    (Level.HIGH, Level),
    (Mode.FAST, Mode),
    (Rights.READ | Rights.WRITE, Rights),
    (Rights(0), Rights),
    (Host("a"), Host),
    (Disk(5), Disk),
    (Hidden(5, 6), Hidden),
    (SecretRef("env:TOKEN"), SecretRef),
    (Options(retries=3), Options),
    (Options(), Options),
    (Point(1, 2), Point),
    (Tree("a", [Tree("b", [Tree("c")])], Tree("up")), Tree),
    (Pair(1, 2), Pair[int]),
    (Pair(Host("a"), Host("b")), Pair[Host]),
    ("web", HostName),
    (5, Annotated[int, "a note"]),
    ("a", Literal["a", "b"]),
    ([], list[Host]),
    ([Host("a"), Host("b", 5)], list[Host]),
    (("a", "b"), tuple[str, ...]),
    ((1, "a", None), tuple[int, str, None]),
    ((), tuple[int, ...]),
    ({"b", "a"}, set[str]),
    (frozenset({Colour.RED}), frozenset[Colour]),
    ({Host("a"), Host("b")}, set[Host]),
    ({"a": Host("a")}, dict[str, Host]),
    ({}, dict[str, int]),
    ({1: "a", 2**70: "b"}, dict[int, str]),
    ({UUID(int=5): 1}, dict[UUID, int]),
    ({Path("/a"): 1}, dict[Path, int]),
    ({Colour.RED: 1}, dict[Colour, int]),
    ({(1, 2): 3}, dict[tuple[int, int], int]),
    ({None: 1, 5: 2}, dict[int | None, int]),
    ({True: 1}, dict[bool, int]),
    ({"a": 1}, Mapping[str, int]),
    ([1, 2], Sequence[int]),
    ((1, 2), Sequence[int]),
    ([1], Collection[int]),
    ([1, "a", None, 1.5, True], list[int | str | float | None]),
    ((1, {2: 3}), tuple),
    (CopyFrom("a"), CopyTo | CopyFrom),
    ([CopyTo("a"), "b"], list[Annotated[CopyTo, "a note"] | HostName | CopyFrom]),
    (CopyTo("a"), CopyTo | CopyFrom),
    ([CopyFrom("a"), None, "a"], list[CopyTo | CopyFrom | str | None]),
    ([NOON, date(2026, 1, 1)], list[date | datetime]),
    ([Path("/a"), "/a", b"/a"], list[str | Path | bytes]),
    ([{"a": 1}, [1], (1,)], list[dict[str, int] | list[int] | tuple[int, ...]]),
    ([Mode.FAST, "fast", Colour.RED], list[Mode | str | Colour]),
    (["a", 5], list[Literal["a", "b"] | int]),
    ([SecretRef("env:A"), "env:A"], list[SecretRef | str]),
    ([math.inf, "inf"], list[float | str]),
    (Tree("a"), Tree | None),
    ({"a": [1, {"b": None}], "n": 2**80, "x": b"\0"}, Any),
    ((1, {2, 3}, frozenset("a")), object),
    ({1: (2,), (3,): NOON}, Any),
    ({"$type": "a", "value": [1]}, Any),
    ([UUID(int=1), Path("/a"), Decimal("1.0"), timedelta(1), date(2026, 1, 1)], Any),
    ([SecretRef("env:A"), math.inf], Any),
    (({"a": ("b",)},), list[Any] | tuple[Any, ...]),
]


def shown(value: object) -> str:
    """A name for a parameter: the same in every process, so sets are sorted."""
    if isinstance(value, set | frozenset):
        members: list[str] = sorted(map(str, cast("set[object]", value)))
        name = "set" if isinstance(value, set) else "frozenset"
        return f"{name} of {', '.join(members)}"
    return str(value)


@pytest.mark.parametrize("form", [Form.STORED, Form.JSON])
@pytest.mark.parametrize(("value", "wanted"), EXACT, ids=shown)
def test_values_come_back_exactly(value: Any, wanted: Any, form: Form) -> None:
    """Whatever a type can say comes back equal, and of the same class (STO-7)."""
    back = there_and_back(value, wanted, form)
    assert back == value
    assert type(back) is type(value)
    assert str(back) == str(value) or isinstance(value, set | datetime)


@pytest.mark.parametrize("form", [Form.STORED, Form.JSON])
@pytest.mark.parametrize("wanted", [float, Any, float | str])
def test_not_a_number_comes_back(wanted: Any, form: Form) -> None:
    """A float that is not a number comes back as one (STO-7)."""
    assert math.isnan(there_and_back(math.nan, wanted, form))


def test_sets_are_written_in_one_order() -> None:
    """The same set has the same bytes in every process."""
    data = converter(Form.STORED).unstructure({"b", "c", "a"}, unstructure_as=set[str])
    assert data == ["a", "b", "c"]


def test_a_union_is_tagged_and_never_guessed() -> None:
    """Of two classes with the same fields, the tag tells which one it is."""
    made = converter(Form.STORED)
    data = made.unstructure(CopyFrom("a"), unstructure_as=CopyTo | CopyFrom)
    assert data == {"$type": "CopyFrom", "path": "a"}
    with pytest.raises(TypeError, match=r'must say which it is: "\$type" one of'):
        made.get_structure_hook(CopyTo | CopyFrom)({"path": "a"}, CopyTo | CopyFrom)


@pytest.mark.parametrize(
    ("value", "wanted", "says"),
    [
        ("5", int, "must be a whole number, not a text"),
        (5, str, "must be a text, not a whole number"),
        (1, bool, "must be true or false"),
        (True, float, "must be a number"),
        ("1.5", float, "must be a number, not a text"),
        (5, bytes, "must be bytes"),
        (5, types.NoneType, "must be null"),
        ("GREEN", Colour, "must be one of RED, BLUE"),
        ("x", UUID, "is not the text of a UUID"),
        (5, UUID, "must be the text of a UUID"),
        (5, Host, "must be an object with the fields of Host, not a whole number"),
        ("", Options, "must be an object with the fields of Options"),
        ({}, list[int], "must be a list"),
        ({}, Point, "must be a list, not an object"),
        ({}, dict[tuple[int, int], int], "must be a list, not an object"),
        ([], dict[str, int], "must be an object"),
        ("env", SecretRef, "says where a secret is kept"),
        (5, SecretRef, "must be the text of a SecretRef"),
        ({}, str | Host, "must say which it is"),
        (5, str | Host, "must be a text or Host, not a whole number"),
        ("c", Literal["a"] | int, "must be a whole number or 'a'"),
        ({"$type": "Unknown"}, Any, "is unknown where no type is declared"),
        ({"$type": "tuple", "value": 5}, Any, "must be a list"),
    ],
)
def test_nothing_is_converted_in_passing(value: Any, wanted: Any, says: str) -> None:
    """Data of another type than declared is an error, not a value nearby."""
    with pytest.raises((TypeError, ValueError, SecretError), match=says):
        converter(Form.STORED).structure(value, wanted)


def test_errors_never_show_the_value() -> None:
    """What is wrong may be a secret in the wrong place (CL-8)."""
    with pytest.raises(TypeError) as caught:
        converter(Form.STORED).structure("hunter2", int)
    assert "hunter2" not in str(caught.value)


def test_an_object_nobody_could_read_again_is_refused() -> None:
    """A field declared Any holds plain data, not objects of classes."""
    with pytest.raises(TypeError, match="holds an object of type Host where no type"):
        converter(Form.STORED).unstructure({"a": Host("a")}, unstructure_as=Any)


def test_a_union_whose_members_look_alike_is_refused() -> None:
    """A value cannot tell which of two lists it is."""
    with pytest.raises(TypeError, match="two members of type list"):
        converter(Form.STORED).get_unstructure_hook(list[int] | list[str])


@attrs.frozen
class Everything:
    login: Login
    logins: list[Login]
    by_name: dict[str, Login]
    by_pair: dict[tuple[int, int], Login]
    either: Login | Host | None
    pair: tuple[int, Login]
    several: frozenset[Login]
    no_login: Login | None = None


def test_secrets_are_found_where_they_lie() -> None:
    """The paths of SECURE fields are those in the stored form, whatever it is (CL-8)."""
    login = Login("me", "hunter2")
    value = Everything(
        login=login,
        logins=[login, login],
        by_name={"a": login},
        by_pair={(1, 2): login},
        either=login,
        pair=(1, login),
        several=frozenset({login}),
    )
    paths: list[DataPath] = []
    data: Any = unsealed(converter(Form.STORED).unstructure(value), paths)
    assert paths == [
        ("login", "password"),
        ("logins", 0, "password"),
        ("logins", 1, "password"),
        ("by_name", "a", "password"),
        ("by_pair", 0, 1, "password"),
        ("either", "password"),
        ("pair", 1, "password"),
        ("several",),
    ]
    for *way, last in paths[:-1]:
        inner = data
        for step in way:
            inner = inner[step]
        assert inner[last] == "hunter2"


@attrs.frozen
class Defaults:
    """Values that ``==`` takes for others."""

    number: float = 0.0
    any: bool | int | float = 1
    price: Decimal = Decimal("1.0")
    at: datetime = datetime(2024, 1, 1, 12, tzinfo=UTC)
    several: tuple[float, ...] = attrs.field(factory=lambda: (0.0,))
    inner: dict[str, bool | int] = attrs.field(factory=lambda: {"a": 1})
    same_as_number: float = attrs.Factory(lambda self: self.number, takes_self=True)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"number": -0.0, "same_as_number": 0.0},
        {"number": -0.0},
        {"any": True},
        {"any": 1.0},
        {"price": Decimal("1.00")},
        {"at": datetime(2024, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))},
        {"several": (-0.0,)},
        {"inner": {"a": True}},
    ],
    ids=lambda changes: " ".join(changes) or "none",
)
def test_json_leaves_out_only_what_the_default_gives(changes: dict[str, Any]) -> None:
    """A value that equals its default, but is another, is written."""
    value = Defaults(**changes)

    data = converter(Form.JSON).unstructure(value)

    assert data.keys() == changes.keys()
    assert repr(converter(Form.JSON).structure(data, Defaults)) == repr(value)


def test_json_leaves_out_defaults_and_storage_does_not() -> None:
    """A default that changes in a later version changes no stored plan."""
    assert converter(Form.JSON).unstructure(Host("a")) == {"name": "a"}
    assert converter(Form.STORED).unstructure(Host("a")) == {"name": "a", "port": 22}
