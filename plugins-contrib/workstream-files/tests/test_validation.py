"""What is refused at submit: all faults of a request at once (V-19)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from workstream import SecretRef
from workstream_files import (
    ChecksumRequest,
    ContentRequest,
    CopyRequest,
    ExistsRequest,
    LinkRequest,
    RemoveRequest,
    SpaceRequest,
    TemplateRequest,
    WaitRequest,
    WriteRequest,
)
from workstream_files._validation import AnyRequest, check, faults

ANY: Any = 5
SECRET = SecretRef("env:X")

GOOD: list[AnyRequest] = [
    WriteRequest(path="/a/b", content=("x", SECRET), mode="4755", owner="www"),
    TemplateRequest(path="/a", template="{{ x }}", values={"x": [{"y": None}, (1.5,)]}),
    TemplateRequest(path="/a", source="/t/../b", secrets={"x": SECRET}),
    CopyRequest(path="/a", source="/b", checksum=f"sha512:{'aB' * 64}", mode="600"),
    LinkRequest(path="/a", target="../b"),
    RemoveRequest(path="/a"),
    WaitRequest(path="/a/../b", settled=1, poll=0.1),
    ExistsRequest(path="/", kind="directory", mode="0755"),
    ContentRequest(path="/a", equals=b""),
    ChecksumRequest(path="/a", checksum=f"sha256:{'0' * 64}"),
    SpaceRequest(path="/", free="5 GiB", free_percent=10, free_inodes=1),
]

BAD: list[tuple[AnyRequest, list[str]]] = [
    (
        WriteRequest(path="a", content=ANY, mode=ANY, owner="", parents=ANY),
        [
            "path must be an abs",
            'mode="0005"',
            "owner is empty",
            "parents",
            "content must",
        ],
    ),
    (
        WriteRequest(path="/a/", content="", mode="rw-r"),
        ["'/a' rather", "octal digits"],
    ),
    (WriteRequest(path="/a\0", content="\ud800"), ["NUL", "content holds"]),
    (WriteRequest(path="/" + "ä" * 200, content=("x", ANY)), ["255", "content[1]"]),
    (WriteRequest(path=ANY, content="x"), ["path must be text, not int"]),
    (TemplateRequest(path="/a"), ["give either template"]),
    (
        TemplateRequest(path="/a", template="one\n{% if %}", source="b"),
        ["give either", "source must", "template: line 2"],
    ),
    (
        TemplateRequest(
            path="/a", template="", values={"x-y": 1, "z": SECRET, "o": {"p": object()}}
        ),
        ["'x-y' in values"],
    ),
    (
        TemplateRequest(
            path="/a", template="", values={"z": SECRET, "o": {"p": object()}}
        ),
        ["values['z'] is a SecretRef", "values['o']['p'] must be text"],
    ),
    (
        TemplateRequest(
            path="/a", template="", values={"x": 1}, secrets={"x": SECRET, "y": ANY}
        ),
        ["'x' is in values and in secrets", "secrets['y'] must be"],
    ),
    (TemplateRequest(path="/a", template="", values=ANY), ["values must be a dict"]),
    (CopyRequest(path="/a", source="/a", checksum="md5:1"), ["algorithm", "same file"]),
    (LinkRequest(path="/a", target="", must_exist=ANY), ["target", "must_exist"]),
    (RemoveRequest(path="/", recursive=ANY), ["root of the file system", "recursive"]),
    (
        WaitRequest(path="/a", settled=-1, poll=0, present=False),
        ["settled must", "poll must be a number of seconds, 0.01", "cannot settle"],
    ),
    (
        ExistsRequest(path="/a", kind=ANY, max_age=float("inf"), present=False),
        ["kind must", "max_age must", "what is not there"],
    ),
    (ContentRequest(path="/a"), ["at least one of equals"]),
    (
        ContentRequest(path="/a", contains=ANY, equals=ANY, matches="(", limit=0),
        ["contains must", "equals must", "no regular expression", "limit must"],
    ),
    (ContentRequest(path="/a", matches="(?=a)"), ["matches: '(?=a)' is no regular"]),
    (ContentRequest(path="/a", matches=ANY), ["matches must be text, not "]),
    (
        WriteRequest(path="/" + "a/" * 2048 + "a", content="", in_place=ANY),
        ["more than 4,095 bytes", "in_place must be True or False"],
    ),
    (ChecksumRequest(path="/a", checksum="sha256:00"), ["64 hexadecimal digits"]),
    (SpaceRequest(path="/a"), ["at least one of free"]),
    (
        SpaceRequest(path="a", free="much", free_percent=101, free_inodes=-1),
        ["path must", 'write "5 GiB"', "free_percent must", "free_inodes must"],
    ),
]


@pytest.mark.parametrize("request_", GOOD, ids=lambda r: type(r).__name__)
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
