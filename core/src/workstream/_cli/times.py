"""Ages and moments, as people type them behind an option."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from .._values.clock import utc_now
from .._values.display import shorten
from .._values.durations import duration_of


def age(text: str) -> timedelta:
    """A length of time with its unit: of a bare ``30`` nobody knows it."""
    try:
        found = duration_of("" if text.strip()[-1:].isdecimal() else text)
    except ValueError:
        message = f"'{shorten(text)}' is no age: write 30d, 12h, 2w, 90m or 1d12h"
        raise click.BadParameter(message) from None
    return found


def moment_of(text: str) -> datetime:
    """A moment: a date, a date and a time, or how long ago it was.

    Without a zone it is meant here. Raises click.BadParameter.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        pass
    else:
        return found.astimezone()
    try:
        return utc_now() - age(text)
    except (click.BadParameter, OverflowError):
        message = (
            f"'{shorten(text)}' is no time: write 2026-01-31, 2026-01-31T18:00, or how "
            "long ago it was: 12h, 30d, 2w"
        )
        raise click.BadParameter(message) from None
