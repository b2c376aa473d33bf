"""Time, for what runs in a simulation and on trio alike.

A fake does not know who calls it. It asks here, and here the loop that drives the caller
is asked: the simulation's, if there is one, and trio otherwise.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from .loop import current_loop
from .loop_errors import Cancelled


def time() -> float:
    """Seconds by the clock of whatever drives the caller.

    In a simulation, and under a ``FakeClock``, they begin at 0.
    """
    loop = current_loop()
    if loop is not None:
        return loop.time
    import trio

    return trio.current_time()


async def sleep(seconds: float) -> None:
    """Wait: in virtual time inside ``simulate``, by trio's clock on trio.

    For functions that a fake calls (``does``), and for plugins that are to run in a
    simulation as they are::

        async def restart(context: Context, request: Restart) -> Restarted:
            await sleep(30)
            return Restarted(...)

    Args:
        seconds: How long; infinity: until cancelled.
    """
    await sleeping(seconds)


def sleeping(seconds: float) -> Coroutine[Any, Any, None]:
    """What ``sleep`` awaits; it is to be awaited at once."""
    loop = current_loop()
    if loop is not None:
        return loop.sleep(seconds)
    import trio

    return trio.sleep(seconds)  # noqa: ASYNC105 - the caller awaits it at once


async def linger(seconds: float) -> None:
    """As ``sleep``, but not cut short by a cancellation."""
    loop = current_loop()
    if loop is not None:
        await loop.sleep(seconds, shielded=True)
        return
    import trio

    with trio.CancelScope(shield=True):
        await trio.sleep(seconds)


def is_cancellation(error: BaseException) -> bool:
    """Whether the error says that the caller is cancelled."""
    if current_loop() is not None:
        return isinstance(error, Cancelled)
    import trio

    return isinstance(error, trio.Cancelled)
