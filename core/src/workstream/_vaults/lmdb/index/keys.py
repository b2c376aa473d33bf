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
from collections.abc import Callable, Collection, Iterator
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


def _entries(row: PlanRow, card: bytes) -> dict[bytes, bytes]:
    """All that the index says of a plan: keys with their values.

    Its name counts as one more, though it stands in a leaf with others.
    """
    name = folded(row.name)
    starts = [outcome_key(row.outcome), SHORT + row.id.bytes[8:12]]
    if row.group_id is not None:
        starts.append(group_key(row.group_id))
    if len(card) > _WORTH_A_KEY * DIGEST:
        starts.append(MANY)
    else:
        starts += map(label_key, digests_in(card))
    if len(name) > names.LONGEST:
        starts.append(LONG_NAME)
    tail = tail_of(row)
    found = dict.fromkeys((start + tail for start in starts), b"")
    if len(name) <= names.LONGEST:
        found[names.NAME + tail] = name
    return found


def _damaged_key(plan_id: UUID) -> bytes:
    """The one key of a plan whose row cannot be read."""
    return DAMAGED + bytes(8) + plan_id.bytes


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
        self._keep(lambda: self._change(None, row))

    def move(self, plan_id: UUID, before: bytes, row: PlanRow) -> None:
        """A plan has another row.

        Args:
            plan_id: The plan.
            before: The row that it had, as it was stored.
            row: The row that it has.
        """
        self._keep(lambda: self._change(decode_row(plan_id, before), row))

    def remove(self, plan_id: UUID, before: bytes) -> None:
        """A plan is about to be deleted: its row and its card are still there."""
        row = _decoded(plan_id, before)
        self._keep(
            lambda: self._sweep(plan_id) if row is None else self._change(row, None)
        )

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
        transaction = self._transaction
        layout.sweep(transaction.cursor(), layout.INDEX, layout.INDEX + b"\xff")
        for plan_id, data in list(_rows(transaction)):
            row = _decoded(plan_id, data)
            if row is None:  # whoever lists plans is told
                transaction.put(_damaged_key(plan_id), b"")
                continue
            if transaction.get(layout.CARD + plan_id.bytes) is None:
                card = card_of(labels_before_cards(transaction, plan_id))
                transaction.put(layout.CARD + plan_id.bytes, card)
            self._change(None, row)
        transaction.put(STATE, VERSION)

    def _change(self, old: PlanRow | None, new: PlanRow | None) -> None:
        """What was said of one row of a plan is not so any more; of the other it is."""
        stays = old is not None and new is not None and tail_of(old) == tail_of(new)
        gone, come = (
            {} if row is None else _entries(row, b"" if stays else self._card(row.id))
            for row in (old, new)
        )
        for key, _ in gone.items() - come.items():
            self._delete(key)
        for key, value in sorted(come.items() - gone.items()):
            if key.startswith(names.NAME):
                names.add(self._transaction, key[len(names.NAME) :], value)
            else:
                self._transaction.put(key, value)
        outcomes = [None if row is None else row.outcome for row in (old, new)]
        if outcomes[0] is not outcomes[1]:
            self._count(outcomes[0], -1)
            self._count(outcomes[1], 1)

    def _delete(self, key: bytes) -> None:
        if key.startswith(names.NAME):
            names.remove(self._transaction, key[len(names.NAME) :])
        elif not self._transaction.delete(key):
            message = f"a key of {UUID(bytes=key[-16:])} is missing"
            raise ValueError(message)

    def _card(self, plan_id: UUID) -> bytes:
        return self._transaction.get(layout.CARD + plan_id.bytes) or b""

    def _count(self, outcome: Outcome | None, more: int) -> None:
        if outcome is None:
            return
        key = COUNT + outcome.name.encode()
        found = _number(self._transaction.get(key))
        if found + more < 0:
            message = f"there are fewer plans that are {outcome.value} than none"
            raise ValueError(message)
        self._transaction.put(key, _TIME.pack(found + more))

    def _sweep(self, plan_id: UUID) -> None:
        """Remove the keys of a plan whose row cannot say which they are."""
        for key, _ in list(all_entries(self._transaction)):
            if key.endswith(plan_id.bytes):
                if key.startswith(_OUTCOME):
                    self._count(Outcome[key[2 : -TAIL - 1].decode()], -1)
                self._delete(key)


def all_entries(transaction: Any) -> Iterator[tuple[bytes, bytes]]:
    """All that the index says of plans; see ``_entries``.

    Raises:
        ValueError: A leaf of names is damaged.
    """
    for key, value in layout.all_under(transaction, layout.INDEX):
        if key.startswith(names.NAME):
            for tail, name in names.entries_in(value).items():
                yield names.NAME + tail, name
        elif len(key) > TAIL and not key.startswith(COUNT):
            yield key, value


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
    there, named = 0, dict[bytes, bytes]()
    try:
        for key, value in all_entries(transaction):
            there += 1
            if key.startswith(names.NAME):
                named[key] = value
    except ValueError:
        return 1
    missing = expected = 0
    counted = dict.fromkeys(Outcome, 0)
    for plan_id, data in _rows(transaction):
        row = _decoded(plan_id, data)
        if row is None:
            entries = {_damaged_key(plan_id): b""}
        else:
            card = transaction.get(layout.CARD + plan_id.bytes) or b""
            entries = _entries(row, card)
            counted[row.outcome] += 1
        expected += len(entries)
        for key, value in entries.items():
            found = named if key.startswith(names.NAME) else transaction
            missing += found.get(key) != value
    counts = counts_in(transaction)
    miscounted = sum(counted[each] != counts.get(each, 0) for each in Outcome)
    return missing + abs(there - expected) + miscounted


def _rows(transaction: Any) -> Iterator[tuple[UUID, bytes]]:
    for key, data in layout.all_under(transaction, layout.ROW):
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
