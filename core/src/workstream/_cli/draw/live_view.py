"""Running plans on a terminal: a few lines that are written over as things change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from uuid import UUID

import trio
from rich.cells import cell_len
from rich.console import Group
from rich.live import Live
from rich.text import Text

from ..._protocols.watching import PlanSnapshot, WatchEvent
from ..._show.progress import Progress
from ..._show.time_left import Pace
from ..._values.clock import utc_now
from ..interrupts import keys_unseen
from .live import layout
from .screen import Screen
from .views import LineView, View

REDRAW_EVERY = 0.125
"""Seconds between two looks whether anything has changed."""
_TICK_EVERY = 0.5
"""Seconds after which the clocks on the screen go on, when nothing else changes."""


class LiveView(View):
    """A few lines at the bottom of the terminal, written over as things change."""

    goes_on = False
    forecasts = True

    def __init__(self, screen: Screen) -> None:
        """Show on a screen that ``is_live``."""
        self._screen = screen
        self._plans: dict[UUID, Progress] = {}
        self._paces: dict[UUID, Sequence[Pace]] = {}
        self._lines: LineView | None = None
        self._changed = True
        self._drawn: list[int] = []
        self._width = 0
        self._shown = ExitStack()
        self._hide_keys: Callable[[], None] = lambda: None
        self._is_anew = False
        self._live = Live(
            console=screen.console,
            auto_refresh=False,
            transient=True,
            vertical_overflow="crop",
        )

    def __enter__(self) -> View:
        """See ``View``."""
        terminal = self._screen.console.file.fileno()
        self._hide_keys = self._shown.enter_context(
            keys_unseen(terminal, self._begin_anew)
        )
        self._shown.enter_context(self._live)
        return self

    def __exit__(self, *error: object) -> None:
        """See ``View``."""
        self._shown.close()

    @property
    def is_left(self) -> bool:
        """See ``View``."""
        return self._screen.is_left

    def see(self, plan_id: UUID, event: WatchEvent) -> None:
        """See ``View``."""
        if self._lines is not None:
            self._lines.see(plan_id, event)
            return
        progress = self._plans.get(plan_id)
        if progress is not None:
            progress.see(event)
        elif isinstance(event, PlanSnapshot):
            self._plans[plan_id] = Progress(event)
        self._changed = True

    def expect(self, plan_id: UUID, paces: Sequence[Pace]) -> None:
        """See ``View``."""
        self._paces[plan_id] = paces

    def wait_for(self, plan_id: UUID, waits: Mapping[int, str]) -> None:
        """See ``View``."""
        if self._lines is not None:
            self._lines.wait_for(plan_id, waits)
        elif plan_id in self._plans:
            self._plans[plan_id].wait_for(waits)

    def notice(self, text: str) -> None:
        """See ``View``: it stays, above what is written over."""
        if self._lines is not None:
            self._lines.notice(text)
            return
        self._screen.line(text, "yellow")

    def hang_up(self) -> None:
        """See ``View``."""
        several = len(self._plans) > 1
        self._lines = LineView(Screen(), several=several, knows=self._plans)

    async def keep_up(self) -> None:
        """See ``View``."""
        drawn = -_TICK_EVERY
        while self._lines is None:
            if self._changed or trio.current_time() - drawn >= _TICK_EVERY:
                self._changed = False
                drawn = trio.current_time()
                self.draw()
            await trio.sleep(REDRAW_EVERY)
        await trio.sleep_forever()

    def draw(self) -> None:
        """Write over what is there with how things are now."""
        size, signs = self._screen.console.size, self._screen.signs
        plans = list(self._plans.values())
        lines = layout(
            plans, utc_now(), size.width, size.height, signs, paces=self._paces
        )
        if not plans:
            lines = [Text(f"reading the plan {signs.more}", "dim")]
        self._hide_keys()
        if self._is_anew:
            self._is_anew, self._drawn = False, []
            self._live.stop()
            self._screen.line()
            self._live.start()
        if size.width != self._width:
            self._wipe(size.width)
            self._width = size.width
        self._drawn = [cell_len(line.plain) for line in lines]
        self._live.update(Group(*lines), refresh=True)

    def _begin_anew(self) -> None:
        """Draw below what the shell wrote meanwhile: a signal came, so only note it."""
        self._is_anew = self._changed = True

    def _wipe(self, width: int) -> None:
        """Remove what is drawn from a terminal that is no longer as wide.

        Terminals break the lines that are too long for them now. rich would go back by
        as many lines as it wrote, and leave the rest standing.
        """
        if not self._drawn or width >= self._width:
            return
        rows = sum(max(-(-cells // width), 1) for cells in self._drawn)
        back = f"\x1b[{rows - 1}A" if rows > 1 else ""
        # As far down again as rich goes up.
        down = f"\x1b[{len(self._drawn) - 1}B" if len(self._drawn) > 1 else ""
        self._screen.control(f"\r{back}\x1b[0J{down}")
