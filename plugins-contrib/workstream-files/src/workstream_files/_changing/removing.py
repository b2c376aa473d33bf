"""Removing, with care: what is removed is gone at once, and whole.

A directory is renamed to a temporary name before anything in it is removed, so nobody
ever sees half of it; if that is cut short, the next attempt removes the rest.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from workstream import PluginError
from workstream.plugins import Preview, temporary_name

from .._requests import FileChange, RemoveRequest
from .._threads import look_up
from .directory import Directory, opened, remove_tree
from .previewing import foreseen


def remove(request: RemoveRequest, idempotency_key: str) -> FileChange:
    """Remove what there is. For use in a thread.

    Raises:
        PluginError: It must not be removed, or cannot be.
    """
    folder, name = os.path.split(request.path)
    temporary = temporary_name(idempotency_key)
    if not os.path.isdir(folder):
        return FileChange(path=request.path, changed=False)
    with opened(folder) as directory:
        cleared = directory.clear(temporary)
        details, is_directory = _looked_over(request, directory, name)
        if details:
            if is_directory:
                directory.rename(name, temporary)
                remove_tree(directory.fd, temporary)
            else:
                directory.unlink(name)
            directory.sync()
        if cleared:
            rest = (
                "removed: the rest of what an interrupted attempt had begun to remove"
            )
            details = (rest, *details)
    return FileChange(path=request.path, changed=bool(details), details=details)


def foresee_removal(request: RemoveRequest) -> Preview:
    """What would be removed; nothing is. For use in a thread."""
    folder, name = os.path.split(request.path)
    if not os.path.isdir(folder):
        return foreseen(request.path, ())
    with opened(folder) as directory:
        return foreseen(request.path, _looked_over(request, directory, name)[0])


def _looked_over(
    request: RemoveRequest, directory: Directory, name: str
) -> tuple[tuple[str, ...], bool]:
    """What is to be removed, and whether it is a directory."""
    found = directory.look(name)
    if found is None:
        return (), False
    if stat.S_ISLNK(found.st_mode):
        target = os.readlink(name, dir_fd=directory.fd)
        return (f"removed: a link to {target}",), False
    if not stat.S_ISDIR(found.st_mode):
        return (f"removed: a file of {found.st_size:,} bytes",), False
    _guard(request.path, found, directory)
    entries = _count(request.path, found.st_dev)
    if not entries:
        return ("removed: an empty directory",), True
    if not request.recursive:
        message = (
            f"{request.path} is a directory with {entries:,} entries in it: say "
            "recursive=True if all of them are to be removed"
        )
        raise PluginError(message, permanent=True)
    return (f"removed: a directory with {entries:,} entries in it",), True


def _guard(path: str, found: os.stat_result, directory: Directory) -> None:
    """Refuse what nobody means to remove, by whatever way it is named."""
    real = Path(path).resolve()
    guarded = {
        "the root of the file system": "/",
        "the home of the engine's user": os.path.expanduser("~"),
        "the directory in which the engine runs": os.getcwd(),
    }
    for what, place in guarded.items():
        if Path(place).resolve().is_relative_to(real):
            holds = "is" if Path(place).resolve() == real else "holds"
            message = f"{path} {holds} {what}, and is not removed"
            raise PluginError(message, permanent=True)
    if os.fstat(directory.fd).st_dev != found.st_dev:
        message = f"{path} is where a file system is mounted: unmount that first"
        raise PluginError(message, permanent=True)


def _count(path: str, device: int) -> int:
    """Look through a directory before anything in it is removed; count what is there.

    Args:
        path: Where it is.
        device: The file system that all of it must be on.
    """
    entries = 0
    waiting = [path]
    while waiting:
        place = waiting.pop()
        with os.scandir(place) as found:
            inside = list(found)
        if inside and not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
            message = f"{place}: nothing in it may be removed by the engine's user"
            raise PluginError(message, permanent=True)
        for entry in inside:
            look_up()
            entries += 1
            if not entry.is_dir(follow_symlinks=False):
                continue
            if entry.stat(follow_symlinks=False).st_dev != device:
                message = (
                    f"{entry.path} is where another file system is mounted: unmount "
                    "that first"
                )
                raise PluginError(message, permanent=True)
            waiting.append(entry.path)
    return entries
