"""A repository on this machine: cloned, looked at, fetched into, checked out.

What takes time is noted before it begins and after it has ended (``changing``). A note
that is still there tells the next attempt that a git of this action was killed in the
middle: the locks it left, and the files it had not finished, are then its own to clear.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs

from workstream import Context, PluginError

from ._addresses import hidden, is_local
from ._git import Git, is_cancelled
from ._places import (
    Place,
    make_directory,
    put,
    real_path,
    remove,
    remove_half_made,
    remove_locks,
    survey,
    temporary_path,
)
from ._revisions import Revision

NOTE = "git_changing"
MOST_LISTED = 10


@attrs.frozen
class Repository:
    """A repository, and the git that works on it.

    Attributes:
        path: Its working tree, or itself if it is bare; without links.
        git: Runs git.
        context: The attempt's.
    """

    path: str
    git: Git
    context: Context

    async def head(self) -> str:
        """The commit that is checked out; "": there is none yet."""
        ran = await self.git(
            "rev-parse", "--verify", "--quiet", "HEAD", cwd=self.path, expected=(0, 1)
        )
        return ran.output.strip()

    async def is_detached(self) -> bool:
        """Whether its HEAD is a commit and not a branch."""
        ran = await self.git(
            "symbolic-ref", "--quiet", "HEAD", cwd=self.path, expected=(0, 1)
        )
        return ran.exit_code == 1

    async def knows(self, commit: str) -> bool:
        """Whether it has a commit, with all that belongs to it."""
        # Not only the commit itself, which an interrupted fetch may have left alone.
        ran = await self.git(
            "rev-list",
            "--quiet",
            "--objects",
            f"{commit}^{{commit}}",
            "--not",
            "--all",
            cwd=self.path,
            expected=(0, 1, 128),
        )
        return ran.exit_code == 0

    async def refs(self) -> dict[str, str]:
        """All its refs, and what they stand for."""
        ran = await self.git(
            "for-each-ref", "--format=%(objectname) %(refname)", cwd=self.path
        )
        pairs = (line.partition(" ") for line in ran.output.splitlines())
        return {name: commit for commit, _, name in pairs}

    async def url_of(self, remote: str) -> str:
        """The URL of one of its remotes, as its configuration has it; "": none."""
        ran = await self.git(
            "config", "--get", f"remote.{remote}.url", cwd=self.path, expected=(0, 1)
        )
        return ran.output.strip()

    async def fetch_commit(
        self, url: str, revision: Revision, *, depth: int | None
    ) -> None:
        """Fetch, from a URL, what a revision needs.

        Raises:
            PluginError: It is not there.
        """
        options = ["--progress", "--no-recurse-submodules", "--force"]
        if depth is None:
            await self.git(
                "fetch",
                *options,
                "--tags",
                "--",
                url,
                "+refs/heads/*:refs/remotes/origin/*",
                cwd=self.path,
                shown=True,
            )
            if await self.knows(revision.commit):
                return
        else:
            options += [f"--depth={depth}"]
        wanted = revision.ref or revision.commit
        try:
            await self.git(
                "fetch", *options, "--", url, wanted, cwd=self.path, shown=True
            )
        except PluginError as error:
            if is_cancelled() or error.permanent:
                raise
            message = f"{hidden(url)} does not give {wanted}: {error.message}"
            raise PluginError(message, code=error.code) from error
        if not await self.knows(revision.commit):
            message = f"{wanted} at {hidden(url)} has changed in this moment"
            raise PluginError(message)

    async def check_out(self, commit: str, *, force: bool) -> None:
        """Bring the working tree to a commit."""
        options = ["--quiet", "--detach", "--no-recurse-submodules"]
        options += ["--force"] if force else []
        await self.git("checkout", *options, commit, "--", cwd=self.path)

    async def update_submodules(self, url: str, *, force: bool) -> None:
        """Bring its submodules, and theirs, to what its commit says.

        Args:
            url: Where the repository itself comes from.
            force: Whether local changes in them may be lost.
        """
        words = ["--init", "--recursive", "--progress"]
        words += ["--force"] if force else []
        # Git mistrusts submodules on this machine; where the repository itself is on
        # it, relative addresses lead there.
        local = ["-c", "protocol.file.allow=always"] if is_local(url) else []
        await self.git("submodule", "--quiet", "sync", "--recursive", cwd=self.path)
        await self.git(*local, "submodule", "update", *words, cwd=self.path, shown=True)

    async def submodules(self) -> list[str]:
        """The submodules that are there, and theirs: paths below its own."""
        words = ("submodule", "--quiet", "foreach", "--recursive")
        script = 'printf "%s\\0" "$displaypath"'
        ran = await self.git(*words, script, cwd=self.path)
        return ran.output.split("\0")[:-1]

    async def has_right_submodules(self) -> bool:
        """Whether each submodule is there, at the commit that belongs to it."""
        ran = await self.git("submodule", "status", "--recursive", cwd=self.path)
        return all(line.startswith(" ") for line in ran.output.splitlines())

    @asynccontextmanager
    async def changing(self) -> AsyncGenerator[None]:
        """What is done in the block can be told to have been cut short."""
        await self.context.remember(**{NOTE: self.path})
        try:
            yield
        except PluginError:
            if not is_cancelled():
                # Git has ended by itself, and left no lock of its own.
                await self.context.remember(**{NOTE: None})
            raise
        await self.context.remember(**{NOTE: None})

    async def mend(self) -> bool:
        """Clear what a killed git of an earlier attempt has left; whether there was one."""
        if self.context.notes.get(NOTE) != self.path:
            return False
        ran = await self.git("rev-parse", "--absolute-git-dir", cwd=self.path)
        await remove_locks(ran.output.rstrip("\n"))
        await remove_half_made(ran.output.rstrip("\n"))
        return True


async def place_of(path: str) -> tuple[str, Place]:
    """Where a request's path really is, and what is there.

    Raises:
        PluginError: Something that is neither free nor a repository.
    """
    real = await real_path(path)
    place = await survey(real)
    if place is Place.TAKEN:
        message = (
            f"{path} is there and is no git repository: remove it first, or name "
            "another path"
        )
        raise PluginError(message, permanent=True)
    return real, place


@asynccontextmanager
async def cloned(
    context: Context, git: Git, path: str, url: str, *options: str
) -> AsyncGenerator[Repository]:
    """Clone beside the final place; after the block the clone is put there.

    If anything fails, or is cancelled, nothing is left of it. What a killed attempt has
    left is removed by the next.

    Args:
        context: The attempt's.
        git: Runs git.
        path: The final place, without links.
        url: What to clone.
        options: Further ones of ``git clone``.
    """
    temporary = temporary_path(path, context.idempotency_key)
    parent = path.rpartition("/")[0] or "/"
    await make_directory(parent)
    await remove(temporary)
    # A depth means nothing to git where it can link to the other's files.
    copied = [option for option in options if option.startswith("--depth")]
    words = ["--template=", "--origin=origin", "--progress", "--no-recurse-submodules"]
    words += ["--no-local"] if copied and is_local(url) else []
    try:
        await git(
            "clone", *words, *options, "--", url, temporary, cwd=parent, shown=True
        )
        yield Repository(temporary, git, context)
        await put(temporary, path)
    except BaseException:
        await remove(temporary)
        raise


async def changed_files(
    repository: Repository, *, untracked: bool, submodules: bool = False
) -> list[str]:
    """The files that are not as the commit has them, each with what is different.

    Args:
        repository: The working tree.
        untracked: Whether files that git does not know count.
        submodules: Whether submodules count that are changed, or at another commit.
    """
    ignored = "all"
    if submodules:
        ignored = "none" if untracked else "untracked"
    ran = await repository.git(
        "status",
        "--porcelain=v1",
        "-z",
        f"--untracked-files={'all' if untracked else 'no'}",
        f"--ignore-submodules={ignored}",
        cwd=repository.path,
    )
    found: list[str] = []
    entries = iter(ran.output.split("\0"))
    for entry in entries:
        if entry:
            found.append(f"{entry[:2].strip()} {entry[3:]}")
            if entry[0] in "RC":
                next(entries, None)  # the name that it had before
    return found


def listed(names: list[str]) -> str:
    """A few of many names, for a message."""
    more = f" and {len(names) - MOST_LISTED:,} more" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more
