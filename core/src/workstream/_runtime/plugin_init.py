"""Making plugins ready for use (REG-6)."""

from __future__ import annotations

from collections.abc import Iterable

import trio

from .._registry.registry import Registry

__all__ = ["init_plugins"]

INIT_TIMEOUT = 30.0
"""Seconds that a plugin's ``init`` may take."""


async def init_plugins(registry: Registry, names: Iterable[str] | None = None) -> None:
    """Run the plugins' ``init``, side by side; one that fails is marked unusable.

    Args:
        registry: The plugins.
        names: Which of them, all registered; None: all.
    """

    async def init(name: str) -> None:
        plugin = registry.get(name)
        assert plugin is not None
        try:
            with trio.fail_after(INIT_TIMEOUT):
                await plugin.init()
        except trio.TooSlowError:
            reason = f"its init took more than {INIT_TIMEOUT:g} seconds"
            registry.mark_unusable(name, reason)
        except Exception as error:
            reason = f"its init failed: {type(error).__name__}: {error}"
            registry.mark_unusable(name, reason)

    async with trio.open_nursery() as nursery:
        for name in registry.names if names is None else names:
            nursery.start_soon(init, name)
