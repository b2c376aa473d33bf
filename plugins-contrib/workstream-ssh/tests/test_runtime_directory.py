"""The directory for sockets is the user's alone."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from workstream import PluginError
from workstream_ssh._connecting import runtime_directory as module
from workstream_ssh._connecting.runtime_directory import runtime_directory, sweep


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's directory for what does not outlive a session."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(module, "LONGEST", 1000)
    return tmp_path


def test_it_is_made_in_the_users_runtime_directory(runtime: Path) -> None:
    """And nobody else may look into it, even if somebody could before."""
    for _ in range(2):
        path = runtime_directory()
        assert path == runtime / "workstream-ssh"
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        path.chmod(0o755)


def test_what_others_have_made_is_not_used(runtime: Path) -> None:
    """A link may lead anywhere, and whoever made it may change that."""
    (runtime / "elsewhere").mkdir()
    (runtime / "workstream-ssh").symlink_to("elsewhere")

    with pytest.raises(PluginError, match="is not a directory of ours") as caught:
        runtime_directory()
    assert caught.value.permanent


def test_a_path_too_long_for_a_socket_is_not_used(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of a socket has about a hundred characters at most."""
    monkeypatch.setattr(module, "LONGEST", len(str(runtime)))

    assert str(runtime_directory()).startswith("/tmp/workstream-ssh-")


def test_what_killed_processes_have_left_is_removed(runtime: Path) -> None:
    """After a while, and nothing of those that live."""
    directory = runtime_directory()
    dead = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    names = [f"{dead}-old.log", f"{dead}-young.log", f"{os.getpid()}-old.log", "other"]
    for name in names:
        (directory / name).touch()
        if "young" not in name:
            os.utime(directory / name, (time.time() - 7200, time.time() - 7200))

    sweep()

    assert sorted(path.name for path in directory.iterdir()) == sorted(names[1:])
