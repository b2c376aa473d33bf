"""Copies from hosts: the same as to them, with the places of the two sides changed."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

import trio

from workstream import Context, PluginError
from workstream.plugins import explained_timeout

from .._connecting.connections import Connections
from .._connecting.programs import new_mark, path_word, program
from .._connecting.talk import Waiting
from .._requests import CopyFrom, CopyResult
from .checksums import Checksum
from .copies import (
    Progress,
    checksum_here,
    copied,
    copying,
    local_error,
    mode_of_copy,
    was_changed,
)


async def copy_from(
    connections: Connections, context: Context, request: CopyFrom
) -> CopyResult:
    """Copy a file from a host.

    Raises:
        PluginError: It could not be copied; what was there is as it was.
    """
    waiting = Waiting()
    async with explained_timeout(lambda: f"waited for {waiting.what}"):
        return await _fetch(connections, context, request, waiting)


async def _fetch(
    connections: Connections, context: Context, request: CopyFrom, waiting: Waiting
) -> CopyResult:
    target = Path(request.target)
    try:
        found = await trio.to_thread.run_sync(_prepare, target, request.make_parents)
    except OSError as error:
        raise local_error(str(target.parent), error) from error
    incoming: _Incoming | None = None

    async def take(data: bytes) -> None:
        if incoming is not None:
            await trio.to_thread.run_sync(incoming.take, data)

    mark = new_mark()
    text = getting(request, mark)
    async with copying(
        connections, request, text, mark, stdout=take, waiting=waiting
    ) as session:
        first = await session.line()
        size, kind = int(first[1]), first[3]
        mode = mode_of_copy(request, int(first[2], 8), found)
        if found is not None and found.st_size == size:
            await session.host.send(b"sum\n")
            (_, theirs) = await session.line()
            if theirs == await checksum_here(str(target), kind):
                changed = await trio.to_thread.run_sync(_set_mode, target, mode)
                return copied(changed, size, f"{kind}:{theirs}")
        progress = Progress(context, waiting, f"{request.host}: {request.source}", size)
        prefix = f".workstream-{context.idempotency_key}-"
        try:
            incoming = await trio.to_thread.run_sync(
                _Incoming, target, prefix, kind, progress
            )
            with incoming:
                await session.host.send(b"send\n")
                await session.line()
                (_, _, theirs) = await session.line(end="sent")
                if incoming.size != size or theirs != incoming.checksum.value():
                    raise was_changed(request.source, request.host)
                await trio.to_thread.run_sync(incoming.finish, mode, found)
        except OSError as error:
            raise local_error(str(target), error) from error
    return copied(True, size, f"{kind}:{theirs}")


def getting(request: CopyFrom, mark: str) -> bytes:
    """The program that hands out a file."""
    return program(
        "common",
        "files",
        "get",
        become=request.become,
        token=mark,
        source=path_word(request.source),
    )


class _Incoming:
    """A file that is being received, under a temporary name beside its place."""

    def __init__(
        self, target: Path, prefix: str, kind: str, progress: Progress
    ) -> None:
        for left in target.parent.glob(f"{prefix}*"):  # by an attempt that was killed
            left.unlink(missing_ok=True)
        self._target = target
        self._path = target.with_name(prefix + new_mark()[:8])
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        self._file = os.fdopen(os.open(self._path, flags, 0o600), "wb")
        self._progress = progress
        self.size = 0
        self.checksum = Checksum(kind)

    def __enter__(self) -> _Incoming:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        self._path.unlink(missing_ok=True)

    def take(self, data: bytes) -> None:
        """Write the next piece."""
        self._file.write(data)
        self.checksum.update(data)
        self.size += len(data)
        trio.from_thread.run_sync(self._progress.moved, len(data))

    def finish(self, mode: int, found: os.stat_result | None) -> None:
        """Give it its name, durably, and the owner of the file that had it."""
        self._file.flush()
        if found is not None:
            self._keep_owner(found)
        os.fchmod(self._file.fileno(), mode)
        os.fsync(self._file.fileno())
        self._path.rename(self._target)
        directory = os.open(self._target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _keep_owner(self, found: os.stat_result) -> None:
        descriptor = self._file.fileno()
        own = os.fstat(descriptor)
        if (own.st_uid, own.st_gid) == (found.st_uid, found.st_gid):
            return
        try:
            os.fchown(descriptor, found.st_uid, found.st_gid)
        except PermissionError as error:
            message = (
                f"on this machine, {self._target} belongs to user {found.st_uid} and "
                f"group {found.st_gid}, and only root may give them another file. Remove "
                "it first, or copy to another place"
            )
            raise PluginError(message, permanent=True) from error


def found_here(path: Path) -> os.stat_result | None:
    """What is at the target of a copy to this machine.

    Raises:
        PluginError: It is nothing that a file may replace.
    """
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(found.st_mode):
        message = (
            f"{path} is a symbolic link to {os.readlink(path)}, which is neither replaced "
            "nor followed: name the file that it leads to, or remove it"
        )
        raise PluginError(message, permanent=True)
    if stat.S_ISDIR(found.st_mode):
        message = f"{path} is a directory"
        raise PluginError(message, permanent=True)
    return found


def _prepare(target: Path, make_parents: bool) -> os.stat_result | None:
    if make_parents:
        target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.is_dir():
        message = f"the directory {target.parent} does not exist: see make_parents"
        raise PluginError(message, permanent=True)
    return found_here(target)


def _set_mode(path: Path, mode: int) -> bool:
    """Give a file its permissions; whether it had others."""
    if stat.S_IMODE(path.stat().st_mode) == mode:
        return False
    path.chmod(mode)
    return True
