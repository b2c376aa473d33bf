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

from workstream._cli.parameters import PlanCommand

Port = NewType("Port", int)


def taking(annotation: Any) -> PlanCommand:
    """A plan function with one parameter, ``it``, of this type."""

    def function(it: Any) -> Any:
        return it

    function.__annotations__["it"] = annotation
    return PlanCommand(function)


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
    values, faults = taking(annotation).values([f"it={text}" for text in texts])

    assert faults == []
    assert values == {"it": value}
    assert type(values["it"]) is type(value)


@pytest.mark.parametrize(
    ("annotation", "texts", "message"),
    [
        (int, ["x"], "'x' is not a valid integer"),
        (int, ["1.5"], "'1.5' is not a valid integer"),
        (float, ["x"], "'x' is not a valid float"),
        (bool, ["maybe"], "'maybe' is not a valid boolean"),
        (Literal["a", "b"], ["c"], "'c' is not one of a, b"),
        (Stage, ["PROD"], "'PROD' is not one of TEST, LIVE_SITE"),
        (int | bool, ["x"], "'x' is not a value for INTEGER|BOOLEAN"),
        (list[int], ["1", "x"], "'x' is not a valid integer"),
        (tuple[int, str], ["1"], "it takes 2 values, one -p each, not 1"),
        (tuple[int, str], ["x", "b"], "'x' is not a valid integer"),
        (timedelta, ["soon"], "'soon' is not a length of time, such as 90, 1.5s, 10m or 1h30m"),
        (timedelta, ["9" * 30 + "d"], "is not a length of time, such as 90, 1.5s"),
        (date, ["May"], "'May' is not a date, such as 2031-05-01"),
        (UUID, ["x"], "'x' is not a UUID"),
        (Path, ["~no-such-user-here/x"], "'~no-such-user-here/x' is not a Path"),
        (str, ["a", "b"], "it takes one value, not 2"),
        (int, ["\x1b[2J"], "'\\x1b[2J' is not a valid integer"),
    ],
)  # fmt: skip
def test_other_texts_are_refused(
    annotation: Any, texts: list[str], message: str
) -> None:
    """The message says what is wanted, and is safe to look at."""
    values, [fault] = taking(annotation).values([f"it={text}" for text in texts])

    assert values == {}
    assert fault.startswith("-p it: ")
    assert message in fault
    assert fault.isprintable()


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (str, "TEXT"),
        (int | None, "INTEGER"),
        (bool, "BOOLEAN"),
        (list[Path], "PATH"),
        (Literal["a", "b"], "a|b"),
        (Stage, "TEST|LIVE_SITE"),
        (timedelta, "DURATION"),
        (datetime, "DATETIME"),
    ],
)
def test_help_shows_what_a_value_looks_like(annotation: Any, text: str) -> None:
    """In place of a value stands its kind, or the choices."""
    assert taking(annotation).params[0].usage == f"-p it={text}"


@pytest.mark.parametrize(
    "annotation", [object, dict[str, int], Callable[[], None], list[list[int]], type]
)
def test_some_types_have_no_text(annotation: Any) -> None:
    """A type that no text can stand for is known as such."""
    _, [fault] = taking(annotation).values(["it=x"])

    assert "no text can stand for its type" in fault


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

    _, faults = PlanCommand(deploy).values(settings)

    assert faults == [
        "-p verison: there is no such parameter; did you mean version?",
        "-p hosts: write it as -p NAME=VALUE",
        "-p version is missing: give -p version=TEXT",
        "-p count: 'x' is not a valid integer",
        "-p stage: it takes one value, not 2",
    ]


def test_what_is_given_is_passed_on() -> None:
    """Given parameters are converted, the others keep their defaults."""
    settings = ["version=a", "hosts=x", "hosts=y", "guessed=2"]

    values, faults = PlanCommand(deploy).values(settings)

    assert faults == []
    assert PlanCommand(deploy).call_with(values) == (
        "a",
        3,
        ("x", "y"),
        Stage.TEST,
        "2",
    )


def test_a_parameter_without_a_type_has_that_of_its_default() -> None:
    """So that an untyped ``hosts=8`` gets a number, not a text."""

    def function(hosts: int = 8, anything: int = 0) -> Any:
        return hosts, anything

    function.__annotations__.clear()
    command = PlanCommand(function)
    values, faults = command.values(["hosts=3"])

    assert faults == []
    assert command.call_with(values) == (3, 0)


def test_parameters_are_described_by_the_docstring() -> None:
    """Name, type, default and description of each parameter."""
    shown = [
        (each.usage, each.default_text, each.description)
        for each in PlanCommand(deploy).params
    ]

    assert shown == [
        ("-p version=TEXT", "", "Which version."),
        ("-p count=INTEGER", "3", "How many."),
        ("-p hosts=TEXT", "()", ""),
        ("-p stage=TEST|LIVE_SITE", "TEST", ""),
        ("-p guessed=TEXT", "1.5", ""),
    ]


def test_dashes_stand_for_underscores() -> None:
    """``-p max-hosts=3`` sets ``max_hosts``."""

    def function(max_hosts: int) -> None: ...

    assert PlanCommand(function).values(["max-hosts=3"]) == ({"max_hosts": 3}, [])


def test_positional_and_further_arguments_do_no_harm() -> None:
    """Positional-only ones are passed by position; ``*args`` and ``**kwargs`` are none."""

    def function(a: int, b: int = 2, /, *args: int, c: int = 3, **more: int) -> Any:
        return a, b, args, c, more

    command = PlanCommand(function)

    assert [each.name for each in command.params] == ["a", "b", "c"]
    values, _ = command.values(["a=1", "c=4"])
    assert command.call_with(values) == (1, 2, (), 4, {})


def test_a_decorated_function_keeps_its_parameters() -> None:
    """``functools.wraps`` is seen through."""

    @functools.wraps(deploy)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return deploy(*args, **kwargs)

    assert [each.name for each in PlanCommand(wrapper).params][:2] == [
        "version",
        "count",
    ]


def test_a_parameter_that_no_text_can_give_needs_a_default() -> None:
    """It is refused when it is given, and left alone otherwise."""

    def function(table: dict[str, int] | None = None) -> None: ...

    command = PlanCommand(function)

    assert command.values([]) == ({}, [])
    _, faults = command.values(["table=1"])
    assert "no text can stand for its type" in faults[0]


def test_annotations_that_cannot_be_read_are_named() -> None:
    """A name that is imported for type checkers only, for example."""

    def function(path: Any) -> None: ...

    function.__annotations__["path"] = "Nowhere"

    with pytest.raises(ValueError, match=r"its annotations cannot be read.*Nowhere"):
        PlanCommand(function)
