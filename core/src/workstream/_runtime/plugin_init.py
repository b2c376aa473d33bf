"""Making plugins ready for use (REG-6)."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import trio

from .._attempts.outcomes import DEAF_AFTER, is_any
from .._registry.registry import Registry

INIT_TIMEOUT = 30.0
"""Seconds that a plugin's ``init`` may take."""

log = logging.getLogger("workstream")


async def init_plugins(registry: Registry, names: Iterable[str] | None = None) -> None:
    """Run the plugins' ``init``, side by side; one that fails is marked unusable.

    Args:
        registry: The plugins.
        names: Which of them, all registered; None: all.
    """
    chosen = list(registry.names if names is None else names)
    pending = set(chosen)

    async def init(name: str) -> None:
        reason = await _trouble(registry, name)
        if reason is not None:
            registry.mark_unusable(name, reason)
        pending.discard(name)

    async def tell_of_deaf() -> None:
        await trio.sleep(INIT_TIMEOUT + DEAF_AFTER)
        log.warning(
            "the init of %s goes on although it was cancelled %.0f seconds ago; wait for "
            "it, or end this process and leave the package out (WORKSTREAM_PLUGINS)",
            ", ".join(sorted(pending)),
            DEAF_AFTER,
        )

    async with trio.open_nursery() as beside:
        beside.start_soon(tell_of_deaf)
        async with trio.open_nursery() as nursery:
            for name in chosen:
                nursery.start_soon(init, name)
        beside.cancel_scope.cancel()


async def _trouble(registry: Registry, name: str) -> str | None:
    """Run the plugin's ``init``; why the plugin cannot be used, if it cannot."""
    plugin = registry.get(name)
    assert plugin is not None
    try:
        with trio.fail_after(INIT_TIMEOUT):
            await plugin.init()
    except trio.TooSlowError:
        return f"its init took more than {INIT_TIMEOUT:g} seconds"
    except BaseException as error:
        # An exit is a failure like any other; being told to end from outside is none.
        await trio.lowlevel.checkpoint_if_cancelled()
        if is_any(error, trio.Cancelled, KeyboardInterrupt, GeneratorExit):
            raise
        return f"its init failed: {type(error).__name__}: {error}"
    return None
