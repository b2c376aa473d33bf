"""A large plan in brief: what went well, or was never begun, is left in its bytes.

A plan of a hundred thousand actions takes seconds to be made of its bytes, and a page of
it shows some twenty. So the actions of sequences of which there is nothing to tell are
passed over where they stand. All sequences are there, with all else.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from .._plan.plan import BaseAction, Node, Plan, Sequence
from .._plan.shape import SHAPES
from .._protocols.vault import StoredPlan
from .._values.wire import unpacker

_WORD = 3
"""Where the name of the status begins in a record: behind the version and two heads."""
_TELLING = b"RFS"
"""How the statuses begin of which there is something to tell: running, failed, stopped."""


class Brief:
    """The definition of a stored plan, without the actions that tell nothing.

    Attributes:
        data: The plan's dict.
        positions: Of all objects that are in it, in walk order.
    """

    def __init__(self, stored: StoredPlan, version: bytes) -> None:
        """Read it.

        Raises:
            ValueError: It is no definition of this version, or out of walk order.
        """
        telling = [
            record.position
            for record in stored.records
            if record.data[_WORD : _WORD + 1] in _TELLING
        ]
        self._in_order = telling
        self._telling = set(telling)
        known = -1
        while known < len(self._telling):
            # Again, once what came after its actions made a sequence a telling one.
            known = len(self._telling)
            self.positions: list[int] = []
            self._next = 0
            self._bytes = unpacker(version, stored.definition)
            self.data = self._read(Plan)

    def _read(self, cls: type[Node]) -> dict[str, Any]:
        position = self._next
        self.positions.append(position)
        self._next += 1
        if issubclass(cls, BaseAction):
            action: dict[str, Any] = self._bytes.unpack()
            return action
        held = {field.name: (at, field) for at, field in enumerate(SHAPES[cls].held)}
        passed = cls is Sequence and position not in self._telling
        data: dict[str, Any] = {}
        last = -1
        for _ in range(self._bytes.read_map_header()):
            name: str = self._bytes.unpack()
            if name not in held:
                data[name] = self._bytes.unpack()
                continue
            at, field = held[name]
            if at < last:
                message = "its objects do not stand in walk order"
                raise ValueError(message)
            last = at
            if not field.many:
                data[name] = self._read(field.type)
                continue
            size = self._bytes.read_array_header()
            if passed and issubclass(field.type, BaseAction):
                self._next += size
                data[name] = []
                for _ in range(size):
                    self._bytes.skip()
            else:
                data[name] = [self._read(field.type) for _ in range(size)]
        if passed and self._is_telling_in(position):
            self._telling.add(position)
        return data

    def _is_telling_in(self, position: int) -> bool:
        """Whether something is telling in the object that was just read."""
        place = bisect_right(self._in_order, position)
        return place < len(self._in_order) and self._in_order[place] < self._next
