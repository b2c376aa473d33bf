"""Disks that are full, read-only or broken: every fault is a real one (STO-6).

The cases, with what they assert, are in ``faulty_disk.py``: each is a process of its
own, so that it can have a file system of its own, and so that a signal would be seen.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from quickly import one_in

CASES = Path(__file__).with_name("faulty_disk.py")


def unshare() -> list[str]:
    """The command that gives a process a mount table of its own."""
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", "--mount", *as_root]


def may_mount() -> bool:
    """Whether this user may mount a file system, unseen by others."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        [*unshare(), "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True
    )
    return tried.returncode == 0


needs_mount = pytest.mark.skipif(
    not may_mount(), reason="no file system can be mounted here"
)
needs_filter = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="system calls are refused on Linux, where their numbers are known",
)


def passes(case: str, directory: Path, *, mounts: bool = False) -> None:
    """Run a case: its assertions hold, and no signal ended it."""
    before = unshare() if mounts else []
    command = [*before, sys.executable, str(CASES), case, str(directory)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr


@needs_mount
@pytest.mark.slow
def test_a_disk_that_fills_up_during_a_run(tmp_path: Path) -> None:
    """The run breaks off and says why; the same engine, and the run, go on with room."""
    passes("full_during_a_run", tmp_path, mounts=True)


@pytest.mark.slow
@needs_mount
def test_a_disk_that_is_full_at_open(tmp_path: Path) -> None:
    """What is stored can be read; what cannot be opened says why, and no signal kills."""
    passes("full_at_open", tmp_path, mounts=True)


@needs_mount
@pytest.mark.slow
def test_a_store_that_is_begun_on_a_nearly_full_disk(tmp_path: Path) -> None:
    """It is begun or it is not: with room, later, it is a store and no damage."""
    passes("full_while_begun", tmp_path, mounts=True)


@needs_mount
@pytest.mark.slow
def test_a_disk_that_is_full_for_a_copy(tmp_path: Path) -> None:
    """A backup, or a restore, leaves nothing that looks whole, and says why."""
    passes("full_for_a_copy", tmp_path, mounts=True)


@pytest.mark.slow
def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """It is met as a full disk is: the run breaks off, and goes on without the limit."""
    passes("file_too_large", tmp_path)


@needs_mount
@pytest.mark.slow
def test_a_disk_that_is_read_only_at_open(tmp_path: Path) -> None:
    """It is said to be read-only, to root as well."""
    passes("read_only", tmp_path, mounts=True)


@pytest.mark.slow
def test_a_directory_that_is_read_only(tmp_path: Path) -> None:
    """It is said to be read-only for this user; made writable, it opens."""
    passes("read_only_directory", tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.slow
def test_a_store_of_another_user(tmp_path: Path) -> None:
    """It is refused, to root as well, and nothing of it changes."""
    passes("of_another_user", tmp_path)


@pytest.mark.slow
@needs_filter
@pytest.mark.parametrize(
    "case",
    one_in(
        4,
        [
            "pages_cannot_be_written",
            "pages_are_read_only",
            "sync_fails",
            "last_page_cannot_be_written",
            "quota_is_used_up",
            "file_is_too_large",
            "sync_is_interrupted",
        ],
    ),
)
def test_a_disk_that_fails_during_a_run(tmp_path: Path, case: str) -> None:
    """The run breaks off; the store stays readable, and once the disk works, goes on."""
    passes(case, tmp_path)


@needs_filter
@pytest.mark.slow
def test_a_disk_that_fails_at_open(tmp_path: Path) -> None:
    """The store is named, and takes no harm."""
    passes("fails_at_open", tmp_path)
