"""How a run is followed: line by line, as JSON, or on a screen that is written over."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import trio

from ..._protocols.watching import PlanSnapshot, StateChange, WatchEvent
from ..._show.data import event_data
from ..._show.narration import Narrator, Told
from ..._show.progress import Progress
from ..._store.ids import short_id
from ..._values.clock import utc_now
from ..._values.display import one_line, shorten
from ..._values.state import Status
from ..streams import data_stream
from .screen import STYLES, Line, Screen, Signs, counted, joined, plain

if TYPE_CHECKING:
    from ..._show.time_left import Pace

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
    return _live(screen) or LineView(screen, several=several)


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
    tells_state = after is None
    return _live(screen) or LineView(screen, tells_state=tells_state, after=after or 0)


def _live(screen: Screen) -> View | None:
    """The view that is written over, where that can be done."""
    if not screen.is_live:
        return None
    from .live_view import LiveView  # it needs rich, and a pipe does not

    return LiveView(screen)


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
        elif isinstance(event, StateChange):
            progress, narrator = self._plans[plan_id]
            before = progress.status_of(event.object_id)
            progress.see(event)
            told = narrator.tell(event, before)
            if told is None or event.position <= self._after:
                return
            time = event.state.ended or event.state.started or utc_now()
            self._write(plan_id, time, told_line(told, self._screen.signs))

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


def told_line(told: Told, signs: Signs) -> Line:
    """A line of the plan's story, with its sign."""
    style = STYLES[told.status]
    text = (one_line(told.text, 700), style)
    if not told.label:
        return joined(text)
    sign = signs.again if told.again else signs.of(told.status)
    return joined((f"{sign} ", style), shorten(told.label, 300), text)
