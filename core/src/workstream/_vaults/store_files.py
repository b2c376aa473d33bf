"""Whether the names of a store's files still mean the files that were opened.

A system lets go on whoever has a file open that was removed, moved or replaced; nothing
tells them. But what they write is then seen by nobody, and a lock that they hold keeps
nobody out. SQLite calls that one of the ways to corrupt a database, and refuses to write
to a file that was moved; so does this.

It is asked before each commit, so it has to be quick. Nothing is made or removed in a
store's directory while it is in use: as long as the path leads to the same directory, and
its time of change is the same, so are its files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from .._values.errors import StorageError

_LONG_AGO = 2_000_000_000
"""Nanoseconds: longer than any file system's tick."""


class FilesInPlace:
    """Files of a store that are open, by name."""

    def __init__(self, directory: Path, names: Iterable[str]) -> None:
        """Remember which files these are. Raises OSError when one is not there."""
        self._directory = directory
        base = os.path.abspath(directory)
        # Where only the way from here may be walked, that one is.
        self._base = base if os.path.exists(base) else os.fspath(directory)
        self._quiet: tuple[int, int, int] | None = None
        paths = [os.path.join(self._base, name) for name in names]
        self._known = [(path, identity(path)) for path in paths]

    def check(self) -> None:
        """See that they are still the same. Raises StorageError."""
        try:
            status = os.stat(self._base)
        except OSError:
            self._check_each()
            return
        now = (status.st_dev, status.st_ino, status.st_mtime_ns)
        if now != self._quiet:
            self._check_each()
            # A change within the same tick of the clock would leave the time as it is.
            is_old = time.time_ns() - status.st_mtime_ns > _LONG_AGO
            self._quiet = now if is_old else None

    def _check_each(self) -> None:
        for path, known in self._known:
            try:
                if identity(path) == known:
                    continue
                happened = "replaced by another"
            except (FileNotFoundError, NotADirectoryError):
                happened = "removed or moved"
            except OSError:
                continue  # what cannot be seen is not known to be wrong
            message = (
                f"the store at {self._directory} is not used any more by this process: "
                f"its {os.path.basename(path)} was {happened} while it was open. Nothing "
                "was written since. End all processes that use the store, see that its "
                "files are the right ones (else restore a backup), and start again"
            )
            raise StorageError(message)


def identity(path: str | os.PathLike[str]) -> tuple[int, int]:
    """What tells a file, or a directory, from all others, by whatever name."""
    status = os.stat(path)
    return status.st_dev, status.st_ino
