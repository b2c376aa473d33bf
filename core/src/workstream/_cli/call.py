"""One call of a subcommand: its store, how it answers, and the options that several have."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

import click

from .._protocols.hosting import hosting
from .._protocols.vault import PlanRow, Vault
from .._store.ids import LAST, short_id
from .._store.places import STORE_VARIABLE, vault_at
from .._values.display import shorten
from .._values.durations import duration_of
from .._values.errors import ValidationError
from .._values.state import Status
from .draw.screen import Screen
from .streams import ExitCode, Refusal, print_json, stdout_for_data

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from .._protocols.plugin import Plugins
    from .._report.document import Report
    from .._store.store import Store
    from .._vaults.lmdb.vault import LmdbVault
    from .draw.screen import Line

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_OFFERED = 50


class Call:
    """What a subcommand was called with that all have, and how it answers.

    Attributes:
        store: What was given as ``--store``; the commands to type next need it again.
        as_json: Whether a program asked.
        lasts: Whether other processes can see the store, so that there is anything to
            type at all.
        file: The report that is looked at instead of a store, if one is.
        screen: Where to write for people.
    """

    def __init__(
        self,
        *,
        store: str | None = None,
        as_json: bool = False,
        lasts: bool = True,
        file: str | None = None,
        screen: Screen | None = None,
    ) -> None:
        """See the attributes; by default it writes to standard output."""
        self.store = store
        self.as_json = as_json
        self.lasts = lasts
        self.file = file
        self.screen = screen or Screen()

    def find(self, plan: str, look: Callable[[Store, PlanRow], Awaitable[T]]) -> T:
        """What ``look`` makes of a plan of the store, which is open meanwhile.

        Raises:
            Refusal: There is no store.
            WorkstreamError: There is no such plan, or the store cannot be read.
        """

        async def go() -> T:
            async with opened(self.store) as plans:
                return await look(plans, (await plans.find(plan)).row)

        return run_async(go)

    def answer(self, data: object, *lines: Line | str) -> ExitCode:
        """Write the data for programs, or the lines for people; the status is 0."""
        if self.as_json:
            print_json(data)
        else:
            for line in lines:
                self.screen.line(line)
        return ExitCode.COMPLETED

    def command(self, name: str, plan_id: UUID | None = None, *more: str) -> str:
        """The command line for a plan of this store, to be pasted as it is."""
        if self.file is not None:
            return typed(name, self.file, *more)
        words = [name]
        words += [short_id(plan_id)] if plan_id is not None else []
        words += more
        words += ["--store", self.store] if self.store is not None else []
        return typed(*words)

    def hint(
        self,
        what: str,
        name: str,
        plan_id: UUID | None = None,
        *more: str,
        indent: int = 2,
    ) -> None:
        """Write what could be typed next, and what for."""
        self.screen.hint(what, self.command(name, plan_id, *more), indent=indent)


def typed(*words: str) -> str:
    """A command line of these words, to be pasted as it is."""
    import shlex  # not every answer ends with one

    return shlex.join(["workstream", *words])


class Command(click.Command):
    """A subcommand; its function takes a ``Call`` first, then its own parameters."""

    def invoke(self, ctx: click.Context) -> Any:
        """See click. Where it prints data, standard output is for the data alone."""
        is_data = ctx.params.get("as_json") or ctx.params.get("as_markdown")
        with stdout_for_data() if is_data else nullcontext():
            common = {
                name: ctx.params.pop(name)
                for name in ("store", "as_json")
                if name in ctx.params
            }
            assert self.callback is not None
            return ctx.invoke(self.callback, Call(**common), **ctx.params)


def command(
    name: str, *shared: click.Parameter
) -> Callable[[Callable[..., int]], Command]:
    """Make a subcommand of a function, whose docstring is the help.

    Args:
        name: What it is called.
        shared: What it takes as others do: arguments stand before its own, options
            behind its own.
    """

    def made(function: Callable[..., int]) -> Command:
        found = click.command(name, cls=Command)(function)
        arguments = [each for each in shared if isinstance(each, click.Argument)]
        options = [each for each in shared if isinstance(each, click.Option)]
        found.params = [*arguments, *found.params, *options]
        return found

    return made


# -- Completion in the shell -----------------------------------------------------------


def _plans(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The stored plans, newest first; errors are no business of someone who types."""
    from click.shell_completion import CompletionItem

    async def read() -> list[PlanRow]:
        async with opened(context.params.get("store")) as plans:
            return await plans.list(limit=_OFFERED)

    try:
        rows = run_async(read)
    except Exception:
        return []
    offered = [(LAST, "the newest plan")] if rows else []
    offered += [
        (short_id(row.id), f"{shorten(row.name, 60)}: {row.outcome.value}")
        for row in rows
    ]
    return [
        CompletionItem(value, help=text)
        for value, text in offered
        if value.startswith(incomplete)
    ]


# -- Options ---------------------------------------------------------------------------


def _store_option(*names: str) -> click.Option:
    """The option for the store, by these names."""
    return click.Option(
        [*names, "store"],
        metavar="DIR",
        shell_complete=click.Path(file_okay=False).shell_complete,
        help=f"The store's directory; by default that of {STORE_VARIABLE}, or else the "
        "platform's place for the state of programs. SCHEME:LOCATION names a store of "
        "an installed package, such as an engine elsewhere.",
    )


store_option = _store_option("--store")
run_store_option = _store_option("--store", "--engine")
json_option = click.Option(
    ["--json", "as_json"], is_flag=True, help="Print JSON, for programs."
)
json_lines_option = click.Option(
    ["--json", "as_json"],
    is_flag=True,
    help="Print a JSON object a line, for programs.",
)
output_option = click.Option(
    ["-o", "--output"],
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write, completely or not at all; by default, standard output.",
)
reason_option = click.Option(
    ["-m", "--reason"],
    metavar="TEXT",
    default="",
    help="Why, for those who look later.",
)
by_option = click.Option(
    ["--by"],
    metavar="NAME",
    help="Who asks; by default WORKSTREAM_BY, or else you at this host.",
)
dry_run_option = click.Option(
    ["--dry-run", "is_dry"],
    is_flag=True,
    help="Only say what would change; run and store nothing.",
)
preflight_option = click.Option(
    ["--no-preflight", "preflight"],
    is_flag=True,
    flag_value=False,
    default=True,
    help="Do not look the plan's secrets up before it begins.",
)
detach_option = click.Option(
    ["--detach"],
    is_flag=True,
    help="Return once the plan has begun; a process of its own runs it.",
)
wait_option = click.Option(
    ["--wait", "waits"],
    is_flag=True,
    help="Wait while other plans hold its locks, in the order of submission.",
)


launch_options = (
    dry_run_option,
    preflight_option,
    wait_option,
    detach_option,
    run_store_option,
    json_option,
)
"""What all commands take that run a plan."""


def _plan_argument(metavar: str, **more: Any) -> click.Argument:
    """The argument for a stored plan."""
    return click.Argument(["plan"], metavar=metavar, shell_complete=_plans, **more)


plan_argument = _plan_argument("PLAN")
last_plan_argument = _plan_argument("[PLAN]", default=LAST)
left_plan_argument = _plan_argument("[PLAN]", required=False)
run_argument = click.Argument(["ran"], metavar="RUN", shell_complete=_plans)
plans_argument = click.Argument(
    ["plans"], metavar="PLAN...", nargs=-1, required=True, shell_complete=_plans
)


def of_file(function: F) -> F:
    """Take the file of a plan, and the parameters of its plan function."""
    file = click.argument(
        "file", metavar="FILE", type=click.Path(path_type=Path, allow_dash=False)
    )
    return file(settings_option(function))


settings_option = click.option(
    "-p",
    "--parameter",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="A parameter of the file's plan function; again for each, or for a list. "
    "NAME=@FILE takes the values in a file: one a line, or JSON or YAML.",
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


# -- Stores --


def existing_store(store: str | None) -> Vault:
    """The vault of a store that is there already; it is not open yet.

    Args:
        store: What was given as ``--store``.

    Raises:
        Refusal: There is none.
    """
    vault = vault_at(store, create=False)
    path = getattr(vault, "path", None)
    if isinstance(path, Path) and _is_nothing(path):
        message = f"no store at {path}: `workstream run` makes one"
        if store is None:
            message += ", and --store names another"
        raise Refusal(message)
    return vault


def _is_nothing(path: Path) -> bool:
    """Whether nothing is there; of what cannot be told, opening it will tell."""
    try:
        if path.is_symlink() and not path.exists():
            return False
        return not path.exists() or (path.is_dir() and not any(path.iterdir()))
    except OSError:
        return False


@asynccontextmanager
async def opened(store: str | None) -> AsyncGenerator[Store]:
    """The store, open, while the body runs.

    Raises:
        Refusal: There is none.
        StorageError: It cannot be opened.
    """
    from .._store.store import open_store

    async with open_store(existing_store(store)) as plans:
        yield plans


def read_alone(store: str | None, read: Callable[[Vault], Coroutine[Any, Any, T]]) -> T:
    """Read a store; one of this machine without importing the event loop.

    Args:
        store: What was given as ``--store``.
        read: Only reads, and waits for nothing else.

    Raises:
        Refusal: There is none.
        StorageError: It cannot be opened.
    """
    from .._vaults.lmdb.vault import LmdbVault

    vault = existing_store(store)
    if isinstance(vault, LmdbVault):
        with vault.opened_alone():
            return _at_once(read(vault))

    async def go() -> T:
        await vault.open()
        try:
            return await read(vault)
        finally:
            await vault.close()

    return run_async(go)


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """What it returns, having waited for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    finally:
        coroutine.close()
    message = "reading without an event loop waited for something"
    raise RuntimeError(message)


def directory_of(vault: Vault, *, hosted: str, other: str) -> LmdbVault:
    """The vault, which must be a directory of this machine.

    Args:
        vault: The vault.
        hosted: What to say where another runs its plans, named by ``{host}``.
        other: What to say of any other kind.

    Raises:
        Refusal: It is of another kind.
    """
    from .._vaults.lmdb.vault import LmdbVault

    elsewhere = hosting(vault)
    if elsewhere is not None:
        raise Refusal(hosted.replace("{host}", elsewhere.host))
    if not isinstance(vault, LmdbVault):
        raise Refusal(other)
    return vault


def refuse_elsewhere(vault: Vault, call: Call) -> None:
    """Refuse to go on with plans that another goes on with by itself.

    Raises:
        Refusal: The store runs its plans itself.
    """
    elsewhere = hosting(vault)
    if elsewhere is None:
        return
    message = (
        f"nothing is run here: {elsewhere.host} runs the plans of this store, and goes on "
        f"with them by itself after a crash; follow one:  {call.command('watch')}"
    )
    raise Refusal(message)


def report_in(plan: str, plugins: Plugins | None = None) -> Report | None:
    """The report, where a command that takes a plan was given the file of one.

    Args:
        plan: What was given.
        plugins: The registry, where the plan is to be run again.

    Raises:
        Refusal: The file cannot be read, or is no report.
    """
    path = Path(plan)
    if path.suffix not in (".html", ".json"):
        return None
    from .._report.document import read_report

    try:
        return read_report(path.read_text(encoding="utf-8"), plugins)
    except (OSError, UnicodeDecodeError) as error:
        message = f"{plan}: cannot be read: {getattr(error, 'strerror', None) or error}"
        raise Refusal(message) from error
    except ValidationError as error:
        message = f"{plan}: {error}"
        raise Refusal(message) from error


def run_async(function: Callable[[], Awaitable[T]]) -> T:
    """Run it on trio; an error that nurseries wrapped up comes out alone."""
    import trio  # here, as it takes longer than many a command

    try:
        return trio.run(function)
    except BaseExceptionGroup as group:
        error: Any = group
        while isinstance(error, BaseExceptionGroup):
            inner: list[Any] = list(cast("Any", error).exceptions)
            if len(inner) > 1:
                break
            error = inner[0]
        raise cast("BaseException", error) from None
