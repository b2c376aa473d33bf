"""Say at a timeout what was waited for."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable

import trio

from .._values.state import PluginError
from .errors import leaves_of


@contextlib.asynccontextmanager
async def explained_timeout(explain: Callable[[], str]) -> AsyncGenerator[None]:
    """Add to a timeout what the attempt was waiting for.

    The engine stores "plugin execution timed out" and, behind it, this explanation. A
    cancellation for another reason, such as an engine that closes, passes unchanged.

    ::

        looks = 0
        async with explained_timeout(lambda: f"{path} was not there at {looks} looks"):
            while not os.path.exists(path):
                looks += 1
                await trio.sleep(1)

    Args:
        explain: Says what was waited for, how often it was looked at, and the last
            lines of output. It is called after the block has been cancelled.

    Raises:
        PluginError: The timeout of the attempt has ended the block.
    """
    deadline = trio.current_effective_deadline()
    try:
        yield
    except BaseException as error:
        only_cancelled = all(isinstance(e, trio.Cancelled) for e in leaves_of(error))
        if only_cancelled and trio.current_time() >= deadline:
            raise PluginError(explain()) from error
        raise
