"""Observers: what a package brings to be told of every change of every plan (OB-1)."""

from __future__ import annotations

from uuid import UUID

import attrs

from .._plan.plan import Plan
from .watching import WatchEvent


@attrs.frozen(kw_only=True)
class Observation:
    """Some events of one plan, in order.

    An event may come again after a crash, with the same ``plan_id`` and ``position``:
    these two tell it from all others (OB-2).

    Attributes:
        plan_id: The plan.
        plan: The plan, secrets removed, as it was stored when this process began to
            observe it: for its names and its structure. Others are given the same
            object, so do not change it.
        position: Where in the plan's history ``plan`` is. Events up to there happened
            before this process began; they are among ``events`` where no other process
            has told them.
        events: What ``watch`` yields (WA-1), at least one. There is a ``PlanSnapshot``
            among them only where changes were missed (OB-4).
    """

    plan_id: UUID
    plan: Plan
    position: int
    events: tuple[WatchEvent, ...]


class Observer:
    """Is told what happens to plans, and can slow or break none of them.

    Its methods are ordinary functions. The engine calls them in a thread, one call at a
    time, so they may wait for a network and need no locks.

    Attributes:
        name: Begins with the entry point's name, such as ``acme`` or ``acme.chat``.
    """

    name: str

    def observe(self, seen: Observation, /) -> None:
        """Take some events of one plan.

        When it returns, they count as taken, also after a crash. When it raises, they
        come again, after a while and with those that followed (OB-3).

        Args:
            seen: The events.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Hand on what is still kept: the engine is being left (OB-5)."""
