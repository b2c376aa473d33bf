"""Checks, and waiting for a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import blake2b, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock, trio_test, wait_all_tasks_blocked

from workstream import PluginError, SecretRef
from workstream_files import (
    ChecksumRequest,
    ContentRequest,
    ExistsRequest,
    FileChecksum,
    FileContent,
    FileExists,
    FileFacts,
    FreeSpace,
    SpaceRequest,
    WaitForFile,
    WaitRequest,
)
from workstream_files._looking import size_in_bytes

if TYPE_CHECKING:
    from conftest import Attempt, Perform


@pytest.fixture
def mock_clock() -> MockClock:
    """A clock that stands still until the test moves it; trio runs on it."""
    return MockClock()


# --- exists -------------------------------------------------------------------------


def test_what_is_there_is_told(folder: Path, perform: Perform) -> None:
    """A check that passes says what it found."""
    path = folder / "a"
    path.write_text("text")
    path.chmod(0o640)
    request = ExistsRequest(path=str(path), kind="file", mode="0640", max_age=3600)

    found = perform(FileExists(), request)

    assert (found.kind, found.size, found.mode) == ("file", 4, "0640")
    assert found.modified == path.stat().st_mtime


def test_all_that_is_wrong_is_named(folder: Path, perform: Perform) -> None:
    """Kind, mode, owner and age in one message."""
    os.utime(folder, (0, 0))
    folder.chmod(0o755)
    request = ExistsRequest(
        path=str(folder), kind="file", mode="0644", owner="4321", group="5", max_age=60
    )

    with pytest.raises(PluginError) as caught:
        perform(FileExists(), request)

    assert (
        "it is a directory, expected a file; its mode is 0755, expected 0644; its "
        in (caught.value.message)
    )
    for clause in ("expected 4321", "expected 5", "seconds ago, expected at most 60"):
        assert clause in caught.value.message
    assert not caught.value.permanent


def test_links_count_as_what_they_lead_to(folder: Path, perform: Perform) -> None:
    """But for who asks for a link, or for nothing at all."""
    link = folder / "link"
    link.symlink_to("a")
    path = str(link)

    with pytest.raises(PluginError, match="symbolic link to a, which does not exist"):
        perform(FileExists(), ExistsRequest(path=path))
    with pytest.raises(PluginError, match=r"exists \(link"):
        perform(FileExists(), ExistsRequest(path=path, present=False))
    assert perform(FileExists(), ExistsRequest(path=path, kind="link")).kind == "link"
    (folder / "a").write_text("text")
    assert perform(FileExists(), ExistsRequest(path=path)).kind == "file"


def test_what_must_not_be_there_is_not_there(folder: Path, perform: Perform) -> None:
    """Absence can be checked, also below what is no directory."""
    (folder / "a").write_text("")
    for path in (folder / "b", folder / "a" / "b"):
        found = perform(FileExists(), ExistsRequest(path=str(path), present=False))
        assert found == FileFacts(path=str(path), kind="none")

    with pytest.raises(PluginError, match="folder/b does not exist"):
        perform(FileExists(), ExistsRequest(path=str(folder / "b")))


# --- content ------------------------------------------------------------------------


def test_content_is_compared(folder: Path, perform: Perform) -> None:
    """Equal, containing and matching; what is missing is named, and no content shown."""
    path = folder / "a"
    path.write_text("one\ntwo\nthree\n")
    good = ContentRequest(
        path=str(path), equals="one\ntwo\nthree\n", contains="two", matches="^th.*e$"
    )
    bad = ContentRequest(
        path=str(path), equals="one\ntwo\nfour\n", contains="five", matches="^six"
    )

    assert perform(FileContent(), good).size == 14
    with pytest.raises(PluginError) as caught:
        perform(FileContent(), bad)

    assert caught.value.message == (
        f"{path}: it has 14 bytes, expected 13, and differs from line 3 on; it does "
        "not contain 'five'; nothing in it matches '^six'"
    )


def test_secrets_are_compared_and_not_shown(folder: Path, perform: Perform) -> None:
    """A file can be checked for a secret; the message names the reference alone."""
    path = folder / "a"
    path.write_text("token=abracadabra")
    right = SecretRef("env:TOKEN").resolved("abracadabra")
    wrong = SecretRef("env:TOKEN").resolved("hocuspocus")

    perform(FileContent(), ContentRequest(path=str(path), contains=right))
    equals = ("token=", right)
    perform(FileContent(), ContentRequest(path=str(path), equals=equals))
    with pytest.raises(PluginError) as caught:
        perform(FileContent(), ContentRequest(path=str(path), contains=wrong))

    assert caught.value.message == f"{path}: it does not contain the secret env:TOKEN"


def test_no_content_makes_a_search_slow(folder: Path, perform: Perform) -> None:
    """A pattern that would be tried for years on this text is answered at once."""
    (folder / "a").write_text("a" * 100_000 + "!")
    slow = ContentRequest(path=str(folder / "a"), matches=r"^(\w+\s?)*$")

    with pytest.raises(PluginError, match="nothing in it matches"):
        perform(FileContent(), slow)


def test_what_is_too_long_is_not_read(folder: Path, perform: Perform) -> None:
    """A limit keeps a wrong path from filling the memory."""
    (folder / "a").write_text("12345")
    request = ContentRequest(path=str(folder / "a"), contains="1", limit=4)

    with pytest.raises(PluginError, match="has 5 bytes, more than the 4"):
        perform(FileContent(), request)


def test_what_cannot_be_read_may_be_tried_again(folder: Path, perform: Perform) -> None:
    """A file that is not there yet fails the check with its name."""
    path = str(folder / "a")
    cases: list[tuple[Any, Any]] = [
        (FileContent(), ContentRequest(path=path, contains="1")),
        (FileChecksum(), ChecksumRequest(path=path, checksum=f"sha256:{'0' * 64}")),
        (FreeSpace(), SpaceRequest(path=path, free="1")),
    ]
    for plugin, request in cases:
        with pytest.raises(PluginError, match="a: No such file or directory") as caught:
            perform(plugin, request)
        assert not caught.value.permanent


# --- checksum -----------------------------------------------------------------------


def test_checksums_are_compared(folder: Path, perform: Perform) -> None:
    """By the algorithm that the request names; the digest's case does not matter."""
    path = folder / "a"
    data = os.urandom(3_000_000)
    path.write_bytes(data)

    for checksum in (
        "sha256:" + sha256(data).hexdigest(),
        "blake2b:" + blake2b(data).hexdigest().upper(),
    ):
        request = ChecksumRequest(path=str(path), checksum=checksum)
        assert perform(FileChecksum(), request).size == 3_000_000
    with pytest.raises(PluginError, match=f"expected sha256:{'0' * 64}"):
        perform(
            FileChecksum(),
            ChecksumRequest(path=str(path), checksum=f"sha256:{'0' * 64}"),
        )


# --- space --------------------------------------------------------------------------


def test_room_is_measured(folder: Path, perform: Perform) -> None:
    """A file system with room passes; one without is told with all that it lacks."""
    found = perform(FreeSpace(), SpaceRequest(path=str(folder), free="1 KiB"))
    system = os.statvfs(folder)
    request = SpaceRequest(path=str(folder), free="9000 PiB", free_percent=100)

    assert found.free >= 1024
    assert 0 < found.free_percent <= 100
    assert found.free_inodes >= (0 if system.f_files else -1)
    with pytest.raises(
        PluginError, match=r"free, expected 9000 PiB; .* expected 100 %"
    ):
        perform(FreeSpace(), request)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("5 GiB", 5 * 1024**3),
        ("500MB", 500_000_000),
        ("1.5 k", 1500),
        ("2 TiB", 2 * 1024**4),
        ("7 B", 7),
    ],
)
def test_sizes_are_written_as_people_do(text: str, size: int) -> None:
    """With a binary unit or a decimal one, or as bytes."""
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "5 iB", "-1", "5 GiBs", "GiB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """The message shows how to write one."""
    with pytest.raises(ValueError, match='write "5 GiB"'):
        size_in_bytes(text)


# --- waiting ------------------------------------------------------------------------


async def poll_by_poll(
    request: WaitRequest,
    context: Attempt,
    clock: MockClock,
    steps: list[Callable[[], Any]],
) -> tuple[FileFacts, float]:
    """Wait, doing one step before each poll; what was found, and when."""
    found: list[FileFacts] = []
    ended: list[float] = []

    async def wait() -> None:
        found.append(await WaitForFile().execute(context, request))
        ended.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        for step in steps:
            # Not only trio's tasks: a thread looks for the file.
            await wait_all_tasks_blocked(0.05)
            assert not found
            step()
            clock.jump(request.poll)
    return found[0], ended[0]


@trio_test
async def test_a_file_is_waited_for(
    folder: Path, context: Attempt, mock_clock: MockClock
) -> None:
    """It ends with the look that finds the file."""
    path = folder / "a"
    request = WaitRequest(path=str(path), poll=5)

    steps = [lambda: None, lambda: path.write_text("text")]
    found, ended = await poll_by_poll(request, context, mock_clock, steps)

    assert (found.kind, found.size, ended) == ("file", 4, 10)


@trio_test
async def test_what_still_grows_is_not_there_yet(
    folder: Path, context: Attempt, mock_clock: MockClock
) -> None:
    """With ``settled``, time counts from the last change."""
    path = folder / "a"
    path.write_text("1")
    request = WaitRequest(path=str(path), settled=2, poll=1)

    steps = [lambda: path.write_text("22"), lambda: None, lambda: None]
    found, ended = await poll_by_poll(request, context, mock_clock, steps)

    assert (found.size, ended) == (2, 3)


@trio_test
async def test_what_is_to_be_gone_is_waited_for(
    folder: Path, context: Attempt, mock_clock: MockClock
) -> None:
    """A link that leads nowhere is still there."""
    link = folder / "lock"
    link.symlink_to("nowhere")
    request = WaitRequest(path=str(link), present=False)

    found, ended = await poll_by_poll(request, context, mock_clock, [link.unlink])

    assert (found.kind, ended) == ("none", 1)


@pytest.mark.parametrize(
    ("request_", "seen"),
    [
        ({}, "was not there after 4 looks: it did not exist"),
        (
            {"path": "b/c"},
            "was not there after 4 looks: it did not exist, nor the directory FOLDER/b",
        ),
        (
            {"path": "link"},
            "was not there after 4 looks: it was a symbolic link to something that did "
            "not exist",
        ),
        (
            {"path": "file", "present": False},
            "was not gone after 4 looks: it was a file of 4 bytes",
        ),
        (
            {"path": "file", "settled": 60},
            "was not there after 4 looks: it was a file of 4 bytes, and has stood still "
            "for 30 of 60 seconds",
        ),
    ],
)
def test_a_wait_that_times_out_says_what_it_saw(
    request_: dict[str, Any],
    seen: str,
    folder: Path,
    context: Attempt,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was waited for, how often it was looked at, and the last look (A-4)."""
    (folder / "file").write_text("text")
    (folder / "link").symlink_to("nowhere")
    path = str(folder / request_.get("path", "a"))
    fields: dict[str, Any] = {**request_, "path": path}
    request = WaitRequest(poll=10, **fields)

    # The clock jumps while a thread works; without one, each look has its time.
    async def at_once(function: Callable[..., Any], *args: Any, **words: Any) -> Any:
        return function(*args, **words)

    monkeypatch.setattr("workstream_files._looking.in_thread", at_once)

    async def main() -> None:
        with trio.move_on_after(35):
            await WaitForFile().execute(context, request)

    with pytest.raises(PluginError) as caught:
        trio.run(main, clock=MockClock(autojump_threshold=0))

    seen = seen.replace("FOLDER", str(folder))
    assert caught.value.message == f"{path} {seen}"
