"""What a plan asks of git, and what it gets."""

from __future__ import annotations

import attrs

from workstream import IGNORE, SecretRef


@attrs.frozen(kw_only=True)
class Remote:
    """How another repository is reached: what the requests that do so share.

    Attributes:
        user: For https: the name to log in with. Some servers take any.
        password: For https: a password, or what the server calls a token. It is given
            to the server of the URL alone.
        ssh_key_file: For ssh: the private key's file, instead of those that ssh finds.
            It must need no passphrase, or the ssh agent must have it.
        ssh_known_hosts_file: For ssh: a file of host keys; no other host is then
            trusted.
    """

    user: str = ""
    password: SecretRef | None = None
    ssh_key_file: str = attrs.field(default="", metadata=IGNORE)
    ssh_known_hosts_file: str = ""


@attrs.frozen(kw_only=True)
class CloneRequest(Remote):
    """A repository to be had (``git.clone``).

    Attributes:
        url: The repository to clone: ``https://...``, ``ssh://...``, ``host:path``, or
            an absolute path on this machine.
        path: The new directory. It does not exist yet, or is empty.
        branch: The branch or tag to check out; "": what the other's HEAD is.
        depth: How many commits of its history to fetch; None: all.
        mirror: Whether to copy all refs exactly, without a working tree.
        submodules: Whether to clone its submodules too, and theirs.
    """

    url: str
    path: str
    branch: str = ""
    depth: int | None = None
    mirror: bool = False
    submodules: bool = False


@attrs.frozen(kw_only=True)
class FetchRequest(Remote):
    """News for a repository that is there already (``git.fetch``).

    Attributes:
        path: The repository.
        remote: The name of one of its remotes; what to fetch is in its configuration.
        refspecs: The refs to fetch instead, for example
            ``("+refs/heads/main:refs/remotes/origin/main",)``.
        prune: Whether to remove branches that no longer exist there.
    """

    path: str
    remote: str = "origin"
    refspecs: tuple[str, ...] = ()
    prune: bool = False


@attrs.frozen(kw_only=True)
class CheckoutRequest(Remote):
    """A working tree at exactly one revision (``git.checkout``).

    Attributes:
        url: The repository that has the revision, as in ``CloneRequest``.
        path: The working tree. If there is none yet, it is cloned.
        revision: A commit's whole id, 40 or 64 hexadecimal digits: then the same is
            checked out whenever the plan runs. Or the name of a tag or branch, as
            it is at ``url`` when the action runs: ``v1.2``, ``refs/heads/main``.
        depth: How many commits of the history to fetch; None: all.
        discard: Whether local changes to files that git knows may be lost; otherwise
            they are an error. Files that git does not know stay, unless the revision
            has one of that name.
        submodules: Whether its submodules, and theirs, are to be what the revision
            says. Their local changes count, and may be lost, as those of the tree do.
            Otherwise submodules are left alone.
    """

    url: str
    path: str
    revision: str
    depth: int | None = None
    discard: bool = False
    submodules: bool = False


@attrs.frozen(kw_only=True)
class ExportRequest(Remote):
    """The files of a revision, without git's own (``git.export``).

    Attributes:
        url: The repository that has the revision, as in ``CloneRequest``.
        path: The directory to make. One that is there must hold exactly these files,
            and is left alone: give each revision a path of its own.
        revision: As in ``CheckoutRequest``.
        submodules: Whether to export its submodules too, and theirs.
    """

    url: str
    path: str
    revision: str
    submodules: bool = False


@attrs.frozen(kw_only=True)
class RefRequest(Remote):
    """A ref, and the value that it must have (``git.ref``).

    Attributes:
        repository: A path on this machine, or a URL as in ``CloneRequest``.
        ref: ``HEAD``, a branch or tag, or a whole name such as ``refs/heads/main``.
        commit: The whole id of the commit that it must stand for; "": any.
    """

    repository: str
    ref: str = "HEAD"
    commit: str = ""


@attrs.frozen(kw_only=True)
class CleanRequest:
    """A working tree that must be as its commit says (``git.clean``).

    Attributes:
        path: The working tree.
        untracked: Whether files that git does not know count too; ignored ones never do.
        submodules: Whether changes in submodules count too, and other commits in them.
    """

    path: str
    untracked: bool = True
    submodules: bool = False


@attrs.frozen(kw_only=True)
class CloneResult:
    """The clone.

    Attributes:
        path: Where it is.
        changed: Whether this attempt cloned it; False: it was there.
        commit: The commit of its HEAD; "": it has no commits yet.
    """

    path: str
    changed: bool
    commit: str = ""


@attrs.frozen(kw_only=True)
class FetchResult:
    """The result of a fetch.

    Attributes:
        path: The repository.
        changed: Whether any ref changed.
        refs: The names of those, at most 100.
        left_out: How many more there are.
    """

    path: str
    changed: bool
    refs: tuple[str, ...] = ()
    left_out: int = 0


@attrs.frozen(kw_only=True)
class CheckoutResult:
    """The revision that is checked out.

    Attributes:
        path: The working tree.
        changed: Whether another revision was checked out before.
        commit: The commit that it is at.
        previous: The commit that it was at before; "": there was none.
    """

    path: str
    changed: bool
    commit: str
    previous: str = ""


@attrs.frozen(kw_only=True)
class ExportResult:
    """The exported files.

    Attributes:
        path: The directory.
        changed: Whether this attempt made it; False: it was there, with the same files.
        commit: The commit that its files are of.
    """

    path: str
    changed: bool
    commit: str


@attrs.frozen(kw_only=True)
class RefResult:
    """The value of a ref.

    Attributes:
        ref: Its whole name.
        commit: The commit that it stands for.
    """

    ref: str
    commit: str


@attrs.frozen(kw_only=True)
class TreeResult:
    """A working tree without changes.

    Attributes:
        path: Where it is.
        commit: The commit that it is at; "": it has none yet.
    """

    path: str
    commit: str
