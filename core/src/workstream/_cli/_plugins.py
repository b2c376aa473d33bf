"""``workstream plugins``."""

from __future__ import annotations

import sys

import click

from ._options import json_option

__all__ = ["command"]


@click.command("plugins")
@click.option(
    "--check",
    is_flag=True,
    help="Only tell what does not fit, or does not say that it does.",
)
@click.option(
    "--markdown",
    is_flag=True,
    help="Print a catalogue in Markdown, for a page of your documentation.",
)
@json_option
def command(check: bool, markdown: bool, as_json: bool) -> int:
    """List what is installed, and what was left out.

    Packages with their versions and hooks, their plugins with the fields of their
    requests, stores, secret resolvers and commands; then what cannot be used, and why.
    With --markdown, a page with what each plugin does, takes and gives, as its author
    has written it in docstrings.
    WORKSTREAM_PLUGINS, where it is set, names the packages that are let in, by the
    names of their entry points, separated by commas.

    With --check, the exit status is 1 when something is left out and nobody said so.
    """
    from .._registry.host import discover
    from ._catalogue import catalogue
    from ._data import print_json
    from ._exit_codes import ExitCode
    from ._plugin_list import show_check, show_listing, show_troubles
    from ._screen import Screen

    if markdown and (check or as_json):
        message = "--markdown goes with no other option: leave one of them out"
        raise click.UsageError(message)
    listing = discover().listing()
    if as_json:
        print_json(listing.as_json())
    elif markdown:
        show_troubles(Screen(sys.stderr), listing)
        click.echo(catalogue(listing), nl=False)
    elif check:
        show_check(Screen(), listing)
    else:
        show_listing(Screen(), listing)
    fits = all(each.deliberate for each in listing.left_out)
    return ExitCode.COMPLETED if fits or not check else ExitCode.FAILED
