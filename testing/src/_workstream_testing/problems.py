"""What the harness raises, and what it means."""

from __future__ import annotations

from typing import Any


def says_all(raised: Any) -> bool:
    """Whether an error's message is all that its reader wants, as the harness raised it.

    A module that is called by tests says ``__tracebackhide__ = says_all``: pytest then
    leaves its frames out, and shows the line of the test instead of the harness.

    Args:
        raised: What pytest knows of the error.
    """
    return isinstance(raised.value, SimulationError | AssertionError)


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


class VerifyError(AssertionError):
    """Some faults break an invariant; the message tells the story.

    Attributes:
        verification: All that was found.
    """

    __module__ = _PUBLIC

    def __init__(self, message: str, verification: Any) -> None:
        self.verification = verification
        super().__init__(message)
