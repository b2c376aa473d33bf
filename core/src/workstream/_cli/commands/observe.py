"""The command for a process that tells observers of plans that run elsewhere: ``observe``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click

from ..._protocols.hosting import hosting
from ..._registry.host import TOLD
from ..._registry.registry import Registry
from ..._store.places import default_store, state_directory, vault_at
from ..._values.errors import StorageError
from ..call import Call, command, run_async, store_option
from ..interrupts import Interrupts
from ..streams import ExitCode, Refusal
from .serve import tell_systemd


@command("observe", store_option)
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="The directory that keeps how far each observer has come; by default one in "
    "the platform's place for the state of programs.",
)
def observe(call: Call, state: Path | None) -> int:
    """Tell observers of all plans of a store that runs its plans elsewhere.

    The observers are those installed where this runs; WORKSTREAM_OBSERVERS chooses
    among them. It goes on until Ctrl-C or SIGTERM. Killed and started again, it goes on
    where it was, as long as it has the same --state. It tells systemd when it is ready.
    """
    named = call.store or default_store()
    vault = vault_at(named, create=False)
    elsewhere = hosting(vault)
    if elsewhere is None:
        message = (
            f"the plans of {named} are run by the processes that use it, and each of "
            "these tells its observers: install the observers there. `workstream "
            "observe` is for stores that run their plans elsewhere"
        )
        raise Refusal(message)
    observers = Registry.installed().observers
    if not observers:
        message = (
            f"there is no observer to tell: install a package that brings one, or name "
            f"one in {TOLD}; `workstream plugins` lists them"
        )
        raise Refusal(message)
    place = state or state_directory("--state", "workstream-observe")
    screen, interrupts = call.screen, Interrupts()

    async def go() -> None:
        from ..._observers.following import Following

        await vault.open()
        try:
            try:
                following = Following(vault, observers, place / quote(named, safe=""))
            except OSError as error:
                message = f"{place} cannot keep how far observers have come: {error}"
                raise StorageError(message) from error

            async def told_to_end() -> None:
                await interrupts.come(1)
                tell_systemd("STOPPING=1")
                screen.line("leaving: who comes next goes on here")
                screen.flush()

            names = ", ".join(each.name for each in observers)
            screen.line(f"telling {names} of all plans on {elsewhere.host}")
            screen.flush()
            tell_systemd("READY=1")
            await following.run(told_to_end)
        finally:
            await vault.close()

    with interrupts:
        run_async(go)
    return ExitCode.COMPLETED
