"""Lengths of time that are given as options: ``12h``, ``30d``, ``2w``."""

from __future__ import annotations

import re
from datetime import timedelta

import click

from .._values.display import shorten

__all__ = ["age"]

_AGE = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)


def age(context: click.Context, parameter: click.Parameter, value: str) -> timedelta:
    """An option's ``callback``. The unit must be said: of a bare ``30`` nobody knows it."""
    match = _AGE.fullmatch(value.strip().lower())
    if match is None or not any(match.groups()):
        message = f"'{shorten(value)}' is no age: write 30d, 12h, 2w, 90m or 1d12h"
        raise click.BadParameter(message, context, parameter)
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    try:
        return timedelta(
            weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds
        )
    except OverflowError:
        message = f"'{shorten(value)}' is longer than any calendar"
        raise click.BadParameter(message, context, parameter) from None
