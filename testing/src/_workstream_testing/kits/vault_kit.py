"""Puts any vault through the contract of ``Vault``: for whoever writes one.

::

    def test_my_vault(tmp_path):
        stores = itertools.count()
        trio.run(check_vault, lambda: MyVault(tmp_path / str(next(stores))))

It needs no pytest. Each demand is a function of its own below, with the
rules that it comes from; the first that is not met raises AssertionError and says what
was expected. All run in the caller's event loop.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import attrs

from workstream._protocols.vault import (
    LOG_KEPT,
    Change,
    LineRecord,
    NodeRecord,
    PlanRequest,
    PlanRow,
    Vault,
    Write,
)
from workstream._values.errors import (
    ConflictError,
    NotFoundError,
    PlanExistsError,
    StorageError,
)
from workstream._values.state import FIRST_LINES, LAST_LINES, FailureReason, Status

from ..problems import says_all

__all__ = ["check_vault"]

__tracebackhide__ = says_all

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


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


# -- Helpers ---------------------------------------------------------------------------


def _row(minutes: int = 0, **fields: Any) -> PlanRow:
    row = PlanRow(
        id=UUID(int=uuid4().int & ~0xFFFF_FFFF),
        name="Plan",
        submitted=NOON + timedelta(minutes=minutes),
    )
    return attrs.evolve(row, **fields)


async def _refuses(
    wanted: type[Exception], call: Awaitable[object], when: str
) -> Exception:
    try:
        result = await call
    except wanted as error:
        return error
    except Exception as error:
        message = f"{when}: expected {wanted.__name__}, got {error!r}"
        raise AssertionError(message) from error
    message = f"{when}: expected {wanted.__name__}, got the answer {result!r}"
    raise AssertionError(message)


async def _write(
    vault: Vault, row: PlanRow, first: int, *changes: Change
) -> StorageError | None:
    [answer] = await vault.write(
        [Write(plan_id=row.id, first=first, changes=tuple(changes))]
    )
    return answer


async def _created(vault: Vault, minutes: int = 0, **fields: Any) -> PlanRow:
    row = _row(minutes, **fields)
    await vault.create(row, b"definition of " + row.id.bytes)
    return row


def _node(position: int, attempt: int = 0, data: bytes = b"") -> NodeRecord:
    return NodeRecord(position, attempt, data or b"%d.%d" % (position, attempt))


# -- Plans -----------------------------------------------------------------------------


async def _keeps_what_was_created(vault: Vault) -> None:
    """STO-1, STO-7."""
    row = await _created(
        vault,
        name="Deploy \N{GREEK SMALL LETTER ALPHA}\udc80",
        description="",
        group_id=uuid4(),
    )
    assert await vault.exists(row.id) is True, "exists() of a stored plan is True"
    assert await vault.row(row.id) == row, "row() gives the row that was created"
    stored = await vault.read(row.id)
    assert stored.row == row, "read() gives the row that was created"
    assert stored.definition == b"definition of " + row.id.bytes
    assert stored.records == (), "a new plan has no records"
    assert stored.position == 0, "a new plan has no log"
    assert stored.lines == {}, "a new plan has no lines"
    assert stored.requests == ()


async def _keeps_every_field_of_a_row(vault: Vault) -> None:
    """STO-7: times to the microsecond, None apart from empty."""
    row = await _created(vault)
    for step, changed in enumerate(
        (
            _row(description="Described", group_id=uuid4()),
            _row(status=Status.RUNNING, started=NOON, runtime_update=NOON),
            _row(
                status=Status.STOPPED,
                started=NOON,
                ended=NOON + timedelta(microseconds=1),
                reasons=(FailureReason.STOPPED, FailureReason.BLOCK),
                stopping=True,
            ),
            _row(status=Status.COMPLETED, started=NOON, ended=NOON),
            _row(status=Status.COMPLETED, started=NOON, ended=NOON, with_failures=True),
            _row(name="", submitted=None),
        ),
        1,
    ):
        changed = attrs.evolve(changed, id=row.id)
        assert await _write(vault, row, step, changed) is None
        assert await vault.row(row.id) == changed, "a row comes back as it was written"


async def _refuses_to_create_twice(vault: Vault) -> None:
    """STO-2, X-76."""
    row = await _created(vault)
    await _refuses(PlanExistsError, vault.create(row, b"other"), "create() twice")
    stored = await vault.read(row.id)
    assert stored.definition != b"other", "a refused create() changes nothing"


async def _does_not_know_unknown_plans(vault: Vault) -> None:
    """STO-2."""
    await _created(vault)
    row = _row()
    assert await vault.exists(row.id) is False
    await _refuses(NotFoundError, vault.read(row.id), "read() of an unknown plan")
    await _refuses(NotFoundError, vault.row(row.id), "row() of an unknown plan")
    await _refuses(NotFoundError, vault.delete(row.id), "delete() of an unknown plan")
    await _refuses(NotFoundError, vault.log(row.id, 0), "log() of an unknown plan")
    await _refuses(NotFoundError, vault.lines(row.id, 1), "lines() of an unknown plan")
    ask = vault.ask(*_asked(row))
    await _refuses(NotFoundError, ask, "ask() of an unknown plan")
    answer = await _write(vault, row, 1, _node(1))
    assert isinstance(answer, StorageError), (
        f"a write to an unknown plan is answered by a StorageError, not {answer!r}"
    )
    assert await vault.exists(row.id) is False, "and makes no plan"


async def _deletes_all_of_a_plan(vault: Vault) -> None:
    """STO-5, X-76."""
    row = await _created(vault, status=Status.RUNNING)
    other = await _created(vault)
    await _write(vault, other, 1, _node(1), LineRecord(1, 1, b"line"))
    await _write(vault, row, 1, _node(1), LineRecord(1, 1, b"line"))
    await vault.ask(*_asked(row))
    await _refuses(StorageError, vault.delete(row.id), "delete() of a running plan")
    assert (await vault.read(row.id)).records == (_node(1),)
    await _write(vault, row, 3, attrs.evolve(row, status=Status.FAILED))
    await vault.delete(row.id)
    assert await vault.exists(row.id) is False
    await _refuses(NotFoundError, vault.delete(row.id), "delete() twice")
    assert [row.id for row in await vault.search()] == [other.id]
    await vault.create(row, b"again")
    stored = await vault.read(row.id)
    assert stored.records == (), "a deleted plan leaves no records"
    assert stored.position == 0, "a deleted plan leaves no log"
    assert stored.lines == {}, "a deleted plan leaves no lines"
    assert list(await vault.requests()) == [], "and no requests"
    kept = await vault.read(other.id)
    assert kept.records == (_node(1),), "other plans stay"
    assert kept.lines == {1: 1}


async def _finds_plans(vault: Vault) -> None:
    """STO-3, STO-4, X-75."""
    groups = (uuid4(), uuid4())
    statuses = (Status.NOT_STARTED, Status.COMPLETED, Status.FAILED)
    rows = [
        await _created(vault, minutes, group_id=group, status=status)
        for minutes, (group, status) in enumerate(
            (group, status) for group in groups for status in statuses
        )
    ]
    never = await _created(vault, submitted=None)
    twins = [await _created(vault, 99), await _created(vault, 99)]
    twins.sort(key=lambda row: row.id, reverse=True)
    newest = [*twins, *reversed(rows), never]

    assert await vault.search() == newest, "newest first, ties by id descending"
    assert await vault.search(limit=3) == newest[:3], "limit caps the newest"
    assert await vault.search(limit=0) == newest, "limit 0 means all"
    await _refuses(ValueError, vault.search(limit=-1), "a negative limit")
    assert await vault.search(
        group_ids=[groups[0]], statuses=[Status.COMPLETED, Status.FAILED]
    ) == [rows[2], rows[1]], "between kinds: all; within a kind: any of"
    some = [rows[0].id, rows[4].id, rows[0].id, uuid4()]
    assert await vault.search(ids=some) == [rows[4], rows[0]], "those that there are"
    assert await vault.search(ids=[rows[0].id], statuses=[Status.FAILED]) == []
    assert await vault.search(ids=[]) == [], "none of no ids"
    assert await vault.search(group_ids=[]) == [], "none of no groups"
    assert await vault.search(statuses=[]) == [], "none of no statuses"


# -- Writes ----------------------------------------------------------------------------


async def _keeps_the_latest_record(vault: Vault) -> None:
    """STO-1; records come ordered by position, then attempt."""
    row = await _created(vault)
    await _write(vault, row, 1, _node(300), _node(2), _node(7, 1), _node(2, 0, b"new"))
    await _write(vault, row, 5, _node(7, 2), _node(7, 1, b"ended"), _node(256))
    # The second of these came late, as a repeated write may: it removes attempt 2.
    await _write(vault, row, 8, _node(7, 2))
    stored = await vault.read(row.id)
    assert stored.records == (
        _node(2, 0, b"new"),
        _node(7, 1, b"ended"),
        _node(7, 2),
        _node(256),
        _node(300),
    )
    assert stored.position == 8
    assert stored.row == row, "records do not touch the row"


async def _resets_an_action(vault: Vault) -> None:
    """C-1: a record removes those of later attempts."""
    row = await _created(vault)
    await _write(
        vault, row, 1, _node(6), *(_node(7, n) for n in (1, 2, 3)), _node(8, 1)
    )
    await _write(vault, row, 6, _node(7, 0))
    assert (await vault.read(row.id)).records == (_node(6), _node(7, 0), _node(8, 1))
    await _write(vault, row, 7, _node(7, 1), _node(7, 2), _node(7, 0), _node(7, 1))
    stored = await vault.read(row.id)
    assert stored.records == (_node(6), _node(7, 0), _node(7, 1), _node(8, 1)), (
        "the changes of one write are applied in order"
    )


async def _may_repeat_a_write(vault: Vault) -> None:
    """A commit whose outcome is unknown may be repeated."""
    row = await _created(vault)
    running = attrs.evolve(row, status=Status.RUNNING)
    write = Write(
        plan_id=row.id,
        first=1,
        changes=(
            running,
            _node(1, 1),
            _node(1, 0),
            _node(1, 1, b"second"),
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
    row = await _created(vault)
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


async def _keeps_writes_of_different_plans_apart(vault: Vault) -> None:
    """STO-6: one plan's trouble never breaks another's."""
    first, second = await _created(vault), await _created(vault)
    unknown = _row()
    answers = await vault.write(
        [
            Write(plan_id=first.id, first=1, changes=(_node(1),)),
            Write(plan_id=unknown.id, first=1, changes=(_node(1),)),
            Write(
                plan_id=second.id,
                first=1,
                changes=(_node(9),),
                expect=Status.RUNNING,
            ),
            Write(plan_id=second.id, first=1, changes=(_node(2),)),
        ]
    )
    kinds = [type(answer) for answer in answers]
    assert kinds == [type(None), StorageError, ConflictError, type(None)], (
        f"one answer a write, in order, not {answers!r}"
    )
    assert (await vault.read(first.id)).records == (_node(1),)
    assert (await vault.read(second.id)).records == (_node(2),)
    assert await vault.write([]) == []


async def _is_durable(vault: Vault) -> None:
    """STO-1: what was acknowledged is there after closing and opening again."""
    row = await _created(vault)
    running = attrs.evolve(row, status=Status.RUNNING)
    await _write(vault, row, 1, running, _node(1, 1), LineRecord(1, 1, b"line"))
    await vault.ask(*_asked(row))
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
    row = await _created(vault)
    log = await vault.log(row.id, 0)
    assert (log.missed, log.changes, log.status) == (False, (), Status.NOT_STARTED)
    running = attrs.evolve(row, status=Status.RUNNING)
    changes: list[Change] = [running, _node(1), _node(2, 1), LineRecord(2, 1, b"line")]
    await _write(vault, row, 1, *changes)
    log = await vault.log(row.id, 0)
    assert log.changes == tuple(enumerate(changes, 1)), "the log holds every change"
    assert log.status is Status.RUNNING
    log = await vault.log(row.id, 1, 2)
    assert log.changes == ((2, _node(1)), (3, _node(2, 1))), "after a position, limited"
    assert (await vault.log(row.id, 4)).changes == (), "nothing follows the last"
    assert not (await vault.log(row.id, 400)).missed, "nor a position still to come"


async def _bounds_the_log(vault: Vault) -> None:
    """WA-2: one who has fallen behind what is kept is told so."""
    row = await _created(vault)
    extra, size = 10, 1_000
    total = LOG_KEPT + extra
    for first in range(1, total + 1, size):
        last = min(total, first + size - 1)
        await _write(vault, row, first, *(_node(n) for n in range(first, last + 1)))
    behind = await vault.log(row.id, 0)
    # It may keep more than it must.
    if behind.missed:
        assert behind.changes == (), "one who missed changes is not shown later ones"
    oldest = await vault.log(row.id, extra, 2)
    assert (oldest.missed, oldest.changes) == (
        False,
        ((extra + 1, _node(extra + 1)), (extra + 2, _node(extra + 2))),
    ), f"the latest {LOG_KEPT} changes are kept"
    await _write(vault, row, total + 1, *(_node(n) for n in range(3 * LOG_KEPT)))
    behind = await vault.log(row.id, 0)
    assert (behind.missed, behind.changes) == (True, ()), "the log is bounded"
    assert (await vault.read(row.id)).position == total + 3 * LOG_KEPT


async def _keeps_first_and_last_lines(vault: Vault) -> None:
    """WA-3: the first 100 and the last 1,000 lines of an action."""
    row = await _created(vault)
    lines = [LineRecord(3, n, b"%d" % n) for n in range(1, 5_001)]
    await _write(vault, row, 1, LineRecord(2, 1, b"other"), *lines[:700])
    assert await vault.lines(row.id, 3) == lines[:700], "few lines are all kept"
    await _write(vault, row, 702, *lines[700:])
    await _write(vault, row, 5_002, LineRecord(4, 1, b"other"))
    assert await vault.lines(row.id, 3) == [*lines[:FIRST_LINES], *lines[-LAST_LINES:]]
    assert await vault.lines(row.id, 2) == [LineRecord(2, 1, b"other")]
    assert await vault.lines(row.id, 5) == []
    assert (await vault.read(row.id)).lines == {2: 1, 3: 5_000, 4: 1}


# -- Asking ----------------------------------------------------------------------------


def _asked(row: PlanRow, verb: str = "a-verb") -> tuple[PlanRequest, Write]:
    """A request that no vault can know, and a change in case the plan is N."""
    request = PlanRequest(
        plan_id=row.id,
        verb=verb,
        by="ana@host",
        at=datetime(2031, 5, 1, tzinfo=UTC),
        reason="why",
        path="Plan / Block",
        data=b"\x00more",
    )
    changed = attrs.evolve(row, description=verb)
    return request, Write(
        plan_id=row.id, first=1, changes=(changed,), expect=Status.NOT_STARTED
    )


async def _does_it_at_once(vault: Vault) -> None:
    """CT-2: asked of a plan that is N, the effect is written, and nothing is kept."""
    row = await _created(vault)
    request, effect = _asked(row)
    assert await vault.ask(request, effect) is Status.NOT_STARTED
    stored = await vault.read(row.id)
    assert stored.row == effect.changes[0], "the effect is written"
    assert stored.position == 1, "and logged"
    assert (await vault.log(row.id, 0)).changes == ((1, stored.row),)
    assert list(await vault.requests()) == [], "there is nothing left to take"
    again = vault.ask(request, effect)
    await _refuses(ConflictError, again, "ask() of a plan that was changed meanwhile")
    later = attrs.evolve(effect, first=2)
    assert await vault.ask(request, later) is Status.NOT_STARTED


async def _starts_nothing_unseen(vault: Vault) -> None:
    """SP-1, ST-5: who starts a plan finds what was done to it first."""
    row = await _created(vault)
    start = Write(
        plan_id=row.id,
        first=1,
        changes=(attrs.evolve(row, status=Status.RUNNING),),
        expect=Status.NOT_STARTED,
    )
    await vault.ask(*_asked(row))
    [answer] = await vault.write([start])
    assert isinstance(answer, ConflictError), "a start that has not seen the change"
    stopped = attrs.evolve(row, status=Status.STOPPED)
    await _write(vault, row, 2, stopped)
    [answer] = await vault.write([attrs.evolve(start, first=3)])
    assert isinstance(answer, ConflictError), "a start of a plan that was stopped"
    assert await vault.ask(*_asked(row)) is Status.STOPPED
    stored = await vault.read(row.id)
    assert stored.row == stopped, "of a terminal plan nothing changes"
    assert stored.requests == (), "and nothing is asked of it"


async def _keeps_requests_in_order(vault: Vault) -> None:
    """CT-1, CT-2: what is asked of a running plan is kept, whatever it is."""
    row = await _created(vault, status=Status.RUNNING)
    other = await _created(vault, status=Status.RUNNING)
    asked: list[PlanRequest] = []
    for verb in ("one", "two", "one"):
        request, effect = _asked(row, verb)
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


async def _removes_what_was_taken(vault: Vault) -> None:
    """CT-2, SP-9: a request goes with the write that has its effect, or with the end."""
    row = await _created(vault, status=Status.RUNNING)
    other = await _created(vault, status=Status.RUNNING)
    await vault.ask(*_asked(other))
    for verb in ("one", "two"):
        await vault.ask(*_asked(row, verb))
    one, two = (await vault.read(row.id)).requests
    assert {each.plan_id for each in await vault.requests()} == {row.id, other.id}
    await _write(vault, row, 1, _node(1))
    assert (await vault.read(row.id)).requests == (one, two)
    take = Write(plan_id=row.id, first=2, changes=(_node(2),), taken=one.number)
    refused = attrs.evolve(take, expect=Status.NOT_STARTED)
    [answer] = await vault.write([refused])
    assert isinstance(answer, ConflictError)
    assert (await vault.read(row.id)).requests == (one, two), (
        "refused, it takes nothing"
    )
    assert await vault.write([take]) == [None]
    assert (await vault.read(row.id)).requests == (two,)
    assert await vault.write([attrs.evolve(take, taken=two.number)]) == [None]
    await vault.ask(*_asked(row, "three"))
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
    _keeps_what_was_created,
    _keeps_every_field_of_a_row,
    _refuses_to_create_twice,
    _does_not_know_unknown_plans,
    _deletes_all_of_a_plan,
    _finds_plans,
    _keeps_the_latest_record,
    _resets_an_action,
    _may_repeat_a_write,
    _compares_before_it_writes,
    _keeps_writes_of_different_plans_apart,
    _is_durable,
    _logs_changes_in_order,
    _bounds_the_log,
    _keeps_first_and_last_lines,
    _does_it_at_once,
    _starts_nothing_unseen,
    _keeps_requests_in_order,
    _removes_what_was_taken,
    _lets_one_own_a_plan,
)
"""Every demand, in the order in which they are made."""
