"""Random types and values of them: what is stored comes back, or is refused (STO-7)."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    TypedDict,
    TypeVar,
    Union,
)
from uuid import UUID

import attrs
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from workstream._codec.typed.value_codec import Side, ValueCodec
from workstream._secrets.references import StoredValue
from workstream._values.wire import pack, unpack

ASKED = os.environ.get("WORKSTREAM_EXAMPLES")
examples = settings(
    max_examples=int(ASKED or 200),
    derandomize=ASKED is None,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class Colour(Enum):
    """Goes by name."""

    RED = "#f00"
    GREEN = "#0f0"


class Level(IntEnum):
    """Goes by value."""

    LOW = 1
    HIGH = 2


@attrs.frozen
class Point:
    """A class among the types."""

    x: int
    y: float = 0.0


@attrs.frozen
class Label:
    """Another one, that can be told apart."""

    text: str


class Typed:
    """A plugin, as far as the codec looks at it."""

    def __init__(self, wanted: Any) -> None:
        self.request_type = wanted
        self.response_type = wanted


class OnePlugin:
    """A registry that has it."""

    def __init__(self, plugin: Typed) -> None:
        self._plugin = plugin

    def get(self, _name: str, /) -> Any:
        """The plugin, whatever it is called."""
        return self._plugin


class Rights(Flag):
    """May be joined."""

    READ = 1
    WRITE = 2


class Bits(IntFlag):
    """Are numbers, too."""

    ONE = 1
    TWO = 2


class Mode(StrEnum):
    """Is text, too."""

    FAST = "fast"
    SAFE = "safe"


class Place(NamedTuple):
    """A tuple with names."""

    row: int
    name: str = ""


class Settings(TypedDict):
    """A dict with known keys."""

    size: int


@dataclasses.dataclass
class Old:
    """A class of the standard library's kind."""

    count: int
    names: list[str]


Count = NewType("Count", int)
Item = TypeVar("Item")


@attrs.frozen
class Box(Generic[Item]):
    """A class of any type."""

    item: Item


def moved(moment: datetime, minutes: int) -> datetime:
    """The moment, as clocks elsewhere show it."""
    return moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))


Pair = tuple[Any, Any]
"""A type, and a value of it."""

HUGE = 2**80
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-HUGE, HUGE),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    str: st.text(),
    bytes: st.binary(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    date: st.dates(),
    timedelta: st.timedeltas(),
    UUID: st.uuids(),
    Decimal: st.decimals(allow_nan=False),
    Path: st.text("abc/._", min_size=1).map(Path),
    Colour: st.sampled_from(Colour),
    Level: st.sampled_from(Level),
    Point: st.builds(Point, st.integers(), st.floats(allow_nan=False)),
    Label: st.builds(Label, st.text()),
    time: st.times(),
    Rights: st.sampled_from([*Rights, Rights.READ | Rights.WRITE]),
    Bits: st.sampled_from([*Bits, Bits.ONE | Bits.TWO]),
    Mode: st.sampled_from(Mode),
    Place: st.builds(Place, st.integers(), st.text()),
    Settings: st.fixed_dictionaries({"size": st.integers()}),
    Old: st.builds(Old, st.integers(), st.lists(st.text(), max_size=2)),
    Count: st.integers().map(Count),
    Box[int]: st.builds(Box[int], st.integers()),
    Literal["on", "off", 3]: st.sampled_from(["on", "off", 3]),
    Annotated[int, "metres"]: st.integers(),
    IPv4Address: st.ip_addresses(v=4),
    IPv6Address: st.ip_addresses(v=6),
    deque[int]: st.lists(st.integers(), max_size=3).map(deque),
    Counter[str]: st.lists(st.text(), max_size=3).map(Counter),
    OrderedDict[str, int]: st.dictionaries(st.text(), st.integers(), max_size=3).map(
        OrderedDict
    ),
    defaultdict[str, int]: st.dictionaries(st.text(), st.integers(), max_size=3).map(
        lambda given: defaultdict(int, given)
    ),
    # To the minute: so are the offsets that there are.
    Annotated[datetime, "anywhere"]: st.builds(
        moved,
        st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)),
        st.integers(-720, 840),
    ),
}
UNIONED = [int, bool, str, bytes, datetime, UUID, Decimal, Path, Colour, Point, Label]
KEYS: list[Any] = [str, int, UUID, Colour]
HASHABLE: list[Any] = [str, int, bytes, UUID, date, Point]


def leaves(of: list[Any] | None = None) -> st.SearchStrategy[Pair]:
    """A simple type, and a value of it."""
    return st.sampled_from(list(LEAVES) if of is None else of).flatmap(
        lambda kind: st.tuples(st.just(kind), LEAVES[kind])
    )


def of(generic: Any, kinds: Any) -> Any:
    """A generic type of these types."""
    return generic[kinds]


@st.composite
def lists(draw: st.DrawFn, inner: st.SearchStrategy[Pair]) -> Pair:
    """A list whose items are all of a type: the value is repeated."""
    kind, value = draw(inner)
    return of(list, kind), [value] * draw(st.integers(0, 3))


@st.composite
def tuples(draw: st.DrawFn, inner: st.SearchStrategy[Pair]) -> Pair:
    """A tuple of several types, or of any number of one."""
    pairs = draw(st.lists(inner, min_size=1, max_size=3))
    if draw(st.booleans()):
        kind, value = pairs[0]
        return of(tuple, (kind, ...)), (value,) * len(pairs)
    kinds = tuple(kind for kind, _ in pairs)
    return of(tuple, kinds), tuple(value for _, value in pairs)


@st.composite
def dicts(draw: st.DrawFn, inner: st.SearchStrategy[Pair]) -> Pair:
    """A dict with keys of a simple type."""
    key = draw(st.sampled_from(KEYS))
    kind, value = draw(inner)
    keys = draw(st.lists(LEAVES[key], max_size=3))
    return of(dict, (key, kind)), dict.fromkeys(keys, value)


@st.composite
def sets(draw: st.DrawFn) -> Pair:
    """A set, or a frozen one."""
    kind = draw(st.sampled_from(HASHABLE))
    values = draw(st.lists(LEAVES[kind], max_size=3))
    if draw(st.booleans()):
        return of(frozenset, kind), frozenset(values)
    return of(set, kind), set(values)


@st.composite
def optionals(draw: st.DrawFn, inner: st.SearchStrategy[Pair]) -> Pair:
    """A value, or None."""
    kind, value = draw(inner)
    return of(Union, (kind, None)), draw(st.sampled_from([None, value]))


@st.composite
def unions(draw: st.DrawFn) -> Pair:
    """One of several simple types."""
    pairs = draw(
        st.lists(leaves(UNIONED), min_size=2, max_size=3, unique_by=lambda p: p[0])
    )
    _, value = draw(st.sampled_from(pairs))
    return of(Union, tuple(kind for kind, _ in pairs)), value


@st.composite
def records(draw: st.DrawFn, inner: st.SearchStrategy[Pair]) -> Pair:
    """An attrs class, frozen or not, with a default or two."""
    pairs = draw(st.lists(inner, min_size=1, max_size=3))
    cls = attrs.make_class(
        "Record",
        {f"field_{n}": attrs.field(type=kind) for n, (kind, _) in enumerate(pairs)},
        frozen=draw(st.booleans()),
    )
    return cls, cls(*(value for _, value in pairs))


def typed_values() -> st.SearchStrategy[Pair]:
    """A type of any shape, and a value of it."""
    makers: list[Callable[[st.SearchStrategy[Pair]], st.SearchStrategy[Pair]]]
    makers = [lists, tuples, dicts, optionals, records]
    return st.recursive(
        leaves() | sets() | unions(),
        lambda inner: st.one_of(*(make(inner) for make in makers)),
        max_leaves=6,
    )


@examples
@given(typed_values(), st.sampled_from(Side))
def test_what_is_accepted_comes_back(pair: Pair, side: Side) -> None:
    """A value of its declared type is stored, and what is read is equal to it.

    Without the plugin it is plain data, which is stored again as it was (STO-8).
    """
    kind, value = pair
    note(f"{kind}: {value!r}")
    codec = ValueCodec(OnePlugin(Typed(kind)))
    form = codec.checked("any", side, value)
    if value is None:
        assert form is None
        return
    stored = pack(b"\x01", form)
    back = codec.decode("any", side, unpack(b"\x01", stored))
    assert back == value
    assert type(back) is type(value)
    bare = ValueCodec(None)
    kept = bare.decode("any", side, unpack(b"\x01", stored))
    assert isinstance(kept, StoredValue)
    assert pack(b"\x01", bare.encode("any", side, kept)) == stored


@examples
@given(typed_values(), typed_values())
@pytest.mark.slow
def test_a_value_of_another_type_is_never_misread(declared: Pair, other: Pair) -> None:
    """It is refused, or it fits and comes back as it was: nothing is converted."""
    codec = ValueCodec(OnePlugin(Typed(declared[0])))
    value, refusal = other[1], ""
    try:
        form = codec.checked("any", Side.RESPONSE, value)
    except TypeError as error:
        refusal = str(error)
    else:
        stored = unpack(b"\x01", pack(b"\x01", form))
        back = codec.decode("any", Side.RESPONSE, stored)
        assert without_lists(back) == without_lists(value)
    assert not refusal or refusal.startswith("the response cannot be stored")


def without_lists(value: Any) -> Any:
    """The value, its lists as tuples: that a list comes back as one loses nothing."""
    kind: Any = value.__class__
    if kind in (list, tuple):
        return tuple(without_lists(item) for item in value)
    if kind is dict:
        return {key: without_lists(part) for key, part in value.items()}
    if attrs.has(kind):
        parts = [getattr(value, field.name) for field in attrs.fields(kind)]
        return kind, without_lists(parts)
    return value
