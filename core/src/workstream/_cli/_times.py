"""Times and lengths of time, short enough for one glance."""

from __future__ import annotations

from datetime import datetime, timedelta


def took(duration: timedelta) -> str:
    """How long it took: ``0.4s``, ``14s``, ``4m 10s``, ``2h 05m``, ``3d 4h``."""
    seconds = max(duration.total_seconds(), 0)
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, seconds = divmod(int(seconds), 60)
    if not minutes:
        return f"{seconds}s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes}m {seconds:02}s"
    days, hours = divmod(hours, 24)
    return f"{days}d {hours}h" if days else f"{hours}h {minutes:02}m"


def clock(time: datetime) -> str:
    """The time of day here: ``18:03:11``."""
    return time.astimezone().strftime("%H:%M:%S")


def date_and_time(time: datetime) -> str:
    """The date and time here: ``2031-05-01 18:03:11``."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def brief_date_and_time(time: datetime) -> str:
    """The same where there is little room: ``05-01 18:03``."""
    return time.astimezone().strftime("%m-%d %H:%M")
