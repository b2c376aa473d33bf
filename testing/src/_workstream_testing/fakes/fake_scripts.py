"""The lines of a fake's script: which calls they are for, and what those do."""

from __future__ import annotations

import enum
import math
import types
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, TypeAlias

import attrs

from workstream._plan.paths import SEPARATOR
from workstream._protocols.plugin import (
    BasePlugin,
    Context,
    request_types,
    response_types,
)
from workstream._values.annotations import type_text
from workstream._values.values import kind_of


class Unset(enum.Enum):
    """The type of ``UNSET``."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset.UNSET
"""What an argument is that was not given, where None would mean something."""

Attempts: TypeAlias = int | Container[int]
Fields: TypeAlias = Mapping[str, object] | Callable[[Any], bool]
Function: TypeAlias = Callable[[Context, Any], object]


@attrs.frozen(kw_only=True)
class Act:
    """What one call does; the arguments are those of ``FakePlugin.when``."""

    gives: object = UNSET
    returns: object = UNSET
    fails: str | None = None
    permanent: bool = False
    code: int = 0
    takes: float = 0.0
    hangs: bool = False
    ignores_cancellation: float = 0.0
    raises: BaseException | type[BaseException] | None = None
    does: Function | None = None

    def faults(self, plugin: BasePlugin[Any, Any]) -> Iterator[str]:
        """What makes no sense of it; each is a sentence."""
        gives, returns = self.gives is not UNSET, self.returns is not UNSET
        ends = {
            "gives": gives and self.fails is None,  # both: a response beside the error
            "returns": returns,
            "fails": self.fails is not None,
            "hangs": self.hangs,
            "raises": self.raises is not None,
            "does": self.does is not None,
        }
        chosen = [name for name, is_chosen in ends.items() if is_chosen]
        if len(chosen) > 1:
            yield f"{' and '.join(chosen)} exclude each other: a call ends in one way"
        if (self.permanent or self.code) and self.fails is None:
            yield "permanent and code tell of a failure: say it with fails='...'"
        if self.does is not None and (self.takes or self.ignores_cancellation):
            yield (
                "does is a function that takes its own time: let it "
                "`await workstream.testing.sleep(...)` instead of takes"
            )
        for name in ("takes", "ignores_cancellation"):
            seconds = getattr(self, name)
            if not seconds >= 0:
                yield f"{name} is {seconds!r}: it must be 0 or more seconds"
        if self.takes == math.inf:
            yield "takes is infinite: write hangs=True"
        if self.ignores_cancellation and not (self.takes or self.hangs):
            yield "ignores_cancellation needs a call that lasts: takes=... or hangs=True"
        if gives and not fits(self.gives, response_types(plugin)):
            wanted = type_text(plugin.response_type)
            got = kind_of(self.gives)
            yield (
                f"gives is {got}, but {plugin.name} answers with {wanted}: give one, "
                "or say returns=... to test what a wrong answer leads to"
            )

    @property
    def only_lasts(self) -> bool:
        """Whether it says how long a call takes, and not how it ends."""
        return attrs.evolve(self, takes=0.0, ignores_cancellation=0.0) == DEFAULT

    def ending_as(self, other: Act) -> Act:
        """A call that lasts as this one and ends as another; a function stays as it is."""
        if other.does is not None or other.hangs:
            return other
        return attrs.evolve(
            other, takes=self.takes, ignores_cancellation=self.ignores_cancellation
        )

    @property
    def lasts(self) -> float:
        """How long it takes; infinity: for ever."""
        return math.inf if self.hangs else self.takes


DEFAULT = Act()
"""What a call does of which nothing is said: it succeeds at once."""


@attrs.define(kw_only=True, eq=False)
class Line:
    """One line: for calls that fit all that it says."""

    text: str
    fields: tuple[tuple[str, object], ...] = ()
    request: Fields | None = None
    path: str | None = None
    attempt: Attempts | None = None
    act: Act
    uses: int = 0

    def is_for(self, context: Context, request: object) -> bool:
        """Whether it says what this call does."""
        for name, wanted in self.fields:
            found = getattr(request, name, UNSET)
            if callable(wanted) and found is not UNSET:
                if not wanted(found):
                    return False
            elif found != wanted:
                return False
        if self.attempt is not None and not _holds(self.attempt, context.attempt):
            return False
        if callable(self.request) and not self.request(request):
            return False
        return self.path is None or _ends_in(context.path, self.path)


def _holds(attempts: Attempts, number: int) -> bool:
    return number == attempts if isinstance(attempts, int) else number in attempts


def _ends_in(path: str, wanted: str) -> bool:
    return path == wanted or path.endswith(SEPARATOR + wanted)


def field_faults(
    plugin: BasePlugin[Any, Any], names: Mapping[str, object]
) -> list[str]:
    """Which names are no fields of the plugin's requests."""
    known = dict.fromkeys(
        name for cls in request_types(plugin) for name in _field_names(cls)
    )
    wanted = type_text(plugin.request_type)
    has = f"it has {', '.join(known)}" if known else "it has no fields"
    return [
        f"{name} is neither an argument of when() nor a field of {wanted}: {has}"
        for name in names
        if name not in known
    ]


def _field_names(cls: type) -> Iterator[str]:
    if attrs.has(cls):
        yield from (field.name for field in attrs.fields(cls))
    else:
        yield from getattr(cls, "__dataclass_fields__", ())


def fits(value: object, wanted: tuple[type, ...]) -> bool:
    """Whether the value is of exactly one of these types (A-7)."""
    return any(type(value) is cls or cls in (Any, object) for cls in wanted)


def made_by_default(plugin: BasePlugin[Any, Any]) -> object:
    """A response that needs to be told nothing; UNSET where there is none."""
    wanted = response_types(plugin)
    if types.NoneType in wanted:
        return None
    for cls in wanted:
        try:
            return cls()
        except Exception:
            continue
    return UNSET
