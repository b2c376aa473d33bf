"""Objects that differ only by their names, told together: ``web-3, web-9 and 14 others``.

A plan does much the same on many hosts. So much the same goes wrong on many of them, and
nobody wants to read it once for each. Two texts are the same *but for the name* when they
are equal once each has lost the name of its own object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

SEPARATOR = " / "
"""Between the labels of a path (OM-15)."""
_NAME = "\N{BLACK SQUARE}"
"""Stands where a name stood."""
_SEQUENCE = 2
"""Where in a path the label of a block's sequence stands."""


def without_name(text: str, name: str) -> str:
    """The text with a mark wherever the name stands as a word of its own."""
    if not name or name not in text:
        return text
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", _NAME, text)


def shown(text: str) -> str:
    """A text that lost its name, for people: an ellipsis stands there."""
    return text.replace(_NAME, "\N{HORIZONTAL ELLIPSIS}")


def name_in(path: str) -> str:
    """What tells the object of a path from its like: the name of its sequence, or ""."""
    labels = path.split(SEPARATOR)
    return labels[_SEQUENCE] if len(labels) > _SEQUENCE else ""


def named(names: Sequence[str], most: int = 2) -> str:
    """The names in a few words: ``web-3, web-9 and 14 others``.

    Args:
        names: One at least.
        most: How many are named; one more is named too, as it takes no more room.
    """
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most:,} others"
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def folded(paths: Iterable[str], most: int = 2) -> list[tuple[str, int]]:
    """The paths told together that differ in one label: ``Tier / a, b and 7 others / x``.

    Args:
        paths: Paths, in order.
        most: How many names of each are told.

    Returns:
        Each text with the number of paths that it stands for, in order.
    """
    by_depth: dict[int, list[list[str]]] = {}
    for path in paths:
        labels = path.split(SEPARATOR)
        by_depth.setdefault(len(labels), []).append(labels)
    return [found for rows in by_depth.values() for found in _folded(rows, most)]


def _folded(rows: list[list[str]], most: int) -> list[tuple[str, int]]:
    """``folded``, of paths that are equally long."""
    # The label that differs is the one without which the fewest are left.
    columns = [_alike_but(rows, at) for at in range(len(rows[0]))]
    at = min(range(len(columns)), key=lambda at: len(columns[at]))
    found: list[tuple[str, int]] = []
    for same in columns[at]:
        names = list(dict.fromkeys(row[at] for row in same))
        told = same[0]
        if len(names) > 1:
            told = [without_name(label, same[0][at]) for label in told]
            told[at] = named(names, most)
        found.append((shown(SEPARATOR.join(told)), len(same)))
    return found


def _alike_but(rows: list[list[str]], at: int) -> list[list[list[str]]]:
    """The paths, put together that differ in the label at this place only."""
    alike: dict[tuple[str, ...], list[list[str]]] = {}
    for row in rows:
        rest = (without_name(label, row[at]) for label in (*row[:at], *row[at + 1 :]))
        alike.setdefault(tuple(rest), []).append(row)
    return list(alike.values())
