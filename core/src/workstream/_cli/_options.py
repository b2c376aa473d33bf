"""The options that several subcommands have, and how to type the next command."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import attrs
import click

from .._store.ids import short_id
from .._store.places import STORE_VARIABLE
from ._completion import directories, plans

__all__ = [
    "Hints",
    "json_option",
    "optional_plan_argument",
    "plan_argument",
    "settings_option",
    "store_option",
]

F = TypeVar("F", bound=Callable[..., Any])


def store_option(function: F) -> F:
    """``--store``."""
    return click.option(
        "--store",
        metavar="DIR",
        shell_complete=directories,
        help=(
            f"The store's directory; by default that of {STORE_VARIABLE}, or else the "
            "platform's place for the state of programs."
        ),
    )(function)


def json_option(function: F) -> F:
    """``--json``."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON, for programs."
    )(function)


def settings_option(function: F) -> F:
    """``-p NAME=VALUE``."""
    return click.option(
        "-p",
        "--parameter",
        "settings",
        metavar="NAME=VALUE",
        multiple=True,
        help="A parameter of the file's plan function; again for each, or for a list.",
    )(function)


def plan_argument(function: F) -> F:
    """``PLAN``: an id, a part of one, or ``last``."""
    return click.argument("plan", metavar="PLAN", shell_complete=plans)(function)


def optional_plan_argument(function: F) -> F:
    """``PLAN``, which may be left out."""
    return click.argument(
        "plan", metavar="[PLAN]", required=False, shell_complete=plans
    )(function)


@attrs.frozen
class Hints:
    """Knows what to type next.

    Attributes:
        store: What was given as ``--store``; commands need it again.
        lasts: Whether other processes can see the store, so that there is anything to
            type at all.
    """

    store: str | None
    lasts: bool = True

    @staticmethod
    def words(*words: str) -> str:
        """A command line of these words, to be pasted as it is."""
        return shlex.join(["workstream", *words])

    def command(self, name: str, plan_id: UUID | None = None, *more: str) -> str:
        """The command line, to be pasted as it is."""
        words = ["workstream", name]
        words += [short_id(plan_id)] if plan_id is not None else []
        words += more
        words += ["--store", self.store] if self.store is not None else []
        return shlex.join(words)
