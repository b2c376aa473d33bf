"""A live page of the plans of a store: ``workstream ui``.

The package adds one command. The server that it starts looks into the store as ``watch``
does, so it works beside every engine and changes nothing unless it is given tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workstream import hookimpl

if TYPE_CHECKING:
    import click

__all__ = ["workstream_commands"]

workstream_plugin_api = 1


@hookimpl
def workstream_commands() -> list[click.Command]:
    """The command of this distribution: ``ui``."""
    from ._command import ui

    return [ui]
