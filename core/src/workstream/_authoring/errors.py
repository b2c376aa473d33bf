"""Look into groups of exceptions, as nurseries raise them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast


def leaves_of(error: BaseException) -> Iterator[BaseException]:
    """The exceptions within groups of groups; an exception that is none is its own leaf.

    ::

        except* OSError as group:
            reasons = {str(leaf) for leaf in leaves_of(group)}
    """
    waiting = [error]
    while waiting:
        found = waiting.pop()
        if isinstance(found, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", found)
            waiting.extend(reversed(group.exceptions))
        else:
            yield found
