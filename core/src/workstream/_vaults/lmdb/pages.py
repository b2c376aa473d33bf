"""Whether the pages of an LMDB store are what LMDB takes them for.

LMDB maps its data file and follows what is in it without a doubt: of a page beyond the
end of the file the system says so with a signal, and of one that holds something else
LMDB itself, with an abort or worse. A copy that broke off, or a disk that lost or spoilt
a page, would kill whoever reads it. So before a file of doubtful origin is used, it is
walked page by page, as LMDB 0.9 lays it out:

- the pages 0 and 1 hold a head each, the later of which counts: the page size, the roots
  and depths of two trees (free pages, and ours), and the last page's number;
- a page begins with its number, flags, and the ends of its free space, whose beginning
  tells how many nodes the page has; then come the offsets of the nodes;
- a node of a branch is a key and the number of the page below; a node of a leaf is a key
  and a value, or, for a large value, the number of the first page that holds it.

A file that is shorter than it says need not be damaged: LMDB does not write what it has
freed again.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

_META = struct.Struct("<16xIIQQ")
_TREE = struct.Struct("<IHHQQQQQ")
_LAST = struct.Struct("<QQ")
_HEAD = struct.Struct("<QHHHH")
_LARGE_HEAD = struct.Struct("<QHHI")
_NODE = struct.Struct("<HHHH")
_NUMBER = struct.Struct("<Q")

_MAGIC = 0xBEEFC0DE
_NOTHING = 2**64 - 1
_BRANCH, _LEAF, _LARGE, _KINDS = 0x01, 0x02, 0x04, 0x0F
_IS_LARGE = 0x01
_LONGEST_KEY = 511


class MomentGoneError(Exception):
    """The file no longer tells where the trees of that moment begin."""


class Damage(NamedTuple):
    """A page that is not what it must be.

    Attributes:
        page: Its number.
        missing: Whether it is not there at all: beyond the end of the file, or empty.
    """

    page: int
    missing: bool

    def __str__(self) -> str:
        """What is wrong, for a sentence about the data file."""
        if self.missing:
            return f"its data file was cut short (page {self.page} is not there)"
        return f"page {self.page} of its data file is spoilt"


def damage_in(
    path: Path, *, moment: int | None = None, key: bytes | None = None
) -> Damage | None:
    """The first page found that the file needs and that is not in order; None: all are.

    Args:
        path: The data file.
        moment: The number of a read transaction that is open: then others may write
            meanwhile. None: nobody may.
        key: Look only at the pages that LMDB reads to find this key; None: at all.

    Raises:
        MomentGoneError: There were newer commits; begin another transaction.
        ValueError: It is no data file of LMDB.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        size, free, ours = _head(file, moment)
        pages = _Pages(file, size)
        try:
            if key is None:
                pages.walk(free, in_order=False)
            pages.walk(ours, in_order=True, key=key)
        except _FoundError as found:
            return found.damage
    return None


class _Tree(NamedTuple):
    root: int
    depth: int


def _head(file: BinaryIO, moment: int | None) -> tuple[int, _Tree, _Tree]:
    """The page size, and the trees."""
    heads: dict[int, tuple[int, _Tree, _Tree]] = {}
    size = 4096
    for number in range(2):
        file.seek(number * size)
        data = file.read(256)
        if len(data) < 256 or _META.unpack_from(data)[0] != _MAGIC:
            message = "it does not begin as a data file of LMDB"
            raise ValueError(message)
        at = _META.size
        free, ours = (_TREE.unpack_from(data, at + n * _TREE.size) for n in range(2))
        _, transaction = _LAST.unpack_from(data, at + 2 * _TREE.size)
        size = free[0]
        heads[transaction] = (
            size,
            _Tree(free[-1], free[2]),
            _Tree(ours[-1], ours[2]),
        )
    newest = max(heads)
    # A moment that the file has not come to is that of another file, which stood here
    # before while the lock file stayed. To wait for it would be to wait for ever.
    if moment is None or moment > newest:
        return heads[newest]
    if moment not in heads:
        raise MomentGoneError
    return heads[moment]


class _FoundError(Exception):
    def __init__(self, damage: Damage) -> None:
        self.damage = damage


class _Pages:
    """The pages of one file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._count = file.seek(0, 2) // size
        self._seen: set[int] = set()

    def walk(self, tree: _Tree, *, in_order: bool, key: bytes | None = None) -> None:
        """Look at the pages of a tree. Raises _FoundError.

        Args:
            tree: The tree.
            in_order: Whether its keys are sorted as bytes, and branches have two nodes
                at least: of the free pages neither is so.
            key: Of a tree in order: look only at the way to it. None: at every page.
        """
        waiting = [] if tree.root == _NOTHING else [(tree.root, 1)]
        while waiting:
            number, depth = waiting.pop()
            page = self._page(number)
            _, _, flags, lower, upper = _HEAD.unpack_from(page)
            is_leaf = depth == tree.depth
            fits = (
                number not in self._seen
                and flags & _KINDS == (_LEAF if is_leaf else _BRANCH)
                and _HEAD.size < lower <= upper <= self._size
                and lower % 2 == 0
            )
            if not fits:
                raise _FoundError(Damage(number, missing=False))
            self._seen.add(number)
            count = (lower - _HEAD.size) // 2
            offsets: tuple[int, ...] = struct.unpack_from(f"<{count}H", page, 16)
            if min(offsets) < upper or max(offsets) > self._size - _NODE.size:
                raise _FoundError(Damage(number, missing=False))
            below, keys = self._nodes(number, page, offsets, is_leaf=is_leaf)
            if in_order and not (_ascending(keys) and (is_leaf or count > 1)):
                raise _FoundError(Damage(number, missing=False))
            if key is not None and not is_leaf:
                below = [below[bisect_right(keys, key)]]
            waiting += ((child, depth + 1) for child in below)

    def _page(self, number: int) -> bytes:
        page = b""
        if number < self._count:
            self._file.seek(number * self._size)
            page = self._file.read(self._size)
        if len(page) < self._size or not any(page[: _HEAD.size]):
            raise _FoundError(Damage(number, missing=True))
        if _NUMBER.unpack_from(page)[0] != number:
            raise _FoundError(Damage(number, missing=False))
        return page

    def _nodes(
        self, number: int, page: bytes, offsets: tuple[int, ...], *, is_leaf: bool
    ) -> tuple[list[int], list[bytes]]:
        """The pages below, and the keys; the large values of a leaf are looked at.

        Of a branch the first node's key says nothing.
        """
        below: list[int] = []
        keys: list[bytes] = []
        for at in offsets:
            low, high, more, length = _NODE.unpack_from(page, at)
            start = end = at + _NODE.size + length
            size = low | high << 16
            is_large = is_leaf and more & _IS_LARGE
            if is_leaf:
                end += _NUMBER.size if is_large else size
            nameless = is_leaf and (not length or more > _IS_LARGE)
            if length > _LONGEST_KEY or end > self._size or nameless:
                raise _FoundError(Damage(number, missing=False))
            if is_large:
                self._check_large(_NUMBER.unpack_from(page, start)[0], size)
            below.append(size | more << 32)
            keys.append(page[at + _NODE.size : start])
        return ([], keys) if is_leaf else (below, keys[1:])

    def _check_large(self, first: int, size: int) -> None:
        count = (_HEAD.size + size - 1) // self._size + 1
        page = self._page(first)
        _, _, flags, pages = _LARGE_HEAD.unpack_from(page)
        taken = range(first, first + count)
        if (
            flags & _KINDS != _LARGE
            or pages < count
            or not self._seen.isdisjoint(taken)
        ):
            raise _FoundError(Damage(first, missing=False))
        if taken[-1] >= self._count:
            raise _FoundError(Damage(self._count, missing=True))
        self._seen.update(taken)


def _ascending(keys: list[bytes]) -> bool:
    return all(one < other for one, other in pairwise(keys))
