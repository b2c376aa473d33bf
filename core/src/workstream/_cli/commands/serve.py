"""Commands for processes that wait for plans: ``serve``, ``submit``, ``observe``."""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import click
import trio

from ..._engine.engine import Workstream, open_workstream
from ..._plan.plan import Plan
from ..._protocols.hosting import hosting
from ..._protocols.vault import Vault
from ..._registry.host import TOLD
from ..._registry.registry import Registry
from ..._show.outcomes import outcome_words
from ..._store.ids import named, short_id
from ..._store.places import default_store, state_directory, vault_at
from ..._values.errors import NotFoundError, PlanError, StorageError, WorkstreamError
from ..._values.state import Status
from ..._vaults.store_marker import sync_path
from ..call import (
    Call,
    command,
    directory_of,
    existing_store,
    json_option,
    of_file,
    preflight_option,
    refuse_elsewhere,
    run_async,
    store_option,
    wait_option,
)
from ..draw.screen import Screen, counted
from ..follow import Result, follow, tell
from ..interrupts import Interrupts
from ..plan_file import read_plan_file
from ..streams import ExitCode, Refusal, breaking_off_untold, complain, worst

_LOOK_AGAIN = 0.5
"""Seconds between two looks for what was submitted, or left behind by a crash."""
_SURE = 4
"""Looks in a row that find a plan crashed: until then its owner may be changing."""


# -- The queue ---------------------------------------------------------------------------


def _queue_of(vault: Vault) -> Path:
    """The directory with a file for each plan that waits for ``serve``."""
    directory = directory_of(
        vault,
        hosted="submit and serve are for stores of this machine: {host} runs the plans "
        "of this one; `workstream run --detach` hands a plan over",
        other="submit and serve need a store that is a directory",
    )
    return directory.path / "queue"


def _put(queue: Path, plan_id: UUID) -> None:
    """Queue a plan; durable when it returns."""
    queue.mkdir(mode=0o700, exist_ok=True)
    (queue / str(plan_id)).touch(mode=0o600)
    sync_path(queue)
    sync_path(queue.parent)


def _queued(queue: Path) -> list[UUID]:
    """The plans that wait, in the order in which they were submitted."""
    found: list[UUID] = []
    for name in sorted(os.listdir(queue) if queue.is_dir() else []):
        try:
            found.append(UUID(name))
        except ValueError:
            continue  # somebody else's file
    return found


@command("submit", preflight_option, store_option, json_option)
@of_file
def submit(call: Call, file: Path, settings: tuple[str, ...], preflight: bool) -> int:
    """Hand a plan to the engine that `workstream serve` runs.

    FILE and -p are as of `workstream run`. The command validates the plan, stores it
    and returns. An engine that serves the store starts it within a second; without one
    the plan waits. An engine starts no plan that waited for longer than half an hour.

    Exit status: 0 submitted, 2 not.
    """
    registry = functools.cache(Registry.installed)
    plan_file = read_plan_file(file, registry)
    plan = plan_file.plan(settings)
    plan.origin = plan_file.origin(settings)
    vault = vault_at(call.store)
    queue = _queue_of(vault)

    async def put() -> UUID:
        async with open_workstream(vault, registry=registry(), recover=False) as ws:
            await ws.preflight(plan, secrets=preflight, locks=False)
            plan_id = await ws.submit(plan)
            _put(queue, plan_id)
            return plan_id

    plan_id = run_async(put)
    data = {"id": str(plan_id), "short_id": short_id(plan_id)}
    call.answer(data, f"{named(plan.name, plan_id)} is submitted")
    if not call.as_json:
        call.hint("follow it", "watch", plan_id)
    return ExitCode.COMPLETED


# -- The engine --------------------------------------------------------------------------


@command("serve", wait_option, store_option)
@click.argument("plans", metavar="[PLAN]...", nargs=-1)
def serve(call: Call, plans: tuple[str, ...], waits: bool) -> int:
    """Run the plans that are submitted to a store, and resume what crashed.

    It starts what `workstream submit` hands over, and waits for the locks of such a
    plan. It resumes each plan that no process runs any more. It goes on until Ctrl-C or
    SIGTERM; these break off what runs, as a crash would, and the next `serve` resumes
    it. It tells systemd when it is ready.

    With PLAN it starts or resumes these plans alone, and ends when they have ended:
    Ctrl-C and the exit status are then as of `workstream run`.
    """
    if plans:
        return _serve_some(call, plans, waits=waits)
    vault = vault_at(call.store)
    queue, screen, interrupts = _queue_of(vault), call.screen, Interrupts()

    async def go() -> None:
        async with (
            open_workstream(vault, recover=False) as ws,
            trio.open_nursery() as nursery,
        ):
            service = _Service(ws, queue, screen)
            nursery.start_soon(service.run, nursery.start_soon)
            tell_systemd("READY=1")
            screen.line(f"serving {queue.parent}")
            screen.flush()
            await interrupts.come(1)
            tell_systemd("STOPPING=1")
            left = counted(len(service.busy), "plan")
            screen.line(f"leaving: {left} broken off" if service.busy else "leaving")
            screen.flush()
            nursery.cancel_scope.cancel()

    with interrupts, breaking_off_untold():
        run_async(go)
    return ExitCode.COMPLETED


class _Service:
    """Takes what is submitted, and what was left behind."""

    def __init__(self, ws: Workstream, queue: Path, screen: Screen) -> None:
        self.busy: set[UUID] = set()
        self._ws = ws
        self._queue = queue
        self._screen = screen
        self._looks: dict[UUID, int] = {}
        self._refused: set[UUID] = set()

    async def run(self, begin: Callable[..., None]) -> None:
        """Look for plans until cancelled; ``begin`` begins a task for one."""
        is_first = True
        while True:
            try:
                for plan_id in _queued(self._queue):
                    if plan_id not in self.busy | self._refused:
                        self.busy.add(plan_id)
                        begin(self._carry_out, self._start, plan_id)
                for plan_id in await self._crashed(_SURE if not is_first else 1):
                    self.busy.add(plan_id)
                    begin(self._carry_out, self._resume, plan_id)
            except (OSError, WorkstreamError) as error:
                complain(f"the store cannot be read: {error}")
            is_first = False
            await trio.sleep(_LOOK_AGAIN)

    async def _crashed(self, sure: int) -> list[UUID]:
        """The plans that were found crashed so many times in a row."""
        found = await self._ws.entries(statuses=[Status.RUNNING], crashed=True)
        ids = {each.row.id for each in found} - self.busy - self._refused
        self._looks = {each: self._looks.get(each, 0) + 1 for each in ids}
        return sorted(each for each, looks in self._looks.items() if looks >= sure)

    async def _start(self, plan_id: UUID) -> None:
        try:
            await self._ws.start(plan_id, when_locked="wait")
        except NotFoundError:
            pass  # deleted in the meantime
        except PlanError as error:
            complain(f"plan {short_id(plan_id)} is not started: {error}")
        (self._queue / str(plan_id)).unlink(missing_ok=True)
        await self._to_the_end("started", plan_id)

    async def _resume(self, plan_id: UUID) -> None:
        await self._ws.resume(plan_id)
        await self._to_the_end("resumed", plan_id)

    async def _carry_out(
        self, what: Callable[[UUID], Awaitable[None]], plan_id: UUID
    ) -> None:
        """Start or resume a plan; one that fails to is not tried again."""
        try:
            await what(plan_id)
        except (OSError, WorkstreamError) as error:
            self._refused.add(plan_id)
            complain(f"plan {short_id(plan_id)} is left as it is: {error}")
        finally:
            self.busy.discard(plan_id)

    async def _to_the_end(self, verb: str, plan_id: UUID) -> None:
        try:
            row = await self._ws.vault.row(plan_id)
        except NotFoundError:
            return
        if row.status is Status.NOT_STARTED:
            return  # it was refused
        self._say(f"{named(row.name, plan_id)} is {verb}")
        plan: Plan = await self._ws.wait(plan_id)
        self._say(f"{named(row.name, plan_id)}: {outcome_words(plan)}")

    def _say(self, text: str) -> None:
        self._screen.line(text)
        self._screen.flush()


def _serve_some(call: Call, plans: tuple[str, ...], *, waits: bool) -> int:
    """Start or resume these plans, and follow them to their end."""
    interrupts = Interrupts()

    async def go() -> list[Result]:
        vault = existing_store(call.store)
        refuse_elsewhere(vault, call)
        async with open_workstream(vault, recover=False) as ws:
            rows = [(await ws.find(text)).row for text in plans]
            interrupts.leaves(call.command("resume"))
            for row in rows:
                if row.status is Status.NOT_STARTED:
                    await ws.start(row.id, when_locked="wait" if waits else "raise")
                elif not row.status.is_terminal:
                    await ws.resume(row.id)
            ids = [row.id for row in rows]
            begun = [row.id for row in rows if row.status is Status.NOT_STARTED]
            return await follow(ws, ids, call, interrupts, begun=begun)

    with interrupts:
        results = run_async(go)
    tell(call, results)
    return worst(result.code for result in results)


def tell_systemd(state: str) -> None:
    """Tell the service manager how this service is, if one asked (sd_notify)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        try:
            channel.connect(address.replace("@", "\0", 1))
            channel.sendall(state.encode())
        except OSError as error:
            complain(f"systemd cannot be told {state}: {error}", "warning")


# -- Plans that run elsewhere ------------------------------------------------------------


@command("observe", store_option)
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="The directory that keeps how far each observer has come; by default one in "
    "the platform's place for the state of programs.",
)
def observe(call: Call, state: Path | None) -> int:
    """Tell observers of all plans of a store that runs its plans elsewhere.

    The observers are those installed where this runs; WORKSTREAM_OBSERVERS chooses
    among them. It goes on until Ctrl-C or SIGTERM. Killed and started again, it goes on
    where it was, as long as it has the same --state. It tells systemd when it is ready.
    """
    named = call.store or default_store()
    vault = vault_at(named, create=False)
    elsewhere = hosting(vault)
    if elsewhere is None:
        message = (
            f"the plans of {named} are run by the processes that use it, and each of "
            "these tells its observers: install the observers there. `workstream "
            "observe` is for stores that run their plans elsewhere"
        )
        raise Refusal(message)
    observers = Registry.installed().observers
    if not observers:
        message = (
            f"there is no observer to tell: install a package that brings one, or name "
            f"one in {TOLD}; `workstream plugins` lists them"
        )
        raise Refusal(message)
    place = state or state_directory("--state", "workstream-observe")
    screen, interrupts = call.screen, Interrupts()

    async def go() -> None:
        from ..._observers.following import Following

        await vault.open()
        try:
            try:
                following = Following(vault, observers, place / quote(named, safe=""))
            except OSError as error:
                message = f"{place} cannot keep how far observers have come: {error}"
                raise StorageError(message) from error

            async def told_to_end() -> None:
                await interrupts.come(1)
                tell_systemd("STOPPING=1")
                screen.line("leaving: who comes next goes on here")
                screen.flush()

            names = ", ".join(each.name for each in observers)
            screen.line(f"telling {names} of all plans on {elsewhere.host}")
            screen.flush()
            tell_systemd("READY=1")
            await following.run(told_to_end)
        finally:
            await vault.close()

    with interrupts:
        run_async(go)
    return ExitCode.COMPLETED
