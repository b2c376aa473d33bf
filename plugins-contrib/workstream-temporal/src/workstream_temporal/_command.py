"""``workstream worker``: the process that does the work of a cluster's plans."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ._vault import TemporalVault


@click.command("worker")
@click.option(
    "--engine",
    "--store",
    "engine",
    envvar="WORKSTREAM_STORE",
    required=True,
    metavar="temporal:HOST:PORT/NAMESPACE",
    help="The cluster to work for.",
)
@click.option(
    "--zone",
    metavar="NAME",
    help="Make the attempts of this zone; without it, those of no zone, and go on with "
    "all plans.",
)
def worker(engine: str, zone: str | None) -> None:
    """Work for a Temporal cluster: go on with its plans, and call the plugins here.

    Ctrl-C ends it; another worker takes over what it did. A worker of a newer version
    takes new plans, and leaves the others to older workers.
    """
    from temporalio.service import RPCError

    from workstream._values.errors import StorageError

    from ._vault import TemporalVault

    scheme, _, location = engine.partition(":")
    if scheme != "temporal":
        message = f"{engine} is no cluster: write temporal:HOST:PORT/NAMESPACE"
        raise click.UsageError(message)
    try:
        vault = TemporalVault(location)
        asyncio.run(_work(vault, zone))
    except (StorageError, RPCError) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)


async def _work(vault: TemporalVault, zone: str | None) -> None:
    from workstream._registry.registry import Registry

    from . import _names
    from ._cluster.sharing import refuse_unreadable
    from ._cluster.versions import make_current
    from ._worker import worker_of

    client = await vault.client()
    await refuse_unreadable(client)
    version = None if zone else _names.VERSION
    running = await worker_of(client, Registry.installed(), zone, version=version)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    async with running:
        where = f"zone {zone}" if zone else f"all plans of version {version}"
        print(f"at work for {vault.host}: {where}", flush=True)
        if version is not None and await make_current(client, version):
            print(f"new plans begin with version {version}", flush=True)
        await over.wait()
