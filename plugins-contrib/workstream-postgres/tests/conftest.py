"""A real PostgreSQL, in a directory of its own, as a user without privileges."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Generator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import attrs
import psycopg
import pytest
from trio.testing import MockClock

from workstream import SecretRef
from workstream.plugins import NoSignals, NoteValue
from workstream_postgres import Database

PASSWORD = "correct horse battery"


@attrs.define
class Attempt(NoSignals):
    """The context of an attempt; it keeps what is reported and remembered."""

    plan_id: UUID = attrs.field(factory=uuid4)
    action_id: UUID = attrs.field(factory=uuid4)
    path: str = "Plan / Action"
    attempt: int = 1
    deadline: datetime | None = None
    idempotency_key: str = attrs.field(factory=lambda: str(uuid4()))
    notes: Mapping[str, NoteValue] = attrs.field(factory=dict[str, NoteValue])
    lines: list[str] = attrs.field(factory=list[str])
    on_report: Callable[[str], None] = lambda line: None
    on_remember: Callable[[], None] = lambda: None

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        self.lines.append(message)
        self.on_report(message)

    async def remember(self, **notes: NoteValue) -> None:
        self.notes = {**self.notes, **notes}
        self.on_remember()

    def again(self) -> Attempt:
        """The context of the next attempt of the same action."""
        return attrs.evolve(self, attempt=self.attempt + 1, lines=[])


@attrs.define
class Server:
    """A PostgreSQL that runs.

    Attributes:
        programs: Where initdb and pg_ctl are.
        directory: Holds its data, its log and its socket.
        port: Its port, on the loopback interface.
    """

    programs: Path
    directory: Path
    port: int

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs, as somebody it lets run it."""
        user, group = None, None
        if os.geteuid() == 0:  # whom PostgreSQL refuses
            nobody = pwd.getpwnam("nobody")
            user, group = nobody.pw_uid, nobody.pw_gid
        done = subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.directory,
            env={
                "LC_ALL": "C",
                "LOCPATH": str(self.directory / "locale"),
                "PATH": os.environ["PATH"],
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the server would keep a pipe open
            stderr=subprocess.DEVNULL,
            check=False,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
        )
        if done.returncode:
            log = self.directory / "log"
            text = log.read_text() if log.exists() else ""
            pytest.fail(f"{program} {' '.join(arguments)}: {done.returncode}\n{text}")

    def make(self) -> None:
        """Make its data: passwords over TCP, none over the socket."""
        data = str(self.directory / "data")
        self.run(
            "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"
        )
        with (self.directory / "data/postgresql.conf").open("a") as settings:
            settings.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n"
                f"unix_socket_directories = '{self.directory}'\n"
                "max_connections = 50\n"
            )
        (self.directory / "data/pg_hba.conf").write_text(
            "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )

    def speaks_german(self, wanted: bool) -> bool:
        """Whether it soon speaks German, or English again."""
        language = "de_DE.UTF-8" if wanted else "C"
        self.sql("postgres", f"ALTER SYSTEM SET lc_messages = '{language}'")
        self.sql("postgres", "SELECT pg_reload_conf()")
        return any(
            self.sql("postgres", "SHOW lc_messages") == [(language,)]
            for _ in range(1000)
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = str(self.directory / "log")
        self.run("pg_ctl", "-D", str(self.directory / "data"), "-w", "-l", log, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; "immediate" is a crash."""
        self.run("pg_ctl", "-D", str(self.directory / "data"), "-w", "-m", mode, "stop")

    def sql(self, name: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What a statement gives, as the administrator."""
        with psycopg.connect(
            host=str(self.directory),
            port=self.port,
            dbname=name,
            user="postgres",
            autocommit=True,
        ) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []


def _programs() -> Path | None:
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "initdb").exists() and (place / "pg_ctl").exists():
            return place
    return None


@pytest.fixture(scope="session")
def server() -> Generator[Server]:
    """A PostgreSQL for all tests."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL (initdb, pg_ctl) is not installed")
    with tempfile.TemporaryDirectory(prefix="workstream-postgres-") as name:
        directory = Path(name)
        if os.geteuid() == 0:
            shutil.chown(directory, "nobody")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        server = Server(programs, directory, port)
        server.make()
        server.start()
        try:
            server.sql(
                "postgres",
                f"CREATE ROLE deploy LOGIN PASSWORD '{PASSWORD}' NOSUPERUSER",
            )
            yield server
        finally:
            server.stop()


@pytest.fixture
def german(server: Server) -> Generator[None]:
    """The server speaks German meanwhile."""
    locale = server.directory / "locale" / "de_DE.UTF-8"
    locale.parent.mkdir(exist_ok=True)
    made = subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "UTF-8", locale],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("the sources of locales (Debian's package locales) are missing")
    assert server.speaks_german(True)
    try:
        yield
    finally:
        assert server.speaks_german(False)


@attrs.define
class Shop:
    """The database of the tests, with an empty table ``items (id, name)``.

    Attributes:
        server: Where it is.
        name: The name of the database.
        database: How a plan calls it, with a password that is known.
    """

    server: Server
    name: str
    database: Database

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What a statement gives, as the administrator."""
        return self.server.sql(self.name, statement, *values)

    def names(self) -> list[str]:
        """What is in the table."""
        return [row[0] for row in self.sql("SELECT name FROM items ORDER BY id")]

    def gets_idle(self) -> bool:
        """Whether the server soon has no process for a plan any more."""
        # A process ends a moment after its connection.
        return any(not self._busy() for _ in range(1000))

    def _busy(self) -> int:
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s "
            "AND application_name LIKE 'workstream:%%'"
        )
        return int(self.sql(query, self.name)[0][0])


@pytest.fixture
def shop(server: Server) -> Shop:
    """The database, made new, and owned by a user without privileges."""
    name = "postgres"  # one database for all tests, as each is a thousand files
    database = Database(
        host="127.0.0.1",
        port=server.port,
        name=name,
        user="deploy",
        password=SecretRef("env:DB_PASSWORD").resolved(PASSWORD),
    )
    shop = Shop(server, name, database)
    shop.sql(
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION deploy; "
        "SET ROLE deploy; CREATE TABLE items (id serial PRIMARY KEY, name text UNIQUE)"
    )
    return shop


@pytest.fixture
def context() -> Attempt:
    """What a plugin is told about an attempt."""
    return Attempt()


@pytest.fixture
def mock_clock() -> MockClock:
    """A clock that stands still until the test moves it; trio runs on it."""
    return MockClock()


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep servers and passwords of the tester's own out."""
    for name in list(os.environ):
        if name.startswith("PG"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")
