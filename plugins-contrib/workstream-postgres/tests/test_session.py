"""Connections that are given up in the middle of something."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
from trio.testing import MockClock, trio_test, wait_all_tasks_blocked

from workstream import PluginError
from workstream_postgres import Database, Execute, PostgresExecute

if TYPE_CHECKING:
    from conftest import Attempt, Shop

SLOW = "DO $$ BEGIN RAISE NOTICE 'begun'; PERFORM pg_sleep(1000); END $$"
INSERT = "INSERT INTO items (name) VALUES ('a')"


@trio_test
async def test_a_server_that_hangs_is_left(
    context: Attempt, shop: Shop, mock_clock: MockClock
) -> None:
    """A server that does not cancel in time is cut off, and the attempt ends."""
    stopped: list[int] = []
    with trio.CancelScope() as scope:

        def stop_it(line: str) -> None:
            if line == "NOTICE: begun":
                query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
                ((pid,),) = shop.sql(query, f"workstream:{context.idempotency_key}")
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
                # Only now: the server takes real time until it has answered so far.
                mock_clock.autojump_threshold = 0.02
                scope.cancel()

        context.on_report = stop_it
        try:
            await PostgresExecute().execute(
                context, Execute(shop.database, (INSERT, SLOW))
            )
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    assert scope.cancelled_caught
    assert shop.names() == []


@trio_test
async def test_what_is_cancelled_is_not_begun(context: Attempt, shop: Shop) -> None:
    """An attempt that is cancelled before it has a connection does nothing."""
    with trio.CancelScope() as scope:
        scope.cancel()
        await PostgresExecute().execute(context, Execute(shop.database, (INSERT,)))

    assert scope.cancelled_caught
    assert shop.names() == []


@trio_test
async def test_connecting_is_interrupted(
    context: Attempt, mock_clock: MockClock
) -> None:
    """A server that accepts and says nothing is left, by a timeout or a cancellation."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    database = Database(host="127.0.0.1", port=port, connect_timeout=7)
    request = Execute(database, ("SELECT 1",))
    ends = 0

    async def silent(stream: trio.SocketStream) -> None:
        nonlocal ends
        async with stream:
            async for _ in stream:
                pass
        ends += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, silent, [listener])
        async with trio.open_nursery() as other:
            other.start_soon(PostgresExecute().execute, context, request)
            await wait_all_tasks_blocked(0.1)
            other.cancel_scope.cancel()
        mock_clock.autojump_threshold = 0.1
        with pytest.raises(PluginError) as caught:
            await PostgresExecute().execute(context, request)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert ends == 2
    assert caught.value == PluginError(
        "database at 127.0.0.1 cannot be reached: no answer within 7 seconds "
        "(connect_timeout)"
    )


@trio_test
async def test_a_timeout_says_what_was_waited_for(
    context: Attempt, mock_clock: MockClock
) -> None:
    """An attempt that ends while it connects names the database."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    database = Database(host="127.0.0.1", port=port, name="shop", connect_timeout=9)

    async def silent(stream: trio.SocketStream) -> None:
        async with stream:
            await wait_all_tasks_blocked(0.1)
            mock_clock.jump(5)
            async for _ in stream:
                pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, silent, [listener])
        with trio.move_on_after(5), pytest.raises(PluginError) as caught:
            await PostgresExecute().execute(context, Execute(database, ("SELECT 1",)))
        nursery.cancel_scope.cancel()

    assert caught.value.message == (
        "database 'shop' at 127.0.0.1 cannot be reached: no answer yet"
    )


@trio_test
async def test_settings_reach_libpq(context: Attempt, shop: Shop) -> None:
    """Parameters that have no field of their own are passed on."""
    database = attrs.evolve(
        shop.database, settings={"options": "-c work_mem=7MB"}, sslmode="prefer"
    )
    result = await PostgresExecute().execute(
        context,
        Execute(database, ("SELECT current_setting('work_mem')",), keep_rows=1),
    )

    assert result.rows == (("7MB",),)


@trio_test
async def test_what_must_be_secured_is_not_sent_in_the_clear(
    context: Attempt, shop: Shop
) -> None:
    """With ``sslmode="require"`` a server without TLS is an error."""
    database = attrs.evolve(shop.database, sslmode="require")
    with pytest.raises(PluginError, match="server does not support SSL"):
        await PostgresExecute().execute(context, Execute(database, ("SELECT 1",)))


@trio_test
async def test_what_is_left_out_is_found_as_psql_finds_it(
    context: Attempt, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libpq's variables fill the fields that a plan leaves empty."""
    monkeypatch.setenv("PGHOST", str(shop.server.directory))
    monkeypatch.setenv("PGPORT", str(shop.server.port))
    monkeypatch.setenv("PGUSER", "deploy")
    result = await PostgresExecute().execute(
        context,
        Execute(Database(name=shop.name), ("SELECT current_user::text",), keep_rows=1),
    )

    assert result.rows == (("deploy",),)
