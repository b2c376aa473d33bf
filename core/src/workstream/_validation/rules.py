"""What each field of an object must be like, looked at alone (section 2).

``RULES`` names for each field that an author writes the rule that it may break;
``LOOKS`` holds, for each class, all that is to be looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import attrgetter
from typing import Any, TypeAlias, cast
from uuid import UUID

import attrs

from .._plan.plan import (
    Action,
    Block,
    CheckAction,
    DeferBatch,
    Node,
    Origin,
    Percent,
    Plan,
    Sequence,
)
from .._plan.shape import SHAPES
from .._values.display import shorten
from .._values.state import HaltAfter, OnFailure, OnInterrupt, Undo, WhenDeferred
from .._values.values import (
    kind_of,
    number_problem,
    text_problem,
    type_problem,
    whole_number_problem,
)

_Look: TypeAlias = Callable[[Any], str | None]
"""Says what is wrong with a field's value, if anything."""

LONGEST_KEY = 200
"""Characters that a key may have (OM-13)."""

LONGEST_ZONE = 100
"""Characters that the name of a zone may have (ZN-1)."""
_ZONE = re.compile(r"[A-Za-z0-9._-]+")

_COPY = "clone(plan) makes a copy that can be submitted"


def _unless_none(look: _Look) -> _Look:
    """The value may be None."""
    return lambda value: None if value is None else look(value)


def _is_a(wanted: type, *, optional: bool = False) -> _Look:
    """The value must be an instance of a class."""
    return partial(type_problem, wanted=wanted, optional=optional)


def _when_problem(value: Any) -> str | None:
    """What is wrong with the ``when`` of a batch, which has no default that will do."""
    if value is not WhenDeferred.UNKNOWN:
        return type_problem(value, WhenDeferred)
    return (
        "must say on which outcome the batch runs: WhenDeferred.ON_SUCCESS, "
        "ON_FAILURE or ALWAYS, in a sequence also ON_UNDO"
    )


def _locks_problem(value: Any) -> str | None:
    """What is wrong with the names of locks."""
    if type(value) is not tuple:
        return type_problem(value, tuple)
    names = cast("tuple[object, ...]", value)
    for name in names:
        problem = text_problem(name, longest=LONGEST_KEY)
        if problem is not None:
            return f"holds a name that is wrong: {shorten(repr(name))} {problem}"
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        return f"holds the lock {shorten(repr(twice))} twice: name each once"
    return None


def _zone_problem(value: Any) -> str | None:
    """What is wrong with the name of a zone: it names a queue, and stands in commands."""
    problem = text_problem(value, longest=LONGEST_ZONE)
    if problem is not None or _ZONE.fullmatch(value):
        return problem
    return (
        "must be letters, digits, '-', '_' and '.', as in 'eu-1', not "
        f"{shorten(repr(value), 60)}"
    )


def _size_problem(value: Any, *, least: int) -> str | None:
    """What is wrong with a number of sequences, or a part of them (BG-1, BG-2)."""
    if not isinstance(value, Percent):
        return whole_number_problem(value, least=least)
    percent: Any = value.value
    if whole_number_problem(percent, least=1) is None and percent <= 100:
        return None
    return (
        f"must be Percent(1) to Percent(100), not Percent({shorten(repr(percent), 40)})"
    )


def _batches_problem(value: Any) -> str | None:
    """What is wrong with the sizes of batches: with a size of 0 they would never end."""
    if not isinstance(value, tuple):
        return f"must be a tuple of sizes, as in (1, Percent(10)), not {kind_of(value)}"
    sizes = list(cast("Iterable[Any]", value))
    for place, size in enumerate(sizes, 1):
        problem = _size_problem(size, least=1)
        if problem is not None:
            return f"size {place} of {len(sizes)} {problem}"
    return None


_ANY_TEXT: _Look = partial(text_problem, blank=True)
_SECONDS: _Look = partial(number_problem, least=0)
_SOME_SECONDS: _Look = partial(number_problem, least=0, above=True)
_UNLIMITED: _Look = partial(number_problem, least=0, above=True, infinite=True)

RULES: dict[str, tuple[str, _Look]] = {
    "name": ("V-6", text_problem),
    "key": ("V-13", _unless_none(partial(text_problem, longest=LONGEST_KEY))),
    "group_id": ("OM-3", _is_a(UUID, optional=True)),
    "meta": ("OM-3", _is_a(bytes)),
    "retry_of": ("RT-3", _is_a(UUID, optional=True)),
    "undo_of": ("UN-5", _is_a(UUID, optional=True)),
    "origin": ("RT-5", _is_a(Origin, optional=True)),
    "locks": ("LK-1", _locks_problem),
    "entrance_delay": ("V-21", _SECONDS),
    "exit_delay": ("V-21", _SECONDS),
    "concurrency": ("V-21", _unless_none(partial(whole_number_problem, least=0))),
    "tolerated_failures": ("V-21", partial(_size_problem, least=-1)),
    "max_consecutive_failures": (
        "BG-1",
        _unless_none(partial(whole_number_problem, least=1)),
    ),
    "batches": ("BG-2", _batches_problem),
    "batch_delay": ("BG-2", _SECONDS),
    "failures_before_halt": ("BG-4", partial(whole_number_problem, least=1)),
    "on_failure": ("BG-4", _is_a(OnFailure)),
    "halt_after": ("OM-6", _is_a(HaltAfter)),
    "undo": ("UN-1", _is_a(Undo)),
    "zone": ("ZN-1", _unless_none(_zone_problem)),
    "delay": ("V-22", _SECONDS),
    "when": ("V-12", _when_problem),
    "fail_element": ("OM-8", _is_a(bool)),
    "timeout": ("V-16", _UNLIMITED),
    "deadline": ("V-16", _unless_none(_SOME_SECONDS)),
    "retries": ("V-17", _unless_none(partial(whole_number_problem, least=0))),
    "on_interrupt": ("OM-9", _is_a(OnInterrupt, optional=True)),
    "safe_in_preview": ("OM-9", _is_a(bool, optional=True)),
}
"""By which rule a field that an author writes may be wrong, and when it is.

Plugin and request are for ``_validation.requests``.
"""

_DESCRIPTIONS: dict[type[Node], str] = {
    Plan: "OM-3",
    Block: "OM-6",
    Sequence: "OM-7",
    DeferBatch: "OM-8",
    Action: "OM-9",
    CheckAction: "OM-9",
}
_LISTS = {"blocks": "V-7", "sequences": "V-10", "batches": "V-11", "actions": "V-9"}
_UNSET = ("V-8", "must be unset before submit")
_WRITTEN = {
    "id": ("V-4", "must be unset before submit"),
    "state": ("V-5", "must be that of an object never run"),
    "attempts": ("V-18", "must be empty before submit"),
}
"""The rules for fields that the engine writes; for all others it is V-8."""


@attrs.frozen
class _Rule:
    """What one field must be like.

    Attributes:
        field: The field's name.
        sound: A value that needs no look: as a rule, the default.
        rule: The rule that it may break.
        look: Says what is wrong with a value.
    """

    field: str
    sound: object
    rule: str
    look: _Look


def _rules_of(cls: type[Node]) -> Iterator[_Rule]:
    """The rules of all fields of a class: those that the engine writes first."""
    fresh = cls(**{field.name: None for field in attrs.fields(cls) if field.init})
    for field in SHAPES[cls].written:
        if field.name not in ("plan_id", "scrubbed"):
            rule, what = _WRITTEN.get(field.name, _UNSET)
            unset: Any = getattr(fresh, field.name)
            look: _Look = partial(_unless, True, unset, f"{what}; {_COPY}")
            yield _Rule(field.name, unset, rule, look)
    own = {**RULES, "description": (_DESCRIPTIONS.get(cls, ""), _ANY_TEXT)}
    for field in SHAPES[cls].settings:
        if field.name in own:
            rule, look = own[field.name]
            sound = field.default if look(field.default) is None else attrs.NOTHING
            yield _Rule(field.name, sound, rule, look)
    for held in SHAPES[cls].held:
        if held.many:
            message = f"must hold at least one {held.type.__name__}"
            # What is no list, and what is no object in it, its structure tells.
            look = partial(_unless, False, [], message)
            yield _Rule(held.name, None, _LISTS[held.name], look)


def _unless(sound: bool, other: object, message: str, value: object) -> str | None:
    """The message, unless the value equals the other one, or unless it does not."""
    return None if (value == other) is sound else message


def _looks_of(cls: type[Node]) -> tuple[Callable[[Node], tuple[Any, ...]], list[_Rule]]:
    """The rules of a class, and what gives the values of their fields at once."""
    rules = list(_rules_of(cls))
    return attrgetter(*(rule.field for rule in rules)), rules


LOOKS = {cls: _looks_of(cls) for cls in SHAPES}
"""Of each class: what gives the values of its fields at once, and their rules."""
