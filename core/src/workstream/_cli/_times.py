"""Times, short enough for one glance."""

from __future__ import annotations

from datetime import datetime


def clock(time: datetime) -> str:
    """The time of day here: ``18:03:11``."""
    return time.astimezone().strftime("%H:%M:%S")


def date_and_time(time: datetime) -> str:
    """The date and time here: ``2031-05-01 18:03:11``."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def brief_date_and_time(time: datetime) -> str:
    """The same where there is little room: ``05-01 18:03``."""
    return time.astimezone().strftime("%m-%d %H:%M")
