"""The names of plans in the index of an LMDB store, so that parts of them are found.

A part of a name stands in no order: to find it, all names are looked through. So they
stand close together, some forty in one value, a **leaf**, in the order of a list: a
hundred thousand of them are two or three thousand values, and most are passed by one
search for bytes. The key of a leaf is the tail of its first plan, and its entries are
those from there to the next leaf: each is a tail, the length of the folded name (2
bytes), and the name. A very long name stands elsewhere (``keys.LONG_NAME``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

NAME = b"in"
TAIL = 24
"""How long the tail of a key is."""
LONGEST = 400
"""Bytes of a name that is kept here."""

_LEAF = 1900
"""Bytes; LMDB keeps so much in a page beside others."""
_HEAD = struct.Struct(f">{TAIL}sH")


def folded(name: str) -> bytes:
    """A name, or a part of one, as it is kept: in no capitals."""
    return name.casefold().encode("utf-8", "surrogatepass")


def entries_in(leaf: bytes) -> dict[bytes, bytes]:
    """The names of a leaf by their tails. Raises ValueError: it is damaged."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(leaf):
        if at + _HEAD.size > len(leaf):
            break
        tail, length = _HEAD.unpack_from(leaf, at)
        at += _HEAD.size + length
        found[tail] = leaf[at - length : at]
    if at != len(leaf):
        message = "a leaf of names is damaged"
        raise ValueError(message)
    return found


def all_entries(transaction: Any) -> Iterator[tuple[bytes, bytes]]:
    """All tails and names. Raises ValueError: a leaf is damaged."""
    cursor = transaction.cursor()
    if cursor.set_range(NAME):
        for key, leaf in cursor:
            if key[:2] != NAME:
                return
            yield from entries_in(leaf).items()


def add(transaction: Any, tail: bytes, name: bytes) -> None:
    """Keep a name. Raises ValueError: its leaf is damaged."""
    entry = _HEAD.pack(tail, len(name)) + name
    key, leaf = leaf_of(transaction, tail)
    if not key:
        transaction.put(NAME + tail, entry)
    elif len(leaf) + len(entry) <= _LEAF:
        transaction.put(key, leaf + entry)
    else:
        found = entries_in(leaf)
        if tail > max(found):  # as a rule: plans come in the order of time
            transaction.put(NAME + tail, entry)
            return
        found[tail] = name
        tails = sorted(found)
        middle = len(tails) // 2
        for start, half in ((key, tails[:middle]), (b"", tails[middle:])):
            _put(transaction, start or NAME + half[0], found, half)


def remove(transaction: Any, tail: bytes) -> None:
    """Keep a name no longer. Raises ValueError: it is not there, or damaged."""
    key, leaf = leaf_of(transaction, tail)
    found = entries_in(leaf)
    if tail not in found:
        message = "a name is missing"
        raise ValueError(message)
    del found[tail]
    _put(transaction, key, found, list(found))


def leaf_of(transaction: Any, tail: bytes) -> tuple[bytes, bytes]:
    """The key and the value of the leaf in which a tail stands or would; or nothing."""
    cursor = transaction.cursor()
    wanted = NAME + tail
    if not cursor.set_range(wanted):
        cursor.last()
    elif cursor.key() != wanted:
        cursor.prev()
    key: bytes = cursor.key()
    return (key, cursor.value()) if key.startswith(NAME) else (b"", b"")


class Named:
    """The tails of the plans whose names hold a part, from the newest on."""

    def __init__(self, transaction: Any, part: bytes) -> None:
        self._cursor = transaction.cursor()
        self._part = part
        self._left: list[bytes] = []
        """The tails of the leaf where the cursor stands that fit, the oldest first."""
        self._there = False

    def at_most(self, tail: bytes) -> bytes:
        """The newest of the tails that is no newer than this; empty: there is none.

        Raises:
            ValueError: A leaf is damaged.
        """
        if not self._there or self._cursor.key() > NAME + tail:
            self._go_to(tail)
        while self._there:
            while self._left:
                if self._left[-1] <= tail:
                    return self._left[-1]
                self._left.pop()
            self._there = self._cursor.prev()
            self._look()
        return b""

    def _go_to(self, tail: bytes) -> None:
        wanted = NAME + tail
        if not self._cursor.set_range(wanted):
            self._there = self._cursor.last()
        else:
            self._there = self._cursor.key() == wanted or self._cursor.prev()
        self._look()

    def _look(self) -> None:
        """Find what fits in the leaf where the cursor stands, or in those before it."""
        cursor, part = self._cursor, self._part
        while self._there:
            key, leaf = cursor.item()
            if not key.startswith(NAME):
                self._there = False
                return
            if part in leaf:
                found = entries_in(leaf).items()
                self._left = sorted(tail for tail, name in found if part in name)
                if self._left:
                    return
            self._there = cursor.prev()


def _put(
    transaction: Any, key: bytes, found: dict[bytes, bytes], tails: list[bytes]
) -> None:
    """Put these entries at the key of a leaf."""
    if not tails:
        transaction.delete(key)
        return
    parts = (_HEAD.pack(tail, len(found[tail])) + found[tail] for tail in tails)
    transaction.put(key, b"".join(parts))
