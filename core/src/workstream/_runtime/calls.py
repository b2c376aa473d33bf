"""One call of a plugin on trio: whatever it does becomes an outcome (section 10)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from .._attempts.outcomes import (
    began_in,
    is_any,
    outcome_of_exception,
    outcome_of_response,
    stray_cancellation,
    timed_out,
)
from .._authoring.errors import leaves_of
from .._protocols.runtime import AttemptOutcome
from .._values.errors import SecretError
from .._values.state import PluginError
from .lookups import Lookups, LookupTimeoutError


class NoSecretsError(Exception):
    """The secrets of a request are not to be had; ``outcome`` is the attempt's."""

    def __init__(self, outcome: AttemptOutcome) -> None:
        """Take the outcome."""
        super().__init__(outcome)
        self.outcome = outcome


async def with_secrets(
    lookups: Lookups, request: object, seconds: float
) -> tuple[object, frozenset[str]]:
    """The request with its secrets, and the texts to hide (A-17).

    Args:
        lookups: Looks them up.
        request: As the plan holds it.
        seconds: How long it may take.

    Raises:
        NoSecretsError: A secret is not to be had, or not in time.
    """
    try:
        return await lookups.resolved(request, seconds)
    except SecretError as error:
        raise NoSecretsError(AttemptOutcome(error=PluginError(str(error)))) from None
    except LookupTimeoutError as error:
        raise NoSecretsError(timed_out(PluginError(str(error)))) from None


async def outcome_of_call(
    function: Callable[[Any, Any], Awaitable[object]],
    context: object,
    request: object,
    scope: trio.CancelScope,
) -> AttemptOutcome:
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
        if _is_the_loops(error):
            raise
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
            return timed_out(outcome.error)
        return outcome
    # What could not be cancelled may give a result after its deadline. One that came at
    # the very moment of the deadline counts.
    if scope.cancelled_caught or trio.current_time() > scope.deadline:
        return timed_out()
    return outcome_of_response(response)


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
