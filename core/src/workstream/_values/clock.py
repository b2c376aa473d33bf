"""The one source of recorded times (T-1)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

# No function of ours: it is asked three times an action.
utc_now: Callable[[], datetime] = partial(datetime.now, UTC)
"""The machine's time, timezone-aware UTC."""


class Clock:
    """Tells the time to record: never earlier than what it told before.

    A machine's clock may be set back in the middle of a run, or between a crash and the
    recovery. No object may end before it started, and a deadline must pass all the same.
    So recorded times go on then, at half the speed, until the machine's clock has caught
    up with them. A clock that is set forward looks like time that has passed.
    """

    def __init__(
        self,
        source: Callable[[], datetime] = utc_now,
        *,
        elapsed: Callable[[], float] | None = None,
        not_before: datetime | None = None,
    ) -> None:
        """Make a clock.

        Args:
            source: Tells the time.
            elapsed: Tells seconds since some moment, whatever is done to the time; None:
                while the time is behind, recorded times stand still.
            not_before: What this clock told in an earlier life.
        """
        self._source = source
        self._elapsed = elapsed
        self._latest = not_before
        self._behind_at: float | None = None

    def __call__(self) -> datetime:
        now = self._source()
        if self._latest is None or now >= self._latest:
            self._latest = now
            self._behind_at = None
        elif self._elapsed is not None:
            elapsed = self._elapsed()
            if self._behind_at is not None:
                # At the end of the calendar it stands still.
                with suppress(OverflowError):
                    self._latest += timedelta(seconds=(elapsed - self._behind_at) / 2)
            self._behind_at = elapsed
        return self._latest
