"""Which plans of a store an observer has been told of, where no engine begins them (OB-7).

An engine knows which plans it runs. Who follows a store that runs its plans elsewhere has
to find them, again and again, and must miss none: not one that began and ended between
two looks, nor while nobody was looking. The directory of an observer holds two things:

- **a cursor for each plan that was found**, from the first time on, be it not started yet,
  until some time after its end was told;
- **a moment**, in the file ``since``: each plan that was submitted before it has ended and
  was told of, or has a cursor. So a look need not read all plans that were ever stored,
  but those that have not ended, and those that were submitted since.

The moment is ten minutes behind the last look: clocks differ, and a list may be late.
Processes that share the directory share the moment: each takes it over before it looks.
So one that could not look for hours tells nothing again that another has told meanwhile.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar
from uuid import UUID

from .cursors import Cursors

LATE = timedelta(minutes=10)
"""By how much clocks may differ, and a list of plans be late, at most."""
MOVES_BY = timedelta(seconds=30)
"""How far the moment moves at a time: so a look mostly writes nothing."""


class Followed(Cursors):
    """The cursors of one observer for all plans of a store."""

    stays: ClassVar[bool] = True

    def __init__(self, folder: Path, now: datetime) -> None:
        """Open the directory, and make it where it is not there.

        Args:
            folder: The directory: of this observer, and of this store.
            now: The time. An observer that was never here is told of what happens from
                now on, and all of what has not ended.

        Raises:
            OSError: It cannot be made, or written to.
        """
        super().__init__(folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._place = folder
        self._moment = folder / "since"
        self._ended: set[UUID] = set()
        self.since = now
        try:
            self.since = self._noted()
        except FileNotFoundError:
            self._move(now)
        except ValueError:  # a power cut left it empty
            self.since = now - LATE

    def meet(self) -> None:
        """Take over the moment, where another process has moved it meanwhile.

        The cursors of plans that were submitted long before it may be removed: who looked
        for them by an older moment would take them for new.
        """
        with contextlib.suppress(OSError, ValueError):
            self.since = max(self.since, self._noted())

    def _noted(self) -> datetime:
        """The moment as it is kept. Raises OSError, and ValueError if it is none."""
        return datetime.fromisoformat(self._moment.read_text().strip())

    def note(self, plan_id: UUID) -> None:
        """See to it that a plan has a cursor. Raises OSError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        os.close(os.open(self._place / str(plan_id), flags, 0o600))

    def owed(self) -> list[UUID]:
        """The plans whose end was not told, the oldest first."""
        found = super().owed()
        self._ended &= set(found)
        for plan_id in found:
            if plan_id not in self._ended and self._has_ended(plan_id):
                self._ended.add(plan_id)
        return [plan_id for plan_id in found if plan_id not in self._ended]

    def _has_ended(self, plan_id: UUID) -> bool:
        try:
            return self.is_end((self._place / str(plan_id)).read_bytes())
        except OSError:
            return False

    def looked(self, began: datetime, listed: Collection[UUID]) -> None:
        """Note that all plans were looked for, and those found have cursors.

        Args:
            began: When the look began.
            listed: What was found. Of these nothing is forgotten.

        Raises:
            OSError: It cannot be written.
        """
        since = began - LATE
        if since - self.since < MOVES_BY:
            return
        self._move(since)
        before = (since - LATE).timestamp()
        for plan_id in self._ended.difference(listed):
            path = self._place / str(plan_id)
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < before:
                    path.unlink()

    def _move(self, since: datetime) -> None:
        """Move the moment; whoever dies here leaves the old one."""
        beside = self._moment.with_name(f"since.{os.getpid()}")
        beside.write_text(f"{since.isoformat()}\n")
        beside.replace(self._moment)
        self.since = since
