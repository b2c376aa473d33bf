"""What an action would change (``preview``): the host is asked, and nothing is written.

The file of known hosts is not written either. So a host that has yet to be trusted, by
``KnownHosts.ACCEPT_NEW``, is not asked: what is there cannot be told before.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
from collections.abc import Generator
from pathlib import Path

import attrs
import trio

from workstream import PluginError
from workstream.plugins import LookingContext, Preview, PreviewContext

from ._connecting.connections import Connections
from ._connecting.hosts import Host, KnownHosts
from ._connecting.problems import SshError, SshProblem
from ._connecting.programs import new_mark, path_word, program, word
from ._copying.copies import (
    Session,
    checksum_here,
    copying,
    listing_of,
    mode_of_copy,
    open_source,
    tree_of,
    update_of,
)
from ._copying.fetching import found_here, getting
from ._copying.trees import named
from ._requests import CopyFrom, CopyTo, RunOn, ShellOn
from ._running.jobs import foresee as foresee_job


async def foresee(connections: Connections, request: CopyTo | CopyFrom) -> Preview:
    """What a copy would change.

    Raises:
        PluginError: It would fail as things are now.
    """
    asked = attrs.evolve(request, host=_strict(request.host))
    with _unknown(request.host) as unknown:
        if isinstance(asked, CopyFrom):
            return await _from(connections, asked)
        if await trio.to_thread.run_sync(os.path.isdir, asked.source):
            return await _tree(connections, asked)
        return await _file(connections, asked)
    return unknown


async def foresee_command(
    connections: Connections, context: PreviewContext, request: RunOn | ShellOn
) -> Preview:
    """Whether a command would be skipped.

    Raises:
        PluginError: It would fail as things are now.
    """
    asked = attrs.evolve(request, host=_strict(request.host))
    with _unknown(request.host) as unknown:
        return await foresee_job(connections, LookingContext(context), asked)
    return unknown


@contextlib.contextmanager
def _unknown(host: Host) -> Generator[Preview, None, None]:
    """Give what to say of a host that has yet to be trusted, and is not for a preview."""
    text = f"{host}: its key is not known yet, and is not trusted for this"
    try:
        yield Preview(text, changes=None)
    except SshError as error:
        trusted = _strict(host) == host
        if trusted or error.problem is not SshProblem.HOST_KEY_UNKNOWN:
            raise


def _strict(host: Host) -> Host:
    """The host, and those on the way to it, if their keys are known."""
    jump = None if host.jump is None else _strict(host.jump)
    return attrs.evolve(host, jump=jump, known_hosts=KnownHosts.STRICT)


async def _file(connections: Connections, request: CopyTo) -> Preview:
    with await open_source(request) as file:
        status = os.fstat(file.fileno())
    size, mode = status.st_size, mode_of_copy(request, status.st_mode)
    first, _ = await _looked(connections, request, "file", size)
    at = f"{request.host}: {request.target}"
    if first[0] != "there":
        return _made(at, f"created: {size:,} bytes, mode {mode:04o}", first)
    kind, there, old = first[1], int(first[2]), int(first[3], 8)
    same = there == size and first[4] == await checksum_here(request.source, kind)
    mode = old if request.mode is None else mode
    owner = ":".join(filter(None, (request.owner, request.group)))
    return _compared(
        at, (there, old), (size, mode), same=same, owner=owner * (first[5] == "other")
    )


async def _tree(connections: Connections, request: CopyTo) -> Preview:
    tree = await tree_of(request)
    first, theirs = await _looked(connections, request, "tree", tree.size)
    at = f"{request.host}: {request.target}"
    if first[0] != "there":
        entries = f"{len(tree.members):,} entries"
        return _made(at, f"created: {entries}, {tree.size:,} bytes", first)
    update = update_of(request, tree, await listing_of(tree, request, first[1]), theirs)
    what = [
        f"{len(paths):,} {verb}: {named(paths)}"
        for verb, paths in (("created", update.new), ("updated", update.changed))
        if paths
    ]
    return Preview(f"{at}: {'; '.join(what) or 'no change'}", changes=bool(what))


async def _looked(
    connections: Connections, request: CopyTo, kind: str, size: int
) -> tuple[tuple[str, ...], frozenset[str]]:
    """What the host says of a place, and lists of what is in it."""
    mark = new_mark()
    parent, base = posixpath.split(request.target.rstrip("/"))
    text = program(
        "common",
        "files",
        "look",
        become=request.become,
        token=mark,
        kind=word(kind),
        parent=path_word(parent or "/"),
        base=word(base),
        size=word(size),
        owner=word(request.owner),
        group=word(request.group),
        parents=word(request.make_parents),
    )
    async with copying(connections, request, text, mark) as session:
        first = await session.line()
        await session.line(end="looked")
        return first, session.listing()


async def _from(connections: Connections, request: CopyFrom) -> Preview:
    target = Path(request.target)
    found = await trio.to_thread.run_sync(found_here, target)
    parent = await trio.to_thread.run_sync(target.parent.is_dir)
    if not parent and not request.make_parents:
        message = f"the directory {target.parent} does not exist: see make_parents"
        raise PluginError(message, permanent=True)
    mark = new_mark()
    async with copying(connections, request, getting(request, mark), mark) as session:
        first = await session.line()
        size, mode = int(first[1]), mode_of_copy(request, int(first[2], 8), found)
        if found is None:
            made = ("absent",) if parent else ("absent", "parents")
            return _made(str(target), f"created: {size:,} bytes, mode {mode:04o}", made)
        same = found.st_size == size and await _same_here(session, target, first[3])
    old = stat.S_IMODE(found.st_mode)
    return _compared(str(target), (found.st_size, old), (size, mode), same=same)


async def _same_here(session: Session, target: Path, kind: str) -> bool:
    """Whether the copy is there already, as far as its content goes."""
    await session.host.send(b"sum\n")
    (_, theirs) = await session.line()
    return theirs == await checksum_here(str(target), kind)


def _made(at: str, what: str, first: tuple[str, ...]) -> Preview:
    above = ", with the directories above it" if "parents" in first else ""
    return Preview(f"{at}: {what}{above}", changes=True)


def _compared(
    at: str,
    there: tuple[int, int],
    copy: tuple[int, int],
    *,
    same: bool,
    owner: str = "",
) -> Preview:
    """What becomes of a file that is there: sizes and permissions, and a new owner."""
    clauses: list[str] = []
    if not same:
        clauses.append(f"content: {there[0]:,} bytes -> {copy[0]:,} bytes")
    if there[1] != copy[1]:
        clauses.append(f"mode: {there[1]:04o} -> {copy[1]:04o}")
    if owner:
        clauses.append(f"owner: {owner}")
    if not clauses:
        return Preview(f"{at}: no change", changes=False)
    return Preview(f"{at}: {'; '.join(clauses)}", changes=True)
