"""Which of many like cases the quick tests take: ``-m "not slow"``.

All of them together need more than the minute that the quick tests have. Some of each
kind stay in it, so that a mistake which breaks many of them is seen within the minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import pytest

__all__ = ["one_in"]


def one_in(count: int, values: Iterable[object]) -> list[Any]:
    """All the values, for ``parametrize``; slow but for the first of each so many.

    A tuple has the values of several parameters.
    """

    def slow(value: object) -> object:
        each = cast("tuple[object, ...]", value if type(value) is tuple else (value,))
        return pytest.param(*each, marks=pytest.mark.slow)

    return [
        value if number % count == 0 else slow(value)
        for number, value in enumerate(values)
    ]
