"""What can go wrong: a fault says of one moment of a run that something happens there."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

import attrs

from workstream._values.durations import duration_text

from ..problems import SimulationError
from ..virtual.schedules import Seed

BY_TIME = "by the clock"
"""What a crash says that comes at a time, and not right after a write; or a stop."""


BEGAN, STOPS = "which began", "with its stop"
"""What the last write before a crash stores, if it is no status."""


class Kind(enum.Enum):
    """What kind of thing goes wrong."""

    FAILS = "fails"
    """An action fails, and no retry helps."""
    FAILS_ONCE = "fails once"
    """One attempt fails; a retry may succeed."""
    HANGS = "hangs"
    """Every attempt hangs until its timeout."""
    RED = "turns red"
    """A check fails from a moment on."""
    CRASH = "crash"
    """The engine dies right after a write, and somebody resumes the plan."""
    STOP = "stop"
    """Somebody asks the plan to stop."""


@attrs.frozen
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: What happens.
        path: The object that it happens to: an action, or what a crash's last write is
            about; of a stop, the action that is called at that moment.
        position: The object's place in walk order.
        attempt: Which attempt fails, or begins or ends in the last write, or is called.
        at: When, in seconds: of a check that turns red, and of what comes at a time; of
            a crash and a stop, not before when, if several moments have one name.
        what: What the last write before a crash stores of the object.
        lost: Whether a plugin that is asked after the crash cannot tell what became of
            its work (R-7); otherwise it says that the work was not done.
        time: When it came, in the run in which it was found: others may begin before.
    """

    kind: Kind
    path: str
    position: int
    attempt: int = 1
    at: float = 0.0
    what: str = ""
    lost: bool = False
    time: float = attrs.field(default=0.0, eq=False, repr=False)

    def __str__(self) -> str:
        if self.what == BY_TIME:
            who = (
                "the engine dies" if self.kind is Kind.CRASH else "a stop is asked for"
            )
            return f"{who} after {duration_text(self.at)}"
        if self.kind is Kind.CRASH:
            then = ""
            if self.lost:
                then = ", and its plugin cannot tell what became of the work"
            text = f"the engine dies right after it has stored {self._stored()}"
            return f"{text}{self._when()}{then}"
        if self.kind is Kind.STOP:
            again = "" if self.attempt == 1 else f" (attempt {self.attempt})"
            text = f"a stop is asked for when {self.path} is called{again}"
            return f"{text}{self._when()}"
        if self.kind is Kind.RED:
            return f"{self.path} turns red after {duration_text(self.at)}"
        if self.kind is Kind.FAILS_ONCE:
            return f"{self.path} fails once (attempt {self.attempt})"
        if self.kind is Kind.HANGS:
            return f"{self.path} hangs until its timeout"
        return f"{self.path} fails"

    def _stored(self) -> str:
        """What the last write before a crash says."""
        what, _, number = self.what.partition(" (")
        again = f" (attempt {number}" if number else ""
        if what == BEGAN:
            return f"that {self.path} began{again}"
        if what == STOPS:
            return f"the stop of {self.path}"
        return f"that {self.path} is {what.removeprefix('as ')}{again}"

    def _when(self) -> str:
        return f" after {duration_text(self.at)}" if self.at else ""

    def data(self) -> dict[str, Any]:
        """The fault as JSON has it."""
        found: dict[str, Any] = {"kind": self.kind.value, "path": self.path}
        if self.kind in (Kind.FAILS_ONCE, Kind.STOP):
            found["attempt"] = self.attempt
        if self.kind is Kind.RED or self.at:
            found["at"] = self.at
        if self.kind is Kind.CRASH:
            found |= {"stored": self.what, "lost": self.lost}
        return found


@attrs.frozen
class Budget:
    """How many more things may go wrong."""

    failures: int
    crashes: int
    stops: int

    def after(self, fault: Fault) -> Budget:
        """What is left after a fault."""
        if fault.kind is Kind.CRASH:
            return attrs.evolve(self, crashes=self.crashes - 1)
        if fault.kind is Kind.STOP:
            return attrs.evolve(self, stops=self.stops - 1)
        return attrs.evolve(self, failures=self.failures - 1)

    def less(self, *, failures: int = 0, crashes: int = 0) -> Budget:
        """What is left after so many faults, if there are as many."""
        return Budget(
            max(self.failures - failures, 0),
            max(self.crashes - crashes, 0),
            self.stops,
        )

    def covers(self, other: Budget) -> bool:
        """Whether whatever may go wrong within the other one may within this one."""
        return (
            self.failures >= other.failures
            and self.crashes >= other.crashes
            and self.stops >= other.stops
        )

    @property
    def total(self) -> int:
        """All together."""
        return self.failures + self.crashes + self.stops


_WORDS: dict[str, Kind] = {
    "fail": Kind.FAILS,
    "once": Kind.FAILS_ONCE,
    "hang": Kind.HANGS,
    "red": Kind.RED,
    "crash": Kind.CRASH,
    "stop": Kind.STOP,
}
_BY_KIND = {kind: word for word, kind in _WORDS.items()}


ORDER = "order"
"""The word before the seed of an order of simultaneous events."""


def replay_of(faults: Sequence[Fault], seed: Seed = 0) -> str:
    """The text of a set of faults: ``fail@7#1,crash@9#1:which began,order@3``.

    Args:
        faults: The faults.
        seed: What chose the order of simultaneous events; 0: it is the usual one.
    """
    parts = [*map(_one, faults)] + ([f"{ORDER}@{seed}"] if seed else [])
    return ",".join(parts) or "none"


def _one(fault: Fault) -> str:
    text = f"{_BY_KIND[fault.kind]}@{fault.position}"
    if fault.kind is Kind.RED:
        return f"{text}#{fault.at!r}"
    text += f"#{fault.attempt}"
    if fault.at:
        text += f"@{fault.at!r}"
    if fault.kind is Kind.CRASH:
        text += f":{fault.what}{'!' if fault.lost else ''}"
    return text


def faults_of(text: Any, paths: Sequence[str]) -> tuple[tuple[Fault, ...], int]:
    """The faults that a text stands for, and the seed of the order of simultaneous events.

    Args:
        text: As ``replay_of`` wrote it.
        paths: The paths of the plan's objects.

    Raises:
        SimulationError: It is no such text, or not one for this plan.
    """
    if text == "none":
        return (), 0
    try:
        parts: list[str] = text.split(",")
        seed = 0
        if parts[-1].startswith(f"{ORDER}@"):
            seed = int(parts.pop().removeprefix(f"{ORDER}@"))
        return tuple(_parsed(part, paths) for part in parts), seed
    except (AttributeError, KeyError, ValueError, IndexError):
        message = (
            f"only={text!r} names no faults of this plan: give a text that verify has "
            "printed for it, such as 'fail@7#1,hang@9#1'"
        )
        raise SimulationError(message) from None


def _parsed(part: str, paths: Sequence[str]) -> Fault:
    head, _, what = part.partition(":")
    word, _, rest = head.partition("@")
    place, _, number = rest.partition("#")
    kind, position = _WORDS[word], int(place)
    if position < 0:
        raise IndexError(position)
    path = paths[position]
    number, _, since = number.partition("@")
    at = float(since) if since else 0.0
    if kind is Kind.RED:
        return Fault(kind, path, position, at=float(number))
    lost = what.endswith("!")
    text = what.removesuffix("!")
    return Fault(kind, path, position, int(number), at, text, lost)
