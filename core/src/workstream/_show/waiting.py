"""What waits in a plan that runs, and why: nothing else would show it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import attrs

from .._plan.plan import Block
from .._values.durations import took
from .._values.state import Status
from .progress import Progress, Section
from .words import gist


@attrs.frozen
class Wait:
    """One thing that waits.

    Attributes:
        label: Which object, its path without the plan's name.
        why: The reason in words, how long included where that is known.
    """

    label: str
    why: str


def waits(progress: Progress, now: datetime) -> Iterator[Wait]:
    """What waits now: the next block, and actions between two attempts."""
    delayed = next_block(progress, now)
    if delayed is not None:
        yield delayed
    for running in progress.running.values():
        if running.error is not None:
            why = f"attempt {running.attempt:,} failed, retries: {gist(running.error)}"
            yield Wait(running.place.label, why)


def next_block(progress: Progress, now: datetime) -> Wait | None:
    """The block that waits out a delay; None: none does."""
    if progress.status is not Status.RUNNING or progress.stopping:
        return None
    before: Section | None = None
    for section in progress.sections:
        node = section.node
        if section.status is Status.NOT_STARTED and isinstance(node, Block):
            why = _delay(node, before, now)
            return Wait(section.label, why) if why else None
        if section.label in ("bypass_checks", "cont_checks"):
            before = section
        elif section.status is not Status.COMPLETED:
            return None
        else:
            before = section
    return None


def _delay(block: Block, before: Section | None, now: datetime) -> str:
    if before is not None and isinstance(before.node, Block):
        left = timedelta(seconds=before.node.exit_delay)
        if before.ended is not None:
            left = max(before.ended + left - now, timedelta(0))
        if left:
            return f"waits {took(left)}: exit_delay of the block before"
    if not block.entrance_delay:
        return ""
    return (
        f"waits its entrance_delay of {took(timedelta(seconds=block.entrance_delay))}"
    )
