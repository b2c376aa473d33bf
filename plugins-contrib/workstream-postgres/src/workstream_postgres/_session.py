"""One connection to a server: opened, used from threads, cut off when it must be.

psycopg waits in a thread for what the server does. Cancelling an attempt therefore
means: ask the server to cancel; wait for it to say that it has; and when it does not
in ``GRACE`` seconds, because it hangs or the network is gone, cut the connection, so
that the thread ends whatever happens. Connecting itself happens step by step, so it is
interrupted like anything else.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import stat
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeAlias, TypeVar

import attrs
import psycopg
import trio
from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.rows import tuple_row

from workstream import PluginError
from workstream.plugins import explained_timeout

from ._failures import not_connected
from ._requests import Database

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

Result = TypeVar("Result")

GRACE = 5.0
"""Seconds that a server has to cancel before the connection is cut."""

ASK_AGAIN = 0.5
"""Seconds after which a server that goes on is asked again to cancel."""

_DEFAULTS = {
    # A connection whose other side has vanished is given up after half a minute.
    "keepalives_idle": "30",
    "tcp_user_timeout": "30000",
    "client_encoding": "utf8",
}


class Session:
    """A connection, for one attempt.

    Attributes:
        connection: psycopg's. It is to be used by functions given to ``run`` alone.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def run(
        self, function: Callable[[Connection], Result], *, interruptible: bool = True
    ) -> Result:
        """Call a function in a thread, and give what it gives.

        When it is cancelled, what the server does for it is cancelled too, and it
        returns when the function has.

        Args:
            function: Uses the connection.
            interruptible: Whether the server may be asked to cancel. Otherwise the
                function has ``GRACE`` seconds to end by itself.
        """
        outcome: list[Result] = []
        failure: list[Exception] = []
        ended = trio.Event()

        async def call() -> None:
            with trio.CancelScope(shield=True):
                try:
                    outcome.append(
                        await trio.to_thread.run_sync(function, self.connection)
                    )
                except Exception as error:
                    failure.append(error)
                finally:
                    ended.set()

        # What is cancelled already is not begun: above all no commit.
        await trio.lowlevel.checkpoint_if_cancelled()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            try:
                await ended.wait()
            except trio.Cancelled:
                await self._break_off(ended, interruptible)
                raise
        if failure:
            raise failure[0]
        return outcome[0]

    async def _break_off(self, ended: trio.Event, interruptible: bool) -> None:
        with trio.CancelScope(shield=True):
            with trio.move_on_after(GRACE):
                while interruptible and not ended.is_set():
                    # It may have come between two statements: so it is asked again.
                    await trio.to_thread.run_sync(self._ask_to_cancel)
                    with trio.move_on_after(ASK_AGAIN):
                        await ended.wait()
                await ended.wait()
            if not ended.is_set():
                self._cut()
                await ended.wait()

    def _ask_to_cancel(self) -> None:
        # Whatever keeps the request from the server, cutting the connection comes next.
        with contextlib.suppress(psycopg.Error, OSError):
            self.connection.cancel_safe(timeout=GRACE)

    def _cut(self) -> None:
        # A second descriptor of the same socket: libpq goes on owning its own.
        with (
            contextlib.suppress(psycopg.Error, OSError),
            socket.socket(fileno=os.dup(self.connection.pgconn.socket)) as other,
        ):
            other.shutdown(socket.SHUT_RDWR)

    async def aclose(self) -> None:
        """Roll back what is open, and close. It takes no notice of cancellation."""
        with trio.CancelScope(shield=True):
            try:
                with trio.move_on_after(ASK_AGAIN):
                    await self.run(_roll_back, interruptible=False)
            finally:
                self.connection.close()


def _roll_back(connection: Connection) -> None:
    with contextlib.suppress(psycopg.Error):
        if connection.info.transaction_status != pq.TransactionStatus.IDLE:
            connection.rollback()


@asynccontextmanager
async def opened(database: Database, application: str) -> AsyncGenerator[Session]:
    """A session with the database; closed, and rolled back, in the end.

    Args:
        database: Where.
        application: The ``application_name`` by which the server shows it.

    Raises:
        PluginError: There is no connection. It may be tried again.
    """
    session = Session(await _connected(database, application))
    try:
        yield session
    finally:
        await session.aclose()


async def _connected(database: Database, application: str) -> Connection:
    await trio.to_thread.run_sync(_see_files, database)
    hosts = [host.strip() for host in database.host.split(",")]
    failed: list[PluginError] = []
    for host in hosts:
        conninfo = _conninfo(database, host, application)
        try:
            async with explained_timeout(partial(_unanswered, database, host)):
                with trio.fail_after(database.connect_timeout):
                    pgconn = await _handshake(conninfo)
        except trio.TooSlowError:
            seconds = f"{database.connect_timeout:g} seconds"
            message = f"no answer within {seconds} (connect_timeout)"
            failed.append(not_connected(database, host, message))
        except psycopg.Error as error:
            lacks = await _lacks(database, host, application, str(error))
            failed.append(not_connected(database, host, str(error), permanent=lacks))
        else:
            return _connection(pgconn)
    if len(failed) == 1:
        raise failed[0]
    raise PluginError(
        "; ".join(error.message for error in failed),
        permanent=all(error.permanent for error in failed),
    )


def _connection(pgconn: pq.abc.PGconn) -> Connection:
    connection: Connection = psycopg.Connection(pgconn, tuple_row)
    connection.prepare_threshold = None  # poolers do not know what we prepared
    return connection


async def _lacks(database: Database, host: str, application: str, reason: str) -> bool:
    """Whether a server that did not let us in has no such database.

    libpq keeps the server's code for this from us, and the server's sentence may be in
    any language. It names the database; then we ask the catalogue, by way of a database
    that every server is made with. If that is closed to us too, we do not know.
    """
    if not database.name or database.name not in reason:
        return False
    for always in ("postgres", "template1"):
        if always == database.name:
            continue
        conninfo = _conninfo(attrs.evolve(database, name=always), host, application)
        with (
            contextlib.suppress(psycopg.Error),
            trio.move_on_after(database.connect_timeout),
        ):
            session = Session(_connection(await _handshake(conninfo)))
            try:
                return not await session.run(partial(_knows, database.name))
            finally:
                await session.aclose()
    return False


def _knows(name: str, connection: Connection) -> bool:
    query = "SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s"
    return connection.execute(query, [name]).fetchone() is not None


def _unanswered(database: Database, host: str) -> str:
    """What a connection waited for when the attempt's time was over."""
    return not_connected(database, host, "no answer yet").message


def _see_files(database: Database) -> None:
    """Refuse files that libpq cannot use, and those it would wait for.

    Raises:
        PluginError: Permanent: a file is missing, or no file of certificates.
    """
    files = {"ca_file": database.ca_file if database.ca_file != "system" else ""}
    for name in ("sslcert", "sslkey", "sslcrl"):
        files[f"settings[{name!r}]"] = database.settings.get(name, "")
    for field, path in files.items():
        if not path:
            continue
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                why = "it is no regular file"
                break
            if field == "ca_file":
                ssl.create_default_context(cafile=path)
        except OSError as error:
            why = error.strerror or str(error)
            break
    else:
        return
    message = f"the file {path!r} (database.{field}) cannot be used: {why}"
    raise PluginError(message, permanent=True)


def _conninfo(database: Database, host: str, application: str) -> str:
    given = {
        "host": host,
        "port": str(database.port or ""),
        "dbname": database.name,
        "user": database.user,
        "password": database.password.reveal() if database.password else "",
        "sslmode": database.sslmode,
        "sslrootcert": database.ca_file,
        "application_name": application,
    }
    parameters = {**_DEFAULTS, **database.settings}
    parameters.update({name: value for name, value in given.items() if value})
    return make_conninfo("", **parameters)


async def _handshake(conninfo: str) -> pq.abc.PGconn:
    """Connect, waiting in trio; only libpq's look-up of the host blocks a thread."""
    start = partial(pq.PGconn.connect_start, conninfo.encode())
    pgconn = await trio.to_thread.run_sync(start)
    try:
        while True:
            if pgconn.status == pq.ConnStatus.BAD:
                raise psycopg.OperationalError(pgconn.get_error_message())
            polled = await trio.to_thread.run_sync(pgconn.connect_poll)
            if polled == pq.PollingStatus.READING:
                await trio.lowlevel.wait_readable(pgconn.socket)
            elif polled == pq.PollingStatus.WRITING:
                await trio.lowlevel.wait_writable(pgconn.socket)
            elif polled == pq.PollingStatus.OK:
                pgconn.nonblocking = 1
                return pgconn
            elif polled == pq.PollingStatus.FAILED:
                raise psycopg.OperationalError(pgconn.get_error_message())
    except BaseException:
        pgconn.finish()
        raise
