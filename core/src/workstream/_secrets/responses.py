"""The part of a stored response that a reference means, and whether it is secret (VF-6)."""

from __future__ import annotations

import typing
from typing import Any

from .._flow.late import SURE, Flowing, Item, Source, path_text
from .._values.annotations import fields_of
from .references import MARK, SECURE, StoredValue


class NoRequestError(Exception):
    """There is no request: the message says which reference failed, and why."""


def value_at(response: object, source: Source, place: str) -> tuple[Any, bool]:
    """The part of a response that a source refers to, and whether it is secret.

    Raises:
        NoRequestError: There is none.
    """
    at: Any = response
    secure = False
    for index, step in enumerate(source.path):
        before = path_text(source.path[:index]) or "the response"
        if isinstance(at, StoredValue):
            refuse(place, source, "its plugin is not installed here")
        if step == SURE:
            if at is None:
                refuse(place, source, f"{before} is None")
        elif isinstance(step, Item):
            try:
                at = at[step.at]
            except (LookupError, TypeError):
                refuse(place, source, f"{before} has no item {step.at!r}")
        else:
            known = {field.name: field for field in fields_of(type(at))}
            field = known.get(str(step))
            if field is None:
                refuse(place, source, f"{before} has no field {step!r}")
            secure = secure or field.metadata.get(MARK) == SECURE[MARK]
            at = getattr(at, str(step))
    return at, secure


def refuse(place: str, flowing: Flowing, why: str) -> typing.NoReturn:
    """Say why a value cannot go to its place. Raises NoRequestError."""
    message = f"the request cannot be made: {place} needs {flowing}, but {why}"
    raise NoRequestError(message)
