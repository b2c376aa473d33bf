"""A store made of a backup.

It is copied into a directory within the new store's, opened there, and each plan read.
Then its data file is linked into place, which happens only where there is none, and at
last the marker, which makes it a store. So neither a crash nor a process that begins a
store there at the same moment can make a mixture.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import attrs
import trio

from ..._codec.codec import Codec
from ..._values.errors import PlanCorruptError, StorageError
from ..scratch import scratch_directory
from ..store_files import identity
from ..store_marker import (
    MARKER,
    UNFINISHED,
    check_marker,
    foreign_entries,
    refuse_links,
    sync_path,
)
from .copy import StoreCopy, copy_errors, opened_to_read, write_copy
from .environment import DATA, LOCK, OPEN_HERE, refuse_damage
from .vault import LmdbVault


async def restore_store(
    source: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    accept_unreadable: bool = False,
) -> StoreCopy:
    """Make a store of a backup, and see that it opens and each plan can be read.

    A plan that was RUNNING at the moment of the backup is then one that a crash left
    behind: ``resume`` goes on from there, and does again what was done since.

    Args:
        source: The backup, or a store.
        path: The directory to make; it may be there if it is empty.
        accept_unreadable: Whether to restore also when plans cannot be read.

    Raises:
        StoreFormatError: The source is no store, or of a newer version.
        StorageError: The directory is not empty, something cannot be read or written,
            or a plan cannot be read. Then nothing was restored.
    """
    source, destination = Path(source), Path(path)
    is_new = await trio.to_thread.run_sync(_prepare, source, destination)
    try:
        with copy_errors(destination):
            draft_path = destination / f"{UNFINISHED}restoring"
            with scratch_directory(draft_path) as draft:
                copied = await trio.to_thread.run_sync(_copy, source, draft)
                copied = await _looked_through(copied)
                if copied.unreadable and not accept_unreadable:
                    raise _refusal(source, copied)
                await trio.to_thread.run_sync(_put_in_place, draft, destination)
    finally:
        if is_new:
            _remove_if_empty(destination)
    return attrs.evolve(copied, path=destination)


def _prepare(source: Path, destination: Path) -> bool:
    """Refuse what can be seen at once; make the directory, and tell whether it is new."""
    with copy_errors(destination):
        if not source.is_dir():
            message = f"{source} is not there, or no directory: a backup is one"
            raise StorageError(message)
        refuse_links(source)
        check_marker(source)
        if identity(source) in OPEN_HERE:
            message = (
                f"the store at {source} is open in this process: use its backup() to "
                "copy it"
            )
            raise StorageError(message)
        if source.resolve() in destination.resolve().parents:
            message = (
                f"nothing is restored into {destination}: it is in {source} itself; "
                "name a place outside of it"
            )
            raise StorageError(message)
        if destination.exists():
            held = [MARKER] if (destination / MARKER).exists() else []
            held += foreign_entries(destination) if destination.is_dir() else ["a file"]
            if held:
                message = (
                    f"nothing is restored into {destination}, which holds {held[0]!r}: "
                    "name a directory that is empty or not there; a store that is in "
                    "the way can be moved aside once nothing uses it"
                )
                raise StorageError(message)
            return False
        destination.mkdir(mode=0o700, parents=True)
        return True


def _remove_if_empty(directory: Path) -> None:
    with suppress(OSError):
        directory.rmdir()


def _copy(source: Path, draft: Path) -> StoreCopy:
    # A backup has no lock file; a store that others may be using has, and needs it.
    lock = (source / LOCK).exists()
    with opened_to_read(source, lock=lock) as env:
        refuse_damage(source, env)
        return write_copy(
            source, lambda place: env.copy(os.fsencode(place), compact=True), draft
        )


async def _looked_through(copied: StoreCopy) -> StoreCopy:
    """Open the copy as any engine would, and read each plan."""
    vault = LmdbVault(copied.path, create=False)
    unreadable: list[PlanCorruptError] = []
    await vault.open()
    try:
        codec = Codec(None)
        for plan_id in (await vault.health()).plans:
            try:
                codec.load(await vault.read(plan_id))
            except PlanCorruptError as error:
                unreadable.append(error)
            await trio.lowlevel.checkpoint()
    finally:
        with trio.CancelScope(shield=True):
            await vault.close()
    return attrs.evolve(copied, unreadable=tuple(unreadable))


def _refusal(source: Path, copied: StoreCopy) -> StorageError:
    lines = [
        f"nothing is restored: of the {copied.plans:,} plans in {source}, these "
        f"{len(copied.unreadable):,} cannot be read, and you may accept that:",
        *(f"  {error}" for error in copied.unreadable),
    ]
    return StorageError("\n".join(lines))


def _put_in_place(draft: Path, destination: Path) -> None:
    with suppress(OSError):  # it may be another user's mount point
        destination.chmod(0o700)
    try:
        os.link(draft / DATA, destination / DATA)
    except FileExistsError:
        message = (
            f"nothing is restored into {destination}: another process has just begun a "
            "store there"
        )
        raise StorageError(message) from None
    sync_path(destination)
    (draft / MARKER).replace(destination / MARKER)
    sync_path(destination)
