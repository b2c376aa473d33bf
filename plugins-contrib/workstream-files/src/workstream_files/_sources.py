"""What is to become a file: bytes at hand, or another file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Generator, Iterator
from typing import Protocol

import attrs

from workstream import PluginError, SecretRef

from ._requests import Content
from ._threads import look_up

CHUNK = 1024 * 1024
"""Bytes that are read or written before the next look at whether to go on."""


class Source(Protocol):
    """Bytes that can be read more than once."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """All of them, from the beginning."""
        ...


@attrs.frozen
class Data:
    """Bytes at hand.

    Attributes:
        content: The bytes, perhaps secret.
    """

    content: bytes = attrs.field(repr=False)

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        """All of them, from the beginning."""
        view = memoryview(self.content)
        for start in range(0, len(view), CHUNK):
            look_up()
            yield bytes(view[start : start + CHUNK])


@attrs.frozen
class FileSource:
    """A file that is open for reading.

    Attributes:
        path: Its path, for messages.
        fd: Its descriptor.
        found: What was known of it when it was opened.
    """

    path: str
    fd: int
    found: os.stat_result

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: str) -> Generator[FileSource]:
        """Open a regular file; anything else is refused, as reading it may never end."""
        # Not blocking, or opening a pipe would wait for its other end.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                message = f"{path} is not a regular file"
                raise PluginError(message, permanent=True)
            yield cls(path, fd, found)
        finally:
            os.close(fd)

    @property
    def size(self) -> int:
        """How many bytes it had when it was opened."""
        return self.found.st_size

    def chunks(self) -> Iterator[bytes]:
        """All of them, from the beginning.

        Raises:
            PluginError: It was changed since it was opened: what was read may be
                half the old content and half the new.
        """
        # Not to the end, for what is written to all the time has none.
        place = 0
        while place < self.size:
            data = self._read(min(CHUNK, self.size - place), place)
            look_up()
            if not data:
                break
            place += len(data)
            yield data
        now = os.fstat(self.fd)
        changed = now.st_mtime_ns != self.found.st_mtime_ns
        if changed or place != self.size or self._read(1, place):
            message = f"{self.path} was changed while it was read"
            raise PluginError(message)

    def _read(self, size: int, place: int) -> bytes:
        try:
            return os.pread(self.fd, size, place)
        except OSError as error:
            message = f"{self.path} cannot be read: {error.strerror or error}"
            raise PluginError(message) from error


def pieces(content: Content) -> tuple[str | bytes | SecretRef, ...]:
    """The pieces of a content, whatever form it was given in."""
    return content if isinstance(content, tuple) else (content,)


def has_secret(content: Content) -> bool:
    """Whether a content holds a secret."""
    return any(isinstance(piece, SecretRef) for piece in pieces(content))


def content_data(content: Content) -> bytes:
    """All of a content as bytes, its secrets revealed."""
    return b"".join(_piece_data(piece) for piece in pieces(content))


def _piece_data(piece: str | bytes | SecretRef) -> bytes:
    if isinstance(piece, bytes):
        return piece
    return (piece.reveal() if isinstance(piece, SecretRef) else piece).encode()


def digest(source: Source, checksum: str) -> str:
    """The checksum of the same algorithm as another, in the same form."""
    algorithm = checksum.partition(":")[0]
    running = hashlib.new(algorithm)
    for data in source.chunks():
        running.update(data)
    return f"{algorithm}:{running.hexdigest()}"


@attrs.frozen
class Checked:
    """A source that must have a checksum: known when its last chunk was taken.

    Attributes:
        source: The source itself.
        checksum: What it must have; "": anything.
        name: What to call it in the error.
    """

    source: Source
    checksum: str
    name: str

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.source.size

    def chunks(self) -> Iterator[bytes]:
        """All of them, from the beginning.

        Raises:
            PluginError: They are not what the checksum says; after the last of them.
        """
        if not self.checksum:
            yield from self.source.chunks()
            return
        algorithm, _, expected = self.checksum.partition(":")
        running = hashlib.new(algorithm)
        for data in self.source.chunks():
            running.update(data)
            yield data
        if running.hexdigest() != expected.lower():
            message = (
                f"{self.name} has the checksum {algorithm}:{running.hexdigest()}, "
                f"expected {self.checksum}"
            )
            raise PluginError(message)
