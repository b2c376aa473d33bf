"""Errors that nurseries wrapped up."""

from __future__ import annotations

from typing import Any, cast


def alone(error: BaseException) -> BaseException:
    """The one error in groups of one; several stay together."""
    found: Any = error
    while isinstance(found, BaseExceptionGroup):
        inner: list[Any] = list(cast("Any", found).exceptions)
        if len(inner) != 1:
            break
        found = inner[0]
    return cast("BaseException", found)
