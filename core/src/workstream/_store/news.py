"""When a plan may have changed in the store."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Container
from typing import TypeAlias
from uuid import UUID

import trio

from .._protocols.vault import Vault

Ticket: TypeAlias = Callable[[], Awaitable[None]]
"""Returns when the store may hold more than at the moment the ticket was drawn."""

POLL = 0.25
"""Seconds between two looks at what another process may change (WA-2)."""


class News:
    """Draws tickets, and lets them return.

    Attributes:
        every: Seconds between two looks at what another process may change.
    """

    def __init__(self, vault: Vault, runs_here: Container[UUID] = ()) -> None:
        """Make it.

        Args:
            vault: The store.
            runs_here: Plans that no other process changes, as this one runs them.
        """
        self.every = POLL
        self._vault = vault
        self._runs_here = runs_here
        self._pokes: dict[UUID, trio.Event] = {}

    def ticket(self, plan_id: UUID) -> Ticket:
        """What returns when the plan may have changed since now."""
        poke = self._pokes.setdefault(plan_id, trio.Event())

        async def changed() -> None:
            polled = self._vault.shared and plan_id not in self._runs_here
            with trio.move_on_after(self.every if polled else math.inf):
                await poke.wait()

        return changed

    def poke(self, plan_id: UUID) -> None:
        """Wake those who wait for a change of the plan."""
        poke = self._pokes.pop(plan_id, None)
        if poke is not None:
            poke.set()
