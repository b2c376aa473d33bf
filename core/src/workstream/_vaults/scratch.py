"""A directory for what is not finished: for one process, and gone when it is.

What a killed process left behind must neither keep the next one from working nor be
taken for somebody's work. So the directory is locked: the lock dies with its process.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from .._values.errors import StorageError


@contextmanager
def scratch_directory(path: Path) -> Generator[Path, None, None]:
    """An empty directory of this name, for this process alone; removed afterwards.

    The body may rename it: then it stays.

    Raises:
        StorageError: Another process is using it.
        OSError: It cannot be made.
    """
    import shutil  # it brings every kind of archive along, and few copy a store

    directory = _locked(path)
    try:
        with os.scandir(path) as left_behind:
            for entry in left_behind:
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)
        yield path
    finally:
        # By now the name may be another process's, or nobody's.
        with suppress(OSError):
            if _is(path, directory):
                shutil.rmtree(path)
        os.close(directory)


def _locked(path: Path) -> int:
    while True:
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        try:
            directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue  # its process has just finished with it
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(directory)
            message = f"another process is writing {path}: wait until it is done"
            raise StorageError(message) from None
        except OSError:
            os.close(directory)
            raise
        if _is(path, directory):
            return directory
        os.close(directory)


def _is(path: Path, directory: int) -> bool:
    """Whether the name still means the directory that was opened."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(directory))
    except FileNotFoundError:
        return False
