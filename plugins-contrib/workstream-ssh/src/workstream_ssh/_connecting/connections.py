"""The connections to hosts: one for each host, shared by all that is done there.

A connection is an ssh process of its own, the master, that others go through. It is
made when it is first needed, and ends by itself when nobody has used it for a while,
so it needs nobody's care when the engine is killed. What we end ourselves, when Python
ends, only ends sooner.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from workstream import PluginError

from .hosts import Host
from .options import SSH, connect, control, environment
from .problems import problem_of
from .programs import new_mark
from .runtime_directory import runtime_directory

END_PATIENCE = 5.0


@attrs.frozen(kw_only=True)
class Limits:
    """How much is done at once, over all plans of a process.

    Attributes:
        sessions: Commands and copies on one host, which all share one connection. Many
            hosts allow 10; where one allows fewer, that is found out.
        connections: Connections that are in use.
        connecting: Connections that are being made.
    """

    sessions: int = attrs.field(default=8, validator=attrs.validators.ge(1))
    connections: int = attrs.field(default=100, validator=attrs.validators.ge(1))
    connecting: int = attrs.field(default=8, validator=attrs.validators.ge(1))


class Connections:
    """The connections that the plugins of one package instance share."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        # What waits belongs to one run of trio, so each has its own; the masters do
        # not, and serve whoever finds them.
        self._rooms: trio.lowlevel.RunVar[_Rooms] = trio.lowlevel.RunVar("ssh rooms")
        self._masters: dict[Path, Host] = {}
        self._own = f"{os.getpid()}-{new_mark()[:6]}"

    @asynccontextmanager
    async def session(self, host: Host) -> AsyncGenerator[Room, None]:
        """Room for one command on a host. It waits until there is some."""
        try:
            rooms = self._rooms.get()
        except LookupError:
            rooms = _Rooms(self._limits)
            self._rooms.set(rooms)
        room = rooms.by_host.get(host)
        if room is None:
            room = rooms.by_host[host] = Room(self, rooms, host)
        async with room.used():
            yield room

    def socket_of(self, host: Host) -> Path:
        """Where the connection to a host is found."""
        name = hashlib.sha256(repr(host).encode()).hexdigest()[:12]
        return runtime_directory() / f"{self._own}-{name}"

    def log(self) -> Path:
        """A new file for what one ssh process has to say."""
        return runtime_directory() / f"{self._own}-{new_mark()[:12]}.log"

    def made(self, host: Host, socket: Path) -> None:
        """Note a connection, to end it when Python ends."""
        if not self._masters:
            atexit.register(self.close)
        self._masters[socket] = host

    def close(self) -> None:
        """End all connections, and whatever still goes through them."""
        atexit.unregister(self.close)
        masters, self._masters = self._masters, {}
        orders = [
            subprocess.Popen(
                control(host, socket, "exit"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for socket, host in masters.items()
            if socket.exists()
        ]
        for order in orders:
            with order:
                try:
                    order.wait(END_PATIENCE)
                except subprocess.TimeoutExpired:
                    order.kill()  # the master ends by itself when it is idle


class _Rooms:
    """What waits for what, within one run of trio."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.connections = trio.CapacityLimiter(limits.connections)
        self.connecting = trio.CapacityLimiter(limits.connecting)
        self.by_host: dict[Host, Room] = {}


class Room:
    """One host, and how much may be done there at once.

    Attributes:
        host: Which.
        connections: The connections it is one of.
    """

    def __init__(self, connections: Connections, rooms: _Rooms, host: Host) -> None:
        self.host = host
        self.connections = connections
        self._rooms = rooms
        self._sessions = trio.CapacityLimiter(rooms.limits.sessions)
        self._lock = trio.Lock()
        self._users = 0
        self._is_counted = False

    @asynccontextmanager
    async def used(self) -> AsyncGenerator[None, None]:
        """Take a session, and the connection with it."""
        self._users += 1  # before it waits, or the room could be forgotten meanwhile
        try:
            async with self._sessions:
                async with self._lock:
                    if not self._is_counted:
                        await self._rooms.connections.acquire_on_behalf_of(self)
                        self._is_counted = True
                yield
        finally:
            self._users -= 1
            if not self._users:
                del self._rooms.by_host[self.host]
                if self._is_counted:
                    self._rooms.connections.release_on_behalf_of(self)

    async def connected(self) -> Path:
        """The socket of a connection that can be used, made if there is none.

        Raises:
            SshError: There is no coming to the host.
        """
        socket = self.connections.socket_of(self.host)
        async with self._lock:
            if not socket.exists():
                async with self._rooms.connecting:
                    await self._connect(socket)
        return socket

    def gone(self, socket: Path) -> None:
        """Nobody is at this socket any more."""
        with contextlib.suppress(FileNotFoundError):
            socket.unlink()

    def narrow(self) -> bool:
        """The host allows fewer sessions than we have; whether there is one to wait for."""
        others = self._sessions.borrowed_tokens - 1
        if others > 0:
            self._sessions.total_tokens = min(self._sessions.total_tokens, others)
        return others > 0

    async def _connect(self, socket: Path) -> None:
        log = self.connections.log()
        try:
            done = await trio.run_process(
                connect(self.host, socket, log),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
                env=environment(),
                start_new_session=True,  # no terminal: Ctrl-C is not for it
            )
            said = log.read_text(errors="replace") if log.exists() else ""
        except OSError as error:
            message = f"{SSH} cannot be started: {error.strerror}"
            raise PluginError(message) from error
        finally:
            log.unlink(missing_ok=True)
        if done.returncode:
            raise problem_of(self.host, said)
        self.connections.made(self.host, socket)


def missing_program() -> str | None:
    """The program that is not there; None: all are."""
    return None if shutil.which(SSH) else SSH
