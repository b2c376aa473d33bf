"""A directory that is being changed: held open, told to the disk, cleared of leftovers.

All that is done in it goes by its descriptor, so that it is done in one and the same
directory even if somebody renames it meanwhile.

Whatever takes time is made under a temporary name in the same directory and renamed
when it is whole; renaming is the one step in which a file system lets nobody see a
middle. The temporary name is made from the action's idempotency key. So the next
attempt of the action knows what a killed one has left, removes that, and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
from collections.abc import Generator

import attrs

from workstream import PluginError
from workstream.plugins import is_mount, is_temporary_name

from .._threads import look_up, plugin_error

PARENT_MODE = 0o755
PRIVATE_MODE = 0o700

GET_FLAGS = 0x80086601
"""The request of ``ioctl`` for a file's attributes as ``lsattr`` shows them."""
FLAGS = {0x10: "immutable (chattr +i)", 0x20: "append-only (chattr +a)"}


@attrs.frozen
class Directory:
    """A directory, open.

    Attributes:
        path: Where it is, for messages.
        fd: Its descriptor.
    """

    path: str
    fd: int

    def look(self, name: str) -> os.stat_result | None:
        """What is there under a name, links not followed; None: nothing."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, name: str, flags: int, mode: int = 0o600) -> int:
        """Open something in it; a link is refused."""
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, mode, dir_fd=self.fd)

    def rename(self, old: str, new: str) -> None:
        """Rename, durably; what has the new name is replaced."""
        self.put(self, old, new)
        self.sync()

    def put(self, place: Directory, old: str, new: str) -> None:
        """Move something here from another directory; what has the new name is replaced.

        Raises:
            OSError: It cannot be; it names the one of the two that users know.
        """
        try:
            os.rename(old, new, src_dir_fd=place.fd, dst_dir_fd=self.fd)
        except OSError as error:
            known = old if is_temporary_name(new) else new
            raise OSError(error.errno, error.strerror, known) from error

    @contextlib.contextmanager
    def private(self, name: str) -> Generator[Directory]:
        """Make a directory in it that nobody else can enter; remove it afterwards.

        A file in it may have its final owner and permissions before it is in its place.
        """
        os.mkdir(name, PRIVATE_MODE, dir_fd=self.fd)
        try:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(name, flags, dir_fd=self.fd)
            try:
                yield Directory(os.path.join(self.path, name), fd)
            finally:
                # Not remove_tree, which ends where the task is cancelled.
                for left in os.listdir(fd):
                    os.unlink(left, dir_fd=fd)
                os.close(fd)
        finally:
            os.rmdir(name, dir_fd=self.fd)

    def is_mount(self, name: str) -> bool:
        """Whether something of another mount is there, be it of the same file system."""
        return is_mount(name, dir_fd=self.fd)

    def protection(self, name: str) -> str:
        """Which attribute keeps a file, or this directory, from change; "": none."""
        with contextlib.suppress(OSError):
            fd = self.open(name, os.O_RDONLY | os.O_NONBLOCK)
            try:
                if flags := _flags_of(fd):
                    return f"it is {flags}"
            finally:
                os.close(fd)
        flags = _flags_of(self.fd)
        return f"the directory {self.path} is {flags}" if flags else ""

    def unlink(self, name: str) -> None:
        """Remove a file or a link, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def clear(self, name: str) -> bool:
        """Remove what a killed attempt has left under its temporary name, if anything."""
        found = self.look(name)
        if found is None:
            return False
        if stat.S_ISDIR(found.st_mode):
            remove_tree(self.fd, name)
        else:
            self.unlink(name)
        return True

    def sync(self) -> None:
        """Tell the disk which names are in it."""
        try:
            os.fsync(self.fd)
        except OSError as error:
            # Some network file systems have no such thing for directories.
            if error.errno != errno.EINVAL:
                raise


@contextlib.contextmanager
def opened(path: str, *, parents: bool = False) -> Generator[Directory]:
    """Open a directory.

    Args:
        path: Where it is; links on the way to it are followed.
        parents: Whether to make it, and those it is in, where they are missing.

    Raises:
        PluginError: It is not there, or no directory; it names it. For every
            ``OSError`` of the block that names a file by its name in the directory
            alone, too: with the whole path.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    if parents:
        _make(path)
    try:
        fd = os.open(path, flags)
    except FileNotFoundError as error:
        message = (
            f"the directory {path} does not exist: make it first, or say parents=True "
            "where the request has it"
        )
        raise PluginError(message) from error
    try:
        yield Directory(path, fd)
    except OSError as error:
        name: object = error.filename
        where = os.path.join(path, name) if isinstance(name, str) else path
        if error.errno == errno.EPERM and isinstance(name, str):
            protection = Directory(path, fd).protection(name)
            if protection:
                message = (
                    f"{where}: {error.strerror}; {protection}: take that off first"
                )
                raise PluginError(message, permanent=True) from error
        raise plugin_error(error, where) from error
    finally:
        os.close(fd)


def _flags_of(fd: int) -> str:
    """Which attribute of a file keeps everybody from changing it; "": none."""
    try:
        packed = fcntl.ioctl(fd, GET_FLAGS, struct.pack("L", 0))
    except OSError:
        return ""  # not every file system has such attributes
    flags = struct.unpack("L", packed)[0]
    return next((text for flag, text in FLAGS.items() if flags & flag), "")


def _make(path: str) -> None:
    """Make a directory and those it is in, each known to the disk before the next."""
    missing: list[str] = []
    at = path
    while not os.path.isdir(at) and at != os.path.dirname(at):
        missing.append(at)
        at = os.path.dirname(at)
    for directory in reversed(missing):
        try:
            os.mkdir(directory, PARENT_MODE)
        except FileExistsError:
            # Another sequence may want the same one at the same time.
            if not os.path.isdir(directory):
                raise
        with opened(os.path.dirname(directory)) as parent:
            parent.sync()


def remove_tree(at: int, name: str) -> None:
    """Remove a directory with all that is in it; links are removed, never followed.

    Args:
        at: The descriptor of the directory that it is in.
        name: Its name there.
    """
    fd = os.open(
        name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at
    )
    try:
        with os.scandir(fd) as entries:
            found = list(entries)
        for entry in found:
            look_up()
            if entry.is_dir(follow_symlinks=False):
                remove_tree(fd, entry.name)
            else:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(entry.name, dir_fd=fd)
    finally:
        os.close(fd)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(name, dir_fd=at)
