"""How long a plan still takes, by earlier runs of it.

A run is compared with each earlier one at the moment at which as large a share of the
sequences had ended. What the earlier run took from there is what this one may take. So
pauses between waves, slow last hosts and clean-up count as they did.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from .._codec.codec import Codec
from .._plan.plan import Plan
from .._protocols.searching import Where
from .._values.state import Status
from .progress import Progress

if TYPE_CHECKING:
    from .._store.store import Store

RUNS = 10
"""How many earlier runs are looked at: the newest."""
LARGEST = 2_000
"""Of how many sequences together: of large plans, fewer runs must do."""
TELLING = 3
"""From so many sequences on, a run tells how fast it goes."""
HIGH = 0.9
"""Which share of runs took no longer than the high figure."""


@attrs.frozen
class Pace:
    """How one run went.

    Attributes:
        ends: When each sequence ended, in seconds from the beginning, in order.
        length: How long all of it took.
    """

    ends: tuple[float, ...]
    length: float

    def left(self, share: float, since: float) -> float:
        """What it took from a moment on, in seconds.

        Args:
            share: The share of sequences that had ended.
            since: For how long no more had; where it took less, the next one's end.
        """
        number = int(share * len(self.ends))
        reached = self.ends[number - 1] if number else 0.0
        following = self.ends[number] if number < len(self.ends) else self.length
        return self.length - min(reached + max(since, 0.0), following)


@attrs.frozen
class TimeLeft:
    """How long a plan still takes, if it goes as earlier runs did.

    Attributes:
        p50: Half of the earlier runs took no longer.
        p90: Nine of ten took no longer.
        runs: By how many runs.
    """

    p50: timedelta
    p90: timedelta
    runs: int


def pace_of(plan: Plan) -> Pace | None:
    """How a run went; None: it did not complete, or people held it up."""
    started, ended = plan.state.started, plan.state.ended
    if plan.state.status is not Status.COMPLETED or plan.interventions:
        return None
    if started is None or ended is None:
        return None
    ends = sorted(
        (sequence.state.ended - started).total_seconds()
        for block in plan.blocks
        for sequence in block.sequences
        if sequence.state.ended is not None
    )
    return Pace(tuple(ends), (ended - started).total_seconds())


def time_left(
    paces: Sequence[Pace], progress: Progress, now: datetime
) -> TimeLeft | None:
    """How long a plan still takes; None: nothing is known of that.

    Args:
        paces: How earlier runs went.
        progress: How far the plan has come.
        now: The time.
    """
    if progress.status is not Status.RUNNING or progress.started is None:
        return None
    blocks = progress.blocks
    total = sum(block.total for block in blocks)
    if not paces or not total or progress.held or progress.stopping:
        return None
    share = sum(block.done for block in blocks) / total
    since = (now - (progress.latest or progress.started)).total_seconds()
    left = sorted(
        pace.left(share, since) * total / max(len(pace.ends), 1) for pace in paces
    )
    return TimeLeft(
        timedelta(seconds=statistics.median(left)),
        timedelta(seconds=left[math.ceil(HIGH * len(left)) - 1]),
        len(left),
    )


@attrs.frozen
class SoFar:
    """How fast a run goes by itself.

    Attributes:
        done: How many sequences have ended.
        of: Of how many.
        rate: How many end in a second; 0: too few to tell.
        left: How long the others take at that rate; None: nothing is known of that.
    """

    done: int
    of: int
    rate: float = 0.0
    left: timedelta | None = None


def so_far(progress: Progress, now: datetime) -> SoFar:
    """How fast the run goes: the sequences that ended, by the time since it began."""
    blocks = progress.blocks
    found = SoFar(sum(each.done for each in blocks), sum(each.total for each in blocks))
    begun = min((each.started for each in blocks if each.started), default=None)
    if progress.status is not Status.RUNNING or begun is None:
        return found
    seconds = (now - begun).total_seconds()
    # While somebody holds it nothing ends, and the rate would sink for no fault of its own.
    if found.done < TELLING or seconds <= 0 or progress.held:
        return found
    rate = found.done / seconds
    left = timedelta(seconds=(found.of - found.done) / rate)
    ends = progress.stopping or found.done == found.of
    return attrs.evolve(found, rate=rate, left=None if ends else left)


async def earlier_paces(store: Store, plan: Plan) -> list[Pace]:
    """How the newest completed runs of a plan went: those of its name and blocks.

    Args:
        store: The store, open.
        plan: The plan.
    """
    rows = await store.search(
        statuses=[Status.COMPLETED], where=Where(name=plan.name), limit=4 * RUNS
    )
    blocks = [block.name for block in plan.blocks]
    found: list[Pace] = []
    seen = 0
    for row in rows:
        if row.name != plan.name or row.id == plan.id:
            continue
        stored = await store.vault.read(row.id)
        earlier = Codec(None).load(stored, brief=True)
        if [block.name for block in earlier.blocks] != blocks:
            continue
        pace = pace_of(earlier)
        if pace is not None:
            found.append(pace)
        seen += sum(len(block.sequences) for block in earlier.blocks)
        if len(found) == RUNS or seen >= LARGEST:
            break
    return found
