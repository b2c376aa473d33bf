"""Slots: a task whose calls, one after the other, share one cancel scope (A-4).

To make, enter and leave a scope of trio's for each attempt is the dearest part of an
attempt that does little. So a task enters one scope, and each call only moves its deadline.
A plugin cannot tell: ``trio.current_effective_deadline()`` is that of its attempt. A scope
that has fired cannot be used again: what came of the call is settled by leaving it, as a
``with`` would, and another one takes its place.

To move a deadline costs as much as a call, too, so it is done once a call: when the call
has ended, its deadline stays. It must cut nothing that the task waits for then. Before a
wait that may be long, ``rest`` takes it away. The short one, for a commit, goes on if it is
cut: ``was_cut`` tells that from a cancellation that is meant.

The scope can be left in the middle of a task only while nothing that was entered after it
is still open. So whoever opens a nursery in the task hides its slot for as long.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

import trio

from .._attempts.context import AttemptContext
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

_INNERMOST = "_cancel_status"
"""What a task of trio's calls what it will leave next; another trio may not say."""


class Slot:
    """Makes the calls of one task, one after the other; entered for as long."""

    __slots__ = (
        "_innermost",
        "_is_calling",
        "_scope",
        "_spoilt",
        "_task",
        "_until",
        "time",
    )

    def __enter__(self) -> Slot:
        """Take the task that enters it."""
        self._task: Any = trio.lowlevel.current_task()
        self.time = trio.lowlevel.current_clock().current_time
        """The time, as ``trio.current_time`` tells it by a longer way."""
        self._is_calling = False
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the scope. Nothing was cut that it would have to catch."""
        self._scope.__exit__(kind, error, traceback)

    def _begin(self) -> None:
        self._scope = trio.CancelScope()
        self._until = math.inf
        self._spoilt = False
        self._scope.__enter__()
        self._innermost: object = getattr(self._task, _INNERMOST, None)

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

    def rest(self) -> None:
        """Before the task waits, and not for a call: no time of a call may cut that."""
        if self._is_calling or self._until == math.inf:
            return
        if self.time() < self._until:
            self._scope.deadline = self._until = math.inf
        else:
            self._renew(None)

    def was_cut(self, error: trio.Cancelled) -> bool:
        """Whether the time of a call that has ended cut what the task waits for."""
        return not self._is_calling and self._renew(error) is None

    def cancel(self) -> None:
        """Cut the call that is under way; the scope cannot be used again."""
        self._spoilt = True
        self._scope.cancel()

    async def call(
        self,
        function: Callable[[Any, Any], Awaitable[object]],
        context: AttemptContext,
        request: object,
        now: float,
    ) -> AttemptOutcome:
        """Call a plugin's method; what it did is returned and never raised.

        Args:
            function: The method.
            context: What it is told; it knows when its time is over (A-4). Where a stop
                cuts the call, it says so, and somebody calls ``cancel`` (SN-1).
            request: What it is asked.
            now: The time.
        """
        scope = self.begin(context.ends, now)
        try:
            response = await function(context, request)
        except BaseException as error:
            return await self.outcome_of(error, scope, context)
        if self.ends_well(context):
            return outcome_of_response(response)
        return await self.outcome_of(None, scope, context, response)

    def begin(self, ends: float, now: float) -> trio.CancelScope:
        """Give the call that now begins its time, and return the scope that it is in."""
        if now >= self._until:
            self._renew(None)  # it has fired since the latest call
        scope = self._scope
        scope.deadline = self._until = ends
        self._is_calling = True
        return scope

    def ends_well(self, context: AttemptContext) -> bool:
        """Whether what the call returned, just now, is its outcome; else ask further."""
        self._is_calling = False
        # A plugin may have left open what it entered: as a ``with`` would, tell it so.
        return (
            self.time() < context.ends
            and getattr(self._task, _INNERMOST, None) is self._innermost
            and not self._spoilt
        )

    async def outcome_of(
        self,
        raised: BaseException | None,
        scope: trio.CancelScope,
        context: AttemptContext,
        response: object = None,
    ) -> AttemptOutcome:
        """What came of a call that raised, or took its whole time."""
        self._is_calling = False
        error = self._renew(raised)
        if error is None:
            # What could not be cancelled may give a result after its deadline. One that
            # came at the very moment of the deadline counts.
            if scope.cancelled_caught or self.time() > context.ends:
                return self._cut_short(context, None)
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
            return self._cut_short(context, outcome.error)
        return outcome

    def _cut_short(
        self, context: AttemptContext, error: PluginError | None
    ) -> AttemptOutcome:
        """What became of a call that was cancelled: by a stop, or by its timeout."""
        late = self.time() >= context.ends
        return interrupted(error) if context.is_cut and not late else timed_out(error)


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
