"""The two event loops: asyncio, on which the cluster's client stands, and trio."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar, cast

import trio

T = TypeVar("T")

SETTLES = 0.02
"""Seconds in which a call that was given up is let go by the client's threads."""


async def on_asyncio(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[object, object, T]
) -> T:
    """Await on trio what runs on an asyncio loop in another thread.

    Being cancelled cancels the coroutine, and does not wait for it.
    """
    token, told = trio.lowlevel.current_trio_token(), trio.Event()
    future: Future[T] = asyncio.run_coroutine_threadsafe(coroutine, loop)

    def tell(_: Future[T]) -> None:
        try:
            token.run_sync_soon(told.set)
        except trio.RunFinishedError:
            return

    future.add_done_callback(tell)
    try:
        await told.wait()
    except BaseException:
        future.cancel()
        raise
    return future.result()


class AsyncioThread:
    """An asyncio loop in a thread, for a program on trio."""

    def __init__(self) -> None:
        """Begin it."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="workstream-temporal", daemon=True
        )
        self._thread.start()

    async def call(self, coroutine: Coroutine[object, object, T]) -> T:
        """Await it on trio."""
        return await on_asyncio(self._loop, coroutine)

    def beside(self, coroutine: Coroutine[object, object, None]) -> None:
        """Let it go on beside, until the end of the loop."""
        asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        """End it."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        """Leave nothing to the client's own threads, which may outlive the interpreter."""
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for each in rest:
            each.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(SETTLES)
        self._loop.stop()


class TrioThread:
    """A trio loop in a thread, for plugins: one that blocks it keeps no sign of life back."""

    def __init__(self, clock: trio.abc.Clock | None = None) -> None:
        """Begin it, beside the running asyncio loop; a test may bring a clock."""
        self._loop = asyncio.get_running_loop()
        begun: Future[None] = Future()

        def main() -> None:
            trio.run(self._serve, begun, clock=clock)

        threading.Thread(target=main, name="plugins", daemon=True).start()
        begun.result()

    async def _serve(self, begun: Future[None]) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as self._nursery:
            begun.set_result(None)
            await trio.sleep_forever()

    def soon(self, function: Callable[[], object]) -> None:
        """Call a function on trio."""
        self._token.run_sync_soon(function)

    async def call(self, function: Callable[[], Awaitable[T]]) -> T:
        """Await on asyncio what runs on trio; being cancelled cancels it."""
        answer: asyncio.Future[T] = self._loop.create_future()
        scope = trio.CancelScope()

        def settle(value: T | None, error: BaseException | None) -> None:
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            elif scope.cancelled_caught:
                answer.cancel()
            else:
                answer.set_result(cast("T", value))

        async def go() -> None:
            value: T | None = None
            error: BaseException | None = None
            try:
                with scope:
                    value = await function()
            except Exception as raised:
                error = raised
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(settle, value, error)

        self.soon(lambda: self._nursery.start_soon(go))
        try:
            return await answer
        except asyncio.CancelledError:
            self.soon(scope.cancel)
            raise

    async def ask(self, coroutine: Coroutine[object, object, T]) -> T:
        """Await on trio what runs on the asyncio loop."""
        return await on_asyncio(self._loop, coroutine)
