"""All that happens to a plan, a line for each event: for ``workstream logs``."""

from __future__ import annotations

from uuid import UUID

from ..._plan.paths import below_plan, display_path
from ..._show.data import event_data
from ..._show.history import is_about, time_of
from ..._show.narration import event_told
from ..._store.events import OutputLine, PlanSnapshot, WatchEvent
from ..._values.display import one_line
from .line import joined
from .screen import Screen
from .views import JsonView, View, told_line


class LogView(View):
    """A line for each event, with its time; a date where a day begins."""

    def __init__(self, screen: Screen, path: str) -> None:
        """Write to a screen what is about the object of this path."""
        self._screen = screen
        self._path = path
        self._day = ""

    @property
    def is_left(self) -> bool:
        """See ``View``."""
        return self._screen.is_left

    def see(self, plan_id: UUID, event: WatchEvent) -> None:
        """See ``View``."""
        if isinstance(event, PlanSnapshot):
            self._screen.line(f"{self._screen.signs.more} some changes were missed")
            return
        if not is_about(event, self._path):
            return
        clock = self._clock(event)
        if isinstance(event, OutputLine):
            label = (f"{display_path(below_plan(event.path))}: ", "dim")
            sign = (f"{self._screen.signs.output} ", "dim")
            line = joined(sign, label, one_line(event.text, 4_096))
        else:
            line = told_line(event_told(event), self._screen.signs)
        self._screen.line(joined((f"{clock}  ", "dim"), line))

    def _clock(self, event: WatchEvent) -> str:
        """The time of the event; a line for its day, where that is another one."""
        time = time_of(event)
        if time is None:
            return " " * 12
        here = time.astimezone()
        day = here.strftime("%Y-%m-%d")
        if day != self._day:
            self._day = day
            self._screen.line(day, "bold")
        return here.strftime("%H:%M:%S.") + f"{here.microsecond // 1000:03}"

    def notice(self, text: str) -> None:
        """See ``View``."""
        self._screen.line(text)


class JsonLogView(JsonView):
    """The same as an object a line, for programs."""

    def __init__(self, path: str) -> None:
        """Write what is about the object of this path."""
        super().__init__()
        self._path = path

    def see(self, plan_id: UUID, event: WatchEvent) -> None:
        """See ``View``."""
        if isinstance(event, PlanSnapshot) or not is_about(event, self._path):
            return
        time = time_of(event)
        self.write(
            {"time": None if time is None else time.isoformat(), **event_data(event)}
        )
