"""Commands that tell what happens to a plan, in order: ``watch``, ``logs``."""

from __future__ import annotations

from uuid import UUID

import click

from ..._plan.paths import below_plan, display_path, label_of_plan, meant
from ..._protocols.watching import OutputLine, PlanSnapshot, StateChange, WatchEvent
from ..._show.data import event_data
from ..._show.history import history, is_about, read_plan, time_of
from ..._show.narration import event_told
from ..._show.overview import overview
from ..._values.display import one_line
from ..._values.state import ObjectType, Status
from ..call import (
    Call,
    command,
    json_lines_option,
    last_plan_argument,
    opened,
    run_async,
    store_option,
)
from ..draw.screen import Screen, joined
from ..draw.views import JsonView, View, told_line, watch_view_on
from ..follow import Result, tell, watch_elsewhere
from ..interrupts import interruptible
from ..streams import INTERRUPTED, ExitCode, complain


@command("watch", last_plan_argument, store_option, json_lines_option)
@click.option(
    "--after",
    metavar="POSITION",
    type=click.IntRange(min=0),
    help="Go on after this position of the plan's history; as JSON, each line tells "
    "its own.",
)
def watch(call: Call, plan: str, after: int | None) -> int:
    """Follow a plan that any process runs, to its end.

    It shows the same as `workstream run`. It waits for a plan that has not started yet;
    for a plan that has ended, it tells the end at once. Ctrl-C ends only the watching:
    the plan continues. PLAN is an id as `workstream list` shows it, its first digits,
    or `last`, the default.

    The exit status is the plan's, as for `workstream run`: 0 completed, 3 completed
    with tolerated failures, 1 failed, 4 stopped, 5 no process runs it any more.

    It imports no plugin package, and shows no secret.
    """
    screen = call.screen
    view = watch_view_on(screen, after, as_json=call.as_json)
    plan_id: UUID | None = None
    position = after

    def seen(at: int) -> None:
        nonlocal position
        position = at

    async def go() -> Result | None:
        """How it ended; None: whoever read this has left."""
        nonlocal plan_id
        async with opened(call.store) as plans:
            row = (await plans.find(plan)).row
            plan_id = row.id
            if row.status is Status.NOT_STARTED:
                view.notice(f"{row.name} is not started yet: waiting for it")
            broken_off = await watch_elsewhere(plans, row.id, view, after, seen)
            if view.is_left:
                return None
            with screen.busy("reading how it ended"):
                return Result(await overview(plans, row.id, brief=True), broken_off)

    try:
        result = run_async(lambda: interruptible(go))
    except KeyboardInterrupt:
        if position is not None and plan_id is not None:
            screen.line("no longer watched; the plan goes on")
            more = ("--after", str(position))
            call.hint("watch on", "watch", plan_id, *more, indent=0)
        else:
            complain("nothing was seen yet", "Interrupted")
        return INTERRUPTED
    if result is None:
        return INTERRUPTED
    if isinstance(view, JsonView):
        view.write({"event": "end", "position": position, **result.data()})
    else:
        tell(call, [result])
    return result.code


class LogView(View):
    """A line for each event, with its time; a date where a day begins."""

    def __init__(self, screen: Screen, path: str) -> None:
        """Write to a screen what is about the object of this path."""
        self._screen = screen
        self._path = path
        self._day = ""
        self._has_begun = False

    @property
    def is_left(self) -> bool:
        """See ``View``."""
        return self._screen.is_left

    def see(self, plan_id: UUID, event: WatchEvent) -> None:
        """See ``View``."""
        if isinstance(event, PlanSnapshot):
            self._screen.line(f"{self._screen.signs.more} some changes were missed")
            return
        if not is_about(event, self._path) or self._is_told(event):
            return
        clock = self._clock(event)
        if isinstance(event, OutputLine):
            label = (f"{display_path(below_plan(event.path))}: ", "dim")
            sign = (f"{self._screen.signs.output} ", "dim")
            line = joined(sign, label, one_line(event.text, 4_096))
        else:
            line = told_line(event_told(event), self._screen.signs)
        self._screen.line(joined((f"{clock}  ", "dim"), line))

    def _is_told(self, event: WatchEvent) -> bool:
        """Whether it only repeats that the plan runs: a line tells who said what."""
        if not isinstance(event, StateChange):
            return False
        if event.object_type is not ObjectType.PLAN:
            return False
        had_begun, self._has_begun = self._has_begun, True
        return had_begun and event.state.status is Status.RUNNING

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


@command("logs", last_plan_argument, store_option, json_lines_option)
@click.argument("path", metavar="[PATH]", default="")
@click.option(
    "-f", "--follow", is_flag=True, help="Go on with what happens, to the plan's end."
)
def logs(call: Call, plan: str, path: str, follow: bool) -> int:
    """Tell all that happened to a plan, in order.

    It prints a line for every change of state, every line of output, and everything
    that people told the plan. PATH is an object of the plan, such as `"web-3"` or
    `"Tier / web-3 / copy"`: then the command tells only of this object and what is in
    it. PLAN is an id as `workstream list` shows it, its first digits, or `last`, the
    default.

    It imports no plugin package, and shows no secret.

    Exit status: 0, also for a plan that failed; with --follow 5 when no process runs
    the plan any more.
    """
    screen = call.screen

    async def go() -> int:
        async with opened(call.store) as plans:
            plan_id = (await plans.find(plan)).row.id
            begun = await read_plan(plans, plan_id)
            root = label_of_plan(begun.plan)
            where = meant(begun.plan, path) if path else root
            view = JsonLogView(where) if call.as_json else LogView(screen, where)
            events = await history(plans, begun.plan, begun.position)
            if not (call.as_json or any(is_about(each, where) for each in events)):
                screen.line("nothing has happened to it")
            for event in events:
                view.see(plan_id, event)
                if view.is_left:
                    return ExitCode.COMPLETED
            if not follow or begun.plan.state.status.is_terminal:
                return ExitCode.COMPLETED
            broken_off = await watch_elsewhere(
                plans, plan_id, view, begun.position, lambda _: None
            )
            if broken_off is None:
                return ExitCode.COMPLETED
            complain(broken_off, "Broken off")
            return ExitCode.BROKEN_OFF

    try:
        return run_async(lambda: interruptible(go))
    except KeyboardInterrupt:
        return INTERRUPTED
