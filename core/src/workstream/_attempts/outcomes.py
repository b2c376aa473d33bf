"""From what a plugin's call did to the outcome of an attempt (section 10, section 22).

Every runtime asks these functions, so that a response, an exception or a timeout means
the same on each of them.
"""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Protocol, cast

import attrs

from .._authoring.errors import leaves_of
from .._interpreter import verdicts
from .._plan.plan import BaseAction
from .._protocols.plugin import AnyPlugin
from .._protocols.runtime import AttemptOutcome
from .._secrets.scrubbing import hide_in_error, hide_within
from .._values.annotations import fits, type_text
from .._values.state import Link, PluginError, chained

DEAF_AFTER = 30.0
"""Seconds after its cancellation at which a plugin is called unresponsive (A-16)."""
MOST_WRAPPED = 50
"""Errors of a chain that are kept (OM-11)."""
_MOST_SEEN = 100_000
"""A chain may make its links as they are asked for, and so have no end."""
CUT = "interrupted: a stop cut the attempt short"
TIMED_OUT = "plugin execution timed out"


class StorableCheck(Protocol):
    """Says whether a response can be stored; the codec does."""

    def check_storable(self, action: BaseAction, value: object, /) -> None:
        """Raise an exception that says why the value cannot be stored."""
        ...


def timed_out(wrapped: PluginError | None = None) -> AttemptOutcome:
    """The outcome of an attempt that exceeded its timeout (A-4)."""
    return AttemptOutcome(error=PluginError(TIMED_OUT, wrapped=wrapped))


def interrupted(wrapped: PluginError | None = None) -> AttemptOutcome:
    """The outcome of an attempt that a stop cut short (SN-1)."""
    error = PluginError(CUT, wrapped=wrapped)
    return AttemptOutcome(error=error, interrupted=True)


def stray_cancellation() -> AttemptOutcome:
    """The outcome of an attempt that raised a cancellation that nobody asked for (A-8)."""
    message = (
        "a cancellation that nobody asked for came out of the plugin: a connection or "
        "task that it shares between calls may have kept one"
    )
    return AttemptOutcome(error=PluginError(message))


def not_installed(action: BaseAction) -> AttemptOutcome:
    """The outcome of an attempt whose plugin is not there (A-12)."""
    message = f"plugin {action.plugin!r} is not installed here"
    return AttemptOutcome(error=PluginError(message, permanent=True))


def outcome_of_exception(error: BaseException) -> AttemptOutcome:
    """The outcome of an attempt whose plugin raised (A-8).

    A plugin that uses a nursery raises groups of exceptions; what counts is what is
    inside.
    """
    found = list(leaves_of(error))
    if len(found) == 1:
        error = found[0]
        if isinstance(error, PluginError):
            return AttemptOutcome(error.response, _as_data(error))
        return AttemptOutcome(error=PluginError(_text(error)))
    permanent = any(isinstance(e, PluginError) and e.permanent for e in found)
    message = "; ".join(
        str(e) if isinstance(e, PluginError) else _text(e) for e in found
    )
    return AttemptOutcome(error=PluginError(message, permanent=permanent))


def is_any(error: BaseException, *kinds: type[BaseException]) -> bool:
    """Whether the exception is of one of these kinds, or a group that holds one."""
    return any(isinstance(leaf, kinds) for leaf in leaves_of(error))


def began_in(error: BaseException, package: str) -> bool:
    """Whether the code that raised an exception belongs to a package (A-8)."""
    traceback = error.__traceback__
    if traceback is None:
        return False
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    module = str(traceback.tb_frame.f_globals.get("__name__", ""))
    return module.startswith(f"{package}.")


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be had)"
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def outcome_of_response(response: object) -> AttemptOutcome:
    """The outcome of an attempt whose plugin returned (A-3).

    Returning a ``PluginError`` equals raising it (A-8).
    """
    if isinstance(response, PluginError):
        return AttemptOutcome(response.response, _as_data(response))
    return AttemptOutcome(response)


def _as_data(error: PluginError) -> PluginError:
    """The error, fit to be stored whatever a plugin has put into it (OM-11).

    Types are not checked when an error is made, and what cannot be stored must be that
    attempt's trouble and not the engine's: an ordinary exception as ``wrapped``, or a
    code that is no number.
    """
    chain = list(itertools.islice(error.chain(), _MOST_SEEN))
    links = list(map(_link, chain))
    last = cast("object", chain[-1].wrapped)
    if isinstance(last, BaseException) and not isinstance(last, PluginError):
        links.append((_text(last), 0, False))
    if len(links) > MOST_WRAPPED:
        # The cause is the last one, so the middle is what can be spared.
        head = MOST_WRAPPED // 2
        tail = len(links) - (MOST_WRAPPED - head - 1)
        gap = f"[... {tail - head:,} more wrapped errors are left out ...]"
        links[head:tail] = [(gap, 0, False)]
    return chained(links)


def _link(error: PluginError) -> Link:
    message, code = cast("tuple[object, object]", (error.message, error.code))
    text = message if isinstance(message, str) else repr(message)
    if isinstance(code, int):
        return text, int(code), bool(error.permanent)
    return f"{text} (code {code!r}, which is no number)", 0, bool(error.permanent)


def check_outcome(
    outcome: AttemptOutcome,
    action: BaseAction,
    plugin: AnyPlugin,
    storable: StorableCheck,
) -> AttemptOutcome:
    """The outcome, unless its response is of the wrong type or cannot be stored.

    Then it is a permanent error that keeps the plugin's own as ``wrapped`` (A-6, A-7).
    """
    response, error = outcome.response, outcome.error
    if error is not None and response is None:
        return outcome
    if not fits(response, plugin.response_type):
        message = (
            f"plugin {action.plugin!r} returned {type_text(type(response))}, "
            f"but its response type is {type_text(plugin.response_type)}"
        )
        return AttemptOutcome(error=PluginError(message, permanent=True, wrapped=error))
    try:
        storable.check_storable(action, response)
    except Exception as reason:
        message = (
            f"plugin {action.plugin!r} returned a {type_text(type(response))} that "
            f"cannot be stored: {_text(reason)}"
        )
        return AttemptOutcome(error=PluginError(message, permanent=True, wrapped=error))
    return outcome


def hide_secrets(outcome: AttemptOutcome, secrets: frozenset[str]) -> AttemptOutcome:
    """The outcome with the values of secrets removed from all its texts (CL-8)."""
    if not secrets:
        return outcome
    return attrs.evolve(
        outcome,
        response=hide_within(outcome.response, secrets),
        error=hide_in_error(outcome.error, secrets),
    )


def time_left(action: BaseAction, now: datetime) -> float:
    """The attempt's timeout, cut to what the action's deadline leaves (A-15)."""
    deadline = verdicts.deadline_of(action)
    if deadline is None:
        return action.timeout
    return min(action.timeout, max((deadline - now).total_seconds(), 0))
