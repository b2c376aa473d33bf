"""The core's own subcommands, known without loading them."""

from __future__ import annotations

import importlib
from typing import Any

import click

__all__ = ["COMMANDS", "LazyCommand", "core_commands"]

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("_run", "Run a plan, and follow it to its end."),
    "validate": ("_validate", "Check a plan without running anything."),
    "resume": ("_resume", "Go on with what a crash left behind."),
    "list": ("_list", "List the plans of the store, newest first."),
    "show": ("_show", "Show one plan: what failed where, and why."),
    "watch": ("_watch", "Follow a plan that any process runs."),
    "stop": ("_stop", "Ask a running plan to stop."),
    "export": ("_export", "Write a plan as JSON."),
    "delete": ("_delete", "Remove plans from the store."),
    "prune": ("_prune", "Remove the plans that ended long ago."),
    "backup": ("_backup", "Copy the store, whatever runs meanwhile."),
    "restore": ("_restore", "Make a store of a backup."),
    "doctor": ("_doctor", "Look for what is wrong, and say what to do."),
    "plugins": ("_plugins", "List what is installed, and what was left out."),
    "new-plugin": ("_new_plugin", "Begin a plugin package of your own."),
}
"""Each command's module, in which it is called ``command``, and its line of help."""


class LazyCommand(click.Command):
    """A subcommand that is imported when it is called, or asked for its help."""

    def __init__(self, name: str, module: str, short_help: str) -> None:
        """Name a command.

        Args:
            name: What users type.
            module: The module of this package that has it, as ``command``.
            short_help: One line, shown where commands are listed.
        """
        super().__init__(name, short_help=short_help, help=short_help)
        self._module = module

    def load(self) -> click.Command:
        """The command itself."""
        module = importlib.import_module(f".{self._module}", __package__)
        command: click.Command = module.command
        return command

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """See click: the context is the command's own, so that it is what is invoked."""
        return self.load().make_context(info_name, args, parent, **extra)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """See click."""
        return self.load().get_params(ctx)

    def get_help(self, ctx: click.Context) -> str:
        """See click."""
        return self.load().get_help(ctx)

    def invoke(self, ctx: click.Context) -> Any:
        """See click."""
        return self.load().invoke(ctx)


def core_commands() -> list[click.Command]:
    """All of the core's subcommands, none of them loaded."""
    return [LazyCommand(name, *rest) for name, rest in COMMANDS.items()]
