"""Whether the data file of an LMDB store has all the pages that it needs.

LMDB maps the file and follows its page numbers without a doubt: of a page beyond the end
of the file the system says so with a signal, and of an empty one LMDB itself with an
abort. A copy that broke off, or a disk that lost the end of the file, would kill every
process that opens the store. So a file that is shorter than it says is walked before it
is used, page by page, as LMDB 0.9 lays it out:

- the pages 0 and 1 hold a head each, the later of which counts: the page size, the roots
  of two trees (free pages, and ours), and the last page's number;
- a page begins with its number, flags, and the ends of its free space, whose beginning
  tells how many nodes the page has; then come the offsets of the nodes;
- a node of a branch is the number of the page below; a node of a leaf is a key and a
  value, or, for a large value, the number of the first page that holds it.

That the file is shorter need not be damage: LMDB does not write what it has freed again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["missing_page"]

_META = struct.Struct("<16xIIQQ")
_TREE = struct.Struct("<IHHQQQQQ")
_LAST = struct.Struct("<QQ")
_HEAD = struct.Struct("<QHHHH")
_NODE = struct.Struct("<HHHH")
_NUMBER = struct.Struct("<Q")

_MAGIC = 0xBEEFC0DE
_NOTHING = 2**64 - 1
_BRANCH, _LEAF = 0x01, 0x02
_IS_LARGE = 0x01


def missing_page(path: Path) -> int | None:
    """The number of a page that the file needs and lacks; None: there is none.

    Nobody may be writing to the file meanwhile.

    Raises:
        ValueError: It is no data file of LMDB.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        size, roots = _newest_head(file)
        pages = _Pages(file, size)
        for root in roots:
            if root != _NOTHING:
                missing = pages.missing_below(root)
                if missing is not None:
                    return missing
    return None


def _newest_head(file: BinaryIO) -> tuple[int, list[int]]:
    """The page size, and the roots of the trees."""
    heads: list[tuple[int, int, list[int]]] = []
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
        heads.append((transaction, size, [free[-1], ours[-1]]))
    _, size, roots = max(heads)
    return size, roots


class _Pages:
    """The pages of one file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._count = file.seek(0, 2) // size

    def missing_below(self, root: int) -> int | None:
        """A page that is missing in the tree below this one, itself included."""
        waiting = [root]
        while waiting:
            number = waiting.pop()
            page = self._page(number)
            found, _, flags, lower, _ = _HEAD.unpack_from(page) if page else (0,) * 5
            if not page or found != number or not flags & (_BRANCH | _LEAF):
                return number
            offsets = range(_HEAD.size, lower, 2)
            nodes = (struct.unpack_from("<H", page, at)[0] for at in offsets)
            if flags & _BRANCH:
                waiting += [_child(page, at) for at in nodes]
            else:
                for first, last in self._large(page, nodes):
                    if last >= self._count:
                        return max(first, self._count)
        return None

    def _page(self, number: int) -> bytes:
        if number >= self._count:
            return b""
        self._file.seek(number * self._size)
        return self._file.read(self._size)

    def _large(self, page: bytes, nodes: Iterator[int]) -> Iterator[tuple[int, int]]:
        """The first and the last page of each large value of a leaf."""
        for at in nodes:
            low, high, flags, key = _NODE.unpack_from(page, at)
            if flags & _IS_LARGE:
                (first,) = _NUMBER.unpack_from(page, at + _NODE.size + key)
                length = _HEAD.size + (low | high << 16)
                yield first, first + (length - 1) // self._size


def _child(page: bytes, at: int) -> int:
    low, high, highest, _ = _NODE.unpack_from(page, at)
    return int(low | high << 16 | highest << 32)
