"""One call of a plugin on trio: whatever it does becomes an outcome (section 10)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from .._protocols.runtime import Outcome
from .attempts import is_any, outcome_of_exception, outcome_of_response, timed_out

__all__ = ["outcome_of_call"]


async def outcome_of_call(
    function: Callable[[Any, Any], Awaitable[object]],
    context: object,
    request: object,
    scope: trio.CancelScope,
) -> Outcome:
    """Call a plugin's method; what it did is returned and never raised.

    Args:
        function: The method.
        context: What it is told.
        request: What it is asked.
        scope: Ends it: its deadline is the timeout (A-4). It is not entered yet.
    """
    response: object = None
    try:
        with scope:
            response = await function(context, request)
    except BaseException as error:
        if is_any(error, KeyboardInterrupt, GeneratorExit):
            raise
        # Being cancelled from outside, by a run that breaks off or an engine that
        # closes, is nobody's failure and is not recorded as one (T-3). It leaves as a
        # cancellation and nothing else, whatever the plugin's clean-up raised beside it:
        # that would reach those who are cancelled with it.
        await trio.lowlevel.checkpoint_if_cancelled()
        if is_any(error, trio.Cancelled):
            raise
        # All else is the plugin's: an exit out of its own nursery, or what another
        # event loop's library takes for a cancellation.
        outcome = outcome_of_exception(error)
        if scope.cancel_called:  # it was told to end, and said so in its own way
            return timed_out(outcome.error)
        return outcome
    # What could not be cancelled may give a result after its deadline. One that came at
    # the very moment of the deadline counts.
    if scope.cancelled_caught or trio.current_time() > scope.deadline:
        return timed_out()
    return outcome_of_response(response)
