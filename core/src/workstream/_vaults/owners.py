"""Who runs which plan: claims that die with their process (ST-2).

A claim is a lock on one byte of the file ``owners``, at an offset that follows from the
plan's id. Such record locks fit as if made for it: the system drops them when the
process ends, however it ends; a forked child does not inherit them; they leave nothing
behind; and they can be asked who holds them.

They have two faces to beware of. A process never collides with itself, so what it holds
is remembered here too. And it loses *all* its locks on a file when it closes *any* of
its descriptors of that file, so there must be one ``Owners`` a store and process:
``LmdbVault.open`` sees to that.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
from pathlib import Path
from uuid import UUID

from .._values.errors import StorageError

OWNERS = "owners"
"""What the file is called in a store."""

_OPENED = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW

_OFFSETS = 1 << 62
"""How many plans can be told apart; file offsets end at 2 ** 63."""

# struct flock: type, whence, start, length, pid; the BSDs begin with the numbers.
_BSD = sys.platform == "darwin" or "bsd" in sys.platform
_FLOCK = struct.Struct("qqihh" if _BSD else "hhqqi4x")


class Owners:
    """The claims on the plans of one store."""

    def __init__(self, path: Path) -> None:
        """Open the file, made if need be. Raises OSError."""
        self._held: set[UUID] = set()
        self._file = os.open(path, _OPENED, 0o600)

    def close(self) -> None:
        """Let go of every claim."""
        self._held.clear()
        os.close(self._file)

    def claim(self, plan_id: UUID) -> bool:
        """Become the plan's owner; False when somebody is, this process included.

        Raises:
            StorageError: The system has no lock to give.
        """
        if plan_id in self._held:
            return False
        try:
            self._lock(plan_id, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            message = (
                f"plan {plan_id} cannot be claimed: the file system of the store gives "
                f"no locks ({error.strerror}); put the store on a local disk"
            )
            raise StorageError(message) from error
        self._held.add(plan_id)
        return True

    def release(self, plan_id: UUID) -> None:
        """Give a claim back; one that is not held is left alone."""
        if plan_id in self._held:
            self._held.discard(plan_id)
            self._lock(plan_id, fcntl.LOCK_UN)

    def owner(self, plan_id: UUID) -> int | None:
        """The process id of the plan's owner; None when there is none."""
        if plan_id in self._held:
            return os.getpid()
        start = _offset(plan_id)
        if _BSD:
            asked = _FLOCK.pack(start, 1, 0, fcntl.F_WRLCK, os.SEEK_SET)
            _, _, pid, kind, _ = _FLOCK.unpack(
                fcntl.fcntl(self._file, fcntl.F_GETLK, asked)
            )
        else:
            asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, 1, 0)
            kind, _, _, _, pid = _FLOCK.unpack(
                fcntl.fcntl(self._file, fcntl.F_GETLK, asked)
            )
        return None if kind == fcntl.F_UNLCK else int(pid)

    def _lock(self, plan_id: UUID, operation: int) -> None:
        fcntl.lockf(self._file, operation, 1, _offset(plan_id), os.SEEK_SET)


def _offset(plan_id: UUID) -> int:
    import hashlib  # 2 ms, and `list` claims nothing

    digest = hashlib.blake2b(plan_id.bytes, digest_size=8).digest()
    return int.from_bytes(digest, "big") % _OFFSETS
