"""Plans are followed to their end, run here or elsewhere; then it is said how they ended."""

from __future__ import annotations

import contextlib
from collections.abc import (
    AsyncGenerator,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
import trio

from .._codec.codec import Codec
from .._codec.collector import collector_spared
from .._plan.clone import clone
from .._plan.outcome import Outcome
from .._plan.plan import Plan
from .._protocols.watching import PlanSnapshot, WatchEvent
from .._show.data import overview_data
from .._show.overview import Overview, overview
from .._show.words import totals
from .._store.store import Store
from .._values.display import one_line, shorten
from .._values.errors import WorkstreamError
from .._values.state import Status
from .call import Call
from .draw.page import headline, hint_next, show_failures
from .draw.screen import Screen, joined
from .draw.views import LineView, View, view_on
from .interrupts import Interrupts
from .streams import INTERRUPTED, ExitCode, breaking_off_untold, code_of

if TYPE_CHECKING:
    from .._engine.engine import Workstream

_LOOK_FOR_WAITS = 1.0
"""Seconds between two looks what actions wait for."""
_CATCH_UP = 5.0
"""Seconds that a watcher may need to see what is durable already."""
_MOST = 10
"""How many causes are shown at the end of a run; ``show`` shows more."""
_LEFT = "left by a signal"


# -- How it ended ----------------------------------------------------------------------


@attrs.frozen
class Result:
    """How one plan ended.

    Attributes:
        shown: The plan as it is stored.
        broken_off: Why its run broke off, if it did.
        goes_on: Who goes on with it, though it is no longer followed here.
    """

    shown: Overview
    broken_off: str | None = None
    goes_on: str | None = None

    @property
    def code(self) -> int:
        """The exit status for it alone."""
        if self.goes_on is not None:
            return INTERRUPTED
        if self.broken_off is not None:
            return ExitCode.BROKEN_OFF
        return code_of(self.shown.plan.outcome)

    def data(self) -> dict[str, Any]:
        """The result for ``--json``."""
        return {
            **overview_data(self.shown),
            "owner": self.goes_on,
            "exit_status": int(self.code),
            "broken_off": self.broken_off,
        }


def tell(call: Call, results: Sequence[Result]) -> None:
    """Say how the plans ended: causes, counts, what to type next; the headline last."""
    screen = call.screen
    for result in results:
        plan = result.shown.plan
        assert plan.id is not None
        show = call.command("show", plan.id) if call.lasts else ""
        show_failures(screen, result.shown, most=_MOST, more=show)
        if plan.outcome is not Outcome.COMPLETED:
            screen.line(str(totals(plan)), indent=2)
        if call.lasts:
            _hint_next(call, result)
        name = (shorten(plan.name), "bold")
        if result.goes_on is not None:
            host = one_line(result.goes_on, 200)
            sign = (f"{screen.signs.running} ", "cyan")
            screen.line(joined(sign, name, f": no longer followed; it goes on: {host}"))
        elif result.broken_off is None:
            headline(screen, plan)
        else:
            words = f"broken off: {shorten(result.broken_off, 1_000)}"
            sign = (f"{screen.signs.stopped} ", "yellow")
            screen.line(joined(sign, name, ": ", (words, "yellow")))


def _hint_next(call: Call, result: Result) -> None:
    """Say what to type next."""
    plan_id = result.shown.plan.id
    if result.goes_on is not None:
        call.hint("follow it", "watch", plan_id)
        call.hint("stop it", "stop", plan_id)
    elif result.broken_off is None:
        call.hint("look closer", "show", plan_id)
        hint_next(call, result.shown)
    else:
        call.hint("go on with it", "resume", plan_id)


# -- Run here --------------------------------------------------------------------------


async def follow(
    workstream: Workstream,
    plan_ids: Collection[UUID],
    call: Call,
    interrupts: Interrupts,
    *,
    begun: Collection[UUID] = (),
) -> list[Result]:
    """Show the runs of these plans until they have ended, or are left.

    Args:
        workstream: The engine that runs them.
        plan_ids: The plans.
        call: Where to show them.
        interrupts: The first stops the plans, the second leaves them. Plans that run
            elsewhere are left by the first: they go on.
        begun: Those that this process began just now. Some of it may have happened
            before anybody looks, and lines tell of that, too.

    Returns:
        How each ended.
    """
    broken_off: dict[UUID, str] = dict.fromkeys(plan_ids, _LEFT)
    view = view_on(call.screen, several=len(plan_ids) > 1)

    async def forecast(plan_id: UUID, plan: Plan) -> None:
        from .._show.time_left import earlier_paces  # not every view forecasts

        # What an earlier run cannot tell is no reason to trouble this one.
        with contextlib.suppress(WorkstreamError):
            view.expect(plan_id, await earlier_paces(workstream, plan))

    async def watch(plan_id: UUID, seen: trio.Event, nursery: trio.Nursery) -> None:
        try:
            after = 0 if plan_id in begun else None
            async with aclosing(_events(workstream, plan_id, view, after)) as events:
                async for event in events:
                    view.see(plan_id, event)
                    if isinstance(event, PlanSnapshot):
                        settle()  # nothing more is loaded
                        if view.forecasts:
                            nursery.start_soon(forecast, plan_id, event.plan)
        except WorkstreamError as error:
            view.notice(f"the plan runs on, but cannot be shown: {error}")
        seen.set()

    async def one(plan_id: UUID) -> None:
        async with trio.open_nursery() as nursery:
            seen = trio.Event()
            nursery.start_soon(watch, plan_id, seen, nursery)
            nursery.start_soon(show_waits, workstream, plan_id, view)
            try:
                await workstream.wait(plan_id)
                del broken_off[plan_id]
                with trio.move_on_after(_CATCH_UP):
                    await seen.wait()
            except WorkstreamError as error:
                broken_off[plan_id] = str(error)
            nursery.cancel_scope.cancel()

    async def obey(everything: trio.CancelScope) -> None:
        await interrupts.come(1)
        if workstream.host is not None:
            everything.cancel()
            return
        view.notice(
            "Stopping: what runs now is finished, nothing new begins. "
            "Ctrl-C again leaves at once; then the plan can be resumed."
        )
        for plan_id in plan_ids:
            try:
                await workstream.stop(plan_id)
            except WorkstreamError as error:
                view.notice(f"cannot be stopped: {error}")
        await interrupts.come(2)
        view.notice("Leaving at once.")
        everything.cancel()

    async def go_on_without_terminal() -> None:
        await interrupts.hung_up()
        view.hang_up()
        view.notice("The terminal was closed. The run goes on; this is its log.")

    with view, breaking_off_untold(), collector_spared() as settle:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(view.keep_up)
            nursery.start_soon(obey, nursery.cancel_scope)
            nursery.start_soon(go_on_without_terminal)
            async with trio.open_nursery() as followers:
                for plan_id in plan_ids:
                    followers.start_soon(one, plan_id)
            nursery.cancel_scope.cancel()
    if interrupts.is_hung_up:
        call.screen = Screen()  # of the log
    with call.screen.busy("reading how it ended"):
        return [
            _result(
                await overview(workstream, each, brief=True), broken_off, workstream
            )
            for each in plan_ids
        ]


def _result(
    shown: Overview, broken_off: Mapping[UUID, str], workstream: Workstream
) -> Result:
    """How a plan ended that was followed, or how it was left."""
    assert shown.plan.id is not None
    why = broken_off.get(shown.plan.id)
    if why is None or workstream.host is None:
        return Result(shown, why)
    runs = shown.plan.state.status is Status.RUNNING
    return Result(shown, goes_on=workstream.host if runs else None)


async def show_waits(store: Store, plan_id: UUID, view: View) -> None:
    """Show what actions wait for on which nobody works yet, until cancelled (ZN-3)."""
    while store.host is not None:
        with contextlib.suppress(WorkstreamError):  # the plan is followed all the same
            view.wait_for(plan_id, await store.waits(plan_id))
        await trio.sleep(_LOOK_FOR_WAITS)


# -- Run elsewhere ---------------------------------------------------------------------


async def watch_elsewhere(
    store: Store,
    plan_id: UUID,
    view: View,
    after: int | None,
    seen: Callable[[int], None],
) -> str | None:
    """Show a plan that any process runs, to its end, or until the view is left.

    Args:
        store: The store, open.
        plan_id: The plan.
        view: Shows it.
        after: The position to go on after; None: the plan as it is comes first.
        seen: Is told the position of each event once it is shown.

    Returns:
        Why the run broke off, if it did.

    Raises:
        NotFoundError: It was deleted meanwhile.
        StorageError: It cannot be read.
    """
    broken_off = None

    async def look_for_owner(everything: trio.CancelScope) -> None:
        nonlocal broken_off
        await store.until_crashed(plan_id)
        broken_off = "no process runs it any more: it has crashed"
        everything.cancel()

    with view:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(view.keep_up)
            nursery.start_soon(look_for_owner, nursery.cancel_scope)
            nursery.start_soon(show_waits, store, plan_id, view)
            async with aclosing(_events(store, plan_id, view, after)) as events:
                async for event in events:
                    view.see(plan_id, event)
                    seen(max(event.position, after or 0))
                    if view.is_left:
                        break
            nursery.cancel_scope.cancel()
    return broken_off


async def _events(
    store: Store, plan_id: UUID, view: View, after: int | None
) -> AsyncGenerator[WatchEvent]:
    """What there is to see, from the position on that was asked for."""
    if after is not None and isinstance(view, LineView):
        # What lines tell is counted from the plan's beginning.
        stored = attrs.evolve(await store.vault.read(plan_id), records=())
        unbegun = clone(Codec(None).load(stored), keep_state=True, scrub=True)
        yield PlanSnapshot(position=0, plan=unbegun)
        if not (await store.vault.log(plan_id, 0, 1)).missed:
            after = 0
    elif not view.goes_on:
        after = None
    async with aclosing(store.watch(plan_id, after=after)) as events:
        async for event in events:
            yield event
