"""Slots: a task whose calls, one after the other, share one cancel scope (A-4).

To make, enter and leave a scope of trio's for each attempt is the dearest part of an
attempt that does little. So a task enters one scope, and each call only moves its deadline.
A plugin cannot tell: ``trio.current_effective_deadline()`` is that of its attempt. A scope
that has fired cannot be used again: what came of the call is settled by leaving it, as a
``with`` would, and another one takes its place.

The scope can be left in the middle of a task only while nothing that was entered after it
is still open. So whoever opens a nursery in the task hides its slot for as long.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

import trio

from .._attempts.outcomes import (
    began_in,
    interrupted,
    is_any,
    outcome_of_exception,
    outcome_of_response,
    stray_cancellation,
    timed_out,
)
from .._authoring.errors import leaves_of
from .._protocols.runtime import AttemptOutcome
from .._values.state import PluginError


class Slot:
    """Makes the calls of one task, one after the other; entered for as long."""

    __slots__ = ("_innermost", "_scope", "_spoilt", "_task")

    def __enter__(self) -> Slot:
        """Take the task that enters it."""
        self._task: Any = trio.lowlevel.current_task()
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the scope. It never fires between two calls, so it catches nothing."""
        self._scope.__exit__(kind, error, traceback)

    def _begin(self) -> None:
        self._scope = trio.CancelScope()
        self._spoilt = False
        self._scope.__enter__()
        self._innermost = _innermost(self._task)

    def _renew(self, error: BaseException | None) -> BaseException | None:
        """Leave the scope and enter another; what is left of the exception then."""
        kind, traceback = (type(error), error.__traceback__) if error else (None, None)
        try:
            if self._scope.__exit__(kind, error, traceback):
                error = None
        except BaseException as other:
            error = other
        self._begin()
        return error

    def cancel(self) -> None:
        """Cut the call that is under way; the scope cannot be used again."""
        self._spoilt = True
        self._scope.cancel()

    async def call(
        self,
        function: Callable[[Any, Any], Awaitable[object]],
        context: object,
        request: object,
        ends: float,
        cut: Callable[[], bool],
    ) -> AttemptOutcome:
        """Call a plugin's method; what it did is returned and never raised.

        Args:
            function: The method.
            context: What it is told.
            request: What it is asked.
            ends: When its time is over, by trio's clock (A-4).
            cut: Says whether a stop has cut it (SN-1): then somebody calls ``cancel``.
        """
        scope = self._scope
        scope.deadline = ends
        try:
            response = await function(context, request)
        except BaseException as error:
            return await self._outcome_of(error, scope, ends, cut)
        # A plugin may have left open what it entered: as a ``with`` would, tell it so.
        if (
            trio.current_time() < ends
            and _innermost(self._task) is self._innermost
            and not self._spoilt
        ):
            scope.deadline = math.inf
            return outcome_of_response(response)
        return await self._outcome_of(None, scope, ends, cut, response)

    async def _outcome_of(
        self,
        raised: BaseException | None,
        scope: trio.CancelScope,
        ends: float,
        cut: Callable[[], bool],
        response: object = None,
    ) -> AttemptOutcome:
        """What came of a call that raised, or took its whole time."""
        error = self._renew(raised)
        if error is None:
            # What could not be cancelled may give a result after its deadline. One that
            # came at the very moment of the deadline counts.
            if scope.cancelled_caught or trio.current_time() > ends:
                return _cut_short(ends, cut, None)
            return outcome_of_response(response)
        if _is_the_loops(error):
            raise error
        # Being cancelled from outside, by a run that breaks off or an engine that
        # closes, is nobody's failure and is not recorded as one (T-3). It leaves as a
        # cancellation and nothing else, whatever the plugin's clean-up raised beside it:
        # that would reach those who are cancelled with it.
        await trio.lowlevel.checkpoint_if_cancelled()
        # All else is the plugin's: an exit out of its own nursery, or what another
        # event loop's library takes for a cancellation.
        if is_any(error, trio.Cancelled):
            outcome = stray_cancellation()
        else:
            outcome = outcome_of_exception(error)
        if scope.cancel_called:  # it was told to end, and said so in its own way
            return _cut_short(ends, cut, outcome.error)
        return outcome


def _cut_short(
    ends: float, cut: Callable[[], bool], error: PluginError | None
) -> AttemptOutcome:
    """What became of a call that was cancelled: by a stop, or by its timeout."""
    late = trio.current_time() >= ends
    return interrupted(error) if cut() and not late else timed_out(error)


def _innermost(task: Any) -> object:
    """What trio will leave next in the task; None where this trio does not say."""
    return getattr(task, "_cancel_status", None)


def _is_the_loops(error: BaseException) -> bool:
    """Whether the loop raised this into the plugin: Ctrl-C, or the end of the task (A-8).

    A plugin may raise the same types, and then it is the plugin's failure. They differ
    in where they begin: trio's signal handler raises the one, and the other is thrown in
    where the task waits in trio.
    """
    return any(
        isinstance(leaf, KeyboardInterrupt | GeneratorExit)
        and began_in(leaf, "trio._core")
        for leaf in leaves_of(error)
    )
