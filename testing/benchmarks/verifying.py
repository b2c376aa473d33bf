"""What ``verify`` costs: runs a second, and how it grows with the number of hosts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs

from workstream import ActionPlugin, Block, Context, HaltAfter, Plan, Sequence
from workstream.testing import Verification, verify

from .table import Figure, Samples, interleaved

__all__ = ["verifying"]

HOSTS = (50, 100, 200, 400)
STEPS = ("Drain", "Copy", "Start", "Check")
RUNS = 100_000
LIMIT = 60.0
"""Seconds that two failures and a crash in a plan of 500 hosts may take."""


@attrs.frozen
class _On:
    host: str


class _Do(ActionPlugin[_On, None]):
    """A step on a host."""

    name = "bench.do"

    async def execute(self, context: Context, request: _On, /) -> None:
        """Do nothing."""


def _plan(hosts: int, concurrency: int, halt_after: HaltAfter) -> Plan:
    sequences = [
        Sequence(
            name=f"web-{number}",
            actions=[_Do.action(_On(f"web-{number}"), name=step) for step in STEPS],
        )
        for number in range(hosts)
    ]
    block = Block(
        name="Tier",
        sequences=sequences,
        concurrency=concurrency,
        tolerated_failures=1,
        halt_after=halt_after,
    )
    return Plan(name="Rollout", blocks=[block])


def _verified(
    hosts: int,
    concurrency: int = 10,
    halt_after: HaltAfter = HaltAfter.ACTION,
    **bounds: Any,
) -> tuple[float, Verification]:
    plan = _plan(hosts, concurrency, halt_after)
    began = time.perf_counter()
    found = verify(plan, _Do, suggest=False, **bounds)
    return time.perf_counter() - began, found


def _seconds(hosts: int) -> float:
    return _verified(hosts, failures=1)[0]


def verifying(rounds: int, *, large: bool) -> list[Figure]:
    """Runs a second, cost against hosts, and the plan of 500 hosts."""
    contenders: dict[str, Callable[[], float]] = {
        str(hosts): partial(_seconds, hosts) for hosts in HOSTS
    }
    samples = interleaved(rounds, contenders)
    seconds, found = _verified(8, 4, failures=2)
    figures = [
        Figure(
            name="verify: 8 hosts x 4, every two failures",
            value=f"{found.runs / seconds:,.0f} runs/s",
            ratio=f"{found.runs:,} runs",
        ),
        Figure(
            name=f"verify: {HOSTS[0]} to {HOSTS[-1]} hosts x 4, one failure",
            value=f"{samples.median(str(HOSTS[-1])):.2f} s at {HOSTS[-1]}",
            ratio=f"hosts ^ {_exponent(samples):.2f}",
            goal="1 or less",
            reached=_exponent(samples) <= 1,
        ),
    ]
    if large:
        figures.append(_large())
    return figures


def _exponent(samples: Samples) -> float:
    few, many = HOSTS[0], HOSTS[-1]
    return math.log(samples.ratio(str(many), str(few))) / math.log(many / few)


def _large() -> Figure:
    """Two failures and a crash, both halt modes, two processes."""
    seconds, runs, sampled = 0.0, 0, False
    for mode in (HaltAfter.ACTION, HaltAfter.SEQUENCE):
        took, found = _verified(
            500, halt_after=mode, failures=2, crashes=1, max_runs=RUNS, workers=2
        )
        seconds += took
        runs += found.runs
        sampled = sampled or not found.is_complete
    return Figure(
        name="verify: 500 hosts x 4, two failures and a crash, both halt modes",
        value=f"{seconds:.0f} s",
        ratio=f"{runs:,} runs{', a sample' if sampled else ''}",
        goal=f"{LIMIT:.0f} s, all of them",
        reached=seconds <= LIMIT and not sampled,
    )
