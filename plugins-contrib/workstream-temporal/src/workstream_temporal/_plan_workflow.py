"""One plan as one workflow: what is stored of it, and the interpreter that walks it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar, cast
from uuid import UUID

import attrs
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workstream._codec.records import decode_freeze, encode_row
from workstream._codec.thin import LONG
from workstream._protocols.vault import LineRecord, PlanRow, StoredPlan, Write
from workstream._values.errors import LockTakenError, WorkstreamError
from workstream._values.state import Status
from workstream._vaults.memory_vault import MemoryVault

from ._forms import (
    line_forms,
    lines_of,
    packed,
    record_forms,
    request_of,
    slice_form,
    stored_form,
    stored_of,
    unpacked,
    write_of,
)
from ._limits.shelves import (
    KEPT,
    SPARE,
    Shelves,
    keep,
    loads,
    places_over,
    thinned,
    tidy,
)
from ._names import PLAN, ROW, STORE, workflow_id
from ._runtime import TemporalRuntime

T = TypeVar("T")

PIECE = 1_000_000
"""Bytes of an answer at most: the server takes no payload of 2 MB."""


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine of the vault in memory returns: it waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    finally:
        coroutine.close()
    message = "the vault in memory waited for something"
    raise RuntimeError(message)


@workflow.defn(name=PLAN)
class PlanWorkflow:
    """A plan, from its submission to its end."""

    runtime: ClassVar[type[TemporalRuntime]] = TemporalRuntime

    @workflow.init
    def __init__(self, given: bytes) -> None:
        """Take a plan as it was submitted, or as an earlier run of the workflow left it."""
        form, labels, lines, conduct, *more = unpacked(given)
        stored = stored_of(form)
        self._id: UUID = stored.row.id
        self._labels: list[str] = labels
        self._conduct: dict[str, Any] = conduct
        self._shelves = Shelves.of(*more[:1])
        self._calm = bool(more[1:] and more[1])
        self._size = len(given)
        self._vault = MemoryVault()
        self._vault.take_over(stored, labels=labels, lines=lines_of(lines))
        self._shown = stored.row
        self._frozen: bytes | None = None
        self._runtime: TemporalRuntime | None = None
        self._starting = asyncio.Lock()
        self._asked = 0
        self._answers: dict[int, list[Any] | None] = {}

    @property
    def _row(self) -> PlanRow:
        return at_once(self._vault.row(self._id))

    @workflow.run
    async def run(self, given: bytes) -> None:
        """Wait for the start, then run the plan to its end."""
        await workflow.wait_condition(
            lambda: self._row.status is not Status.NOT_STARTED
        )
        if self._row.status is Status.RUNNING:
            await self._run()
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _run(self) -> None:
        store = workflow.get_external_workflow_handle(STORE)
        me = self._id.bytes
        await store.signal("begun", args=[me, workflow_id(self._id)])
        # Before it begins anything it knows whether the store is frozen (HO-6).
        await workflow.wait_condition(lambda: self._frozen is not None)
        runtime = await self.runtime.loaded(
            self._stored(),
            self._vault,
            self._conduct,
            self._shelves,
            self._show,
            calm=self._calm,
        )
        runtime.began_with(self._size)
        self._runtime = runtime
        runtime.frozen(self._freeze())
        for request in at_once(self._vault.requests()):
            runtime.take(request)
        if not await runtime.run():
            await workflow.wait_condition(workflow.all_handlers_finished)
            left = await self._left(runtime.keyed, calm=runtime.calm)
            row = {ROW: encode_row(self._row)}
            workflow.continue_as_new(left, memo=row)
        if self._shelves.names:
            await tidy(self._id)
        await self._tell_store_of_end()

    async def _tell_store_of_end(self) -> None:
        """Let go of the plan's locks: nothing of it is run any more."""
        store = workflow.get_external_workflow_handle(STORE)
        await store.signal("ended", self._id.bytes)

    def _stored(self) -> StoredPlan:
        """All that is stored of the plan, but for what is on shelves."""
        stored = at_once(self._vault.read(self._id))
        return attrs.evolve(stored, lines={**self._shelves.last, **stored.lines})

    async def _left(self, keyed: set[int], *, calm: bool) -> bytes:
        """All that the next run of this workflow begins with; the large is put away.

        Args:
            keyed: The places of the actions to whose responses requests may refer.
            calm: Whether nothing was under way.
        """
        stored = self._stored()
        over = places_over(stored.records)
        letters = LONG
        records, whole = thinned(stored.records, over, letters)
        if len(packed(record_forms(records))) > SPARE:
            letters = 0
            records, whole = thinned(stored.records, over, letters)
        kept: list[LineRecord] = []
        done: list[LineRecord] = []
        for position in stored.lines:
            lines = at_once(self._vault.lines(self._id, position))
            (done if position in over else kept).extend(lines)
        if sum(len(each.data) for each in kept) > KEPT:
            kept, done = [], kept + done
        size = sum(len(each.data) for each in whole)
        if letters and size + sum(len(each.data) for each in done) <= KEPT:
            records, kept = list(stored.records), kept + done
        else:
            for load in loads(whole, done):
                name = await keep(self._id, self._shelves, load)
                for record in load.records:
                    if record.position in keyed:
                        self._shelves.keyed[record.position] = [name]
                for line in load.lines:
                    self._shelves.put_lines([name], line.position, line.number)
        stored = attrs.evolve(
            at_once(self._vault.read(self._id)), records=tuple(records)
        )
        return self._packed(stored, kept, calm=calm)

    def _packed(
        self, stored: StoredPlan, lines: list[LineRecord], *, calm: bool
    ) -> bytes:
        """A plan as this workflow begins with it."""
        return packed(
            stored_form(stored),
            self._labels,
            line_forms(lines),
            self._conduct,
            self._shelves.form(),
            calm,
        )

    def _freeze(self) -> Any:
        return decode_freeze(self._frozen) if self._frozen else None

    def _show(self) -> None:
        """Let a list show what the plan's row is now."""
        row = self._row
        if row != self._shown:
            self._shown = row
            workflow.upsert_memo({ROW: encode_row(row)})

    # --- what clients read ------------------------------------------------------------

    @workflow.query(name="read")
    def read(self, piece: int, seen: int) -> bytes:
        """A piece of all that is stored, if it is as it was seen, and of how many.

        Args:
            piece: Which piece, from 0.
            seen: The log position that the first piece was of; -1: any.
        """
        stored = self._stored()
        if seen not in (-1, stored.position):
            return packed(0, stored.position, b"")
        whole = packed(stored_form(stored), self._shelves.names)
        pieces = -(-len(whole) // PIECE)
        at = piece * PIECE
        return packed(pieces, stored.position, whole[at : at + PIECE])

    @workflow.query(name="log")
    def log(self, after: int, limit: int) -> bytes:
        """A piece of the log; a shorter one than asked for where it would be too large."""
        while True:
            piece = at_once(self._vault.log(self._id, after, limit))
            names = [] if self._runtime is None else self._runtime.shelved_in(piece)
            found = packed(slice_form(piece), names)
            if len(found) <= PIECE or limit == 1:
                return found
            limit = max(1, limit // 4)

    @workflow.query(name="lines")
    def lines(self, position: int, after: int) -> bytes:
        """What an action reported, after a line; fewer where they would be too large."""
        found = at_once(self._vault.lines(self._id, position))
        names = self._shelves.lines.get(position, []) if not after else []
        return packed(line_forms([e for e in found if e.number > after][:200]), names)

    @workflow.query(name="labels")
    def labels(self) -> bytes:
        """The texts that a search can find the plan by."""
        return packed(self._labels)

    @workflow.query(name="told")
    def told(self, position: int) -> bytes:
        """What was sent to an action whose attempt waits, and whether a stop cuts it."""
        if self._runtime is None:
            return packed([], False)
        return self._runtime.told(position)

    @workflow.query(name="cuts")
    def cuts(self) -> bool:
        """Whether a stop cuts the run of continuous checks that is under way (SN-1)."""
        return self._runtime is not None and self._runtime.cuts()

    # --- what clients write -----------------------------------------------------------

    @workflow.update(name="start")
    async def start(self, given: bytes) -> bytes:
        """Begin the plan's run, if it is as it was seen."""
        position, conduct = unpacked(given)
        async with self._starting:
            before, locks = self._row.status, self._row.locks
            if locks and before is Status.NOT_STARTED:
                taken = await self._lock(locks)
                if taken is not None:
                    return packed([LockTakenError.__name__, *taken])
            row = attrs.evolve(
                self._row, status=Status.RUNNING, started=self.runtime.time()
            )
            expected = Status.NOT_STARTED
            write = Write(
                plan_id=self._id, first=position + 1, changes=(row,), expect=expected
            )
            answer = self._written(write)
            if locks and self._row.status is not Status.RUNNING:  # it was told to stop
                await self._tell_store_of_end()
            elif before is Status.NOT_STARTED:
                self._conduct = conduct
            return answer

    async def _lock(self, names: tuple[str, ...]) -> list[Any] | None:
        """Take these locks; or which of them another plan holds, and which (LK-1)."""
        self._asked += 1
        number, store = self._asked, workflow.get_external_workflow_handle(STORE)
        given = packed(self._id.bytes, list(names), number)
        await store.signal("lock", args=[workflow_id(self._id), given])
        await workflow.wait_condition(lambda: number in self._answers)
        return self._answers.pop(number)

    @workflow.update(name="write")
    async def write(self, given: bytes) -> bytes:
        """Take changes that a client made of a plan that does not run."""
        [form] = unpacked(given)
        return self._written(write_of(form))

    def _written(self, write: Write) -> bytes:
        [error] = at_once(self._vault.write([write]))
        self._show()
        assert not isinstance(error, LockTakenError), "it holds one plan"
        return packed(None if error is None else [type(error).__name__, str(error)])

    @workflow.update(name="ask")
    async def ask(self, given: bytes) -> str:
        """Keep what is asked of the plan, and take it at once."""
        request, write = unpacked(given)
        try:
            found = at_once(self._vault.ask(request_of(request), write_of(write)))
        except WorkstreamError as error:
            name = type(error).__name__
            raise ApplicationError(str(error), type=name) from error
        if self._runtime is not None:
            for each in at_once(self._vault.requests()):
                self._runtime.take(each)
        self._show()
        return found.name

    # --- what the store and workers tell ----------------------------------------------

    @workflow.signal(name="frozen")
    def frozen(self, freeze: bytes) -> None:
        """Hear what the store says of a freeze."""
        self._frozen = freeze
        if self._runtime is not None:
            self._runtime.frozen(self._freeze())

    @workflow.signal(name="locked")
    def locked(self, given: bytes) -> None:
        """Hear whether the locks are this plan's now."""
        number, taken = unpacked(given)
        self._answers[number] = taken

    @workflow.signal(name="note")
    def note(self, given: bytes) -> None:
        """Store what a plugin remembers, reports, or leaves undone, while it goes on."""
        if self._runtime is not None:
            self._runtime.note(*unpacked(given))
