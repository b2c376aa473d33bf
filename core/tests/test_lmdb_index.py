"""The index of a store: what it finds is what the rows say, whatever happens to it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import attrs
import pytest
from lmdb_stores import with_store
from quickly import one_in

from workstream import Block, Checks, DeferBatch, DeferredActions, Plan, Sequence
from workstream._codec.codec import Codec
from workstream._codec.labels import labels_in, labels_of, named
from workstream._plan.outcome import Outcome
from workstream._plan.plan import Action, CheckAction
from workstream._plan.walk import new_plan_id
from workstream._protocols.searching import ANY_PLAN, Where, short_form
from workstream._protocols.vault import PlanRow, Write
from workstream._values.errors import StorageError
from workstream._values.state import Status
from workstream._vaults.lmdb import layout
from workstream._vaults.lmdb.index import names
from workstream._vaults.lmdb.index.keys import STATE, all_entries
from workstream._vaults.lmdb.vault import LmdbVault
from workstream._vaults.memory_vault import MemoryVault

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
GROUPS = [UUID(int=number) for number in (1, 2)]
WORDS = ["Deploy", "web", "ÜBER", "straße", "x" * 500, "\udc80", ""]
STATUSES = [each for each in Status if each is not Status.SKIPPED]
"""Those that a plan may have."""
LABELS = ["has:a", "has:b", "by:ana", "many"]
MANY = tuple(f"has:{number}" for number in range(600))
GOLDEN = Path(__file__).with_name("golden")


def raw(vault: LmdbVault, change: Callable[[Any], object]) -> None:
    """Change what is stored, past everything that guards it."""
    vars(vault)["_env"].write(change)


def all_keys(transaction: Any) -> list[bytes]:
    """Every key of the index that is one plan's."""
    found = [key for key, _ in all_entries(transaction)]
    return [key for key in found if not key.startswith(names.NAME)]


def all_names(transaction: Any) -> dict[bytes, bytes]:
    """Every name that stands in a leaf, by its tail."""
    found = all_entries(transaction)
    return {key[2:]: name for key, name in found if key.startswith(names.NAME)}


def some_row(random: Random, plan_id: UUID) -> PlanRow:
    """A row such as there may be."""
    status = random.choice(STATUSES)
    return PlanRow(
        id=plan_id,
        name=" ".join(random.choices(WORDS, k=2)),
        group_id=random.choice([None, *GROUPS]),
        submitted=random.choice(
            [None, *(NOON + timedelta(hours=hour) for hour in range(5))]
        ),
        status=status,
        with_failures=status is Status.COMPLETED and random.random() < 0.5,
    )


def some_search(random: Random) -> dict[str, Any]:
    """What somebody may look for."""

    def maybe(value: Any) -> Any:
        return value if random.random() < 0.4 else None

    outcomes = [outcome for outcome in Outcome if random.random() < 0.5]
    hours = sorted(random.choices(range(6), k=2))
    where = Where(
        outcomes=maybe(outcomes),
        name=maybe(random.choice(["WEB", "über", "STRASSE", "y w", "x" * 450])) or "",
        since=maybe(NOON + timedelta(hours=hours[0])),
        until=maybe(NOON + timedelta(hours=hours[1])),
        labels=maybe(random.sample(LABELS, 2)) or maybe(["has:599"]) or (),
        id_starts=maybe(random.choice(["0", "00000000", "1", "a0"])) or "",
    )
    statuses = [status for status in STATUSES if random.random() < 0.5]
    return {
        "group_ids": maybe(random.sample(GROUPS, random.randint(0, 2))),
        "statuses": maybe(statuses),
        "where": where,
        "limit": random.choice([0, 1, 3]),
    }


@pytest.mark.parametrize("seed", one_in(4, range(4)))
def test_it_finds_what_a_look_at_every_row_finds(path: Path, seed: int) -> None:
    """A vault in memory, which has no index, gives the same answers (STO-15)."""
    random = Random(seed)
    ids = [UUID(int=random.getrandbits(96) << 32) for _ in range(60)]

    async def use(vault: LmdbVault) -> None:
        memory = MemoryVault()
        positions = dict.fromkeys(ids, 0)
        there: list[UUID] = []
        for _ in range(150):
            plan_id = random.choice(ids)
            row = some_row(random, plan_id)
            if plan_id not in there:
                labels = random.choice([(), LABELS[:2], LABELS[1:], MANY])
                for each in (vault, memory):
                    await each.create(row, b"", labels)
                there.append(plan_id)
                positions[plan_id] = 0
            elif random.random() < 0.2:
                if (await memory.row(plan_id)).status is not Status.RUNNING:
                    for each in (vault, memory):
                        await each.delete(plan_id)
                    there.remove(plan_id)
            else:
                positions[plan_id] += 1
                write = Write(plan_id=plan_id, first=positions[plan_id], changes=(row,))
                for each in (vault, memory):
                    assert await each.write([write, write]) == [None, None]
            wanted = some_search(random)
            assert await vault.search(**wanted) == await memory.search(**wanted)
            assert await vault.counts() == await memory.counts()
        assert await vault.wrong_index() == 0
        while there:
            plan_id = there.pop()
            row = await memory.row(plan_id)
            if row.status is Status.RUNNING:
                row = attrs.evolve(row, status=Status.FAILED)
                first = positions[plan_id] + 1
                change = Write(plan_id=plan_id, first=first, changes=(row,))
                assert await vault.write([change]) == [None]
            await vault.delete(plan_id)
        left = list[object]()
        raw(vault, lambda transaction: left.extend(all_entries(transaction)))
        assert left == [], "and nothing of a deleted plan is left in it"
        assert await vault.counts() == {}

    with_store(path, use)


def test_names_stand_in_leaves(path: Path) -> None:
    """In whatever order they come and go, in leaves that are split and given up."""
    random = Random(1)

    async def use(vault: LmdbVault) -> None:
        def change(transaction: Any) -> None:
            kept: dict[bytes, bytes] = {}
            for _ in range(3_000):
                if kept and random.random() < 0.4:
                    tail = random.choice(list(kept))
                    names.remove(transaction, tail)
                    del kept[tail]
                else:
                    tail = random.randbytes(names.TAIL)
                    kept[tail] = b"n" * random.randrange(names.LONGEST)
                    names.add(transaction, tail, kept[tail])
            assert all_names(transaction) == kept
            part = b"n" * 300
            wanted = sorted((t for t, n in kept.items() if part in n), reverse=True)
            named_, tail = names.Named(transaction, part), b"\xff" * 24
            found = list[bytes]()
            while tail := named_(tail):
                found.append(tail)
                tail = (int.from_bytes(tail, "big") - 1).to_bytes(24, "big")
            assert found == wanted
            for tail in kept:
                names.remove(transaction, tail)
            assert all_names(transaction) == {}

        raw(vault, change)

    with_store(path, use)


# -- What was there before --------------------------------------------------------------


def test_a_store_from_before_gets_its_index_when_it_is_opened(path: Path) -> None:
    """With the names of what is in its plans, read off their definitions."""
    shutil.copytree(GOLDEN / "format-1", path)

    async def use(vault: LmdbVault) -> None:
        assert await vault.wrong_index() == 0
        everything = await vault.search()
        assert await vault.search(where=Where(labels=[named("Web-1")])) == everything
        assert await vault.search(where=Where(labels=[named("web-9")])) == []
        [tolerated] = await vault.search(
            where=Where(outcomes=[Outcome.COMPLETED_WITH_FAILURES])
        )
        assert tolerated.name == "Tolerated"

    with_store(path, use)
    assert "version 2" in (path / "workstream").read_text()


def test_a_store_without_room_for_an_index_is_read_without(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It finds the same, and goes on keeping what is written."""
    shutil.copytree(GOLDEN / "format-1", path)

    def full(transaction: Any) -> None:
        message = "the store is full"
        raise StorageError(message)

    monkeypatch.setattr("workstream._vaults.lmdb.changes.build_index", full)

    async def use(vault: LmdbVault) -> None:
        assert "lists and searches read every plan" in caplog.text
        [row] = await vault.search(where=Where(name="FRESH"), limit=5)
        assert await vault.search(where=Where(labels=[named("web-1")]), limit=1) != []
        await vault.write(
            [Write(plan_id=row.id, first=1, changes=(attrs.evolve(row, name="New"),))]
        )
        assert (await vault.search(where=Where(name="new")))[0].id == row.id
        assert await vault.wrong_index() == 1
        assert sum((await vault.counts()).values()) == 6

    with_store(path, use)


def test_labels_are_the_same_however_they_are_read() -> None:
    """Off a plan, and off its definition: the names of all objects in it."""

    def action(name: str) -> Action:
        return Action(name=name, plugin="a.b")

    check = CheckAction(name="Look", plugin="a.c")
    batch = DeferBatch(name="Undo", actions=[action("undo")])
    plan = Plan(
        name="Deploy",
        pre_checks=Checks(actions=[check]),
        blocks=[
            Block(
                name="Tier",
                sequences=[
                    Sequence(name="WEB-1", actions=[action("copy"), action("copy")])
                ],
            )
        ],
        deferred_actions=DeferredActions(batches=[batch]),
    )
    wanted = {f"has:{name}" for name in ("look", "tier", "web-1", "copy", "undo")}
    assert labels_of(plan) == wanted
    assert labels_in(Codec(None).encode_definition(plan)) == wanted


# -- Damage -----------------------------------------------------------------------------


def filled(path: Path) -> list[PlanRow]:
    """A store of some plans; the rows, newest first."""
    rows = [
        PlanRow(
            id=new_plan_id(),
            name=f"Plan {number}",
            submitted=NOON + timedelta(minutes=number),
            group_id=GROUPS[0],
            status=Status.RUNNING if number % 2 else Status.COMPLETED,
        )
        for number in range(4)
    ]

    async def use(vault: LmdbVault) -> None:
        for row in rows:
            await vault.create(row, b"", ["has:web"])

    with_store(path, use)
    return rows[::-1]


SEARCHES: dict[str, dict[str, Any]] = {
    "newest": {"limit": 50},
    "running": {"statuses": [Status.RUNNING]},
    "group": {"group_ids": [GROUPS[0]], "limit": 50},
    "name": {"where": Where(name="plan"), "limit": 50},
    "label": {"where": Where(labels=["has:web"]), "limit": 50},
    "outcome": {"where": Where(outcomes=[Outcome.COMPLETED]), "limit": 50},
    "id": {"where": Where(id_starts="0"), "limit": 50},
}


@pytest.mark.parametrize("kind", ["lost", "strange", "name", "count", "all"])
def test_the_doctor_finds_any_wrong_key(path: Path, kind: str) -> None:
    """Every key of the index, one after the other: found, and built anew (STO-15)."""
    rows = filled(path)

    async def use(vault: LmdbVault) -> None:
        keys = list[bytes]()
        raw(vault, lambda transaction: keys.extend(all_keys(transaction)))
        for key in keys if kind in ("lost", "strange") else keys[:1]:

            def damage(transaction: Any, key: bytes = key) -> None:
                if kind == "lost":
                    transaction.delete(key)
                elif kind == "strange":
                    transaction.put(key[:-1] + b"\x01", b"")
                elif kind == "name":
                    cursor = transaction.cursor()
                    cursor.set_range(names.NAME)
                    transaction.put(cursor.key(), cursor.value()[:-1])
                elif kind == "count":
                    transaction.put(layout.INDEX + b"cFAILED", b"\0" * 7 + b"\x01")
                else:
                    transaction.delete(STATE)

            raw(vault, damage)
            assert await vault.wrong_index() > 0
            await vault.build_index()
            assert await vault.wrong_index() == 0
        for wanted in SEARCHES.values():
            found = await vault.search(**wanted)
            assert found == [row for row in rows if row in found] != []

    with_store(path, use)


@pytest.mark.parametrize("kind", [kind for kind in SEARCHES if kind != "id"])
def test_an_index_that_contradicts_the_rows_is_not_believed(
    path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What is found is what the rows say, as ids are read off rows; and a warning tells of the doctor."""
    filled(path)
    search = SEARCHES[kind]

    async def use(vault: LmdbVault) -> None:
        before = await vault.search(**search)
        changed = before[0]

        def damage(transaction: Any) -> None:
            for key in list(all_keys(transaction)):
                if key.endswith(changed.id.bytes):
                    other = key[:-24] + b"\x7f" + key[-23:]
                    transaction.delete(key)
                    transaction.put(other, b"")
            leaf, value = names.leaf_of(transaction, b"\xff" * 24)
            transaction.put(leaf, value[:-1])

        raw(vault, damage)
        assert await vault.search(**search) == before
        assert "the index of the store is wrong" in caplog.text

    with_store(path, use)


def test_a_running_plan_that_the_index_has_lost_is_found(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An engine that starts recovers it: the index is counted (R-1)."""
    rows = filled(path)

    async def use(vault: LmdbVault) -> None:
        def damage(transaction: Any) -> None:
            for key in list(all_keys(transaction)):
                if key.endswith(rows[0].id.bytes) and key.startswith(b"io"):
                    transaction.delete(key)

        raw(vault, damage)
        running = await vault.search(statuses=[Status.RUNNING])
        assert running == [rows[0], rows[2]]
        assert "2 plans were counted, and 1 found" in caplog.text

    with_store(path, use)


def test_a_write_gives_up_an_index_that_is_wrong(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The write is done; what is found from then on is read off the rows."""
    rows = filled(path)

    async def use(vault: LmdbVault) -> None:
        def damage(transaction: Any) -> None:
            for key in list(all_keys(transaction)):
                if key.startswith(b"io"):
                    transaction.delete(key)

        raw(vault, damage)
        ended = attrs.evolve(rows[0], status=Status.FAILED)
        write = Write(plan_id=ended.id, first=1, changes=(ended,))
        assert await vault.write([write]) == [None]
        assert "the index of the store is wrong" in caplog.text
        assert await vault.search(statuses=[Status.FAILED]) == [ended]
        assert await vault.counts() == {
            Outcome.FAILED: 1,
            Outcome.RUNNING: 1,
            Outcome.COMPLETED: 2,
        }

    with_store(path, use)
    with_store(path, _is_well)


async def _is_well(vault: LmdbVault) -> None:
    """Whoever opens it next has built the index anew."""
    assert await vault.wrong_index() == 0


def test_a_plan_whose_row_is_damaged_is_told_of(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Before the index is built anew and after; and it can be deleted, keys and all."""
    [first, *others] = filled(path)

    async def use(vault: LmdbVault) -> None:
        def damage(transaction: Any) -> None:
            transaction.put(layout.ROW + first.id.bytes, b"\x01?")

        raw(vault, damage)
        for _ in range(2):
            caplog.clear()
            assert await vault.search(limit=50) == others
            assert str(first.id) in caplog.text
            assert await vault.search(statuses=[Status.RUNNING]) == [others[1]]
            await vault.build_index()
        assert await vault.wrong_index() == 0
        await vault.delete(first.id)
        assert await vault.wrong_index() == 0
        assert await vault.search(limit=50) == others

    caplog.set_level(logging.WARNING, "workstream")
    with_store(path, use)


def test_a_damaged_plan_leaves_no_key_behind(path: Path) -> None:
    """Deleted while the index still has the keys that were read off its row."""
    [first, *others] = filled(path)

    async def use(vault: LmdbVault) -> None:
        raw(vault, lambda t: t.put(layout.ROW + first.id.bytes, b"\x01?"))
        await vault.delete(first.id)
        assert await vault.wrong_index() == 0
        assert await vault.search(where=ANY_PLAN, limit=9) == others
        starts = short_form(others[0].id)
        assert await vault.search(where=Where(id_starts=starts)) == [others[0]]

    with_store(path, use)
