"""The command itself: it finds the subcommand, and says what went wrong."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from .._values.display import shorten
from .streams import (
    BUG,
    INTERRUPTED,
    OUTPUT_LOST,
    ExitCode,
    complain,
    flush_all,
    log_to_stderr,
    lost_output,
    open_missing,
)

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run.run", "Run a plan, and follow it to its end."),
    "validate": ("run.validate", "Check a plan without running anything."),
    "verify": ("verify.verify", "Find the worst that can happen to a plan."),
    "rehearse": ("verify.rehearse", "Play one future of a plan, and draw it."),
    "what-if": ("verify.what_if", "Play a run again under a changed plan."),
    "resume": ("run.resume", "Continue the plans that a crash left behind."),
    "retry": ("retry.retry", "Do what a plan that has ended left undone."),
    "undo": ("retry.undo", "Take back what a plan that has ended did."),
    "submit": ("serve.submit", "Hand a plan to the engine that `serve` runs."),
    "serve": ("serve.serve", "Run what is submitted, and resume what crashed."),
    "observe": ("serve.observe", "Tell observers of plans that run elsewhere."),
    "list": ("listing.list_plans", "List the plans of the store, newest first."),
    "show": ("listing.show", "Show one plan: what failed where, and why."),
    "watch": ("look.watch", "Follow a plan that any process runs."),
    "attach": ("look.watch", "Follow a plan: another name for `watch`."),
    "logs": ("look.logs", "Tell all that happened to a plan, in order."),
    "diff": ("copies.diff", "Say how one plan differs from another."),
    "stop": ("hand.stop", "Ask a running plan to stop."),
    "pause": ("hand.pause", "Hold a plan: nothing new of it begins."),
    "unpause": ("hand.unpause", "Let a paused plan go on."),
    "freeze": ("hand.freeze", "Hold every plan of the store, those of later, too."),
    "unfreeze": ("hand.unfreeze", "End a freeze: the plans of the store go on."),
    "exempt": ("hand.exempt", "Let one plan through while the store is frozen."),
    "skip": ("hand.skip", "Leave out something of a plan that has not begun."),
    "limits": ("hand.limits", "Change the limits of a block while it runs."),
    "approve": ("hand.approve", "Approve what a plan waits for."),
    "reject": ("hand.reject", "Reject what a plan waits for: the approval fails."),
    "signal": ("hand.signal", "Send a signal to an action of a plan."),
    "abandon": ("hand.abandon", "Give up a plan that a crash left behind."),
    "export": ("copies.export", "Write a plan as JSON."),
    "report": ("copies.report", "Write all that happened into one file."),
    "delete": ("keeping.delete", "Remove plans from the store."),
    "prune": ("keeping.prune", "Remove the plans that ended long ago."),
    "backup": ("keeping.backup", "Copy the store, whatever runs meanwhile."),
    "restore": ("keeping.restore", "Make a store of a backup."),
    "doctor": ("doctor.doctor", "Look for what is wrong, and say what to do."),
    "plugins": ("packages.plugins", "List what is installed, and what was left out."),
    "new-plugin": ("packages.new_plugin", "Begin a plugin package of your own."),
}
"""Where each subcommand is (module and name), and its line in the help."""
BY_HAND: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("abort", "cancel", "kill"), ("stop --now",)),
    **dict.fromkeys(("rerun", "restart"), ("retry",)),
    **dict.fromkeys(("status", "ps"), ("list", "show")),
    "ls": ("list",),
    **dict.fromkeys(("log", "history"), ("logs",)),
    "tail": ("logs --follow",),
    **dict.fromkeys(("describe", "info"), ("show",)),
    "start": ("run",),
    **dict.fromkeys(("check", "lint"), ("validate",)),
    **dict.fromkeys(("preview", "dry-run"), ("run --dry-run",)),
    **dict.fromkeys(("rollback", "revert"), ("undo",)),
    **dict.fromkeys(("hold", "suspend"), ("pause",)),
    **dict.fromkeys(("unhold", "continue"), ("unpause", "resume")),
}
"""What people type first, and the commands that do it: those are offered that exist."""
_LOSE = ("prune", "delete", "restore")
"""Commands after which something may be gone: nobody is led to them by a slip."""
_ALIKE = 0.65
"""From this similarity on, a command is offered for a mistyped one."""


class LazyCommand(click.Command):
    """A subcommand of the core, imported when it is called."""

    def load(self) -> click.Command:
        """The command itself."""
        module, _, name = COMMANDS[self.name or ""][0].partition(".")
        found = getattr(
            importlib.import_module(f".commands.{module}", __package__), name
        )
        assert isinstance(found, click.Command)
        _collector_goes_on()
        return found

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """See click: the context, and what is invoked, are the command's own."""
        return self.load().make_context(*args, **more)


def core_commands() -> list[click.Command]:
    """All of the core's subcommands, none of them imported."""
    return [LazyCommand(name, help=line) for name, (_, line) in COMMANDS.items()]


class CommandLine(click.Group):
    """The core's subcommands, then those of installed packages.

    Help and completion show the core's alone: to know those of packages, all packages
    would have to be imported.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See click: in the order in which one needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See click: packages are imported only for a name that is not the core's."""
        if cmd_name in COMMANDS:
            return LazyCommand(cmd_name, short_help=COMMANDS[cmd_name][1])
        from .._registry.host import discover

        _collector_goes_on()
        return discover().commands().get(cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click; an option before the subcommand is told where it belongs."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = shorten(error.option_name)
            message = (
                f"no option {name} here. Options stand behind the command that they are "
                f"for, as in `workstream list {name}`"
            )
            raise click.UsageError(message, ctx) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See click; an unknown name is answered with those that are like it."""
        name = args[0]
        if name.startswith("-"):
            return super().resolve_command(ctx, args)
        command = self.get_command(ctx, name)
        if command is None:
            near = _meant(name)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            message = (
                f"no command '{shorten(name)}'.{hint} `workstream --help` lists the commands; "
                "`workstream plugins` those that packages add, and what was left out."
            )
            raise click.UsageError(message, ctx)
        return name, command, args[1:]

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,
    ) -> NoReturn:
        """Do what the command line says, and exit with what came of it."""
        extra["standalone_mode"] = False
        open_missing()
        with log_to_stderr():
            code = self._done(args, prog_name or "workstream", **extra)
        flush_all()
        lost = lost_output()
        if lost is not None:
            complain(f"output was lost: {lost.strerror}")
            code = code or OUTPUT_LOST
        sys.exit(code)

    def _done(self, *args: Any, **extra: Any) -> int:
        """Do it; the exit status."""
        try:
            code: object = super().main(*args, **extra)
        except click.ClickException as error:
            error.show()
            return error.exit_code
        except click.Abort:
            complain("nothing was begun, or it was left as it was", "Interrupted")
            return INTERRUPTED
        except Exception as error:
            return _told(error)
        return int(code) if isinstance(code, int) else 0


def _collector_goes_on() -> None:
    """Let the collector go on, which `__main__` let rest."""
    # What was imported counts as old at once, or the next look would be at all of it.
    if not gc.get_freeze_count():  # else somebody froze theirs, to keep it frozen
        gc.freeze()
        gc.unfreeze()
    gc.enable()


def _meant(name: str) -> list[str]:
    """The commands that somebody may have meant."""
    by_hand = BY_HAND.get(name.lower(), ())
    near = [each for each in by_hand if each.partition(" ")[0] in COMMANDS]
    if near:
        return near
    import difflib  # not for those who type well

    offered = [each for each in COMMANDS if each not in _LOSE]
    return difflib.get_close_matches(name, offered, cutoff=_ALIKE)


def _told(error: Exception) -> int:
    """Say what went wrong; the exit status."""
    # Imported here, as the help text does not owe it its time.
    from .._values.errors import InternalError, WorkstreamError

    if isinstance(error, WorkstreamError) and not isinstance(error, InternalError):
        complain(error)
        return ExitCode.REFUSED
    import traceback

    traceback.print_exception(error)
    if not isinstance(error, InternalError):
        complain("please report this, with the lines above", "Bug in workstream")
    return BUG


@click.command(
    "workstream",
    cls=CommandLine,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "Installed packages may add commands: `workstream plugins` lists them. "
        "Exit status: 0 completed, 3 completed with tolerated failures, 1 failed, "
        "4 stopped, 5 broken off and resumable, 2 wrong usage or an invalid plan."
    ),
)
@click.version_option(
    package_name="workstream-engine",
    prog_name="workstream",
    message="%(prog)s %(version)s",
)
def command_line() -> None:
    """Run durable plans: a crash loses nothing, and `resume` goes on where it was."""


def main() -> NoReturn:
    """What the command ``workstream`` calls; exits."""
    command_line.main()
