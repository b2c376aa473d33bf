"""Copies to and from hosts: compared first, sent beside their place, renamed into it."""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import attrs
import trio

from workstream import Context, PluginError

from ._checksums import Checksum
from ._connections import Connections
from ._hosts import Host
from ._problems import cannot_write
from ._programs import new_mark, path_word, program, word
from ._requests import CopyFrom, CopyResult, CopyTo
from ._talk import Sink, Talk, discard, talk
from ._trees import (
    Tree,
    checksum_of_file,
    checksum_of_listing,
    difference,
    parse_listing,
)

__all__ = [
    "Session",
    "checksum_here",
    "copy_from",
    "copy_to",
    "copying",
    "has_size",
    "local_error",
    "mode_of_copy",
    "open_source",
    "tree_differs",
]

CHUNK = 256 * 1024
PROGRESS_EVERY = 8 * 1024 * 1024
STDERR_KEPT = 600

_FAULTS = {
    "appeared": ("somebody else has made {path} meanwhile", False),
    "directory": ("{path} is a directory", True),
    "file": ("{path} is there already, and is no directory", True),
    "missing": ("there is no {path}", True),
    "parent": ("the directory above {path} is not there: see make_parents", True),
    "parents": ("the directories above {path} cannot be made", False),
    "read": ("{path} cannot be read to its end", False),
    "special": ("{path} is no file", True),
    "unreadable": ("{path} may not be read", True),
    "write": ("the copy cannot be written as {path}", False),
}


async def copy_to(
    connections: Connections, context: Context, request: CopyTo
) -> CopyResult:
    """Copy a file or a directory to a host.

    Raises:
        PluginError: It could not be copied; what was there is as it was.
    """
    if await trio.to_thread.run_sync(os.path.isdir, request.source):
        return await _put_tree(connections, context, request)
    try:
        file = await trio.to_thread.run_sync(open_source, request.source)
    except OSError as error:
        raise local_error(request.source, error) from error
    with file:
        return await _put_file(connections, context, request, file)


async def _put_file(
    connections: Connections, context: Context, request: CopyTo, file: BinaryIO
) -> CopyResult:
    status = os.fstat(file.fileno())
    size = status.st_size
    mode = mode_of_copy(request, status.st_mode)
    progress = _Progress(context, request.host, size)
    async with _putting(connections, context, request, "file", size, mode) as session:
        first = await session.line()
        kind = first[1]
        if first[0] == "there":
            checksum = await checksum_here(request.source, kind)
            if first[2:] == (checksum,):
                changed = await session.ends_with("keep", kept=False, changed=True)
                return _copied(changed, size, f"{kind}:{checksum}")
        sent = Checksum(kind)

        async def send(host: Talk) -> None:
            left = size
            while left:
                data = await trio.to_thread.run_sync(file.read, min(left, CHUNK))
                if not data:
                    raise _changed(request.source)
                sent.update(data)
                await host.send(data)
                left -= len(data)
                progress.moved(len(data))

        await session.host.send(b"send\n")
        session.host.feed(send)
        got = await session.line()
        checksum = sent.value()
        if got[1:] != (checksum,):
            raise _damaged(request.host, request.target)
        await session.ends_with("commit", changed=True)
    return _copied(True, size, f"{kind}:{checksum}")


async def _put_tree(
    connections: Connections, context: Context, request: CopyTo
) -> CopyResult:
    if request.mode is not None:
        message = f"{request.source} is a directory, which a mode cannot be given for"
        raise PluginError(message, permanent=True)
    try:
        tree = await trio.to_thread.run_sync(Tree.of, request.source)
    except OSError as error:
        raise local_error(request.source, error) from error
    size = tree.packed_size
    progress = _Progress(context, request.host, size)
    async with _putting(
        connections, context, request, "tree", size, tree.mode
    ) as session:
        first = await session.line()
        await session.line()
        try:
            ours = await trio.to_thread.run_sync(tree.listing, first[1])
        except OSError as error:
            raise local_error(request.source, error) from error
        checksum = f"sha256:{checksum_of_listing(ours)}"
        theirs = session.listing()
        if first[0] == "there":
            if ours != theirs:
                raise tree_differs(request, ours, theirs)
            await session.ends_with("keep", kept=False)
            return _copied(False, tree.size, checksum)

        async def send(host: Talk) -> None:
            def write(data: bytes) -> None:
                trio.from_thread.run(host.send, data)
                progress.moved(len(data))

            try:
                await trio.to_thread.run_sync(tree.pack, write)
            except OSError as error:
                raise local_error(request.source, error) from error

        await session.host.send(b"send\n")
        session.host.feed(send)
        await session.line()
        await session.line()
        if session.listing() != ours:
            raise _damaged(request.host, request.target)
        await session.ends_with("commit", changed=True)
    return _copied(True, tree.size, checksum)


async def copy_from(
    connections: Connections, context: Context, request: CopyFrom
) -> CopyResult:
    """Copy a file from a host.

    Raises:
        PluginError: It could not be copied; what was there is as it was.
    """
    target = Path(request.target)
    try:
        await trio.to_thread.run_sync(_prepare_target, target, request.make_parents)
    except OSError as error:
        raise local_error(str(target.parent), error) from error
    incoming: _Incoming | None = None

    async def take(data: bytes) -> None:
        if incoming is not None:
            await trio.to_thread.run_sync(incoming.take, data)

    mark = new_mark()
    text = program(
        "common",
        "files",
        "get",
        become=request.become,
        token=mark,
        source=path_word(request.source),
    )
    async with copying(connections, request, text, mark, take) as session:
        first = await session.line()
        size, kind = int(first[1]), first[3]
        mode = mode_of_copy(request, int(first[2], 8))
        if await trio.to_thread.run_sync(has_size, target, size):
            await session.host.send(b"sum\n")
            (_, theirs) = await session.line()
            if theirs == await checksum_here(str(target), kind):
                changed = await trio.to_thread.run_sync(_set_mode, target, mode)
                return _copied(changed, size, f"{kind}:{theirs}")
        progress = _Progress(context, request.host, size)
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
                    raise _changed(request.source, request.host)
                await trio.to_thread.run_sync(incoming.finish, mode)
        except OSError as error:
            raise local_error(str(target), error) from error
    return _copied(True, size, f"{kind}:{theirs}")


class Session:
    """The talk about one copy."""

    def __init__(
        self, host: Talk, path: str, stderr: bytearray, out: bytearray
    ) -> None:
        self.host = host
        self._path = path
        self._stderr = stderr
        self._out = out

    async def line(self, end: str | None = None) -> tuple[str, ...]:
        """The next line. The end of the program is a fault, but for the one named."""
        words = await self.host.line()
        if words[0] != "end" or words[1] == end:
            return words
        raise await self._fault(words)

    async def ends_with(self, order: str, **ends: bool) -> bool:
        """Give the last order; it must come to one of these ends, which says the rest."""
        await self.host.send(f"{order}\n".encode())
        words = await self.host.line()
        if words[0] == "end" and words[1] in ends:
            return ends[words[1]]
        raise await self._fault(words)

    def listing(self) -> frozenset[str]:
        """What was listed since the last time."""
        data = bytes(self._out)
        self._out.clear()
        return parse_listing(data)

    async def _fault(self, words: tuple[str, ...]) -> PluginError:
        await self.host.all_read()
        said = self._stderr.decode("utf-8", "replace").split("\n")
        detail = "".join(f": {line.strip()}" for line in said[-3:] if line.strip())
        cause = words[2] if len(words) > 2 else " ".join(words)
        unknown = (f"{{path}} could not be copied ({cause})", False)
        message, permanent = _FAULTS.get(cause, unknown)
        message = message.format(path=self._path)
        if cause in ("write", "parents"):
            cure = "Name a path where it may, or a user who may as become="
            return cannot_write(self.host.host, message, words[3:], detail, cure)
        return PluginError(f"{self.host.host}: {message}{detail}", permanent=permanent)


@asynccontextmanager
async def _putting(
    connections: Connections,
    context: Context,
    request: CopyTo,
    kind: str,
    size: int,
    mode: int,
) -> AsyncGenerator[Session, None]:
    mark = new_mark()
    parent, base = posixpath.split(request.target.rstrip("/"))
    text = program(
        "common",
        "files",
        "put",
        become=request.become,
        token=mark,
        kind=word(kind),
        parent=path_word(parent or "/"),
        base=word(base),
        key=word(context.idempotency_key),
        unique=word(mark[:8]),
        size=word(size),
        mode=word(f"{mode:o}"),
        parents=word(request.make_parents),
    )
    async with copying(connections, request, text, mark) as session:
        yield session


@asynccontextmanager
async def copying(
    connections: Connections,
    request: CopyTo | CopyFrom,
    text: bytes,
    mark: str,
    stdout: Sink = discard,
) -> AsyncGenerator[Session, None]:
    """The talk with a program on a host about one copy."""
    out, err = bytearray(), bytearray()

    async def take_stdout(data: bytes) -> None:
        out.extend(data)

    async def take_stderr(data: bytes) -> None:
        err.extend(data)
        del err[:-STDERR_KEPT]

    async with talk(
        connections,
        request.host,
        text,
        mark,
        become=request.become,
        stdout=take_stdout if stdout is discard else stdout,
        stderr=take_stderr,
    ) as host_talk:
        path = request.target if isinstance(request, CopyTo) else request.source
        yield Session(host_talk, path, err, out)


class _Incoming:
    """A file that is being received, under a temporary name beside its place."""

    def __init__(
        self, target: Path, prefix: str, kind: str, progress: _Progress
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

    def finish(self, mode: int) -> None:
        """Give it its name, durably."""
        self._file.flush()
        os.fchmod(self._file.fileno(), mode)
        os.fsync(self._file.fileno())
        self._path.rename(self._target)
        directory = os.open(self._target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


@attrs.define
class _Progress:
    """Tells now and then how far a copy has come."""

    context: Context
    host: Host
    total: int
    done: int = 0
    told: int = 0

    def moved(self, size: int) -> None:
        """So much more has been copied."""
        self.done += size
        if self.done - self.told >= PROGRESS_EVERY:
            self.told = self.done
            message = f"{self.done:,} of {self.total:,} bytes"
            self.context.report(message, done=self.done, total=self.total)


def _copied(changed: bool, size: int, checksum: str) -> CopyResult:
    return CopyResult(changed=changed, size=size, checksum=checksum)


def mode_of_copy(request: CopyTo | CopyFrom, source_mode: int) -> int:
    """The permissions that the copy of a file gets."""
    if request.mode is not None:
        return request.mode
    return stat.S_IMODE(source_mode) & 0o777


def tree_differs(
    request: CopyTo, ours: frozenset[str], theirs: frozenset[str]
) -> PluginError:
    """That a directory is there which is not the one to be copied."""
    message = (
        f"{request.host}: {request.target} is there already and differs: "
        f"{difference(ours, theirs)}. A directory is never changed: give the new one "
        "another name"
    )
    return PluginError(message, permanent=True)


def open_source(path: str) -> BinaryIO:
    """Open a file to be copied. It runs in a thread."""
    # Not to wait for somebody to write to a named pipe.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        message = f"{path} is neither a file nor a directory"
        raise PluginError(message, permanent=True)
    return file


def _prepare_target(target: Path, make_parents: bool) -> None:
    if make_parents:
        target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.is_dir():
        message = f"the directory {target.parent} is not there: see make_parents"
        raise PluginError(message, permanent=True)
    if target.is_dir():
        message = f"{target} is a directory"
        raise PluginError(message, permanent=True)


def has_size(path: Path, size: int) -> bool:
    """Whether there is a file of this size here."""
    return path.is_file() and path.stat().st_size == size


def _set_mode(path: Path, mode: int) -> bool:
    """Give a file its permissions; whether it had others."""
    if stat.S_IMODE(path.stat().st_mode) == mode:
        return False
    path.chmod(mode)
    return True


async def checksum_here(path: str, kind: str) -> str:
    """The checksum of a file on this machine."""
    try:
        return await trio.to_thread.run_sync(checksum_of_file, path, kind)
    except OSError as error:
        raise local_error(path, error) from error


def local_error(path: str, error: OSError) -> PluginError:
    """What went wrong with a file on this machine."""
    permanent = isinstance(
        error, (FileNotFoundError, PermissionError, NotADirectoryError)
    )
    where = f"{error.filename}" if error.filename else path
    return PluginError(
        f"on this machine, {where}: {error.strerror}", permanent=permanent
    )


def _changed(path: str, host: Host | None = None) -> PluginError:
    where = f"{host}: " if host else ""
    return PluginError(f"{where}{path} was changed while it was copied")


def _damaged(host: Host, target: str) -> PluginError:
    message = f"{host}: what arrived for {target} differs from what was sent"
    return PluginError(message)
