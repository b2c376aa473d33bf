"""Commands about plugin packages: ``plugins`` lists them, ``new-plugin`` begins one."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..._registry.host import discover
from ..._registry.scaffold import distribution_name, name_faults, scaffold
from ..._values.display import shorten
from ..draw.packages import catalogue, show_check, show_listing, show_troubles
from ..draw.screen import Screen
from ..exit_codes import ExitCode
from ..options import Command, json_option
from ..streams import Refusal, data_stream, print_json


@click.command("plugins", cls=Command)
@click.option(
    "--check",
    is_flag=True,
    help="Only tell what does not fit, or does not say that it does.",
)
@click.option(
    "--markdown",
    "as_markdown",
    is_flag=True,
    help="Print a catalogue in Markdown, for a page of your documentation.",
)
@json_option
def plugins(check: bool, as_markdown: bool, as_json: bool) -> int:
    """List what is installed, and what was left out.

    Packages with their versions and hooks, their plugins with the fields of their
    requests, stores, secret resolvers and commands; then what cannot be used, and why.
    With --markdown, a page that tells what each plugin does, takes and gives, from its
    author's docstrings.
    If WORKSTREAM_PLUGINS is set, only the distributions that it names are loaded,
    separated by commas, such as workstream-http.

    With --check, the exit status is 1 if anything is left out that WORKSTREAM_PLUGINS
    does not exclude.
    """
    if as_markdown and (check or as_json):
        message = "--markdown goes with no other option: leave one of them out"
        raise click.UsageError(message)
    listing = discover().listing()
    if as_json:
        print_json(listing.as_json())
    elif as_markdown:
        show_troubles(Screen(sys.stderr), listing)
        data_stream().write(catalogue(listing))
    elif check:
        show_check(Screen(), listing)
    else:
        show_listing(Screen(), listing)
    fits = all(each.deliberate for each in listing.left_out)
    return ExitCode.COMPLETED if fits or not check else ExitCode.FAILED


@click.command("new-plugin", cls=Command)
@click.argument("name", metavar="NAME")
@click.option(
    "--directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where to write it; by default workstream-NAME, here.",
)
def new_plugin(name: str, directory: Path | None) -> int:
    """Begin a plugin package of your own.

    The names of its plugins begin with NAME, such as `acme` in `acme.copy`. The command
    writes a whole distribution, workstream-NAME: an action, a check, their tests, and
    the settings for building, testing and type checking. It overwrites nothing.
    """
    faults = name_faults(name)
    target = directory or Path(distribution_name(name) if not faults else ".")
    if directory is not None and not directory.parent.is_dir():
        faults.append(f"there is no directory {directory.parent} to write it to")
    if faults:
        lines = [f"no plugin package '{shorten(name)}' can be begun:"]
        raise Refusal("\n".join([*lines, *(f"  {fault}" for fault in faults)]))
    try:
        files = scaffold(name, target)
    except OSError as error:
        message = str(error) if error.errno is None else f"{target}: {error.strerror}"
        raise Refusal(message) from None

    screen = Screen()
    screen.line(str(target), "bold")
    for file in files:
        screen.line(str(file), indent=2)
    screen.line()
    screen.hint("install it", f"pip install --editable {target}")
    screen.hint("test it", f"pytest {target}")
    screen.hint("find it", "workstream plugins")
    return ExitCode.COMPLETED
