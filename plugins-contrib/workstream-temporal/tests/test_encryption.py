"""Plans on a cluster that encrypts: it knows no more of them than it needs."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import attrs
import pytest
import trio
from temporalio.client import Client

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Outcome,
    Plan,
    PluginError,
    Registry,
    Sequence,
    open_store,
    open_workstream,
)
from workstream.errors import StorageError
from workstream_temporal._cluster.encryption import KEYS, PLAIN, keys_of
from workstream_temporal._names import STORE, workflow_id

if TYPE_CHECKING:
    from temporal_server import Server

pytestmark = pytest.mark.slow  # it starts a cluster

Working = Callable[..., AbstractContextManager[None]]

TEXTS = [
    "marigold plan",
    "thistle description",
    "heather lock",
    "foxglove block",
    "bluebell action",
    "primrose request",
    "snowdrop response",
    "hawthorn error",
    "bramble line",
    "honeysuckle note",
    "lavender reason",
    "crocus trouble",
]
"""Each of them stands somewhere in a plan, or in what becomes of it."""


@attrs.frozen
class Do:
    """Asks for something."""

    what: str


@attrs.frozen
class Done:
    """What was done."""

    what: str


class Doing(ActionPlugin[Do, Done]):
    """Says something everywhere."""

    name = "test.say"

    async def execute(self, context: Context, request: Do, /) -> Done:
        """Report, remember, respond, or fail."""
        context.report("bramble line")
        await context.remember(note="honeysuckle note")
        if request.what == "fail":
            message = "hawthorn error"
            raise PluginError(message, permanent=True)
        if request.what == "bug":
            message = "crocus trouble"
            raise RuntimeError(message)
        return Done("snowdrop response")


def plan() -> Plan:
    """A plan with a text of its own in each place."""
    sequences = [
        Sequence(
            name=f"sequence {what}",
            actions=[Doing.action(Do(what), name="bluebell action")],
        )
        for what in ("primrose request", "fail", "bug")
    ]
    return Plan(
        name="marigold plan",
        description="thistle description",
        locks=("heather lock",),
        blocks=[
            Block(name="foxglove block", sequences=sequences, tolerated_failures=3)
        ],
    )


@pytest.fixture
def server(tmp_path: Path, new_server: Callable[[Path], Server]) -> Server:
    """A server of its own, as all that it keeps is looked through."""
    return new_server(tmp_path)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in the environment."""
    monkeypatch.setenv("FIRST_KEY", new_key())
    monkeypatch.setenv(KEYS, "first=env:FIRST_KEY")


def new_key() -> str:
    """A key, as ``openssl rand -base64 32`` gives one."""
    return base64.b64encode(os.urandom(32)).decode()


def run_plan(server: Server) -> UUID:
    """Run the plan, with everything that is said of it; its id."""

    async def main() -> UUID:
        async with open_workstream(server.store, registry=Registry([Doing()])) as ws:
            plan_id = await ws.submit(plan())
            await ws.pause(plan_id, reason="lavender reason")
            await ws.unpause(plan_id)
            await ws.start(plan_id)
            await ws.freeze(reason="lavender reason")
            await ws.unfreeze()
            ended = await ws.wait(plan_id)
            assert ended.outcome is Outcome.COMPLETED_WITH_FAILURES
            return plan_id

    return trio.run(main)


async def kept(server: Server, *workflows: str) -> bytes:
    """All that the server gives to whoever asks, histories and lists."""
    client = await Client.connect(server.location.partition("/")[0])
    found: list[bytes] = []
    for each in workflows:
        handle = client.get_workflow_handle(each)
        history = await handle.fetch_history()
        found += [event.SerializeToString() for event in history.events]
        found.append((await handle.describe()).raw_description.SerializeToString())
    async for listed in client.list_workflows():
        found.append(listed.raw_info.SerializeToString())
    return b"\n".join([*found, *map(inflated, found)])


def inflated(data: bytes) -> bytes:
    """What was deflated in it."""
    found: list[bytes] = []
    for each in re.finditer(rb"\x02\x78[\x01\x5e\x9c\xda]", data):
        with suppress(zlib.error):
            found.append(zlib.decompressobj().decompress(data[each.start() + 1 :]))
    return b"\n".join(found)


def seen(server: Server, plan_id: UUID, place: Path) -> list[str]:
    """The texts that the server knows: that it tells, or has in its files."""
    told = asyncio.run(kept(server, workflow_id(plan_id), STORE))
    server.kill()
    files = b"".join(each.read_bytes() for each in place.glob("temporal.db*"))
    return [each for each in TEXTS if each.encode() in told + files]


def test_without_a_key_the_server_knows_everything(
    server: Server, working: Working, tmp_path: Path
) -> None:
    """So the look of the next test finds what there is to be found."""
    with working(server, Registry([Doing()])):
        plan_id = run_plan(server)
    assert seen(server, plan_id, tmp_path) == TEXTS


@pytest.mark.usefixtures("key")
def test_with_a_key_it_knows_nothing(
    server: Server, working: Working, tmp_path: Path
) -> None:
    """No name, request, response, error, line, note, lock or reason."""
    with working(server, Registry([Doing()])):
        plan_id = run_plan(server)
    assert seen(server, plan_id, tmp_path) == []


def command(*words: str) -> tuple[int, str]:
    """What a command returns and says."""
    program = Path(sys.executable).with_name("workstream")
    done = subprocess.run([program, *words], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.usefixtures("key")
def test_who_has_the_key_reads(
    server: Server, working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when there is a new key in use; who has not is told which one."""
    with working(server, Registry([Doing()])):
        run_plan(server)
    monkeypatch.setenv("SECOND_KEY", new_key())
    monkeypatch.setenv(KEYS, "second=env:SECOND_KEY first=env:FIRST_KEY")
    with working(server, Registry([Doing()])):
        run_plan(server)
        at = ["--store", server.store]
        assert command("list", *at)[1].count("marigold plan") == 2
        assert "bluebell action" in command("show", "last", *at)[1]

    monkeypatch.setenv(KEYS, "first=env:FIRST_KEY")
    for words in (["list"], ["show", "last"]):
        code, said = command(*words, *at)
        assert code
        assert "encrypted with the key 'second'" in said
        assert f"name it in {KEYS}" in said
    monkeypatch.delenv(KEYS)

    async def look() -> None:
        async with open_store(server.store):
            pass

    with pytest.raises(StorageError, match="encrypted with the key"):
        trio.run(look)
    code, said = command("worker", "--engine", server.store)
    assert code == 1
    assert "encrypted with the key" in said

    monkeypatch.setenv("OTHER", new_key())
    monkeypatch.setenv(KEYS, "first=env:OTHER second=env:OTHER")
    with pytest.raises(StorageError, match="another one of the same name"):
        trio.run(look)


async def refusal_of(server: Server, plan_id: UUID) -> str:
    """Why a worker does not go on with a plan, by the word of the server."""
    client = await Client.connect(server.location.partition("/")[0])
    handle = client.get_workflow_handle(workflow_id(plan_id))
    async for event in handle.fetch_history_events(wait_new_event=True):
        if event.HasField("workflow_task_failed_event_attributes"):
            return event.workflow_task_failed_event_attributes.failure.message
    return ""


def test_what_is_not_encrypted_is_not_run(
    server: Server, working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reaches the server, and has no key, can make no worker do anything."""
    called: list[str] = []

    class Made(Doing):
        """Says that it was called."""

        async def execute(self, context: Context, request: Do, /) -> Done:
            """Note it."""
            called.append(context.path)
            return Done("nothing")

    async def made_up() -> UUID:
        async with open_workstream(server.store, registry=Registry([Made()])) as ws:
            return await ws.submit(plan())

    plan_id = trio.run(made_up)  # a stranger has no key
    monkeypatch.setenv("FIRST_KEY", new_key())
    monkeypatch.setenv(KEYS, "first=env:FIRST_KEY")
    at = ["--store", server.store]
    for words in (["list", *at], ["worker", "--engine", server.store]):
        code, said = command(*words)
        assert code
        assert "it is not encrypted, and WORKSTREAM_TEMPORAL_KEYS names a key" in said
        assert "set WORKSTREAM_TEMPORAL_PLAIN=accept" in said
    with working(server, Registry([Made()])):
        refusal = asyncio.run(refusal_of(server, plan_id))
    # The server is told that something is wrong, and, with a key, not what.
    assert refusal
    assert not called

    monkeypatch.setenv(PLAIN, "accept")

    async def started() -> None:
        async with open_workstream(server.store, registry=Registry([Made()])) as ws:
            await ws.start(plan_id)
            await ws.wait(plan_id)

    with working(server, Registry([Made()])):
        trio.run(started)
    assert len(called) == 3
    assert "marigold plan" in command("list", *at)[1]
    monkeypatch.setenv(PLAIN, "yes")
    assert (
        "WORKSTREAM_TEMPORAL_PLAIN is 'yes': it may be 'accept'"
        in command("list", *at)[1]
    )


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ("file:/key", "names no key by 'file:/key': write NAME=file:PATH"),
        ("a=x:1 a=x:1", "names the key 'a' twice"),
        ("a=y:1", "no installed package knows the scheme 'y'"),
        ("a=x:short", "'a': it is no base64 text of 32 bytes"),
        ("a=x:not", "'a': it is no base64 text of 32 bytes"),
    ],
)
def test_keys_that_cannot_be_used_are_refused(named: str, problem: str) -> None:
    """With the name of the key, and nothing of its text."""
    texts = {"1": new_key(), "short": "c2hvcnQ=", "not": "correct horse!"}

    with pytest.raises(StorageError) as caught:
        keys_of(named, lambda: {"x": texts.__getitem__})

    assert problem in str(caught.value)
    assert not any(each in str(caught.value) for each in ("c2hvcnQ", "horse"))


def test_keys_are_looked_up_by_reference() -> None:
    """By commas or spaces apart, and the first one is in use."""

    def look_up(rest: str) -> str:
        return base64.b64encode(rest.encode() * 32).decode()

    keys = {"x": look_up}
    found = keys_of(" new=x:n,\n old=x:o ", lambda: keys)

    assert list(found.items()) == [("new", b"n" * 32), ("old", b"o" * 32)]
    assert keys_of("  ", lambda: keys) == {}
