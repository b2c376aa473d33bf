"""``workstream plugins``."""

from __future__ import annotations

import click

from ._options import json_option

__all__ = ["command"]


@click.command("plugins")
@json_option
def command(as_json: bool) -> int:
    """List what is installed, and what was left out.

    Packages with their versions and hooks, their plugins with the fields of their
    requests, stores, secret resolvers and commands; then what cannot be used, and why.
    WORKSTREAM_PLUGINS, where it is set, names the packages that are let in, by the
    names of their entry points, separated by commas.
    """
    from .._host import discover
    from ._data import print_json
    from ._exit_codes import ExitCode
    from ._plugin_list import show_listing
    from ._screen import Screen

    listing = discover().listing()
    if as_json:
        print_json(listing.as_json())
    else:
        show_listing(Screen(), listing)
    return ExitCode.COMPLETED
