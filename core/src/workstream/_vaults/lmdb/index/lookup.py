"""Finding plans by the index of an LMDB store.

Each thing that is asked for is a **stream** of tails, the newest first: those of all
plans with this group, or with one of these outcomes. What fits everything stands in all
of the streams. So each is asked in turn for its newest tail that is no newer than the
others', until they agree: that costs as many steps as the shortest stream is long, and
no more of them than it takes to find what fits into the limit.

What was found is compared with its row. A row that does not fit means that the
index is wrong: it is not believed any further.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias
from uuid import UUID

import attrs

from ...._codec.records import row_prefixes
from ...._plan.outcome import Outcome
from ...._protocols.searching import (
    ANY_PLAN,
    Where,
    newest_first,
    outcomes_of,
    refuse_negative,
)
from ...._protocols.vault import PlanRow
from ...._values.state import Status
from .. import layout
from ..reader import Reader, row_at
from . import keys, names

log = logging.getLogger("workstream")

_FEW = 250
"""So many plans whose ids begin alike are looked up before the others are."""
_NEWEST = b"\xff" * names.TAIL


class WrongIndexError(Exception):
    """The index contradicts the rows."""


class _Beginning:
    """The tails of the keys that begin like this."""

    def __init__(self, transaction: Any, beginning: bytes) -> None:
        self._cursor = transaction.cursor()
        self._beginning = beginning
        self._last: bytes | None = None

    def at_most(self, tail: bytes) -> bytes:
        """The newest of its tails that is no newer than this one; empty: there is none."""
        if self._last is not None and self._last <= tail:
            return self._last  # asked again for what was found before
        beginning, cursor = self._beginning, self._cursor
        key = beginning + tail
        if not cursor.set_range(key):
            cursor.last()
        elif cursor.key() != key:
            cursor.prev()
        found: bytes = cursor.key()
        fits = len(found) == len(key) and found.startswith(beginning)
        self._last = found[len(beginning) :] if fits else b""
        return self._last


class _Any:
    """The tails that stand in any of several streams."""

    def __init__(self, streams: Sequence[_Beginning | names.Named]) -> None:
        self._streams = streams

    def at_most(self, tail: bytes) -> bytes:
        """See ``_Beginning``."""
        return max((each.at_most(tail) for each in self._streams), default=b"")


class _Given:
    """These tails."""

    def __init__(self, tails: Collection[bytes]) -> None:
        self._tails = sorted(tails)

    def at_most(self, tail: bytes) -> bytes:
        """See ``_Beginning``."""
        place = bisect_right(self._tails, tail)
        return self._tails[place - 1] if place else b""


def found(
    reader: Reader,
    *,
    ids: Collection[UUID] | None,
    group_ids: Collection[UUID] | None,
    statuses: Collection[Status] | None,
    where: Where,
    limit: int,
) -> list[PlanRow]:
    """The plans that fit, the newest first, by the index if there is one."""
    refuse_negative(limit)
    search = _Search(reader.transaction, group_ids, statuses, where)
    # What takes all plans anyway takes them faster as they stand.
    narrow = limit or statuses is not None or group_ids is not None or where != ANY_PLAN
    if narrow and ids is None and keys.is_ready(reader.transaction):
        try:
            return search.by_index(limit)
        except WrongIndexError as error:
            log.warning("the index of the store is wrong: %s; run the doctor", error)
    rows = reader.all_of(layout.ROW) if ids is None else reader.rows_of(ids)
    return newest_first(search.among(rows), limit)


def counted(reader: Reader) -> dict[Outcome, int]:
    """How many plans have each outcome."""
    if keys.is_ready(reader.transaction):
        return keys.counts_in(reader.transaction)
    rows = (row_at(*each) for each in reader.all_of(layout.ROW))
    return dict(Counter(row.outcome for row in rows if row is not None))


_Stream: TypeAlias = _Any | _Given


class _Search:
    """One search, in one transaction."""

    def __init__(
        self,
        transaction: Any,
        group_ids: Collection[UUID] | None,
        statuses: Collection[Status] | None,
        where: Where,
    ) -> None:
        self._transaction = transaction
        self._group_ids = group_ids
        self._statuses = statuses
        self._where = where
        wanted = set(Outcome) if statuses is None else outcomes_of(statuses)
        if where.outcomes is not None:
            wanted &= set(where.outcomes)
        self._outcomes = wanted
        self._left_out = 0
        self._digests = {keys.digest_of(label) for label in where.labels}

    def by_index(self, limit: int) -> list[PlanRow]:
        """What fits, at most so many; 0: all. Raises WrongIndexError."""
        streams = list(self._made_streams())
        if not streams or len(self._outcomes) < len(Outcome):
            streams.append(self._any(map(keys.outcome_key, self._outcomes)))
        try:
            self._tell_damaged()
            found = list(islice(filter(self._fits, self._rows(streams)), limit or None))
        except ValueError as error:
            raise WrongIndexError(error) from error
        if len(found) < limit or not limit:
            self._compare_counts(len(found) + self._left_out)
        return found

    def _tell_damaged(self) -> None:
        """Say which plans are left out, as their rows could not be read before either."""
        for key in self._keys(keys.DAMAGED):
            row_key = layout.ROW + key[-16:]
            row = row_at(row_key, self._transaction.get(row_key, b""))
            if row is not None:
                message = f"it says that the row of plan {row.id} cannot be read"
                raise WrongIndexError(message)

    def _compare_counts(self, found: int) -> None:
        """Where all plans of some outcomes were found: are they as many as counted?

        So an engine that starts misses no plan that is to be recovered.
        """
        if self._group_ids is not None or attrs.evolve(self._where, outcomes=None) != (
            ANY_PLAN
        ):
            return
        counts = keys.counts_in(self._transaction)
        counted = sum(counts.get(each, 0) for each in self._outcomes)
        if found != counted:
            message = f"{counted} plans were counted, and {found} found"
            raise WrongIndexError(message)

    def among(self, found: Iterable[tuple[bytes, bytes]]) -> Iterator[PlanRow]:
        """What fits of these keys and values of rows."""
        # Of most rows it is enough to look at the first bytes.
        starts: tuple[bytes, ...] = (b"",)
        if self._statuses is not None:
            starts = tuple(each for one in self._statuses for each in row_prefixes(one))
        groups = self._group_ids
        for key, data in found:
            row = row_at(key, data) if data.startswith(starts) else None
            if (
                row is not None
                and (groups is None or row.group_id in groups)
                and self._fits(row)
            ):
                yield row

    def _made_streams(self) -> Iterator[_Stream]:
        if self._group_ids is not None:
            yield self._any(keys.group_key(each) for each in set(self._group_ids))
        for digest in self._digests:
            yield self._any((keys.label_key(digest), keys.MANY))
        if self._where.name:
            part = names.folded(self._where.name)
            named = names.Named(self._transaction, part)
            # Of a long name only the row knows.
            long = _Beginning(self._transaction, keys.LONG_NAME)
            yield _Any([named, long])
        if self._where.id_starts:
            tails = list(islice(self._tails_of_ids(self._where.id_starts), _FEW))
            if len(tails) < _FEW:  # else most plans of a day begin so
                yield _Given(tails)

    def _any(self, beginnings: Iterable[bytes]) -> _Any:
        return _Any([_Beginning(self._transaction, each) for each in beginnings])

    def _tails_of_ids(self, digits: str) -> Iterator[bytes]:
        """The tails of the plans whose id, or its short form, begins so."""
        even = digits[: len(digits) // 2 * 2]
        for key in self._keys(keys.SHORT + bytes.fromhex(even[:8])):
            if key[2:6].hex().startswith(digits[:8]) and len(digits) <= 8:
                yield key[-names.TAIL :]
        for key in self._keys(layout.ROW + bytes.fromhex(even)):
            if len(key) == 17 and key[1:].hex().startswith(digits):
                row = row_at(key, self._transaction.get(key))
                if row is not None:
                    yield keys.tail_of(row)

    def _keys(self, beginning: bytes) -> Iterator[bytes]:
        cursor = self._transaction.cursor()
        if cursor.set_range(beginning):
            for key in cursor.iternext(values=False):
                if not key.startswith(beginning):
                    return
                yield key

    def _rows(self, streams: Sequence[_Stream]) -> Iterator[PlanRow]:
        """What stands in all streams, the newest first; damaged rows are left out."""
        for tail in self._tails(streams):
            key = layout.ROW + tail[8:]
            data = self._transaction.get(key)
            if data is None:
                message = f"it knows a plan {tail[8:].hex()} that is not there"
                raise WrongIndexError(message)
            row = row_at(key, data)
            if row is None:
                self._left_out += 1
                continue
            self._compare(row, tail)
            yield row

    def _tails(self, streams: Sequence[_Stream]) -> Iterator[bytes]:
        until, since = self._where.until, self._where.since
        tail = _NEWEST
        if until is not None:
            tail = _before(keys.time_of(until) + bytes(16))
        oldest = b"" if since is None else keys.time_of(since)
        starts = self._where.id_starts
        size = len(starts)
        while True:
            agreed = 0
            while agreed < len(streams):
                for stream in streams:
                    found = stream.at_most(tail)
                    if not found or found < oldest:
                        return
                    agreed = agreed + 1 if found == tail else 1
                    tail = found
                    if agreed >= len(streams):
                        break
            if not starts or starts in (
                tail[8:].hex()[at : at + size] for at in (0, 16)
            ):
                yield tail
            tail = _before(tail)

    def _compare(self, row: PlanRow, tail: bytes) -> None:
        groups = self._group_ids
        if (
            keys.tail_of(row) == tail
            and row.outcome in self._outcomes
            and (groups is None or row.group_id in groups)
        ):
            return
        message = f"it says of plan {row.id} what its row does not"
        raise WrongIndexError(message)

    def _fits(self, row: PlanRow) -> bool:
        """Whether it is found, of which only the row and the card can tell."""
        return self._where.fits(row) and (not self._digests or self._is_labelled(row))

    def _is_labelled(self, row: PlanRow) -> bool:
        card = self._transaction.get(layout.CARD + row.id.bytes)
        if card is None:
            labels = keys.labels_before_cards(self._transaction, row.id)
            card = keys.card_of(labels)
        return self._digests <= {*keys.digests_in(card)}


def _before(tail: bytes) -> bytes:
    """The next that is older; of the oldest, one that no key has."""
    number = int.from_bytes(tail, "big")
    return (number - 1).to_bytes(names.TAIL, "big") if number else b""
