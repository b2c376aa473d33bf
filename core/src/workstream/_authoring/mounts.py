"""Tell what cannot be replaced by a rename: the root of a mount."""

from __future__ import annotations

import os


def is_mount(path: str, *, dir_fd: int | None = None) -> bool:
    """Whether a file or directory is the root of a mount, so that no rename replaces it.

    Unlike ``os.path.ismount`` it knows files, and mounts of a part of the same file
    system, as containers have them. A symbolic link is none.

    Args:
        path: The file or directory.
        dir_fd: The descriptor of the directory that it is in; ``path`` is then its name.

    Raises:
        OSError: It is not there, or cannot be looked at.
    """
    place = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        if dir_fd is not None:
            return _mount_of(place) != _mount_of(dir_fd)
        above = os.path.dirname(os.path.abspath(path))
        parent = os.open(above, os.O_PATH | os.O_CLOEXEC)
        try:
            return _mount_of(place) != _mount_of(parent)
        finally:
            os.close(parent)
    finally:
        os.close(place)


def _mount_of(fd: int) -> str:
    """The line that names the mount of a descriptor; "": it cannot be told."""
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
            return "".join(line for line in file if line.startswith("mnt_id:"))
    except OSError:
        return ""
