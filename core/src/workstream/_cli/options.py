"""The base of all subcommands, the options that several have, and the next command to type."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import attrs
import click
from click.shell_completion import CompletionItem

from .._store.ids import LAST, short_id
from .._store.places import STORE_VARIABLE
from .._values.clock import utc_now
from .._values.display import shorten
from .._values.durations import duration_of
from .._values.state import Status
from .streams import stdout_for_data

F = TypeVar("F", bound=Callable[..., Any])

_OFFERED = 50


class Command(click.Command):
    """A subcommand. Where it prints data, standard output is for the data alone."""

    def invoke(self, ctx: click.Context) -> Any:
        """See click."""
        if ctx.params.get("as_json") or ctx.params.get("as_markdown"):
            with stdout_for_data():
                return super().invoke(ctx)
        return super().invoke(ctx)


# -- Completion in the shell -----------------------------------------------------------


def _plans(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The stored plans, newest first; errors are no business of someone who types."""
    from .._protocols.vault import PlanRow
    from .stores import opened, run_async

    async def read() -> list[PlanRow]:
        async with opened(context.params.get("store")) as plans:
            return await plans.list(limit=_OFFERED)

    try:
        rows = run_async(read)
    except Exception:
        return []
    offered = [(LAST, "the newest plan")] if rows else []
    for row in rows:
        offered.append(
            (short_id(row.id), f"{shorten(row.name, 60)}: {row.outcome.value}")
        )
    return [
        CompletionItem(value, help=text)
        for value, text in offered
        if value.startswith(incomplete)
    ]


def _directories(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The shell knows them."""
    return [CompletionItem(incomplete, type="dir")]


# -- Options ---------------------------------------------------------------------------


def _store_option(*names: str) -> Callable[[F], F]:
    """The option for the store, by these names."""
    return click.option(
        *names,
        "store",
        metavar="DIR",
        shell_complete=_directories,
        help=(
            f"The store's directory; by default that of {STORE_VARIABLE}, or else the "
            "platform's place for the state of programs. SCHEME:LOCATION names a store "
            "of an installed package, such as an engine elsewhere."
        ),
    )


store_option = _store_option("--store")
run_store_option = _store_option("--store", "--engine")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, for programs."
)
output_option = click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write, completely or not at all; by default, standard output.",
)
reason_option = click.option(
    "-m", "--reason", metavar="TEXT", default="", help="Why, for those who look later."
)
by_option = click.option(
    "--by",
    metavar="NAME",
    help="Who asks; by default WORKSTREAM_BY, or else you at this host.",
)
settings_option = click.option(
    "-p",
    "--parameter",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="A parameter of the file's plan function; again for each, or for a list. "
    "NAME=@FILE takes the values in a file: one a line, or JSON or YAML.",
)
preflight_option = click.option(
    "--no-preflight",
    "preflight",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Do not look the plan's secrets up before it begins.",
)
detach_option = click.option(
    "--detach",
    is_flag=True,
    help="Return once the plan has begun; a process of its own runs it.",
)
wait_option = click.option(
    "--wait",
    "waits",
    is_flag=True,
    help="Wait while other plans hold its locks, in the order of submission.",
)
plan_argument = click.argument("plan", metavar="PLAN", shell_complete=_plans)
run_argument = click.argument("ran", metavar="RUN", shell_complete=_plans)
plans_argument = click.argument(
    "plans", metavar="PLAN...", nargs=-1, required=True, shell_complete=_plans
)
last_plan_argument = click.argument(
    "plan", metavar="[PLAN]", default=LAST, shell_complete=_plans
)
left_plan_argument = click.argument(
    "plan", metavar="[PLAN]", required=False, shell_complete=_plans
)


def status_option(*statuses: str, help: str) -> Callable[[F], F]:  # noqa: A002
    """``--status``, which may be given several times."""
    return click.option(
        "--status",
        "wanted",
        type=click.Choice(statuses, case_sensitive=False),
        multiple=True,
        help=help,
    )


def statuses_of(wanted: Sequence[str]) -> list[Status]:
    """The statuses that ``--status`` named."""
    return [Status[each.upper().replace("-", "_")] for each in wanted]


def age(text: str) -> timedelta:
    """A length of time with its unit: of a bare ``30`` nobody knows it."""
    try:
        found = duration_of("" if text.strip()[-1:].isdecimal() else text)
    except ValueError:
        message = f"'{shorten(text)}' is no age: write 30d, 12h, 2w, 90m or 1d12h"
        raise click.BadParameter(message) from None
    return found


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


# -- What to type next -----------------------------------------------------------------


@attrs.frozen
class Hints:
    """Knows what to type next.

    Attributes:
        store: What was given as ``--store``; commands need it again.
        lasts: Whether other processes can see the store, so that there is anything to
            type at all.
        file: The report that is looked at instead of a store, if one is.
    """

    store: str | None
    lasts: bool = True
    file: str | None = None

    @staticmethod
    def words(*words: str) -> str:
        """A command line of these words, to be pasted as it is."""
        return shlex.join(["workstream", *words])

    def command(self, name: str, plan_id: UUID | None = None, *more: str) -> str:
        """The command line for a plan of this store, to be pasted as it is."""
        if self.file is not None:
            return self.words(name, self.file, *more)
        words = [name]
        words += [short_id(plan_id)] if plan_id is not None else []
        words += more
        words += ["--store", self.store] if self.store is not None else []
        return self.words(*words)
