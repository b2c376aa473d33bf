"""Finding fields that look like secrets, by types alone (REG-4, REG-5)."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    TypedDict,
    TypeVar,
    Union,
)

import attrs
import pytest

from workstream._secrets.references import IGNORE, SECURE, SecretRef
from workstream._secrets.scan import facts_of, may_hold_secrets, secret_faults

T = TypeVar("T")

WORDS = [
    "auth", "authorization", "bearer", "credential", "credentials", "cred", "cert",
    "hash", "jwt", "key", "password", "passphrase", "pass", "secret", "secure",
    "signing", "token",
]  # fmt: skip
# Spelled the old way on purpose: it makes another kind of object.
OLD_OPTIONAL: Any = Optional[SecretRef]  # noqa: UP045
OLD_UNION: Any = Union[int, "Inner"]


@attrs.frozen
class Inner:
    token: str


S = TypeVar("S", bound=Inner)
C = TypeVar("C", int, Inner)


@attrs.frozen
class Marked:
    password: str = attrs.field(metadata=SECURE)
    key_path: str = attrs.field(metadata=IGNORE)
    both: str = attrs.field(metadata={**SECURE, "doc": "mine"})


@attrs.frozen
class Plain:
    host: str
    ports: tuple[int, ...]
    labels: dict[str, str | None]
    retries: Optional[int] = None  # noqa: UP045


@attrs.frozen
class Box(Generic[T]):
    item: T


@attrs.frozen
class Pair(Box[Inner]):
    other: int


@attrs.frozen
class Chain(Generic[T]):
    longer: Chain[list[T]] | None
    value: T


@attrs.frozen
class Tree:
    left: Tree | None
    right: list[Tree]
    inner: Inner


@dataclasses.dataclass
class Data:
    api_key: str
    password: str = dataclasses.field(metadata=dict(SECURE))


class Row(NamedTuple):
    host: str
    token: str


class Options(TypedDict):
    host: str
    password: str


Name = NewType("Name", str)
Login = NewType("Login", Inner)


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(
    "shape", ["{0}_", "my_{0}", "{0}_path", "my{1}", "{0}Path", "my{1}Path", "x2_{0}_3"]
)
def test_words_of_a_name_tell_a_secret(word: str, shape: str) -> None:
    """Each of the words makes a field look secret, in snake_case and camelCase (REG-4)."""
    name = shape.format(word, word.title())
    wanted = attrs.make_class("Made", {name: attrs.field(type=str)})
    assert secret_faults(wanted) == [f"Made.{name}"]


@pytest.mark.parametrize(
    "name",
    ["author", "monkey", "bypass", "code", "hashtag", "host", "passenger", "tokenizer",
     "Passing", "certain", "authority"],
)  # fmt: skip
def test_part_of_a_word_is_no_secret(name: str) -> None:
    """A word inside another word does not count (REG-4)."""
    wanted = attrs.make_class("Made", {name: attrs.field(type=str)})
    assert secret_faults(wanted) == []


@pytest.mark.parametrize("name", ["passwords", "api_keys", "refreshTokens", "APIKey"])
def test_plural_and_acronym_are_words_too(name: str) -> None:
    """Several secrets are as secret as one, and an acronym ends where a word begins."""
    wanted = attrs.make_class("Made", {name: attrs.field(type=str)})
    assert secret_faults(wanted) == [f"Made.{name}"]


def test_marks_settle_the_matter() -> None:
    """A field marked SECURE or IGNORE is no fault (REG-4)."""
    assert secret_faults(Marked) == []


def test_secure_field_is_not_looked_into() -> None:
    """The whole of a SECURE field is scrubbed, so what is inside needs no mark (CL-6)."""

    @attrs.frozen
    class Request:
        login: Inner = attrs.field(metadata=SECURE)

    assert secret_faults(Request) == []


def test_ignored_field_is_looked_into() -> None:
    """IGNORE speaks of the field's own name only."""
    wanted = attrs.make_class(
        "Made", {"keys": attrs.field(type=list[Inner], metadata=IGNORE)}
    )
    assert secret_faults(wanted) == ["Made.keys.token"]


@pytest.mark.parametrize(
    "wanted",
    [
        SecretRef,
        SecretRef | None,
        OLD_OPTIONAL,
        list[SecretRef],
        dict[str, SecretRef],
        tuple[SecretRef, ...],
        dict[str, SecretRef | None] | None,
    ],
)
def test_reference_needs_no_mark(wanted: Any) -> None:
    """A field that holds references only is no secret (REG-4)."""
    made = attrs.make_class("Made", {"password": attrs.field(type=wanted)})
    assert secret_faults(made) == []


@pytest.mark.parametrize("wanted", [str | SecretRef, dict[SecretRef, str], Any, object])
def test_reference_or_text_needs_a_mark(wanted: Any) -> None:
    """A field that may hold a secret itself needs a mark, references or not."""
    made = attrs.make_class("Made", {"password": attrs.field(type=wanted)})
    assert secret_faults(made) == ["Made.password"]


@pytest.mark.parametrize(
    "wanted",
    [
        Inner,
        Inner | None,
        OLD_UNION,
        list[Inner],
        list[list[Inner]],
        dict[str, Inner],
        Mapping[str, Inner],
        dict[Inner, str],
        tuple[int, Inner],
        tuple[Inner, ...],
        set[Inner],
        frozenset[Inner],
        Annotated[Inner, "doc"],
        Final[Inner],
        Login,
        S,
        C,
        Box[Inner],
        Box[list[Inner] | None],
        Box[Box[Inner]],
        "Inner",
        "list[Inner]",
    ],
)
def test_scan_follows_types(wanted: Any) -> None:
    """A nested class is found through every way to hold one, without a value (REG-5)."""
    made = attrs.make_class("Made", {"here": attrs.field(type=wanted)})
    made.__module__ = __name__
    found = secret_faults(made)
    assert len(found) == 1
    assert found[0].startswith("Made.here.")
    assert found[0].endswith(".token")


@pytest.mark.parametrize(
    ("wanted", "faults"),
    [
        (Inner, ["Inner.token"]),
        (Inner | Plain | None, ["Inner.token"]),
        (Pair, ["Pair.item.token"]),
        (Data, ["Data.api_key"]),
        (Row, ["Row.token"]),
        (Options, ["Options.password"]),
        (Tree, ["Tree.inner.token"]),
        (Chain[int], []),
        (Plain, []),
        (None, []),
        (str, []),
        (Literal["token"], []),
        (Any, []),
    ],
)
def test_every_kind_of_type_is_scanned(wanted: Any, faults: list[str]) -> None:
    """Classes, unions, generics and cycles are scanned; each fault is named once."""
    assert secret_faults(wanted) == faults


def test_endless_types_come_to_an_end() -> None:
    """A generic class that holds itself with ever longer arguments is scanned finitely."""
    assert secret_faults(Chain[Inner]) == ["Chain.value.token"]


def test_private_field_is_skipped() -> None:
    """A private field needs no mark (REG-4)."""
    made = attrs.make_class("Made", {"_token": attrs.field(type=str)})
    assert secret_faults(made) == []


def test_name_of_a_local_class_does_not_stop_the_scan() -> None:
    """Where an annotation cannot be looked up, the other fields still are."""

    @attrs.frozen
    class Hidden:
        host: str

    @attrs.frozen
    class Request:
        hidden: Hidden
        token: SecretRef
        password: str

    assert secret_faults(Request) == ["Request.password"]


@pytest.mark.parametrize(
    "wanted",
    [str, int, None, Plain, str | None, list[str], dict[str, int], Name, Colour,
     Literal["a", 1], SecretRef, list[SecretRef], tuple[int, ...], Final[int]],
)  # fmt: skip
def test_plain_types_hold_no_secret(wanted: Any) -> None:
    """Of a type whose values are plain it is certain that they hold no SECURE field."""
    assert not may_hold_secrets(wanted)


@pytest.mark.parametrize(
    "wanted",
    [Marked, Box[str], list[Marked], Marked | None, Any, object, Data, T, list],
)
def test_other_types_may_hold_secrets(wanted: Any) -> None:
    """A marked field counts, and so does whatever could hold one."""
    assert may_hold_secrets(wanted)


def test_what_is_known_of_a_class_is_kept() -> None:
    """A class is looked at once; afterwards the answer is one look into a dict."""
    first = Plain("a", (), {})
    assert facts_of(first) is facts_of(Plain("b", (1,), {}))
    assert not facts_of(first).secrets
    assert not facts_of(first).references
