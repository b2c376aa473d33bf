"""Scripts: what a fixture plugin does at each of its calls, as a few words of text.

A script is a list of entries, one a call; the last one repeats. ``x@n`` does x after n
seconds. The entries:

==========  ====================================================================
``ok``      returns a response
``err``     fails with an error that may be retried
``perm``    fails with a permanent error
``both``    fails likewise, and hands over a response beside the error (A-3)
``bad``     returns a response of a wrong type
``badboth`` fails with an error, and hands over a response of a wrong type (A-6)
``sub``     returns a response of a subclass of the right type (A-7)
``none``    returns None (A-7)
``boom``    raises an exception that is no ``PluginError`` (A-8)
``exit``    raises ``SystemExit`` (A-8)
``foreign`` raises what another event loop's library takes for a cancellation (A-8)
``group``   raises a group of two exceptions, as a nursery does (A-8)
``perms``   likewise, and one of them is a permanent error (A-9)
``exits``   raises a group, one inside another, with a ``SystemExit`` in it (A-8)
``sig``     waits for the signal ``go``, and returns a response (SG-1)
``hang``    goes on until it is cancelled
``hang+n``  goes on until n seconds after it was cancelled (A-5)
``angry``   goes on until it is cancelled, and raises an error of its own then (A-4)
``angrys``  likewise, in one group with its cancellation, as a nursery does (A-4)
==========  ====================================================================
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, cast, get_args

import attrs

Doing: TypeAlias = Literal[
    "ok", "err", "perm", "both", "bad", "badboth", "sub", "none", "boom",
    "exit", "foreign", "group", "perms", "exits", "hang", "angry", "angrys", "sig",
]  # fmt: skip

_NUMBER = r"\d+(?:\.\d+)?"
_ENTRY = re.compile(
    rf"(?P<doing>{'|'.join(get_args(Doing))})"
    rf"(?:\+(?P<linger>{_NUMBER}))?(?:@(?P<after>{_NUMBER}))?"
)


@attrs.frozen
class Entry:
    """What one call does.

    Attributes:
        doing: One of the entries above.
        after: Seconds before it does it.
        linger: Seconds that it goes on after it was cancelled.
    """

    doing: Doing
    after: float = 0.0
    linger: float = 0.0


@attrs.frozen
class Script:
    """What an action's plugin does, call by call."""

    entries: tuple[Entry, ...]

    def entry(self, call: int) -> Entry:
        """What a call does, counted from 1; the last entry repeats."""
        return self.entries[min(call, len(self.entries)) - 1]


def is_entry(word: str) -> bool:
    """Whether the word is an entry of a script, and so cannot be a name."""
    return _ENTRY.fullmatch(word) is not None


def parse_script(text: str) -> Script:
    """Read entries that are separated by commas.

    Raises:
        ValueError: Something is no entry; the message names it.
    """
    return Script(tuple(_entry(word.strip()) for word in text.split(",")))


def _entry(word: str) -> Entry:
    match = _ENTRY.fullmatch(word)
    if match is None or (match["linger"] and match["doing"] != "hang"):
        known = ", ".join((*get_args(Doing), "hang+n"))
        message = (
            f"{word!r} is no entry of a script: write one of {known}, or x@seconds"
        )
        raise ValueError(message)
    return Entry(
        cast("Doing", match["doing"]),
        float(match["after"] or 0),
        float(match["linger"] or 0),
    )
