"""Retry policies: how long to wait before each further attempt (section 11).

A plugin's author chooses one of the ready-made policies or makes their own::

    class Copy(ActionPlugin[CopyRequest, CopyResponse]):
        retry = retries.FAST

    class Query(ActionPlugin[QueryRequest, QueryResponse]):
        retry = RetryPolicy(initial_interval=2, multiplier=1.5, max_interval=30)
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import attrs

__all__ = ["FAST", "SECONDS", "THIRTY_SECONDS", "RetryPolicy"]


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """Exponential backoff with jitter (RP-1). It has no attempt limit of its own (RP-5).

    Attributes:
        initial_interval: The first wait, in seconds.
        multiplier: By how much each wait is longer than the one before.
        randomization_factor: How far jitter may move a wait, as a share of it.
        max_interval: The longest wait before jitter, in seconds.
    """

    initial_interval: float
    multiplier: float = 2.0
    randomization_factor: float = 0.5
    max_interval: float = 60.0

    def faults(self) -> tuple[str, ...]:
        """The faults of the policy by RP-2; empty when it is valid."""
        found: list[str] = []
        values = (
            self.initial_interval,
            self.multiplier,
            self.randomization_factor,
            self.max_interval,
        )
        if not all(math.isfinite(value) for value in values):
            found.append("every field must be a finite number")
        if not self.initial_interval > 0:
            found.append("initial_interval must be greater than 0")
        if not self.multiplier > 1:
            found.append("multiplier must be greater than 1")
        if not 0 <= self.randomization_factor <= 1:
            found.append("randomization_factor must be between 0 and 1")
        if not self.max_interval > 0:
            found.append("max_interval must be greater than 0")
        elif self.initial_interval > self.max_interval:
            found.append("initial_interval must not exceed max_interval")
        return tuple(found)

    def base(self, n: int) -> float:
        """The n-th wait before jitter, in seconds; n counts from 1 (RP-3)."""
        # In logarithms first: multiplier ** n overflows a float from n = 1024 on.
        growth = (n - 1) * math.log(self.multiplier)
        if growth >= math.log(self.max_interval / self.initial_interval):
            return self.max_interval
        return min(
            self.initial_interval * self.multiplier ** (n - 1), self.max_interval
        )

    def wait(self, n: int, random: float) -> float:
        """The n-th wait, in seconds, drawn by ``random``, a number from 0 to 1 (RP-3).

        Jitter is uniform around ``base(n)`` and may exceed ``max_interval``.
        """
        return self.base(n) * (1 + self.randomization_factor * (2 * random - 1))

    def waits(self, count: int) -> Iterator[float]:
        """The first ``count`` waits before jitter, in seconds: to see what a policy does."""
        return (self.base(n) for n in range(1, count + 1))


FAST = RetryPolicy(initial_interval=0.1)
"""From a tenth of a second, doubling, up to a minute (RP-4)."""

SECONDS = RetryPolicy(initial_interval=1.0)
"""From a second, doubling, up to a minute (RP-4)."""

THIRTY_SECONDS = RetryPolicy(
    initial_interval=30.0,
    multiplier=1.1,
    randomization_factor=0.2,
    max_interval=300.0,
)
"""From half a minute, a tenth longer each time, up to five minutes (RP-4)."""
