"""What the engine writes: statuses, reasons, attempts, and a plugin's error.

Nothing here is ever an argument of a plan's constructors (OM-2). Times are
timezone-aware UTC.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias, cast

import attrs

FIRST_LINES = 100
"""How many of an action's first lines are kept (WA-3)."""
LAST_LINES = 1_000
"""How many of an action's last lines are kept (WA-3)."""


class Status(enum.Enum):
    """How far an object has come (OM-1). Stored by name; the numbers give the order."""

    NOT_STARTED = 0
    RUNNING = 100
    COMPLETED = 200
    SKIPPED = 250
    """A person decided that it is not to be done, before it began (SK-1)."""
    FAILED = 300
    STOPPED = 400

    def __init__(self, number: int) -> None:
        # Kept, as it is asked at every step of every plan.
        self.is_terminal: bool = number >= 200
        """Whether it can never change again: COMPLETED, SKIPPED, FAILED, STOPPED."""
        self.has_begun: bool = number not in (0, 250)
        """Whether anything of it was done: not NOT_STARTED, nor SKIPPED."""
        self.word: str = self._name_
        """Its name: what is stored. ``name`` says the same, by two calls more."""


class FailureReason(enum.Enum):
    """Why a plan failed or was stopped (OM-1, F-3)."""

    UNKNOWN = 0
    PRE_CHECK = 100
    BLOCK = 200
    POST_CHECK = 300
    CONT_CHECK = 400
    DEFERRED_CHECK = 450
    DEFERRED_ACTION = 475
    UNDO = 490
    STOPPED = 500
    EXCEED_RECOVERY = 600
    ABANDONED = 610


class WhenDeferred(enum.Enum):
    """On which outcome of the plan or sequence a deferred batch runs (OM-1, DA-2)."""

    UNKNOWN = 0
    """Never valid: what a batch has whose author forgot to say (V-12)."""
    ON_SUCCESS = 1
    ON_FAILURE = 2
    ALWAYS = 3
    ON_UNDO = 4
    """Takes a sequence back; for sequences alone (UN-1)."""


class Undo(enum.Enum):
    """When the ON_UNDO batches of a block's sequences run (UN-1). Stored by name."""

    NEVER = "never"
    """What was done stays."""
    BLOCK_FAILURE = "block_failure"
    """When the block has failed, before its deferred checks."""
    PLAN_FAILURE = "plan_failure"
    """When the plan has failed, in whichever block: the default."""


class ObjectType(enum.Enum):
    """The kind of an object of a plan (OM-1)."""

    UNKNOWN = 0
    PLAN = 1
    CHECK = 2
    BLOCK = 5
    SEQUENCE = 6
    ACTION = 7
    DEFERRED_ACTIONS = 8
    BATCH = 9


class HaltAfter(enum.Enum):
    """What a halting block lets its running sequences finish (Q-4)."""

    ACTION = "action"
    """The action in flight: stop touching a sick fleet at once."""
    SEQUENCE = "sequence"
    """The whole sequence: leave no machine half-done."""


class OnFailure(enum.Enum):
    """What a failed run of a continuous check means (BG-4). Stored by name."""

    HALT = "halt"
    """The group fails: nothing more begins (K-2)."""
    PAUSE = "pause"
    """The plan is paused, in the check's name: nothing new begins until it is unpaused."""
    WARN = "warn"
    """It is recorded, and shows; the work goes on."""


class OnInterrupt(enum.Enum):
    """What recovery does about an attempt that a crash cut short (R-7)."""

    RERUN = "rerun"
    """Run the action again."""
    FAIL = "fail"
    """The action is FAILED: a person decides."""
    RECONCILE = "reconcile"
    """Ask the plugin's ``reconcile`` what became of it."""


NoteValue: TypeAlias = str | int | float | bool | bytes | None
"""What a plugin may remember (REG-11): one plain value, of at most 4 KiB."""


Link: TypeAlias = tuple[str, int, bool]
"""What one error of a chain holds: its message, its code, whether it is permanent."""


class PluginError(Exception):
    """How an attempt failed (OM-11): returned or raised by a plugin, and stored.

    It is a value: it compares by its fields and survives storage exactly, the
    chain of wrapped errors included.

    Attributes:
        message: What went wrong, for people.
        code: The plugin's own number for it; 0 means unknown.
        permanent: Whether trying again is of no use (A-9).
        wrapped: The error behind this one.
        response: What the plugin got all the same, of its response type. The attempt
            keeps it beside the error (A-3); it is no part of the error itself.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int = 0,
        permanent: bool = False,
        wrapped: PluginError | None = None,
        response: object = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.permanent = permanent
        self.wrapped = wrapped
        self.response = response

    def chain(self) -> Iterator[PluginError]:
        """This error and those behind it, outermost first; each once."""
        seen: set[int] = set()
        link: object = self
        while isinstance(link, PluginError) and id(link) not in seen:
            seen.add(id(link))
            yield link
            link = link.wrapped

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PluginError):
            return NotImplemented
        return links_of(self) == links_of(other)

    def __hash__(self) -> int:
        return hash((self.message, self.code, self.permanent))

    def __str__(self) -> str:
        return ": ".join(
            f"{message} (code {code})" if code else str(message)
            for message, code, _ in links_of(self)
        )

    def __repr__(self) -> str:
        text = "None"
        for message, code, permanent in reversed(links_of(self)):
            text = (
                f"PluginError({message!r}, code={code}, permanent={permanent},"
                f" wrapped={text})"
            )
        return text

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are otherwise rebuilt from their positional arguments alone.
        return (chained, (links_of(self),))


def links_of(error: PluginError) -> tuple[Link, ...]:
    """What the errors of a chain hold, outermost first."""
    return tuple((each.message, each.code, each.permanent) for each in error.chain())


def chained(links: Sequence[Link]) -> PluginError:
    """The error whose links these are, outermost first; there must be one at least."""
    error: PluginError | None = None
    for message, code, permanent in reversed(links):
        error = PluginError(message, code=code, permanent=permanent, wrapped=error)
    if error is None:
        text = "an error without a message"
        raise ValueError(text)
    return error


@attrs.define
class State:
    """How far an object has come, and when (OM-2)."""

    status: Status = Status.NOT_STARTED
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def duration(self) -> timedelta | None:
        """From start to end; None while either is unknown."""
        if self.started is None or self.ended is None:
            return None
        return self.ended - self.started


# The type alone: to call the alias ``dict[str, NoteValue]`` costs as much as all else that
# making an attempt does.
_no_notes = cast("Callable[[], dict[str, NoteValue]]", dict)


@attrs.define(kw_only=True)
class Attempt:
    """One call of an action's plugin (OM-10).

    Attributes:
        started: When the call was recorded, just before it was made (A-13).
        ended: When its outcome was known; None while it runs.
        response: What the plugin returned, of its response type.
        error: How it failed; None when it did not.
        interrupted: Whether a crash of the engine cut it short (R-7).
        unresponsive: Whether it went on for 30 seconds after it was cancelled (A-16).
        notes: What the plugin asked to remember (REG-11).
    """

    started: datetime
    ended: datetime | None = None
    response: object = None
    error: PluginError | None = None
    interrupted: bool = False
    unresponsive: bool = False
    notes: dict[str, NoteValue] = attrs.field(factory=_no_notes)
