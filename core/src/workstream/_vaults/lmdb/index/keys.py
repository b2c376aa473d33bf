"""What stands in the index of an LMDB store, and what keeps it in step with the plans.

Without it, a list of the newest fifty plans would read every row that there is. The keys
stand in the same tree as everything else, behind ``i``, and are written in the same
transaction as the row that they are read off. So a crash leaves both or neither. They
have no values but where one is told.

=======  =========================================================
Key      What comes before the tail
=======  =========================================================
outcome  ``io``, the outcome's name, a zero byte
group    ``ig``, the group's id
short    ``is``, the short form of the plan's id (4 bytes)
label    ``il``, a digest of the label (16 bytes)
many     ``im``: the plan has more labels than are worth a key each
name     ``in``: of a leaf of names, see ``names``
long     ``iN``: the plan's name is too long for that
damaged  ``ix``: the row could not be read when the index was built; the time is 0
count    ``ic``, the outcome's name; no tail. The value is how many plans have it (8 bytes)
state    ``i`` and a zero byte; no tail. The value is the version of the index
=======  =========================================================

The **tail** is the time of submission (8 bytes) and the plan's id: so all that has one
beginning stands in the order of a list, and several beginnings are intersected by their
tails (``lookup``). The **card** of a plan, ``w`` and its id, holds the digests of its
labels: deleting and rebuilding need them. Digests come in no order, and each key changes
a page of its own: so a plan with very many labels, one for each of its thousand hosts,
has one key for all, and its card is looked through.

A store without the state, or with another version of it, has no index: it is read row by
row, and whoever opens it next builds the index, in one transaction. An index whose keys
contradict the rows is not believed: ``doctor`` builds it anew.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any
from uuid import UUID

from ...._codec.labels import labels_in
from ...._codec.records import decode_row
from ...._plan.outcome import Outcome
from ...._protocols.searching import BEFORE_ALL
from ...._protocols.vault import PlanRow
from ...._values.wire import to_micros
from .. import layout
from . import names
from .names import TAIL, folded

log = logging.getLogger("workstream")

VERSION = b"\x01"

STATE = layout.INDEX + b"\0"
COUNT = layout.INDEX + b"c"
SHORT = layout.INDEX + b"s"
LONG_NAME = layout.INDEX + b"N"
MANY = layout.INDEX + b"m"
DAMAGED = layout.INDEX + b"x"
_OUTCOME = layout.INDEX + b"o"
_GROUP = layout.INDEX + b"g"
_LABEL = layout.INDEX + b"l"

DIGEST = 16
_WORTH_A_KEY = 500
"""Labels; a plan that has more has one key for all of them."""
_TIME = struct.Struct(">Q")
_ZERO_TIME = 2**63


def time_of(moment: Any) -> bytes:
    """A time in a key; None: before all others."""
    micros = to_micros(moment or BEFORE_ALL)
    assert micros is not None
    return _TIME.pack(micros + _ZERO_TIME)


def tail_of(row: PlanRow) -> bytes:
    """What the keys of a plan end in."""
    return time_of(row.submitted) + row.id.bytes


def outcome_key(outcome: Outcome) -> bytes:
    """What comes before the tails of the plans with this outcome."""
    return _OUTCOME + outcome.name.encode() + b"\0"


def group_key(group_id: UUID) -> bytes:
    """What comes before the tails of the plans of this group."""
    return _GROUP + group_id.bytes


def label_key(digest: bytes) -> bytes:
    """What comes before the tails of the plans with this label."""
    return _LABEL + digest


def digest_of(label: str) -> bytes:
    """What keys and cards hold of a label."""
    from hashlib import blake2b  # 2 ms, and a plain `list` asks for no label

    data = label.encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=DIGEST).digest()


def card_of(labels: Collection[str]) -> bytes:
    """The digests of these labels, in order."""
    return b"".join(sorted({digest_of(label) for label in labels}))


def digests_in(card: bytes) -> list[bytes]:
    """The digests that a card holds."""
    return [card[at : at + DIGEST] for at in range(0, len(card), DIGEST)]


def _row_keys(row: PlanRow) -> set[bytes]:
    """The keys that are read off a row."""
    tail = tail_of(row)
    keys = {outcome_key(row.outcome) + tail, SHORT + row.id.bytes[8:12] + tail}
    if len(folded(row.name)) > names.LONGEST:
        keys.add(LONG_NAME + tail)
    if row.group_id is not None:
        keys.add(group_key(row.group_id) + tail)
    return keys


def _damaged_key(plan_id: UUID) -> bytes:
    """The one key of a plan whose row cannot be read."""
    return DAMAGED + bytes(8) + plan_id.bytes


def _name(row: PlanRow) -> tuple[bytes, bytes] | None:
    """The tail and the name that stand among the names."""
    name = folded(row.name)
    return (tail_of(row), name) if len(name) <= names.LONGEST else None


def _label_keys(row: PlanRow, card: bytes) -> list[bytes]:
    """The keys that are read off a card."""
    tail = tail_of(row)
    if len(card) > _WORTH_A_KEY * DIGEST:
        return [MANY + tail]
    return [label_key(digest) + tail for digest in digests_in(card)]


class Index:
    """The index of a store, in one transaction that writes.

    Where it finds that the index is wrong, it gives it up: the store is read row by row
    until the index is built anew. No run breaks off for it.
    """

    def __init__(self, transaction: Any) -> None:
        self._transaction = transaction
        self._ready = is_ready(transaction)

    def add(self, row: PlanRow, card: bytes) -> None:
        """A plan is new in the store."""
        self._transaction.put(layout.CARD + row.id.bytes, card)
        self._keep(lambda: self._add(row, card))

    def move(self, plan_id: UUID, before: bytes, row: PlanRow) -> None:
        """A plan has another row.

        Args:
            plan_id: The plan.
            before: The row that it had, as it was stored.
            row: The row that it has.
        """
        self._keep(lambda: self._move(decode_row(plan_id, before), row))

    def remove(self, plan_id: UUID, before: bytes) -> None:
        """A plan is about to be deleted: its row and its card are still there."""
        row = _decoded(plan_id, before)
        self._keep(lambda: self._sweep(plan_id) if row is None else self._remove(row))

    def _keep(self, change: Callable[[], None]) -> None:
        """Change the index, if there is one; where that shows it to be wrong, drop it."""
        if not self._ready:
            return
        try:
            change()
        except (ValueError, KeyError) as error:
            log.warning("the index of the store is wrong: %s; run the doctor", error)
            self._transaction.delete(STATE)

    def build(self) -> None:
        """Make it anew from what is stored of the plans."""
        cursor = self._transaction.cursor()
        while cursor.set_range(layout.INDEX) and cursor.key()[:1] == layout.INDEX:
            cursor.delete()
        for plan_id, data in list(_rows(self._transaction)):
            row = _decoded(plan_id, data)
            if row is None:  # whoever lists plans is told
                self._put([_damaged_key(plan_id)])
                continue
            card = self._transaction.get(layout.CARD + plan_id.bytes)
            if card is None:  # of before there were any
                card = card_of(labels_before_cards(self._transaction, plan_id))
                self._transaction.put(layout.CARD + plan_id.bytes, card)
            self._add(row, card)
        self._transaction.put(STATE, VERSION)

    def _add(self, row: PlanRow, card: bytes) -> None:
        self._put({*_row_keys(row), *_label_keys(row, card)})
        self._rename(None, _name(row))
        self._count(row.outcome, 1)

    def _remove(self, row: PlanRow) -> None:
        self._delete({*_row_keys(row), *_label_keys(row, self._card(row.id))})
        self._rename(_name(row), None)
        self._count(row.outcome, -1)

    def _move(self, old: PlanRow, new: PlanRow) -> None:
        gone, come = _row_keys(old), _row_keys(new)
        if tail_of(old) != tail_of(new):
            card = self._card(new.id)
            gone.update(_label_keys(old, card))
            come.update(_label_keys(new, card))
        self._delete(gone - come)
        self._put(come - gone)
        self._rename(_name(old), _name(new))
        if old.outcome is not new.outcome:
            self._count(old.outcome, -1)
            self._count(new.outcome, 1)

    def _rename(
        self, old: tuple[bytes, bytes] | None, new: tuple[bytes, bytes] | None
    ) -> None:
        if old == new:
            return
        if old is not None:
            names.remove(self._transaction, old[0])
        if new is not None:
            names.add(self._transaction, *new)

    def _delete(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            if not self._transaction.delete(key):
                message = f"a key of {UUID(bytes=key[-16:])} is missing"
                raise ValueError(message)

    def _put(self, keys: Iterable[bytes]) -> None:
        self._transaction.cursor().putmulti([(key, b"") for key in sorted(keys)])

    def _card(self, plan_id: UUID) -> bytes:
        card: bytes | None = self._transaction.get(layout.CARD + plan_id.bytes)
        return card or b""

    def _count(self, outcome: Outcome, more: int) -> None:
        key = COUNT + outcome.name.encode()
        found = _number(self._transaction.get(key))
        if found + more < 0:
            message = f"there are fewer plans that are {outcome.value} than none"
            raise ValueError(message)
        self._transaction.put(key, _TIME.pack(found + more))

    def _sweep(self, plan_id: UUID) -> None:
        """Remove the keys of a plan whose row cannot say which they are."""
        for key in list(all_keys(self._transaction)):
            if key.endswith(plan_id.bytes):
                if key.startswith(_OUTCOME):
                    self._count(Outcome[key[2 : -TAIL - 1].decode()], -1)
                self._transaction.delete(key)
        for tail in [tail for tail, _ in names.all_entries(self._transaction)]:
            if tail.endswith(plan_id.bytes):
                names.remove(self._transaction, tail)


def all_keys(transaction: Any) -> Iterator[bytes]:
    """Every key of the index that is one plan's."""
    cursor = transaction.cursor()
    if cursor.set_range(layout.INDEX):
        for key in cursor.iternext(values=False):
            if key[:1] != layout.INDEX:
                return
            if len(key) > TAIL and not key.startswith((COUNT, names.NAME)):
                yield key


def is_ready(transaction: Any) -> bool:
    """Whether the store has an index, of this version."""
    return bool(transaction.get(STATE) == VERSION)


def counts_in(transaction: Any) -> dict[Outcome, int]:
    """How many plans have each outcome, as the index has counted."""
    found = {
        outcome: _number(transaction.get(COUNT + outcome.name.encode()))
        for outcome in Outcome
    }
    return {outcome: number for outcome, number in found.items() if number}


def wrong_keys(transaction: Any) -> int:
    """How many keys of the index are missing, or should not be there."""
    if not is_ready(transaction):
        return 1
    missing = expected = 0
    try:
        named = dict(names.all_entries(transaction))
    except ValueError:
        return 1
    counted = dict.fromkeys(Outcome, 0)
    for plan_id, data in _rows(transaction):
        row = _decoded(plan_id, data)
        if row is None:
            expected += 1
            missing += transaction.get(_damaged_key(plan_id)) is None
            continue
        card = transaction.get(layout.CARD + plan_id.bytes) or b""
        keys = [*_row_keys(row), *_label_keys(row, card)]
        expected += len(keys)
        missing += sum(transaction.get(key) is None for key in keys)
        counted[row.outcome] += 1
        name = _name(row)
        if name is not None:
            missing += named.pop(name[0], None) != name[1]
    there = sum(1 for _ in all_keys(transaction))
    strange = len(named) + abs(there - expected)
    found = counts_in(transaction)
    miscounted = sum(counted[each] != found.get(each, 0) for each in Outcome)
    return missing + strange + miscounted


def _rows(transaction: Any) -> Iterator[tuple[UUID, bytes]]:
    cursor = transaction.cursor()
    if cursor.set_range(layout.ROW):
        for key, data in cursor:
            if key[:1] != layout.ROW:
                return
            if len(key) == 17:
                yield UUID(bytes=key[1:]), data


def _decoded(plan_id: UUID, data: bytes) -> PlanRow | None:
    """The row; None: it is damaged."""
    try:
        return decode_row(plan_id, data)
    except Exception:
        return None


def labels_before_cards(transaction: Any, plan_id: UUID) -> set[str]:
    """The labels of a plan that was stored before there were labels."""
    try:
        return labels_in(transaction.get(layout.DEFINITION + plan_id.bytes))
    except Exception:
        return set()  # the definition is damaged: whoever reads it is told


def _number(data: bytes | None) -> int:
    return _TIME.unpack(data)[0] if data and len(data) == _TIME.size else 0
