"""``what_if``: a run is played again under a changed plan. Would it have helped?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from workstream._plan.outcome import Outcome
from workstream._plan.plan import Plan
from workstream._values.display import shorten
from workstream._values.durations import duration_text
from workstream._values.state import Status

from ..arguments import check_plan
from ..problems import SimulationError, says_all
from ..simulation.simulation import Simulation
from ..verify.merging.shapes import touched_in
from ..verify.verification import wrapped
from .earlier import script_of
from .rehearse import played

__tracebackhide__ = says_all

SHOWN = 5
"""How many paths a sentence names."""
CLOSE = 0.05
"""Two times are the same if they differ by no more than this share of the first ..."""
MOMENT = 1.0
"""... or by no more seconds: a real run also spends time between its actions."""

_RANKS = (
    Outcome.COMPLETED,
    Outcome.COMPLETED_WITH_SKIPPED,
    Outcome.COMPLETED_WITH_FAILURES,
    Outcome.STOPPED,
    Outcome.FAILED,
)
"""Outcomes, the best first."""


@attrs.frozen
class Ended:
    """How a plan ended, to be compared.

    Attributes:
        outcome: Its outcome.
        completed: How many sequences completed.
        sequences: How many it has.
        touched: The sequences that began, did not complete, and were not cleaned up.
        elapsed: How long it took, in seconds.
    """

    outcome: Outcome
    completed: int
    sequences: int
    touched: tuple[str, ...]
    elapsed: float

    @property
    def harm(self) -> tuple[int, int, int]:
        """How bad it is; larger is worse."""
        missing = self.sequences - self.completed
        return (_RANKS.index(self.outcome), len(self.touched), missing)

    def data(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "outcome": self.outcome.value,
            "completed": self.completed,
            "sequences": self.sequences,
            "touched": list(self.touched),
            "elapsed": self.elapsed,
        }


@attrs.frozen
class WhatIf:
    """A run, and the same night under another plan.

    Attributes:
        before: How the run ended.
        after: How the other plan ends.
        result: The other plan's run, with its timeline.
        notes: What the comparison does not know: sentences.
    """

    before: Ended
    after: Ended
    result: Simulation
    notes: tuple[str, ...]

    @property
    def helps(self) -> bool:
        """Whether the other plan ends better, or as well and sooner."""
        if self.after.harm != self.before.harm:
            return self.after.harm < self.before.harm
        return self._sooner > 0

    @property
    def _sooner(self) -> float:
        """By how many seconds it ends sooner; 0.0 where that says nothing."""
        sooner = self.before.elapsed - self.after.elapsed
        close = max(self.before.elapsed * CLOSE, MOMENT)
        return sooner if abs(sooner) > close else 0.0

    @property
    def answer(self) -> str:
        """Whether it would have helped, in a sentence."""
        if self.helps:
            if self.after.harm == self.before.harm:
                return "It would have helped: it ends as well, and sooner."
            return "It would have helped."
        if self.after.harm > self.before.harm:
            return "It would have made things worse."
        if self._sooner < 0:
            return "It would not have helped: it ends as well, and later."
        return "It would not have helped: it ends the same."

    def data(self) -> dict[str, Any]:
        """All of it, as ``workstream what-if --json`` prints it."""
        return {
            "plan": self.result.plan.name,
            "helps": self.helps,
            "answer": self.answer,
            "before": self.before.data(),
            "after": self.after.data(),
            "notes": list(self.notes),
        }

    def story(self, *, width: int = 100, height: int = 24) -> str:
        """All of it for people.

        Args:
            width: How many columns the timeline may have.
            height: How many lines.
        """
        return "\n".join(self._lines(width, height))

    def __str__(self) -> str:
        return self.story()

    def _lines(self, width: int, height: int) -> Iterator[str]:
        rows = [
            ("", "it ran", "with the new plan"),
            ("outcome", self.before.outcome.value, self.after.outcome.value),
            ("sequences completed", _completed(self.before), _completed(self.after)),
            ("touched, not completed", _touched(self.before), _touched(self.after)),
            ("took", _took(self.before), _took(self.after)),
        ]
        first, second = (max(len(row[n]) for row in rows) for n in (0, 1))
        for what, before, after in rows:
            yield f"{what:<{first}}  {before:<{second}}  {after}".rstrip()
        yield ""
        yield self.answer
        for note in self.notes:
            yield from wrapped(note, width)
        yield ""
        drawn = self.result.timeline.draw(width=width, height=height)
        yield from (line.rstrip() for line in drawn.splitlines())


def what_if(plan: Plan, ran: Plan, *plugins: Any) -> WhatIf:
    """Play a run again under a changed plan, in virtual time.

    Every attempt of an action takes as long as it took, and ends as it ended. A
    continuous check turns red when it did. ::

        async with open_store() as store:
            ran = await store.plan((await store.find("last")).row.id)
        print(what_if(rollout(20, batches=(1, 5)), ran))

    Actions are found by their paths below the plan, or by the unique ends of these. An
    action that the run did not reach completes; it takes as long as actions of its
    plugin took.

    Args:
        plan: The changed plan.
        ran: The plan that ran, as it is stored; it has ended.
        plugins: As for ``fake_all``: the plugins that are not installed.

    Returns:
        Both ends, side by side.

    Raises:
        SimulationError: The run has not ended, or the plan does not end.
        ScriptError: A plugin cannot be faked.
        ValidationError: The plan could not be submitted.
    """
    check_plan(plan)
    check_plan(ran)
    if not ran.state.status.is_terminal:
        message = f"plan {shorten(ran.name)!r} is {ran.outcome.value}: give a run that has ended"
        raise SimulationError(message)
    script = script_of(ran, plan)
    if not script.recorded:
        message = (
            f"plan {shorten(plan.name)!r} has no action that ran in "
            f"{shorten(ran.name)!r}: give a run of the same sequences and actions"
        )
        raise SimulationError(message)
    result = played(plan, plugins, script=script)
    notes: list[str] = []
    if script.unknown:
        notes.append(
            f"{_actions(script.unknown)} not in the run, or did not end in it: they "
            f"complete here ({_some(script.unknown)})"
        )
    if script.gone:
        notes.append(
            f"{_actions(script.gone)} not in the new plan, and failed in the run "
            f"({_some(script.gone)})"
        )
    if ran.interventions or ran.stopping:
        notes.append("what people asked of the run (stop, hold, skip) is not repeated")
    return WhatIf(
        _ended(ran, _elapsed(ran)),
        _ended(result.plan, result.elapsed),
        result,
        tuple(notes),
    )


def _ended(plan: Plan, elapsed: float) -> Ended:
    sequences = [each for block in plan.blocks for each in block.sequences]
    done = sum(each.state.status is Status.COMPLETED for each in sequences)
    touched = tuple(each.name for each in touched_in(sequences))
    return Ended(plan.outcome, done, len(sequences), touched, elapsed)


def _elapsed(plan: Plan) -> float:
    started, ended = plan.state.started, plan.state.ended
    if started is None or ended is None:
        return 0.0
    return (ended - started).total_seconds()


def _completed(each: Ended) -> str:
    return f"{each.completed:,} of {each.sequences:,}"


def _touched(each: Ended) -> str:
    names = ", ".join(map(shorten, each.touched[:SHOWN]))
    more = " ..." if len(each.touched) > SHOWN else ""
    return f"{len(each.touched):,}" + (f" ({names}{more})" if names else "")


def _took(each: Ended) -> str:
    return duration_text(each.elapsed, glance=True)


def _actions(found: Sequence[str]) -> str:
    return "1 action was" if len(found) == 1 else f"{len(found):,} actions were"


def _some(found: Sequence[str]) -> str:
    return ", ".join(found[:SHOWN]) + (" and more" if len(found) > SHOWN else "")
