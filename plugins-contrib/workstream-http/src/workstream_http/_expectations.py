"""Whether a body is what the request expects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from workstream.plugins import Pattern, Redactor

from ._requests import AnyRequest, JsonScalar, JsonValue

_EXCERPT = 200


class MissingError(Exception):
    """A body does not hold a value; the message is half a sentence."""


def unmet(request: AnyRequest, body: str, redactor: Redactor) -> Iterator[str]:
    """Each expectation about the body that it does not meet, as half a sentence.

    Args:
        request: What holds the expectations.
        body: What the server sent.
        redactor: Takes out what is not to be repeated from the body.
    """
    if request.contains and request.contains not in body:
        yield f"does not contain {request.contains!r}"
    if request.matches and not Pattern(request.matches).found_in(body):
        yield f"does not match {request.matches!r}"
    if request.json_equals:
        try:
            document = _document(body)
        except MissingError as error:
            yield str(error)
            return
        for pointer, wanted in request.json_equals.items():
            try:
                found = _at(document, pointer)
            except LookupError:
                yield f"has nothing at {pointer!r}, expected {json.dumps(wanted)}"
                continue
            if not _same(found, wanted):
                shown = "another value"
                if request.keep_body:
                    shown = _shown(found, redactor)
                yield f"has {shown} at {pointer!r}, expected {json.dumps(wanted)}"


def taken(request: AnyRequest, body: str, redactor: Redactor) -> dict[str, Any]:
    """The values that it takes from the body.

    Raises:
        MissingError: One is not there; the message is half a sentence.
    """
    if not request.take:
        return {}
    document = _document(body)
    values: dict[str, Any] = {}
    for name, pointer in request.take.items():
        try:
            value = _at(document, pointer)
        except LookupError:
            message = f"has nothing at {pointer!r} to take"
            raise MissingError(message) from None
        if isinstance(value, (dict, list)):
            shown = _shown(value, redactor)
            message = f"has {shown} at {pointer!r}: take its parts one by one"
            raise MissingError(message)
        values[name] = redactor.redact(value) if isinstance(value, str) else value
    return values


def _document(body: str) -> JsonValue:
    """The body, read as JSON."""
    try:
        document: JsonValue = json.loads(body)
    except (ValueError, RecursionError):
        message = "is not JSON"
        raise MissingError(message) from None
    return document


def excerpt(body: str) -> str:
    """The begin of a body, on one line, for an error message."""
    line = " ".join(body.split())
    return line if len(line) <= _EXCERPT else line[:_EXCERPT] + "..."


def _shown(found: JsonValue, redactor: Redactor) -> str:
    """A value for a message; of a list or an object only how long it is."""
    # Written out, they might be deeper than Python can write.
    if isinstance(found, dict):
        return f"an object of {len(found)}"
    if isinstance(found, list):
        return f"a list of {len(found)}"
    return excerpt(redactor.redact(json.dumps(found)))


def _at(document: JsonValue, pointer: str) -> JsonValue:
    """What a JSON pointer points at (RFC 6901); LookupError when there is nothing."""
    here = document
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict):
            here = here[name]
        elif isinstance(here, list) and re.fullmatch(r"0|[1-9][0-9]{0,9}", name):
            here = here[int(name)]
        else:
            raise LookupError(pointer)
    return here


def _same(found: JsonValue, wanted: JsonScalar) -> bool:
    # In JSON, true is not 1.
    return isinstance(found, bool) == isinstance(wanted, bool) and found == wanted
