"""Sets of HTTP statuses, as people write them: ``2xx, 304, 400-404``."""

from __future__ import annotations

import functools
import re

_ITEM = re.compile(
    r"(?P<first>[1-5]\d\d)(?:-(?P<last>[1-5]\d\d))?|(?P<hundred>[1-5])xx"
)


@functools.lru_cache(maxsize=256)
def parse(text: str) -> frozenset[int]:
    """The statuses that ``text`` names; none for an empty text.

    Args:
        text: Items parted by commas, each a status (``304``), a hundred (``2xx``)
            or a range (``400-404``, both ends included).

    Raises:
        ValueError: An item is none of these; the message names it.
    """
    found: set[int] = set()
    for item in text.split(",") if text.strip() else ():
        match = _ITEM.fullmatch(item.strip())
        if match is None:
            message = (
                f"{item.strip()!r} is no HTTP status: write 304, 2xx or 400-404, "
                "several parted by commas"
            )
            raise ValueError(message)
        if match["hundred"]:
            first = int(match["hundred"]) * 100
            last = first + 99
        else:
            first = int(match["first"])
            last = int(match["last"] or first)
        if last < first:
            message = f"the range {item.strip()!r} ends before it begins"
            raise ValueError(message)
        found.update(range(first, last + 1))
    return frozenset(found)
