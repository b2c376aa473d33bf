"""A store that runs its plans itself, elsewhere: a cluster, a server, another process.

Whoever opens such a store submits plans, lets them begin, looks at them and tells them
things, all through the ``Vault``. No plan of it runs in the process that opened it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from uuid import UUID

from .vault import Vault

if TYPE_CHECKING:
    from .conduct import Conduct


@runtime_checkable
class HostingVault(Vault, Protocol):
    """A ``Vault`` whose plans run elsewhere; the answer of ``workstream_engines``.

    What differs from a vault alone:

    - ``owner`` tells who runs a plan in words, such as ``host``; of a RUNNING plan, None
      only where nobody goes on with it; of one that is NOT_STARTED, None unless it is
      claimed.
    - ``claim`` and ``release`` are no more than a lock that one person holds while a
      plan that has ended is retried or taken back, and while one waits for its locks
      (LK-1). Who waits claims again now and then, which answers True; the claim of one
      who has died ends by itself.
    - ``ask`` reaches the run; ``requests`` gives what the run has not taken yet.
    """

    @property
    def host(self) -> str:
        """Who runs the plans, for people: ``the cluster at eu.example.org``."""
        ...

    async def start(
        self, plan_id: UUID, position: int, conduct: Mapping[str, Conduct]
    ) -> None:
        """Let a submitted plan begin.

        On return it is RUNNING, durably, and the run goes on whatever happens to this
        process.

        Args:
            plan_id: The plan; it is NOT_STARTED.
            position: The log position of its latest change.
            conduct: What is to be known of its plugins, by their names.

        Raises:
            NotFoundError: No such plan.
            ConflictError: It was started, or told something, since it was looked at.
            LockTakenError: Another plan holds one of its locks (LK-1).
            PlanRefusedError: It cannot run there.
        """
        ...

    async def waits(self, plan_id: UUID) -> Mapping[int, str]:
        """What actions wait for that run, but on which nobody works yet (ZN-3).

        Returns:
            Such as ``a worker in eu-1``, by the action's place in walk order.
        """
        ...


def hosting(vault: Vault) -> HostingVault | None:
    """The vault, where it runs its plans itself; None: whoever opens it does."""
    return vault if isinstance(vault, HostingVault) else None
