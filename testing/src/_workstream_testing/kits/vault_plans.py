"""What a vault promises of plans as such: kept, found, deleted. And what demands need."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import attrs

from workstream._plan.outcome import Outcome
from workstream._protocols.searching import Where, short_form
from workstream._protocols.vault import (
    Change,
    LineRecord,
    NodeRecord,
    PlanRequest,
    PlanRow,
    Vault,
    Write,
)
from workstream._values.errors import NotFoundError, PlanExistsError, StorageError
from workstream._values.state import FailureReason, Status

from ..problems import says_all

__tracebackhide__ = says_all

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


# -- Helpers ---------------------------------------------------------------------------


def some_row(minutes: int = 0, **fields: Any) -> PlanRow:
    row = PlanRow(
        id=UUID(int=uuid4().int & ~0xFFFF_FFFF),
        name="Plan",
        submitted=NOON + timedelta(minutes=minutes),
    )
    return attrs.evolve(row, **fields)


async def refuses(
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


async def written(
    vault: Vault, row: PlanRow, first: int, *changes: Change
) -> StorageError | None:
    [answer] = await vault.write(
        [Write(plan_id=row.id, first=first, changes=tuple(changes))]
    )
    return answer


async def created(vault: Vault, minutes: int = 0, **fields: Any) -> PlanRow:
    row = some_row(minutes, **fields)
    await vault.create(row, b"definition of " + row.id.bytes)
    return row


def node(position: int, attempt: int = 0, data: bytes = b"") -> NodeRecord:
    return NodeRecord(position, attempt, data or b"%d.%d" % (position, attempt))


def asked_of(row: PlanRow, verb: str = "a-verb") -> tuple[PlanRequest, Write]:
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


# -- Plans -----------------------------------------------------------------------------


async def _keeps_what_was_created(vault: Vault) -> None:
    """STO-1, STO-7."""
    row = await created(
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
    row = await created(vault)
    for step, changed in enumerate(
        (
            some_row(description="Described", group_id=uuid4()),
            some_row(status=Status.RUNNING, started=NOON, runtime_update=NOON),
            some_row(
                status=Status.STOPPED,
                started=NOON,
                ended=NOON + timedelta(microseconds=1),
                reasons=(FailureReason.STOPPED, FailureReason.BLOCK),
                stopping=True,
            ),
            some_row(status=Status.COMPLETED, started=NOON, ended=NOON),
            some_row(
                status=Status.COMPLETED, started=NOON, ended=NOON, with_failures=True
            ),
            some_row(name="", submitted=None),
            some_row(status=Status.COMPLETED, locks=("db", "web \udc80")),
        ),
        1,
    ):
        changed = attrs.evolve(changed, id=row.id)
        assert await written(vault, row, step, changed) is None
        assert await vault.row(row.id) == changed, "a row comes back as it was written"


async def _refuses_to_create_twice(vault: Vault) -> None:
    """STO-2, X-76."""
    row = await created(vault)
    await refuses(PlanExistsError, vault.create(row, b"other"), "create() twice")
    stored = await vault.read(row.id)
    assert stored.definition != b"other", "a refused create() changes nothing"


async def _does_not_know_unknown_plans(vault: Vault) -> None:
    """STO-2."""
    await created(vault)
    row = some_row()
    assert await vault.exists(row.id) is False
    await refuses(NotFoundError, vault.read(row.id), "read() of an unknown plan")
    await refuses(NotFoundError, vault.row(row.id), "row() of an unknown plan")
    await refuses(NotFoundError, vault.delete(row.id), "delete() of an unknown plan")
    await refuses(NotFoundError, vault.log(row.id, 0), "log() of an unknown plan")
    await refuses(NotFoundError, vault.lines(row.id, 1), "lines() of an unknown plan")
    ask = vault.ask(*asked_of(row))
    await refuses(NotFoundError, ask, "ask() of an unknown plan")
    answer = await written(vault, row, 1, node(1))
    assert isinstance(answer, StorageError), (
        f"a write to an unknown plan is answered by a StorageError, not {answer!r}"
    )
    assert await vault.exists(row.id) is False, "and makes no plan"


async def _deletes_all_of_a_plan(vault: Vault) -> None:
    """STO-5, X-76."""
    row = await created(vault, status=Status.RUNNING)
    other = await created(vault)
    await written(vault, other, 1, node(1), LineRecord(1, 1, b"line"))
    await written(vault, row, 1, node(1), LineRecord(1, 1, b"line"))
    await vault.ask(*asked_of(row))
    await refuses(StorageError, vault.delete(row.id), "delete() of a running plan")
    assert (await vault.read(row.id)).records == (node(1),)
    await written(vault, row, 3, attrs.evolve(row, status=Status.FAILED))
    await vault.delete(row.id)
    assert await vault.exists(row.id) is False
    await refuses(NotFoundError, vault.delete(row.id), "delete() twice")
    assert [row.id for row in await vault.search()] == [other.id]
    await vault.create(row, b"again")
    stored = await vault.read(row.id)
    assert stored.records == (), "a deleted plan leaves no records"
    assert stored.position == 0, "a deleted plan leaves no log"
    assert stored.lines == {}, "a deleted plan leaves no lines"
    assert list(await vault.requests()) == [], "and no requests"
    kept = await vault.read(other.id)
    assert kept.records == (node(1),), "other plans stay"
    assert kept.lines == {1: 1}


async def _finds_plans(vault: Vault) -> None:
    """STO-3, STO-4, X-75."""
    groups = (uuid4(), uuid4())
    statuses = (Status.NOT_STARTED, Status.COMPLETED, Status.FAILED)
    rows = [
        await created(vault, minutes, group_id=group, status=status)
        for minutes, (group, status) in enumerate(
            (group, status) for group in groups for status in statuses
        )
    ]
    never = await created(vault, submitted=None)
    twins = [await created(vault, 99), await created(vault, 99)]
    twins.sort(key=lambda row: row.id, reverse=True)
    newest = [*twins, *reversed(rows), never]

    assert await vault.search() == newest, "newest first, ties by id descending"
    assert await vault.search(limit=3) == newest[:3], "limit caps the newest"
    assert await vault.search(limit=0) == newest, "limit 0 means all"
    await refuses(ValueError, vault.search(limit=-1), "a negative limit")
    assert await vault.search(
        group_ids=[groups[0]], statuses=[Status.COMPLETED, Status.FAILED]
    ) == [rows[2], rows[1]], "between kinds: all; within a kind: any of"
    some = [rows[0].id, rows[4].id, rows[0].id, uuid4()]
    assert await vault.search(ids=some) == [rows[4], rows[0]], "those that there are"
    assert await vault.search(ids=[rows[0].id], statuses=[Status.FAILED]) == []
    assert await vault.search(ids=[]) == [], "none of no ids"
    assert await vault.search(group_ids=[]) == [], "none of no groups"
    assert await vault.search(statuses=[]) == [], "none of no statuses"


async def _finds_a_name(vault: Vault) -> None:
    """STO-15: a part of a name, whatever is written in capitals."""
    names = ("Deploy WEB", "Straße", "deploy \udc80", "x" * 3_000 + "Web", "")
    rows = [
        await created(vault, minutes, name=name) for minutes, name in enumerate(names)
    ]

    async def found(part: str, **others: Any) -> list[PlanRow]:
        return await vault.search(where=Where(name=part), **others)

    assert await found("web") == [rows[3], rows[0]], "the newest first"
    assert await found("WEB", limit=1) == [rows[3]]
    assert await found("STRASSE") == [rows[1]]
    assert await found("\udc80") == [rows[2]]
    assert await found("xxw") == [rows[3]], "also at the end of a very long name"
    assert await found("webs") == []
    assert await found("", limit=2) == [rows[4], rows[3]], "nothing is asked of it"
    renamed = attrs.evolve(rows[0], name="Other")
    await written(vault, rows[0], 1, renamed)
    assert await found("web") == [rows[3]], "a plan is found by the name that it has"
    assert await found("other") == [renamed]


async def _finds_outcomes_and_times(vault: Vault) -> None:
    """STO-15: what a status does not tell; and from one time up to another."""
    rows = [
        await created(vault, 0, status=Status.COMPLETED),
        await created(vault, 1, status=Status.COMPLETED, with_failures=True),
        await created(vault, 2, status=Status.FAILED),
        await created(vault, 3, status=Status.RUNNING),
    ]
    never = await created(vault, submitted=None, status=Status.FAILED)
    tolerated = Where(outcomes=[Outcome.COMPLETED_WITH_FAILURES])
    assert await vault.search(where=tolerated) == [rows[1]]
    completed = await vault.search(statuses=[Status.COMPLETED])
    assert completed == [rows[1], rows[0]], "a status has all of its outcomes"
    both = await vault.search(statuses=[Status.FAILED], where=tolerated)
    assert both == [], "status and outcome must fit both"
    second, last = rows[1].submitted, rows[3].submitted
    assert await vault.search(where=Where(since=second, until=last)) == [
        rows[2],
        rows[1],
    ], "since includes that moment, until does not"
    old = Where(until=second)
    assert await vault.search(where=old) == [rows[0], never], "never: before all"
    assert await vault.search(where=old, limit=1) == [rows[0]]
    assert await vault.search(where=Where(since=last), statuses=[Status.FAILED]) == []
    assert dict(await vault.counts()) == {
        Outcome.COMPLETED: 1,
        Outcome.COMPLETED_WITH_FAILURES: 1,
        Outcome.FAILED: 2,
        Outcome.RUNNING: 1,
    }, "counts() tells how many there are of each outcome"
    ended = attrs.evolve(rows[3], status=Status.STOPPED)
    await written(vault, rows[3], 1, ended)
    await vault.delete(rows[1].id)
    counts = {each: number for each, number in (await vault.counts()).items() if number}
    assert counts == {Outcome.COMPLETED: 1, Outcome.FAILED: 2, Outcome.STOPPED: 1}
    assert await vault.search(where=tolerated) == []
    assert await vault.search(statuses=[Status.STOPPED, Status.RUNNING]) == [ended]


async def _finds_labels_and_ids(vault: Vault) -> None:
    """STO-15: every label that a plan was given, and how its id begins."""
    rows = [some_row(minutes, group_id=uuid4()) for minutes in range(3)]
    many = [f"has:{number}" for number in range(1_200)]
    for row, labels in zip(rows, (["a", "b"], ["b", "c"], ["b", *many]), strict=True):
        await vault.create(row, b"", labels)
    newest = rows[::-1]

    async def found(*labels: str, **others: Any) -> list[PlanRow]:
        return await vault.search(where=Where(labels=labels), **others)

    assert await found("b") == newest
    assert await found("b", limit=2) == newest[:2]
    assert await found("a", "b") == [rows[0]], "all of the labels"
    assert await found("a", "c") == []
    assert await found("A") == [], "letter by letter"
    assert await found("has:1199", "b") == [rows[2]], "however many there are"
    assert await found("b", group_ids=[rows[1].group_id]) == [rows[1]]
    await written(vault, rows[0], 1, attrs.evolve(rows[0], status=Status.FAILED))
    assert [each.id for each in await found("a")] == [rows[0].id], "labels stay"
    await vault.delete(rows[0].id)
    assert await found("a") == [], "and go with their plan"
    for digits in (rows[1].id.hex, rows[1].id.hex[:13], short_form(rows[1].id)):
        assert await vault.search(where=Where(id_starts=digits)) == [rows[1]], (
            f"{digits} is how an id or its short form begins"
        )
    assert await vault.search(where=Where(id_starts="f" * 32)) == []


PLAN_DEMANDS = (
    _keeps_what_was_created,
    _keeps_every_field_of_a_row,
    _refuses_to_create_twice,
    _does_not_know_unknown_plans,
    _deletes_all_of_a_plan,
    _finds_plans,
    _finds_a_name,
    _finds_outcomes_and_times,
    _finds_labels_and_ids,
)
"""The demands, in the order in which they are made."""
