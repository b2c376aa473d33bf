"""What each plugin does, from its request to its response."""

from __future__ import annotations

import contextlib
import os

import attrs
import trio

from workstream import Context, PluginError

from ._addresses import hidden
from ._git import Git, is_cancelled, settle
from ._places import (
    Place,
    differences,
    real_path,
    remove,
    strip,
    survey,
    sync,
    temporary_path,
)
from ._repository import Repository, changed_files, cloned, listed, place_of
from ._requests import (
    CheckoutRequest,
    CheckoutResult,
    CleanRequest,
    CloneRequest,
    CloneResult,
    ExportRequest,
    ExportResult,
    FetchRequest,
    FetchResult,
    RefRequest,
    RefResult,
    TreeResult,
)
from ._revisions import Revision, is_commit_id, resolve

MOST_REFS = 100


# --- git.clone --------------------------------------------------------------------


async def clone(context: Context, request: CloneRequest) -> CloneResult:
    """Clone a repository, unless it is there."""
    await settle(context)
    path, place = await place_of(request.path)
    git = Git(context, remote=request, url=request.url)
    if place is Place.REPOSITORY:
        there = Repository(path, git, context)
        await remove(temporary_path(path, context.idempotency_key))
        await see_same_origin(there, request)
        return CloneResult(path=request.path, changed=False, commit=await there.head())
    options: list[str] = []
    if request.mirror:
        options.append("--mirror")
    if request.branch:
        options.append(f"--branch={request.branch}")
    if request.depth is not None:
        options.append(f"--depth={request.depth}")
    async with cloned(context, git, path, request.url, *options) as made:
        commit = await made.head()
        if request.submodules:
            await made.update_submodules(request.url, force=False)
    return CloneResult(path=request.path, changed=True, commit=commit)


async def see_same_origin(there: Repository, request: CloneRequest) -> None:
    """See that what is there was cloned from where the request says.

    Raises:
        PluginError: It was not.
    """
    url = await there.url_of("origin")
    if url.rstrip("/") != request.url.rstrip("/"):
        message = (
            f"{request.path} is a repository already, of {hidden(url) or 'nothing'}:"
            " remove it first, or name another path"
        )
        raise PluginError(message, permanent=True)


# --- git.fetch --------------------------------------------------------------------


async def fetch(context: Context, request: FetchRequest) -> FetchResult:
    """Fetch news into a repository."""
    await settle(context)
    there = await existing(context, request.path)
    await there.mend()
    url = await remote_url(there, request)
    git = Git(context, remote=request, url=url)
    before = await there.refs()
    async with there.changing():
        await git(
            "fetch",
            "--progress",
            "--no-recurse-submodules",
            *(["--prune"] if request.prune else []),
            "--",
            request.remote,
            *request.refspecs,
            cwd=there.path,
            shown=True,
        )
    await sync(there.path)
    after = await there.refs()
    names = sorted(
        name for name in {*before, *after} if before.get(name) != after.get(name)
    )
    return FetchResult(
        path=request.path,
        changed=bool(names),
        refs=tuple(names[:MOST_REFS]),
        left_out=max(len(names) - MOST_REFS, 0),
    )


async def remote_url(there: Repository, request: FetchRequest) -> str:
    """The URL of the remote that a request names.

    Raises:
        PluginError: There is none, or it must not be given the password.
    """
    url = await there.url_of(request.remote)
    if not url:
        message = f"{request.path} has no remote called {request.remote!r}"
        raise PluginError(message, permanent=True)
    if request.password is not None and not url.startswith("https://"):
        message = (
            f"the remote {request.remote!r} of {request.path} is no https:// URL, and is "
            "not given the password"
        )
        raise PluginError(message, permanent=True)
    return url


# --- git.checkout -----------------------------------------------------------------


async def check_out(context: Context, request: CheckoutRequest) -> CheckoutResult:
    """Bring a working tree to a revision, wherever it is now."""
    await settle(context)
    path, place = await place_of(request.path)
    git = Git(context, remote=request, url=request.url)
    revision = await revision_of(git, request)
    if place is Place.FREE:
        await _clone_at(context, git, path, request, revision)
        return CheckoutResult(path=request.path, changed=True, commit=revision.commit)
    there = Repository(path, git, context)
    await remove(temporary_path(path, context.idempotency_key))
    mended = await there.mend()
    previous = await there.head()
    # What a killed checkout has left half-done is nobody's work: there was none when it
    # began.
    changes = [] if mended else await local_changes(there, request)
    force = request.discard or mended
    if changes and not force:
        raise in_the_way(request, changes)
    settled = previous == revision.commit and not (changes or mended)
    if settled and await there.is_detached() and await _is_whole(there, request):
        return CheckoutResult(
            path=request.path, changed=False, commit=previous, previous=previous
        )
    async with there.changing():
        if not await there.knows(revision.commit):
            await there.fetch_commit(request.url, revision, depth=request.depth)
        await there.check_out(revision.commit, force=force)
        if request.submodules:
            await there.update_submodules(request.url, force=force)
    await sync(path)
    context.report(f"{request.path}: {previous[:12] or 'nothing'} -> {revision}")
    return CheckoutResult(
        path=request.path, changed=True, commit=revision.commit, previous=previous
    )


async def _clone_at(
    context: Context,
    git: Git,
    path: str,
    request: CheckoutRequest,
    revision: Revision,
) -> None:
    """Clone, so that the first that is ever seen is the right revision."""
    options = ["--no-checkout"]
    if request.depth is not None:
        options.append(f"--depth={request.depth}")
    async with cloned(context, git, path, request.url, *options) as made:
        if not await made.knows(revision.commit):
            await made.fetch_commit(request.url, revision, depth=request.depth)
        await made.check_out(revision.commit, force=False)
        if request.submodules:
            await made.update_submodules(request.url, force=False)
    context.report(f"{request.path}: cloned, at {revision}")


async def local_changes(there: Repository, request: CheckoutRequest) -> list[str]:
    """What somebody has changed in a working tree, and in its submodules if they count."""
    changes = await changed_files(there, untracked=False)
    if request.submodules:
        # Another commit in a submodule is no change of somebody's: files in it are.
        for below in await there.submodules():
            inner = attrs.evolve(there, path=os.path.join(there.path, below))
            for change in await changed_files(inner, untracked=False):
                kind, _, name = change.partition(" ")
                changes.append(f"{kind} {below}/{name}")
    return changes


async def _is_whole(there: Repository, request: CheckoutRequest) -> bool:
    """Whether the submodules are right, where they are to be."""
    return not request.submodules or await there.has_right_submodules()


async def revision_of(git: Git, request: CheckoutRequest | ExportRequest) -> Revision:
    """The commit that a request means, now."""
    if is_commit_id(request.revision):
        return Revision(request.revision.lower())
    return await resolve(git, request.url, request.revision)


def in_the_way(request: CheckoutRequest, changes: list[str]) -> PluginError:
    """That local changes keep a checkout from being made."""
    message = (
        f"{request.path} has local changes: {listed(changes)}. Commit or remove them, or "
        "say discard=True if they may be lost"
    )
    return PluginError(message, permanent=True)


# --- git.export ---------------------------------------------------------------------


async def export(context: Context, request: ExportRequest) -> ExportResult:
    """Make a directory with the files of a revision, and nothing of git's.

    Raises:
        PluginError: Something else is there.
    """
    await settle(context)
    path = await real_path(request.path)
    git = Git(context, remote=request, url=request.url)
    revision = await revision_of(git, request)
    there = await trio.to_thread.run_sync(_has_entries, path)
    if not there:
        await survey(path)  # which refuses a mount
    options = ("--no-checkout", "--depth=1", "--no-tags")
    with contextlib.suppress(_SameError):
        async with cloned(context, git, path, request.url, *options) as made:
            await _fetch_one(made, request.url, revision)
            await made.check_out(revision.commit, force=False)
            if request.submodules:
                await made.update_submodules(request.url, force=False)
            await trio.to_thread.run_sync(strip, made.path)
            if there:
                await _see_same(request, revision, path, made.path)
        context.report(f"{request.path}: exported, at {revision}")
        return ExportResult(path=request.path, changed=True, commit=revision.commit)
    return ExportResult(path=request.path, changed=False, commit=revision.commit)


class _SameError(Exception):
    """What was exported is there already, and is not put in its place."""


async def _fetch_one(made: Repository, url: str, revision: Revision) -> None:
    """Fetch one commit, without history where the other repository allows that."""
    if await made.knows(revision.commit):
        return
    try:
        await made.fetch_commit(url, revision, depth=1)
    except PluginError:
        if is_cancelled():
            raise
        await made.fetch_commit(url, revision, depth=None)


async def _see_same(
    request: ExportRequest, revision: Revision, path: str, made: str
) -> None:
    """Leave by an exception: the same is there, or something else.

    Raises:
        _SameError: It is the same.
        PluginError: It is not.
    """
    try:
        found = await trio.to_thread.run_sync(differences, made, path)
    except OSError as error:
        message = f"{request.path} cannot be compared: {error}"
        raise PluginError(message, permanent=True) from error
    if not found:
        raise _SameError
    message = (
        f"{request.path} is there and is not {revision}: {listed(found)}. Give each "
        "revision a path of its own, or remove it first"
    )
    raise PluginError(message, permanent=True)


def _has_entries(path: str) -> bool:
    """Whether there is anything but an empty directory."""
    try:
        return bool(os.listdir(path))
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        message = f"{path} is no directory: remove it first, or name another path"
        raise PluginError(message, permanent=True) from None


# --- checks -----------------------------------------------------------------------


async def check_ref(context: Context, request: RefRequest) -> RefResult:
    """Look what a ref stands for.

    Raises:
        PluginError: It is not there, or stands for another commit.
    """
    git = Git(context, remote=request, url=request.repository)
    revision = await resolve(git, request.repository, request.ref)
    if request.commit and revision.commit != request.commit.lower():
        message = (
            f"{request.ref} of {hidden(request.repository)} is {revision.commit}, "
            f"expected {request.commit}"
        )
        raise PluginError(message)
    return RefResult(ref=revision.ref, commit=revision.commit)


async def check_clean(context: Context, request: CleanRequest) -> TreeResult:
    """Look whether a working tree is as its commit says.

    Raises:
        PluginError: It is not; the message names what is different.
    """
    there = await existing(context, request.path)
    changes = await changed_files(
        there, untracked=request.untracked, submodules=request.submodules
    )
    if changes:
        message = f"{request.path} is not clean: {listed(changes)}"
        raise PluginError(message)
    return TreeResult(path=request.path, commit=await there.head())


async def existing(context: Context, path: str) -> Repository:
    """The repository that must be there.

    Raises:
        PluginError: It is not.
    """
    real = await real_path(path)
    if await survey(real) is not Place.REPOSITORY:
        message = f"{path} is no git repository"
        raise PluginError(message)
    return Repository(real, Git(context), context)
