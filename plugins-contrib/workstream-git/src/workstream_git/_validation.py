"""What is wrong with a request, found when the plan is submitted (V-19)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias, cast

from workstream import SecretRef
from workstream.plugins import flag_faults, number_faults, path_faults, refuse

from . import _addresses as addresses
from ._requests import (
    CheckoutRequest,
    CleanRequest,
    CloneRequest,
    ExportRequest,
    FetchRequest,
    RefRequest,
    Remote,
)
from ._revisions import is_commit_id, name_fault

AnyRequest: TypeAlias = (
    CloneRequest
    | FetchRequest
    | CheckoutRequest
    | ExportRequest
    | RefRequest
    | CleanRequest
)

REMOTE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
REFSPEC = re.compile(r"\+?[^\s:+-][^\s:]*(?::[^\s:]*)?")


def check(request: AnyRequest) -> None:
    """Refuse a request that can never work, with all its faults in one message.

    Raises:
        ValueError: It has faults.
    """
    refuse(faults(request))


def faults(request: AnyRequest) -> list[str]:
    """All that can never work in a request, a clause each; none when it is valid."""
    found: list[str] = []
    match request:
        case CloneRequest():
            found += _url("url", request, request.url)
            found += _path("path", request.path)
            found += flag_faults(request, "mirror", "submodules")
            found += _depth(request.depth)
            if request.branch != "":
                found += _name("branch", request.branch)
            if request.branch and request.mirror:
                found.append("branch: a mirror has all branches and checks out none")
            if request.submodules is True and request.mirror is True:
                found.append("submodules: a mirror has no working tree for them")
        case FetchRequest():
            found += _path("path", request.path)
            found += _login(request)
            found += flag_faults(request, "prune")
            found += _fetch(request)
        case CheckoutRequest():
            found += _url("url", request, request.url)
            found += _path("path", request.path)
            found += _name("revision", request.revision)
            found += _depth(request.depth)
            found += flag_faults(request, "discard", "submodules")
        case ExportRequest():
            found += _url("url", request, request.url)
            found += _path("path", request.path)
            found += _name("revision", request.revision)
            found += flag_faults(request, "submodules")
        case RefRequest():
            found += _url("repository", request, request.repository)
            found += _ref(request)
        case CleanRequest():
            found += _path("path", request.path)
            found += flag_faults(request, "untracked", "submodules")
    return found


def _url(field: str, remote: Remote, url: object) -> Iterator[str]:
    fault = addresses.fault(url)
    if fault is not None:
        yield f"{field}: {fault}"
        return
    text = cast("str", url)
    yield from _login(remote)
    if remote.password is not None and not text.startswith("https://"):
        yield f"password: it is only given to https:// addresses, and {field} is none"
    if not addresses.is_ssh(text):
        for option in ("ssh_key_file", "ssh_known_hosts_file"):
            if getattr(remote, option):
                yield f"{option}: no ssh goes to {field}"


def _login(remote: Remote) -> Iterator[str]:
    password = cast("object", remote.password)
    if password is not None and not isinstance(password, SecretRef):
        yield "password must be a SecretRef, so that it is not stored"
    user = cast("object", remote.user)
    if not isinstance(user, str) or re.search(r"[\x00-\x1f\x7f]", user):
        yield "user must be text without control characters"
    elif user and password is None:
        yield "user: give a password with it, or for ssh write user@host"
    for field in ("ssh_key_file", "ssh_known_hosts_file"):
        value: object = getattr(remote, field)
        if value != "":
            yield from path_faults(field, value)


def _path(field: str, path: object) -> Iterator[str]:
    wrong = list(path_faults(field, path, plain=True))
    if wrong:
        yield from wrong
    elif ":" in str(path):
        # It separates the directories above which git must not look.
        yield f"{field} holds a colon, which git takes for the end of a path"


def _name(field: str, name: object) -> Iterator[str]:
    fault = name_fault(name)
    if fault is not None:
        yield f"{field}: {fault}"
    elif field == "branch" and is_commit_id(str(name)):
        yield "branch: it is a commit's id: git.checkout brings a tree to one"


def _depth(depth: object) -> Iterator[str]:
    if depth is not None:
        yield from number_faults("depth", depth, least=1, whole=True, unit="commits")


def _fetch(request: FetchRequest) -> Iterator[str]:
    remote = cast("object", request.remote)
    if not isinstance(remote, str) or REMOTE_NAME.fullmatch(remote) is None:
        yield (
            f"remote must be the name of one of the repository's remotes, not {remote!r} "
            "(a URL belongs into its configuration)"
        )
    refspecs = cast("object", request.refspecs)
    if not isinstance(refspecs, tuple):
        yield f"refspecs must be a tuple of texts, not {type(refspecs).__name__}"
        return
    for refspec in cast("tuple[object, ...]", refspecs):
        if not isinstance(refspec, str) or REFSPEC.fullmatch(refspec) is None:
            yield (
                f"refspecs: {refspec!r} is none: write "
                "'+refs/heads/main:refs/remotes/origin/main'"
            )


def _ref(request: RefRequest) -> Iterator[str]:
    fault = name_fault(request.ref)
    if fault is not None:
        yield f"ref: {fault}"
    elif is_commit_id(request.ref):
        yield "ref: it is a commit's id; say in commit what the ref must stand for"
    commit = cast("object", request.commit)
    if commit != "" and (not isinstance(commit, str) or not is_commit_id(commit)):
        yield f"commit must be a commit's whole id, 40 or 64 digits, not {commit!r}"
