"""Copies to and from a real host: whole, or not there at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
from trio.testing import MockClock, trio_test

from workstream import PluginError
from workstream_ssh import CopyFrom, CopyTo, Host, RunOn, SshProblem

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from conftest import Client, Login, Machine, MakeMachine, Recorder

TEXT = b"some text\n" * 1000
SHA256 = "sha256:" + hashlib.sha256(TEXT).hexdigest()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to copy."""
    path = tmp_path / "source"
    path.write_bytes(TEXT)
    path.chmod(0o640)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory to copy, with all that a directory may hold."""
    root = tmp_path / "release"
    (root / "bin").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "a folder" / ("deep" * 30) / ("er" * 50)).mkdir(parents=True)
    (root / "bin" / "serve").write_text("#!/bin/sh\n")
    (root / "bin" / "serve").chmod(0o755)
    (root / "a folder" / ("deep" * 30) / ("er" * 50) / "leaf").write_bytes(TEXT)
    (root / "odd * name's \\ ☃").write_bytes(b"")
    (root / "odd * name's \\ ☃").chmod(0o600)
    (root / "current").symlink_to("bin/serve")
    (root / "dangling").symlink_to("/no/such/file")
    root.chmod(0o750)
    return root


def left_behind(directory: Path) -> list[str]:
    """What copies that did not succeed have left in a directory."""
    return [path.name for path in directory.glob(".workstream-*")]


def mode(path: Path) -> int:
    """The permissions of a file."""
    return path.stat().st_mode & 0o7777


# --- to a host ------------------------------------------------------------------


@trio_test
async def test_a_file_arrives_with_its_mode(
    client: Client, host: Host, machine: Machine, source: Path
) -> None:
    """Content and permissions are those of the source."""
    result = await client.copy(CopyTo(host, str(source), "~/copy"))

    assert (result.changed, result.size, result.checksum) == (True, len(TEXT), SHA256)
    assert (machine.home / "copy").read_bytes() == TEXT
    assert mode(machine.home / "copy") == 0o640
    assert left_behind(machine.home) == []


@trio_test
async def test_a_copy_that_is_there_is_not_made_again(
    client: Client, host: Host, machine: Machine, source: Path
) -> None:
    """The file that is there stays, down to its inode."""
    await client.copy(CopyTo(host, str(source), "~/copy"))
    before = (machine.home / "copy").stat()

    result = await client.copy(CopyTo(host, str(source), "~/copy"))

    assert (result.changed, result.checksum) == (False, SHA256)
    after = (machine.home / "copy").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@trio_test
async def test_a_mode_alone_is_changed_in_place(
    client: Client, host: Host, machine: Machine, source: Path
) -> None:
    """The content is not sent for it."""
    await client.copy(CopyTo(host, str(source), "~/copy"))
    before = (machine.home / "copy").stat()

    result = await client.copy(CopyTo(host, str(source), "~/copy", mode=0o755))

    assert result.changed
    assert mode(machine.home / "copy") == 0o755
    assert (machine.home / "copy").stat().st_ino == before.st_ino


@trio_test
async def test_another_file_of_the_same_size_is_replaced(
    client: Client, host: Host, machine: Machine, source: Path
) -> None:
    """It is the checksum that tells, not the size."""
    (machine.home / "copy").write_bytes(TEXT[::-1])

    assert (await client.copy(CopyTo(host, str(source), "~/copy"))).changed
    assert (machine.home / "copy").read_bytes() == TEXT


@trio_test
async def test_odd_names_are_taken_as_they_are(
    client: Client, host: Host, machine: Machine, source: Path
) -> None:
    """A name is never taken for anything but a name."""
    name = "it's $HOME; touch hacked; * \\n ☃"
    await client.copy(CopyTo(host, str(source), f"~/{name}"))
    (machine.home / "-rf").mkdir()
    await client.copy(CopyTo(host, str(source), f"{machine.home}/-rf/-f"))

    assert (machine.home / name).read_bytes() == TEXT
    assert (machine.home / "-rf" / "-f").read_bytes() == TEXT
    assert not (machine.home / "hacked").exists()


@trio_test
async def test_an_empty_file_and_a_big_one(
    client: Client, host: Host, machine: Machine, tmp_path: Path, context: Recorder
) -> None:
    """Nothing and much are copied alike; of much, progress is told (WA-3)."""
    empty, big = tmp_path / "empty", tmp_path / "big"
    empty.touch()
    big.write_bytes(os.urandom(20_000_000))

    assert (await client.copy(CopyTo(host, str(empty), "~/empty"))).size == 0
    await client.copy(CopyTo(host, str(big), "~/big"), context)

    assert (machine.home / "empty").read_bytes() == b""
    assert (machine.home / "big").read_bytes() == big.read_bytes()
    assert len(context.lines) == 2
    assert context.lines[0].endswith(" of 20,000,000 bytes")


@trio_test
async def test_parents_are_made_when_asked_for(
    client: Client, host: Host, machine: Machine, source: Path
) -> None:
    """A directory that is missing is mostly a mistake, so it is made only then."""
    error = await client.copy_error(CopyTo(host, str(source), "~/a/b/copy"))
    assert error.permanent
    assert "the directory above ~/a/b/copy does not exist: see make_parents" in str(
        error
    )

    await client.copy(CopyTo(host, str(source), "~/a/b/copy", make_parents=True))
    assert (machine.home / "a" / "b" / "copy").read_bytes() == TEXT
    assert mode(machine.home / "a") == 0o755


@trio_test
async def test_a_directory_is_not_replaced_by_a_file(
    client: Client, host: Host, machine: Machine, source: Path
) -> None:
    """Nor is the file put into it: a target is the copy's own name."""
    (machine.home / "copy").mkdir()

    error = await client.copy_error(CopyTo(host, str(source), "~/copy"))

    assert error.permanent
    assert "~/copy is a directory" in error.message
    assert list((machine.home / "copy").iterdir()) == []


@trio_test
async def test_a_source_that_is_not_there_is_permanent(
    client: Client, host: Host, machine: Machine, tmp_path: Path
) -> None:
    """Nothing is asked of the host."""
    error = await client.copy_error(CopyTo(host, str(tmp_path / "missing"), "~/copy"))

    assert error.permanent
    assert error.message == (
        f"on this machine, {tmp_path / 'missing'}: No such file or directory"
    )
    assert machine.connections() == []


@pytest.mark.parametrize("content", [TEXT, TEXT[::-1]])
@trio_test
async def test_a_file_that_is_there_keeps_its_owner_and_mode(
    client: Client, host: Host, machine: Machine, source: Path, content: bytes
) -> None:
    """Whoever has set them may have had a reason; what is new has those of the source."""
    copy = machine.home / "copy"
    copy.write_bytes(content)
    copy.chmod(0o604)
    os.chown(copy, 3003, 3004)

    result = await client.copy(CopyTo(host, str(source), "~/copy"))

    found = copy.stat()
    assert (found.st_uid, found.st_gid, mode(copy)) == (3003, 3004, 0o604)
    assert copy.read_bytes() == TEXT
    assert result.changed is (content != TEXT)


@pytest.mark.parametrize("names", [("daemon", "bin"), ("1", "2"), ("daemon", None)])
@trio_test
async def test_a_file_is_given_an_owner_and_a_mode(
    client: Client,
    host: Host,
    machine: Machine,
    source: Path,
    names: tuple[str, str | None],
) -> None:
    """By name or number, whether it is new or there; once it has them nothing changes."""
    owner, group = names
    for name in ("new", "there"):
        copy = machine.home / name
        if name == "there":
            copy.write_bytes(TEXT)
            os.chown(copy, 3003, 3004)
        request = CopyTo(
            host, str(source), f"~/{name}", owner=owner, group=group, mode=0o600
        )

        assert (await client.copy(request)).changed
        assert not (await client.copy(request)).changed

        kept = 3004 if name == "there" else 0
        found = (copy.stat().st_uid, copy.stat().st_gid, mode(copy))
        assert found == (1, 2 if group else kept, 0o600)


@trio_test
async def test_an_owner_that_cannot_be_kept_is_told(
    client: Client, login: Login, source: Path
) -> None:
    """A file is not taken from its owner by being replaced."""
    copy = login.machine.home / "copy"
    copy.write_bytes(b"root's")
    copy.chmod(0o644)
    request = CopyTo(login.machine.host, str(source), "~/copy")

    error = await client.copy_error(request)

    assert error.permanent
    assert "~/copy cannot be given its owner and group" in error.message
    assert (copy.read_bytes(), copy.stat().st_uid) == (b"root's", 0)
    assert left_behind(login.machine.home) == []
    login.allow_all()
    there = attrs.evolve(request, target=str(copy), become="root")
    assert (await client.copy(there)).changed
    assert copy.read_bytes() == TEXT


@pytest.mark.parametrize("leads_to", ["file", "folder", "nothing"])
@trio_test
async def test_a_link_is_neither_replaced_nor_followed(
    client: Client,
    host: Host,
    machine: Machine,
    source: Path,
    tree: Path,
    leads_to: str,
) -> None:
    """Somebody has made it for a reason, and what it leads to is another's."""
    (machine.home / "file").write_bytes(b"old")
    (machine.home / "folder").mkdir()
    (machine.home / "copy").symlink_to(leads_to)
    here = source.parent / "here"
    here.symlink_to(leads_to)
    (machine.home / "log").write_bytes(TEXT)

    for path in (source, tree):
        error = await client.copy_error(CopyTo(host, str(path), "~/copy"))
        assert error.permanent
        assert (
            "~/copy is a symbolic link, and ssh.copy neither replaces nor"
            in error.message
        )
        assert error.message.endswith(f": it leads to {leads_to}")
    error = await client.copy_error(CopyFrom(host, "~/log", str(here)))
    assert error.permanent
    assert f"{here} is a symbolic link to {leads_to}, which is" in error.message

    assert os.readlink(machine.home / "copy") == os.readlink(here) == leads_to
    assert (machine.home / "file").read_bytes() == b"old"
    assert list((machine.home / "folder").iterdir()) == []


@trio_test
async def test_a_place_that_may_not_be_written_has_nothing_to_do_with_room(
    client: Client, login: Login, source: Path, tree: Path
) -> None:
    """A full disk may pass; this needs a person."""
    host = login.machine.host
    for path in (source, tree):
        for target in ("/etc/copy", "/etc/a/b/copy"):
            request = CopyTo(host, str(path), target, make_parents=True)

            error = await client.copy_error(request)

            assert (error.code, error.permanent) == (SshProblem.NOT_PERMITTED, True)
            assert "the user may not write there. Name a path where it" in error.message


@trio_test
async def test_a_home_that_is_missing_is_told(
    client: Client, login: Login, source: Path
) -> None:
    """With the field that names another place."""
    login.machine.home.rmdir()
    host = login.machine.host

    copy = await client.copy_error(CopyTo(host, str(source), "~/copy"))
    run = await client.error(RunOn(host, ("true",)))

    assert (copy.code, run.code) == (SshProblem.NOT_PERMITTED, SshProblem.NOT_PERMITTED)
    assert "the user has no home directory on the host. Name a path" in copy.message
    assert "no home directory on the host. Name a place where it may as directory=" in (
        run.message
    )
    directory = f"/tmp/{login.name}"
    request = RunOn(host, ("pwd",), cwd="/", directory=directory)
    assert (await client.run(request)).stdout == "/\n"
    shutil.rmtree(directory)


@trio_test
async def test_a_timeout_tells_how_far_a_copy_came(
    client: Client, host: Host, tmp_path: Path, context: Recorder, clock: MockClock
) -> None:
    """What was waited for, and what was done of it."""
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(2_000_000_000)
    said = ""
    async with trio.open_nursery() as nursery:

        async def end_time() -> None:
            await context.until(" of 2,000,000,000 bytes")
            clock.jump(30)

        nursery.start_soon(end_time)
        with trio.move_on_after(30):
            try:
                await client.copy(CopyTo(host, str(big), "~/copy"), context)
            except PluginError as error:
                said = error.message

    assert said.startswith(f"waited for {host}: ~/copy: the copy to be made, ")
    assert said.endswith(" of 2,000,000,000 bytes so far")


# --- what goes wrong on the way ---------------------------------------------------


@trio_test
async def test_a_full_disk_leaves_what_was_there(
    client: Client, small_disk: Path, machine: Machine, tmp_path: Path
) -> None:
    """The old file stays, whole, and no part of the new one takes up room."""
    big = tmp_path / "big"
    big.write_bytes(os.urandom(5_000_000))
    (small_disk / "copy").write_bytes(TEXT)
    for source, target in ((big, "copy"), (tmp_path / "release", "release")):
        if source != big:
            source.mkdir()
            shutil.copy(big, source)

        error = await client.copy_error(
            CopyTo(machine.host, str(source), f"{small_disk}/{target}")
        )

        assert (error.code, error.permanent) == (SshProblem.NO_ROOM, False)
        assert f"cannot be written as {small_disk}/{target}" in error.message
        assert "KiB are free: " in error.message

    assert (small_disk / "copy").read_bytes() == TEXT
    assert os.listdir(small_disk) == ["copy"]


@trio_test
async def test_a_limit_of_the_size_of_files_leaves_what_was_there(
    client: Client, make_machine: MakeMachine, tmp_path: Path
) -> None:
    """As on a full disk."""
    force = 'ulimit -f 1000; /bin/sh -c "$SSH_ORIGINAL_COMMAND"'
    machine = make_machine(extra=f"ForceCommand {force}")
    big = tmp_path / "big"
    big.write_bytes(os.urandom(5_000_000))

    error = await client.copy_error(CopyTo(machine.host, str(big), "~/copy"))

    assert error.code == SshProblem.NO_ROOM
    assert list(machine.home.iterdir()) == []


@trio_test
async def test_half_a_copy_leaves_nothing_under_the_final_name(
    client: Client, host: Host, machine: Machine, tmp_path: Path, context: Recorder
) -> None:
    """A connection that is lost in the middle leaves what was there, and no rest."""
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(2_000_000_000)
    (machine.home / "copy").write_bytes(TEXT)
    async with trio.open_nursery() as nursery:

        async def cut() -> None:
            await context.until(" of 2,000,000,000 bytes")
            machine.disconnect()

        nursery.start_soon(cut)
        error = await client.copy_error(CopyTo(host, str(big), "~/copy"), context)

    assert (error.code, error.permanent) == (SshProblem.CONNECTION_LOST, False)
    machine.wait_until_idle()
    assert (machine.home / "copy").read_bytes() == TEXT
    assert left_behind(machine.home) == []


@trio_test
async def test_a_cancelled_copy_leaves_nothing(
    client: Client, host: Host, machine: Machine, tmp_path: Path, context: Recorder
) -> None:
    """A timeout in the middle is as a lost connection."""
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(2_000_000_000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.copy, CopyTo(host, str(big), "~/copy"), context)
        await context.until(" of 2,000,000,000 bytes")
        nursery.cancel_scope.cancel()

    machine.wait_until_idle()
    assert list(machine.home.iterdir()) == []


@trio_test
async def test_what_an_attempt_has_left_is_removed_by_the_next(
    client: Client, host: Host, machine: Machine, source: Path, context: Recorder
) -> None:
    """A host that crashed in the middle keeps no half copies for ever."""
    rest = machine.home / f".workstream-{context.idempotency_key}-0"
    rest.write_bytes(b"half")
    others = machine.home / ".workstream-another-0"
    others.write_bytes(b"not ours")

    await client.copy(CopyTo(host, str(source), "~/copy"), context)

    assert left_behind(machine.home) == [others.name]


@trio_test
async def test_a_file_that_grows_is_copied_as_it_was(
    client: Client, host: Host, machine: Machine, tmp_path: Path, context: Recorder
) -> None:
    """What is sent is what was there when the copy began."""
    log = tmp_path / "log"
    log.write_bytes(bytes(20_000_000))
    async with trio.open_nursery() as nursery:

        async def grow() -> None:
            await context.until(" of 20,000,000 bytes")
            with log.open("ab") as file:
                file.write(b"more")

        nursery.start_soon(grow)
        result = await client.copy(CopyTo(host, str(log), "~/log"), context)

    assert result.size == 20_000_000
    assert (machine.home / "log").stat().st_size == 20_000_000


@trio_test
async def test_a_file_that_shrinks_is_not_copied(
    client: Client, host: Host, machine: Machine, tmp_path: Path, context: Recorder
) -> None:
    """Half of a file that is just being replaced is no copy."""
    log = tmp_path / "log"
    with log.open("wb") as file:
        file.truncate(500_000_000)
    async with trio.open_nursery() as nursery:

        async def shrink() -> None:
            await context.until(" bytes")
            os.truncate(log, 1000)

        nursery.start_soon(shrink)
        error = await client.copy_error(CopyTo(host, str(log), "~/log"), context)

    assert "was changed while it was copied" in error.message
    assert not error.permanent
    machine.wait_until_idle()
    assert list(machine.home.iterdir()) == []


@pytest.mark.parametrize("tools", ["shasum", "openssl", "cksum"])
@trio_test
async def test_checksums_come_from_what_the_host_has(
    client: Client,
    make_machine: MakeMachine,
    source: Path,
    tree: Path,
    tmp_path: Path,
    tools: str,
) -> None:
    """Without sha256sum there is shasum, or openssl, or cksum, which is everywhere."""
    programs = tmp_path / "programs"
    programs.mkdir()
    needed = (
        "dd sed cat mkdir rm find sleep head wc chmod mv stat tar readlink sync sh env"
    )
    for name in (*needed.split(), "perl", tools):
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"there is no {name} here")
        (programs / name).symlink_to(found)
    force = f'export PATH={programs}; /bin/sh -c "$SSH_ORIGINAL_COMMAND"'
    machine = make_machine(extra=f"ForceCommand {force}")
    kind = "cksum" if tools == "cksum" else "sha256"

    for changed in (True, False):
        result = await client.copy(CopyTo(machine.host, str(source), "~/copy"))
        assert result.changed is changed
        assert result.checksum.startswith(f"{kind}:")
        result = await client.copy(CopyTo(machine.host, str(tree), "~/release"))
        assert result.changed is changed
        result = await client.copy(
            CopyFrom(machine.host, "~/copy", str(tmp_path / "back"))
        )
        assert result.changed is changed
    assert (tmp_path / "back").read_bytes() == TEXT


# --- directories ----------------------------------------------------------------


def listing(root: Path) -> dict[str, tuple[int, bytes | str]]:
    """All that is in a directory."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = (0, os.readlink(path))
        else:
            found[name] = (mode(path), b"" if path.is_dir() else path.read_bytes())
    return found


@trio_test
async def test_a_directory_arrives_whole(
    client: Client, host: Host, machine: Machine, tree: Path
) -> None:
    """Files, programs, links and empty directories, each with its permissions."""
    result = await client.copy(
        CopyTo(host, str(tree), "~/releases/v2", make_parents=True)
    )

    assert result.changed
    assert result.size == len(TEXT) + len("#!/bin/sh\n")
    assert listing(machine.home / "releases" / "v2") == listing(tree)
    assert mode(machine.home / "releases" / "v2") == 0o750
    assert left_behind(machine.home / "releases") == []


@trio_test
async def test_a_directory_that_is_there_is_not_copied_again(
    client: Client, host: Host, machine: Machine, tree: Path
) -> None:
    """All of it is compared."""
    first = await client.copy(CopyTo(host, str(tree), "~/v2"))
    before = (machine.home / "v2").stat().st_ino

    second = await client.copy(CopyTo(host, str(tree), "~/v2"))

    assert (first.changed, second.changed) == (True, False)
    assert first.checksum == second.checksum
    assert (machine.home / "v2").stat().st_ino == before


@pytest.mark.parametrize("change", ["content", "missing", "mode", "link", "folder"])
@trio_test
async def test_a_directory_that_differs_is_updated(
    client: Client, host: Host, machine: Machine, tree: Path, change: str
) -> None:
    """Only what differs: what else is there keeps its place, down to its inode."""
    await client.copy(CopyTo(host, str(tree), "~/v2"))
    there = machine.home / "v2"
    leaf = next(there.rglob("leaf"))
    inode = leaf.stat().st_ino
    match change:
        case "content":
            (there / "bin" / "serve").write_text("#!/bin/ss\n")
        case "missing":
            (there / "odd * name's \\ ☃").unlink()
        case "mode":
            (there / "bin" / "serve").chmod(0o644)
        case "link":
            (there / "current").unlink()
            (there / "current").symlink_to("a folder")
        case _:
            shutil.rmtree(there / "empty")

    assert (await client.copy(CopyTo(host, str(tree), "~/v2"))).changed
    assert listing(there) == listing(tree)
    assert leaf.stat().st_ino == inode
    assert not (await client.copy(CopyTo(host, str(tree), "~/v2"))).changed


@trio_test
async def test_what_else_is_in_a_directory_stays(
    client: Client, host: Host, machine: Machine, tree: Path
) -> None:
    """What a release makes by itself, and what somebody has put there, is no fault."""
    await client.copy(CopyTo(host, str(tree), "~/v2"))
    there = machine.home / "v2"
    (there / "bin" / "__pycache__").mkdir()
    (there / "bin" / "__pycache__" / "serve.pyc").write_bytes(b"code")
    (there / "log").symlink_to("/var/log")

    assert not (await client.copy(CopyTo(host, str(tree), "~/v2"))).changed
    (tree / "bin" / "serve").write_text("#!/bin/sh\nexit 0\n")
    assert (await client.copy(CopyTo(host, str(tree), "~/v2"))).changed

    assert (there / "bin" / "serve").read_text() == "#!/bin/sh\nexit 0\n"
    assert (there / "bin" / "__pycache__" / "serve.pyc").read_bytes() == b"code"
    assert (there / "log").is_symlink()
    assert left_behind(there) == left_behind(machine.home) == []


@trio_test
async def test_an_updated_file_of_a_directory_keeps_its_owner_and_mode(
    client: Client, host: Host, machine: Machine, tree: Path
) -> None:
    """As a file by itself does; what is new in it belongs to us."""
    await client.copy(CopyTo(host, str(tree), "~/v2"))
    serve = machine.home / "v2" / "bin" / "serve"
    serve.chmod(0o710)
    os.chown(serve, 3003, 3004)
    (tree / "bin" / "serve").write_text("#!/bin/sh\nexit 0\n")
    (tree / "bin" / "new").write_text("new")

    await client.copy(CopyTo(host, str(tree), "~/v2"))

    found = serve.stat()
    assert (found.st_uid, found.st_gid, mode(serve)) == (3003, 3004, 0o710)
    assert (machine.home / "v2" / "bin" / "new").stat().st_uid == os.getuid()


@trio_test
async def test_a_directory_is_given_an_owner(
    client: Client, host: Host, machine: Machine, tree: Path
) -> None:
    """All that is copied has it, what is there already too, and nothing else."""
    request = CopyTo(host, str(tree), "~/v2", owner="daemon", group="3004")
    assert (await client.copy(request)).changed
    assert not (await client.copy(request)).changed
    there = machine.home / "v2"
    (there / "extra").touch()
    for name in (".", "bin/serve", "current"):
        os.lchown(there / name, 0, 0)

    assert (await client.copy(request)).changed

    owners = {
        (path.lstat().st_uid, path.lstat().st_gid)
        for path in [there, *there.rglob("*")]
        if path.name != "extra"
    }
    assert owners == {(1, 3004)}
    assert (there / "extra").stat().st_uid == 0
    assert not (await client.copy(request)).changed


@trio_test
async def test_what_is_excluded_is_not_copied(
    client: Client, host: Host, machine: Machine, tree: Path
) -> None:
    """By a name, wherever it is, or by a path; all that is within it as well."""
    for folder in (".git", "bin/__pycache__", "a folder/build", "build"):
        (tree / folder).mkdir(parents=True)
        (tree / folder / "x").touch()
    (tree / "bin" / "x.pyc").touch()
    exclude = (".git", "__pycache__", "*.pyc", "build/")
    request = CopyTo(host, str(tree), "~/v2", exclude=(*exclude, "a folder/*/er*"))

    await client.copy(request)

    found = listing(machine.home / "v2")
    assert set(found) == {
        "a folder",
        f"a folder/{'deep' * 30}",
        "bin",
        "bin/serve",
        "current",
        "dangling",
        "empty",
        "odd * name's \\ ☃",
    }
    (tree / ".git" / "x").write_text("another commit")
    assert not (await client.copy(request)).changed


@pytest.mark.parametrize("kind", ["folder", "link", "file"])
@trio_test
async def test_what_is_of_another_kind_in_a_directory_is_left_to_a_person(
    client: Client, host: Host, machine: Machine, tree: Path, kind: str
) -> None:
    """Nothing is changed then: not a link for a file, not a directory for a link."""
    await client.copy(CopyTo(host, str(tree), "~/v2"))
    there = machine.home / "v2"
    (there / "bin" / "serve").write_text("changed")
    match kind:
        case "folder":
            (there / "current").unlink()
            (there / "current").mkdir()
            said = "./current is a directory there, and a link here"
        case "link":
            shutil.move(there / "empty", machine.home / "elsewhere")
            (there / "empty").symlink_to("../elsewhere")
            said = "./empty is a link there, and a directory here"
        case _:
            (there / "empty").rmdir()
            (there / "empty").touch()
            said = "./empty is a file there, and a directory here"
    before = listing(there)

    error = await client.copy_error(CopyTo(host, str(tree), "~/v2"))

    assert error.permanent
    assert said in error.message
    assert listing(there) == before


@trio_test
async def test_what_cannot_be_copied_is_named(
    client: Client, host: Host, machine: Machine, tree: Path
) -> None:
    """Before anything is copied."""
    os.mkfifo(tree / "pipe")
    error = await client.copy_error(CopyTo(host, str(tree), "~/v2"))
    assert error.message == (
        f"{tree / 'pipe'} is neither a file nor a directory nor a link"
    )
    (tree / "pipe").rename(tree / "two\nlines")
    error = await client.copy_error(CopyTo(host, str(tree), "~/v2"))
    assert "its name holds a line break" in error.message
    error = await client.copy_error(CopyTo(host, str(tree), "~/v2", mode=0o644))
    assert "is a directory: mode= is for a file only" in error.message
    assert list(machine.home.iterdir()) == []


@trio_test
async def test_a_file_is_not_replaced_by_a_directory(
    client: Client, host: Host, machine: Machine, tree: Path
) -> None:
    """It may be there for a reason."""
    (machine.home / "v2").write_bytes(TEXT)

    error = await client.copy_error(CopyTo(host, str(tree), "~/v2"))

    assert error.permanent
    assert "~/v2 exists, and is no directory" in error.message


# --- from a host ------------------------------------------------------------------


@trio_test
async def test_a_file_is_fetched_with_its_mode(
    client: Client, host: Host, machine: Machine, tmp_path: Path
) -> None:
    """And not fetched again when it is here."""
    (machine.home / "log").write_bytes(TEXT)
    (machine.home / "log").chmod(0o604)
    target = tmp_path / "logs" / "web-1"

    request = CopyFrom(host, "~/log", str(target), make_parents=True)
    first = await client.copy(request)
    inode = target.stat().st_ino
    second = await client.copy(request)
    third = await client.copy(CopyFrom(host, "~/log", str(target), mode=0o600))

    assert (first.changed, second.changed, third.changed) == (True, False, True)
    assert first.checksum == second.checksum == SHA256
    assert target.read_bytes() == TEXT
    assert (mode(target), target.stat().st_ino) == (0o600, inode)
    assert left_behind(target.parent) == []


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("~/missing", "there is no ~/missing"),
        ("~/folder", "~/folder is a directory"),
        ("~/pipe", "~/pipe is no file"),
    ],
)
@trio_test
async def test_what_cannot_be_fetched_is_told(
    client: Client,
    host: Host,
    machine: Machine,
    tmp_path: Path,
    source: str,
    message: str,
) -> None:
    """Nothing is left here either."""
    (machine.home / "folder").mkdir()
    os.mkfifo(machine.home / "pipe")
    (tmp_path / "here").mkdir()

    error = await client.copy_error(
        CopyFrom(host, source, str(tmp_path / "here" / "copy"))
    )

    assert error.permanent
    assert error.message == f"{host}: {message}"
    assert list((tmp_path / "here").iterdir()) == []


@trio_test
async def test_half_a_fetch_leaves_what_was_here(
    client: Client, host: Host, machine: Machine, tmp_path: Path, context: Recorder
) -> None:
    """A lost connection in the middle changes nothing."""
    with (machine.home / "big").open("wb") as file:
        file.truncate(2_000_000_000)
    here = tmp_path / "here"
    here.mkdir()
    (here / "copy").write_bytes(TEXT)
    async with trio.open_nursery() as nursery:

        async def cut() -> None:
            await context.until(" of 2,000,000,000 bytes")
            machine.disconnect()

        nursery.start_soon(cut)
        request = CopyFrom(host, "~/big", str(here / "copy"))
        error = await client.copy_error(request, context)

    assert (error.code, error.permanent) == (SshProblem.CONNECTION_LOST, False)
    assert (here / "copy").read_bytes() == TEXT
    assert left_behind(here) == []


@trio_test
async def test_a_full_disk_here_is_told(
    client: Client, host: Host, machine: Machine, tmp_path: Path, small_disk: Path
) -> None:
    """As one there."""
    (machine.home / "big").write_bytes(bytes(5_000_000))

    error = await client.copy_error(CopyFrom(host, "~/big", f"{small_disk}/copy"))

    assert "No space left on device" in error.message
    assert not error.permanent
    assert os.listdir(small_disk) == []
