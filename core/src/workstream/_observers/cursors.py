"""How far an observer has come with a plan: one small file for each (OB-2).

The file ``observers/NAME/PLAN-ID`` in the store's directory holds the position of the
last event that was taken. It is there from the moment at which the observer is first to
be told of the plan until it has been told of the plan's end. So the files that are there
say what is still owed, to whichever process comes next.

- **It survives kill -9** without a sync to disk: a write to a file outlives its process.
  After a power cut it may be older than the truth, or empty; then events come again,
  which an observer has to expect anyway. A sync would make the engine's own commits wait.
- **It is no part of the vault.** A vault has one writer for each plan, and what one
  observer has taken is nothing that a run, a backup or another observer needs to know.
- **It is locked while it is used**, so that two processes do not tell the same events at
  the same time. The system drops the lock with the process.

A vault that is no directory has none. There a position lasts as long as its process,
and after a crash everything that the log holds comes again.

Where a store runs its plans elsewhere, who follows it keeps such files in a directory of
its own (``_observers.followed``). There the file of a plan whose end was told stays for a
while, and says so: otherwise whoever finds the plan in a list would tell it once more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import ClassVar
from uuid import UUID

from .._protocols.vault import Vault
from .._vaults.lmdb.vault import LmdbVault

FOLDER = "observers"
"""The directory, in that of the store."""
_WIDTH = 20
"""Digits of a position: each write replaces the one before wholly."""
_ENDED = b" ended\n"
"""Behind the position, where a file stays: the plan has ended, and that was told."""
_OPENED = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


def folder(vault: LmdbVault, name: str) -> Path:
    """Where the cursors of an observer are."""
    return vault.path / FOLDER / name


def owing(vault: LmdbVault) -> list[str]:
    """The observers that have cursors in the store, in order."""
    with contextlib.suppress(OSError):
        return sorted(os.listdir(vault.path / FOLDER))
    return []


class Cursor:
    """How far one observer has come with one plan.

    Attributes:
        position: That of the last event that it has taken.
    """

    def __init__(
        self, path: Path | None = None, file: int | None = None, *, stays: bool = False
    ) -> None:
        self.position = 0
        self._path = path
        self._file = file
        self._stays = stays
        if file is not None:
            with contextlib.suppress(ValueError, OSError):  # empty: from the beginning
                self.position = max(0, int(os.pread(file, _WIDTH, 0)))

    def move(self, position: int) -> None:
        """Note that everything up to this position was taken. Raises OSError."""
        self.position = position
        if self._file is not None:
            os.pwrite(self._file, b"%0*d" % (_WIDTH, position), 0)

    def close(self, *, told_all: bool) -> None:
        """Let go of it; one that was told everything is removed, or says so.

        Args:
            told_all: Whether nothing more will happen to the plan, and all of it was
                taken.
        """
        if self._file is None or self._path is None:
            return
        if told_all:
            with contextlib.suppress(OSError):
                if self._stays:
                    os.pwrite(
                        self._file, b"%0*d%s" % (_WIDTH, self.position, _ENDED), 0
                    )
                else:
                    self._path.unlink()  # before the lock goes: nobody finds it between
        os.close(self._file)
        self._file = None


class Cursors:
    """The cursors of one observer in one store."""

    stays: ClassVar[bool] = False
    """Whether the file of a plan that has ended stays, and says so."""

    def __init__(self, folder: Path | None) -> None:
        """Name the directory; nothing is made yet. None: there is none to keep them."""
        self._folder = folder

    @classmethod
    def beside(cls, vault: Vault, name: str) -> Cursors:
        """Those of an observer that are kept beside the plans, where there is a place."""
        return cls(folder(vault, name) if isinstance(vault, LmdbVault) else None)

    def take(self, plan_id: UUID, *, create: bool = True) -> Cursor | None:
        """The cursor for a plan; None: another process has it, or there is none.

        Args:
            plan_id: The plan.
            create: Whether to begin one.

        Raises:
            OSError: It cannot be opened.
        """
        if self._folder is None:
            return Cursor() if create else None
        if create:
            self._folder.parent.mkdir(mode=0o700, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / str(plan_id)
        try:
            file = os.open(path, _OPENED | (os.O_CREAT if create else 0), 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.fstat(file)
            # Removed while this one waited, or told to its end.
            if found.st_nlink and found.st_size <= _WIDTH:
                return Cursor(path, file, stays=self.stays)
        except BlockingIOError:
            pass
        except BaseException:
            os.close(file)
            raise
        os.close(file)
        return None

    @staticmethod
    def is_end(content: bytes) -> bool:
        """Whether a file says that its plan has ended, and that this was told."""
        return content.endswith(_ENDED)

    def owed(self) -> list[UUID]:
        """The plans of which something may still be owed, the oldest first."""
        found: list[UUID] = []
        if self._folder is not None:
            with contextlib.suppress(OSError):
                for name in sorted(os.listdir(self._folder)):
                    with contextlib.suppress(ValueError):  # somebody else's file
                        found.append(UUID(name))
        return found
