"""Whether a body is what the request expects, and which secrets to hide in it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import quote, quote_plus

from ._requests import AnyRequest, JsonScalar, JsonValue

HIDDEN = "[secret hidden]"
"""What stands in the place of a secret, as the engine writes it (CL-6)."""

_SHORTEST_SECRET = 4
_EXCERPT = 200


def unmet(
    request: AnyRequest, body: str, secrets: Collection[str] = ()
) -> Iterator[str]:
    """Each expectation about the body that it does not meet, as half a sentence.

    Args:
        request: What holds the expectations.
        body: What the server sent.
        secrets: What is not to be repeated from the body.
    """
    if request.contains and request.contains not in body:
        yield f"does not contain {request.contains!r}"
    if request.matches and re.search(request.matches, body) is None:
        yield f"does not match {request.matches!r}"
    if request.json_equals:
        try:
            document: JsonValue = json.loads(body)
        except (ValueError, RecursionError):
            yield "is not JSON"
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
                    shown = excerpt(hide(json.dumps(found), secrets))
                yield f"has {shown} at {pointer!r}, expected {json.dumps(wanted)}"


def excerpt(body: str) -> str:
    """The begin of a body, on one line, for an error message."""
    line = " ".join(body.split())
    return line if len(line) <= _EXCERPT else line[:_EXCERPT] + "..."


def hide(text: str, secrets: Iterable[str], *, cut: bool = False) -> str:
    """``text`` without the secrets, as they are or escaped as URLs and JSON do.

    Secrets shorter than 4 characters are left: they would be found everywhere.

    Args:
        text: What may hold them.
        secrets: Their values.
        cut: Whether more of the text was cut off. A secret may then be cut too: a
            begin of it at the end of the text is hidden as well.
    """
    forms = {
        form
        for secret in secrets
        for form in (
            secret,
            quote(secret),
            quote(secret, safe=""),
            quote_plus(secret),
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
        )
        if len(secret) >= _SHORTEST_SECRET
    }
    longest_first = sorted(forms, key=len, reverse=True)
    for form in longest_first:
        text = text.replace(form, HIDDEN)
    if cut:
        for form in longest_first:
            for length in range(len(form) - 1, _SHORTEST_SECRET - 1, -1):
                if text.endswith(form[:length]):
                    return text[:-length] + HIDDEN
    return text


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
