"""Work on files happens in threads: that of the event loop must never wait for a disk.

A thread cannot be cancelled, and none is ever left to itself: whoever is cancelled
waits for it, so that no file changes behind the back of what comes next (A-5). The work
looks for the cancellation itself, between one piece and the next (``look_up``), and
leaves by way of its own clearing up.
"""

from __future__ import annotations

import errno
import functools
import os
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import trio

from workstream import PluginError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

MOST_THREADS = 20
"""Kept apart from trio's own, in which a store may want to write: a disk that hangs
then holds up what is done with files, and no more."""

STAYS = {
    errno.EACCES,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}
"""What does not go by itself; anything else may be tried again."""

ADVICE = {
    errno.EACCES: "see whether the user who runs the engine may do this",
    errno.EBUSY: "it is in use as a mount: unmount it first",
    errno.EDQUOT: "the user's share of the disk is used up: remove something",
    errno.ENOENT: "see that it is there, and all the directories above it",
    errno.ENOSPC: "the disk is full: make room on it",
    errno.ENOTDIR: "a part of this path is a file where a directory should be",
    errno.EPERM: "see whether the user who runs the engine may do this",
    errno.EROFS: "it is on a file system that can only be read",
}
"""What to do about what operators meet most."""

OUR_OWN = re.compile(r"((?:.*/)?)\.workstream-[0-9a-f]{24}\.tmp(?:/.*)?")
"""A file that is not in its place yet; nobody else knows its name."""

_limiter: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar("files")


async def in_thread(
    function: Callable[Parameters, Result],
    /,
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> Result:
    """Call a function in a thread, and wait for it, cancelled or not.

    Raises:
        PluginError: For every ``OSError`` of the function, with the file's name.
    """
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = trio.CapacityLimiter(MOST_THREADS)
        _limiter.set(limiter)
    call = functools.partial(function, *args, **kwargs)
    try:
        return await trio.to_thread.run_sync(call, limiter=limiter)
    except OSError as error:
        raise plugin_error(error) from error


def look_up() -> None:
    """Leave the work by an exception if its task is cancelled. For use in threads."""
    trio.from_thread.check_cancelled()


def plugin_error(error: OSError, path: str | None = None) -> PluginError:
    """What went wrong with a file, as a sentence that names it."""
    where = path if path is not None else _name_of(error)
    own = OUR_OWN.fullmatch(where)
    if own is not None:
        where = f"a new file in {own[1].rstrip('/') or '/'}"
    message = f"{where}: {error.strerror or error}"
    if error.errno in ADVICE:
        message += f"; {ADVICE[error.errno]}"
    return PluginError(message, permanent=error.errno in STAYS)


def _name_of(error: OSError) -> str:
    name: object = error.filename
    if isinstance(name, (str, bytes)):
        return os.fsdecode(name)
    return "the file"
