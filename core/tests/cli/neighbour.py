"""A stranger's engine: plans run in another process, which serves a directory.

As a package it answers ``workstream_engines``: the location is the directory of the
store. As a program it is the engine::

    neighbour.py DIRECTORY

It goes on with what a crash left behind, and serves a port that it writes down beside
the store. A zone has a worker as soon as a file of its name is in ``DIRECTORY-zones``.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import UUID

import trio

from workstream import Status, WorkstreamError, hookimpl, open_workstream
from workstream._codec.codec import Codec
from workstream._plan.plan import BaseAction
from workstream._plan.walk import walk
from workstream._plan.zones import zone_of
from workstream.errors import (
    ConflictError,
    LockedError,
    LockTakenError,
    PlanRefusedError,
    StorageError,
)
from workstream.vaults import Conduct, HostingVault, LmdbVault

HOST = "the neighbour in the next process"


class Neighbour(LmdbVault):
    """A store whose plans the neighbour runs."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self._beside = Path(location)

    @property
    def host(self) -> str:
        """See ``HostingVault``."""
        return HOST

    async def owner(self, plan_id: UUID) -> int | str | None:  # type: ignore[override]
        """See ``Vault.owner``: in words."""
        return None if await super().owner(plan_id) is None else HOST

    async def claim(self, plan_id: UUID) -> bool:
        """See ``HostingVault``: a lock of its own, as the neighbour claims its plans."""
        return await super().claim(UUID(int=plan_id.int | 1))

    async def release(self, plan_id: UUID) -> None:
        """See ``claim``."""
        await super().release(UUID(int=plan_id.int | 1))

    async def start(
        self, plan_id: UUID, position: int, conduct: Mapping[str, Conduct]
    ) -> None:
        """See ``HostingVault``: ask the neighbour, and wait for its word."""
        stored = await self.read(plan_id)
        if (stored.row.status, stored.position) != (Status.NOT_STARTED, position):
            message = "it was changed since"
            raise ConflictError(message)
        means = {name: each.on_interrupt.name for name, each in conduct.items()}
        word = json.dumps({"plan": str(plan_id), "means": means})
        try:
            port = int(port_file(self._beside).read_text())
            stream = await trio.open_tcp_stream("127.0.0.1", port)
        except OSError as error:
            message = f"{HOST} cannot be reached: {error}"
            raise StorageError(message) from error
        async with stream:
            await stream.send_all(word.encode())
            answer = json.loads(await stream.receive_some())
        if "lock" in answer:
            raise LockTakenError(answer["lock"], UUID(answer["holder"]))
        if "refused" in answer:
            raise PlanRefusedError(answer["refused"], plan_id)

    async def waits(self, plan_id: UUID) -> Mapping[int, str]:
        """See ``HostingVault``: what runs in a zone that has no worker yet."""
        plan = Codec(None).load(await self.read(plan_id))
        there = {each.name for each in zones_of(self._beside).glob("*")}
        return {
            place: f"a worker in {zone}"
            for place, item in enumerate(walk(plan))
            if isinstance(item.node, BaseAction)
            and item.node.state.status is Status.RUNNING
            and (zone := zone_of(item.ancestors)) not in (None, *there)
        }


def port_file(store: Path) -> Path:
    """Where the neighbour writes down on which port it serves."""
    return store.with_name(f"{store.name}.port")


def zones_of(store: Path) -> Path:
    """Where there is a file for each zone that has a worker."""
    return store.with_name(f"{store.name}-zones")


@hookimpl
def workstream_engines() -> Mapping[str, Callable[[str], HostingVault]]:
    """This engine."""
    return {"neighbour": Neighbour}


async def serve(store: Path) -> None:
    """Be the engine, until killed."""
    async with open_workstream(store) as ws:

        async def one(stream: trio.SocketStream) -> None:
            asked = json.loads(await stream.receive_some())
            store.with_name("means").write_text(json.dumps(asked["means"]))
            answer: dict[str, str] = {}
            try:
                await ws.start(UUID(asked["plan"]))
            except LockedError as error:
                answer = {"lock": error.lock, "holder": str(error.holder)}
            except WorkstreamError as error:
                answer = {"refused": str(error)}
            await stream.send_all(json.dumps(answer).encode())

        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        port_file(store).write_text(str(port))
        print("serving", flush=True)
        await trio.serve_listeners(one, listeners)


if __name__ == "__main__":
    trio.run(functools.partial(serve, Path(sys.argv[1])))
