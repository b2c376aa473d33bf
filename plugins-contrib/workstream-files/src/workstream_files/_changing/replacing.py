"""A file put in place whole: written beside, told to the disk, renamed.

At every moment, a power cut included, there is either what was there before or all of
what is wanted, with its owner and permissions. Until the rename the new file is in a
directory that only the engine's user can enter, so nobody else reads a secret in it.
Every failure and cancellation removes that directory; of a killed attempt, the next
attempt removes it.

A file that is a mount of its own cannot be replaced. It is refused, or, if the plan says
``in_place=True``, its content is written over.
"""

from __future__ import annotations

import errno
import os
import stat

import attrs

from workstream import PluginError
from workstream.plugins import temporary_name

from .._attributes import (
    group_id,
    group_name,
    mode_bits,
    mode_text,
    user_id,
    user_name,
)
from .._requests import FileChange
from .._sources import Source
from .._threads import ADVICE, STAYS, look_up
from .directory import Directory, opened

NEW = "new"
"""What the file is called before it is in its place."""

MOST_IN_PLACE = 64 * 1024 * 1024
"""Bytes of a file that is written over: its old and its new content are in memory."""

ROOM = {errno.EDQUOT, errno.EFBIG, errno.ENOSPC}


@attrs.frozen(kw_only=True)
class Wanted:
    """A file as it is to be.

    Attributes:
        path: Where.
        source: Its content.
        mode: Its permissions, in octal; None: as they are.
        new_mode: The permissions of one that is not there yet, if ``mode`` is None.
        owner: Its user; None: as it is.
        group: Its group; None: as it is.
        parents: Whether to make the directories it is in.
        in_place: Whether its content may be written over where it is a mount.
    """

    path: str
    source: Source
    mode: str | None
    new_mode: int
    owner: str | None
    group: str | None
    parents: bool
    in_place: bool


@attrs.frozen(kw_only=True)
class Comparison:
    """How a file differs from what is wanted.

    Attributes:
        found: What there is; None: nothing.
        same_content: Whether its content is as wanted.
        is_mount: Whether it is a mount of its own, and so cannot be replaced.
        mode: The permissions it is to have.
        user: The user it is to belong to; None: whoever makes it.
        group: The group, likewise.
        details: The differences, a clause each; none: it is as wanted.
    """

    found: os.stat_result | None
    same_content: bool
    is_mount: bool
    mode: int
    user: int | None
    group: int | None
    details: tuple[str, ...]


def replace(wanted: Wanted, idempotency_key: str) -> FileChange:
    """Make a file what it is to be, unless it is. For use in a thread.

    Raises:
        PluginError: It cannot be; then it is as it was before.
    """
    folder, name = os.path.split(wanted.path)
    temporary = temporary_name(idempotency_key)
    with opened(folder, parents=wanted.parents) as directory:
        directory.clear(temporary)
        comparison = _compared(wanted, directory, name)
        if not comparison.details:
            return FileChange(path=wanted.path, changed=False)
        try:
            if comparison.same_content:
                _change_attributes(wanted, comparison, directory, name)
            elif comparison.is_mount:
                _write_over(wanted, comparison, directory, name)
            else:
                _put_in_place(wanted, comparison, directory, name, temporary)
        except OSError as error:
            raise _failure(wanted, directory, error) from error
    return FileChange(path=wanted.path, changed=True, details=comparison.details)


def compare(wanted: Wanted) -> Comparison:
    """How a file differs from what is wanted; nothing is changed.

    Raises:
        PluginError: It can never be, or not be told.
    """
    folder, name = os.path.split(wanted.path)
    if wanted.parents and not os.path.lexists(folder):
        made = _comparison(wanted, None, same_content=False)
        details = (f"directory {folder}: created", *made.details)
        return attrs.evolve(made, details=details)
    with opened(folder) as directory:
        return _compared(wanted, directory, name)


def _compared(wanted: Wanted, directory: Directory, name: str) -> Comparison:
    found = directory.look(name)
    if found is None:
        return _comparison(wanted, None, same_content=False)
    if stat.S_ISLNK(found.st_mode):
        target = os.readlink(name, dir_fd=directory.fd)
        message = (
            f"{wanted.path} is a symbolic link to {target}: name that file instead, or "
            "remove the link first"
        )
        raise PluginError(message, permanent=True)
    if not stat.S_ISREG(found.st_mode):
        what = "a directory" if stat.S_ISDIR(found.st_mode) else "a special file"
        message = f"{wanted.path} is {what}: remove it first, or name another path"
        raise PluginError(message, permanent=True)
    same = found.st_size == wanted.source.size and _same(wanted, directory, name)
    is_mount = not same and directory.is_mount(name)
    if is_mount and not wanted.in_place:
        raise _is_mount(wanted)
    return _comparison(wanted, found, same_content=same, is_mount=is_mount)


def _is_mount(wanted: Wanted) -> PluginError:
    message = (
        f"{wanted.path} is a mount of its own (containers mount /etc/hosts, for "
        "example), so it cannot be replaced in one step. Say in_place=True to have its "
        "content written over, of which others may see half; or change the file that "
        "is mounted there"
    )
    # With in_place=True it was mounted in this moment, which the next attempt sees.
    return PluginError(message, permanent=not wanted.in_place)


def _same(wanted: Wanted, directory: Directory, name: str) -> bool:
    fd = directory.open(name, os.O_RDONLY | os.O_NONBLOCK)
    place = 0
    try:
        for data in wanted.source.chunks():
            if os.pread(fd, len(data), place) != data:
                return False
            place += len(data)
    finally:
        os.close(fd)
    return True


def _comparison(
    wanted: Wanted,
    found: os.stat_result | None,
    *,
    same_content: bool,
    is_mount: bool = False,
) -> Comparison:
    user = None if wanted.owner is None else user_id(wanted.owner)
    group = None if wanted.group is None else group_id(wanted.group)
    details: list[str] = []
    if found is None:
        mode = wanted.new_mode if wanted.mode is None else mode_bits(wanted.mode)
        created = f"created: {wanted.source.size:,} bytes, mode {mode_text(mode)}"
        if wanted.owner is not None:
            created += f", owner {wanted.owner}"
        if wanted.group is not None:
            created += f", group {wanted.group}"
        details.append(created)
    else:
        old = stat.S_IMODE(found.st_mode)
        mode = old if wanted.mode is None else mode_bits(wanted.mode)
        # The new file is another one, so it must be told to be the old one's owner's.
        user = found.st_uid if user is None else user
        group = found.st_gid if group is None else group
        if not same_content:
            how = ", written over in place" if is_mount else ""
            details.append(
                f"content: {found.st_size:,} bytes -> {wanted.source.size:,} bytes{how}"
            )
        if mode != old:
            details.append(f"mode: {mode_text(old)} -> {mode_text(mode)}")
        if user != found.st_uid:
            details.append(f"owner: {user_name(found.st_uid)} -> {user_name(user)}")
        if group != found.st_gid:
            details.append(f"group: {group_name(found.st_gid)} -> {group_name(group)}")
    return Comparison(
        found=found,
        same_content=same_content,
        is_mount=is_mount,
        mode=mode,
        user=user,
        group=group,
        details=tuple(details),
    )


def _change_attributes(
    wanted: Wanted, comparison: Comparison, directory: Directory, name: str
) -> None:
    fd = directory.open(name, os.O_RDONLY | os.O_NONBLOCK)
    try:
        _set_attributes(wanted, comparison, fd)
        os.fsync(fd)
    finally:
        os.close(fd)


def _put_in_place(
    wanted: Wanted,
    comparison: Comparison,
    directory: Directory,
    name: str,
    temporary: str,
) -> None:
    """Write the file beside its place, to the disk, and move it there; or leave nothing."""
    with directory.private(temporary) as beside:
        fd = beside.open(NEW, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            for data in wanted.source.chunks():
                _write_all(fd, data)
            _set_attributes(wanted, comparison, fd)
            os.fsync(fd)
        finally:
            os.close(fd)
        look_up()
        directory.put(beside, NEW, name)
    directory.sync()


def _write_over(
    wanted: Wanted, comparison: Comparison, directory: Directory, name: str
) -> None:
    """Write the new content over the old one; put that back if it fails."""
    found = comparison.found
    assert found is not None
    if max(wanted.source.size, found.st_size) > MOST_IN_PLACE:
        message = (
            f"{wanted.path} has more than {MOST_IN_PLACE:,} bytes, before or afterwards, "
            "and is not written over: change the file that is mounted there"
        )
        raise PluginError(message, permanent=True)
    # All of it first, for from the first byte that is written on there is no way back:
    # a wrong checksum, a source that cannot be read, a cancellation come before.
    new = b"".join(wanted.source.chunks())
    fd = directory.open(name, os.O_RDWR | os.O_NONBLOCK)
    try:
        old = os.pread(fd, found.st_size + 1, 0)
        look_up()
        try:
            _overwrite(fd, new)
        except OSError as error:
            try:
                _overwrite(fd, old)
            except OSError:
                message = (
                    f"{wanted.path} was written over and may be half old, half new: "
                    f"{error.strerror}; writing the old content back failed too"
                )
                raise PluginError(message) from error
            raise
        _set_attributes(wanted, comparison, fd)
        os.fsync(fd)
    finally:
        os.close(fd)


def _overwrite(fd: int, data: bytes) -> None:
    try:
        os.posix_fallocate(fd, 0, max(len(data), 1))
    except OSError as error:
        if error.errno in ROOM:  # or the file system has no such thing
            raise
    os.lseek(fd, 0, os.SEEK_SET)
    _write_all(fd, data)
    os.ftruncate(fd, len(data))


def _failure(wanted: Wanted, directory: Directory, error: OSError) -> PluginError:
    """Why a file could not be written, in words that name it and nothing of ours."""
    if error.errno == errno.EBUSY:
        return _is_mount(wanted)
    reason = error.strerror or str(error)
    message = f"{wanted.path} could not be written: {reason}"
    if error.errno in ROOM:
        message += f" (with {wanted.source.size:,} bytes to write)"
    message += "; nothing was changed"
    protection = ""
    if error.errno == errno.EPERM:
        protection = directory.protection(os.path.basename(wanted.path))
    if protection:
        message += f": {protection}: take that off first"
    elif error.errno in ADVICE and error.errno not in (*ROOM, errno.ENOENT):
        message += f"; {ADVICE[error.errno]}"
    return PluginError(message, permanent=error.errno in STAYS)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _set_attributes(wanted: Wanted, comparison: Comparison, fd: int) -> None:
    now = os.fstat(fd)
    user = now.st_uid if comparison.user is None else comparison.user
    group = now.st_gid if comparison.group is None else comparison.group
    if (user, group) != (now.st_uid, now.st_gid):
        try:
            os.fchown(fd, user, group)
        except PermissionError as error:
            message = (
                f"{wanted.path} cannot be made to belong to {user_name(user)}:"
                f"{group_name(group)} by the engine's user, {user_name(os.geteuid())}: "
                "run the engine as root, or say another owner and group"
            )
            raise PluginError(message, permanent=True) from error
    # After the owner, as a change of that takes permissions away.
    if stat.S_IMODE(os.fstat(fd).st_mode) != comparison.mode:
        os.fchmod(fd, comparison.mode)
