"""A store, a fake clock, and plugins that follow scripts: all that an engine needs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from workstream._codec.codec import Codec
from workstream._engine.engine import Workstream, open_workstream
from workstream._plan.plan import Plan
from workstream._plan.walk import new_plan_id
from workstream._protocols.plugin import AnyPlugin
from workstream._protocols.vault import Vault
from workstream._registry.registry import Registry
from workstream._vaults.memory_vault import MemoryVault

from ..notation.fixtures import Stage, scripted_plugins
from ..notation.notation import parse
from ..virtual.virtual_time import FakeClock, TrioSleeper
from .case_runs import store_plan


class World:
    """Where engines live, one after the other or side by side, in virtual time.

    Attributes:
        clock: Drives everything.
        stage: What the plugins saw.
        vault: The store.
    """

    def __init__(
        self,
        vault: Callable[[FakeClock], Vault] | None = None,
        plugins: Iterable[AnyPlugin] = (),
    ) -> None:
        """Make a world.

        Args:
            vault: Makes the store; the memory vault by default.
            plugins: More plugins than the two that follow scripts.
        """
        self.clock = FakeClock()
        self.stage = Stage(TrioSleeper(self.clock))
        self.vault = MemoryVault() if vault is None else vault(self.clock)
        self._plugins = tuple(plugins)

    def registry(self) -> Registry:
        """A registry of the plugins, for one engine."""
        return Registry([*scripted_plugins(self.stage), *self._plugins])

    @asynccontextmanager
    async def engine(self, **options: Any) -> AsyncGenerator[Workstream]:
        """An engine on the store.

        Args:
            options: Arguments of ``open_workstream``, in place of the usual ones.
        """
        usual: dict[str, Any] = {"now": self.clock.now, "random": lambda: 0.5}
        arguments: dict[str, Any] = {"registry": self.registry(), **usual, **options}
        async with open_workstream(self.vault, **arguments) as ws:
            yield ws

    async def start(self, ws: Workstream, text: str) -> UUID:
        """Submit a plan of the notation, and start it."""
        plan_id = await ws.submit(parse(text).plan)
        await ws.start(plan_id)
        return plan_id

    async def crashed(self, text: str) -> UUID:
        """Store a plan of the notation as a crash left it just now.

        The vault is opened for it and closed again.
        """
        plan: Plan = parse(text).stored(new_plan_id(), self.clock.now())
        await self.vault.open()
        await store_plan(self.vault, plan, Codec(self.registry()))
        await self.vault.close()
        assert plan.id is not None
        return plan.id

    async def stored(self, plan_id: UUID) -> Plan:
        """The plan as the store has it, read without an engine."""
        return Codec(self.registry()).load(await self.vault.read(plan_id))
