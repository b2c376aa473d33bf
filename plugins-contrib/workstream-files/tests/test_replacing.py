"""Files put in place whole: what is seen at any moment, and after any accident."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
import trio

from workstream import PluginError, SecretRef
from workstream_files import (
    CopyFile,
    CopyRequest,
    FileChange,
    LinkRequest,
    RemovePath,
    RemoveRequest,
    SwitchLink,
    WriteFile,
    WriteRequest,
)

if TYPE_CHECKING:
    from conftest import Attempt, Perform

PROCESS = Path(__file__).with_name("file_process.py")
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def mode_of(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def command(mode: str, plugin: str, /, **keywords: object) -> list[str]:
    """What starts ``file_process.py``."""
    return [sys.executable, str(PROCESS), mode, plugin, json.dumps(keywords)]


# --- what it makes ----------------------------------------------------------------


def test_a_new_file_is_written(folder: Path, perform: Perform) -> None:
    """Content and permissions are as asked for, and nothing else is in the directory."""
    path = folder / "a.conf"

    change = perform(
        WriteFile(), WriteRequest(path=str(path), content="häuser\n", mode="0640")
    )

    assert change == FileChange(
        path=str(path), changed=True, details=("created: 8 bytes, mode 0640",)
    )
    assert path.read_text(encoding="utf-8") == "häuser\n"
    assert mode_of(path) == "0640"
    assert os.listdir(folder) == ["a.conf"]


def test_a_file_that_is_as_wanted_is_left_alone(folder: Path, perform: Perform) -> None:
    """The second time nothing is changed, not even the time of change."""
    request = WriteRequest(path=str(folder / "a"), content=b"\x00\xff" * 2_000_000)
    perform(WriteFile(), request)
    before = os.stat(request.path)

    change = perform(WriteFile(), request)

    assert change == FileChange(path=request.path, changed=False)
    # Reading it may be noted in its time of access.
    after = os.stat(request.path)
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)


@pytest.mark.parametrize("new", ["new", "longer than it was", "", "old!"])
def test_another_content_takes_the_place(
    new: str, folder: Path, perform: Perform
) -> None:
    """It is replaced as a whole, and keeps its permissions where none are asked for."""
    path = folder / "a"
    path.write_text("old.")
    path.chmod(0o604)
    before = path.stat().st_ino

    change = perform(WriteFile(), WriteRequest(path=str(path), content=new))

    assert change.details == (f"content: 4 bytes -> {len(new)} bytes",)
    assert path.read_text() == new
    assert mode_of(path) == "0604"
    assert path.stat().st_ino != before


def test_permissions_alone_are_changed_in_place(folder: Path, perform: Perform) -> None:
    """With the right content the file stays the same one."""
    path = folder / "a"
    path.write_text("text")
    path.chmod(0o644)
    before = path.stat().st_ino

    change = perform(
        WriteFile(), WriteRequest(path=str(path), content="text", mode="600")
    )

    assert change.details == ("mode: 0644 -> 0600",)
    assert mode_of(path) == "0600"
    assert path.stat().st_ino == before


def test_secrets_are_written_and_kept_from_others(
    folder: Path, perform: Perform
) -> None:
    """Pieces are joined; a new file that holds a secret is readable by its owner only."""
    path = folder / "a"
    secret = SecretRef("env:TOKEN").resolved("abracadabra")
    request = WriteRequest(path=str(path), content=("token=", secret, "\n"))

    change = perform(WriteFile(), request)

    assert path.read_text() == "token=abracadabra\n"
    assert mode_of(path) == "0600"
    assert "abracadabra" not in repr(change)


@AS_ROOT
def test_an_owner_is_given_and_kept(folder: Path, perform: Perform) -> None:
    """A replaced file still belongs to whom it belonged to, or to whom is asked for."""
    path = folder / "a"
    request = WriteRequest(path=str(path), content="1", owner="1234", group="2345")
    created = perform(WriteFile(), request)
    kept = perform(WriteFile(), WriteRequest(path=str(path), content="2"))
    found = path.stat()
    moved = perform(
        WriteFile(), WriteRequest(path=str(path), content="2", owner="root")
    )

    assert created.details == ("created: 1 bytes, mode 0644, owner 1234, group 2345",)
    assert kept.details == ("content: 1 bytes -> 1 bytes",)
    assert (found.st_uid, found.st_gid) == (1234, 2345)
    assert moved.details == ("owner: 1234 -> root",)
    assert (path.stat().st_uid, path.stat().st_gid) == (0, 2345)


@pytest.mark.slow
def test_an_owner_that_cannot_be_given_changes_nothing() -> None:
    """Who may not give files away is told so, and nothing is left behind."""
    with TemporaryDirectory() as folder:  # where any user may go
        os.chmod(folder, 0o777)
        path = f"{folder}/a"

        done = subprocess.run(
            command("user", "write", path=path, content="1", owner="0"),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )

        assert done.stdout.startswith(
            f"failed {path} cannot be made to belong to root:"
        )
        assert "run the engine as root, or say another owner" in done.stdout
        assert os.listdir(folder) == []


def test_an_unknown_owner_is_named(folder: Path, perform: Perform) -> None:
    """A user that the machine does not have is an error, and nothing is written."""
    request = WriteRequest(path=str(folder / "a"), content="1", owner="no-such-user")

    with pytest.raises(PluginError, match="no user 'no-such-user' on this machine"):
        perform(WriteFile(), request)

    assert os.listdir(folder) == []


def test_missing_directories_are_made_if_asked_for(
    folder: Path, perform: Perform
) -> None:
    """Without ``parents`` the missing directory is named; with it, it is made."""
    path = folder / "b" / "c" / "a"

    with pytest.raises(PluginError, match=r"folder/b/c does not exist.*parents=True"):
        perform(WriteFile(), WriteRequest(path=str(path), content=""))
    perform(WriteFile(), WriteRequest(path=str(path), content="", parents=True))

    assert path.read_text() == ""


def test_what_no_file_can_be_made_in_is_named(folder: Path, perform: Perform) -> None:
    """A file in a directory's place; a file system that makes no files."""
    (folder / "file").touch()

    below = WriteRequest(path=str(folder / "file" / "a"), content="")
    with pytest.raises(PluginError, match=r"folder/file: Not a dir.*; a part of this"):
        perform(WriteFile(), below)
    with pytest.raises(PluginError, match=r"^/proc/a could not be written: ") as caught:
        perform(WriteFile(), WriteRequest(path="/proc/a", content=""))
    assert ".tmp" not in caught.value.message


def test_links_are_not_followed(folder: Path, perform: Perform) -> None:
    """A link is neither replaced by a file nor written through; the message says where it leads."""
    (folder / "real").write_text("old")
    (folder / "a").symlink_to("real")

    with pytest.raises(PluginError, match="symbolic link to real") as caught:
        perform(WriteFile(), WriteRequest(path=str(folder / "a"), content="new"))

    assert caught.value.permanent
    assert (folder / "real").read_text() == "old"


def test_directories_and_pipes_are_not_replaced(folder: Path, perform: Perform) -> None:
    """Only a regular file is ever replaced."""
    (folder / "directory").mkdir()
    os.mkfifo(folder / "pipe")

    for name, what in (("directory", "a directory"), ("pipe", "a special file")):
        request = WriteRequest(path=str(folder / name), content="new")
        copy = CopyRequest(path=str(folder / "a"), source=request.path)
        with pytest.raises(PluginError, match=f"{name} is {what}"):
            perform(WriteFile(), request)
        with pytest.raises(PluginError, match=f"{name} is not a regular|Is a dir"):
            perform(CopyFile(), copy)


# --- copies -------------------------------------------------------------------------


def test_a_copy_has_the_permissions_of_its_source(
    folder: Path, perform: Perform
) -> None:
    """A new copy can be run if its source can, but never with its owner's rights."""
    source, path = folder / "source", folder / "a"
    source.write_bytes(os.urandom(3_000_000))
    source.chmod(0o4755)
    request = CopyRequest(path=str(path), source=str(source))

    first, second = perform(CopyFile(), request), perform(CopyFile(), request)

    assert first.changed
    assert not second.changed
    assert path.read_bytes() == source.read_bytes()
    assert mode_of(path) == "0755"


def test_a_copy_with_the_wrong_checksum_is_never_seen(
    folder: Path, perform: Perform
) -> None:
    """What is not what it should be takes no place, and stays where it was."""
    source, path = folder / "source", folder / "a"
    source.write_text("half an upload")
    path.write_text("old")
    checksum = "sha256:" + sha256(b"a whole upload").hexdigest()
    request = CopyRequest(path=str(path), source=str(source), checksum=checksum)

    with pytest.raises(PluginError, match=f"expected {checksum}") as caught:
        perform(CopyFile(), request)
    assert path.read_text() == "old"
    assert sorted(os.listdir(folder)) == ["a", "source"]
    assert not caught.value.permanent

    source.write_text("a whole upload")
    assert perform(CopyFile(), request).changed
    path.write_text("half an upload")
    source.write_text("half an upload")
    with pytest.raises(PluginError, match="has the checksum"):
        perform(CopyFile(), request)


def test_a_source_that_changes_meanwhile_is_not_taken(
    folder: Path, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy is never half the old and half the new."""
    source = folder / "source"
    source.write_bytes(b"1" * 3_000_000)
    write = os.write

    def write_and_change(fd: int, data: bytes) -> int:
        with source.open("ab") as file:
            file.write(b"2")
        return write(fd, data)

    monkeypatch.setattr(os, "write", write_and_change)
    request = CopyRequest(path=str(folder / "a"), source=str(source))

    with pytest.raises(PluginError, match="source was changed while it was read"):
        perform(CopyFile(), request)

    assert os.listdir(folder) == ["source"]


# --- accidents ----------------------------------------------------------------------


@pytest.mark.slow
def test_what_a_killed_attempt_left_is_removed_by_the_next(
    folder: Path, context: Attempt
) -> None:
    """Killed before the rename the old file is whole, and the next attempt cleans up."""
    path = folder / "a"
    path.write_text("old")
    content = "new" * 1_000_000
    first = subprocess.Popen(
        command("stall", "write", path=str(path), content=content[:90000]),
        stdout=subprocess.PIPE,
        text=True,
    )
    with first:
        assert first.stdout is not None
        assert first.stdout.readline() == "stalled\n"
        first.kill()
    assert sorted(os.listdir(folder)) == [context.temporary, "a"]
    assert mode_of(folder / context.temporary) == "0700"
    assert path.read_text() == "old"

    second = subprocess.run(
        command("run", "write", path=str(path), content=content[:90000]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    assert "changed=True" in second.stdout
    assert path.read_text() == content[:90000]
    assert os.listdir(folder) == ["a"]


def test_leftovers_of_others_are_left_alone(folder: Path, perform: Perform) -> None:
    """Only what this action's own attempts can have left is removed."""
    other = folder / ".workstream-0123456789abcdef01234567.tmp"
    other.write_text("of an action that may still be at work")

    perform(WriteFile(), WriteRequest(path=str(folder / "a"), content="1"))

    assert other.exists()


@pytest.mark.slow
def test_a_file_that_may_not_grow_is_as_it_was(folder: Path) -> None:
    """When a write fails in the middle, nothing is left of it and the old file is whole."""
    path = folder / "a"
    path.write_text("old")

    done = subprocess.run(
        command("small", "write", path=str(path), content="x" * 100_000),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    assert done.stdout.startswith(f"failed {path} could not be written: File too large")
    assert "nothing was changed" in done.stdout
    assert path.read_text() == "old"
    assert os.listdir(folder) == ["a"]


def can_mount() -> bool:
    """Whether this user may mount a file system of its own."""
    script = "mount -t tmpfs -o size=64k none /mnt"
    try:
        tried = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script], capture_output=True
        )
    except FileNotFoundError:
        return False
    return tried.returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="needs unshare and the right to mount")
def test_a_full_disk_leaves_what_was_there(folder: Path) -> None:
    """On a file system without room the old file stays whole, with nothing beside it."""
    path = folder / "a"
    big = folder.parent / "big"
    big.write_bytes(b"x" * 300_000)
    words = command("run", "copy", path=str(path), source=str(big))
    script = (
        'set -e; mount -t tmpfs -o size=128k none "$1"; printf old >"$1/a"; shift; '
        'dir=$1; shift; "$@"; cat "$dir/a"; echo; ls -A "$dir"'
    )

    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", folder, folder, *words],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    assert done.stdout == (
        f"failed {path} could not be written: No space left on device (with 300,000 "
        "bytes to write); nothing was changed\nold\na\n"
    )


def inside(script: str, *words: str | Path) -> str:
    """What a shell script says that has mounts of its own."""
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script, "sh", *words],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


MOUNTED = (
    'touch "$1/a"; printf old >"$1/source"; mount --bind "$1/source" "$1/a"; '
    'dir=$1; shift; "$@"; cat "$dir/a"; echo; ls -A "$dir"; '
)
"""A file that is a mount of its own, as container runtimes mount ``/etc/hosts``."""


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="needs unshare and the right to mount")
@pytest.mark.parametrize("mode", ["run", "race"])
def test_a_mounted_file_is_refused(folder: Path, mode: str) -> None:
    """The message says what to do, and nothing of the new content is left anywhere.

    It is seen beforehand; where it is mounted only then, the rename fails.
    """
    words = command(mode, "write", path=f"{folder}/a", content="secret", mode="0644")

    said = inside(MOUNTED, folder, *words)

    assert said.startswith(f"failed {folder}/a is a mount of its own (containers ")
    assert "Say in_place=True to have its content written over" in said
    assert said.endswith("\nold\na\nsource\n")


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="needs unshare and the right to mount")
@pytest.mark.parametrize("new", ["longer than it was", "x", ""])
def test_a_mounted_file_is_written_over_if_asked_for(folder: Path, new: str) -> None:
    """Its content and permissions are the new ones, and it is still the same file."""
    words = command(
        "run", "write", path=f"{folder}/a", content=new, mode="0640", in_place=True
    )
    script = MOUNTED + (
        'test "$(stat -c %i "$dir/source")" = "$(stat -c %i "$dir/a")"; '
        'stat -c %a "$dir/a"; "$@"'
    )

    said = inside(script, folder, *words)

    assert f"content: 3 bytes -> {len(new)} bytes, written over in place" in said
    assert f"\n{new}\na\nsource\n640\n" in said
    assert said.endswith("changed=False, details=())\n")


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="needs unshare and the right to mount")
def test_a_mounted_file_without_room_keeps_its_content(folder: Path) -> None:
    """What does not fit is not begun: the old content is there, and whole."""
    big = folder.parent / "big"
    big.write_bytes(b"x" * 300_000)
    (folder / "full").mkdir()
    words = command("run", "copy", path=f"{folder}/a", source=str(big), in_place=True)
    script = (
        'mount -t tmpfs -o size=128k none "$1/full"; printf old >"$1/full/a"; '
        'touch "$1/a"; mount --bind "$1/full/a" "$1/a"; dir=$1; shift; "$@"; '
        'cat "$dir/a"; echo; ls -A "$dir"'
    )

    said = inside(script, folder, *words)

    assert said == (
        f"failed {folder}/a could not be written: No space left on device (with "
        "300,000 bytes to write); nothing was changed\nold\na\nfull\n"
    )


@pytest.fixture
def immutable(folder: Path) -> Iterator[Path]:
    """A file that nobody may change, root included."""
    path = folder / "a"
    path.write_text("old")
    if shutil.which("chattr") is None:
        pytest.skip("there is no chattr here (Debian has it in e2fsprogs)")
    done = subprocess.run(["chattr", "+i", path], capture_output=True)
    if done.returncode:
        pytest.skip("this file system or user has no immutable files")
    yield path
    subprocess.run(["chattr", "-i", path], check=True)


def test_an_immutable_file_leaves_nothing_behind(
    immutable: Path, perform: Perform
) -> None:
    """The message names the file and the attribute; no secret is left beside it."""
    secret = SecretRef("env:TOKEN").resolved("abracadabra")
    request = WriteRequest(path=str(immutable), content=secret, mode="0644")

    with pytest.raises(PluginError) as caught:
        perform(WriteFile(), request)

    assert caught.value.message == (
        f"{immutable} could not be written: Operation not permitted; nothing was "
        "changed: it is immutable (chattr +i): take that off first"
    )
    assert caught.value.permanent
    assert immutable.read_text() == "old"
    assert os.listdir(immutable.parent) == ["a"]


def test_attributes_of_an_immutable_file_are_refused(
    immutable: Path, perform: Perform
) -> None:
    """The same content with another mode: the file is named, not its directory."""
    request = WriteRequest(path=str(immutable), content="old", mode="0600")

    with pytest.raises(PluginError, match=r"/a could not be written.*is immutable"):
        perform(WriteFile(), request)


def test_an_immutable_file_is_not_removed_or_linked(
    immutable: Path, perform: Perform
) -> None:
    """Each action says why, and leaves nothing behind."""
    link = LinkRequest(path=str(immutable.parent / "l"), target="a")
    perform(SwitchLink(), link)

    with pytest.raises(PluginError, match=r"folder/a: Operation not .*is immutable"):
        perform(RemovePath(), RemoveRequest(path=str(immutable)))

    assert sorted(os.listdir(immutable.parent)) == ["a", "l"]


@pytest.mark.parametrize("moment", ["fchmod", "fsync", "rename"])
def test_nobody_else_reads_what_is_not_in_its_place(
    moment: str, folder: Path, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the rename, only the engine's user can come to the new file."""
    real: Callable[..., object] = getattr(os, moment)
    seen: list[tuple[str, str]] = []

    def look(*args: object, **keywords: object) -> object:
        for place in folder.glob(".workstream-*.tmp"):
            seen.append((mode_of(place), *(file.name for file in place.iterdir())))  # type: ignore[arg-type]
        return real(*args, **keywords)

    monkeypatch.setattr(os, moment, look)
    secret = SecretRef("env:TOKEN").resolved("abracadabra")
    path = folder / "a"

    perform(WriteFile(), WriteRequest(path=str(path), content=secret, mode="0644"))

    assert seen[0] == ("0700", "new")
    assert mode_of(path) == "0644"
    assert os.listdir(folder) == ["a"]


def cancelled_at(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[trio.CancelScope, Callable[..., object]]:
    """A scope that is cancelled by the thread's first call of a function of ``os``."""
    scope = trio.CancelScope()
    real: Callable[..., object] = getattr(os, name)

    def cancel(*args: object, **keywords: object) -> object:
        trio.from_thread.run_sync(scope.cancel)
        return real(*args, **keywords)

    monkeypatch.setattr(os, name, cancel)
    return scope, real


@pytest.mark.parametrize("moment", ["mkdir", "write", "fchown", "fchmod", "fsync"])
def test_cancelled_in_the_middle_nothing_has_changed(
    moment: str, folder: Path, context: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelling is waited for, and leaves the file as it was and nothing beside it (A-5)."""
    path = folder / "a"
    path.write_text("old")
    scope, _ = cancelled_at(moment, monkeypatch)
    request = WriteRequest(
        path=str(path), content=b"1" * 5_000_000, mode="0640", owner="1234"
    )

    async def main() -> None:
        with scope:
            await WriteFile().execute(context, request)

    trio.run(main)

    assert scope.cancelled_caught
    assert path.read_text() == "old"
    assert os.listdir(folder) == ["a"]


def test_no_descriptor_is_left_open(folder: Path, perform: Perform) -> None:
    """Whether it works or fails, all that was opened is closed."""
    good = WriteRequest(path=str(folder / "a"), content="1")
    bad = WriteRequest(path=str(folder), content="1")
    perform(WriteFile(), good)
    before = os.listdir("/proc/self/fd")

    perform(WriteFile(), good)
    with pytest.raises(PluginError):
        perform(WriteFile(), bad)

    # What other tests have left may be closed meanwhile, by the collector.
    assert len(os.listdir("/proc/self/fd")) <= len(before)
