"""What would change (``preview``): git is asked, here and there, and writes nothing.

``git fetch --dry-run`` would not do: it leaves the objects behind that it fetches. So what
a fetch would bring is worked out from the list of the other's refs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from workstream.plugins import LookingContext, Preview, PreviewContext

from ._actions import (
    existing,
    in_the_way,
    local_changes,
    remote_url,
    revision_of,
    see_same_origin,
)
from ._addresses import hidden
from ._git import Git
from ._places import Place, real_path, survey
from ._repository import Repository, listed, place_of
from ._requests import CheckoutRequest, CloneRequest, ExportRequest, FetchRequest
from ._revisions import resolve

MOST_TAGS = 50
"""Tags that are looked up one by one; of more it is not said whether they come."""


# --- git.clone ----------------------------------------------------------------------


async def foresee_clone(context: PreviewContext, request: CloneRequest) -> Preview:
    """What would be cloned."""
    looking = LookingContext(context)
    path, place = await place_of(request.path)
    git = Git(looking, remote=request, url=request.url)
    if place is Place.REPOSITORY:
        await see_same_origin(Repository(path, git, looking), request)
        return _no_change(request.path)
    at = ""
    if request.branch:
        at = str(await resolve(git, request.url, request.branch))
    else:
        ran = await git("ls-remote", "--quiet", "--", request.url, "HEAD", cwd="/")
        at = ran.output[:12]
    text = f"{request.path}: cloned from {hidden(request.url)}"
    text += f", at {at}" if at else ", which has no commits yet"
    return Preview(text, changes=True)


# --- git.fetch ----------------------------------------------------------------------


async def foresee_fetch(context: PreviewContext, request: FetchRequest) -> Preview:
    """Which refs would become others."""
    looking = LookingContext(context)
    there = await existing(looking, request.path)
    url = await remote_url(there, request)
    git = Git(looking, remote=request, url=url)
    theirs, peeled = await _their_refs(git, there, request.remote)
    ours = await there.refs()
    configured = await _settings(there, f"remote.{request.remote}.fetch")
    specs = [_Refspec.of(text) for text in request.refspecs or configured]
    if None in specs:
        return Preview(
            f"{request.path}: which refs its refspecs mean is decided by git: write "
            "them from refs/ on to have it told",
            changes=None,
        )
    known = [spec for spec in specs if spec is not None]
    wanted = _wanted(known, theirs)
    if request.refspecs:  # what is tracked is brought up to date beside them
        taken = {source for source, _ in _pairs(known, theirs)}
        tracked = [spec for spec in map(_Refspec.of, configured) if spec is not None]
        wanted.update(_wanted(tracked, {name: theirs[name] for name in taken}))
    changes = {
        name: (ours.get(name, ""), commit)
        for name, commit in wanted.items()
        if ours.get(name) != commit
    }
    links = await _links(there)
    if request.prune:
        # What is there and merely not wanted is not pruned.
        meant = _wanted([spec for spec in known if not spec.is_negative], theirs)
        for name in ours.keys() - meant.keys() - links.keys():
            if any(spec.writes(name) for spec in known):
                changes[name] = (ours[name], "")
    for name, target in links.items():
        if target in changes:
            changes[name] = changes[target]
    unsure = False
    if any(spec.target for spec in known):  # or git follows no tags
        tags, unsure = await _tags(there, request, theirs, peeled, ours)
        changes.update({name: ("", commit) for name, commit in tags.items()})
    if not changes:
        return _no_change(request.path) if not unsure else _unsure(request.path)
    details = [
        f"{name}: {old[:12] or 'new'} -> {new[:12] or 'gone'}"
        for name, (old, new) in sorted(changes.items())
    ]
    refs = "1 ref" if len(changes) == 1 else f"{len(changes):,} refs"
    text = f"{request.path}: {refs} fetched from {hidden(url)}"
    return Preview(text, changes=True, details=tuple(details))


@attrs.frozen
class _Refspec:
    """Which of the other's refs are wanted, and what they are called here.

    Attributes:
        source: Their name there, with at most one ``*`` in it.
        target: Their name here; "": they get none.
        is_negative: Whether it says which are not wanted.
    """

    source: str
    target: str
    is_negative: bool

    @classmethod
    def of(cls, text: str) -> _Refspec | None:
        """Read one; None: git alone knows what it means."""
        source, _, target = text.lstrip("+^").partition(":")
        whole = source.startswith("refs/") or (source == "HEAD" and target)
        if not whole or (target and not target.startswith("refs/")):
            return None
        return cls(source, target, text.startswith("^"))

    def name_of(self, ref: str) -> str | None:
        """What a ref of theirs is called here; "": nothing; None: it is not meant."""
        middle = _between(self.source, ref)
        return None if middle is None else self.target.replace("*", middle, 1)

    def writes(self, name: str) -> bool:
        """Whether a ref of ours has such a name."""
        return bool(self.target) and _between(self.target, name) is not None


def _between(pattern: str, name: str) -> str | None:
    """What the ``*`` of a pattern stands for in a name; None: it does not fit."""
    before, star, after = pattern.partition("*")
    if not star:
        return "" if name == pattern else None
    if len(name) < len(before) + len(after):
        return None
    fits = name.startswith(before) and name.endswith(after)
    return name[len(before) : len(name) - len(after)] if fits else None


def _pairs(
    specs: Iterable[_Refspec], theirs: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The refs of theirs that are wanted, each with its name here, perhaps none."""
    refused = [spec for spec in specs if spec.is_negative]
    for spec in specs:
        for ref in theirs if not spec.is_negative else ():
            name = spec.name_of(ref)
            if name is not None and all(no.name_of(ref) is None for no in refused):
                yield ref, name


def _wanted(specs: list[_Refspec], theirs: Mapping[str, str]) -> dict[str, str]:
    return {name: theirs[ref] for ref, name in _pairs(specs, theirs) if name}


async def _their_refs(
    git: Git, there: Repository, remote: str
) -> tuple[dict[str, str], dict[str, str]]:
    """All refs of a remote; and of tags that are objects, the commits behind them."""
    ran = await git("ls-remote", "--quiet", "--", remote, cwd=there.path)
    refs: dict[str, str] = {}
    peeled: dict[str, str] = {}
    for line in ran.output.splitlines():
        commit, _, ref = line.partition("\t")
        behind = peeled if ref.endswith("^{}") else refs
        behind[ref.removesuffix("^{}")] = commit
    return refs, peeled


async def _settings(there: Repository, name: str) -> list[str]:
    ran = await there.git("config", "--get-all", name, cwd=there.path, expected=(0, 1))
    return ran.output.splitlines()


async def _links(there: Repository) -> dict[str, str]:
    """Its refs that only name others, and which those are."""
    ran = await there.git(
        "for-each-ref", "--format=%(symref) %(refname)", cwd=there.path
    )
    pairs = (line.partition(" ") for line in ran.output.splitlines())
    return {name: target for target, _, name in pairs if target}


async def _tags(
    there: Repository,
    request: FetchRequest,
    theirs: Mapping[str, str],
    peeled: Mapping[str, str],
    ours: Mapping[str, str],
) -> tuple[dict[str, str], bool]:
    """The tags that come by themselves, and whether there may be more.

    Git takes those with it whose commits it has, or fetches.
    """
    [*_, how] = ["", *await _settings(there, f"remote.{request.remote}.tagOpt")]
    new = {
        name: commit
        for name, commit in theirs.items()
        if name.startswith("refs/tags/") and name not in ours
    }
    if how == "--no-tags":
        return {}, False
    if how == "--tags":
        return new, False
    found: dict[str, str] = {}
    for name, commit in list(new.items())[:MOST_TAGS]:
        ran = await there.git(
            "cat-file",
            "-e",
            peeled.get(name, commit),
            cwd=there.path,
            expected=(0, 1, 128),
        )
        if ran.exit_code == 0:
            found[name] = commit
    return found, len(new) > MOST_TAGS


def _unsure(path: str) -> Preview:
    return Preview(f"{path}: no change, but perhaps for tags", changes=None)


# --- git.checkout -------------------------------------------------------------------


async def foresee_checkout(
    context: PreviewContext, request: CheckoutRequest
) -> Preview:
    """From which commit to which, and what would be lost."""
    looking = LookingContext(context)
    path, place = await place_of(request.path)
    git = Git(looking, remote=request, url=request.url)
    revision = await revision_of(git, request)
    if place is Place.FREE:
        # A step before may have cloned it by then; where it ends is the same.
        text = f"{request.path}: at {revision}, cloned from {hidden(request.url)} if it"
        return Preview(f"{text} is not there by then", changes=True)
    there = Repository(path, git, looking)
    previous = await there.head()
    changes = await local_changes(there, request)
    if changes and not request.discard:
        raise in_the_way(request, changes)
    same = previous == revision.commit
    whole = not request.submodules or await there.has_right_submodules()
    if same and not changes and whole and await there.is_detached():
        return _no_change(request.path)
    text = f"{request.path}: {previous[:12] or 'nothing'} -> {revision}"
    if same:
        text = f"{request.path}: stays at {revision}"
        if not await there.is_detached():
            text += ", off its branch"
        text += "" if whole else ", with its submodules"
    elif not await there.knows(revision.commit):
        text += f", fetched from {hidden(request.url)}"
    lost = (f"local changes lost: {listed(changes)}",) if changes else ()
    return Preview(text, changes=True, details=lost)


# --- git.export ---------------------------------------------------------------------


async def foresee_export(context: PreviewContext, request: ExportRequest) -> Preview:
    """At which revision, if nothing is there."""
    looking = LookingContext(context)
    git = Git(looking, remote=request, url=request.url)
    revision = await revision_of(git, request)
    path = await real_path(request.path)
    if await survey(path) is Place.FREE:
        text = f"{request.path}: exported from {hidden(request.url)}, at {revision}"
        return Preview(text, changes=True)
    text = f"{request.path} is there: whether it is {revision} is seen when that is fetched"
    return Preview(text, changes=None)


def _no_change(path: str) -> Preview:
    return Preview(f"{path}: no change", changes=False)
