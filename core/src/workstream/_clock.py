"""The one source of recorded times (T-1)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

__all__ = ["Clock", "utc_now"]


# No function of ours: it is asked three times an action.
utc_now: Callable[[], datetime] = partial(datetime.now, UTC)
"""The machine's time, timezone-aware UTC."""


class Clock:
    """Tells the time to record: never earlier than what it told before.

    A machine's clock may be set back in the middle of a run; recorded times stand still
    then, so that no object ends before it started.
    """

    def __init__(self, source: Callable[[], datetime] = utc_now) -> None:
        self._source = source
        self._latest: datetime | None = None

    def __call__(self) -> datetime:
        now = self._source()
        if self._latest is None or now > self._latest:
            self._latest = now
        return self._latest
