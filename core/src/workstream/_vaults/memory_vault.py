"""A vault in memory: for tests, simulations, and plans that need not outlive anything.

Nothing here suspends, starts a thread or asks for the time. So any driver can run its
coroutines, one without an event loop included, and a run repeats exactly.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Unpack
from uuid import UUID

import attrs

from .._plan.outcome import Outcome
from .._protocols.searching import Search, Wanted, newest_first
from .._protocols.vault import (
    LOG_KEPT,
    Change,
    LineRecord,
    LogSlice,
    NodeRecord,
    PlanRequest,
    PlanRow,
    StoredPlan,
    Write,
    lock_refusal,
    locks_taken,
    next_number,
    not_found,
    refusal,
    refuse_delete,
)
from .._values.errors import PlanExistsError, StorageError
from .._values.interventions import Freeze
from .._values.state import FIRST_LINES, LAST_LINES, Status


@attrs.define
class _Stored:
    """One plan. What the containers hold is immutable, so a copy of them is enough."""

    row: PlanRow
    definition: bytes
    labels: frozenset[str] = frozenset()
    position: int = 0
    requests: tuple[PlanRequest, ...] = ()
    records: dict[int, dict[int, NodeRecord]] = attrs.Factory(
        dict[int, dict[int, NodeRecord]]
    )
    log: dict[int, Change] = attrs.Factory(dict[int, Change])
    lines: dict[int, dict[int, LineRecord]] = attrs.Factory(
        dict[int, dict[int, LineRecord]]
    )

    def copied(self) -> _Stored:
        return attrs.evolve(
            self,
            records={place: dict(kept) for place, kept in self.records.items()},
            log=dict(self.log),
            lines={place: dict(kept) for place, kept in self.lines.items()},
        )

    def apply(self, write: Write) -> StorageError | None:
        error = refusal(write, self.row.status, self.position)
        if error is not None:
            return error
        left = (each for each in self.requests if each.number > write.taken)
        self.requests = tuple(left)
        for position, change in enumerate(write.changes, write.first):
            if isinstance(change, PlanRow):
                self.row = change
                if change.status.is_terminal:
                    self.requests = ()
            elif isinstance(change, NodeRecord):
                self._apply_record(change)
            else:
                self._apply_line(change)
            self.log[position] = change
            self.log.pop(position - LOG_KEPT, None)
            self.position = max(self.position, position)
        return None

    def _apply_record(self, record: NodeRecord) -> None:
        kept = self.records.setdefault(record.position, {})
        kept[record.attempt] = record
        for later in [attempt for attempt in kept if attempt > record.attempt]:
            del kept[later]

    def _apply_line(self, line: LineRecord) -> None:
        kept = self.lines.setdefault(line.position, {})
        kept[line.number] = line
        if line.number - LAST_LINES > FIRST_LINES:
            kept.pop(line.number - LAST_LINES, None)


class MemoryVault:
    """A store of plans that lives as long as the object (see ``Vault``).

    Several engines may share one, and each opens and closes it: the claims are let go
    when the last of them has closed it. What is stored stays.
    """

    def __init__(self) -> None:
        self._plans: dict[UUID, _Stored] = {}
        self._claims: set[UUID] = set()
        self._freeze: Freeze | None = None
        self._open = 0

    @property
    def shared(self) -> bool:
        """See ``Vault.shared``: no other process can see into this one."""
        return False

    def snapshot(self) -> MemoryVault:
        """What is stored now; claims are left out, as they would die in a crash."""
        return MemoryVault.restored(self)

    @classmethod
    def restored(cls, snapshot: MemoryVault) -> MemoryVault:
        """A vault of its own that holds what the snapshot holds."""
        vault = cls()
        plans = snapshot._plans.items()
        vault._plans = {plan_id: stored.copied() for plan_id, stored in plans}
        vault._freeze = snapshot._freeze
        return vault

    def forget_claims(self) -> None:
        """Let go of every claim, as the death of their owner would."""
        self._claims.clear()

    async def open(self) -> None:
        """See ``Vault.open``."""
        self._open += 1

    async def close(self) -> None:
        """See ``Vault.close``."""
        self._open = max(0, self._open - 1)
        if not self._open:
            self.forget_claims()

    async def create(
        self, row: PlanRow, definition: bytes, labels: Collection[str] = ()
    ) -> None:
        """See ``Vault.create``."""
        if row.id in self._plans:
            message = f"plan {row.id} is stored already"
            raise PlanExistsError(message)
        self._plans[row.id] = _Stored(row, definition, frozenset(labels))

    def take_over(
        self,
        stored: StoredPlan,
        *,
        labels: Collection[str] = (),
        lines: Iterable[LineRecord] = (),
    ) -> None:
        """Hold a plan as another vault held it; its log goes on behind what it had."""
        taken = _Stored(
            stored.row,
            stored.definition,
            frozenset(labels),
            position=stored.position,
            requests=stored.requests,
        )
        for record in stored.records:
            taken.records.setdefault(record.position, {})[record.attempt] = record
        for line in lines:
            taken.lines.setdefault(line.position, {})[line.number] = line
        self._plans[stored.row.id] = taken

    async def read(self, plan_id: UUID) -> StoredPlan:
        """See ``Vault.read``."""
        stored = self._stored(plan_id)
        return StoredPlan(
            row=stored.row,
            definition=stored.definition,
            records=tuple(
                record
                for _, kept in sorted(stored.records.items())
                for _, record in sorted(kept.items())
            ),
            position=stored.position,
            lines={place: max(kept) for place, kept in sorted(stored.lines.items())},
            requests=stored.requests,
        )

    async def row(self, plan_id: UUID) -> PlanRow:
        """See ``Vault.row``."""
        return self._stored(plan_id).row

    async def exists(self, plan_id: UUID) -> bool:
        """See ``Vault.exists``."""
        return plan_id in self._plans

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """See ``Vault.write``."""
        return [self.write_now(write) for write in writes]

    def write_now(self, write: Write) -> StorageError | None:
        """One write, for whoever waits for nothing."""
        stored = self._plans.get(write.plan_id)
        if stored is None:
            return refusal(write, None, 0)
        wanted = locks_taken(write)
        if wanted:
            error = refusal(write, stored.row.status, stored.position)
            rows = (each.row for each in self._plans.values())
            error = error or lock_refusal(write, wanted, rows)
            if error is not None:
                return error
        return stored.apply(write)

    async def search(self, **wanted: Unpack[Wanted]) -> list[PlanRow]:
        """See ``Vault.search``."""
        search = Search(**wanted)
        labels = search.where.labels
        held = (each for each in self._plans.values() if each.labels.issuperset(labels))
        rows = (each.row for each in held if search.fits(each.row))
        return newest_first(rows, search.limit)

    async def counts(self) -> dict[Outcome, int]:
        """See ``Vault.counts``."""
        return dict(Counter(stored.row.outcome for stored in self._plans.values()))

    async def delete(self, plan_id: UUID) -> None:
        """See ``Vault.delete``."""
        refuse_delete(plan_id, self._stored(plan_id).row.status)
        del self._plans[plan_id]

    async def log(self, plan_id: UUID, after: int, limit: int = 1000) -> LogSlice:
        """See ``Vault.log``."""
        stored = self._stored(plan_id)
        first = next(iter(stored.log), stored.position + 1)
        missed = after + 1 < first
        last = after if missed else min(stored.position, after + limit)
        return LogSlice(
            missed=missed,
            changes=tuple(
                (position, stored.log[position])
                for position in range(after + 1, last + 1)
            ),
            status=stored.row.status,
        )

    async def lines(self, plan_id: UUID, position: int) -> list[LineRecord]:
        """See ``Vault.lines``."""
        kept = self._stored(plan_id).lines.get(position, {})
        return [line for _, line in sorted(kept.items())]

    async def ask(self, request: PlanRequest, if_not_started: Write) -> Status:
        """See ``Vault.ask``."""
        stored = self._stored(request.plan_id)
        found = stored.row.status
        if found is Status.NOT_STARTED:
            error = stored.apply(if_not_started)
            if error is not None:
                raise error
        elif found is Status.RUNNING:
            last = stored.requests[-1].number if stored.requests else 0
            number = next_number(stored.position, last)
            stored.requests += (attrs.evolve(request, number=number),)
        return found

    async def requests(self) -> list[PlanRequest]:
        """See ``Vault.requests``."""
        return [each for stored in self._plans.values() for each in stored.requests]

    def freeze(self) -> Freeze | None:
        """See ``Vault.freeze``."""
        return self._freeze

    async def set_freeze(self, freeze: Freeze, expect: Freeze | None) -> bool:
        """See ``Vault.set_freeze``."""
        if self._freeze != expect:
            return False
        self._freeze = freeze
        return True

    async def claim(self, plan_id: UUID) -> bool:
        """See ``Vault.claim``."""
        if plan_id in self._claims:
            return False
        self._claims.add(plan_id)
        return True

    async def release(self, plan_id: UUID) -> None:
        """See ``Vault.release``."""
        self._claims.discard(plan_id)

    async def owner(self, plan_id: UUID) -> int | None:
        """See ``Vault.owner``."""
        return os.getpid() if plan_id in self._claims else None

    def _stored(self, plan_id: UUID) -> _Stored:
        try:
            return self._plans[plan_id]
        except KeyError:
            raise not_found(plan_id) from None
