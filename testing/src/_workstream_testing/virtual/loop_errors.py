"""What is raised inside a loop, and how what is left of a run is dropped."""

from __future__ import annotations

import contextlib
from collections.abc import Coroutine, Iterator
from typing import Any


class Cancelled(BaseException):
    """Raised in a task that is cancelled, where it waits."""


class Abandon(BaseException):
    """Raised in a task, it leaves the loop at once: nothing waits for anything more.

    Attributes:
        reason: The error to be told instead; None: whoever raised it knows.
    """

    def __init__(self, reason: Exception | None = None) -> None:
        self.reason = reason
        super().__init__(reason)


class ForeignAwait(BaseException):
    """A task awaits what belongs to an event loop; it leaves the loop at once, too.

    Attributes:
        library: Whose loop it is; ``""`` when that cannot be told.
    """

    def __init__(self, library: str) -> None:
        self.library = library
        super().__init__(f"awaits {library or 'an event loop'}")


class EndlessError(Exception):
    """The run goes on beyond its bounds, or nothing can ever happen again."""


def drop(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Close a coroutine that nobody will drive any more.

    Whatever it answers to that, nobody is there to hear it.
    """
    chain = list(_awaited(coroutine))
    with contextlib.suppress(Exception, Cancelled, Abandon, ForeignAwait):
        coroutine.close()
    for link in chain:
        if getattr(link, "cr_frame", None) is not None:
            _keep_for_ever(link)


def _awaited(coroutine: object) -> Iterator[object]:
    """The coroutine, what it awaits, what that awaits, and so on."""
    while coroutine is not None:
        yield coroutine
        coroutine = getattr(coroutine, "cr_await", None)


def _keep_for_ever(coroutine: object) -> None:
    """Let nothing ever try to close it again, the end of the process included.

    Python closes a coroutine that goes away. One that swallows even that, in a loop,
    would go round in it for ever, and nobody would learn why the tests hang.
    """
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(coroutine))
