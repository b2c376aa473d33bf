"""Backups: copies of a store, made beside the processes that use it.

A copy is written under another name, brought to disk, looked at, and only then given
its name: so what has the name is whole, whenever the process or the power went.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from ..._values.errors import PlanCorruptError, StorageError, StoreFormatError
from ..scratch import scratch_directory
from ..store_marker import MARKER, sync_path
from . import layout
from .environment import DATA
from .reader import DAMAGED, lmdb


@attrs.frozen(kw_only=True)
class StoreCopy:
    """A backup that was made, or a store that was restored.

    Attributes:
        path: Its directory.
        plans: How many plans it holds.
        size: Of its data, in bytes.
        unreadable: Why plans of it cannot be read; only a restore looks.
    """

    path: Path
    plans: int
    size: int
    unreadable: tuple[PlanCorruptError, ...] = ()


def back_up(source: Path, copy: Callable[[Path], None], destination: Path) -> StoreCopy:
    """Make a copy of a store. It takes as long as it takes: call it in a thread.

    Args:
        source: The store's directory.
        copy: Copies the store's data into a directory.
        destination: The directory to make.

    Raises:
        StorageError: There is something already, or it cannot be written.
    """
    _refuse(source, destination)
    unfinished = destination.with_name(f".{destination.name}.unfinished")
    with copy_errors(destination), scratch_directory(unfinished) as draft:
        copied = write_copy(source, copy, draft)
        _refuse(source, destination)
        draft.rename(destination)
        sync_path(destination.parent)
    return attrs.evolve(copied, path=destination)


def write_copy(source: Path, copy: Callable[[Path], None], draft: Path) -> StoreCopy:
    """Write a durable copy of a store into an empty directory, and open it once."""
    copy(draft)
    data = draft / DATA
    data.chmod(0o600)
    shutil.copyfile(source / MARKER, draft / MARKER)
    for file in (data, draft / MARKER):
        sync_path(file)
    sync_path(draft)
    return StoreCopy(path=draft, plans=_plans_in(draft), size=data.stat().st_size)


def _refuse(source: Path, destination: Path) -> None:
    problem = ""
    if os.path.lexists(destination):
        problem = "there is something already: name what is not there yet"
    elif not destination.parent.is_dir():
        problem = f"there is no directory {destination.parent}: make or mount it"
    elif source.resolve() in destination.resolve().parents:
        problem = "it is in the store itself: name a place outside of it"
    if problem:
        message = f"no copy is made at {destination}: {problem}"
        raise StorageError(message)


def _plans_in(directory: Path) -> int:
    with opened_to_read(directory, lock=False) as env, env.begin() as transaction:
        return sum(1 for _ in layout.keys_under(transaction, layout.ROW))


@contextmanager
def opened_to_read(directory: Path, *, lock: bool) -> Generator[Any, None, None]:
    """LMDB's own environment, of a store or a copy that this process has not open."""
    path = os.fsencode(directory)
    env = lmdb().open(path, readonly=True, lock=lock, create=False)
    try:
        yield env
    finally:
        env.close()


@contextmanager
def copy_errors(destination: Path) -> Generator[None, None, None]:
    """Say in our words why a copy was not made."""
    try:
        yield
    except (lmdb().Error, OSError) as error:
        cls, what = StorageError, ""
        if type(error).__name__ in (*DAMAGED, "VersionMismatchError"):
            cls, what = StoreFormatError, "what is copied is damaged: "
        message = f"no copy is made at {destination}: {what}{error}"
        raise cls(message) from error
