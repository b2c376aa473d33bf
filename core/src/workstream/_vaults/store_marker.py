"""Whether a directory is a store of ours, and of which version.

A store directory holds a file ``workstream`` that says so, in words, before it holds
anything else. So nothing is ever written into a directory that belongs to someone else,
and an engine that is too old for a store says so instead of reading it wrongly.

No name of ours may be a link. A store that somebody hands over could otherwise make
whoever opens it write into, or truncate, any file of theirs.

A store is for one user, and closed to all others: what plans hold is nobody else's
business, and files that two users make can be opened by neither. Root is no exception.
"""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path

from .._values.errors import StorageError, StoreFormatError

VERSION = 2
"""The version of the store's layout that this engine writes; it reads all up to it.

1 had no index (``_vaults.lmdb.index.keys``): an engine that knows no other would not keep it.
"""

MARKER = "workstream"
"""The file that says so."""
UNFINISHED = ".workstream-"
"""What the names of files and directories begin with that are not finished yet."""
_NAMES = (MARKER, "data.mdb", "lock.mdb", "owners")
"""What a store's files are called."""
_TEXT = re.compile(r"workstream store, version (\d+)\n")
_NOT_OURS = "point --store at a directory that is new, empty, or a workstream store"


def check_directory(path: Path, *, create: bool) -> None:
    """Make sure that this is a store of this version; begin one where allowed.

    Args:
        path: The directory.
        create: Whether to begin a store in a directory that is new or empty.

    Raises:
        StoreFormatError: It is something else, or a store of a newer version.
        StorageError: There is none, or it cannot be written.
    """
    try:
        if path.is_symlink() and not path.exists():
            message = (
                f"the store at {path} cannot be opened: it is a link to what is not "
                f"there, {os.readlink(path)}: mount or make that, or name another"
            )
            raise StorageError(message)
        if not path.exists():
            if not create:
                message = f"there is no store at {path}"
                raise StorageError(message)
            _make(path)
        if not path.is_dir():
            message = f"{path} is a file, and a store is a directory: {_NOT_OURS}"
            raise StoreFormatError(message)
        _check_owner(path)
        refuse_links(path)
        check_marker(path, create=create)
    except (OSError, ValueError) as error:
        # What no path can be is a ValueError: one with a NUL, for example.
        why = getattr(error, "strerror", None) or error
        where = getattr(error, "filename", None) or path
        message = (
            f"the store at {path} cannot be opened: {why}: {where}; name another "
            "directory by --store or WORKSTREAM_STORE"
        )
        raise StorageError(message) from error
    if not os.access(path, os.W_OK | os.X_OK):
        message = (
            f"the store at {path} cannot be written: its directory is read-only for "
            "this user"
        )
        raise StorageError(message)


def refuse_links(path: Path) -> None:
    """Raise StoreFormatError when a name of ours in the directory leads elsewhere."""
    for name in _NAMES:
        if (path / name).is_symlink():
            message = (
                f"the store at {path} is not opened: its {name} is a link, and what it "
                "leads to would be written over; look who put it there, and restore the "
                "store from a backup"
            )
            raise StoreFormatError(message)


def _make(path: Path) -> None:
    """Make a directory, with its parents, so that a power cut takes none of them."""
    missing = [path, *(parent for parent in path.parents if not parent.exists())]
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in missing:
        sync_path(each.parent)


def _check_owner(path: Path) -> None:
    owner = path.stat().st_uid
    if owner != os.geteuid():
        name = _user(owner)
        message = (
            f"the store at {path} belongs to {name}, and a store is for one user: run "
            f"this as {name}, or use a store of your own"
        )
        raise StorageError(message)


def _user(number: int) -> str:
    try:
        return f"user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"user {number}"


def check_marker(path: Path, *, create: bool = False) -> int:
    """Make sure that the directory says it is a store; its version.

    Args:
        path: The directory.
        create: Whether to begin a store where there is nothing.

    Raises:
        StoreFormatError: It is something else, or a store of a newer version.
        StorageError: There is none.
        OSError: It cannot be read or written.
    """
    marker = path / MARKER
    if not marker.exists():
        # Another process may be beginning the same store: look again before refusing.
        foreign = foreign_entries(path)
        if marker.exists():
            pass
        elif foreign:
            message = (
                f"{path} is not a workstream store: it holds {foreign[0]!r}; "
                f"{_NOT_OURS}"
            )
            raise StoreFormatError(message)
        elif create:
            _write_marker(path)
        else:
            message = f"there is no store at {path}: the directory is empty"
            raise StorageError(message)
    # To read what is no file, a pipe, may take for ever.
    text = marker.read_bytes() if marker.is_file() else b""
    found = _TEXT.fullmatch(text.decode(errors="replace"))
    if found is None:
        message = f"{marker} is not what a workstream store begins with; {_NOT_OURS}"
        raise StoreFormatError(message)
    version = int(found[1])
    if version > VERSION:
        message = (
            f"the store at {path} is of version {version}, and this engine knows up to "
            f"version {VERSION}: use a newer workstream"
        )
        raise StoreFormatError(message)
    return version


def raise_version(path: Path) -> None:
    """Let a store of an earlier version say that it is of this one. Raises OSError."""
    if check_marker(path) < VERSION:
        _write_marker(path)


def foreign_entries(path: Path) -> list[str]:
    """What keeps a directory without a marker from becoming a store: names, sorted."""
    names = sorted(entry.name for entry in path.iterdir())
    # A fresh file system brings lost+found.
    return [
        name
        for name in names
        if not name.startswith(UNFINISHED) and name != "lost+found"
    ]


def _write_marker(path: Path) -> None:
    """Whoever looks finds the whole marker or none; two writers do no harm."""
    path.chmod(0o700)
    draft = path / f"{UNFINISHED}{os.getpid()}"
    # What a process of this number left behind, or a link that waits for this one.
    draft.unlink(missing_ok=True)
    try:
        made = os.open(
            draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
        )
        with os.fdopen(made, "w", encoding="utf-8") as file:
            file.write(f"workstream store, version {VERSION}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path / MARKER)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_path(path)


def sync_path(path: Path) -> None:
    """Make durable what a file holds, or which names a directory has. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
