"""Lengths of time for people: written, and read."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))
_WRITTEN = r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?"


def duration_text(duration: timedelta | float, *, glance: bool = False) -> str:
    """A length of time to the millisecond, as ``4m 1.5s``.

    Args:
        duration: The length; a number means seconds.
        glance: Whether its two largest units are enough, and tenths below ten seconds.
    """
    if isinstance(duration, timedelta):
        duration = duration.total_seconds()
    left = abs(duration)
    left = round(left, 1 if left < 10 else 0) if glance else round(left, 3)
    sign = "-" if duration < 0 and left else ""
    parts: list[str] = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count:.0f}{unit}")
    if left >= 0.0005 or not parts:
        parts.append(f"{left:.3f}".rstrip("0").rstrip(".") + "s")
    return sign + " ".join(parts[:2] if glance else parts)


def took(duration: timedelta) -> str:
    """A length of time at a glance: ``0.4s``, ``14s``, ``4m 10s``, ``2h 5m``, ``3d 4h``."""
    return duration_text(max(duration, timedelta()), glance=True)


def duration_of(text: str) -> timedelta:
    """The length of time that a text means: ``90``, ``1.5s``, ``10m``, ``1h30m``, ``2w``.

    Raises:
        ValueError: It means none.
    """
    match = re.fullmatch(_WRITTEN, text.strip().lower(), re.ASCII)
    if match is None or not any(match.groups()):
        raise ValueError(text)
    weeks, days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    try:
        return timedelta(
            weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds
        )
    except OverflowError as error:
        raise ValueError(text) from error
