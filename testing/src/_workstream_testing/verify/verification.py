"""What ``verify`` found: a story for people, and data for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from ..simulation.simulation import Simulation
from .faults import Fault

HEIGHT = 24
"""How many lines of a timeline a story shows."""


@attrs.frozen
class Worst:
    """The worst end that was found with some number of faults.

    Attributes:
        faults: What goes wrong.
        touched: The names of the sequences that began and did not complete.
        excess: By how much invariants are broken, all together.
        result: How the plan runs and ends, with its timeline.
        only: Give it to ``verify(plan, only=...)`` to see this run again.
        sampled: Whether only a sample of the sets of so many faults was tried.
    """

    faults: tuple[Fault, ...]
    touched: tuple[str, ...]
    excess: int
    result: Simulation
    only: str
    sampled: bool = False

    def data(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "faults": [fault.data() for fault in self.faults],
            "touched": list(self.touched),
            "excess": self.excess,
            "outcome": self.result.plan.outcome.value,
            "elapsed": self.result.elapsed,
            "only": self.only,
            "sampled": self.sampled,
        }


@attrs.frozen
class Broken:
    """An invariant that faults break.

    Attributes:
        invariant: The rule, in words.
        said: What a function said of the end; "": it is a rule.
        worst: The smallest set of faults that was found, and how the plan ends with it.
    """

    invariant: str
    said: str
    worst: Worst

    def data(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"invariant": self.invariant, "said": self.said, **self.worst.data()}


@attrs.frozen
class Suggestion:
    """A change of one setting that makes the worst end better; it was tried.

    Attributes:
        text: The change.
        before: How many sequences end touched and not completed, at worst, without it.
        after: The same with it.
        mends: Whether no invariant is broken with it, where one was without.
        sampled: Whether only a sample of the sets of faults was tried with it.
    """

    text: str
    before: int
    after: int
    mends: bool = False
    sampled: bool = False

    def __str__(self) -> str:
        then = ", and no invariant is broken" if self.mends else ""
        how = " (in a sample of the sets of faults)" if self.sampled else ""
        return f"{self.text}: {self.after} instead of {self.before}{then}{how}"


@attrs.frozen
class Verification:
    """What ``verify`` found.

    Attributes:
        plan: The plan's name.
        sequences: How many sequences it has.
        invariants: What was to hold, in words.
        worst: The worst end by number of faults, from none on.
        broken: The invariants that do not hold, each with the smallest set of faults.
        endless: Why the plan does not end, with some faults; "": it always ends.
        suggestions: Settings that make the worst end better.
        runs: How many runs were made.
        covered: What was tried, and what was merged, sampled, and left out: sentences.
        is_complete: Whether nothing was sampled or left out within the bounds.
        endless_end: The smallest set of faults with which the plan does not end.
    """

    plan: str
    sequences: int
    invariants: tuple[str, ...]
    worst: tuple[Worst, ...]
    broken: tuple[Broken, ...]
    endless: str
    suggestions: tuple[Suggestion, ...]
    runs: int
    covered: tuple[str, ...]
    is_complete: bool
    endless_end: Worst | None = None

    @property
    def ok(self) -> bool:
        """Whether every invariant held, and the plan always ended."""
        return not (self.broken or self.endless)

    @property
    def worst_end(self) -> Worst:
        """The worst end of all; of equals, that with the fewest faults."""
        return max(self.worst, key=_harm)

    @property
    def shown(self) -> Worst:
        """The run to look at first: with what is broken, or else the worst end."""
        if self.broken:
            return self.broken[0].worst
        return self.endless_end or self.worst_end

    def data(self) -> dict[str, Any]:
        """All of it, as ``workstream verify --json`` prints it."""
        return {
            "plan": self.plan,
            "sequences": self.sequences,
            "ok": self.ok,
            "invariants": list(self.invariants),
            "worst": [each.data() for each in self.worst],
            "broken": [each.data() for each in self.broken],
            "endless": self.endless,
            "endless_end": self.endless_end and self.endless_end.data(),
            "suggestions": [attrs.asdict(each) for each in self.suggestions],
            "runs": self.runs,
            "covered": list(self.covered),
            "complete": self.is_complete,
        }

    def story(
        self,
        *,
        width: int = 100,
        height: int = HEIGHT,
        again: Callable[[str], str] = lambda only: f"verify(plan, ..., only={only!r})",
    ) -> str:
        """All of it for people.

        Args:
            width: How many columns a timeline may have.
            height: How many lines.
            again: Given the text of a set of faults, says how to see it again.
        """
        return "\n".join(self._lines(width, height, again))

    def __str__(self) -> str:
        return self.story()

    def _lines(
        self, width: int, height: int, again: Callable[[str], str]
    ) -> Iterator[str]:
        runs = number_text(self.runs, "run")
        yield f"plan {self.plan!r}: the worst that can happen, found in {runs}"
        for each in self.worst:
            yield from wrapped(self._counted(each), width)
        for broken in self.broken:
            said = f" ({broken.said})" if broken.said else ""
            yield ""
            yield f"broken: {broken.invariant}{said}"
            yield from _told(broken.worst, width, height, again)
        if self.endless_end is not None:
            yield ""
            yield f"broken: the plan always ends ({self.endless})"
            yield from _told(self.endless_end, width, height, again)
        if self.ok and self.worst_end.touched:
            yield ""
            yield "the worst end:"
            yield from _told(self.worst_end, width, height, again)
        if self.suggestions:
            yield ""
            yield "tried, and better at worst (sequences touched and not completed):"
            for suggestion in self.suggestions:
                yield from wrapped(str(suggestion), width)
        yield ""
        yield "what was tried:"
        for text in self.covered:
            yield from wrapped(text, width)

    def _counted(self, each: Worst) -> str:
        faults = number_text(len(each.faults), "fault")
        ends = f"{len(each.touched)} of {self.sequences} sequences end touched and not "
        text = f"{faults}{' (a sample)' if each.sampled else ''}: {ends}completed; "
        plan = each.result.plan
        over = plan.state.status.is_terminal
        text += f"the plan {plan.outcome.value if over else 'does not end'}"
        if each.excess:
            text += "; an invariant is broken"
        return text


def _told(
    each: Worst, width: int, height: int, again: Callable[[str], str]
) -> Iterator[str]:
    for fault in each.faults:
        yield from wrapped(str(fault), width)
    if not each.faults:
        yield "  nothing goes wrong"
    if each.result.seed:
        yield "  simultaneous events come in another order than usual"
    if each.touched:
        yield from wrapped(f"touched and not completed: {_some(each.touched)}", width)
    yield ""
    drawn = each.result.timeline.draw(width=width - 2, height=height)
    yield from (f"  {line}".rstrip() for line in drawn.splitlines())
    yield f"  again: {again(each.only)}"


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a sentence, set in."""
    return textwrap.wrap(
        text,
        width,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8:,} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more


def number_text(number: int, what: str) -> str:
    """So many things, as a sentence has it."""
    if number == 0:
        return f"no {what}s"
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _harm(each: Worst) -> tuple[int, int, int]:
    return (each.excess, len(each.touched), -len(each.faults))
