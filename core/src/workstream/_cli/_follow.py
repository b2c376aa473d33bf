"""Plans that run here are followed to their end, whatever that is."""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from uuid import UUID

import attrs
import trio

from .._engine.engine import Workstream
from .._plan.plan import Plan
from .._store.events import PlanSnapshot
from .._values.errors import WorkstreamError
from ._views import View
from .interrupts import Interrupts
from .streams import breaking_off_untold

_CATCH_UP = 5.0
"""Seconds that a watcher may need to see what is durable already."""


@attrs.frozen
class Ending:
    """What became of a run.

    Attributes:
        plan: The plan as it ended; None when the run broke off.
        error: Why it broke off; None too when it was left by Ctrl-C.
    """

    plan: Plan | None = None
    error: WorkstreamError | None = None


async def follow(
    workstream: Workstream,
    plan_ids: Collection[UUID],
    view: View,
    interrupts: Interrupts,
) -> dict[UUID, Ending]:
    """Show the runs of these plans until they have ended, or are left.

    Args:
        workstream: The engine that runs them.
        plan_ids: The plans.
        view: Shows them.
        interrupts: The first stops the plans, the second leaves them.

    Returns:
        How each ended.
    """
    endings = {plan_id: Ending() for plan_id in plan_ids}

    async def one(plan_id: UUID) -> None:
        async with trio.open_nursery() as nursery:
            seen = trio.Event()
            nursery.start_soon(_watch, workstream, plan_id, view, seen, settle)
            try:
                endings[plan_id] = Ending(plan=await workstream.wait(plan_id))
                with trio.move_on_after(_CATCH_UP):
                    await seen.wait()
            except WorkstreamError as error:
                endings[plan_id] = Ending(error=error)
            nursery.cancel_scope.cancel()

    with view, breaking_off_untold(), _collector_spared() as settle:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(view.keep_up)
            nursery.start_soon(
                _obey, workstream, plan_ids, view, interrupts, nursery.cancel_scope
            )
            async with trio.open_nursery() as followers:
                for plan_id in plan_ids:
                    followers.start_soon(one, plan_id)
            nursery.cancel_scope.cancel()
    return endings


@contextmanager
def _collector_spared() -> Generator[Callable[[], None]]:
    """Gives what takes all objects that there are now out of the collector's sight.

    A whole plan is in memory for as long as it runs. To look through a very large one (of
    a hundred thousand actions) stops its run for some tenths of a second.
    """
    others = gc.get_freeze_count()  # somebody else's, to be left as they are

    def settle() -> None:
        if not others:
            gc.freeze()

    try:
        yield settle
    finally:
        if not others:
            gc.unfreeze()


async def _watch(
    workstream: Workstream,
    plan_id: UUID,
    view: View,
    seen: trio.Event,
    settle: Callable[[], None],
) -> None:
    try:
        async for event in workstream.watch(plan_id):
            view.see(plan_id, event)
            if isinstance(event, PlanSnapshot):
                settle()  # nothing more is loaded
    except WorkstreamError as error:
        view.notice(f"the plan runs on, but cannot be shown: {error}")
    seen.set()


async def _obey(
    workstream: Workstream,
    plan_ids: Collection[UUID],
    view: View,
    interrupts: Interrupts,
    everything: trio.CancelScope,
) -> None:
    await interrupts.come(1)
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
