"""A call that is interrupted at a step of it, in a thread of its own, and what it leaves.

Each call has a thread and a run of trio of its own: a plugin that does not hear its
cancellation would never let one end, and is left behind with its thread.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import attrs

from workstream._plan.plan import BaseAction

from ..virtual.outside import Threads
from .left_behind import Processes

PATIENCE = 1.0
"""Seconds after which a run is given up that should have ended."""


@attrs.define
class Attempted:
    """What was seen of a call.

    Attributes:
        action: The action at its end, as it was stored; None: it did not come to that.
        response: What the plugin returned.
        error: What the plugin raised.
        returned: Whether it returned.
        steps: How often it waited for something.
        swallowed: Whether it returned although it was told of its cancellation.
        ended_after: Seconds from its cancellation to its end.
        calls: How often ``execute`` was called.
        left: What it left behind, a clause each.
        texts: What can be read of it, by what that is.
        deaf: Whether it went on although it was cancelled, and was given up.
        problem: Why it could not be called.
    """

    action: BaseAction | None = None
    response: object = None
    error: BaseException | None = None
    returned: bool = False
    steps: int = 0
    swallowed: bool = False
    ended_after: float = 0.0
    calls: int = 0
    left: list[str] = attrs.Factory(list[str])
    texts: dict[str, str] = attrs.Factory(dict[str, str])
    deaf: bool = False
    problem: str | None = None


class Watched(Protocol):
    """A call that has a thread to itself.

    Attributes:
        due: When it should have ended or was cancelled, by the machine's clock.
        seen: What was seen.
    """

    due: float
    seen: Attempted

    def run(self) -> None:
        """Make the call."""
        ...


def watched(attempt: Watched, within: float) -> Attempted:
    """Make a call in a thread of its own, and see what it leaves behind.

    Args:
        attempt: The call.
        within: Seconds in which it must end once it is due.
    """
    thread = threading.Thread(target=attempt.run, name="check_plugin", daemon=True)
    with ExitStack() as stack:
        processes = Processes()
        stack.enter_context(processes.marked())
        records = stack.enter_context(_logged())
        threads = Threads()
        stack.enter_context(threads.counted())
        thread.start()
        _wait(thread, attempt, within)
        seen = attempt.seen
        seen.deaf = thread.is_alive()
        seen.texts["a log record"] = "\n".join(records)
        seen.left += [
            f"a process: {name} (id {process})"
            for process, name in processes.left().items()
        ]
        if not seen.deaf and _goes_on(threads):
            seen.left.append("a thread that goes on")
    return seen


def _goes_on(threads: Threads) -> bool:
    """Whether a thread works on; one that has just handed over is about to end."""
    for _ in range(10):
        if not threads.at_work:
            return False
        time.sleep(0.02)
    return True


def _wait(thread: threading.Thread, attempt: Watched, within: float) -> None:
    while thread.is_alive():
        thread.join(0.02)
        if time.monotonic() > attempt.due + within + PATIENCE:
            return


@contextmanager
def _logged() -> Generator[list[str]]:
    """The texts of all that is logged meanwhile, by whatever logger and level."""
    texts: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            texts.append(self.format(record))

    root, handler = logging.getLogger(), Handler()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield texts
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


async def interrupted(
    call: Watched, awaitable: Any, at: int | float | None, seconds: float = math.inf
) -> None:
    """Await something, cancel it, and note in ``call`` how it takes that.

    Args:
        call: The call that it is part of.
        awaitable: What the plugin does.
        at: When it is cancelled: a whole number is a step, counted from 1; any other
            number, so many seconds after it began; None: it is not.
        seconds: After so many it is cancelled in any case.
    """
    import trio

    seen = call.seen
    began_cancel = math.inf
    hears = heard = False
    if isinstance(at, float):
        seconds = at
        began_cancel = time.monotonic() + at
    scope = trio.CancelScope(deadline=trio.current_time() + seconds)

    def step(number: int) -> None:
        nonlocal began_cancel, hears
        seen.steps = number
        if number == at:
            call.due = began_cancel = time.monotonic()
            scope.cancel()
        # Where the plugin shields itself, or a deadline of its own comes first, what
        # ends its wait is not this cancellation.
        ours = -math.inf if scope.cancel_called else scope.deadline
        hears = trio.current_effective_deadline() == ours

    def told() -> None:
        nonlocal heard
        heard = heard or (hears and scope.cancel_called)

    seen.response, seen.error, seen.returned = None, None, False
    try:
        with scope:
            seen.response = await _Driven(awaitable, step, told)
            seen.returned = True
    except Exception as error:
        seen.error = error
    # Where a second engine runs it again, the first call still counts.
    seen.swallowed = seen.swallowed or (heard and seen.returned)
    if at is not None and scope.cancel_called:
        seen.ended_after = time.monotonic() - began_cancel


class _Driven:
    """A coroutine, and a look at each of its steps: whenever it waits for something."""

    def __init__(
        self,
        awaitable: Any,
        step: Callable[[int], None],
        told: Callable[[], None],
    ) -> None:
        self._awaitable = awaitable
        self._step = step
        self._told = told

    def __await__(self) -> Generator[Any, Any, Any]:
        import outcome
        import trio

        inner = self._awaitable.__await__()
        advance, argument = inner.send, None
        number = 0
        while True:
            try:
                wish = advance(argument)
            except StopIteration as stop:
                return stop.value
            number += 1
            self._step(number)
            try:
                argument = yield wish
            except BaseException as error:
                advance, argument = inner.throw, error
                continue
            advance = inner.send
            answer: Any = argument
            if isinstance(answer, outcome.Error) and isinstance(
                answer.error, trio.Cancelled
            ):
                self._told()
