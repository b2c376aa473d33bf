"""A directory with all that is in it: listed, compared, and packed to be sent."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import attrs
import trio

from workstream import PluginError

from ._checksums import Checksum

__all__ = ["Tree", "checksum_of_file", "difference", "parse_listing"]

CHUNK = 256 * 1024
BLOCK, RECORD = tarfile.BLOCKSIZE, tarfile.RECORDSIZE
MOST_NAMED = 3


def checksum_of_file(path: str, kind: str) -> str:
    """The checksum of a file on this machine. It runs in a thread."""
    checksum = Checksum(kind)
    with open(path, "rb") as file:
        while data := file.read(CHUNK):
            trio.from_thread.check_cancelled()
            checksum.update(data)
    return checksum.value()


@attrs.frozen
class Tree:
    """A directory on this machine.

    Attributes:
        root: Where it is.
        mode: Its own permissions.
        members: What is in it, each with a name that begins with ``./``.
    """

    root: Path
    mode: int
    members: tuple[tarfile.TarInfo, ...]

    @classmethod
    def of(cls, root: str) -> Tree:
        """Look at a directory. It runs in a thread.

        Raises:
            PluginError: It holds something that cannot be copied.
        """
        members = tuple(_members(Path(root), "."))
        return cls(Path(root), stat.S_IMODE(os.stat(root).st_mode) & 0o777, members)

    @property
    def size(self) -> int:
        """How many bytes its files have together."""
        return sum(member.size for member in self.members)

    @property
    def packed_size(self) -> int:
        """How many bytes ``pack`` writes."""
        size = 2 * BLOCK
        for member in self.members:
            size += len(_header(member)) + -(-member.size // BLOCK) * BLOCK
        return -(-size // RECORD) * RECORD

    def listing(self, kind: str) -> frozenset[str]:
        """What is in it, as a host lists it. It runs in a thread."""
        return frozenset(self._lines(kind))

    def _lines(self, kind: str) -> Iterator[str]:
        for member in self.members:
            if member.isdir():
                yield f"d {member.name}"
            elif member.issym():
                yield f"l {member.name} -> {member.linkname}"
            else:
                if member.mode & 0o100:
                    yield f"x {member.name}"
                checksum = checksum_of_file(str(self.root / member.name), kind)
                yield f"s {checksum}  {member.name}"

    def pack(self, write: Callable[[bytes], None]) -> None:
        """Write it as a tar stream. It runs in a thread.

        Raises:
            PluginError: A file has become shorter meanwhile.
        """
        written = 0
        for member in self.members:
            header = _header(member)
            write(header)
            written += len(header)
            if member.isreg():
                padding = -member.size % BLOCK
                self._pack_file(member, write)
                write(bytes(padding))
                written += member.size + padding
        write(bytes(self.packed_size - written))

    def _pack_file(
        self, member: tarfile.TarInfo, write: Callable[[bytes], None]
    ) -> None:
        left = member.size
        with (self.root / member.name).open("rb") as file:
            while left:
                data = file.read(min(left, CHUNK))
                if not data:
                    message = f"{file.name} has become shorter while it was copied"
                    raise PluginError(message)
                write(data)
                left -= len(data)


def _members(folder: Path, name: str) -> Iterator[tarfile.TarInfo]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        member = tarfile.TarInfo(f"{name}/{entry.name}")
        if "\n" in entry.name:
            message = f"{entry.path!r} cannot be copied: its name holds a line break"
            raise PluginError(message, permanent=True)
        status = entry.stat(follow_symlinks=False)
        member.mode = stat.S_IMODE(status.st_mode) & 0o777
        member.mtime = int(status.st_mtime)
        if entry.is_symlink():
            member.type = tarfile.SYMTYPE
            member.linkname = os.readlink(entry.path)
            yield member
        elif entry.is_dir():
            member.type = tarfile.DIRTYPE
            yield member
            yield from _members(folder / entry.name, member.name)
        elif entry.is_file():
            member.size = status.st_size
            yield member
        else:
            message = f"{entry.path} is neither a file nor a directory nor a link"
            raise PluginError(message, permanent=True)


def _header(member: tarfile.TarInfo) -> bytes:
    # GNU's form of long names is understood by every tar that a host may have.
    return member.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def parse_listing(data: bytes) -> frozenset[str]:
    """What a host has listed."""
    lines: set[str] = set()
    for line in io.StringIO(data.decode("utf-8", "surrogateescape"), newline="\n"):
        line = line.rstrip("\n")
        if line.startswith("s \\"):
            # This is how sha256sum tells that it has escaped a backslash in a name.
            line = "s " + line[3:].replace("\\\\", "\\")
        if line:
            lines.add(line)
    return frozenset(lines)


def difference(ours: Iterable[str], theirs: Iterable[str]) -> str:
    """The first paths in which two listings differ, for a message; empty: none."""
    names = sorted({line[2:].rpartition("  ")[2] for line in set(ours) ^ set(theirs)})
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def checksum_of_listing(listing: Iterable[str]) -> str:
    """One value for all that is in a directory."""
    text = "".join(f"{line}\n" for line in sorted(listing))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
