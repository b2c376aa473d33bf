"""How a run is followed: line by line, as JSON, or on a screen that is written over."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import trio

from ..._protocols.watching import (
    Intervened,
    PlanSnapshot,
    StateChange,
    WatchEvent,
)
from ..._show.data import event_data
from ..._show.history import time_of
from ..._show.narration import Narrator, Told
from ..._show.progress import Progress
from ..._store.ids import short_id
from ..._values.clock import utc_now
from ..._values.display import one_line, shorten
from ..._values.state import ObjectType, Status
from ..interrupts import keys_unseen
from ..streams import data_stream
from .screen import STYLES, Line, Screen, Signs, counted, joined, plain

if TYPE_CHECKING:
    from ..._show.time_left import Pace

REDRAW_EVERY = 0.125
"""Seconds between two looks whether anything has changed."""
_TICK_EVERY = 0.5
"""Seconds after which the clocks on the screen go on, when nothing else changes."""
_STATE_WIDTH, _STATE_HEIGHT = 120, 60
"""How much is told of a plan that has come some way already."""


class View:
    """Where the plans that are followed are shown; entered for as long as they are.

    Attributes:
        goes_on: Whether it can go on after a position, without the plan as it is then.
        forecasts: Whether it shows how long a plan still takes.
    """

    goes_on: bool = True
    forecasts: bool = False

    def __enter__(self) -> View:
        """Begin."""
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the screen as it should stay."""

    @property
    def is_left(self) -> bool:
        """Whether whoever looked on was found to have left."""
        raise NotImplementedError

    def see(self, plan_id: UUID, event: WatchEvent) -> None:
        """Take in what a watcher of the plan saw."""
        raise NotImplementedError

    def expect(self, plan_id: UUID, paces: Sequence[Pace]) -> None:
        """Take in how earlier runs of the plan went."""

    def wait_for(self, plan_id: UUID, waits: Mapping[int, str]) -> None:
        """Take in what actions wait for on which nobody works yet, by position (ZN-3)."""

    def notice(self, text: str) -> None:
        """Show a sentence to people."""

    def hang_up(self) -> None:
        """Go on line by line: the terminal is gone, and output goes to a log."""

    async def keep_up(self) -> None:
        """Show how time goes by, until cancelled."""
        await trio.sleep_forever()


def view_on(screen: Screen, *, several: bool = False) -> View:
    """The view of plans that run here. Of ``several``, lines must say which."""
    return LiveView(screen) if screen.is_live else LineView(screen, several=several)


def watch_view_on(screen: Screen, after: int | None, *, as_json: bool) -> View:
    """The view of one plan that runs elsewhere, perhaps for a while already.

    Args:
        screen: Where to show it.
        after: The position after which lines are wanted; None: how the plan is now
            comes first.
        as_json: Whether it is shown to programs.
    """
    if as_json:
        return JsonView()
    if screen.is_live:
        return LiveView(screen)
    return LineView(screen, tells_state=after is None, after=after or 0)


class JsonView(View):
    """An object a line, for programs. Its shapes are stable: names are added, none go."""

    def __init__(self) -> None:
        """Write where data goes."""
        self._stream = data_stream()

    @property
    def is_left(self) -> bool:
        """See ``View``."""
        return self._stream.is_left

    def see(self, plan_id: UUID, event: WatchEvent) -> None:
        """See ``View``."""
        self.write(event_data(event))

    def write(self, data: dict[str, Any]) -> None:
        """Write one object."""
        self._stream.write(json.dumps(data) + "\n")
        self._stream.flush()


class LineView(View):
    """A line for each thing worth one."""

    def __init__(
        self,
        screen: Screen,
        *,
        several: bool = False,
        tells_state: bool = False,
        after: int = 0,
        knows: Mapping[UUID, Progress] | None = None,
    ) -> None:
        """Write to a screen.

        Args:
            screen: The screen.
            several: Whether each line says which plan it tells of.
            tells_state: Whether to begin with how far a plan has come.
            after: Changes up to this position are taken in, but not told.
            knows: How far plans have come that were shown elsewhere so far.
        """
        self._screen = screen
        self._several = several
        self._tells_state = tells_state
        self._after = after
        self._waits: dict[UUID, AbstractSet[str]] = {}
        self._asked: dict[UUID, datetime] = {}
        """When each plan was last told something: its state does not say."""
        self._plans: dict[UUID, tuple[Progress, Narrator]] = {
            plan_id: (progress, Narrator(progress))
            for plan_id, progress in (knows or {}).items()
        }

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
        elif isinstance(event, Intervened):
            self._asked[plan_id] = event.intervention.at
        elif isinstance(event, StateChange):
            progress, narrator = self._plans[plan_id]
            before = progress.status_of(event.object_id)
            progress.see(event)
            told = narrator.tell(event, before)
            if told is None or event.position <= self._after:
                return
            time = time_of(event)
            if event.object_type is ObjectType.PLAN:
                time = self._asked.get(plan_id)
            self._write(plan_id, time or utc_now(), told_line(told, self._screen.signs))

    def wait_for(self, plan_id: UUID, waits: Mapping[int, str]) -> None:
        """See ``View``: a line for each thing that actions begin to wait for."""
        counts = Counter(waits.values())
        before, self._waits[plan_id] = self._waits.get(plan_id, frozenset()), {*counts}
        for words in sorted(counts.keys() - before):
            who = counted(counts[words], "action")
            verb = "waits" if counts[words] == 1 else "wait"
            text = (f"{who} {verb} for {one_line(words)}", "yellow")
            sign = (f"{self._screen.signs.waiting} ", "yellow")
            self._write(plan_id, utc_now(), joined(sign, text))

    def notice(self, text: str) -> None:
        """See ``View``."""
        self._screen.line(text)
        self._screen.flush()

    def _tell_state(self, progress: Progress) -> None:
        from .live import layout

        signs = self._screen.signs
        for line in layout([progress], utc_now(), _STATE_WIDTH, _STATE_HEIGHT, signs):
            line.rstrip()
            if line:
                self._screen.line(line)
        self._screen.flush()

    def _write(self, plan_id: UUID, time: datetime, line: Line) -> None:
        which = f"{short_id(plan_id)}  " if self._several else ""
        clock = time.astimezone().strftime("%H:%M:%S")
        self._screen.line(joined((f"{clock}  {which}", "dim"), line))
        self._screen.flush()


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
        from rich.live import Live  # a pipe does not need it

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
        from rich.cells import cell_len
        from rich.console import Group
        from rich.text import Text

        from .live import layout

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


def told_line(told: Told, signs: Signs) -> Line:
    """A line of the plan's story, with its sign."""
    style = STYLES[told.status]
    text = (one_line(told.text, 700), style)
    if not told.label:
        return joined(text)
    sign = signs.again if told.again else signs.of(told.status)
    return joined((f"{sign} ", style), shorten(told.label, 300), text)
