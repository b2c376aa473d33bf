"""What a shell offers when Tab is pressed after a command (click does the rest)."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

__all__ = ["directories", "plans"]

_OFFERED = 50


def plans(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The stored plans, the newest first, each with its name and outcome.

    Whatever keeps them from being read is no business of someone who types.
    """
    from .._protocols.vault import PlanRow
    from .._store.ids import LAST, short_id
    from .._values.display import shorten
    from ._reading import opened, run_async

    async def read() -> list[PlanRow]:
        async with opened(context.params.get("store")) as vault:
            return await vault.search(limit=_OFFERED)

    try:
        rows = run_async(read)
    except Exception:
        rows = []
    offered = [(LAST, "the newest plan")] if rows else []
    offered += [
        (short_id(row.id), f"{shorten(row.name, 60)}: {row.outcome.value}")
        for row in rows
    ]
    return [
        CompletionItem(value, help=text)
        for value, text in offered
        if value.startswith(incomplete)
    ]


def directories(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The shell knows them."""
    return [CompletionItem(incomplete, type="dir")]
