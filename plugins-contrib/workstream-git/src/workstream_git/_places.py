"""Directories as a whole: what is there, put in place, removed, told to the disk.

All of it is done in threads that are waited for, cancelled or not.
"""

from __future__ import annotations

import contextlib
import ctypes
import enum
import hashlib
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import trio

from workstream import PluginError

__all__ = [
    "Place",
    "make_directory",
    "put",
    "real_path",
    "remove",
    "remove_locks",
    "survey",
    "sync",
    "temporary_path",
]

LOCKED = ("index", "HEAD", "config", "shallow", "packed-refs", "ORIG_HEAD")
"""What git locks outside ``refs``, by a file with ``.lock`` behind its name."""


class Place(enum.Enum):
    """What there is where a repository is to be."""

    FREE = "free"
    """Nothing, or an empty directory."""
    REPOSITORY = "repository"
    """A working tree with its repository, or a bare repository."""
    TAKEN = "taken"
    """Anything else."""


async def real_path(path: str) -> str:
    """The path without links in it."""
    return await trio.to_thread.run_sync(os.path.realpath, path)


def temporary_path(path: str, idempotency_key: str) -> str:
    """Where an action makes what it then renames: beside its final place."""
    digest = hashlib.sha256(idempotency_key.encode()).hexdigest()[:24]
    return os.path.join(os.path.dirname(path), f".workstream-{digest}.tmp")


async def survey(path: str) -> Place:
    """What there is at a path.

    Raises:
        PluginError: It cannot be told.
    """
    return await trio.to_thread.run_sync(_survey, path)


def _survey(path: str) -> Place:
    try:
        names = set(os.listdir(path))
    except FileNotFoundError:
        return Place.FREE
    except NotADirectoryError:
        return Place.TAKEN
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise PluginError(message, permanent=True) from error
    if not names:
        return Place.FREE
    is_repository = ".git" in names or {"HEAD", "objects", "refs"} <= names
    return Place.REPOSITORY if is_repository else Place.TAKEN


async def make_directory(path: str) -> None:
    """Make a directory and those that it is in, where they are missing.

    Raises:
        PluginError: It cannot be made.
    """
    try:
        await trio.to_thread.run_sync(partial(os.makedirs, path, exist_ok=True))
    except OSError as error:
        message = f"the directory {path} cannot be made: {error.strerror}"
        raise PluginError(message) from error


async def remove(path: str) -> None:
    """Remove a directory with all that is in it, if it is there; never interrupted."""
    with trio.CancelScope(shield=True):
        try:
            await trio.to_thread.run_sync(_remove, path)
        except OSError as error:
            message = f"{error.filename}: {error.strerror}"
            raise PluginError(message) from error


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)


async def put(temporary: str, path: str) -> None:
    """Give a directory its final name, durably: with all that is in it.

    Raises:
        PluginError: Somebody was there first.
    """
    try:
        await trio.to_thread.run_sync(_put, temporary, path)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise PluginError(message) from error


def _put(temporary: str, path: str) -> None:
    _sync(temporary)
    os.rename(temporary, path)
    _sync(os.path.dirname(path))


async def sync(path: str) -> None:
    """Tell the disk all that was written to the file system of a path."""
    await trio.to_thread.run_sync(_sync, path)


def _sync(path: str) -> None:
    # Git writes files without telling the disk; one by one is slower than all at once.
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(fd)


async def remove_locks(git_directory: str) -> None:
    """Remove the locks that a git has left which was killed.

    Only for who knows that the one that made them has ended.
    """
    await trio.to_thread.run_sync(_remove_locks, Path(git_directory))


def _remove_locks(git_directory: Path) -> None:
    for lock in _locks(git_directory):
        lock.unlink(missing_ok=True)


def _locks(git_directory: Path) -> Iterator[Path]:
    for name in LOCKED:
        yield git_directory / f"{name}.lock"
    yield from (git_directory / "refs").rglob("*.lock")
