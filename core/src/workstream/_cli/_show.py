"""``workstream show``."""

from __future__ import annotations

import click

from ._options import Hints, json_option, optional_plan_argument, store_option

__all__ = ["command"]


@click.command("show")
@optional_plan_argument
@click.option(
    "--all", "everything", is_flag=True, help="Every object, request and attempt."
)
@store_option
@json_option
def command(
    plan: str | None, everything: bool, store: str | None, as_json: bool
) -> int:
    """Show one plan: what failed where, and why.

    Its outcome, each failure with its error and what the action last said, what runs
    now, and the plan as a tree, in which what went well is cut short. PLAN is an id as
    `workstream list` shows it, its first digits, or `last`, the default.

    No plugin package is imported for this, and no secret is shown.
    """
    import json

    from .._codec.codec import Codec
    from .._codec.json_text import to_json
    from .._plan.clone import clone
    from .._plan.plan import Plan
    from .._protocols.vault import PlanRow
    from .._show.failures import Failure, failures
    from .._store.ids import LAST, find_row
    from ._data import plan_data, print_json
    from ._exit_codes import ExitCode
    from ._page import show_page
    from ._reading import opened, run_async
    from ._screen import Screen
    from ._summary import last_lines, last_of_running

    async def read() -> tuple[
        PlanRow, Plan, int | None, list[Failure], dict[int, list[str]]
    ]:
        async with opened(store) as vault:
            found = await find_row(vault, plan or LAST)
            # Asked for first: of a plan that ends just now it must not say "crashed".
            owner = await vault.owner(found.id)
            stored = await vault.read(found.id)
            shown = clone(Codec(None).load(stored), keep_state=True, scrub=True)
            failed = failures(shown)
            lines = await last_lines(vault, shown, failed)
            lines.update(await last_of_running(vault, shown))
            return stored.row, shown, owner, failed, lines

    row, shown, owner, failed, lines = run_async(read)
    if as_json:
        data = plan_data(shown, row, owner)
        data["plan"] = json.loads(to_json(shown))
        print_json(data)
        return ExitCode.COMPLETED
    show_page(
        Screen(),
        shown,
        owner=owner,
        found=failed,
        lines=lines,
        hints=Hints(store),
        everything=everything,
    )
    return ExitCode.COMPLETED
