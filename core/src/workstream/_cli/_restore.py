"""``workstream restore``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ._options import Hints, json_option, store_option

__all__ = ["command"]


@click.command("restore")
@click.argument("source", metavar="SOURCE", type=click.Path(path_type=Path))
@click.option(
    "--accept-unreadable",
    is_flag=True,
    help="Restore also when plans cannot be read; they are named either way.",
)
@store_option
@json_option
def command(
    source: Path, accept_unreadable: bool, store: str | None, as_json: bool
) -> int:
    """Make a store of a backup.

    The store's directory must not be there, or be empty: nothing is ever overwritten.
    The backup stays as it is. It is opened and every plan in it read before it becomes
    the store. Plans that were running as the backup was made have crashed, as far as
    the new store knows: `workstream resume` goes on with them, and does again what was
    done after the backup.
    """
    from .._protocols.vault import PlanRow
    from .._store.places import vault_at
    from .._values.state import Status
    from .._vaults.lmdb_copy import StoreCopy
    from .._vaults.lmdb_restore import restore_store
    from .._vaults.lmdb_vault import LmdbVault
    from ._data import print_json, row_data
    from ._exit_codes import ExitCode
    from ._reading import opened, run_async
    from ._refusal import Refusal, complain
    from ._rows import show_rows
    from ._screen import Screen, joined
    from ._sizes import size

    async def restore() -> tuple[StoreCopy, list[PlanRow]]:
        vault = vault_at(store)
        if not isinstance(vault, LmdbVault):
            message = "only a store that is a directory can be made of a backup"
            raise Refusal(message)
        copy = await restore_store(
            source, vault.path, accept_unreadable=accept_unreadable
        )
        async with opened(store) as vault:
            return copy, await vault.search(statuses=[Status.RUNNING])

    screen = Screen(sys.stderr if as_json else sys.stdout)
    with screen.busy("copying the backup, and reading every plan in it"):
        copy, crashed = run_async(restore)
    if as_json:
        print_json(
            {
                "path": str(copy.path),
                "plans": copy.plans,
                "bytes": copy.size,
                "unreadable": [
                    {"id": str(error.plan_id), "reason": str(error)}
                    for error in copy.unreadable
                ],
                "crashed": [row_data(row, None) for row in crashed],
            }
        )
    else:
        plans = f"{copy.plans:,} {'plan' if copy.plans == 1 else 'plans'}"
        readable = "" if copy.unreadable else ", all of which can be read"
        screen.line(f"{copy.path}: {plans}{readable}, {size(copy.size)}")
        if crashed:
            screen.line("as the backup was made, these were running:")
            show_rows(screen, [(row, None) for row in crashed])
            resume = Hints(store).command("resume")
            screen.line(joined(("go on with them:  ", "dim"), resume))
        screen.flush()
    for error in copy.unreadable:
        complain(error, "warning")
    return ExitCode.FAILED if copy.unreadable else ExitCode.COMPLETED
