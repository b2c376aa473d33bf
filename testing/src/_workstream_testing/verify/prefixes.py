"""Begin a run behind the faults that it has in common with the one before it.

Sets of faults that begin alike are tried one after the other. Until the next fault strikes,
their runs are one run: the first of them goes through it, and at each instant at which that
is possible it notes where the others may begin. That is where nothing is on its way: each
sequence that runs has just begun an action. Then a run may begin with the tree, without
those actions, and take up the sequences in the order in which they stood in the queue.

That it is the same run is seen, and not believed. At its first call it compares the exact
signature, with the places of all objects in it, to the one that was noted: all tasks and
queues, what is due, what is stored, and which faults have struck. From a moment that is
the same all that follows is the same. If it is not the same, the run is left, and begins
elsewhere.

A crash is simpler: what it leaves is the stored tree and nothing else. So of the sets that
begin with the same faults up to a crash, only the first one goes through what comes before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from workstream._plan.plan import Node
from workstream._values.state import Status

from ..crashes.light_store import Kept, LightCodec
from .faults import Fault
from .merging.shapes import Member, Shape
from .moments import Start

if TYPE_CHECKING:
    from .runs import Run


class Prefixes:
    """Where runs may begin that have their first faults in common with the latest one."""

    def __init__(self) -> None:
        self._known: list[tuple[tuple[Fault, ...], list[Start]]] = []

    def latest(self, faults: tuple[Fault, ...]) -> Start | None:
        """The latest start that is before the first fault that is not in common."""
        while self._known and not _is_prefix(self._known[-1][0], faults):
            self._known.pop()
        for prefix, starts in reversed(self._known):
            time = faults[len(prefix)].time
            for start in reversed(starts):
                if start.exact is None or start.time < time:
                    return start
        return None

    def add(self, prefix: tuple[Fault, ...], start: Start) -> None:
        """Remember where runs that begin with these faults may begin."""
        if not self._known or len(self._known[-1][0]) < len(prefix):
            self._known.append((prefix, []))
        starts = self._known[-1][1]
        if not starts or starts[-1].time < start.time:
            starts.append(start)

    def drop(self, start: Start) -> None:
        """Forget one at which the run is not the same."""
        for _, starts in self._known:
            if start in starts:
                starts.remove(start)


def _is_prefix(prefix: tuple[Fault, ...], faults: tuple[Fault, ...]) -> bool:
    return len(prefix) < len(faults) and faults[: len(prefix)] == prefix


def start_at(run: Run, time: float, now: datetime, struck: int) -> Start | None:
    """Where others may begin at this first call of an instant; None: they may not.

    Args:
        run: The run.
        time: When it is, in seconds.
        now: The same, as the clock tells it.
        struck: How many faults have struck.
    """
    shape, signatures = run.trials.shape, run.signatures
    assert signatures is not None, "it has been asked to merge"
    begun = _just_begun(shape, now)
    order = signatures.places()
    if begun is None or set(order) != begun.keys():
        return None
    kept, row = run.vault.kept, run.vault.row
    if not run.stores:
        kept = as_stored(run.trials.nodes)
    begins = set(begun.values())
    return Start(
        time,
        {place: each for place, each in kept.items() if place not in begins},
        row,
        dict(run.facts),
        tuple(run.excess),
        signatures.first_owner,
        lost=run.lost,
        struck=struck,
        exact=exact(run, now),
        order=order,
    )


def exact(run: Run, now: datetime) -> int:
    """The signature of this call, with the places of all that is on its way."""
    assert run.signatures is not None, "it has been asked to merge"
    signatures = run.signatures.exact(run.doomed(struck=True))
    kept: Mapping[int, Kept] = run.vault.kept if run.stores else {}
    return hash(
        (
            signatures.places(),
            signatures.of_call(now),
            # Where each sequence stands has been said.
            tuple(signatures.stored(signatures.running(), kept)),
            signatures.rest(now, kept),
        )
    )


def _just_begun(shape: Shape, now: datetime) -> dict[int, int] | None:
    """The action that each running sequence has just begun; None: something else runs."""
    found: dict[int, int] = {}
    for line in shape.blocks.values():
        for member in line.members:
            if member.sequence.state.status is Status.RUNNING:
                place = _begun_at(member, now)
                if place is None:
                    return None
                found[member.place] = place
    return found


def _begun_at(member: Member, now: datetime) -> int | None:
    """The place of the action that began now, with its first attempt."""
    if member.deferred:
        return None
    for number, action in enumerate(member.sequence.actions):
        if action.state.status is Status.COMPLETED:
            continue
        if action.state.status is not Status.RUNNING or len(action.attempts) != 1:
            return None
        [only] = action.attempts
        is_new = only.started == now and only.ended is None
        return member.place + 1 + number if is_new else None
    return None


def as_stored(nodes: list[Node]) -> dict[int, Kept]:
    """What would be stored, if anything was; the plan itself is another matter."""
    codec = LightCodec()
    return {
        place: codec.record_of(node)
        for place, node in enumerate(nodes)
        if place and node.state.status is not Status.NOT_STARTED
    }


def take_up(shape: Shape, order: tuple[int, ...]) -> None:
    """Let blocks take up sequences in this order, and then as in the plan."""
    places = {place: number for number, place in enumerate(order)}
    for line in shape.blocks.values():
        members = line.members
        if order:
            last = len(order)
            members = sorted(members, key=lambda each: places.get(each.place, last))
        line.block.sequences[:] = [each.sequence for each in members]
