"""The reference page tells all that the commands' own help tells, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from workstream._cli.main import COMMANDS, LazyCommand, command_line
from workstream._cli.streams import BUG, INTERRUPTED, OUTPUT_LOST, ExitCode

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"
SECTION = re.compile(r"^## `workstream ([\w-]+)`\n(.*?)(?=^## |\Z)", re.M | re.S)


def sections() -> dict[str, str]:
    """The page's text for each command."""
    return dict(SECTION.findall(PAGE.read_text(encoding="utf-8")))


def options(name: str) -> set[str]:
    """All spellings of a command's options."""
    command = LazyCommand(name).load()
    return {
        spelling
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for spelling in parameter.opts
    }


def test_each_command_has_its_section() -> None:
    """In the order in which ``--help`` lists them."""
    assert list(sections()) == command_line.list_commands(click.Context(command_line))


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_has_its_row(name: str) -> None:
    """A table names each option, in all its spellings, and no other."""
    rows = [row for row in sections()[name].splitlines() if row.startswith("| `-")]
    told = {
        spelling
        for row in rows
        for spelling in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row.split("|")[1])
    }

    assert told == options(name)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_usage_is_that_of_the_help(name: str) -> None:
    """The first code block is the usage line."""
    command = LazyCommand(name).load()
    context = click.Context(command, info_name=f"workstream {name}")
    usage = command.get_usage(context).removeprefix("Usage: ")

    assert f"```text\n{usage}\n```" in sections()[name]


def test_each_exit_status_has_its_row() -> None:
    """The table of exit statuses is complete."""
    page = PAGE.read_text(encoding="utf-8")

    told = {int(number) for number in re.findall(r"^\| `(\d+)` \|", page, re.M)}

    assert told == {int(code) for code in ExitCode} | {BUG, OUTPUT_LOST, INTERRUPTED}
