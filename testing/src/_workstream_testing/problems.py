"""What the harness raises, and what it means."""

from __future__ import annotations

__all__ = [
    "CrashError",
    "OrderError",
    "ScriptError",
    "SimulationError",
]


# Where people import them from, and what a traceback calls them.
_PUBLIC = "workstream.testing"


class SimulationError(Exception):
    """A plan cannot be simulated, or not to its end; the message says what to do."""

    __module__ = _PUBLIC


class ScriptError(SimulationError):
    """The script of a fake does not fit the plan: lines overlap, or are not used."""

    __module__ = _PUBLIC


class CrashError(AssertionError):
    """A crash changes how the plan ends; the message tells the story."""

    __module__ = _PUBLIC


class OrderError(AssertionError):
    """An order of simultaneous events makes a check fail; the message tells the story.

    Attributes:
        seed: Hand it to ``simulate`` to see the order again.
    """

    __module__ = _PUBLIC

    def __init__(self, message: str, seed: str) -> None:
        self.seed = seed
        super().__init__(message)
