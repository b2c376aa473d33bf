"""What the checks look at, and waiting for it. Nothing here changes anything."""

from __future__ import annotations

import os
import re
import stat
import time
from itertools import zip_longest

import trio

from workstream import PluginError, SecretRef
from workstream.plugins import Pattern, Preview, explained_timeout

from ._attributes import facts, group_id, mode_bits, mode_text, user_id
from ._requests import (
    ChecksumRequest,
    ContentRequest,
    ExistsRequest,
    FileFacts,
    SpaceFacts,
    SpaceRequest,
    WaitRequest,
)
from ._sources import FileSource, content_data, digest
from ._threads import in_thread

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]?)(i?)B?", re.IGNORECASE)
POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}


def look(path: str, *, follow: bool = False) -> os.stat_result | None:
    """What is at a path; None: nothing, or no way there."""
    try:
        return os.stat(path, follow_symlinks=follow)
    except (FileNotFoundError, NotADirectoryError):
        return None


def check_exists(request: ExistsRequest) -> FileFacts:
    """Look whether what must be there is there. For use in a thread.

    Raises:
        PluginError: It is not; all that is wrong is named.
    """
    path = request.path
    here = look(path)
    if not request.present:
        if here is not None:
            there = facts(path, here)
            message = f"{path} exists ({there.kind}, {there.size:,} bytes)"
            raise PluginError(message)
        return facts(path, None)
    found = here if request.kind == "link" else look(path, follow=True)
    if found is None:
        message = f"{path} does not exist"
        if here is not None:
            message = f"{path} is a symbolic link to {os.readlink(path)}, which "
            message += "does not exist"
        raise PluginError(message)
    wrong = _wrong(request, found)
    if wrong:
        message = f"{path}: {'; '.join(wrong)}"
        raise PluginError(message)
    return facts(path, found)


def _wrong(request: ExistsRequest, found: os.stat_result) -> list[str]:
    real = facts(request.path, found)
    wrong: list[str] = []
    if request.kind not in ("any", real.kind):
        wrong.append(f"it is a {real.kind}, expected a {request.kind}")
    if request.mode is not None:
        bits = mode_bits(request.mode)
        if stat.S_IMODE(found.st_mode) != bits:
            wrong.append(f"its mode is {real.mode}, expected {mode_text(bits)}")
    if request.owner is not None and user_id(request.owner) != found.st_uid:
        wrong.append(f"its owner is {real.owner}, expected {request.owner}")
    if request.group is not None and group_id(request.group) != found.st_gid:
        wrong.append(f"its group is {real.group}, expected {request.group}")
    if request.max_age is not None:
        age = time.time() - found.st_mtime
        if age > request.max_age:
            wrong.append(
                f"it was changed {age:,.0f} seconds ago, expected at most "
                f"{request.max_age:,.0f}"
            )
    return wrong


def check_content(request: ContentRequest) -> FileFacts:
    """Look whether a file holds what it must. For use in a thread.

    Raises:
        PluginError: It does not; all that is missing is named, and nothing of the
            content is shown.
    """
    path = request.path
    with FileSource.opened(path) as source:
        if source.size > request.limit:
            message = (
                f"{path} has {source.size:,} bytes, more than the {request.limit:,} "
                "that are read at most"
            )
            raise PluginError(message)
        data = b"".join(source.chunks())
    wrong: list[str] = []
    if request.equals is not None:
        difference = _difference(content_data(request.equals), data)
        if difference:
            wrong.append(difference)
    text = data.decode(errors="replace")
    if request.contains is not None:
        wanted = request.contains
        if isinstance(wanted, SecretRef):
            if wanted.reveal() not in text:
                wrong.append(f"it does not contain the secret {wanted.reference}")
        elif wanted not in text:
            wrong.append(f"it does not contain {wanted!r}")
    matches = request.matches
    if matches and not Pattern(matches, multiline=True).found_in(text):
        wrong.append(f"nothing in it matches {request.matches!r}")
    if wrong:
        message = f"{path}: {'; '.join(wrong)}"
        raise PluginError(message)
    return facts(path, source.found)


def _difference(expected: bytes, data: bytes) -> str | None:
    if expected == data:
        return None
    pairs = zip_longest(expected.splitlines(True), data.splitlines(True))
    # They differ, so some line does.
    number = next(number for number, (a, b) in enumerate(pairs, 1) if a != b)
    return (
        f"it has {len(data):,} bytes, expected {len(expected):,}, and differs from "
        f"line {number} on"
    )


def check_checksum(request: ChecksumRequest) -> FileFacts:
    """Look whether a file adds up to what it must. For use in a thread.

    Raises:
        PluginError: It does not.
    """
    with FileSource.opened(request.path) as source:
        found = digest(source, request.checksum)
        if found != request.checksum.lower():
            message = (
                f"{request.path} has the checksum {found}, expected {request.checksum}"
            )
            raise PluginError(message)
        return facts(request.path, source.found)


def check_space(request: SpaceRequest) -> SpaceFacts:
    """Look whether there is room. For use in a thread.

    Raises:
        PluginError: There is not; all that is short is named.
    """
    system = os.statvfs(request.path)
    free = system.f_bavail * system.f_frsize
    percent = 100.0 * system.f_bavail / system.f_blocks if system.f_blocks else 100.0
    # Some file systems make them as they are needed, and say that there are none.
    inodes = system.f_favail if system.f_files else -1
    wrong: list[str] = []
    if request.free and free < size_in_bytes(request.free):
        wrong.append(f"{_readable(free)} free, expected {request.free}")
    if percent < request.free_percent:
        wrong.append(f"{percent:.1f} % free, expected {request.free_percent:g} %")
    if 0 <= inodes < request.free_inodes:
        wrong.append(
            f"room for {inodes:,} files more, expected {request.free_inodes:,}"
        )
    if wrong:
        message = f"the file system of {request.path} has {'; '.join(wrong)}"
        raise PluginError(message)
    return SpaceFacts(
        path=request.path, free=free, free_percent=percent, free_inodes=inodes
    )


def size_in_bytes(text: str) -> int:
    """Bytes that a text means: ``"5 GiB"``, ``"500 MB"``, ``"4096"``.

    Raises:
        ValueError: It means none.
    """
    match = SIZE.fullmatch(text.strip())
    if match is None or (match[3] and not match[2]):
        message = f'{text!r} is no size: write "5 GiB", "500 MB" or "4096"'
        raise ValueError(message)
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** POWERS[match[2].upper()])


def _readable(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:,.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


async def wait(request: WaitRequest) -> FileFacts:
    """Wait until what is waited for is so.

    Raises:
        PluginError: The timeout came first; it says what there was at the last look.
    """
    seen: tuple[int, int, int] | None = None
    since = trio.current_time()
    looks, last = 0, "nobody could look at it"

    def explain() -> str:
        wish = "there" if request.present else "gone"
        times = "1 look" if looks == 1 else f"{looks:,} looks"
        return f"{request.path} was not {wish} after {times}: {last}"

    async with explained_timeout(explain):
        while True:
            found = await in_thread(look, request.path, follow=True)
            here = found or await in_thread(look, request.path)
            looks += 1
            last = _seen(request.path, here, found)
            if not request.present:
                if here is None:
                    return facts(request.path, None)
            elif found is not None:
                now = (found.st_ino, found.st_size, found.st_mtime_ns)
                if now != seen:
                    seen, since = now, trio.current_time()
                still = trio.current_time() - since
                if still >= request.settled:
                    return await in_thread(facts, request.path, found)
                last += f", and has stood still for {still:.3g} of {request.settled:g} seconds"
            await trio.sleep(request.poll)


def _seen(path: str, here: os.stat_result | None, found: os.stat_result | None) -> str:
    """What was seen at a look, in words."""
    if here is None:
        folder = os.path.dirname(path)
        return "it did not exist" + (
            "" if os.path.isdir(folder) else f", nor the directory {folder}"
        )
    if found is None:
        return "it was a symbolic link to something that did not exist"
    kind = facts(path, found).kind
    return f"it was a {kind} of {found.st_size:,} bytes"


def foresee_wait(request: WaitRequest) -> Preview:
    """Whether there would be anything to wait for. For use in a thread."""
    here = (
        look(request.path) if not request.present else look(request.path, follow=True)
    )
    text = f"waits until it is {'there' if request.present else 'gone'}"
    if (here is not None) == request.present:
        text = "nothing to wait for"
    return Preview(f"{request.path}: {text}", changes=False)
