"""The command itself: finds the subcommand, and says what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from .._values.display import shorten
from ._exit_codes import BUG, INTERRUPTED, OUTPUT_LOST, ExitCode
from ._refusal import complain
from ._streams import flush_all, log_to_stderr, lost_output, open_missing
from ._table import COMMANDS, LazyCommand

__all__ = ["CommandLine", "command_line", "main"]


class CommandLine(click.Group):
    """The core's subcommands, then those of installed packages."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The core's own, in the order in which one needs them.

        Those of packages are left out: to know them all packages would have to be
        imported. ``workstream plugins`` lists them.
        """
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand; packages are looked through only for one that is not ours."""
        if cmd_name in COMMANDS:
            return LazyCommand(cmd_name, *COMMANDS[cmd_name])
        from .._registry.host import discover

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
        command = None if name.startswith("-") else self.get_command(ctx, name)
        if command is None and not name.startswith("-"):
            import difflib  # only who mistypes pays for it

            near = difflib.get_close_matches(name, COMMANDS)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            message = (
                f"no command '{shorten(name)}'.{hint} `workstream --help` lists the commands; "
                "`workstream plugins` those that packages add, and what was left out."
            )
            raise click.UsageError(message, ctx)
        if command is None:
            return super().resolve_command(ctx, args)
        return name, command, args[1:]

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,
    ) -> NoReturn:
        """Do what the command line says, and exit with what came of it."""
        extra["standalone_mode"] = False
        code: Any
        open_missing()
        try:
            with log_to_stderr():
                code = super().main(args, prog_name or "workstream", **extra)
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except click.Abort:
            complain("nothing was begun, or it was left as it was", "Interrupted")
            code = INTERRUPTED
        except Exception as error:
            code = _told(error)
        flush_all()
        status = int(code) if isinstance(code, int) else 0
        lost = lost_output()
        if lost is not None:
            complain(f"output was lost: {lost.strerror}")
            status = status or OUTPUT_LOST
        sys.exit(status)


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
