"""A whole engine for tests of code that uses one: in memory, by a fake clock."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from workstream._protocols.plugin import AnyPlugin
from workstream._protocols.vault import Vault
from workstream._registry.registry import Registry
from workstream._secrets.lookups import Immediate, SecretResolver
from workstream._values.clock import utc_now
from workstream._vaults.memory_vault import MemoryVault

from ..simulation.simulation import check_scripts
from ..simulation.simulator import HALF, given
from ..virtual.virtual_time import FakeClock

if TYPE_CHECKING:
    from workstream._engine.engine import Workstream

from ..problems import says_all

__tracebackhide__ = says_all

T = TypeVar("T")

HALF_AN_HOUR = 1800.0


class MemoryWorkstream:
    """Engines on a vault in memory, in virtual time, one after the other or side by side.

    For tests of your own code that submits, starts, watches, reacts to failures::

        def test_gives_up_after_two_rollouts():
            world = MemoryWorkstream()

            async def scenario(ws):
                assert await roll_out_with_retry(ws, rollout(3)) == "given up"

            world.run(scenario, [FakePlugin(Copy).otherwise(fails="disk full")])
            assert world.clock.time() == 600

    pytest has it as the fixture ``memory_workstream``.

    Attributes:
        clock: Drives it; hours take no time.
        vault: What is stored; it outlives each engine.
    """

    def __init__(
        self, *, clock: FakeClock | None = None, vault: Vault | None = None
    ) -> None:
        """Make a world without an engine.

        Args:
            clock: The clock; by default one of its own, at zero.
            vault: The store; by default a ``MemoryVault``.
        """
        self.clock = FakeClock() if clock is None else clock
        self.vault: Vault = MemoryVault() if vault is None else vault

    def run(
        self,
        function: Callable[[Workstream], Awaitable[T]],
        plugins: Iterable[AnyPlugin] = (),
        *,
        seed: int | None = None,
        **options: Any,
    ) -> T:
        """Give an open engine to an async function; return what that returns.

        Args:
            function: The function.
            plugins: All plugins that plans may use: fakes and others. Plans that use
                any other are refused, so nothing real runs by accident.
            seed: Chooses the order of what is ready at the same instant; None: any.
            options: The further arguments of ``open``.

        Raises:
            ScriptError: A line of a fake's script was not used, or two fitted a call.
        """
        made = given(plugins)

        async def main() -> T:
            async with self.open(made, **options) as ws:
                return await function(ws)

        result = self.clock.run(main, seed=seed)
        check_scripts(made)
        return result

    @asynccontextmanager
    async def open(
        self,
        plugins: Iterable[AnyPlugin] = (),
        *,
        resolvers: Mapping[str, SecretResolver] | None = None,
        recover: bool = True,
        max_submit: float = HALF_AN_HOUR,
        max_last_update: float | None = HALF_AN_HOUR,
        random: Callable[[], float] = lambda: HALF,
    ) -> AsyncGenerator[Workstream]:
        """Open an engine, inside of ``clock.run`` or of an async test of another kind.

        Leaving it breaks off what still runs, as a crash would; one that is opened
        afterwards recovers it. Fakes are not asked whether all of their scripts was
        used: ``FakePlugin.check_script`` does that.

        Args:
            plugins: As for ``run``.
            resolvers: Where secrets are looked up, by scheme, without a thread; by
                default ``env:``, ``file:`` and ``keyring:``.
            recover: See ``open_workstream``, as for the next two.
            max_submit: Seconds after its submission in which a plan may be started.
            max_last_update: Seconds after which a plan is not recovered; None: never.
            random: Draws jitter, from 0 to 1; by default there is none.
        """
        from workstream._engine.engine import open_workstream

        # Without threads, the seed alone decides the order.
        immediate = {s: Immediate(r) for s, r in (resolvers or {}).items()}
        registry = Registry(plugins, resolvers=None if resolvers is None else immediate)
        async with open_workstream(
            self.vault,
            registry=registry,
            recover=recover,
            max_submit=max_submit,
            max_last_update=max_last_update,
            now=self._teller(),
            random=random,
        ) as ws:
            yield ws

    def _teller(self) -> Callable[[], datetime]:
        """What tells the time: the fake clock, unless the caller runs by another one."""
        import trio

        ours = trio.lowlevel.current_clock() is self.clock.trio_clock
        return self.clock.now if ours else utc_now
