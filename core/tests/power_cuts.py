"""An engine at work, and what a power cut leaves of it: run by ``test_power_cut.py``.

    power_cuts.py work DIRECTORY
    power_cuts.py look DIRECTORY TRACE SEED

``work`` runs a few plans, and is traced: the trace tells, in order, each write to the
store's file, each sync, and each call of an action. ``look`` cuts the power at each of
these moments, a few times: what was synced by then is on the disk; of what was written
since, any sectors are and any are not, as disks and systems keep no order. From what is
left a store is made, and it must open, hold all that was acknowledged by then, and be
sound page by page.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import attrs
import trio

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    Registry,
    Sequence,
    Status,
    open_workstream,
)
from workstream._codec.codec import Codec
from workstream._plan.walk import actions
from workstream.vaults import LmdbVault

STORE = Path(sys.argv[2]) / "store"
SECTOR = 512
CUTS = 3
"""How often the power is cut at each moment."""


# -- The engine --------------------------------------------------------------------------


@attrs.frozen
class Work:
    """How much to answer."""

    size: int


@attrs.frozen
class Answer:
    """An answer that takes room."""

    text: str


class Step(ActionPlugin[Work, Answer]):
    """Says that it was called."""

    name = "power.step"

    async def execute(self, context: Context, request: Work) -> Answer:
        """Say so at once: by then its attempt is durable (A-13)."""
        os.write(1, f"called {context.plan_id} {context.action_id}\n".encode())
        return Answer("x" * request.size)


async def work() -> None:
    """Run plans; the second one is deleted, so that its pages are used again."""
    registry = Registry([Step()])
    async with open_workstream(STORE, registry=registry) as ws:
        for number, size in enumerate((10, 6_000, 300)):
            steps = [Step.action(Work(size), name=f"step {n}") for n in range(4)]
            sequences = [Sequence(name="s", actions=steps)]
            plan = Plan(name="p", blocks=[Block(name="b", sequences=sequences)])
            result = await ws.run(plan)
            assert result.id is not None
            os.write(1, f"ended {result.id} {result.id}\n".encode())
            if number == 1:
                os.write(1, f"deleted {result.id} {result.id}\n".encode())
                await ws.delete(result.id)


# -- What the trace tells ------------------------------------------------------------------


@attrs.frozen
class Written:
    """Bytes were written to the data file; at once to the disk, where it was so opened."""

    at: int
    data: bytes
    at_once: bool


@attrs.frozen
class Synced:
    """What was written before is on the disk."""


@attrs.frozen
class Said:
    """Something was acknowledged."""

    what: str
    plan_id: UUID
    object_id: UUID


@attrs.frozen
class Linked:
    """The data file was given its name."""


@attrs.frozen
class Named:
    """The names of the store's directory are on the disk."""


Event = Written | Synced | Said | Linked | Named


def whole_lines(trace: Path) -> Iterator[str]:
    """The calls, each as it returned; one that another thread interrupted is joined."""
    begun: dict[str, str] = {}
    for written in trace.read_text().splitlines():
        # What descriptors mean is told in hexadecimal, too.
        line = re.sub(
            r"<((?:\\x..)+)>", lambda at: f"<{unhexed(at[1]).decode()}>", written
        )
        thread, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>")
        elif call.startswith("<..."):
            yield begun.pop(thread) + call.partition("resumed>")[2]
        else:
            yield call


def unhexed(text: str) -> bytes:
    """The bytes of a string in the trace."""
    return bytes.fromhex(text.replace("\\x", ""))


def events_of(trace: Path) -> Iterator[Event]:
    """What happened, in order."""
    at_once: dict[str, bool] = {}
    places: dict[str, int] = {}
    directory = re.escape(str(STORE))
    # It is made under another name.
    data = rf"{directory}/(?:\.workstream-\d+-begins/)?data\.mdb"
    for call in whole_lines(trace):
        verb, _, rest = call.partition("(")
        opened = re.search(rf"= (\d+)<{data}>", call)
        if verb == "openat" and opened:
            at_once[opened[1]] = "O_DSYNC" in call
        said = re.match(r'1<[^>]*>, "((?:\\x..)*)"', rest) if verb == "write" else None
        words = unhexed(said[1]).decode().split() if said else []
        if words and words[0] in ("called", "ended", "deleted"):
            yield Said(words[0], UUID(words[1]), UUID(words[2]))
        if verb in ("fsync", "fdatasync") and f"<{STORE}>)" in rest:
            yield Named()
        if verb in ("link", "linkat") and "= 0" in rest:
            yield Linked()
        file = re.match(rf"(\d+)<{data}>", rest)
        if file is None:
            continue
        chunks = [unhexed(part) for part in re.findall(r'"((?:\\x..)*)"', rest)]
        if verb == "lseek":
            places[file[1]] = int(rest.rpartition("= ")[2])
        elif verb in ("fsync", "fdatasync"):
            yield Synced()
        elif verb == "pwrite64":
            at = int(rest.rpartition(")")[0].rpartition(", ")[2])
            yield Written(at, chunks[0], at_once[file[1]])
        elif verb == "writev":
            joined = b"".join(chunks)
            yield Written(places[file[1]], joined, at_once[file[1]])
            places[file[1]] += len(joined)
        elif verb not in ("read", "pread64", "close"):
            sys.exit(f"what does this do to the data file? {call[:200]}")


# -- The cuts ------------------------------------------------------------------------------


def put(image: bytearray, at: int, data: bytes) -> None:
    """Write into what is on the disk."""
    image.extend(bytes(max(0, at + len(data) - len(image))))
    image[at : at + len(data)] = data


def after_a_cut(
    durable: bytearray, pending: list[Written], chance: random.Random
) -> bytearray:
    """What is on the disk then: what was synced, and whatever sectors of the rest."""
    image = bytearray(durable)
    for written in pending:
        share = chance.choice((0.0, 0.5, 1.0))
        for start in range(0, len(written.data), SECTOR):
            # The head of a page is less than a sector: whole, or not there.
            if chance.random() < share:
                sector = written.data[start : start + SECTOR]
                put(image, written.at + start, sector)
    return image


async def look() -> None:
    """Cut the power, again and again."""
    chance = random.Random(int(sys.argv[4]))
    durable = bytearray()
    pending: list[Written] = []
    said: list[Said] = []
    stores, is_linked, is_named = 0, False, False
    for event in events_of(Path(sys.argv[3])):
        if isinstance(event, Written):
            pending.append(event)
            for _ in range(CUTS):
                has_name = is_named or (is_linked and chance.random() < 0.5)
                image = after_a_cut(durable, pending, chance)
                await check(image if has_name else None, said)
                stores += 1
            if event.at_once:
                pending.remove(event)
                put(durable, event.at, event.data)
        elif isinstance(event, Synced):
            for written in pending:
                put(durable, written.at, written.data)
            pending.clear()
        elif isinstance(event, Linked):
            assert not pending, "it would have a name before it is whole"
            is_linked = True
        elif isinstance(event, Named):
            is_named = is_linked
        else:
            said.append(event)
    await check(durable, said)
    print(stores, len(said))


async def check(image: bytes | bytearray | None, said: list[Said]) -> None:
    """What was acknowledged is there, and all that is there is sound."""
    path = STORE.with_name("cut")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700)
    shutil.copy(STORE / "workstream", path)
    if image is not None:
        (path / "data.mdb").write_bytes(image)
    deleted = {each.plan_id for each in said if each.what == "deleted"}
    # Of a run that goes on, each call says that the one before has come to its end.
    latest = {each.plan_id: each for each in said}
    vault = LmdbVault(path, create=False, map_size=2**24, risk_power_cut=True)
    await vault.open()
    try:
        assert await vault.damage() is None
        stored = {row.id: row for row in await vault.search()}
        for plan_id in {each.plan_id for each in said} - deleted:
            assert plan_id in stored, "a plan is lost that was running"
        for plan_id in stored:
            plan = Codec(None).load(await vault.read(plan_id))
            called = [s.object_id for s in said if s.plan_id == plan_id]
            for action in actions(plan):
                if action.id in called:
                    done = latest[plan_id].object_id != action.id
                    found = action.state.status
                    assert found is Status.COMPLETED or (
                        found is Status.RUNNING and not done
                    ), f"{action.name} was called, and is {found.name}"
            if plan_id in called:
                assert plan.state.status is Status.COMPLETED, "it had ended"
    finally:
        await vault.close()


trio.run({"work": work, "look": look}[sys.argv[1]])
