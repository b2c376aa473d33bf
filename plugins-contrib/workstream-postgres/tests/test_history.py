"""What becomes of transactions of which the end was not seen."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
from trio.testing import trio_test

from workstream import PluginError
from workstream.plugins import NOT_DONE
from workstream_postgres import Execute, ExecuteResult, PostgresExecute, Statement
from workstream_postgres._history import decoded, noted
from workstream_postgres._transaction import application_name

if TYPE_CHECKING:
    from conftest import Attempt, Shop

INSERT = "INSERT INTO items (name) VALUES ('a') RETURNING name"
both_ways = pytest.mark.parametrize("once", [False, True])


async def done(context: Attempt, request: Execute) -> ExecuteResult:
    """Carry it out."""
    return await PostgresExecute().execute(context, request)


async def cut_off(context: Attempt, request: Execute) -> None:
    """An attempt that is cut off right before it commits."""
    with trio.CancelScope() as scope:
        if request.once:
            context.on_report = lambda line: scope.cancel()
        else:
            context.on_remember = scope.cancel
        await done(context, request)
    assert scope.cancelled_caught
    context.on_report = lambda line: None
    context.on_remember = lambda: None


@both_ways
@trio_test
async def test_what_was_committed_is_not_done_again(
    context: Attempt, shop: Shop, once: bool
) -> None:
    """After a crash that came behind the commit, the result is found, rows and all."""
    request = Execute(shop.database, (INSERT, "SELECT 1"), keep_rows=5, once=once)
    first = await done(context, request)

    found = await PostgresExecute().reconcile(context, request)
    again = await done(context.again(), request)

    assert first.rows == ((1,),)
    assert found == again == attrs.evolve(first, found_done=True)
    assert shop.names() == ["a"]


@both_ways
@trio_test
async def test_what_was_not_committed_is_done(
    context: Attempt, shop: Shop, once: bool
) -> None:
    """After a crash that came before the commit, it is known that nothing was done."""
    request = Execute(shop.database, (INSERT,), once=once)
    await cut_off(context, request)

    assert await PostgresExecute().reconcile(context, request) is NOT_DONE
    assert shop.names() == []
    assert not (await done(context.again(), request)).found_done
    assert shop.names() == ["a"]


@pytest.mark.slow
@trio_test
async def test_reading_alone_leaves_no_notes(context: Attempt, shop: Shop) -> None:
    """A transaction that changed nothing need not be found again."""
    await done(context, Execute(shop.database, ("SELECT 1",)))

    assert not context.notes


@pytest.mark.slow
@trio_test
async def test_a_crash_of_the_server_is_no_proof(context: Attempt, shop: Shop) -> None:
    """After a crash a number may have been given away again: a person must look.

    That nothing was committed is known all the same, and so is what the table says.
    """
    by_number = Execute(shop.database, (INSERT,))
    await done(context, by_number)
    lost = attrs.evolve(context, idempotency_key="lost")
    await cut_off(lost, Execute(shop.database, ("INSERT INTO items VALUES (9, 'b')",)))
    by_table = attrs.evolve(context, idempotency_key="table")
    third = Execute(shop.database, ("INSERT INTO items VALUES (7, 'c')",), once=True)
    await done(by_table, third)
    await trio.to_thread.run_sync(shop.server.stop, "immediate")
    await trio.to_thread.run_sync(shop.server.start)

    with pytest.raises(PluginError) as caught:
        await PostgresExecute().reconcile(context, by_number)

    assert caught.value.permanent
    assert "cannot tell any more whether it was: it has crashed" in caught.value.message
    assert await PostgresExecute().reconcile(lost, by_number) is NOT_DONE
    assert await PostgresExecute().reconcile(by_table, third) == ExecuteResult(
        counts=(1,), found_done=True
    )


@trio_test
async def test_a_clean_restart_of_the_server_forgets_nothing(
    context: Attempt, shop: Shop
) -> None:
    """A server that was stopped in order still knows."""
    request = Execute(shop.database, (INSERT,))
    await done(context, request)
    await trio.to_thread.run_sync(shop.server.stop)
    await trio.to_thread.run_sync(shop.server.start)

    assert await PostgresExecute().reconcile(context, request) == ExecuteResult(
        counts=(1,), found_done=True
    )


@pytest.mark.parametrize(
    ("notes", "why"),
    [
        ({"timeline": "1/00000002"}, "another server answers now, or a backup was"),
        ({"transaction": "99999999999"}, "it has forgotten it in a crash"),
        ({"transaction": "3"}, "it was too long ago"),
        ({}, "it has crashed since"),
    ],
)
@trio_test
async def test_another_server_cannot_tell(
    context: Attempt, shop: Shop, notes: dict[str, str], why: str
) -> None:
    """Where the number means something else, the action fails for a person to look."""
    request = Execute(shop.database, (INSERT,))
    await done(context, request)
    context.notes = {**context.notes, "life": "an earlier one", **notes}

    for look in (PostgresExecute().reconcile, PostgresExecute().execute):
        with pytest.raises(PluginError) as caught:
            await look(context.again(), request)

        assert caught.value.permanent
        assert why in caught.value.message
    assert shop.names() == ["a"]


@pytest.mark.slow
@both_ways
@trio_test
async def test_what_still_runs_is_ended_first(
    context: Attempt, shop: Shop, once: bool
) -> None:
    """A transaction that an earlier attempt left on the server is found by its name."""
    shop.sql("INSERT INTO items (name) VALUES ('b')")
    request = Execute(shop.database, (INSERT,), once=once)
    left = attrs.evolve(shop.database, settings={"options": "-c statement_timeout=0"})
    begun = trio.Event()
    other = attrs.evolve(context)
    other.on_report = lambda line: begun.set()
    slow = "DO $$ BEGIN RAISE NOTICE 'begun'; PERFORM pg_sleep(1000); END $$"
    async with trio.open_nursery() as nursery:

        async def earlier() -> None:
            with pytest.raises(PluginError, match="terminating connection due to"):
                await done(other, Execute(left, (INSERT, slow)))

        nursery.start_soon(earlier)
        await begun.wait()
        result = await done(context.again(), request)

    assert result.counts == (1,)
    assert shop.names() == ["b", "a"]


@trio_test
async def test_two_at_once_do_it_once(context: Attempt, shop: Shop) -> None:
    """With ``once`` the second waits for the first, and finds what it did."""
    request = Execute(shop.database, (INSERT,), keep_rows=1, once=True)
    await done(
        attrs.evolve(context, idempotency_key="first to make the table"), request
    )
    shop.sql("TRUNCATE items")
    results: list[ExecuteResult] = []

    async def one() -> None:
        results.append(await done(context, request))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(one)

    assert sorted(result.found_done for result in results) == [False, True, True, True]
    assert {result.rows for result in results} == {(("a",),)}
    assert shop.names() == ["a"]


@trio_test
async def test_the_table_tells_what_was_done(context: Attempt, shop: Shop) -> None:
    """It is made when it is missing, also by several at once, in a schema of choice."""
    shop.sql("CREATE SCHEMA ops AUTHORIZATION deploy")
    async with trio.open_nursery() as nursery:
        for number in range(6):
            request = Execute(
                shop.database,
                (
                    Statement(
                        "INSERT INTO items VALUES (%s, %s)", (number, str(number))
                    ),
                ),
                once=True,
                once_table="ops.done",
            )
            key = f"key-{number}"
            nursery.start_soon(
                done, attrs.evolve(context, idempotency_key=key), request
            )

    assert shop.sql("SELECT idempotency_key, action FROM ops.done ORDER BY 1") == [
        (f"key-{number}", "Plan / Action") for number in range(6)
    ]
    shop.sql("DROP SCHEMA ops CASCADE")


@trio_test
async def test_statements_may_change_role_and_path(
    context: Attempt, shop: Shop
) -> None:
    """What they set for themselves does not hinder the table."""
    shop.sql("DROP ROLE IF EXISTS reader; CREATE ROLE reader; GRANT reader TO deploy")
    request = Execute(
        shop.database,
        ("SET LOCAL search_path = pg_catalog; SET ROLE reader",),
        once=True,
    )

    await done(context, request)

    assert (await done(context.again(), request)).found_done


@trio_test
async def test_a_table_that_may_not_be_made(context: Attempt, shop: Shop) -> None:
    """Who lacks the right is told so, permanently."""
    request = Execute(shop.database, (INSERT,), once=True, once_table="pg_catalog.done")
    with pytest.raises(PluginError) as caught:
        await done(context, request)

    assert caught.value.permanent
    assert caught.value.message.startswith(
        "looking for the table pg_catalog.done (once_table) failed: permission denied"
    )


class Wire:
    """A proxy that can lose what the server answers to COMMIT."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.loses = True
        self.port = 0

    async def handle(self, client: trio.SocketStream) -> None:
        """Pass on what both sides say."""
        server = await trio.open_tcp_stream("127.0.0.1", self.target)
        lost = False

        async def to_client() -> None:
            async for data in server:
                if not lost:
                    with contextlib.suppress(trio.BrokenResourceError):
                        await client.send_all(data)

        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(to_client)
            try:
                async for data in client:
                    if self.loses and b"COMMIT" in data:
                        lost, self.loses = True, False
                        await server.send_all(data)
                        # The server answers before it says farewell to a terminated
                        # connection, so by then it has committed.
                        await server.send_all(b"X\x00\x00\x00\x04")
                        break
                    await server.send_all(data)
            except trio.BrokenResourceError:
                pass
            if not lost:
                nursery.cancel_scope.cancel()


@asynccontextmanager
async def wire_to(shop: Shop) -> AsyncGenerator[Wire]:
    """A proxy to the server."""
    wire = Wire(shop.server.port)
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    wire.port = listener.socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.serve_listeners, wire.handle, [listener]))
        yield wire
        nursery.cancel_scope.cancel()


@both_ways
@trio_test
async def test_a_commit_without_an_answer_is_looked_into(
    context: Attempt, shop: Shop, once: bool
) -> None:
    """When the connection breaks in the commit, the same attempt finds out what was."""
    async with wire_to(shop) as wire:
        database = attrs.evolve(shop.database, port=wire.port)
        wire.loses = not once
        request = Execute(database, (INSERT,), once=once)
        if once:  # its own table is committed before, and not what is to be lost
            other = attrs.evolve(context, idempotency_key="makes the table")
            await done(other, Execute(database, ("SELECT 1",), once=True))
            wire.loses = True
        result = await done(context, request)

    assert not wire.loses
    assert result == ExecuteResult(counts=(1,), found_done=True)
    assert shop.names() == ["a"]


@trio_test
async def test_a_commit_that_was_broken_off_is_known_to_have_failed(
    context: Attempt, shop: Shop
) -> None:
    """When the server ends the commit itself, nothing was done; it may be tried again."""
    shop.sql(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$; "
        "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON items "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()"
    )
    with pytest.raises(PluginError) as caught:
        await done(context, Execute(shop.database, (INSERT,)))

    assert not caught.value.permanent
    assert caught.value.message.startswith("the commit failed: ")
    assert "terminating connection due to administrator" in caught.value.message
    assert shop.names() == []


def test_a_long_result_is_remembered_without_its_rows() -> None:
    """A note is short: what does not fit is counted."""
    rows = tuple(("x" * 100,) for _ in range(100))
    result = ExecuteResult(counts=(100,), columns=("x",), rows=rows, rows_left_out=1)
    endless = ExecuteResult(counts=(1,) * 10_000)

    assert decoded(noted(result)) == ExecuteResult(
        counts=(100,), rows_left_out=101, found_done=True
    )
    assert decoded(noted(endless)) == ExecuteResult(counts=(), found_done=True)


def test_the_name_on_the_server_is_the_action_s_own(context: Attempt) -> None:
    """Whatever the key is, the server stores the name as it is."""
    keys = ["k" * 52, "k" * 53, "k" * 54, "ü", "a\nb", "short"]
    contexts = [attrs.evolve(context, idempotency_key=key) for key in keys]
    names = [application_name(each) for each in contexts]

    assert len(set(names)) == len(keys)
    assert all(len(name) < 64 and name.isascii() for name in names)
    assert names[-1] == "workstream:short"
