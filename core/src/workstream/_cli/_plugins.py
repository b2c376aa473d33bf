"""``workstream plugins``."""

from __future__ import annotations

import click

from ._options import json_option

__all__ = ["command"]


@click.command("plugins")
@click.option(
    "--check",
    is_flag=True,
    help="Only tell what does not fit, or does not say that it does.",
)
@json_option
def command(check: bool, as_json: bool) -> int:
    """List what is installed, and what was left out.

    Packages with their versions and hooks, their plugins with the fields of their
    requests, stores, secret resolvers and commands; then what cannot be used, and why.
    WORKSTREAM_PLUGINS, where it is set, names the packages that are let in, by the
    names of their entry points, separated by commas.

    With --check, the exit status is 1 when something is left out and nobody said so.
    """
    from .._registry.host import discover
    from ._data import print_json
    from ._exit_codes import ExitCode
    from ._plugin_list import show_check, show_listing
    from ._screen import Screen

    listing = discover().listing()
    if as_json:
        print_json(listing.as_json())
    elif check:
        show_check(Screen(), listing)
    else:
        show_listing(Screen(), listing)
    fits = all(each.deliberate for each in listing.left_out)
    return ExitCode.COMPLETED if fits or not check else ExitCode.FAILED
