"""``workstream delete``."""

from __future__ import annotations

import click

from ._completion import plans as stored_plans
from ._options import Hints, json_option, store_option

__all__ = ["command"]


@click.command("delete")
@click.argument(
    "plans", metavar="PLAN...", nargs=-1, required=True, shell_complete=stored_plans
)
@store_option
@json_option
def command(plans: tuple[str, ...], store: str | None, as_json: bool) -> int:
    """Remove plans from the store, with all that was recorded of them.

    A plan that is running is not removed, nor is one that crashed: stop or resume it
    first. When one of the plans cannot be removed, none is. PLAN is an id as
    `workstream list` shows it, its first digits, or `last`.
    """
    from .._protocols.vault import PlanRow, Vault
    from .._store.ids import find_row, short_id
    from .._values.errors import ValidationError, WorkstreamError
    from .._values.state import Status
    from ._data import print_json, row_data
    from ._exit_codes import ExitCode
    from ._reading import opened, run_async
    from ._refusal import Refusal, complain
    from ._rows import show_rows
    from ._screen import Screen, plain

    hints = Hints(store)

    async def find(vault: Vault) -> list[PlanRow]:
        """The plans that are meant; or everything that is wrong with them."""
        found: dict[object, PlanRow] = {}
        faults: list[str] = []
        for text in plans:
            try:
                row = await find_row(vault, text)
            except ValidationError as error:
                faults.append(str(error))
                continue
            owner = await vault.owner(row.id)
            row = await vault.row(row.id)
            if row.status is not Status.RUNNING:
                found[row.id] = row
                continue
            name = f"{row.name} ({short_id(row.id)})"
            faults.append(
                f"{name} has crashed: end it first, by {hints.command('resume', row.id)}"
                if owner is None
                else f"{name} is run by process {owner}: stop it first, by "
                + hints.command("stop", row.id)
            )
        if faults:
            raise Refusal("\n".join(["nothing is deleted", *faults]))
        return list(found.values())

    async def delete() -> tuple[list[PlanRow], WorkstreamError | None]:
        gone: list[PlanRow] = []
        async with opened(store) as vault:
            for row in await find(vault):
                try:
                    await vault.delete(row.id)
                except WorkstreamError as error:
                    return gone, error  # what is gone is told all the same
                gone.append(row)
        return gone, None

    gone, error = run_async(delete)
    if as_json:
        print_json({"plans": [row_data(row, None) for row in gone]})
    elif gone:
        screen = Screen()
        screen.line(plain("deleted:", "dim"))
        show_rows(screen, [(row, None) for row in gone])
        screen.flush()
    if error is not None:
        complain(error)
        return ExitCode.FAILED
    return ExitCode.COMPLETED
