"""The verbs of a runtime on trio that need no plugin: waits, and children side by side."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import trio

from .._protocols.runtime import Nursery
from .._values.errors import InternalError


class TrioLoop:
    """Waits and nurseries of trio; see ``Runtime`` for what they promise."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._woken = trio.Event()

    async def wait(self, seconds: float, until: Callable[[], bool]) -> None:
        """Sleep by trio's clock, so that a mock clock drives it (T-1)."""
        with trio.move_on_after(max(seconds, 0)):
            while not until():
                await self._woken.wait()

    def wake(self) -> None:
        """Let every wait look at its condition again."""
        self._woken.set()
        self._woken = trio.Event()

    @asynccontextmanager
    async def nursery(self) -> AsyncGenerator[Nursery]:
        """A trio nursery.

        Raises:
            InternalError: A plugin cancelled it. To go on would take work that was cut
                off for work that has ended.
        """
        async with trio.open_nursery() as nursery:
            yield nursery
        if nursery.cancel_scope.cancel_called:
            raise cancelled_by_a_plugin()


def cancelled_by_a_plugin() -> InternalError:
    """Why a run broke off whose tasks ended before its plan did."""
    return InternalError(
        "a plugin cancelled the nursery that its attempt ran in, and with it the run: "
        "a plugin may cancel only scopes and nurseries that it opened itself"
    )
