"""Commands that look at one plan: ``show``, ``watch``."""

from __future__ import annotations

import json
from uuid import UUID

import click

from ..._codec.json_text import to_json
from ..._show.data import overview_data
from ..._show.overview import Overview, overview
from ..._values.state import Status
from ..draw.page import show_page
from ..draw.screen import Screen
from ..draw.views import JsonView, watch_view_on
from ..exit_codes import INTERRUPTED, ExitCode
from ..follow import Result, tell, watch_elsewhere
from ..interrupts import interruptible
from ..options import (
    Command,
    Hints,
    json_option,
    last_plan_argument,
    store_option,
)
from ..stores import opened, report_in, run_async
from ..streams import complain, print_json


@click.command("show", cls=Command)
@last_plan_argument
@click.option(
    "--all", "everything", is_flag=True, help="Every object, request and attempt."
)
@store_option
@json_option
def show(plan: str, everything: bool, store: str | None, as_json: bool) -> int:
    """Show one plan: what failed where, and why.

    It prints the outcome, each failure with its error and the action's last lines, what
    runs now, and the plan as a tree in which successful parts are shortened. PLAN is an
    id as `workstream list` shows it, its first digits, or `last`, the default; or a file
    that `workstream report` wrote.

    It imports no plugin package, and shows no secret.
    """

    async def read() -> Overview:
        async with opened(store) as plans:
            found = (await plans.find(plan)).row.id
            brief = not (as_json or everything)
            return await overview(plans, found, kin=True, brief=brief)

    report = report_in(plan)
    shown = run_async(read) if report is None else report.shown
    if as_json:
        data = overview_data(shown)
        data["plan"] = json.loads(to_json(shown.plan))
        print_json(data)
        return ExitCode.COMPLETED
    hints = Hints(store, file=None if report is None else plan)
    show_page(Screen(), shown, hints=hints, everything=everything)
    return ExitCode.COMPLETED


@click.command("watch", cls=Command)
@last_plan_argument
@click.option(
    "--after",
    metavar="POSITION",
    type=click.IntRange(min=0),
    help="Go on after this position of the plan's history; as JSON, each line tells "
    "its own.",
)
@store_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object a line, for programs."
)
def watch(plan: str, after: int | None, store: str | None, as_json: bool) -> int:
    """Follow a plan that any process runs, to its end.

    It shows the same as `workstream run`. It waits for a plan that has not started yet;
    for a plan that has ended, it tells the end at once. Ctrl-C ends only the watching:
    the plan continues. PLAN is an id as `workstream list` shows it, its first digits,
    or `last`, the default.

    The exit status is the plan's, as for `workstream run`: 0 completed, 3 completed
    with tolerated failures, 1 failed, 4 stopped, 5 no process runs it any more.

    It imports no plugin package, and shows no secret.
    """
    hints, screen = Hints(store), Screen()
    view = watch_view_on(screen, after, as_json=as_json)
    plan_id: UUID | None = None
    position = after

    def seen(at: int) -> None:
        nonlocal position
        position = at

    async def go() -> Result | None:
        """How it ended; None: whoever read this has left."""
        nonlocal plan_id
        async with opened(store) as plans:
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
            again = hints.command("watch", plan_id, "--after", str(position))
            screen.line("no longer watched; the plan goes on")
            screen.hint("watch on", again)
        else:
            complain("nothing was seen yet", "Interrupted")
        return INTERRUPTED
    if result is None:
        return INTERRUPTED
    if isinstance(view, JsonView):
        view.write({"event": "end", "position": position, **result.data()})
    else:
        tell(screen, [result], hints)
    return result.code


attach = Command(
    "attach",
    callback=watch.callback,
    params=watch.params,
    help=watch.help,
)
