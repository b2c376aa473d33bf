"""Responses of plain classes are stored without a trial, and exactly those."""

from __future__ import annotations

import dataclasses
from typing import Any

import attrs
import pytest

from workstream._codec.typed.value_types import plain_record
from workstream._secrets.references import SECURE


@attrs.frozen
class Plain:
    """Nothing but plain fields."""

    text: str
    number: int = 0
    share: float = 0.0
    flag: bool = False
    data: bytes = b""
    maybe: str | None = None


@attrs.define
class Mutable:
    """Not frozen."""

    text: str


def test_a_plain_value_becomes_a_dict_of_its_fields() -> None:
    """The form is the one that cattrs would make (STO-7)."""
    form = plain_record(Plain)

    assert form is not None
    assert form.write(Plain("a", 1, 0.5, True, b"b")) == {
        "text": "a",
        "number": 1,
        "share": 0.5,
        "flag": True,
        "data": b"b",
        "maybe": None,
    }


class Text(str):
    """Would come back as a plain text."""

    __slots__ = ()


@attrs.frozen
class Below(Plain):
    """Of another class than declared."""


@pytest.mark.parametrize(
    "value",
    [
        Plain(Text("a")),
        Plain("a", number=True),
        Plain("a", share=1),
        Plain("a", maybe=b"b"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        Below("a"),
    ],
)
def test_a_value_of_other_types_than_declared_goes_the_long_way(value: object) -> None:
    """Also where the class is plain, as plugins may put anything into a field (STO-7)."""
    form = plain_record(Plain)

    assert form is not None
    assert form.write(value) is None


@attrs.frozen
class PostInit:
    """Changes itself as it is made."""

    text: str

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "text", self.text + "!")


@attrs.frozen(init=False)
class OwnInit:
    """Is made by code of its own."""

    text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "text", text.strip())


@attrs.define
class OwnSetattr:
    """Changes what is set."""

    text: str

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value.strip())


def stripped(text: str) -> str:
    return text.strip()


@attrs.frozen
class Converted:
    """Converts what it is given."""

    text: str = attrs.field(converter=stripped)


@attrs.frozen
class Validated:
    """May refuse what it is given."""

    text: str = attrs.field(validator=attrs.validators.min_len(1))


@attrs.frozen
class NotGiven:
    """Has a field that is no argument."""

    text: str = attrs.field(init=False, default="")


@attrs.frozen
class Secret:
    """Has a secret, whose place is stored with it."""

    password: str = attrs.field(metadata=SECURE)


@attrs.frozen
class Nested:
    """Holds more than plain values."""

    inner: Plain
    texts: tuple[str, ...] = ()


@attrs.frozen
class Either:
    """Holds a union, which is tagged."""

    value: int | str


@attrs.frozen
class Unknown:
    """Names a type that cannot be found."""

    value: "NoSuchType"  # type: ignore[name-defined]  # noqa: F821, UP037  # pyright: ignore


@dataclasses.dataclass(frozen=True)
class Data:
    """No attrs class."""

    text: str


class Undecorated(Plain):
    """Inherits from an attrs class without being one."""


@pytest.mark.parametrize(
    "wanted",
    [
        PostInit, OwnInit, OwnSetattr, Converted, Validated, NotGiven, Secret, Nested,
        Either, Unknown, Data, Undecorated, str, None, Plain | None, list[str],
    ],
)  # fmt: skip
def test_any_other_class_goes_the_long_way(wanted: Any) -> None:
    """Whatever could change a value on its way into the store and back is tried."""
    assert plain_record(wanted) is None


def test_a_class_need_not_be_frozen() -> None:
    """attrs makes no ``__setattr__`` where there is nothing to convert or validate."""
    form = plain_record(Mutable)

    assert form is not None
    assert form.write(Mutable("a")) == {"text": "a"}
