"""What cattrs found wrong with data, each fault with its place, in words for people."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator

import attrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)

__all__ = ["below", "faults_in", "nearest"]


def faults_in(error: Exception, path: str) -> Iterator[tuple[str, str]]:
    """Each single fault with its place in the data, from a converter that finds all."""
    if isinstance(error, ClassValidationError | IterableValidationError):
        for inner in error.exceptions:
            yield from faults_in(inner, path + _step(inner))
    elif isinstance(error, ForbiddenExtraKeysError):
        known = [field.name for field in attrs.fields(error.cl)]
        for name in sorted(error.extra_fields):
            yield below(path, name), f"is not a field{nearest(name, known)}"
    elif isinstance(error, KeyError):
        yield path, "is missing"
    else:
        yield path, str(error)


def below(path: str, name: str) -> str:
    """The path of a field of what is at a path."""
    return f"{path}.{name}" if path else name


def nearest(name: str, known: Collection[str]) -> str:
    """Which of the known names may be meant, if any."""
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _step(error: BaseException) -> str:
    """Where in the object or list around it the error came up."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return f".{note.name}"
        if isinstance(note, IterableValidationNote):
            return f"[{note.index!r}]"
    return ""
