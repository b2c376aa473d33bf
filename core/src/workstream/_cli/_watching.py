"""What ``workstream watch`` does in the store: it looks, and changes nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import attrs
import trio

from .._codec.codec import Codec
from .._plan.clone import clone
from .._protocols.vault import PlanRow, Vault
from .._store.events import PlanSnapshot, WatchEvent
from .._store.store import Store
from .._values.errors import StorageError
from .._values.state import Status
from ._follow import Ending
from ._outcome import Result, result_of
from ._views import PlainView, View, watch_view_on
from ._watch_json import JsonView
from .draw.screen import Screen
from .stores import opened


class Watching:
    """One call of the command.

    Attributes:
        row: The plan that is watched, once it was found.
        position: The position of what was seen last; None before anything was.
    """

    def __init__(
        self,
        store: str | None,
        plan: str,
        after: int | None,
        screen: Screen,
        view: JsonView | None,
    ) -> None:
        """Prepare.

        Args:
            store: What was given as ``--store``.
            plan: The plan that is meant.
            after: The position to go on after; None: the plan as it is comes first.
            screen: Where to show it to people.
            view: Where to show it instead.
        """
        self.row: PlanRow | None = None
        self.position = after
        self._store = store
        self._plan = plan
        self._after = after
        self._screen = screen
        self._json = view

    async def run(self) -> Result | None:
        """Watch to the end; what became of the plan.

        Returns:
            None when whoever read the output has left.

        Raises:
            Refusal: There is no such plan.
            NotFoundError: It was deleted meanwhile.
            StorageError: It cannot be read.
        """
        async with opened(self._store) as store:
            self.row = row = (await store.find(self._plan)).row
            view = self._json or watch_view_on(self._screen, self._after)
            with view:
                if row.status is Status.NOT_STARTED:
                    view.notice(f"{row.name} is not started yet: waiting for it")
                ending = await self._follow(store, row, view)
            if ending is None:
                return None
            with self._screen.busy("reading how it ended"):
                return await result_of(store, row, ending)

    async def _follow(self, store: Store, row: PlanRow, view: View) -> Ending | None:
        ending: Ending | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(view.keep_up)

            async def look_for_owner() -> None:
                nonlocal ending
                await store.until_crashed(row.id)
                message = "no process runs it any more: it has crashed"
                ending = Ending(error=StorageError(message))
                nursery.cancel_scope.cancel()

            nursery.start_soon(look_for_owner)
            async with aclosing(self._events(store, row, view)) as events:
                async for event in events:
                    self.position = event.position
                    view.see(row.id, event)
                    if view.is_left:
                        nursery.cancel_scope.cancel()
                        break
                else:
                    plan = await store.plan(row.id)
                    ending = Ending(plan=plan)
            nursery.cancel_scope.cancel()
        return ending

    async def _events(
        self, store: Store, row: PlanRow, view: View
    ) -> AsyncGenerator[WatchEvent]:
        """What there is to see, from the position on that was asked for."""
        after = self._after
        if after is not None and isinstance(view, PlainView):
            # What lines tell is counted from the plan's beginning.
            view.see(row.id, await _unbegun(store.vault, row))
            if not (await store.vault.log(row.id, 0, 1)).missed:
                after = 0
        elif self._json is None:
            after = None
        async with aclosing(store.watch(row.id, after=after)) as events:
            async for event in events:
                yield event


async def _unbegun(vault: Vault, row: PlanRow) -> PlanSnapshot:
    """The plan as if none of its objects had begun."""
    stored = attrs.evolve(await vault.read(row.id), records=())
    plan = clone(Codec(None).load(stored), keep_state=True, scrub=True)
    return PlanSnapshot(position=0, plan=plan)
