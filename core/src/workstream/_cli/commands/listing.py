"""Commands that read and do not wait: ``list`` and ``show``. They import no event loop.

Nor does ``list`` import what only the page of a plan needs: it is what people type most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import attrs
import click

from ..._plan.outcome import Outcome
from ..._protocols.searching import ANY_PLAN, Where, newest_first, outcomes_of
from ..._protocols.vault import Vault
from ..._store.entries import PlanEntry, entries_in, entry_of
from ..._values.clock import utc_now
from ..._values.display import shorten
from ..._values.errors import NotFoundError
from ..._values.state import Status
from ..call import (
    Call,
    age,
    command,
    json_option,
    last_plan_argument,
    read_alone,
    report_in,
    status_option,
    statuses_of,
    store_option,
)
from ..draw.screen import counted, show_rows
from ..streams import ExitCode, print_json

if TYPE_CHECKING:
    from ..._show.overview import Overview

_NOT_STORED = {"crashed": "running"}
"""A crashed plan is one that is running by the store, while no process runs it."""
_SHOWN = 50
"""How many plans a table shows, unless more are asked for."""


def moment_of(text: str) -> datetime:
    """A moment: a date, a date and a time, or how long ago it was.

    Without a zone it is meant here. Raises click.BadParameter.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        pass
    else:
        return found.astimezone()
    try:
        return utc_now() - age(text)
    except (click.BadParameter, OverflowError):
        message = (
            f"'{shorten(text)}' is no time: write 2026-01-31, 2026-01-31T18:00, or how "
            "long ago it was: 12h, 30d, 2w"
        )
        raise click.BadParameter(message) from None


@command("list", store_option, json_option)
@status_option(
    *("not-started", "running", "held", "crashed", "completed"),
    *("completed-with-failures", "completed-with-skipped", "failed", "stopped"),
    help="Only plans with this status; again for another. A crashed plan is one that "
    "is running by the store, while no process runs it. A held one is paused or "
    "frozen, whether it was started or not.",
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
    "--submitter",
    metavar="NAME",
    default="",
    help="Only plans that this one submitted.",
)
@click.option(
    "-p",
    "--parameter",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="Only plans that were made with this parameter, as it was given; again for "
    "another.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    help=f"At most this many plans; 0 means all. A table shows {_SHOWN} by default, "
    "and --json all.",
)
@click.option("--count", is_flag=True, help="Only tell how many there are.")
def list_plans(
    call: Call,
    wanted: tuple[str, ...],
    name: str,
    since: datetime | None,
    until: datetime | None,
    group_id: UUID | None,
    touching: tuple[str, ...],
    submitter: str,
    settings: tuple[str, ...],
    limit: int | None,
    count: bool,
) -> int:
    """List the plans of the store, newest first.

    The ids are short forms: the part of a plan's full id that tells plans apart. All
    commands take them, their first digits (at least four), the full id and its
    beginning, and `last` for the newest plan.
    """

    from ..._codec.labels import labels_for

    kinds = {"running", "crashed"} & set(wanted)
    crashed = "crashed" in kinds if len(kinds) == 1 else None
    where = Where(
        outcomes=_outcomes(wanted) if wanted and not _only_held(wanted) else None,
        name=name,
        since=since,
        until=until,
        labels=labels_for(touching=touching, submitter=submitter, parameters=settings),
    )
    asked = where != ANY_PLAN or group_id is not None or "held" in wanted
    most = limit or 0
    if limit is None and not (call.as_json or count):
        most = _SHOWN

    asking = set[UUID]()

    async def read(vault: Vault) -> tuple[list[PlanEntry], Mapping[Outcome, int]]:
        if count and not asked:
            # The store has counted them; of those that run, some may have crashed.
            running = await entries_in(vault, statuses=[Status.RUNNING])
            return running, await vault.counts()
        groups = None if group_id is None else [group_id]
        found: list[PlanEntry] = []
        if not _only_held(wanted):
            found = await entries_in(
                vault,
                group_ids=groups,
                crashed=crashed,
                where=where,
                limit=most + 1 if most else 0,
            )
        if "held" in wanted:
            anyhow = attrs.evolve(where, outcomes=None)
            found = await _with_held(vault, found, groups, anyhow)
        if group_id is not None and (not most or len(found) <= most):
            found += await _head_of(vault, group_id, where, crashed)
        if not count:
            asking.update(await _asking(vault, found))
        return found, {} if asked else await vault.counts()

    found, counts = read_alone(call.store, read)
    if count:
        _tell_counts(call, found, counts)
        return ExitCode.COMPLETED
    shown = found[:most] if most else found
    if call.as_json:
        from ..._show.data import entry_data

        print_json(
            [{**entry_data(each), "asks": each.row.id in asking} for each in shown]
        )
        return ExitCode.COMPLETED
    screen = call.screen
    if not found:
        screen.line("no such plan" if asked else "no plans yet")
        return ExitCode.COMPLETED
    show_rows(screen, shown, asking)
    if limit is None and len(found) > len(shown):
        left = sum(counts.values()) - len(shown)
        more = f"{screen.signs.more} and {f'{left:,} ' if counts else ''}more"
        screen.line(f"{more}: --limit 0 lists all", "dim")
    if asking:
        only = next(iter(asking)) if len(asking) == 1 else None
        call.hint("see what is asked", "show", only, indent=0)
    if any(entry.crashed for entry in shown):
        call.hint("go on with what crashed", "resume", indent=0)
    return ExitCode.COMPLETED


async def _asking(vault: Vault, found: Sequence[PlanEntry]) -> set[UUID]:
    """Those that wait for somebody's approval. Only plans that hold one are read."""
    runs = {
        each.row.id
        for each in found
        if each.row.status is Status.RUNNING and not each.crashed
    }
    if not runs:
        return set()
    from ..._codec.labels import ASKS

    where = Where(labels=(ASKS,))
    rows = await vault.search(statuses=[Status.RUNNING], where=where)
    asking = set[UUID]()
    for row in rows:
        if row.id not in runs:
            continue
        from ..._codec.codec import Codec
        from ..._interpreter.signals import approvals

        with suppress(NotFoundError):  # deleted in the meantime
            plan = Codec(None).load(await vault.read(row.id))
            waiting = (each.action.state.status for each in approvals(plan))
            if Status.RUNNING in waiting:
                asking.add(row.id)
    return asking


def _only_held(wanted: Sequence[str]) -> bool:
    """Whether held plans alone are asked for."""
    return {*wanted} == {"held"}


async def _with_held(
    vault: Vault, found: list[PlanEntry], groups: list[UUID] | None, where: Where
) -> list[PlanEntry]:
    """The plans with those that are held: what holds a plan stands in its row."""
    open_ = [Status.NOT_STARTED, Status.RUNNING]
    entries = await entries_in(vault, group_ids=groups, statuses=open_, where=where)
    known = {entry.row.id: entry for entry in found}
    known.update((each.row.id, each) for each in entries if each.row.held)
    rows = newest_first((each.row for each in known.values()), 0)
    return [known[row.id] for row in rows]


async def _head_of(
    vault: Vault, group_id: UUID, where: Where, crashed: bool | None
) -> list[PlanEntry]:
    """The plan whose id is the group's: the first of its retries has made it (RT-3)."""
    rows = await vault.search(ids=[group_id], where=where)
    heads = [await entry_of(vault, row.id) for row in rows if row.group_id is None]
    return [each for each in heads if each.fits(crashed=crashed)]


def _outcomes(wanted: Sequence[str]) -> set[Outcome]:
    """The outcomes that ``--status`` named."""
    statuses, found = list[str](), set[Outcome]()
    for each in wanted:
        if "-with-" in each:
            found.add(Outcome[each.upper().replace("-", "_")])
        elif each != "held":
            statuses.append(_NOT_STORED.get(each, each))
    return found | outcomes_of(statuses_of(statuses))


def _tell_counts(
    call: Call, found: Sequence[PlanEntry], counts: Mapping[Outcome, int]
) -> None:
    """Print how many plans there are of each kind."""
    crashed = sum(entry.crashed for entry in found)
    told = Counter(counts or (entry.row.outcome for entry in found))
    told[Outcome.RUNNING] -= crashed
    words = {outcome.value: told[outcome] for outcome in Outcome}
    words["crashed"] = crashed
    held = sum(bool(entry.row.held) for entry in found)
    width = max(len(f"{number:,}") for number in words.values())
    call.answer(
        {"plans": sum(words.values()), "outcomes": words, "held": held},
        counted(sum(words.values()), "plan"),
        *(f"  {number:{width},} {word}" for word, number in words.items() if number),
    )
    if held and not call.as_json:
        text = f"{held:,} of them held: list --status held"
        call.screen.line(text, "yellow", indent=2)


# -- One plan --


@command("show", last_plan_argument, store_option, json_option)
@click.option(
    "--all", "everything", is_flag=True, help="Every object, request and attempt."
)
def show(call: Call, plan: str, everything: bool) -> int:
    """Show one plan: what failed where, and why.

    It prints the outcome, each failure with its error and the action's last lines, what
    runs now, and the plan as a tree in which successful parts are shortened. PLAN is an
    id as `workstream list` shows it, its first digits, or `last`, the default; or a file
    that `workstream report` wrote.

    It imports no plugin package, and shows no secret.
    """

    import json

    from ..._codec.json_text import to_json
    from ..._show.data import overview_data
    from ..._show.overview import overview_in
    from ..._store.ids import find_row
    from ..draw.page import show_page

    brief = not (call.as_json or everything)
    report = report_in(plan)

    async def read(vault: Vault) -> Overview:
        row = await find_row(vault, plan)
        return await overview_in(vault, row.id, kin=True, brief=brief)

    shown = report.shown if report is not None else read_alone(call.store, read)
    if call.as_json:
        print_json({**overview_data(shown), "plan": json.loads(to_json(shown.plan))})
        return ExitCode.COMPLETED
    call.file = None if report is None else plan
    show_page(call, shown, everything=everything)
    return ExitCode.COMPLETED
