"""``workstream backup``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ._options import Hints, json_option, store_option

__all__ = ["command"]


@click.command("backup")
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
@store_option
@json_option
def command(destination: Path, store: str | None, as_json: bool) -> int:
    """Copy the store, as it is at one moment, whatever runs meanwhile.

    DEST is a directory that is not there yet. It is written under another name and
    renamed when it is whole and on the disk. It holds the secrets that plans hold, and
    only its owner can open it. `workstream restore` makes a store of it.
    """
    from .._vaults.lmdb_copy import StoreCopy
    from ._data import print_json
    from ._exit_codes import ExitCode
    from ._reading import opened_directory, run_async
    from ._screen import Screen, joined
    from ._sizes import size

    async def back_up() -> StoreCopy:
        async with opened_directory(store) as vault:
            return await vault.backup(destination)

    screen = Screen(sys.stderr if as_json else sys.stdout)
    with screen.busy("copying the store"):
        copy = run_async(back_up)
    if as_json:
        print_json({"path": str(copy.path), "plans": copy.plans, "bytes": copy.size})
        return ExitCode.COMPLETED
    plans = f"{copy.plans:,} {'plan' if copy.plans == 1 else 'plans'}"
    screen.line(f"{copy.path}: {plans}, {size(copy.size)}")
    restore = Hints(None).words("restore", str(copy.path), "--store", "DIR")
    screen.line(joined(("make a store of it:  ", "dim"), restore))
    screen.flush()
    return ExitCode.COMPLETED
