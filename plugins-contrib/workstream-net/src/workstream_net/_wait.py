"""Looking again and again, until what is looked for is there."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from workstream import Context, PluginError

REMIND_EVERY = 30.0
"""After how many seconds a wait reports again what it waits for."""

MARGIN = 0.5
"""How many seconds before its timeout a wait gives up by itself, to say why."""

Result = TypeVar("Result")


async def wait(
    context: Context, look: Callable[[], Awaitable[Result]], every: float
) -> Result:
    """Look until a look succeeds; rest between looks.

    A wait gives up a moment before the attempt's timeout, so that its error can say
    what was missing to the end, which a timeout cannot.

    Args:
        context: The attempt's.
        look: Looks once; it raises a ``PluginError`` when it did not succeed.
        every: Seconds to rest between two looks.

    Raises:
        PluginError: That of the last look: a permanent one at once.
    """
    began = trio.current_time()
    end = trio.current_effective_deadline()
    available = max(end - began, 0.0)
    patience = available - min(MARGIN, available / 10)
    total = None if math.isinf(available) else available
    last: PluginError | None = None
    reported = -math.inf
    looks = 0
    with trio.move_on_after(patience):
        while True:
            looks += 1
            try:
                result = await look()
            except PluginError as error:
                if error.permanent:
                    raise
                now = trio.current_time()
                news = last is None or last.message != error.message
                if news or now - reported >= REMIND_EVERY:
                    context.report(
                        f"not yet: {error.message}", done=now - began, total=total
                    )
                    reported = now
                last = error
            else:
                waited = trio.current_time() - began
                context.report(f"there after {waited:.1f} seconds, at look {looks}")
                return result
            await trio.sleep(every)
    times = "1 look" if looks == 1 else f"{looks} looks"
    message = f"given up after {patience:.4g} seconds and {times}: "
    message += last.message if last is not None else "the first look did not end"
    raise PluginError(message)
