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
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import cycle, islice
from typing import Any, TypeAlias

import attrs

from ...._codec.records import row_prefixes
from ...._plan.outcome import Outcome
from ...._protocols.searching import (
    Search,
    newest_first,
    outcomes_of,
)
from ...._protocols.vault import PlanRow
from .. import layout
from ..reader import Reader, row_at
from . import keys, names

log = logging.getLogger("workstream")

_FEW = 250
"""So many plans whose ids begin alike are looked up before the others are."""
_NEWEST = b"\xff" * names.TAIL
_ALL = Search()


class WrongIndexError(Exception):
    """The index contradicts the rows."""


_Stream: TypeAlias = Callable[[bytes], bytes]
"""Gives the newest of its tails that is no newer than the given; empty: there is none."""


def _beginning(transaction: Any, beginning: bytes) -> _Stream:
    """The tails of the keys that begin like this."""
    cursor = transaction.cursor()
    last: bytes | None = None

    def at_most(tail: bytes) -> bytes:
        nonlocal last
        if last is None or last > tail:  # else asked again for what was found before
            key = layout.last_up_to(cursor, beginning + tail)
            fits = len(key) == len(beginning + tail) and key.startswith(beginning)
            last = key[len(beginning) :] if fits else b""
        return last

    return at_most


def _any(streams: Sequence[_Stream]) -> _Stream:
    """The tails that stand in any of several streams."""
    return lambda tail: max((each(tail) for each in streams), default=b"")


def _given(tails: Collection[bytes]) -> _Stream:
    """These tails."""
    known = [b"", *sorted(tails)]
    return lambda tail: known[bisect_right(known, tail) - 1]


def found(reader: Reader, search: Search) -> list[PlanRow]:
    """The plans that fit, the newest first, by the index if there is one."""
    look = _Look(reader.transaction, search)
    # What takes all plans anyway takes them faster as they stand.
    narrow = search.ids is None and search != _ALL
    if narrow and keys.is_ready(reader.transaction):
        try:
            return look.by_index()
        except WrongIndexError as error:
            log.warning("the index of the store is wrong: %s; run the doctor", error)
    ids = search.ids
    rows = reader.all_of(layout.ROW) if ids is None else reader.rows_of(ids)
    return newest_first(look.among(rows), search.limit)


def counted(reader: Reader) -> dict[Outcome, int]:
    """How many plans have each outcome."""
    if keys.is_ready(reader.transaction):
        return keys.counts_in(reader.transaction)
    rows = (row_at(*each) for each in reader.all_of(layout.ROW))
    return dict(Counter(row.outcome for row in rows if row is not None))


class _Look:
    """One search, in one transaction."""

    def __init__(self, transaction: Any, search: Search) -> None:
        self._transaction = transaction
        self._search = search
        self._where = where = search.where
        wanted = set(Outcome)
        if search.statuses is not None:
            wanted = outcomes_of(search.statuses)
        if where.outcomes is not None:
            wanted &= set(where.outcomes)
        self._outcomes = wanted
        self._left_out = 0
        self._digests = {keys.digest_of(label) for label in where.labels}

    def by_index(self) -> list[PlanRow]:
        """What fits. Raises WrongIndexError."""
        limit = self._search.limit
        streams = list(self._made_streams())
        if not streams or len(self._outcomes) < len(Outcome):
            streams.append(self._beginnings(map(keys.outcome_key, self._outcomes)))
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
        for key in layout.keys_under(self._transaction, keys.DAMAGED):
            row_key = layout.ROW + key[-16:]
            row = row_at(row_key, self._transaction.get(row_key, b""))
            if row is not None:
                message = f"it says that the row of plan {row.id} cannot be read"
                raise WrongIndexError(message)

    def _compare_counts(self, found: int) -> None:
        """Where all plans of some outcomes were found: are they as many as counted?

        So an engine that starts misses no plan that is to be recovered.
        """
        where = attrs.evolve(self._where, outcomes=None)
        if attrs.evolve(self._search, statuses=None, limit=0, where=where) != _ALL:
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
        statuses = self._search.statuses
        if statuses is not None:
            starts = tuple(each for one in statuses for each in row_prefixes(one))
        rows = (row_at(key, data) for key, data in found if data.startswith(starts))
        return (row for row in rows if row is not None and self._fits(row))

    def _made_streams(self) -> Iterator[_Stream]:
        groups = self._search.group_ids
        if groups is not None:
            yield self._beginnings(map(keys.group_key, set(groups)))
        for digest in self._digests:
            yield self._beginnings((keys.label_key(digest), keys.MANY))
        if self._where.name:
            part = names.folded(self._where.name)
            named = names.Named(self._transaction, part)
            # Of a long name only the row knows.
            long = _beginning(self._transaction, keys.LONG_NAME)
            yield _any([named, long])
        if self._where.id_starts:
            tails = list(islice(self._tails_of_ids(self._where.id_starts), _FEW))
            if len(tails) < _FEW:  # else most plans of a day begin so
                yield _given(tails)

    def _beginnings(self, found: Iterable[bytes]) -> _Stream:
        return _any([_beginning(self._transaction, each) for each in found])

    def _tails_of_ids(self, digits: str) -> Iterator[bytes]:
        """The tails of the plans whose id, or its short form, begins so."""
        even = digits[: len(digits) // 2 * 2]
        short = keys.SHORT + bytes.fromhex(even[:8])
        for key in layout.keys_under(self._transaction, short):
            if key[2:6].hex().startswith(digits[:8]) and len(digits) <= 8:
                yield key[-names.TAIL :]
        whole = layout.ROW + bytes.fromhex(even)
        for key, data in layout.all_under(self._transaction, whole):
            if len(key) == 17 and key[1:].hex().startswith(digits):
                row = row_at(key, data)
                if row is not None:
                    yield keys.tail_of(row)

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
            groups = self._search.group_ids
            if (
                keys.tail_of(row) != tail
                or row.outcome not in self._outcomes
                or (groups is not None and row.group_id not in groups)
            ):
                message = f"it says of plan {row.id} what its row does not"
                raise WrongIndexError(message)
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
            for stream in cycle(streams):
                found = stream(tail)
                if not found or found < oldest:
                    return
                agreed = agreed + 1 if found == tail else 1
                tail = found
                if agreed == len(streams):
                    break
            if not starts or starts in (
                tail[8:].hex()[at : at + size] for at in (0, 16)
            ):
                yield tail
            tail = _before(tail)

    def _fits(self, row: PlanRow) -> bool:
        """Whether it is found, of which only the row and the card can tell."""
        return self._search.fits(row) and (not self._digests or self._is_labelled(row))

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
