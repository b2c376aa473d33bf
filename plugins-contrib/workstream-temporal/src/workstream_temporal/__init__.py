"""Plans on a Temporal cluster.

One plan is one workflow. It holds what a vault would hold of the plan, in memory, and the
interpreter that walks it; a client reads it by queries and tells it things by updates. One
attempt is one activity, which the server never repeats by itself: retries, timeouts and
what an interruption means are workstream's own.

===================  ===================================================================
``_plan_workflow``   a plan, from its submission to its end
``_runtime``         what the interpreter asks, as a workflow's commands
``_parts``           the part of a plan that one attempt needs
``_store_workflow``  what plans share: a freeze, locks
``_activities``      an attempt: an asyncio shell around the call on trio
``_worker``          a worker, as a library has it; ``_command``: as operators have it
``_vault``           the cluster as a store
``_attended``        which attempts wait for a worker
``_forms``           what travels; ``_names``: by which names all know each other
``_trio_thread``     the two event loops
``_memory``          what a workflow knows of its plan while it runs it
``_limits``          what keeps a plan within the limits of a cluster
``_watching``        continuous checks, which loop where their worker is
===================  ===================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from workstream import hookimpl

if TYPE_CHECKING:
    import click

    from workstream.hookspecs import EngineFactory
    from workstream.vaults import HostingVault

__all__ = ["workstream_commands", "workstream_engines"]


def _engine(location: str) -> HostingVault:
    from ._vault import TemporalVault

    return TemporalVault(location)


@hookimpl
def workstream_engines() -> Mapping[str, EngineFactory]:
    """A cluster: ``temporal:HOST:PORT/NAMESPACE``."""
    return {"temporal": _engine}


@hookimpl
def workstream_commands() -> Iterable[click.Command]:
    """``workstream worker``."""
    from ._command import worker

    return [worker]
