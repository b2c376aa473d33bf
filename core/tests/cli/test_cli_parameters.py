"""The parameters of plan functions, and what -p makes of them."""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import pytest

from workstream._cli._conversion import convert, is_convertible, placeholder
from workstream._cli.parameters import call, parameters_of, values_of

Port = NewType("Port", int)


class Stage(enum.Enum):
    """Where to."""

    TEST = "t"
    LIVE_SITE = 2


@pytest.mark.parametrize(
    ("annotation", "texts", "value"),
    [
        (str, ["a=b"], "a=b"),
        (str, [""], ""),
        (int, ["-3"], -3),
        (float, ["1e3"], 1000.0),
        (bool, ["Yes"], True),
        (bool, ["off"], False),
        (Path, ["a/b"], Path("a/b")),
        (Literal["fast", 2], ["2"], 2),
        (Stage, ["LIVE_SITE"], Stage.LIVE_SITE),
        (Stage, ["live-site"], Stage.LIVE_SITE),
        (Stage, ["t"], Stage.TEST),
        (int | None, ["4"], 4),
        (int | None, [""], None),
        (str | None, [""], ""),
        (str | int, ["4"], 4),
        (str | int, ["x"], "x"),
        (list[int], ["1", "2"], [1, 2]),
        (list, ["a"], ["a"]),
        (list[str] | None, ["a", "b"], ["a", "b"]),
        (tuple[str, ...], ["a", "b"], ("a", "b")),
        (tuple[int, str], ["1", "b"], (1, "b")),
        (Sequence[Path], ["a"], [Path("a")]),
        (set[int], ["1", "1"], {1}),
        (frozenset[str], ["a"], frozenset("a")),
        (list[int | None], ["1", ""], [1, None]),
        (datetime, ["2031-05-01T18:00:00+00:00"], datetime(2031, 5, 1, 18, tzinfo=UTC)),
        (date, ["2031-05-01"], date(2031, 5, 1)),
        (timedelta, ["90"], timedelta(seconds=90)),
        (timedelta, ["1h30m"], timedelta(minutes=90)),
        (timedelta, ["2d1.5s"], timedelta(days=2, seconds=1.5)),
        (
            UUID,
            ["01a20999-1842-728a-bfc3-10ad00000000"],
            UUID(int=0x01A209991842728ABFC310AD00000000),
        ),
        (Decimal, ["1.10"], Decimal("1.10")),
        (Annotated[int, "how many"], ["3"], 3),
        (Port, ["80"], 80),
        (Any, ["x"], "x"),
    ],
)
def test_texts_become_values(annotation: Any, texts: list[str], value: Any) -> None:
    """What -p gives is converted to the parameter's type, exactly."""
    converted = convert(annotation, texts)

    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("annotation", "texts", "message"),
    [
        (int, ["x"], "must be a whole number, not 'x'"),
        (int, ["1.5"], "must be a whole number, not '1.5'"),
        (float, ["x"], "must be a number, not 'x'"),
        (bool, ["maybe"], "must be true or false, not 'maybe'"),
        (Literal["a", "b"], ["c"], "must be 'a' or 'b', not 'c'"),
        (Stage, ["PROD"], "must be TEST or LIVE_SITE, not 'PROD'"),
        (int | bool, ["x"], "must be a whole number or true or false, not 'x'"),
        (list[int], ["1", "x"], "must be a whole number, not 'x'"),
        (tuple[int, str], ["1"], "takes 2 values, one -p each, and has 1"),
        (timedelta, ["soon"], "must be a length of time, such as 90, 1.5s, 10m or 1h30m, not 'soon'"),
        (date, ["May"], "must be a date such as 2031-05-01, not 'May'"),
        (UUID, ["x"], "must be an UUID, not 'x'"),
        (str, ["a", "b"], "is given 2 times, and takes one value"),
        (int, ["\x1b[2J"], "must be a whole number, not '\\x1b[2J'"),
    ],
)  # fmt: skip
def test_other_texts_are_refused(
    annotation: Any, texts: list[str], message: str
) -> None:
    """The message says what is wanted, and is safe to look at."""
    with pytest.raises(ValueError, match=r".") as raised:
        convert(annotation, texts)

    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (str, "TEXT"),
        (int | None, "INT"),
        (bool, "true|false"),
        (list[Path], "PATH"),
        (Literal["a", "b"], "a|b"),
        (Stage, "TEST|LIVE_SITE"),
        (timedelta, "DURATION"),
        (datetime, "DATETIME"),
    ],
)
def test_help_shows_what_a_value_looks_like(annotation: Any, text: str) -> None:
    """In place of a value stands its kind, or the choices."""
    assert placeholder(annotation) == text


@pytest.mark.parametrize(
    "annotation", [object, dict[str, int], Callable[[], None], list[list[int]], type]
)
def test_some_types_have_no_text(annotation: Any) -> None:
    """A type that no text can stand for is known as such."""
    assert not is_convertible(annotation)


def deploy(
    version: str,
    count: int = 3,
    hosts: tuple[str, ...] = (),
    *,
    stage: Stage = Stage.TEST,
    guessed: Any = 1.5,
) -> tuple[Any, ...]:
    """Deploy.

    Args:
        version: Which
            version.
        count (int): How many.

    Returns:
        What it was given.
    """
    return version, count, hosts, stage, guessed


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Unknown, missing and mistyped parameters, each with a sentence."""
    settings = ["verison=1", "count=x", "stage=LIVE_SITE", "stage=TEST", "hosts"]

    _, faults = values_of(parameters_of(deploy), settings)

    assert faults == [
        "-p verison: there is no such parameter; did you mean version?",
        "-p hosts: write it as -p NAME=VALUE",
        "-p version is missing: give -p version=TEXT",
        "-p count: must be a whole number, not 'x'",
        "-p stage: is given 2 times, and takes one value",
    ]


def test_what_is_given_is_passed_on() -> None:
    """Given parameters are converted, the others keep their defaults."""
    settings = ["version=a", "hosts=x", "hosts=y", "guessed=2"]

    values, faults = values_of(parameters_of(deploy), settings)

    assert faults == []
    assert call(deploy, values) == ("a", 3, ("x", "y"), Stage.TEST, "2")


def test_a_parameter_without_a_type_has_that_of_its_default() -> None:
    """So that an untyped ``hosts=8`` gets a number, not a text."""

    def function(hosts: int = 8, anything: int = 0) -> Any:
        return hosts, anything

    function.__annotations__.clear()
    values, faults = values_of(parameters_of(function), ["hosts=3"])

    assert faults == []
    assert call(function, values) == (3, 0)


def test_parameters_are_described_by_the_docstring() -> None:
    """Name, type, default and description of each parameter."""
    shown = [
        (each.usage, each.default_text, each.description)
        for each in parameters_of(deploy)
    ]

    assert shown == [
        ("-p version=TEXT", "", "Which version."),
        ("-p count=INT", "3", "How many."),
        ("-p hosts=TEXT", "()", ""),
        ("-p stage=TEST|LIVE_SITE", "TEST", ""),
        ("-p guessed=TEXT", "1.5", ""),
    ]


def test_dashes_stand_for_underscores() -> None:
    """``-p max-hosts=3`` sets ``max_hosts``."""

    def function(max_hosts: int) -> None: ...

    assert values_of(parameters_of(function), ["max-hosts=3"]) == ({"max_hosts": 3}, [])


def test_positional_and_further_arguments_do_no_harm() -> None:
    """Positional-only ones are passed by position; ``*args`` and ``**kwargs`` are none."""

    def function(a: int, b: int = 2, /, *args: int, c: int = 3, **more: int) -> Any:
        return a, b, args, c, more

    parameters = parameters_of(function)

    assert [each.name for each in parameters] == ["a", "b", "c"]
    values, _ = values_of(parameters, ["a=1", "c=4"])
    assert call(function, values) == (1, 2, (), 4, {})


def test_a_decorated_function_keeps_its_parameters() -> None:
    """``functools.wraps`` is seen through."""

    @functools.wraps(deploy)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return deploy(*args, **kwargs)

    assert [each.name for each in parameters_of(wrapper)][:2] == ["version", "count"]


def test_a_parameter_that_no_text_can_give_needs_a_default() -> None:
    """It is refused when it is given, and left alone otherwise."""

    def function(table: dict[str, int] | None = None) -> None: ...

    parameters = parameters_of(function)

    assert values_of(parameters, []) == ({}, [])
    _, faults = values_of(parameters, ["table=1"])
    assert "none that can be given as text" in faults[0]


def test_annotations_that_cannot_be_read_are_named() -> None:
    """A name that is imported for type checkers only, for example."""

    def function(path: Any) -> None: ...

    function.__annotations__["path"] = "Nowhere"

    with pytest.raises(ValueError, match=r"its annotations cannot be read.*Nowhere"):
        parameters_of(function)
