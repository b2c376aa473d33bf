"""Puts any vault through the contract of ``Vault``: for whoever writes one.

::

    def test_my_vault(tmp_path):
        stores = itertools.count()
        trio.run(check_vault, lambda: MyVault(tmp_path / str(next(stores))))

It needs no pytest. Each demand is a function of its own, here or in ``vault_plans``, with the
rules that it comes from; the first that is not met raises AssertionError and says what
was expected. All run in the caller's event loop.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import uuid4

import attrs

from workstream._protocols.vault import (
    LOG_KEPT,
    Change,
    LineRecord,
    PlanRequest,
    PlanRow,
    Vault,
    Write,
)
from workstream._values.errors import (
    ConflictError,
    LockTakenError,
    StorageError,
)
from workstream._values.interventions import Freeze, Word
from workstream._values.state import FIRST_LINES, LAST_LINES, Status

from ..problems import says_all
from .vault_plans import (
    PLAN_DEMANDS,
    asked_of,
    created,
    node,
    refuses,
    some_row,
    written,
)

__tracebackhide__ = says_all


async def check_vault(factory: Callable[[], Vault]) -> None:
    """Ask of a vault everything that ``Vault`` promises.

    Args:
        factory: Makes a vault that is not yet open, over a new and empty store each
            time. Closed and opened again, it must find what was stored.

    Raises:
        AssertionError: A demand is not met; the message says which.
    """
    for check in CHECKS:
        vault = factory()
        await vault.open()
        try:
            await check(vault)
        except Exception as error:
            demand = check.__name__.strip("_").replace("_", " ")
            # Where nothing more is said, the line itself says what was expected.
            reason = str(error) or traceback.extract_tb(error.__traceback__)[-1].line
            message = f"a vault {demand}: {reason}"
            raise AssertionError(message) from error
        finally:
            await vault.close()


# -- Writes ----------------------------------------------------------------------------


async def _keeps_the_latest_record(vault: Vault) -> None:
    """STO-1; records come ordered by position, then attempt."""
    row = await created(vault)
    await written(vault, row, 1, node(300), node(2), node(7, 1), node(2, 0, b"new"))
    await written(vault, row, 5, node(7, 2), node(7, 1, b"ended"), node(256))
    # The second of these came late, as a repeated write may: it removes attempt 2.
    await written(vault, row, 8, node(7, 2))
    stored = await vault.read(row.id)
    assert stored.records == (
        node(2, 0, b"new"),
        node(7, 1, b"ended"),
        node(7, 2),
        node(256),
        node(300),
    )
    assert stored.position == 8
    assert stored.row == row, "records do not touch the row"


async def _resets_an_action(vault: Vault) -> None:
    """C-1: a record removes those of later attempts."""
    row = await created(vault)
    await written(vault, row, 1, node(6), *(node(7, n) for n in (1, 2, 3)), node(8, 1))
    await written(vault, row, 6, node(7, 0))
    assert (await vault.read(row.id)).records == (node(6), node(7, 0), node(8, 1))
    await written(vault, row, 7, node(7, 1), node(7, 2), node(7, 0), node(7, 1))
    stored = await vault.read(row.id)
    assert stored.records == (node(6), node(7, 0), node(7, 1), node(8, 1)), (
        "the changes of one write are applied in order"
    )


async def _may_repeat_a_write(vault: Vault) -> None:
    """A commit whose outcome is unknown may be repeated."""
    row = await created(vault)
    running = attrs.evolve(row, status=Status.RUNNING)
    write = Write(
        plan_id=row.id,
        first=1,
        changes=(
            running,
            node(1, 1),
            node(1, 0),
            node(1, 1, b"second"),
            *(LineRecord(1, n, b"line") for n in range(1, 1_500)),
        ),
    )
    assert await vault.write([write]) == [None]
    once = (
        await vault.read(row.id),
        await vault.lines(row.id, 1),
        await vault.log(row.id, 0, 5_000),
    )
    assert await vault.write([write]) == [None]
    twice = (
        await vault.read(row.id),
        await vault.lines(row.id, 1),
        await vault.log(row.id, 0, 5_000),
    )
    assert once == twice, "writing the same Write twice is as writing it once"


async def _compares_before_it_writes(vault: Vault) -> None:
    """ST-2: whoever starts a plan says what it expects to find."""
    row = await created(vault)
    running = attrs.evolve(row, status=Status.RUNNING)
    start = Write(
        plan_id=row.id, first=1, changes=(running,), expect=Status.NOT_STARTED
    )
    assert await vault.write([start]) == [None]
    [answer] = await vault.write([start])
    assert isinstance(answer, ConflictError), (
        f"a write that expects another status is answered by ConflictError: {answer!r}"
    )
    stored = await vault.read(row.id)
    assert (stored.row, stored.position) == (running, 1), "and changes nothing"


async def _lets_one_running_plan_hold_a_lock(vault: Vault) -> None:
    """LK-1: taken in the write that makes a plan R, given back in the one that ends it."""
    first = await created(vault, locks=("db", "web"))
    second = await created(vault, locks=("mail", "web"))
    third = await created(vault, locks=("mail",))

    def started(row: PlanRow) -> Write:
        running = attrs.evolve(row, status=Status.RUNNING)
        return Write(
            plan_id=row.id, first=1, changes=(running,), expect=Status.NOT_STARTED
        )

    answers = await vault.write([started(first), started(second), started(third)])
    kinds = [type(answer) for answer in answers]
    assert kinds == [type(None), LockTakenError, type(None)], (
        f"a lock that a running plan holds is answered by LockTakenError: {answers!r}"
    )
    assert isinstance(answers[1], LockTakenError)
    assert (answers[1].lock, answers[1].holder) == ("web", first.id)
    stored = await vault.read(second.id)
    assert (stored.row, stored.position) == (second, 0), "and changes nothing"
    assert await written(vault, first, 2, node(1)) is None
    await vault.close()
    await vault.open()
    [answer] = await vault.write([started(second)])
    assert isinstance(answer, LockTakenError), (
        "locks outlive the process that took them"
    )
    for row in (first, third):
        ended = attrs.evolve(row, status=Status.FAILED)
        assert await written(vault, row, 3, ended) is None
    assert await vault.write([started(second)]) == [None], "its end gives a lock back"


async def _keeps_writes_of_different_plans_apart(vault: Vault) -> None:
    """STO-6: one plan's trouble never breaks another's."""
    first, second = await created(vault), await created(vault)
    unknown = some_row()
    answers = await vault.write(
        [
            Write(plan_id=first.id, first=1, changes=(node(1),)),
            Write(plan_id=unknown.id, first=1, changes=(node(1),)),
            Write(
                plan_id=second.id,
                first=1,
                changes=(node(9),),
                expect=Status.RUNNING,
            ),
            Write(plan_id=second.id, first=1, changes=(node(2),)),
        ]
    )
    kinds = [type(answer) for answer in answers]
    assert kinds == [type(None), StorageError, ConflictError, type(None)], (
        f"one answer a write, in order, not {answers!r}"
    )
    assert (await vault.read(first.id)).records == (node(1),)
    assert (await vault.read(second.id)).records == (node(2),)
    assert await vault.write([]) == []


async def _is_durable(vault: Vault) -> None:
    """STO-1: what was acknowledged is there after closing and opening again."""
    row = await created(vault)
    running = attrs.evolve(row, status=Status.RUNNING)
    await written(vault, row, 1, running, node(1, 1), LineRecord(1, 1, b"line"))
    await vault.ask(*asked_of(row))
    assert await vault.claim(row.id)
    before = await vault.read(row.id)
    await vault.close()
    await vault.close()
    await vault.open()
    assert await vault.read(row.id) == before, "a reopened vault has what was stored"
    assert tuple(await vault.requests()) == before.requests != ()
    assert await vault.lines(row.id, 1) == [LineRecord(1, 1, b"line")]
    assert await vault.owner(row.id) is None, "closing lets go of the claims"


async def _logs_changes_in_order(vault: Vault) -> None:
    """WA-1: every change once, each with its position."""
    row = await created(vault)
    log = await vault.log(row.id, 0)
    assert (log.missed, log.changes, log.status) == (False, (), Status.NOT_STARTED)
    running = attrs.evolve(row, status=Status.RUNNING)
    changes: list[Change] = [running, node(1), node(2, 1), LineRecord(2, 1, b"line")]
    await written(vault, row, 1, *changes)
    log = await vault.log(row.id, 0)
    assert log.changes == tuple(enumerate(changes, 1)), "the log holds every change"
    assert log.status is Status.RUNNING
    log = await vault.log(row.id, 1, 2)
    assert log.changes == ((2, node(1)), (3, node(2, 1))), "after a position, limited"
    assert (await vault.log(row.id, 4)).changes == (), "nothing follows the last"
    assert not (await vault.log(row.id, 400)).missed, "nor a position still to come"


async def _bounds_the_log(vault: Vault) -> None:
    """WA-2: one who has fallen behind what is kept is told so."""
    row = await created(vault)
    extra, size = 10, 1_000
    total = LOG_KEPT + extra
    for first in range(1, total + 1, size):
        last = min(total, first + size - 1)
        await written(vault, row, first, *(node(n) for n in range(first, last + 1)))
    behind = await vault.log(row.id, 0)
    # It may keep more than it must.
    if behind.missed:
        assert behind.changes == (), "one who missed changes is not shown later ones"
    oldest = await vault.log(row.id, extra, 2)
    assert (oldest.missed, oldest.changes) == (
        False,
        ((extra + 1, node(extra + 1)), (extra + 2, node(extra + 2))),
    ), f"the latest {LOG_KEPT} changes are kept"
    await written(vault, row, total + 1, *(node(n) for n in range(3 * LOG_KEPT)))
    behind = await vault.log(row.id, 0)
    assert (behind.missed, behind.changes) == (True, ()), "the log is bounded"
    assert (await vault.read(row.id)).position == total + 3 * LOG_KEPT


async def _keeps_first_and_last_lines(vault: Vault) -> None:
    """WA-3: the first 100 and the last 1,000 lines of an action."""
    row = await created(vault)
    lines = [LineRecord(3, n, b"%d" % n) for n in range(1, 5_001)]
    await written(vault, row, 1, LineRecord(2, 1, b"other"), *lines[:700])
    assert await vault.lines(row.id, 3) == lines[:700], "few lines are all kept"
    await written(vault, row, 702, *lines[700:])
    await written(vault, row, 5_002, LineRecord(4, 1, b"other"))
    assert await vault.lines(row.id, 3) == [*lines[:FIRST_LINES], *lines[-LAST_LINES:]]
    assert await vault.lines(row.id, 2) == [LineRecord(2, 1, b"other")]
    assert await vault.lines(row.id, 5) == []
    assert (await vault.read(row.id)).lines == {2: 1, 3: 5_000, 4: 1}


# -- Asking ----------------------------------------------------------------------------


async def _does_it_at_once(vault: Vault) -> None:
    """CT-2: asked of a plan that is N, the effect is written, and nothing is kept."""
    row = await created(vault)
    request, effect = asked_of(row)
    assert await vault.ask(request, effect) is Status.NOT_STARTED
    stored = await vault.read(row.id)
    assert stored.row == effect.changes[0], "the effect is written"
    assert stored.position == 1, "and logged"
    assert (await vault.log(row.id, 0)).changes == ((1, stored.row),)
    assert list(await vault.requests()) == [], "there is nothing left to take"
    again = vault.ask(request, effect)
    await refuses(ConflictError, again, "ask() of a plan that was changed meanwhile")
    later = attrs.evolve(effect, first=2)
    assert await vault.ask(request, later) is Status.NOT_STARTED


async def _starts_nothing_unseen(vault: Vault) -> None:
    """SP-1, ST-5: who starts a plan finds what was done to it first."""
    row = await created(vault)
    start = Write(
        plan_id=row.id,
        first=1,
        changes=(attrs.evolve(row, status=Status.RUNNING),),
        expect=Status.NOT_STARTED,
    )
    await vault.ask(*asked_of(row))
    [answer] = await vault.write([start])
    assert isinstance(answer, ConflictError), "a start that has not seen the change"
    stopped = attrs.evolve(row, status=Status.STOPPED)
    await written(vault, row, 2, stopped)
    [answer] = await vault.write([attrs.evolve(start, first=3)])
    assert isinstance(answer, ConflictError), "a start of a plan that was stopped"
    assert await vault.ask(*asked_of(row)) is Status.STOPPED
    stored = await vault.read(row.id)
    assert stored.row == stopped, "of a terminal plan nothing changes"
    assert stored.requests == (), "and nothing is asked of it"


async def _keeps_requests_in_order(vault: Vault) -> None:
    """CT-1, CT-2: what is asked of a running plan is kept, whatever it is."""
    row = await created(vault, status=Status.RUNNING)
    other = await created(vault, status=Status.RUNNING)
    asked: list[PlanRequest] = []
    for verb in ("one", "two", "one"):
        request, effect = asked_of(row, verb)
        assert await vault.ask(request, effect) is Status.RUNNING
        asked.append(request)
    stored = await vault.read(row.id)
    kept = [attrs.evolve(each, number=0) for each in stored.requests]
    assert kept == asked, "requests come back as they were asked, in order"
    numbers = [each.number for each in stored.requests]
    assert sorted(set(numbers)) == numbers, "their numbers grow"
    assert (stored.row, stored.position) == (row, 0), "a request is no change"
    assert (await vault.read(other.id)).requests == ()
    assert tuple(await vault.requests()) == stored.requests


async def _keeps_a_freeze(vault: Vault) -> None:
    """HO-6: one thing is kept of the store as a whole, and changed by who has seen it."""
    row = await created(vault)
    moment = datetime(2031, 5, 1, tzinfo=UTC)
    word = Word(by="ana", at=moment, reason="why")
    frozen = Freeze(begun=word)
    assert vault.freeze() is None, "a new store says nothing of a freeze"
    assert await vault.set_freeze(frozen, None)
    assert vault.freeze() == frozen
    assert not await vault.set_freeze(frozen, None), "the writer has not seen it"
    exempted = attrs.evolve(frozen, exempt={row.id: word}, ended=word)
    assert await vault.set_freeze(exempted, frozen)
    assert vault.freeze() == exempted, "it comes back as it was"
    await vault.delete(row.id)
    assert vault.freeze() == exempted, "it is of no plan"
    assert await vault.search() == []


async def _removes_what_was_taken(vault: Vault) -> None:
    """CT-2, SP-9: a request goes with the write that has its effect, or with the end."""
    row = await created(vault, status=Status.RUNNING)
    other = await created(vault, status=Status.RUNNING)
    await vault.ask(*asked_of(other))
    for verb in ("one", "two"):
        await vault.ask(*asked_of(row, verb))
    one, two = (await vault.read(row.id)).requests
    assert {each.plan_id for each in await vault.requests()} == {row.id, other.id}
    await written(vault, row, 1, node(1))
    assert (await vault.read(row.id)).requests == (one, two)
    take = Write(plan_id=row.id, first=2, changes=(node(2),), taken=one.number)
    refused = attrs.evolve(take, expect=Status.NOT_STARTED)
    [answer] = await vault.write([refused])
    assert isinstance(answer, ConflictError)
    assert (await vault.read(row.id)).requests == (one, two), (
        "refused, it takes nothing"
    )
    assert await vault.write([take]) == [None]
    assert (await vault.read(row.id)).requests == (two,)
    assert await vault.write([attrs.evolve(take, taken=two.number)]) == [None]
    await vault.ask(*asked_of(row, "three"))
    [three] = (await vault.read(row.id)).requests
    assert three.number > two.number, "no number comes again"
    assert await vault.write([take]) == [None]
    assert (await vault.read(row.id)).requests == (three,), "to repeat it is harmless"
    ended = attrs.evolve(row, status=Status.STOPPED)
    [answer] = await vault.write(
        [Write(plan_id=row.id, first=3, changes=(ended,), taken=two.number)]
    )
    assert answer is None
    left = await vault.requests()
    assert [each.plan_id for each in left] == [other.id], "a terminal plan has none"


# -- Claims ----------------------------------------------------------------------------


async def _lets_one_own_a_plan(vault: Vault) -> None:
    """ST-2: a claim is one's own until it is given back."""
    first, second = uuid4(), uuid4()
    assert await vault.owner(first) is None
    assert await vault.claim(first) is True
    assert await vault.claim(first) is False, "a claim is taken once"
    assert isinstance(await vault.owner(first), int), "its owner can be asked for"
    assert await vault.claim(second) is True, "claims are per plan"
    await vault.release(first)
    await vault.release(first)
    assert await vault.owner(first) is None, "a claim can be given back"
    assert isinstance(await vault.owner(second), int)
    assert await vault.claim(first) is True, "and taken again"


CHECKS: tuple[Callable[[Vault], Awaitable[None]], ...] = (
    *PLAN_DEMANDS,
    _keeps_the_latest_record,
    _resets_an_action,
    _may_repeat_a_write,
    _compares_before_it_writes,
    _keeps_writes_of_different_plans_apart,
    _is_durable,
    _lets_one_running_plan_hold_a_lock,
    _logs_changes_in_order,
    _bounds_the_log,
    _keeps_first_and_last_lines,
    _does_it_at_once,
    _starts_nothing_unseen,
    _keeps_requests_in_order,
    _keeps_a_freeze,
    _removes_what_was_taken,
    _lets_one_own_a_plan,
)
"""Every demand, in the order in which they are made."""
