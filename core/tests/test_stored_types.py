"""Tests of REG-2: a field whose type has no stored form is found at registration."""

from __future__ import annotations

import array
import collections
import collections.abc
import datetime
import decimal
import enum
import fractions
import functools
import ipaddress
import numbers
import os
import pathlib
import re
import types
import typing
import uuid
import zoneinfo
from typing import Any, get_args

import attrs
import pytest

from workstream import ActionPlugin, Registry, SecretRef
from workstream._codec.typed.converter import converter
from workstream._codec.typed.forms import Form
from workstream.errors import RegistrationError

T = typing.TypeVar("T")


class Text(str):
    pass


class Level(enum.IntEnum):
    LOW = 1


class Colour(enum.Enum):
    RED = "red"


class Access(enum.Flag):
    READ = 1


class Pair(typing.NamedTuple):
    first: int


class Options(typing.TypedDict):
    first: int


class Opaque:
    pass


class Items(list[int]):
    pass


class Settings(dict[str, int]):
    pass


@attrs.frozen
class Page(typing.Generic[T]):
    items: list[T]


@attrs.frozen
class Inner:
    share: fractions.Fraction


WITHOUT: list[Any] = [
    complex,
    bytearray,
    memoryview,
    range,
    slice,
    fractions.Fraction,
    re.Pattern,
    re.Pattern[str],
    collections.abc.Callable[[], int],
    Opaque,
    Items,
    type,
    type[int],
    zoneinfo.ZoneInfo,
    datetime.tzinfo,
    types.ModuleType,
    collections.abc.Iterator[int],
    collections.abc.Hashable,
    numbers.Number,
    os.PathLike[str],
    functools.partial,
    Exception,
    array.array,
    collections.abc.KeysView[str],
    list[fractions.Fraction],
    dict[fractions.Fraction, int],
    int | fractions.Fraction | str,
    tuple[int, fractions.Fraction],
    fractions.Fraction | None,
    Page[fractions.Fraction],
    Inner,
    list[Inner],
]
"""Types whose values cannot be stored, or hold what cannot be."""

WITH: list[Any] = [
    Any,
    object,
    None,
    int,
    str,
    float,
    bool,
    bytes,
    Text,
    Level,
    Colour,
    Access,
    Pair,
    Options,
    Settings,
    SecretRef,
    Page[int],
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
    pathlib.Path,
    pathlib.PurePosixPath,
    ipaddress.IPv4Network,
    list,
    dict,
    tuple,
    set,
    list[int],
    tuple[int, ...],
    tuple[int, str],
    tuple[()],
    frozenset[str],
    dict[tuple[int, int], list[Page[str]]],
    collections.abc.Sequence[int],
    collections.abc.Iterable[int],
    collections.abc.Set[int],
    collections.abc.Mapping[str, int],
    collections.deque[int],
    collections.OrderedDict[str, int],
    collections.Counter[str],
    typing.Literal["a", 1],
    typing.Annotated[int, "x"],
    typing.NewType("Number", int),
    int | str,
    Colour | int | None,
]
"""Types whose values can be stored."""


def plugin_of(field_type: Any, role: str = "request") -> Any:
    """A plugin whose request or response has one field of the type."""
    record = attrs.make_class(
        "Record", {"share": attrs.field(type=field_type)}, frozen=True
    )
    kinds: Any = (record, None) if role == "request" else (None, record)

    class Split(ActionPlugin[kinds]):  # type: ignore[type-arg]
        name = "traffic.split"

        async def execute(self, context: Any, request: Any, /) -> Any: ...

    return Split()


@pytest.mark.parametrize("role", ["request", "response"])
@pytest.mark.parametrize("wanted", WITHOUT, ids=str)
def test_type_without_a_form_is_found_at_registration(wanted: Any, role: str) -> None:
    """The refusal names the plugin, the field and the type (REG-2)."""
    with pytest.raises(RegistrationError) as refused:
        Registry([plugin_of(wanted, role)])

    text = str(refused.value)
    assert "traffic.split" in text
    assert "Record.share" in text
    assert "there is no stored form for" in text


def test_the_refusal_names_the_inner_field() -> None:
    """A field of a class inside is named by its path, with what its type is."""
    with pytest.raises(RegistrationError, match=re.escape("Record.share.share of")):
        Registry([plugin_of(list[Inner])])
    with pytest.raises(RegistrationError, match="stored form for Fraction"):
        Registry([plugin_of(list[Inner])])


@pytest.mark.parametrize("role", ["request", "response"])
@pytest.mark.parametrize("wanted", WITH, ids=str)
def test_type_with_a_form_is_registered(wanted: Any, role: str) -> None:
    """What the store can hold is accepted."""
    assert "traffic.split" in Registry([plugin_of(wanted, role)])


@pytest.mark.parametrize("wanted", [*WITH, *WITHOUT], ids=str)
def test_registration_and_codec_agree(wanted: Any) -> None:
    """Registration refuses exactly the types that the codec cannot read."""
    plugin = plugin_of(wanted)
    codec = registry = True
    # Some versions of cattrs look at the members of a tuple only when they read one.
    parts = [part for part in get_args(wanted) if isinstance(part, type)]
    try:
        for part in (plugin.request_type, *parts):
            converter(Form.STORED).get_structure_hook(part)
    except Exception:
        codec = False
    try:
        Registry([plugin])
    except RegistrationError:
        registry = False

    assert codec == registry


def test_members_that_cannot_be_told_apart_are_found_at_registration() -> None:
    """So is a field of a union of two types that look alike in the store."""
    with pytest.raises(RegistrationError, match=r"Record\.share .*two members of type"):
        Registry([plugin_of(list[list[int] | list[str]])])


@attrs.frozen
class Lost:
    where: Nowhere  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore


def test_name_that_cannot_be_found_below_is_found_at_registration() -> None:
    """A class inside is looked at like the outer one."""
    with pytest.raises(RegistrationError, match=r"Record\.share cannot be read"):
        Registry([plugin_of(list[Lost])])
