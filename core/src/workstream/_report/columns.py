"""A JSON document as columns, so that a hundred thousand alike objects stay small.

Objects that stand at the same place of a document are alike. So a *column* holds all
values of one place, one after the other, and the values of a field of many objects are a
column again. Nothing says twice what a thing is called, and like values stand side by
side, where a compressor sees them::

    [{"name": "web-1", "at": 1}, {"name": "web-2", "at": 2}]

    {"l": [2], "of": {"o": [0, 0], "shapes": [{
        "names": ["name", "at"],
        "of": [{"s": [0, 1], "kept": [0, 4], "rest": ["web-1", "2"]}, {"v": [1, 2]}]}]}}

A column's values are of one kind, or ``k`` says of which kind each is:

- ``o``: objects, each the number of its shape: its names, and a column for each;
- ``l``: lists, each its length, and one column of all that is in them;
- ``t``: times, each the distance from the one before it in the table of all times. That
  table has each time once, as microseconds after the one before it;
- ``s``: texts, each the distance from the one before it in the column's table. That table
  has each text once: how much of the one before it is kept, and the rest;
- ``v``: what is as it is: numbers, true, false, null;
- ``c``: a text, number, true, false or null that every value of the column is, and ``n``
  how many there are.

All of it comes back as it was, to the letter. `page/timeline.js` reads the same form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Column = dict[str, Any]


def packed(document: Any) -> dict[str, Any]:
    """The document as columns: what JSON takes, and no more."""
    times: dict[str, int] = {}
    column = _packed([document], times)
    return {"times": _distances(map(_microseconds, times)), "all": column}


def unpacked(columns: dict[str, Any]) -> Any:
    """The document that ``packed`` took.

    Raises:
        KeyError, TypeError, ValueError, IndexError: These are no such columns.
    """
    times = [_text(each) for each in accumulate(columns["times"])]
    (document,) = _unpacked(columns["all"], times)
    return document


def _packed(values: list[Any], times: dict[str, int]) -> Column:
    if len(values) > 1 and _is_constant(values):
        return {"c": values[0], "n": len(values)}
    kinds = [_kind(value) for value in values]
    column: Column = {}
    if len(set(kinds)) > 1:
        column["k"] = "".join(kinds)
    for kind in dict.fromkeys(kinds):
        chosen = [value for value, of in zip(values, kinds, strict=True) if of == kind]
        column |= _PACK[kind](chosen, times)
    return column


def _is_constant(values: list[Any]) -> bool:
    first: object = values[0]
    if isinstance(first, dict | list | float):  # 0.0 equals -0.0: another number
        return False
    return values.count(first) == len(values) and len(set(map(type, values))) == 1


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "t" if _is_time(value) else "s"
    return "o" if isinstance(value, dict) else "l" if isinstance(value, list) else "v"


def _objects(values: list[Any], times: dict[str, int]) -> Column:
    alike: dict[tuple[str, ...], list[Any]] = {}
    for value in values:
        alike.setdefault(tuple(value), []).append(value)
    number = {names: number for number, names in enumerate(alike)}
    shapes = [
        {
            "names": list(names),
            "of": [_packed([value[name] for value in those], times) for name in names],
        }
        for names, those in alike.items()
    ]
    return {"o": [number[tuple(value)] for value in values], "shapes": shapes}


def _lists(values: list[Any], times: dict[str, int]) -> Column:
    items = [item for value in values for item in value]
    return {"l": [len(value) for value in values], "of": _packed(items, times)}


def _times(values: list[Any], times: dict[str, int]) -> Column:
    return {"t": _distances(times.setdefault(each, len(times)) for each in values)}


def _texts(values: list[Any], times: dict[str, int]) -> Column:
    table: dict[str, int] = {}
    numbers = _distances(table.setdefault(each, len(table)) for each in values)
    kept = [0, *(_alike(before, after) for before, after in pairwise(table))]
    rest = [text[length:] for text, length in zip(table, kept, strict=False)]
    return {"s": numbers, "kept": kept[: len(table)], "rest": rest}


def _alike(before: str, after: str) -> int:
    """With how many equal characters the two begin."""
    shorter = min(len(before), len(after))
    if before[:shorter] == after[:shorter]:
        return shorter
    return next(at for at in range(shorter) if before[at] != after[at])


def _plain(values: list[Any], times: dict[str, int]) -> Column:
    return {"v": values}


_PACK: dict[str, Callable[[list[Any], dict[str, int]], Column]] = {
    "o": _objects,
    "l": _lists,
    "t": _times,
    "s": _texts,
    "v": _plain,
}


def _unpacked(column: Column, times: list[str]) -> list[Any]:
    if "n" in column:
        return [column["c"]] * column["n"]
    found: dict[str, Iterator[Any]] = {}
    if "o" in column:
        found["o"] = _read_objects(column, times)
    if "l" in column:
        items = iter(_unpacked(column["of"], times))
        found["l"] = ([next(items) for _ in range(length)] for length in column["l"])
    if "t" in column:
        found["t"] = (times[number] for number in accumulate(column["t"]))
    if "s" in column:
        table: list[str] = []
        for kept, rest in zip(column["kept"], column["rest"], strict=True):
            table.append((table[-1][:kept] if kept else "") + rest)
        found["s"] = (table[number] for number in accumulate(column["s"]))
    if "v" in column:
        found["v"] = iter(column["v"])
    if "k" in column:
        return [next(found[kind]) for kind in column["k"]]
    return [value for values in found.values() for value in values]


def _read_objects(column: Column, times: list[str]) -> Iterator[dict[str, Any]]:
    names: list[list[str]] = [shape["names"] for shape in column["shapes"]]
    rows = [
        _rows([_unpacked(each, times) for each in shape["of"]])
        for shape in column["shapes"]
    ]
    numbers: list[int] = column["o"]
    for number in numbers:
        # An object without names has no columns that could say how many there are.
        empty = not names[number]
        yield {} if empty else dict(zip(names[number], next(rows[number]), strict=True))


def _rows(columns: list[list[Any]]) -> Iterator[tuple[object, ...]]:
    return iter(zip(*columns, strict=True))


def _distances(numbers: Iterable[int]) -> list[int]:
    return [after - before for before, after in pairwise([0, *numbers])]


def _is_time(text: str) -> bool:
    # The first test is for speed: most texts are no times.
    return text[10:11] == "T" and bool(_TIME.fullmatch(text)) and _text_of(text) == text


def _text_of(text: str) -> str | None:
    try:
        return _text(_microseconds(text))
    except ValueError:  # the 31st of February
        return None


def _microseconds(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND


def _text(microseconds: int) -> str:
    return (_EPOCH + microseconds * _MICROSECOND).isoformat()
