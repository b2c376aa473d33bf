"""Looking secrets up on trio: what may wait does so in a thread, and not for ever (A-17).

A secret may be in a file on a disk that does not answer, in a safe beyond the network, or
in a keyring that asks a person to unlock it. None of that may hold up the event loop, and
with it every other action, so only what reads memory (``Immediate``) is called in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import trio

from .._secrets.filling import filled, secret_references, texts_to_hide
from .._secrets.lookups import Immediate, SecretResolver, look_up
from .._secrets.references import SecretRef

AT_ONCE = 16
"""Lookups of one scheme that go on together, those that were given up included."""


class LookupTimeoutError(Exception):
    """A secret had not been found when the attempt's time was over."""


class Lookups:
    """Looks up the secrets of one engine's attempts."""

    def __init__(self, resolvers: Mapping[str, SecretResolver]) -> None:
        """Make one.

        Args:
            resolvers: What looks a secret up, by scheme.
        """
        self._resolvers = resolvers
        # Threads cannot be ended. With limits of their own, what hangs keeps neither
        # other schemes nor other users of threads from working.
        self._limiters: dict[str, trio.CapacityLimiter] = {}

    async def resolved(
        self, request: object, seconds: float
    ) -> tuple[object, frozenset[str]]:
        """The request with its references resolved, and the texts to hide.

        Cancelling it leaves a lookup that goes on to itself.

        Args:
            request: As the plan holds it.
            seconds: How long it may take.

        Raises:
            SecretError: It names the reference that failed and why, never a value.
            LookupTimeoutError: It took longer. It names the reference.
        """
        values: dict[SecretRef, str] = {}
        waiting: list[SecretRef] = []
        for ref in secret_references(request):
            if self._is_immediate(ref):
                values[ref] = look_up(ref, self._resolvers)
            else:
                waiting.append(ref)
        if waiting:
            late = waiting[0]
            with trio.move_on_after(seconds) as scope:
                for late in waiting:
                    values[late] = await self._look_up(late)
            if scope.cancelled_caught:
                raise LookupTimeoutError(self._too_late(late, seconds))
        request = filled(request, values)
        return request, texts_to_hide(request)

    def _is_immediate(self, ref: SecretRef) -> bool:
        resolver = self._resolvers.get(ref.scheme)
        return resolver is None or isinstance(resolver, Immediate)

    async def _look_up(self, ref: SecretRef) -> str:
        limiter = self._limiters.get(ref.scheme)
        if limiter is None:
            limiter = self._limiters[ref.scheme] = trio.CapacityLimiter(AT_ONCE)
        return await trio.to_thread.run_sync(
            look_up, ref, self._resolvers, abandon_on_cancel=True, limiter=limiter
        )

    def _too_late(self, ref: SecretRef, seconds: float) -> str:
        message = (
            f"the secret {ref.reference!r} was not found within {seconds:g} s: the "
            f"resolver of {ref.scheme!r} has not answered"
        )
        limiter = self._limiters.get(ref.scheme)
        if limiter is not None and limiter.borrowed_tokens == AT_ONCE:
            message += f", nor has it answered {AT_ONCE - 1} others"
        return f"{message}. See whether where it looks can be reached, or waits for somebody"
