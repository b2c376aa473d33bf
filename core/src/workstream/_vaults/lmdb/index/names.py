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
from typing import Any

from .. import layout

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


def add(transaction: Any, tail: bytes, name: bytes) -> None:
    """Keep a name. Raises ValueError: its leaf is damaged."""
    entry = _packed({tail: name})
    key, leaf = leaf_of(transaction, tail)
    if key and len(leaf) + len(entry) <= _LEAF:
        transaction.put(key, leaf + entry)
        return
    # A leaf begins here, with what is newer: as a rule nothing is.
    found = entries_in(leaf)
    newer = {each: found.pop(each) for each in list(found) if each > tail}
    transaction.put(NAME + tail, entry + _packed(newer))
    if newer:
        _put(transaction, key, found)


def remove(transaction: Any, tail: bytes) -> None:
    """Keep a name no longer. Raises ValueError: it is not there, or damaged."""
    key, leaf = leaf_of(transaction, tail)
    found = entries_in(leaf)
    if tail not in found:
        message = "a name is missing"
        raise ValueError(message)
    del found[tail]
    _put(transaction, key, found)


def leaf_of(transaction: Any, tail: bytes) -> tuple[bytes, bytes]:
    """The key and the value of the leaf in which a tail stands or would; or nothing."""
    cursor = transaction.cursor()
    key = layout.last_up_to(cursor, NAME + tail)
    return (key, cursor.value()) if key.startswith(NAME) else (b"", b"")


class Named:
    """The tails of the plans whose names hold a part, from the newest on."""

    def __init__(self, transaction: Any, part: bytes) -> None:
        self._cursor = transaction.cursor()
        self._part = part
        self._leaf = b""
        """The key of the leaf where the cursor stands."""
        self._left: list[bytes] = []
        """The tails of this leaf that fit, the oldest first."""

    def __call__(self, tail: bytes) -> bytes:
        """The newest of the tails that is no newer than this; empty: there is none.

        Raises:
            ValueError: A leaf is damaged.
        """
        end = NAME + tail
        if not self._left or self._leaf > end:
            self._look(layout.last_up_to(self._cursor, end))
        while self._left and self._left[-1] > tail:
            self._left.pop()
            if not self._left:
                self._cursor.prev()
                self._look(self._cursor.key())
        return self._left[-1] if self._left else b""

    def _look(self, key: bytes) -> None:
        """Find what fits in the leaf where the cursor stands, or in those before it."""
        cursor, part = self._cursor, self._part
        self._left = []
        while key.startswith(NAME):
            if part in cursor.value():
                found = entries_in(cursor.value()).items()
                self._left = sorted(tail for tail, name in found if part in name)
                if self._left:
                    break
            cursor.prev()
            key = cursor.key()
        self._leaf = key


def _put(transaction: Any, key: bytes, found: dict[bytes, bytes]) -> None:
    """Put these entries at the key of a leaf; where there are none, it goes."""
    if found:
        transaction.put(key, _packed(found))
    else:
        transaction.delete(key)


def _packed(found: dict[bytes, bytes]) -> bytes:
    """A leaf of these entries."""
    return b"".join(_HEAD.pack(tail, len(name)) + name for tail, name in found.items())
