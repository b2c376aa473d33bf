"""What is refused at submit: all faults of a request at once (V-19)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from workstream import SecretRef
from workstream_git import (
    CheckoutRequest,
    CleanRequest,
    CloneRequest,
    FetchRequest,
    RefRequest,
)
from workstream_git._addresses import fault, hidden, origin_of
from workstream_git._revisions import name_fault
from workstream_git._validation import AnyRequest, check, faults

ANY: Any = 5
SECRET = SecretRef("env:X")
HTTPS, SSH = "https://git.example/app.git", "git@git.example:app.git"
COMMIT = "0123456789abcdef0123456789ABCDEF01234567"

GOOD: list[AnyRequest] = [
    CloneRequest(url=HTTPS, path="/a", branch="v1.2", depth=1, password=SECRET),
    CloneRequest(url=SSH, path="/a", mirror=True, ssh_key_file="/k"),
    FetchRequest(path="/a", refspecs=("+refs/heads/*:refs/remotes/origin/*", "main")),
    CheckoutRequest(url="/srv/app.git", path="/a", revision=COMMIT),
    CheckoutRequest(
        url=HTTPS, path="/a", revision="feature/x", user="u", password=SECRET
    ),
    RefRequest(repository="ssh://git@git.example:22/app", commit=COMMIT),
    CleanRequest(path="/a"),
]

BAD: list[tuple[AnyRequest, list[str]]] = [
    (
        CloneRequest(url="app", path="a", branch="-x", depth=0, mirror=ANY),
        [
            "url: it must be a URL",
            "path must",
            "mirror must",
            "depth must",
            "'-x' is no name",
            "branch: a mirror has",
        ],
    ),
    (
        CloneRequest(url="https://me:pw@git.example/a", path="/a/", branch=COMMIT),
        ["url: it holds a login", "'/a' rather", "branch: it is a commit's id"],
    ),
    (
        CloneRequest(url=SSH, path="/a:b", password=SECRET, ssh_key_file="k"),
        ["ssh_key_file must", "only given to https://", "holds a colon"],
    ),
    (
        CloneRequest(url=HTTPS, path="/", user="me", ssh_known_hosts_file="/k"),
        ["user: give a password", "no ssh goes to url", "root of the file system"],
    ),
    (
        CloneRequest(url="http://git.example/a", path="/a\0", password=ANY),
        ["password must be a SecretRef", "only given to https://", "NUL"],
    ),
    (
        FetchRequest(path=ANY, remote=HTTPS, refspecs=("a b", ANY), prune=ANY),
        [
            "path must be text",
            "prune must",
            "remote must",
            "'a b' is none",
            "5 is none",
        ],
    ),
    (FetchRequest(path="/a", refspecs=ANY), ["refspecs must be a tuple"]),
    (
        CheckoutRequest(url=ANY, path="/a", revision="0123abc", discard=ANY),
        ["url: it must be text", "beginning of a commit's id", "discard must"],
    ),
    (
        RefRequest(repository="", ref=COMMIT, commit="0123abc"),
        ["repository: it is empty", "ref: it is a commit's id", "commit must be"],
    ),
    (
        CloneRequest(url="ssh://-oProxyCommand=touch@git.example/a", path="/a"),
        ["url: its user begins with a hyphen"],
    ),
    (
        CloneRequest(url="ssh://%2DoX@git.example/a", path="/a"),
        ["url: its user begins with a hyphen"],
    ),
    (
        CloneRequest(url="-oX@git.example:a", path="/a"),
        ["url: it must be a URL"],
    ),
    (
        RefRequest(repository="ssh://-oX/a"),
        ["repository: its host begins with a hyphen"],
    ),
    (CleanRequest(path="/a/../b", untracked=ANY), ["'/b' rather", "untracked must"]),
]


@pytest.mark.parametrize("request_", GOOD)
def test_good_requests_pass(request_: AnyRequest) -> None:
    """What can work is not refused."""
    check(request_)

    assert faults(request_) == []


@pytest.mark.parametrize(("request_", "clauses"), BAD)
def test_all_faults_come_at_once(request_: AnyRequest, clauses: list[str]) -> None:
    """Each fault is a clause of one message, and there is one for each."""
    found = faults(request_)

    assert len(found) == len(clauses), found
    with pytest.raises(ValueError, match=re.escape(found[0])) as caught:
        check(request_)
    for clause in clauses:
        assert clause in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        HTTPS,
        SSH,
        "git.example:app",
        "[::1]:app.git",
        "ssh://git@git.example:2222/app.git",
        "git://[::1]:9418/app",
        "file:///srv/app.git",
        "/srv/my app.git",
    ],
)
def test_addresses_are_of_many_kinds(address: str) -> None:
    """URLs, what scp takes, and paths."""
    assert fault(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "ext::sh -c touch% /tmp/x",
        "ext::sh",
        "-oProxyCommand=x:y",
        "ssh://-oProxyCommand=x/y",
        "ftp://git.example/a",
        "https:///a",
        "https://git.example:port/a",
        "https://token@git.example/a",
        "ssh://git:pw@git.example/a",
        "https://git.example/a?token=abracadabra",
        "https://git.example/a\nb",
        "../a",
        "~/a",
    ],
)
def test_addresses_that_do_more_are_refused(address: str) -> None:
    """What runs a program, hides an option or holds a login; it is not repeated."""
    complaint = fault(address)

    assert complaint is not None
    assert address not in complaint
    assert "abracadabra" not in complaint


@pytest.mark.parametrize(
    "name", ["v1.2", "feature/x", "HEAD", "refs/pull/1/head", COMMIT, "20240101"]
)
def test_names_are_those_of_git(name: str) -> None:
    """Branches, tags, whole refs, whole ids, and dates that are tags."""
    assert name_fault(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-d",
        "a..b",
        "a b",
        "a~1",
        "a^",
        "a:b",
        "a*",
        "@{u}",
        "a.lock",
        "/a",
        "a/",
        "a//b",
        "@",
        ".a",
        "a.",
    ],
)
def test_what_git_would_read_otherwise_is_refused(name: str) -> None:
    """Options, ranges, and expressions that mean another commit each time."""
    assert name_fault(name) is not None


def test_logins_are_taken_out_of_texts() -> None:
    """And a password is good for the scheme, host and port of its URL."""
    assert hidden("to https://me:pw@a.example/b and ssh://git@c/d") == (
        "to https://a.example/b and ssh://c/d"
    )
    assert origin_of("https://me@a.example:8443/b/c") == "https://a.example:8443"
