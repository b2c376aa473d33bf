"""A directory with all that is in it: listed, compared, and packed to be sent."""

from __future__ import annotations

import fnmatch
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

from .checksums import Checksum

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
    def of(cls, root: str, exclude: tuple[str, ...] = ()) -> Tree:
        """Look at a directory. It runs in a thread.

        Args:
            root: Which.
            exclude: Patterns for what is left out.

        Raises:
            PluginError: It holds something that cannot be copied.
        """
        members = tuple(_members(Path(root), ".", exclude))
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

    def within(self, listing: frozenset[str]) -> frozenset[str]:
        """Those lines of a listing that tell of its members."""
        names = {member.name for member in self.members}
        lines: set[str] = set()
        for line in listing:
            kind, _, rest = line.partition(" ")
            if kind == "s":
                rest = rest.partition("  ")[2]
            if rest in names or (kind == "l" and rest.partition(" -> ")[0] in names):
                lines.add(line)
        return frozenset(lines)

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


def _is_excluded(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a pattern fits a name that begins with ``./``, or the last part of it."""
    parts = name.split("/")[1:]
    for pattern in patterns:
        wanted = pattern.strip("/").split("/")
        found = parts if "/" in pattern.rstrip("/") else parts[-1:]
        if len(wanted) == len(found) and all(
            fnmatch.fnmatchcase(*pair) for pair in zip(found, wanted, strict=True)
        ):
            return True
    return False


def _members(
    folder: Path, name: str, exclude: tuple[str, ...]
) -> Iterator[tarfile.TarInfo]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        member = tarfile.TarInfo(f"{name}/{entry.name}")
        if _is_excluded(member.name, exclude):
            continue
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
            yield from _members(folder / entry.name, member.name, exclude)
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


@attrs.frozen
class _There:
    """What is in a directory, taken out of its listing, by path."""

    kinds: dict[str, str]
    contents: dict[str, str]
    programs: frozenset[str]
    owners: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, listing: Iterable[str]) -> _There:
        kinds: dict[str, str] = {}
        contents: dict[str, str] = {}
        programs: set[str] = set()
        owners: dict[str, tuple[str, ...]] = {}
        for line in listing:
            kind, _, rest = line.partition(" ")
            match kind:
                case "x":
                    programs.add(rest)
                case "o":
                    owner, _, path = rest.partition(" ")
                    owners[path] = tuple(owner.split(":"))
                case "s":
                    content, _, path = rest.partition("  ")
                    kinds[path], contents[path] = "file", content
                case "l":
                    path, _, content = rest.partition(" -> ")
                    kinds[path], contents[path] = "link", content
                case "d":
                    kinds[rest], contents[rest] = "directory", ""
                case _:
                    kinds[rest] = "device, pipe or socket"
        return cls(kinds, contents, frozenset(programs), owners)


@attrs.frozen
class Update:
    """What to do to a directory on a host that is there already.

    What is in it and not in ours stays.

    Attributes:
        new: The paths of what is missing there.
        changed: The paths of what differs there.
        conflicts: The paths of what is something else there, a link and no file for
            example: this is for a person to look at.
        sent: What has to be sent.
        orders: A line for each thing to do there, after its letter: ``f`` and ``l`` put
            a file or link into its place, ``d`` makes a directory, ``x`` gives
            permissions, ``o`` the owner.
    """

    new: tuple[str, ...]
    changed: tuple[str, ...]
    conflicts: tuple[str, ...]
    sent: Tree
    orders: tuple[str, ...]

    @classmethod
    def of(
        cls,
        tree: Tree,
        ours: Iterable[str],
        theirs: Iterable[str],
        owner: tuple[str | None, str | None],
    ) -> Update:
        """Compare two listings.

        Args:
            tree: Our directory.
            ours: What is listed of it.
            theirs: What is listed of the host's.
            owner: The owner and the group that all of ours is to have.
        """
        here, there = _There.of(ours), _There.of(theirs)
        new: list[str] = []
        changed: list[str] = []
        conflicts: list[str] = []
        sent: list[tarfile.TarInfo] = []
        orders: list[str] = []
        for member in tree.members:
            path = member.name
            kind, found = here.kinds[path], there.kinds.get(path)
            is_same = found == kind and here.contents[path] == there.contents[path]
            is_owned = _is_owned(there.owners.get(path, ()), owner)
            runs_alike = (path in here.programs) == (path in there.programs)
            if found not in (None, kind):
                conflicts.append(f"{path} is a {found} there, and a {kind} here")
            elif not is_same:
                (changed if found else new).append(path)
                sent.append(member)
                orders.append(f"{kind[0]} {path}")
            elif not (is_owned and runs_alike):
                changed.append(path)
                if not runs_alike:
                    orders.append(f"x {member.mode:o} {path}")
                if not is_owned:
                    orders.append(f"o {path}")
        if not _is_owned(there.owners.get(".", ()), owner):
            changed.append(".")
            orders.append("o .")
        part = attrs.evolve(tree, members=tuple(sent))
        return cls(tuple(new), tuple(changed), tuple(conflicts), part, tuple(orders))


def _is_owned(found: tuple[str, ...], wanted: tuple[str | None, str | None]) -> bool:
    """Whether an owner, as numbers and as names, is the wanted one."""
    return all(
        wanted is None or wanted in found[index::2]
        for index, wanted in enumerate(wanted)
    )


def named(paths: Iterable[str]) -> str:
    """The first of some paths, for a message."""
    names = list(paths)
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def checksum_of_listing(listing: Iterable[str]) -> str:
    """One value for all that is in a directory."""
    text = "".join(f"{line}\n" for line in sorted(listing))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
