"""How a run is followed: line by line, or on a screen that is written over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Protocol
from uuid import UUID

import trio
from rich.console import Group
from rich.live import Live
from rich.text import Text

from .._show.narration import Narrator
from .._show.progress import Progress
from .._store.events import PlanSnapshot, StateChange, WatchEvent
from .._store.ids import short_id
from .._values.clock import utc_now
from .._values.state import Status
from ._live import layout
from ._narration import told_line
from ._times import clock
from .draw.screen import Screen, joined, plain

__all__ = ["LiveView", "PlainView", "View", "view_on", "watch_view_on"]

_REDRAW_EVERY = 0.125
_STATE_WIDTH, _STATE_HEIGHT = 120, 60
"""How much is told of a plan that has come some way already."""
_TICK_EVERY = 0.5
"""Seconds after which the clocks on the screen go on, when nothing else changes."""


class View(Protocol):
    """Where the plans that are followed are shown."""

    def __enter__(self) -> View:
        """Begin."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Leave the screen as it should stay."""
        ...

    @property
    def is_left(self) -> bool:
        """Whether whoever looked on was found to have left."""
        ...

    def see(self, plan_id: UUID, event: WatchEvent) -> None:
        """Take in what a watcher of the plan saw."""
        ...

    def notice(self, text: str) -> None:
        """Show a sentence."""
        ...

    async def keep_up(self) -> None:
        """Show how time goes by, until cancelled."""
        ...


def view_on(screen: Screen, *, several: bool) -> View:
    """The view that fits the screen.

    Args:
        screen: Where to show it.
        several: Whether several plans are followed, so that lines must say which.
    """
    return LiveView(screen) if screen.is_live else PlainView(screen, several=several)


def watch_view_on(screen: Screen, after: int | None) -> View:
    """The view for one plan that runs elsewhere, perhaps for a while already.

    Args:
        screen: Where to show it.
        after: The position after which lines are wanted; None: how the plan is now
            comes first.
    """
    if screen.is_live:
        return LiveView(screen)
    return PlainView(screen, several=False, tells_state=after is None, after=after or 0)


class PlainView:
    """A line for each thing worth one."""

    def __init__(
        self,
        screen: Screen,
        *,
        several: bool,
        tells_state: bool = False,
        after: int = 0,
    ) -> None:
        """Write to a screen.

        Args:
            screen: The screen.
            several: Whether each line says which plan it tells of.
            tells_state: Whether to begin with how far a plan has come.
            after: Changes up to this position are taken in, but not told.
        """
        self._screen = screen
        self._several = several
        self._tells_state = tells_state
        self._after = after
        self._plans: dict[UUID, tuple[Progress, Narrator]] = {}

    def __enter__(self) -> PlainView:
        """See ``View``."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """See ``View``."""
        self._screen.flush()

    @property
    def is_left(self) -> bool:
        """See ``View``."""
        return self._screen.is_left

    def see(self, plan_id: UUID, event: WatchEvent) -> None:
        """See ``View``."""
        if isinstance(event, PlanSnapshot):
            if plan_id in self._plans:
                self._plans[plan_id][0].see(event)
                self._write(plan_id, utc_now(), plain("… some changes were missed"))
                return
            progress = Progress(event)
            self._plans[plan_id] = progress, Narrator(progress)
            if self._tells_state and progress.status is Status.RUNNING:
                self._tell_state(progress)
            return
        progress, narrator = self._plans[plan_id]
        if not isinstance(event, StateChange):
            return
        before = progress.status_of(event.object_id)
        progress.see(event)
        told = narrator.tell(event, before)
        if told is not None and event.position > self._after:
            state = event.state
            line = told_line(told, self._screen.signs)
            self._write(plan_id, state.ended or state.started or utc_now(), line)

    def notice(self, text: str) -> None:
        """See ``View``."""
        self._screen.line(text)
        self._screen.flush()

    async def keep_up(self) -> None:
        """See ``View``: lines stay as they are."""
        await trio.sleep_forever()

    def _tell_state(self, progress: Progress) -> None:
        signs = self._screen.signs
        for line in layout([progress], utc_now(), _STATE_WIDTH, _STATE_HEIGHT, signs):
            if line:
                line.rstrip()
                self._screen.line(line)
        self._screen.flush()

    def _write(self, plan_id: UUID, time: datetime, line: Text) -> None:
        which = f"{short_id(plan_id)}  " if self._several else ""
        self._screen.line(joined((f"{clock(time)}  {which}", "dim"), line))
        self._screen.flush()


class LiveView:
    """A few lines at the bottom of the terminal, written over as things change."""

    def __init__(self, screen: Screen, now: Callable[[], datetime] = utc_now) -> None:
        """Show on a screen that ``is_live``."""
        self._screen = screen
        self._now = now
        self._plans: dict[UUID, Progress] = {}
        self._changed = True
        self._live = Live(
            console=screen.console,
            auto_refresh=False,
            transient=True,
            vertical_overflow="crop",
        )

    def __enter__(self) -> LiveView:
        """See ``View``."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """See ``View``."""
        self._live.stop()

    @property
    def is_left(self) -> bool:
        """See ``View``."""
        return self._screen.is_left

    def see(self, plan_id: UUID, event: WatchEvent) -> None:
        """See ``View``."""
        progress = self._plans.get(plan_id)
        if progress is not None:
            progress.see(event)
        elif isinstance(event, PlanSnapshot):
            self._plans[plan_id] = Progress(event)
        self._changed = True

    def notice(self, text: str) -> None:
        """See ``View``: it stays, above what is written over."""
        self._screen.line(plain(text, "yellow"))

    async def keep_up(self) -> None:
        """See ``View``."""
        drawn = -_TICK_EVERY
        while True:
            if self._changed or trio.current_time() - drawn >= _TICK_EVERY:
                self._changed = False
                drawn = trio.current_time()
                self._draw()
            await trio.sleep(_REDRAW_EVERY)

    def _draw(self) -> None:
        size = self._screen.console.size
        lines = layout(
            list(self._plans.values()),
            self._now(),
            size.width,
            size.height,
            self._screen.signs,
        )
        if not self._plans:
            lines = [plain(f"reading the plan {self._screen.signs.more}", "dim")]
        self._live.update(Group(*lines), refresh=True)
