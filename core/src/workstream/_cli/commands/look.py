"""Commands that look into the store: ``list``, ``show``, ``watch``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import click

from ..._codec.json_text import to_json
from ..._codec.labels import named
from ..._plan.paths import SEPARATOR
from ..._plan.plan import Outcome
from ..._protocols.searching import ANY_PLAN, Where, outcomes_of
from ..._show.data import entry_data, overview_data
from ..._show.overview import Overview, overview
from ..._store.entries import PlanEntry
from ..._store.store import Store
from ..._values.state import Status
from ..draw.page import show_page, show_rows
from ..draw.screen import Screen, counted
from ..draw.views import JsonView, watch_view_on
from ..exit_codes import INTERRUPTED, ExitCode
from ..follow import Result, tell, watch_elsewhere
from ..interrupts import interruptible
from ..options import (
    Command,
    Hints,
    json_option,
    last_plan_argument,
    moment_of,
    status_option,
    statuses_of,
    store_option,
)
from ..stores import opened, report_in, run_async
from ..streams import complain, print_json

_NOT_STORED = {"crashed": "running"}
"""A crashed plan is one that is running by the store, while no process runs it."""
_SHOWN = 50
"""How many plans a table shows, unless more are asked for."""


@click.command("list", cls=Command)
@status_option(
    *("not-started", "running", "crashed", "completed", "completed-with-failures"),
    *("failed", "stopped"),
    help="Only plans with this status; again for another. A crashed plan is one that "
    "is running by the store, while no process runs it.",
)
@click.option("--name", metavar="TEXT", default="", help="Only names that hold this.")
@click.option(
    "--since",
    metavar="WHEN",
    type=moment_of,
    help="Only plans submitted then or later: 2026-01-31, 2026-01-31T18:00, or how long "
    "ago, 2d.",
)
@click.option(
    "--until", metavar="WHEN", type=moment_of, help="Only plans submitted before then."
)
@click.option(
    "--group", "group_id", metavar="ID", type=click.UUID, help="Only this group."
)
@click.option(
    "--touching",
    metavar="PATH",
    multiple=True,
    help="Only plans that hold an object of this name, for example a host; or objects "
    "of all the names in a path. Again for another that they hold as well.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    help=f"At most this many plans; 0 means all. A table shows {_SHOWN} by default, "
    "and --json all.",
)
@click.option("--count", is_flag=True, help="Only tell how many there are.")
@store_option
@json_option
def list_plans(
    wanted: tuple[str, ...],
    name: str,
    since: datetime | None,
    until: datetime | None,
    group_id: UUID | None,
    touching: tuple[str, ...],
    limit: int | None,
    count: bool,
    store: str | None,
    as_json: bool,
) -> int:
    """List the plans of the store, newest first.

    The ids are short forms: the part of a plan's full id that tells plans apart. All
    commands take them, their first digits (at least four), the full id and its
    beginning, and `last` for the newest plan.
    """

    kinds = {"running", "crashed"} & set(wanted)
    parts = [part for path in touching for part in path.split(SEPARATOR)]
    where = Where(
        outcomes=_outcomes(wanted) if wanted else None,
        name=name,
        since=since,
        until=until,
        labels=tuple(named(part.strip()) for part in parts),
    )
    asked = where != ANY_PLAN or group_id is not None
    most = limit or 0
    if limit is None and not (as_json or count):
        most = _SHOWN

    async def read() -> tuple[list[PlanEntry], Mapping[Outcome, int]]:
        async with opened(store) as plans:
            if count and not asked:
                # The store has counted them; of those that run, some may have crashed.
                running = await plans.entries(statuses=[Status.RUNNING])
                return running, await plans.counts()
            found = await plans.entries(
                group_ids=None if group_id is None else [group_id],
                crashed="crashed" in kinds if len(kinds) == 1 else None,
                where=where,
                limit=most + 1 if most else 0,
            )
            if group_id is not None and (not most or len(found) <= most):
                found += await _head_of(plans, group_id, where, kinds)
            return found, {} if asked else await plans.counts()

    found, counts = run_async(read)
    if count:
        _tell_counts(found, counts, as_json=as_json)
        return ExitCode.COMPLETED
    shown = found[:most] if most else found
    if as_json:
        print_json([entry_data(entry) for entry in shown])
        return ExitCode.COMPLETED
    screen = Screen()
    if not found:
        screen.line("no such plan" if asked else "no plans yet")
        return ExitCode.COMPLETED
    show_rows(screen, shown)
    if limit is None and len(found) > len(shown):
        left = sum(counts.values()) - len(shown)
        more = f"{screen.signs.more} and {f'{left:,} ' if counts else ''}more"
        screen.line(f"{more}: --limit 0 lists all", "dim")
    if any(entry.crashed for entry in shown):
        screen.hint("go on with what crashed", Hints(store).command("resume"))
    return ExitCode.COMPLETED


async def _head_of(
    plans: Store, group_id: UUID, where: Where, kinds: set[str]
) -> list[PlanEntry]:
    """The plan whose id is the group's: the first of its retries has made it (RT-3)."""
    rows = await plans.vault.search(ids=[group_id], where=where)
    heads = [await plans.entry(row.id) for row in rows if row.group_id is None]
    wanted = {kinds == {"crashed"}} if len(kinds) == 1 else {True, False}
    return [
        entry
        for entry in heads
        if entry.row.status is not Status.RUNNING or entry.crashed in wanted
    ]


def _outcomes(wanted: Sequence[str]) -> set[Outcome]:
    """The outcomes that ``--status`` named."""
    tolerated = "completed-with-failures"
    statuses = [_NOT_STORED.get(each, each) for each in wanted if each != tolerated]
    found = outcomes_of(statuses_of(statuses))
    if tolerated in wanted:
        found.add(Outcome.COMPLETED_WITH_FAILURES)
    return found


def _tell_counts(
    found: Sequence[PlanEntry], counts: Mapping[Outcome, int], *, as_json: bool
) -> None:
    """Print how many plans there are of each kind."""
    crashed = sum(entry.crashed for entry in found)
    told = Counter(counts or (entry.row.outcome for entry in found))
    told[Outcome.RUNNING] -= crashed
    words = {outcome.value: told[outcome] for outcome in Outcome}
    words["crashed"] = crashed
    if as_json:
        print_json({"plans": sum(words.values()), "outcomes": words})
        return
    screen = Screen()
    screen.line(counted(sum(words.values()), "plan"))
    width = max(len(f"{number:,}") for number in words.values())
    for word, number in words.items():
        if number:
            screen.line(f"{number:{width},} {word}", indent=2)


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
