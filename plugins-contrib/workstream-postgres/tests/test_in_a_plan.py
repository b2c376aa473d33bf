"""The plugins in a plan that the engine runs, stores, and recovers."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
from trio.testing import trio_test

from workstream import (
    Action,
    Block,
    Checks,
    Outcome,
    Plan,
    Registry,
    SecretRef,
    Sequence,
    Status,
    failures,
    from_json,
    open_workstream,
    plan_text,
    to_json,
)
from workstream_postgres import (
    Execute,
    ExecuteResult,
    PostgresCheck,
    PostgresExecute,
    Query,
    QueryResult,
    Statement,
    workstream_plugins,
)

if TYPE_CHECKING:
    from conftest import Shop

PASSWORD = "correct horse battery"
TOKEN = "abracadabra"

ENGINE = """
import os, signal, sys, trio
from workstream import Registry, from_json, open_workstream
from workstream_postgres import _transaction, workstream_plugins

store, plan, dies = sys.argv[1:]
if dies:
    commit = _transaction._Transaction._commit
    async def commit_and_die(*args):
        await commit(*args)
        os.kill(os.getpid(), signal.SIGKILL)
    _transaction._Transaction._commit = commit_and_die

async def main():
    registry = Registry(workstream_plugins())
    async with open_workstream(store, registry=registry) as ws:
        await ws.run(from_json(plan, registry))

trio.run(main)
"""


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the plans refer to."""
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    monkeypatch.setenv("TOKEN", TOKEN)


def a_plan(*actions: Action, checks: Checks | None = None) -> Plan:
    """A plan of these actions."""
    sequence = Sequence(name="Sequence", actions=list(actions))
    block = Block(name="Block", sequences=[sequence])
    return Plan(name="Plan", pre_checks=checks, blocks=[block])


@trio_test
async def test_requests_are_stored_and_secrets_are_not(
    shop: Shop, tmp_path: Path
) -> None:
    """Everything comes back as it was; no secret is shown, or stored."""
    database = attrs.evolve(shop.database, password=SecretRef("env:DB_PASSWORD"))
    token = SecretRef("env:TOKEN")
    plan = a_plan(
        PostgresExecute.action(
            Execute(
                database,
                (
                    Statement("INSERT INTO items (name) VALUES (%s)", (token,)),
                    "SELECT name FROM items",
                    "DO $$ BEGIN RAISE NOTICE 'it is %', (SELECT name FROM items); "
                    "END $$",
                ),
                keep_rows=1,
            ),
            name="Insert",
        ),
        PostgresExecute.action(
            Execute(
                database, (Statement("SELECT (%(a)s::text)::int", named={"a": token}),)
            ),
            name="Fail",
        ),
        checks=Checks(
            actions=[
                PostgresCheck.action(
                    Query(database, "SELECT count(*) FROM items", value=0), name="Empty"
                )
            ]
        ),
    )
    registry = Registry(workstream_plugins())
    store = tmp_path / "store"
    async with open_workstream(store, registry=registry) as engine:
        result = await engine.run(plan)
        assert result.id is not None
        seen = [event async for event in engine.watch(result.id)]

    insert, fail = result.blocks[0].sequences[0].actions
    assert result.outcome is Outcome.FAILED
    assert [insert.request, fail.request] == [
        action.request for action in plan.blocks[0].sequences[0].actions
    ]
    assert insert.response == ExecuteResult(
        counts=(1, 1, 0), columns=("name",), rows=(("[secret hidden]",),)
    )
    assert result.pre_checks is not None
    assert result.pre_checks.actions[0].response == QueryResult(0)
    assert "invalid input syntax" in str(failures(result)[0].error)
    shown = repr(result) + plan_text(result) + to_json(result) + repr(seen)
    stored = b"".join(file.read_bytes() for file in store.rglob("*") if file.is_file())
    for secret in (PASSWORD, TOKEN):
        assert secret not in shown
        assert secret.encode() not in stored


def test_plans_travel_as_json(shop: Shop) -> None:
    """A plan that was written and read again is the same."""
    database = attrs.evolve(shop.database, settings={"target_session_attrs": "any"})
    registry = Registry(workstream_plugins())
    plan = a_plan(
        PostgresExecute.action(
            Execute(
                database, ("SELECT 1", Statement("x", (1, None, ["a"]), affects=1))
            ),
            name="Action",
        )
    )

    assert from_json(to_json(plan, with_secrets=True), registry) == plan


async def recovered(store: Path) -> Action:
    """Recover the one plan of a store; its one action, when it has ended."""
    async with open_workstream(store, registry=Registry(workstream_plugins())) as ws:
        (row,) = await ws.list()
        assert row.id is not None
        with trio.fail_after(60):
            plan = await ws.wait(row.id)
    return plan.blocks[0].sequences[0].actions[0]


def engine(store: Path, action: Action, dies: str) -> subprocess.Popen[str]:
    """An engine that runs a plan of this action, in a process of its own."""
    plan = to_json(a_plan(action), with_secrets=True)
    return subprocess.Popen(
        [sys.executable, "-c", ENGINE, str(store), plan, dies], text=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("once", [False, True])
def test_an_engine_that_dies_behind_the_commit(
    shop: Shop, tmp_path: Path, once: bool
) -> None:
    """The next engine finds out that the transaction was committed (R-7)."""
    database = attrs.evolve(shop.database, password=SecretRef("env:DB_PASSWORD"))
    insert = "INSERT INTO items (name) VALUES ('a')"
    request = Execute(database, (insert,), once=once)
    with engine(
        tmp_path / "store", PostgresExecute.action(request, name="Insert"), "dies"
    ) as process:
        assert process.wait(60) == -signal.SIGKILL

    action = trio.run(recovered, tmp_path / "store")

    assert action.state.status is Status.COMPLETED
    assert action.response == ExecuteResult(counts=(1,), found_done=True)
    assert shop.names() == ["a"]


@pytest.mark.slow
def test_an_engine_that_dies_in_a_statement(shop: Shop, tmp_path: Path) -> None:
    """The next engine ends what the server still does, and does it anew (R-7)."""
    database = attrs.evolve(shop.database, password=SecretRef("env:DB_PASSWORD"))
    shop.sql("CREATE TABLE attempts (pid int)")
    statement = (
        "INSERT INTO items (name) VALUES ('a'); "
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM attempts) THEN "
        "PERFORM pg_sleep(1000); END IF; END $$"
    )
    shop.sql("GRANT SELECT ON attempts TO deploy")
    request = Execute(database, (statement,))
    with engine(
        tmp_path / "store",
        PostgresExecute.action(request, name="Insert", timeout=3600),
        "",
    ) as process:
        asleep = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        while not shop.sql(asleep):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    shop.sql("INSERT INTO attempts VALUES (1)")

    action = trio.run(recovered, tmp_path / "store")

    assert action.state.status is Status.COMPLETED
    assert [attempt.interrupted for attempt in action.attempts] == [True, False]
    assert shop.gets_idle()
    assert shop.names() == ["a"]


def test_what_is_installed_is_found() -> None:
    """Both plugins come by installing the distribution."""
    names = Registry.installed().names

    assert {"postgres.execute", "postgres.check"} <= set(names)
