"""What is wrong with a request, found when the plan is submitted (V-19)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias, cast, get_args

from workstream import SecretRef
from workstream.plugins import (
    Pattern,
    flag_faults,
    number_faults,
    path_faults,
    refuse,
    text_faults,
)

from ._attributes import MODE
from ._looking import size_in_bytes
from ._requests import (
    ChecksumRequest,
    ContentRequest,
    CopyRequest,
    ExistsRequest,
    Kind,
    LinkRequest,
    RemoveRequest,
    SpaceRequest,
    TemplateRequest,
    WaitRequest,
    WriteRequest,
)
from ._templates import syntax_fault

AnyRequest: TypeAlias = (
    WriteRequest
    | TemplateRequest
    | CopyRequest
    | LinkRequest
    | RemoveRequest
    | WaitRequest
    | ExistsRequest
    | ContentRequest
    | ChecksumRequest
    | SpaceRequest
)

CHANGING = (WriteRequest, TemplateRequest, CopyRequest, LinkRequest, RemoveRequest)
DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128, "blake2b": 128}
SHORTEST_POLL = 0.01


def check(request: AnyRequest) -> None:
    """Refuse a request that can never work, with all its faults in one message.

    Raises:
        ValueError: It has faults.
    """
    refuse(faults(request))


def faults(request: AnyRequest) -> list[str]:
    """All that can never work in a request, a clause each; none when it is valid."""
    changes = isinstance(request, CHANGING)
    found = [*path_faults("path", request.path, plain=changes)]
    if isinstance(request, (WriteRequest, TemplateRequest, CopyRequest)):
        found += _attributes(request)
        found += flag_faults(request, "parents", "in_place")
    match request:
        case WriteRequest():
            found += _content("content", request.content)
        case TemplateRequest():
            found += _template(request)
        case CopyRequest():
            found += path_faults("source", request.source)
            if request.checksum != "":
                found += _checksum(request.checksum)
            if request.source == request.path:
                found.append("source and path are the same file")
        case LinkRequest():
            found += text_faults("target", request.target, purpose="no path")
            found += flag_faults(request, "must_exist")
        case RemoveRequest():
            found += flag_faults(request, "recursive")
        case WaitRequest():
            found += flag_faults(request, "present")
            found += number_faults("settled", request.settled)
            found += number_faults("poll", request.poll, least=SHORTEST_POLL)
            if request.settled and not request.present:
                found.append("settled: what is to be gone cannot settle")
        case ExistsRequest():
            found += _exists(request)
        case ContentRequest():
            found += _what_it_holds(request)
        case ChecksumRequest():
            found += _checksum(request.checksum)
        case SpaceRequest():
            found += _space(request)
    return found


def _attributes(
    request: WriteRequest | TemplateRequest | CopyRequest | ExistsRequest,
) -> Iterator[str]:
    mode = cast("object", request.mode)
    if mode is not None:
        if isinstance(mode, int):
            yield f'mode must be octal digits as text, mode="{mode:04o}" for {mode!r}'
        elif not isinstance(mode, str) or MODE.fullmatch(mode) is None:
            yield f'mode must be three or four octal digits, as "0644", not {mode!r}'
    for field in ("owner", "group"):
        value: object = getattr(request, field)
        if value is not None:
            yield from text_faults(field, value, purpose="no path")


def _content(field: str, content: object) -> Iterator[str]:
    if isinstance(content, tuple):
        for index, piece in enumerate(cast("tuple[object, ...]", content)):
            if not isinstance(piece, (str, SecretRef)):
                kind = type(piece).__name__
                yield f"{field}[{index}] must be text or a SecretRef, not {kind}"
            elif isinstance(piece, str):
                yield from _encodable(f"{field}[{index}]", piece)
    elif isinstance(content, str):
        yield from _encodable(field, content)
    elif not isinstance(content, (bytes, SecretRef)):
        yield (
            f"{field} must be text, bytes, a SecretRef, or a tuple of texts and "
            f"SecretRefs, not {type(content).__name__}"
        )


def _encodable(field: str, text: str) -> Iterator[str]:
    try:
        text.encode()
    except UnicodeEncodeError:
        yield f"{field} holds characters that cannot be encoded as UTF-8"


def _template(request: TemplateRequest) -> Iterator[str]:
    if (request.template is None) == (request.source is None):
        yield "give either template, its text, or source, the file that holds it"
    if request.source is not None:
        yield from path_faults("source", request.source)
    template = cast("object", request.template)
    if template is not None:
        if not isinstance(template, str):
            yield f"template must be text, not {type(template).__name__}"
        else:
            yield from _encodable("template", template)
            fault = syntax_fault(template)
            if fault is not None:
                yield f"template: {fault}"
    wrong = [*_names("values", request.values), *_names("secrets", request.secrets)]
    if wrong:
        yield from wrong
        return
    twice = sorted(set(request.values) & set(request.secrets))
    for name in twice:
        yield f"{name!r} is in values and in secrets: choose one"
    for name, ref in request.secrets.items():
        if not isinstance(cast("object", ref), SecretRef):
            yield f"secrets[{name!r}] must be a SecretRef; plain values go into values"
    for name, value in request.values.items():
        yield from _value(f"values[{name!r}]", value)


def _names(field: str, names: object) -> Iterator[str]:
    if not isinstance(names, dict):
        yield f"{field} must be a dict, not {type(names).__name__}"
        return
    for name in cast("dict[object, object]", names):
        if not isinstance(name, str) or not name.isidentifier():
            yield f"{name!r} in {field} is no name that a template can use"


def _value(field: str, value: Any) -> Iterator[str]:
    if isinstance(value, SecretRef):
        yield f"{field} is a SecretRef: give it a name of its own in secrets"
    elif isinstance(value, dict):
        for name, inner in cast("dict[object, object]", value).items():
            yield from _value(f"{field}[{name!r}]", inner)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(cast("list[object]", value)):
            yield from _value(f"{field}[{index}]", inner)
    elif not isinstance(value, (str, int, float, type(None))):
        yield (
            f"{field} must be text, a number, True, False, None, or a list or dict of "
            f"these, not {type(value).__name__}"
        )


def _checksum(checksum: object) -> Iterator[str]:
    algorithm, colon, digest = str(checksum).partition(":")
    length = DIGEST_LENGTHS.get(algorithm)
    if not colon or length is None:
        known = ", ".join(DIGEST_LENGTHS)
        yield (
            f"checksum must be an algorithm ({known}), a colon and the digest, as in "
            f"'sha256:9f86d0...', not {checksum!r}"
        )
    elif re.fullmatch(rf"[0-9a-fA-F]{{{length}}}", digest) is None:
        yield f"checksum must have {length} hexadecimal digits after {algorithm}:"


def _exists(request: ExistsRequest) -> Iterator[str]:
    yield from flag_faults(request, "present")
    yield from _attributes(request)
    if request.kind not in get_args(Kind):
        kinds = ", ".join(get_args(Kind))
        yield f"kind must be one of {kinds}, not {request.kind!r}"
    if request.max_age is not None:
        yield from number_faults("max_age", request.max_age)
    expectations = (request.mode, request.owner, request.group, request.max_age)
    if not request.present and (request.kind != "any" or any(expectations)):
        yield "present=False: what is not there has no kind, mode, owner, group or age"


def _what_it_holds(request: ContentRequest) -> Iterator[str]:
    contains = cast("object", request.contains)
    if contains is not None and not isinstance(contains, (str, SecretRef)):
        yield f"contains must be text or a SecretRef, not {type(contains).__name__}"
    if request.equals is not None:
        yield from _content("equals", request.equals)
    matches = cast("object", request.matches)
    if not isinstance(matches, str):
        yield f"matches must be text, not {type(matches).__name__}"
    else:
        try:
            Pattern(matches, multiline=True)
        except ValueError as error:
            yield f"matches: {error}"
    limit = cast("object", request.limit)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        yield f"limit must be a number of bytes, 1 or more, not {limit!r}"
    if request.equals is None and request.contains is None and not request.matches:
        yield "give at least one of equals, contains and matches"


def _space(request: SpaceRequest) -> Iterator[str]:
    if request.free:
        try:
            size_in_bytes(request.free)
        except (ValueError, AttributeError) as error:
            yield f"free: {error}"
    percent, inodes = cast("object", request.free_percent), request.free_inodes
    if not isinstance(percent, (int, float)) or not 0 <= percent <= 100:
        yield f"free_percent must be a number from 0 to 100, not {percent!r}"
    if not isinstance(cast("object", inodes), int) or inodes < 0:
        yield f"free_inodes must be a whole number, 0 or more, not {inodes!r}"
    if not (request.free or percent or inodes):
        yield "give at least one of free, free_percent and free_inodes"
