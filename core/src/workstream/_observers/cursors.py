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
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from uuid import UUID

from .._protocols.vault import Vault
from .._vaults.lmdb.vault import LmdbVault

FOLDER = "observers"
"""The directory, in that of the store."""
_WIDTH = 20
"""Digits of a position: each write replaces the one before wholly."""
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

    def __init__(self, path: Path | None = None, file: int | None = None) -> None:
        self.position = 0
        self._path = path
        self._file = file
        if file is not None:
            with contextlib.suppress(ValueError, OSError):  # empty: from the beginning
                self.position = max(0, int(os.pread(file, _WIDTH, 0)))

    def move(self, position: int) -> None:
        """Note that everything up to this position was taken. Raises OSError."""
        self.position = position
        if self._file is not None:
            os.pwrite(self._file, b"%0*d" % (_WIDTH, position), 0)

    def close(self, *, told_all: bool) -> None:
        """Let go of it; one that was told everything is removed.

        Args:
            told_all: Whether nothing more will happen to the plan, and all of it was
                taken.
        """
        if self._file is None or self._path is None:
            return
        if told_all:
            with contextlib.suppress(OSError):
                self._path.unlink()  # before the lock goes: nobody finds it in between
        os.close(self._file)
        self._file = None


class Cursors:
    """The cursors of one observer in one store."""

    def __init__(self, vault: Vault, name: str) -> None:
        """Name the place; nothing is made yet.

        Args:
            vault: The store.
            name: The observer's.
        """
        self._folder = folder(vault, name) if isinstance(vault, LmdbVault) else None

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
            if os.fstat(file).st_nlink:  # else it was removed while this one waited
                return Cursor(path, file)
        except BlockingIOError:
            pass
        except BaseException:
            os.close(file)
            raise
        os.close(file)
        return None

    def owed(self) -> list[UUID]:
        """The plans of which something may still be owed, the oldest first."""
        found: list[UUID] = []
        if self._folder is not None:
            with contextlib.suppress(OSError):
                for name in sorted(os.listdir(self._folder)):
                    with contextlib.suppress(ValueError):  # somebody else's file
                        found.append(UUID(name))
        return found
