"""How a stream ends: for good with its plan, and otherwise so that it is opened again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, MutableMapping
from contextlib import aclosing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import trio
import trio.testing

from workstream import WorkstreamError, open_store
from workstream.errors import NotFoundError, StorageError
from workstream.results import WatchEvent
from workstream.vaults import Where
from workstream_web import _lists
from workstream_web._app import application
from workstream_web._channels import Channel
from workstream_web._lists import PlanList, Query
from workstream_web._sse import KEPT
from workstream_web._tokens import Tokens

ASKED: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "path": "/api/plans",
    "query_string": b"",
    "headers": [],
}
"""A request for the list of all plans, as a server hands it on."""


@pytest.mark.parametrize(
    ("error", "for_good"),
    [
        (StorageError("no worker answers"), False),
        (NotFoundError("the plan was deleted", UUID(int=1)), True),
    ],
)
def test_a_store_that_cannot_be_read_now_ends_no_plan(
    error: WorkstreamError,
    for_good: bool,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stream ends, but says "over" only where the plan is gone."""
    sent: list[bytes] = []

    async def send(data: bytes) -> None:
        sent.append(data)

    async def main() -> None:
        async with open_store(store) as plans:
            plan_id = (await plans.find("last")).row.id
            watch = plans.watch
            read = trio.Event()

            async def broken(plan_id: UUID) -> AsyncGenerator[WatchEvent]:
                async with aclosing(watch(plan_id)) as events:
                    yield await anext(events)
                await read.wait()
                raise error

            monkeypatch.setattr(plans, "watch", broken)
            channel = Channel(plans, plan_id)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(channel.run, lambda: None)
                position = await channel.latest()
                read.set()
                await channel.board.read(position, send)

    trio.run(main)

    assert any(b"event: over" in each for each in sent) is for_good


def test_a_plan_that_cannot_be_read_now_reloads_no_page(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the page would be an error; so the stream is refused, and asked for again."""
    unreadable = StorageError("no worker answers")

    async def main() -> list[MutableMapping[str, Any]]:
        answer: list[MutableMapping[str, Any]] = []

        async def send(message: MutableMapping[str, Any]) -> None:
            answer.append(message)

        async with open_store(store) as plans, trio.open_nursery() as nursery:

            async def broken(plan_id: UUID) -> AsyncGenerator[WatchEvent]:
                for each in list[WatchEvent]():
                    yield each
                raise unreadable

            monkeypatch.setattr(plans, "watch", broken)
            app = application(plans, None, Tokens(), nursery)
            asked = ASKED | {
                "path": "/api/plans/last/events",
                "query_string": b"after=7",
            }
            await app(asked, trio.sleep_forever, send)
        return answer

    start, body = trio.run(main)

    assert start["status"] == 400
    assert b"no worker answers" in body["body"]


def test_a_list_that_cannot_be_read_now_leaves_the_server_to_others(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stream ends, to be opened again; nothing else does."""
    forgotten: list[bool] = []
    unreadable = StorageError("no worker answers")

    async def main() -> bytes:
        async with open_store(store) as plans:

            async def broken(**asked: object) -> list[object]:
                raise unreadable

            monkeypatch.setattr(plans, "entries", broken)
            looks = PlanList(plans, Query(Where()))
            await looks.run(lambda: forgotten.append(True))
            sent: list[bytes] = []

            async def send(data: bytes) -> None:
                sent.append(data)

            await looks.board.read(0, send)
            return b"".join(sent)

    assert b"over" not in trio.run(main)
    assert forgotten == [True]


def test_who_comes_late_to_a_list_gets_the_latest_one_alone(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it has changed before, while somebody read it."""
    looks = 0

    async def look(of: PlanList) -> dict[str, int]:
        nonlocal looks
        looks += 1
        return {"look": looks}

    monkeypatch.setattr(_lists.PlanList, "_look", look)
    early: list[bytes] = []
    late: list[bytes] = []

    async def main() -> None:
        async with open_store(store) as plans, trio.open_nursery() as nursery:
            app = application(plans, None, Tokens(), nursery)

            async def read(bodies: list[bytes]) -> None:
                async def send(message: MutableMapping[str, Any]) -> None:
                    bodies.append(message.get("body", b""))

                await app(ASKED, trio.sleep_forever, send)

            nursery.start_soon(read, early)
            await trio.sleep(2 * KEPT)
            nursery.start_soon(read, late)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    assert b"".join(late).count(b"event: ") == 1
    assert early[-1] in late
