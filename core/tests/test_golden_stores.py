"""Stores that earlier versions have written: every one is read for ever (STO-7).

``golden/format-N`` is a store as the first engine of that format wrote it; what it must
hold is written below. A form whose version byte changes (a definition, a record, a row,
a request, a line), or a field that is new in one of them, brings a new directory, made
by

    python core/tests/test_golden_stores.py core/tests/golden/format-N.M

and the directories there are stay as they are: a plan that only newer ones hold is added
to ``all_plans`` by the name of the directory. A change of the store's own layout is a
new N (``_vaults.store_marker.VERSION``).
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import lmdb
import pytest
import trio

from workstream import (
    SECURE,
    Action,
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    DeferBatch,
    DeferredActions,
    Plan,
    PluginError,
    Registry,
    SecretRef,
    Sequence,
    Status,
    WhenDeferred,
    late,
    open_workstream,
    sure,
    text,
)
from workstream._codec.codec import Codec
from workstream._codec.labels import labels_of
from workstream._codec.lines import Line, encode_line
from workstream._codec.records import plan_changes, row_of
from workstream._plan.plan import BaseAction
from workstream._plan.walk import give_ids, position_of
from workstream._protocols.vault import STOP, Change, LineRecord, PlanRow, Write
from workstream._secrets.references import StoredValue
from workstream._store.asking import asked
from workstream._values.interventions import Freeze, Word
from workstream._values.state import Attempt, NoteValue
from workstream._vaults.store_marker import VERSION
from workstream.errors import StoreFormatError
from workstream.results import (
    Effect,
    FailureReason,
    Intervention,
    Origin,
    OutputLine,
    State,
    StateChange,
    Verb,
    WatchEvent,
    walk,
)
from workstream.vaults import LmdbVault

GOLDEN = Path(__file__).with_name("golden")
FORMATS = sorted(path.name for path in GOLDEN.glob("format-*"))
NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
N, R, C, K, F, S = Status


# -- What is in it -----------------------------------------------------------------------


@attrs.frozen
class Ask:
    """A request with a bit of everything."""

    host: str
    files: tuple[str, ...] = ()
    limits: dict[str, float | None] = attrs.field(factory=dict[str, float | None])
    password: SecretRef | None = None
    session: str | None = attrs.field(default=None, metadata=SECURE)


@attrs.frozen
class Answer:
    """What was done."""

    bytes_sent: int
    at: datetime
    token: str = attrs.field(metadata=SECURE)


class Copy(ActionPlugin[Ask, Answer]):
    """Copies."""

    name = "golden.copy"

    async def execute(self, context: Context, request: Ask) -> Answer:
        """Do nothing, quickly."""
        return Answer(2**70, NOON, "secret")


class Look(CheckPlugin[Ask, None]):
    """Looks."""

    name = "golden.look"

    async def execute(self, context: Context, request: Ask) -> None:
        """See nothing wrong."""


def plan_id(number: int) -> UUID:
    """An id, version 7, of the plan with this number."""
    return UUID(int=(0x19C130A7D00 + number) << 80 | 7 << 76 | 2 << 62 | number << 32)


def ask(host: str) -> Ask:
    """A request that uses every field."""
    return Ask(
        host=host,
        files=("a", "ü \udc80"),
        limits={"rate": 1.5, "size": None},
        password=SecretRef("env:PASSWORD"),
        session="secret",
    )


def fresh(number: int, name: str) -> Plan:
    """A plan that was just submitted."""
    checks = Checks(delay=2.5, actions=[Look.action(ask("balancer"), name="look")])
    copy = Copy.action(ask("web-1"), name="copy", retries=2, timeout=5, key="copy 1")
    wipe = Copy.action(Ask("web-1"), name="wipe", retries=None, deadline=60)
    again = Copy.action(ask("web-2"), name="copy", retries=1)
    plan = Plan(
        name=name,
        description="made for ever",
        group_id=UUID(int=7),
        meta=b"\xff\0meta",
        pre_checks=checks,
        blocks=[
            Block(
                name="Tier",
                concurrency=2,
                tolerated_failures=1,
                exit_delay=0.25,
                sequences=[
                    Sequence(name="web-1", actions=[copy, wipe]),
                    Sequence(name="web-2", actions=[again]),
                ],
            )
        ],
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="Undo",
                    when=WhenDeferred.ON_FAILURE,
                    actions=[Copy.action(ask("undo"), name="undo")],
                )
            ]
        ),
    )
    give_ids(plan, plan_id(number))
    plan.submitted = NOON
    return plan


def done(node: Any, status: Status, *attempts: Attempt) -> None:
    """Let an object have ended."""
    node.state = State(status, NOON, LATER)
    if isinstance(node, BaseAction):
        node.attempts.extend(attempts)


def attempt(**given: Any) -> Attempt:
    """An attempt that has ended."""
    return Attempt(started=NOON, ended=LATER, **given)


def running(number: int = 2, name: str = "Running") -> Plan:
    """In the middle: one action is done, one is being done, one waits for its retry."""
    plan = fresh(number, name)
    plan.state = State(R, NOON)
    plan.runtime_update = LATER
    assert plan.pre_checks is not None
    done(plan.pre_checks, C)
    done(plan.pre_checks.actions[0], C, attempt())
    [block] = plan.blocks
    block.state = State(R, NOON)
    for sequence in block.sequences:
        sequence.state = State(R, NOON)
    copy, wipe, other = actions_of(plan)
    done(copy, C, attempt(response=Answer(2**70, NOON, "secret")))
    wipe.state = State(R, LATER)
    wipe.attempts.append(Attempt(started=LATER, notes={"pid": 2**64, "raw": b"\0"}))
    other.state = State(R, NOON)
    other.attempts.append(attempt(error=PluginError("busy", code=3)))
    return plan


def failed() -> Plan:
    """At its end, with errors behind errors."""
    plan = fresh(3, "Failed")
    done(plan, F)
    plan.reasons = (FailureReason.BLOCK,)
    assert plan.pre_checks is not None
    done(plan.pre_checks, C)
    done(plan.pre_checks.actions[0], C, attempt())
    done(plan.blocks[0], F)
    copy, _, other = actions_of(plan)
    error = PluginError(
        "outer", code=2**70, permanent=True, wrapped=PluginError("inner", code=-1)
    )
    for sequence, action in zip(plan.blocks[0].sequences, (copy, other), strict=True):
        done(sequence, F)
        done(action, F, attempt(error=PluginError("first")), attempt(error=error))
    copy.attempts[0].interrupted = True
    copy.attempts[1].unresponsive = True
    assert plan.deferred_actions is not None
    [batch] = plan.deferred_actions.batches
    for node in (plan.deferred_actions, batch):
        done(node, C)
    done(batch.actions[0], C, attempt(response=Answer(0, NOON, "")))
    return plan


def stopped() -> Plan:
    """Never started, and never to be."""
    plan = fresh(4, "Stopped")
    plan.state = State(S, None, LATER)
    plan.reasons = (FailureReason.STOPPED,)
    plan.stopping = True
    return plan


def tolerated() -> Plan:
    """Completed, though a sequence failed: its row says so (OM-4)."""
    plan = fresh(5, "Tolerated")
    done(plan, C)
    assert plan.pre_checks is not None
    done(plan.pre_checks, C)
    done(plan.pre_checks.actions[0], C, attempt())
    [block] = plan.blocks
    done(block, C)
    copy, wipe, other = actions_of(plan)
    done(block.sequences[0], C)
    done(copy, C, attempt(response=Answer(0, NOON, "")))
    done(wipe, C, attempt(response=Answer(0, NOON, "")))
    done(block.sequences[1], F)
    done(other, F, attempt(error=PluginError("busy", permanent=True)))
    assert plan.deferred_actions is not None
    done(plan.deferred_actions, C)
    return plan


def actions_of(plan: Plan) -> list[Action]:
    """The actions of its sequences."""
    return [a for sequence in plan.blocks[0].sequences for a in sequence.actions]


def all_plans(store: Path) -> list[Plan]:
    """All that the golden store of this name holds; newer ones may hold more."""
    found = [
        fresh(1, "Fresh"),
        running(),
        failed(),
        stopped(),
        tolerated(),
        running(6, "Asked"),
    ]
    if store.name not in ("format-1", "format-2"):
        found.append(locked())
    if store.name not in ("format-1", "format-2", "format-2.1"):
        found.append(flowing())
    if store.name not in ("format-1", "format-2", "format-2.1", "format-2.2"):
        found.append(told())
    return found


def flowing() -> Plan:
    """A plan of which a request waits for a response: references beside a request."""
    plan = fresh(8, "Flowing")
    first, second = plan.blocks[0].sequences[0].actions[:2]
    first.key = "source"
    source = Copy.response("source")
    second.request = late(Ask)(
        host=text("host-{}", source.bytes_sent),
        files=("a", text("{}-{}", source.bytes_sent, 7)),
        password=SecretRef("env:PASSWORD"),
        session=sure(source.token),
    )
    give_ids(plan, plan_id(8))
    return plan


def told() -> Plan:
    """A plan that people have told something of every kind; it is paused."""
    plan = running(9, "Told")
    tier = "Told / Tier"
    words: list[tuple[Verb, str, dict[str, NoteValue], Effect]] = [
        (Verb.PAUSE, "", {}, Effect.TAKEN),
        (Verb.UNPAUSE, "", {}, Effect.TAKEN),
        (Verb.FREEZE, "", {}, Effect.TAKEN),
        (Verb.UNFREEZE, "", {}, Effect.TAKEN),
        (Verb.SKIP, "Told / After", {}, Effect.TAKEN),
        (Verb.SKIP, f"{tier} / web-1 / copy", {}, Effect.TOO_LATE),
        (Verb.SET_LIMITS, tier, {"concurrency": 2**70}, Effect.TAKEN),
        (Verb.SET_LIMITS, tier, {"concurrency": 0}, Effect.REFUSED),
        (Verb.PAUSE, "", {}, Effect.TAKEN),
    ]
    plan.interventions = tuple(
        Intervention(
            verb=verb,
            path=path,
            by="ana@bastion",
            at=LATER,
            reason="why: \x1b[31mü",
            data=data,
            effect=effect,
            words="" if effect is Effect.TAKEN else "too bad",
        )
        for verb, path, data, effect in words
    )
    assert plan.deferred_actions is not None
    [batch] = plan.deferred_actions.batches
    for node in (batch.actions[0], batch, plan.deferred_actions):
        node.state = State(K, None, LATER)
    return plan


THAWED = Freeze(
    begun=Word(by="ana", at=NOON, reason="why"),
    ended=Word(by="ben", at=LATER),
    exempt={plan_id(2): Word(by="cy", at=LATER, reason="urgent")},
)


def locked() -> Plan:
    """A retry that holds locks, and says where it comes from: rows of version 2."""
    plan = failed()
    plan.name = "Locked"
    give_ids(plan, plan_id(7))
    plan.submitted, plan.submitter = NOON, "ana@bastion"
    plan.retry_of, plan.undo_of = plan_id(3), plan_id(5)
    plan.locks = ("db", "web")
    plan.origin = Origin(
        by="ana",
        host="bastion",
        file="deploy.py",
        digest="sha256:00",
        parameters=(("version", "2.1"), ("hosts", "@web.txt sha256:01")),
    )
    return plan


LINE = Line(number=1, time=NOON, attempt=1, text="half\tdone", done=1.0, total=2.0)


async def make(path: Path) -> None:
    """Make a golden store."""
    vault = LmdbVault(path, map_size=2**20)
    await vault.open()
    codec = Codec(Registry([Copy(), Look()]))
    for plan in all_plans(path):
        row = row_of(plan)
        fresh_row = attrs.evolve(row, status=N, with_failures=False)
        definition = codec.encode_definition(plan)
        await vault.create(fresh_row, definition, labels_of(plan))
        changes: list[Change] = list(plan_changes(plan, 0))
        for item in walk(plan):
            node = item.node
            if node is plan or node.state == State():
                continue
            if isinstance(node, BaseAction) and len(node.attempts) > 1:
                kept, node.attempts = node.attempts, node.attempts[:1]
                changes.append(codec.record_of(node))
                node.attempts = kept
            changes.append(codec.record_of(node))
        if plan.name == "Running":
            changes.append(
                LineRecord(position_of(actions_of(plan)[0]), 1, encode_line(LINE))
            )
        write = Write(plan_id=row.id, first=1, changes=tuple(changes))
        assert await vault.write([write]) == [None]
    for plan in (stopped(), running(6, "Asked")):
        await vault.ask(*asked(row_of(plan), STOP, at=LATER, by="ana", reason="?"))
    if any(plan.interventions for plan in all_plans(path)):
        assert await vault.set_freeze(THAWED, None)
    await vault.close()
    for name in ("lock.mdb", "owners"):
        (path / name).unlink()


# -- Reading it ----------------------------------------------------------------------------


@pytest.fixture(params=FORMATS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a store of each format."""
    path = tmp_path / str(request.param)
    shutil.copytree(GOLDEN / request.param, path)
    return path


@asynccontextmanager
async def opened(path: Path) -> AsyncGenerator[LmdbVault]:
    """The store, open."""
    vault = LmdbVault(path, create=False)
    await vault.open()
    try:
        yield vault
    finally:
        await vault.close()


def test_there_is_a_store_of_each_format() -> None:
    """From the first one to the one that this engine writes."""
    assert FORMATS == ["format-1", "format-2", "format-2.1", "format-2.2", "format-2.3"]
    assert VERSION == 2


def test_every_plan_is_as_it_was(store: Path) -> None:
    """To the last field; and so it is written again."""

    async def main() -> None:
        codec = Codec(Registry([Copy(), Look()]))
        async with opened(store) as vault:
            assert len(await vault.search()) == len(all_plans(store))
            for expected in all_plans(store):
                assert expected.id is not None
                kept = await vault.read(expected.id)
                assert codec.load(kept) == expected
                row = row_of(expected)
                if store.name != FORMATS[-1]:  # undo plans did not count hosts then
                    row = attrs.evolve(row, taken_back=kept.row.taken_back)
                assert kept.row == row
                assert codec.encode_definition(codec.load(kept)) == kept.definition
            numbers = [9, 6, 2][len(all_plans(store)) < 9 :]
            running_rows = [await vault.row(plan_id(number)) for number in numbers]
            assert vault.freeze() == (THAWED if 9 in numbers else None)
            assert await vault.search(statuses=[R]) == running_rows
            [request] = (await vault.read(plan_id(6))).requests
            assert (request.verb, request.by, request.reason) == (STOP, "ana", "?")
            assert request.at == LATER
            completed = await vault.search(statuses=[C])
            assert [row.outcome for row in completed] == [
                plan.outcome for plan in all_plans(store) if plan.state.status is C
            ]

    trio.run(main)


def entries(path: Path) -> dict[bytes, bytes]:
    """All that is in the store's file, as it is there."""
    with (
        lmdb.open(str(path), readonly=True, lock=False) as environment,
        environment.begin() as transaction,
    ):
        return {bytes(key): bytes(value) for key, value in transaction.cursor()}


def test_this_engine_writes_the_newest_format(tmp_path: Path) -> None:
    """Every definition, record, row, request and line is the same, to the byte."""
    path = tmp_path / FORMATS[-1]
    trio.run(make, path)
    golden = entries(GOLDEN / FORMATS[-1])
    assert entries(path) == golden
    kinds = {key[:1] for key in golden}
    assert kinds == {b"d", b"s", b"l", b"o", b"q", b"r", b"w", b"i", b"f"}


def test_it_is_read_without_its_plugins(store: Path) -> None:
    """And tells no secret then (STO-8)."""

    async def main() -> None:
        async with opened(store) as vault:
            plan = Codec(None).load(await vault.read(plan_id(2)))
        copy = actions_of(plan)[0]
        assert isinstance(copy.request, StoredValue)
        assert isinstance(copy.response, StoredValue)
        assert copy.request.secret == (("session",),)
        assert copy.response.secret == (("token",),)

    trio.run(main)


def test_its_log_is_read(store: Path) -> None:
    """Every change of a plan, from the first on (WA-1)."""

    async def main() -> None:
        registry = Registry([Copy(), Look()])
        async with open_workstream(store, registry=registry, recover=False) as ws:
            events = [event async for event in ws.watch(plan_id(3), after=0)]
            assert [event.position for event in events] == list(
                range(1, len(events) + 1)
            )
            first = events[0]
            assert isinstance(first, StateChange)
            assert first.state == State(F, NOON, LATER)
            event: WatchEvent | None = None
            async with aclosing(ws.watch(plan_id(2), after=0)) as watched:
                async for event in watched:
                    if isinstance(event, OutputLine):
                        break
            assert isinstance(event, OutputLine)
            assert event.text == "half\tdone"
            assert event.path == "Running / Tier / web-1 / copy"

    trio.run(main)


def test_a_run_goes_on_in_it(
    store: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What an engine of that time began, this one ends."""
    monkeypatch.setenv("PASSWORD", "hush")
    caplog.set_level(logging.CRITICAL, "workstream")

    async def main() -> None:
        registry = Registry([Copy(), Look()])
        async with open_workstream(store, registry=registry, now=lambda: LATER) as ws:
            assert not ws.recovery_errors
            result = await ws.wait(plan_id(2))
            assert result.state.status is C
            kinds = [
                [one.interrupted or one.error is None for one in action.attempts]
                for action in actions_of(result)
            ]
            assert kinds == [[True], [True, True], [False, True]]
            await ws.start(plan_id(1))
            assert (await ws.wait(plan_id(1))).state.status is C

    trio.run(main)


def test_a_newer_store_is_refused(store: Path) -> None:
    """And is left as it is: not one byte of it changes."""
    (store / "workstream").write_text(f"workstream store, version {VERSION + 1}\n")
    before = {path.name: path.read_bytes() for path in store.iterdir()}

    async def main() -> None:
        with pytest.raises(StoreFormatError, match="use a newer workstream"):
            await LmdbVault(store).open()

    trio.run(main)
    assert {path.name: path.read_bytes() for path in store.iterdir()} == before


def test_a_plan_of_a_newer_engine_is_that_plan_s_trouble(store: Path) -> None:
    """A row of a form that this engine does not know is named, and others are read."""

    async def main() -> None:
        async with opened(store) as vault:
            row: PlanRow = await vault.row(plan_id(1))
            environment: Any = vars(vault)["_env"]

            def make_newer(transaction: Any) -> None:
                transaction.put(b"r" + row.id.bytes, b"\x7fnewer")

            environment.write(make_newer)
            assert len(await vault.search()) == len(all_plans(store)) - 1
            with pytest.raises(
                Exception,
                match="its form is version 127",
            ):
                await vault.read(row.id)

    trio.run(main)


if __name__ == "__main__":
    trio.run(make, Path(sys.argv[1]))
