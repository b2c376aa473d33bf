"""From what a plan calls a revision to the commit that it is."""

from __future__ import annotations

import re

import attrs

from workstream import PluginError

from ._addresses import hidden
from ._git import Git

COMMIT_ID = re.compile(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
ABBREVIATED = re.compile(r"[0-9a-fA-F]{7,63}")
FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(?:/|$)|(?:^|/)\.")


@attrs.frozen
class Revision:
    """A commit, and how it was found.

    Attributes:
        commit: Its whole id.
        ref: The ref that stands for it at the other repository; "": it was given by id.
    """

    commit: str
    ref: str = ""

    def __str__(self) -> str:
        name = self.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
        return f"{self.commit[:12]} ({name})" if name else self.commit[:12]


def is_commit_id(text: str) -> bool:
    """Whether a text is the whole id of a commit."""
    return COMMIT_ID.fullmatch(text) is not None


def name_fault(name: object) -> str | None:
    """What is wrong with the name of a revision or ref."""
    if not isinstance(name, str):
        return f"it must be text, not {type(name).__name__}"
    if not name:
        return "it is empty"
    if is_commit_id(name):
        return None
    if ABBREVIATED.fullmatch(name) and not name.isdecimal():
        return (
            f"{name!r} looks like the beginning of a commit's id, which may come to mean "
            "another commit: give all of it, or write refs/heads/... or refs/tags/..."
        )
    bad_end = name.endswith(("/", "."))
    if name.startswith(("-", "/")) or bad_end or name == "@" or FORBIDDEN.search(name):
        return f"{name!r} is no name that a branch or tag can have"
    return None


async def resolve(git: Git, repository: str, name: str) -> Revision:
    """What a name stands for in a repository, now.

    Args:
        git: Runs git.
        repository: A URL or a path.
        name: ``HEAD``, a branch, a tag, or a whole name that begins with ``refs/``.

    Raises:
        PluginError: Nothing, or more than one thing.
    """
    whole = name.startswith("refs/") or name == "HEAD"
    refs = [name] if whole else [f"refs/heads/{name}", f"refs/tags/{name}"]
    patterns = [pattern for ref in refs for pattern in (ref, f"{ref}^{{}}")]
    ran = await git("ls-remote", "--quiet", "--", repository, *patterns, cwd="/")
    found: dict[str, str] = {}
    for line in ran.output.splitlines():
        commit, _, ref = line.partition("\t")
        found[ref] = commit
    # A tag that is an object of its own stands for the commit behind it.
    revisions = [
        Revision(found.get(f"{ref}^{{}}", found[ref]), ref)
        for ref in refs
        if ref in found
    ]
    if not revisions:
        message = f"{hidden(repository)} has no {_called(name)}"
        raise PluginError(message)
    if len({revision.commit for revision in revisions}) > 1:
        message = (
            f"{hidden(repository)} has a branch and a tag called {name!r}: write "
            f"{' or '.join(refs)}"
        )
        raise PluginError(message, permanent=True)
    return revisions[0]


def _called(name: str) -> str:
    if name == "HEAD":
        return "HEAD: it has no commits, or not on its main branch"
    return f"ref {name}" if name.startswith("refs/") else f"branch or tag {name!r}"
