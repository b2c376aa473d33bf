"""Directories as a whole: what is there, put in place, removed, told to the disk.

All of it is done in threads that are waited for, cancelled or not.
"""

from __future__ import annotations

import contextlib
import ctypes
import enum
import filecmp
import os
import re
import shutil
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import trio

from workstream import PluginError
from workstream.plugins import is_mount, temporary_name

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
    return os.path.join(os.path.dirname(path), temporary_name(idempotency_key))


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
        if is_mount(path):
            message = (
                f"{path} is empty, but a file system is mounted there, which cannot be "
                "replaced: name a directory in it"
            )
            raise PluginError(message, permanent=True)
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


async def remove_half_made(git_directory: str) -> None:
    """Remove repositories of submodules of which a killed git had made only a part.

    Only for who knows that the one that made them has ended.
    """
    with trio.CancelScope(shield=True):
        await trio.to_thread.run_sync(_remove_half_made, Path(git_directory, "modules"))


def _remove_half_made(modules: Path) -> None:
    for objects in list(modules.rglob("objects")):
        repository = objects.parent
        inside = {*repository.relative_to(modules).parts}
        if inside & {"refs", "logs"} or not (repository / "config").is_file():
            continue  # a branch may be called so
        # A clone writes what it has fetched into packed-refs, when it has all of it.
        refs = (repository / "refs" / "remotes").rglob("*")
        has_refs = any(ref.is_file() for ref in refs)
        if not (repository / "packed-refs").exists() and not has_refs:
            settings = (repository / "config").read_text("utf-8", "replace")
            found = re.search(r"^\s*worktree = (.+)$", settings, re.MULTILINE)
            if found is not None:  # whose .git would lead nowhere
                link = repository / found[1].strip('"') / ".git"
                link.unlink(missing_ok=True)
            shutil.rmtree(repository)


def strip(path: str) -> None:
    """Take all that belongs to git out of a working tree: its own, and its submodules'."""
    for folder, directories, files in os.walk(path):
        if ".git" in directories:
            shutil.rmtree(os.path.join(folder, ".git"))
            directories.remove(".git")
        if ".git" in files:
            os.unlink(os.path.join(folder, ".git"))


def differences(one: str, other: str) -> list[str]:
    """How two directories differ: names below them, each with what is different."""
    found: list[str] = []
    _compare(one, other, "", found)
    return found


def _compare(one: str, other: str, below: str, found: list[str]) -> None:
    ours, theirs = (
        {entry.name: entry for entry in os.scandir(os.path.join(top, below))}
        for top in (one, other)
    )
    for name in sorted({*ours, *theirs}):
        place = os.path.join(below, name)
        if name not in ours:
            found.append(f"A {place}")
        elif name not in theirs:
            found.append(f"D {place}")
        elif _kind(ours[name]) != _kind(theirs[name]):
            found.append(f"T {place}")
        elif ours[name].is_dir(follow_symlinks=False):
            _compare(one, other, place, found)
        elif not _same(ours[name].path, theirs[name].path):
            found.append(f"M {place}")


def _kind(entry: os.DirEntry[str]) -> tuple[int, bool]:
    """What git knows of a file's mode: its type, and whether it can be run."""
    mode = entry.stat(follow_symlinks=False).st_mode
    return stat.S_IFMT(mode), stat.S_ISREG(mode) and bool(mode & stat.S_IXUSR)


def _same(one: str, other: str) -> bool:
    if os.path.islink(one):
        return os.readlink(one) == os.readlink(other)
    return filecmp.cmp(one, other, shallow=False)


def _remove_locks(git_directory: Path) -> None:
    for lock in _locks(git_directory):
        lock.unlink(missing_ok=True)


def _locks(git_directory: Path) -> Iterator[Path]:
    for name in LOCKED:
        yield git_directory / f"{name}.lock"
    yield from (git_directory / "refs").rglob("*.lock")
    # Those of submodules, whose repositories are in it.
    yield from (git_directory / "modules").rglob("*.lock")
