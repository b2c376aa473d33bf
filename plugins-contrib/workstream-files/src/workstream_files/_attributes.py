"""Permissions and owners: as plans write them, as the system knows them."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import stat

from workstream import PluginError

from ._requests import FileFacts

MODE = re.compile(r"0?[0-7]{3,4}")


def mode_bits(mode: str) -> int:
    """The permissions that a text in octal means."""
    return int(mode, 8)


def mode_text(mode: int) -> str:
    """Permissions as text in octal, four digits."""
    return f"{stat.S_IMODE(mode):04o}"


def user_id(owner: str) -> int:
    """The number of a user given by name or number.

    Raises:
        PluginError: There is no such user.
    """
    if owner.isdecimal():
        return int(owner)
    try:
        return pwd.getpwnam(owner).pw_uid
    except KeyError:
        message = f"there is no user {owner!r} on this machine"
        raise PluginError(message) from None


def group_id(group: str) -> int:
    """The number of a group given by name or number.

    Raises:
        PluginError: There is no such group.
    """
    if group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        message = f"there is no group {group!r} on this machine"
        raise PluginError(message) from None


def user_name(number: int) -> str:
    """A user's name, or number if it has none."""
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return str(number)


def group_name(number: int) -> str:
    """A group's name, or number if it has none."""
    with contextlib.suppress(KeyError):
        return grp.getgrgid(number).gr_name
    return str(number)


def facts(path: str, found: os.stat_result | None) -> FileFacts:
    """What was found, for a response."""
    if found is None:
        return FileFacts(path=path, kind="none")
    return FileFacts(
        path=path,
        kind=_kind(found.st_mode),
        size=found.st_size,
        mode=mode_text(found.st_mode),
        owner=user_name(found.st_uid),
        group=group_name(found.st_gid),
        modified=found.st_mtime,
    )


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "link" if stat.S_ISLNK(mode) else "other"
