"""What a copy would change; and nothing does, here or on the host."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
from trio.testing import trio_test

from workstream import PluginError
from workstream.plugins import Preview
from workstream_ssh import CopyFrom, CopyTo, Host, KnownHosts, SshCopy

if TYPE_CHECKING:
    from conftest import Client, Machine, Recorder

Foresee = Callable[[CopyTo | CopyFrom], Awaitable[Preview]]
TEXT = b"some text\n" * 1000


def snapshot(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    """All files below a folder, and when they changed."""
    for path in sorted([folder, *folder.rglob("*")]):
        found = path.lstat()
        yield str(path), found.st_mtime_ns, found.st_mode, found.st_ino


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to copy."""
    path = tmp_path / "here" / "source"
    path.parent.mkdir()
    path.write_bytes(TEXT)
    path.chmod(0o640)
    return path


@pytest.fixture
def foresee(
    client: Client, machine: Machine, source: Path, context: Recorder
) -> Foresee:
    """A preview, which must change nothing; without the host's name."""
    plugin = SshCopy(client.connections)

    async def foresee(request: CopyTo | CopyFrom) -> Preview:
        plugin.validate(request)
        folders = (machine.home, source.parent)
        before = [list(snapshot(folder)) for folder in folders]
        with trio.fail_after(30):
            found = await plugin.preview(context, request)
        assert before == [list(snapshot(folder)) for folder in folders]
        text = found.summary.removeprefix(f"{request.host}: ")
        return attrs.evolve(found, summary=text.replace(f"{source.parent}/", ""))

    return foresee


@pytest.mark.slow
@trio_test
async def test_a_file_to_a_host(
    client: Client, host: Host, machine: Machine, source: Path, foresee: Foresee
) -> None:
    """New, other content, another mode, both, and none of it."""
    request = CopyTo(host, str(source), "~/copy")
    deep = CopyTo(host, str(source), "~/a/b/copy", make_parents=True)

    assert await foresee(request) == Preview(
        "~/copy: created: 10,000 bytes, mode 0640", changes=True
    )
    assert (await foresee(deep)).summary.endswith("with the directories above it")
    (machine.home / "copy").write_bytes(TEXT[::-1])
    (machine.home / "copy").chmod(0o640)
    assert await foresee(request) == Preview(
        "~/copy: content: 10,000 bytes -> 10,000 bytes", changes=True
    )
    (machine.home / "copy").write_bytes(b"short")
    assert await foresee(attrs.evolve(request, mode=0o755)) == Preview(
        "~/copy: content: 5 bytes -> 10,000 bytes; mode: 0640 -> 0755", changes=True
    )
    await client.copy(request)
    assert await foresee(request) == Preview("~/copy: no change", changes=False)


@trio_test
async def test_a_directory_to_a_host(
    client: Client, host: Host, source: Path, foresee: Foresee
) -> None:
    """New, there already, or there and to be updated, unless a person must see to it."""
    (source.parent / "more").mkdir()
    (source.parent / "more" / "link").symlink_to("../source")
    request = CopyTo(host, str(source.parent), "~/release")

    assert await foresee(request) == Preview(
        "~/release: created: 3 entries, 10,000 bytes", changes=True
    )
    await client.copy(request)
    assert await foresee(request) == Preview("~/release: no change", changes=False)
    (source.parent / "source").write_bytes(b"else")
    (source.parent / "new").touch()
    assert await foresee(request) == Preview(
        "~/release: 1 created: ./new; 1 updated: ./source", changes=True
    )
    (source.parent / "more" / "link").unlink()
    (source.parent / "more" / "link").mkdir()
    with pytest.raises(PluginError, match="link is a link there, and a directory here"):
        await foresee(request)


@pytest.mark.slow
@trio_test
async def test_a_file_from_a_host(
    client: Client, host: Host, machine: Machine, source: Path, foresee: Foresee
) -> None:
    """Likewise, on this side."""
    (machine.home / "log").write_bytes(TEXT)
    (machine.home / "log").chmod(0o644)
    target = source.parent / "log"
    request = CopyFrom(host, "~/log", str(target))
    deep = attrs.evolve(
        request, target=str(source.parent / "a" / "log"), make_parents=True
    )

    assert await foresee(request) == Preview(
        "log: created: 10,000 bytes, mode 0644", changes=True
    )
    assert (await foresee(deep)).summary.endswith("with the directories above it")
    target.write_bytes(TEXT[::-1])
    target.chmod(0o600)
    assert await foresee(request) == Preview(
        "log: content: 10,000 bytes -> 10,000 bytes", changes=True
    )
    assert await foresee(attrs.evolve(request, mode=0o640)) == Preview(
        "log: content: 10,000 bytes -> 10,000 bytes; mode: 0600 -> 0640", changes=True
    )
    await client.copy(request)
    assert await foresee(request) == Preview("log: no change", changes=False)


@pytest.mark.slow
@trio_test
async def test_what_would_fail_now_fails(
    host: Host, machine: Machine, source: Path, foresee: Foresee
) -> None:
    """With the error of the action, which the engine knows how to take."""
    (machine.home / "folder").mkdir()
    (machine.home / "file").touch()
    here = str(source)
    cases: list[tuple[CopyTo | CopyFrom, str]] = [
        (CopyTo(host, here + "x", "~/copy"), "No such file"),
        (CopyTo(host, here, "~/folder"), "is a directory"),
        (CopyTo(host, here, "~/no/copy"), "see make_parents"),
        (CopyTo(host, str(source.parent), "~/file"), "exists, and is no directory"),
        (CopyTo(host, str(source.parent), "~/new", mode=0o755), "is for a file only"),
        (CopyFrom(host, "~/none", here), "there is no ~/none"),
        (CopyFrom(host, "~/file", str(source.parent)), "is a directory"),
        (CopyFrom(host, "~/file", f"{source.parent}/x/y"), "see make_parents"),
    ]
    for request, message in cases:
        with pytest.raises(PluginError, match=message):
            await foresee(request)
    machine.stop()
    with pytest.raises(PluginError, match=r"nothing listens|connection was lost"):
        await foresee(CopyTo(host, here, "~/copy"))


@pytest.mark.slow
@trio_test
async def test_no_host_is_trusted_for_it(
    client: Client, host: Host, source: Path, tmp_path: Path, foresee: Foresee
) -> None:
    """A key that would be noted is not; once it is known, the host is asked."""
    known = tmp_path / "known"
    known.touch()
    new = attrs.evolve(
        host, known_hosts=KnownHosts.ACCEPT_NEW, known_hosts_file=str(known)
    )
    request = CopyTo(new, str(source), "~/copy")

    found = await foresee(request)

    assert found.changes is None
    assert "its key is not known yet" in found.summary
    assert known.read_text() == ""
    with pytest.raises(PluginError, match="its key is not in"):
        await foresee(
            attrs.evolve(request, host=attrs.evolve(new, known_hosts=host.known_hosts))
        )
    await client.copy(request)
    assert await foresee(request) == Preview("~/copy: no change", changes=False)
