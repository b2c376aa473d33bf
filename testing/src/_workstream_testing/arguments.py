"""Checks of arguments: what is wrong with one, and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from workstream._plan.plan import Plan
from workstream._values.display import shorten

from .problems import SimulationError


def check_plan(plan: Any) -> None:
    """See that it is a plan.

    Raises:
        SimulationError: It is something else, such as the function that makes it.
    """
    if isinstance(plan, Plan):
        return
    advice = "give a Plan"
    if callable(plan):
        advice = f"call it: {getattr(plan, '__name__', 'plan')}(...)"
    message = f"plan is {_shown(plan)}: {advice}"
    raise SimulationError(message)


def listed(name: str, values: Any, wanted: str) -> tuple[Any, ...]:
    """Several things, of which a single one was not given by mistake.

    Args:
        name: What the argument is called.
        values: What was given.
        wanted: What may be given: ``a list of paths, such as [...]``.

    Raises:
        SimulationError: It is no list; a text is none, nor is a mapping.
    """
    given: object = values
    is_text = isinstance(given, str | bytes | Mapping)
    if is_text or not hasattr(values, "__iter__"):
        message = f"{name} is {_shown(values)}: give {wanted}"
        raise SimulationError(message)
    return tuple(values)


def named(name: str, values: Any, example: str) -> dict[str, Any]:
    """Values by their names.

    Raises:
        SimulationError: It is no mapping.
    """
    if not isinstance(values, Mapping):
        message = f"{name} is {_shown(values)}: give a dict, such as {example}"
        raise SimulationError(message)
    return {**cast("Mapping[str, Any]", values)}


def check_values(name: str, values: Mapping[str, Any]) -> None:
    """See that facts may have these values: sets of them are made.

    Raises:
        SimulationError: One cannot be hashed.
    """
    for fact, value in values.items():
        try:
            hash(value)
        except TypeError:
            message = (
                f"{name}: {fact!r} is {_shown(value)}, which may change: give a number, "
                "a text, a tuple or another value that cannot"
            )
            raise SimulationError(message) from None


def check_number(name: str, value: Any, *, least: int = 0) -> None:
    """See that it is a whole number, and not too small.

    Raises:
        SimulationError: It is not.
    """
    if not isinstance(value, int):
        message = f"{name} is {_shown(value)}: it must be a whole number"
        raise SimulationError(message)
    if value < least:
        message = f"{name} is {value}: it must be {least} or more"
        raise SimulationError(message)


def check_seconds(name: str, value: Any, *, may_be_none: bool = False) -> None:
    """See that it is a length of time.

    Raises:
        SimulationError: It is not.
    """
    if value is None and may_be_none:
        return
    if not isinstance(value, int | float) or not value >= 0:
        message = (
            f"{name} is {_shown(value)}: it must be a number of seconds, 0 or more"
        )
        raise SimulationError(message)


def _shown(value: object) -> str:
    return shorten(repr(value))
