"""Copies to and from hosts: compared first, sent beside their place, renamed into it."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import BinaryIO

import attrs
import trio

from workstream import Context, PluginError
from workstream.plugins import explained_timeout

from .._connecting.connections import Connections
from .._connecting.hosts import Host
from .._connecting.problems import cannot_write
from .._connecting.programs import new_mark, path_word, program, word
from .._connecting.talk import Sink, Talk, Waiting, discard, talk
from .._requests import CopyFrom, CopyResult, CopyTo
from .checksums import Checksum
from .trees import (
    Tree,
    Update,
    checksum_of_file,
    checksum_of_listing,
    named,
    parse_listing,
)

CHUNK = 256 * 1024
PROGRESS_EVERY = 8 * 1024 * 1024
STDERR_KEPT = 600

_FAULTS = {
    "appeared": ("somebody else has made {path} meanwhile", False),
    "directory": ("{path} is a directory", True),
    "file": ("{path} exists, and is no directory", True),
    "link": (
        "{path} is a symbolic link, and ssh.copy neither replaces nor follows one: name the file "
        "that it leads to, or remove it",
        True,
    ),
    "missing": ("there is no {path}", True),
    "owner": (
        "{path} cannot be given its owner and group, those that it has or those that are "
        "asked for: only root may give files away. See become",
        True,
    ),
    "parent": ("the directory above {path} does not exist: see make_parents", True),
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
        PluginError: It could not be copied; what was there is as it was, but for files
            of a directory that have been updated already.
    """
    waiting = Waiting()
    async with explained_timeout(lambda: f"waited for {waiting.what}"):
        if await trio.to_thread.run_sync(os.path.isdir, request.source):
            return await _put_tree(connections, context, request, waiting)
        with await open_source(request) as file:
            return await _put_file(connections, context, request, file, waiting)


async def _put_file(
    connections: Connections,
    context: Context,
    request: CopyTo,
    file: BinaryIO,
    waiting: Waiting,
) -> CopyResult:
    status = os.fstat(file.fileno())
    size = status.st_size
    mode = mode_of_copy(request, status.st_mode)
    progress = Progress(context, waiting, f"{request.host}: {request.target}", size)
    async with _putting(
        connections, context, request, "file", size, mode, waiting
    ) as session:
        first = await session.line()
        kind = first[1]
        if first[0] == "there":
            checksum = await checksum_here(request.source, kind)
            if first[2:] == (checksum,):
                changed = await session.ends_with("keep", kept=False, changed=True)
                return copied(changed, size, f"{kind}:{checksum}")
        sent = Checksum(kind)

        async def send(host: Talk) -> None:
            left = size
            while left:
                data = await trio.to_thread.run_sync(file.read, min(left, CHUNK))
                if not data:
                    raise was_changed(request.source)
                sent.update(data)
                await host.send(data)
                left -= len(data)
                progress.moved(len(data))

        await session.host.send(f"send {size}\n".encode())
        session.host.feed(send)
        got = await session.line()
        checksum = sent.value()
        if got[1:] != (checksum,):
            raise _damaged(request.host, request.target)
        await session.ends_with("commit", changed=True)
    return copied(True, size, f"{kind}:{checksum}")


async def _put_tree(
    connections: Connections, context: Context, request: CopyTo, waiting: Waiting
) -> CopyResult:
    tree = await tree_of(request)
    async with _putting(
        connections, context, request, "tree", tree.packed_size, tree.mode, waiting
    ) as session:
        first = await session.line()
        await session.line()
        ours = await listing_of(tree, request, first[1])
        checksum = f"sha256:{checksum_of_listing(ours)}"
        sent = tree
        if first[0] == "there":
            update = update_of(request, tree, ours, session.listing())
            if not update.orders:
                await session.ends_with("keep", kept=False)
                return copied(False, tree.size, checksum)
            count = len(update.new) + len(update.changed)
            context.report(f"{count:,} of {len(tree.members):,} entries to be updated")
            orders = "".join(f"{line}\n" for line in update.orders).encode(
                "utf-8", "surrogateescape"
            )
            await session.host.send(f"update {len(orders)}\n".encode())
            await session.line()
            # While it is sent nobody listens, but nobody has anything to say either.
            await session.host.send(orders)
            await session.line()
            sent = update.sent
        size = sent.packed_size
        progress = Progress(context, waiting, f"{request.host}: {request.target}", size)

        async def send(host: Talk) -> None:
            def write(data: bytes) -> None:
                trio.from_thread.run(host.send, data)
                progress.moved(len(data))

            try:
                await trio.to_thread.run_sync(sent.pack, write)
            except OSError as error:
                raise local_error(request.source, error) from error

        await session.host.send(f"send {size}\n".encode())
        session.host.feed(send)
        await session.line()
        await session.line()
        if not sent.within(ours) <= session.listing():
            raise _damaged(request.host, request.target)
        await session.ends_with("commit", changed=True)
    return copied(True, tree.size, checksum)


async def tree_of(request: CopyTo) -> Tree:
    """The directory to be copied.

    Raises:
        PluginError: It cannot be.
    """
    if request.mode is not None:
        message = f"{request.source} is a directory: mode= is for a file only"
        raise PluginError(message, permanent=True)
    try:
        return await trio.to_thread.run_sync(Tree.of, request.source, request.exclude)
    except OSError as error:
        raise local_error(request.source, error) from error


async def listing_of(tree: Tree, request: CopyTo, kind: str) -> frozenset[str]:
    """What is in the directory to be copied, with checksums of this kind."""
    try:
        return await trio.to_thread.run_sync(tree.listing, kind)
    except OSError as error:
        raise local_error(request.source, error) from error


def update_of(
    request: CopyTo, tree: Tree, ours: frozenset[str], theirs: frozenset[str]
) -> Update:
    """What is to be done to a directory that is there.

    Raises:
        PluginError: Something there is of another kind: that is for a person to look at.
    """
    update = Update.of(tree, ours, theirs, (request.owner, request.group))
    if update.conflicts:
        message = (
            f"{request.host}: {request.target} exists, and cannot be updated: "
            f"{named(update.conflicts)}. Nothing was changed. Remove that there, or copy "
            "to another name"
        )
        raise PluginError(message, permanent=True)
    return update


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
        if cause in ("write", "parents") or "home" in words[3:]:
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
    waiting: Waiting,
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
        told=word(request.mode is not None),
        owner=word(request.owner),
        group=word(request.group),
        parents=word(request.make_parents),
    )
    async with copying(connections, request, text, mark, waiting=waiting) as session:
        yield session


@asynccontextmanager
async def copying(
    connections: Connections,
    request: CopyTo | CopyFrom,
    text: bytes,
    mark: str,
    *,
    stdout: Sink = discard,
    waiting: Waiting | None = None,
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
        waiting=waiting,
    ) as host_talk:
        if waiting is not None:
            waiting.what = f"{request.host}: an answer about {request.target}"
        path = request.target if isinstance(request, CopyTo) else request.source
        yield Session(host_talk, path, err, out)


@attrs.define
class Progress:
    """Tells now and then how far a copy has come.

    Attributes:
        context: Whom to tell.
        waiting: Where a timeout finds it.
        what: What is copied.
        total: How many bytes that is.
        done: How many have been copied.
        told: How many of them were told.
    """

    context: Context
    waiting: Waiting
    what: str
    total: int
    done: int = 0
    told: int = 0

    def moved(self, size: int) -> None:
        """So much more has been copied."""
        self.done += size
        so_far = f"{self.done:,} of {self.total:,} bytes"
        self.waiting.what = f"{self.what}: the copy to be made, {so_far} so far"
        if self.done - self.told >= PROGRESS_EVERY:
            self.told = self.done
            self.context.report(so_far, done=self.done, total=self.total)


def copied(changed: bool, size: int, checksum: str) -> CopyResult:
    """The response of a copy."""
    return CopyResult(changed=changed, size=size, checksum=checksum)


def mode_of_copy(
    request: CopyTo | CopyFrom, source_mode: int, found: os.stat_result | None = None
) -> int:
    """The permissions that the copy of a file gets; there may be one already."""
    if request.mode is not None:
        return request.mode
    if found is not None:
        return stat.S_IMODE(found.st_mode)
    return stat.S_IMODE(source_mode) & 0o777


async def open_source(request: CopyTo) -> BinaryIO:
    """Open a file to be copied.

    Raises:
        PluginError: It is none, or may not be read.
    """
    if request.exclude:
        message = f"{request.source} is no directory: exclude= is for a directory only"
        raise PluginError(message, permanent=True)
    try:
        return await trio.to_thread.run_sync(_open, request.source)
    except OSError as error:
        raise local_error(request.source, error) from error


def _open(path: str) -> BinaryIO:
    # Not to wait for somebody to write to a named pipe.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        message = f"{path} is neither a file nor a directory"
        raise PluginError(message, permanent=True)
    return file


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


def was_changed(path: str, host: Host | None = None) -> PluginError:
    """That a file was not the same from its beginning to its end."""
    where = f"{host}: " if host else ""
    return PluginError(f"{where}{path} was changed while it was copied")


def _damaged(host: Host, target: str) -> PluginError:
    message = (
        f"{host}: the bytes that arrived for {target} differ from those that were sent"
    )
    return PluginError(message)
