"""The directory for the sockets of connections: only its owner can look into it."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from pathlib import Path

from workstream import PluginError

LONGEST = 60
"""Characters of its path: the path of a socket has at most 107, of which ssh needs 17
for itself while it makes one."""

LEFT_FOR = 3600.0
"""Seconds after which what a dead process has left is removed."""


def runtime_directory() -> Path:
    """The directory, made if need be.

    It is the user's own and survives no reboot: ``$XDG_RUNTIME_DIR``, or else ``/tmp``.

    Raises:
        PluginError: Somebody else has a directory of that name, or may look into it.
    """
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    path = Path(own, "workstream-ssh")
    if not own.startswith("/") or not Path(own).is_dir() or len(str(path)) > LONGEST:
        path = Path("/tmp", f"workstream-ssh-{os.getuid()}")
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        message = f"{path} cannot be made: {error.strerror}"
        raise PluginError(message, permanent=True) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        message = f"{path} is not a directory of ours: see who made it, and remove it"
        raise PluginError(message, permanent=True)
    if stat.S_IMODE(found.st_mode) != 0o700:
        path.chmod(0o700)
    return path


def sweep() -> None:
    """Remove what processes that were killed have left in the directory.

    The name of each file there begins with the number of the process that made it.
    """
    long_ago = time.time() - LEFT_FOR
    for path in runtime_directory().iterdir():
        number = path.name.partition("-")[0]
        if number.isdecimal() and not _is_running(int(number)):
            with contextlib.suppress(FileNotFoundError):
                if path.lstat().st_mtime < long_ago:
                    path.unlink()


def _is_running(process: int) -> bool:
    # Not by /proc, which a machine may lack or hide.
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
