"""What may be opened as a store, and what not."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest
import trio

from workstream._values.errors import StorageError, StoreFormatError
from workstream._vaults.lmdb.restore import restore_store
from workstream._vaults.lmdb.vault import LmdbVault
from workstream._vaults.store_marker import VERSION, check_directory


def test_a_new_directory_becomes_a_store(tmp_path: Path) -> None:
    """It is made with its parents, for its owner alone, and known again."""
    path = tmp_path / "a" / "store"
    check_directory(path, create=True)
    assert path.stat().st_mode & 0o777 == 0o700
    assert [entry.name for entry in path.iterdir()] == ["workstream"]
    check_directory(path, create=False)


def test_an_empty_directory_becomes_a_store(tmp_path: Path) -> None:
    """A fresh file system's lost+found does not count."""
    (tmp_path / "lost+found").mkdir()
    check_directory(tmp_path, create=True)
    check_directory(tmp_path, create=False)


@pytest.mark.parametrize("exists", [True, False])
def test_reading_begins_no_store(tmp_path: Path, exists: bool) -> None:
    """Whoever only looks leaves nothing behind, and is told that nothing is there."""
    path = tmp_path / "store"
    if exists:
        path.mkdir()
    with pytest.raises(StorageError, match="there is no store at"):
        check_directory(path, create=False)
    assert path.exists() == exists
    assert not exists or not list(path.iterdir())


def test_a_directory_of_others_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written into it; the error says what it holds and what to do."""
    (tmp_path / "data.mdb").touch()
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(StoreFormatError, match=r"it holds 'data\.mdb'; point --store"):
        check_directory(tmp_path, create=True)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_is_no_store(tmp_path: Path) -> None:
    """A store is a directory."""
    path = tmp_path / "store"
    path.touch()
    with pytest.raises(StoreFormatError, match="is a file, and a store is a directory"):
        check_directory(path, create=True)


def test_a_store_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root is no exception: files that two users make can be opened by neither."""
    check_directory(tmp_path, create=True)
    if os.geteuid() == 0:
        os.chown(tmp_path, 54321, 54321)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(
        StorageError, match=r"belongs to user .*, and a store is for one"
    ):
        check_directory(tmp_path, create=True)


@pytest.mark.parametrize("name", ["workstream", "data.mdb", "lock.mdb", "owners"])
@pytest.mark.parametrize("leads", ["to a file", "nowhere"])
def test_no_file_of_a_store_may_be_a_link(
    tmp_path: Path, name: str, leads: str
) -> None:
    """What it leads to is neither written nor made; the error names the link."""
    store, precious = tmp_path / "store", tmp_path / "precious"
    check_directory(store, create=True)
    if name == "workstream":  # a marker that would be believed
        (store / name).rename(precious)
    elif leads == "to a file":
        precious.write_bytes(b"kept")
    kept = precious.read_bytes() if precious.exists() else None
    target = precious if leads == "to a file" else tmp_path / "nothing"
    (store / name).symlink_to(target)

    with pytest.raises(StoreFormatError, match=f"its {name} is a link"):
        trio.run(LmdbVault(store).open)

    assert (precious.read_bytes() if precious.exists() else None) == kept
    assert not (tmp_path / "nothing").exists()


def test_a_link_waits_where_the_marker_is_drafted(tmp_path: Path) -> None:
    """It is removed, not followed."""
    store, precious = tmp_path / "store", tmp_path / "precious"
    store.mkdir()
    precious.write_text("kept")
    (store / f".workstream-{os.getpid()}").symlink_to(precious)
    check_directory(store, create=True)
    assert precious.read_text() == "kept"
    assert [entry.name for entry in store.iterdir()] == ["workstream"]
    assert not (store / "workstream").is_symlink()


def test_nothing_is_restored_through_a_link(tmp_path: Path) -> None:
    """A backup that somebody hands over is looked at as a store is."""
    source = tmp_path / "backup"
    check_directory(source, create=True)
    (source / "data.mdb").symlink_to("/etc/passwd")
    with pytest.raises(StoreFormatError, match=r"its data\.mdb is a link"):
        trio.run(restore_store, source, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_marker_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Whatever the process's mask lets through."""
    before = os.umask(0)
    try:
        check_directory(tmp_path, create=True)
    finally:
        os.umask(before)
    assert (tmp_path / "workstream").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "place", ["/proc/nowhere/store", "/dev/null/store", "a\0b", "x" * 300]
)
def test_a_directory_that_cannot_be_made(tmp_path: Path, place: str) -> None:
    """The error names the place, and where to name another."""
    with pytest.raises(StorageError, match="name another directory by --store"):
        check_directory(tmp_path / place, create=True)


def test_a_directory_that_becomes_a_store_is_closed_to_others(tmp_path: Path) -> None:
    """Also one that was open to them before."""
    tmp_path.chmod(0o755)
    check_directory(tmp_path, create=True)
    assert tmp_path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("text", ["", "hello\n", "workstream store, version x\n"])
def test_another_marker_is_not_ours(tmp_path: Path, text: str) -> None:
    """A file of that name that says something else is somebody else's."""
    (tmp_path / "workstream").write_text(text)
    with pytest.raises(StoreFormatError, match="is not what a workstream store begins"):
        check_directory(tmp_path, create=True)


def test_a_newer_store_is_refused_by_both_versions(tmp_path: Path) -> None:
    """The error names the store's version and the engine's, and says what to do."""
    newer = VERSION + 1
    (tmp_path / "workstream").write_text(f"workstream store, version {newer}\n")
    with pytest.raises(
        StoreFormatError,
        match=f"version {newer}, and this engine knows up to version {VERSION}: use",
    ):
        check_directory(tmp_path, create=True)


def test_a_place_that_cannot_be_made_is_an_error_of_the_store(tmp_path: Path) -> None:
    """The system's reason is in the sentence."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be opened: Not a directory"):
        check_directory(tmp_path / "file" / "store", create=True)


def test_a_read_only_directory_is_an_error_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said before anything fails half-way."""

    def refused(path: Path, mode: int) -> bool:
        return False

    check_directory(tmp_path, create=True)
    tmp_path.chmod(0o500)
    try:
        if os.geteuid() == 0:  # To root nothing is read-only: ask as if it were.
            monkeypatch.setattr(os, "access", refused)
        with pytest.raises(StorageError, match="directory is read-only for this user"):
            check_directory(tmp_path, create=False)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.slow
def test_many_may_begin_one_store_at_once(tmp_path: Path) -> None:
    """Each finds a whole store or makes one; none is refused."""
    path = tmp_path / "store"
    context = multiprocessing.get_context("spawn")
    begin = [
        context.Process(target=check_directory, args=(path,), kwargs={"create": True})
        for _ in range(4)
    ]
    for process in begin:
        process.start()
    for process in begin:
        process.join()
    assert [process.exitcode for process in begin] == [0] * 4
    check_directory(path, create=False)
