"""What an operator wants to know of a store on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import attrs

from ..store_marker import check_marker
from . import layout

if TYPE_CHECKING:
    from .environment import Environment
    from .reader import Reader

_A_PLAN = 17
"""How long the key of a row is."""


@attrs.frozen(kw_only=True)
class StoreHealth:
    """How a store is; sizes in bytes.

    Attributes:
        path: Its directory.
        version: Of its layout.
        plans: The ids of all plans, those that cannot be read included.
        size: What its files take on the disk.
        used: How far the data file has grown; what was deleted is used again.
        map_size: How far it may grow.
        disk_free: What is left on its disk for this user.
        readers: The slots of readers, of all processes, in use or used before.
        readers_cleared: How many slots of readers that died this process has cleared.
        open_to_others: The names of what others than its owner may open; ``.`` is the
            directory itself.
    """

    path: Path
    version: int
    plans: tuple[UUID, ...]
    size: int
    used: int
    map_size: int
    disk_free: int
    readers: int
    readers_cleared: int
    open_to_others: tuple[str, ...]


def measured(path: Path, env: Environment, reader: Reader) -> StoreHealth:
    """How the store is now. Raises OSError when its directory cannot be read."""
    map_size, used, readers = env.measures()
    disk = os.statvfs(path)
    files = [entry for entry in path.iterdir() if entry.is_file()]
    # The marker tells nothing that others should not know.
    private = [path, *(file for file in files if file.suffix == ".mdb")]
    return StoreHealth(
        path=path,
        version=check_marker(path),
        plans=tuple(
            UUID(bytes=key[1:])
            for key, _ in reader.all_of(layout.ROW)
            if len(key) == _A_PLAN
        ),
        size=sum(file.stat().st_blocks * 512 for file in files),
        used=used,
        map_size=map_size,
        disk_free=disk.f_bavail * disk.f_frsize,
        readers=readers,
        readers_cleared=env.readers_cleared,
        open_to_others=tuple(
            "." if each is path else each.name
            for each in private
            if os.stat(each).st_mode & 0o077
        ),
    )
