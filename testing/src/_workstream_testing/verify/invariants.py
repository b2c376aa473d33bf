"""What must be true of the world at the end, or all the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from workstream._plan.outcome import Outcome
from workstream._plan.plan import Plan

from ..arguments import check_number
from ..problems import SimulationError
from .faults import Fault
from .world import Facts


@attrs.frozen
class End:
    """How a run ended, for invariants.

    Attributes:
        plan: The plan; look at it, keep nothing of it.
        faults: What went wrong.
        touched: The names of the sequences that began and did not complete.
        facts: The possible values of each fact, by subject and fact.
        elapsed: How long it took, in seconds.
    """

    plan: Plan
    faults: tuple[Fault, ...]
    touched: tuple[str, ...]
    facts: Mapping[tuple[str, str], frozenset[object]]
    elapsed: float

    @property
    def outcome(self) -> Outcome:
        """The plan's status in words."""
        return self.plan.outcome

    def possible(self, fact: str, value: object = True) -> list[str]:
        """The subjects of which the fact may have this value."""
        return [
            subject
            for (subject, name), values in self.facts.items()
            if name == fact and value in values
        ]

    def certain(self, fact: str, value: object = True) -> list[str]:
        """The subjects of which the fact surely has this value."""
        return [
            subject
            for (subject, name), values in self.facts.items()
            if name == fact and values == frozenset([value])
        ]


@attrs.frozen(repr=False)
class Rule:
    """A rule about the world; made by ``at_most``, ``never`` or ``always_ends``.

    Attributes:
        text: The rule for people.
        facts: The facts that it names.
        excess: By how much facts break it; 0: they do not.
        always: Whether it must hold all the time; otherwise at the end.
        counts_touched: The most sequences that may be touched; None: not its business.
        counts: Whether a host of which a fact has these possible values counts.
    """

    text: str
    facts: tuple[str, ...]
    excess: Callable[[Facts], int]
    always: bool = False
    counts_touched: int | None = None
    counts: Callable[[frozenset[object]], bool] = bool

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<rule: {self.text}>"


Invariant: TypeAlias = Rule | Callable[[End], object]
"""A rule, or a function of the end: it fails by raising, or by returning False."""


def _condition(fact: str | None, sets: Mapping[str, object]) -> tuple[str, object]:
    conditions: list[tuple[str, object]] = [] if fact is None else [(fact, True)]
    conditions += sets.items()
    if len(conditions) != 1:
        message = 'name one fact: at_most(2, "down"), or at_most(2, serving=False)'
        raise SimulationError(message)
    return conditions[0]


def _text(fact: str, value: object) -> str:
    return fact if value is True else f"{fact}={value!r}"


def at_most(
    number: int, fact: str | None = None, *, always: bool = False, **value: object
) -> Rule:
    """A rule: a fact may be true of so many subjects at most.

    ::

        at_most(2, "down")
        at_most(2, serving=False)
        at_most(2, "touched")     # sequences that began and did not complete

    Args:
        number: How many.
        fact: The fact. ``touched`` needs no effects.
        always: Whether it holds all the time; otherwise at the end alone.
        value: Instead of a fact that is True: a fact and its value.
    """
    check_number("the number of at_most", number)
    if fact == "touched" and not value:
        if always:
            message = 'at_most(..., "touched") is judged at the end: leave always out'
            raise SimulationError(message)
        which = "1 sequence" if number == 1 else f"{number} sequences"
        text = f"at most {which} may end touched and not completed"
        return Rule(text, (), lambda facts: 0, counts_touched=number)
    name, wanted = _condition(fact, value)

    def excess(facts: Facts) -> int:
        found = sum(
            wanted in values for (_, each), values in facts.items() if each == name
        )
        return max(found - number, 0)

    when = "at any time" if always else "at the end"
    text = f"at most {number} may be {_text(name, wanted)} {when}"
    return Rule(text, (name,), excess, always, counts=lambda values: wanted in values)


def never(
    fact: str | None = None, *, without: str | None = None, **value: object
) -> Rule:
    """A rule: a fact is never true, or never without another one, at any time.

    ::

        never("db migrated", without="backup taken")

    Args:
        fact: The fact.
        without: Another fact, of the same subject; of a subject for which no action
            sets it, it may be true of any.
        value: Instead of a fact that is True: a fact and its value.
    """
    name, wanted = _condition(fact, value)

    def excess(facts: Facts) -> int:
        broken = 0
        for (subject, each), values in facts.items():
            if each != name or wanted not in values:
                continue
            if without is None or not _holds(facts, subject, without):
                broken += 1
        return broken

    text = f"never {_text(name, wanted)}"
    if without is not None:
        text += f" without {without}"
    names = (name,) if without is None else (name, without)
    return Rule(text, names, excess, True, counts=lambda values: wanted in values)


def _holds(facts: Facts, subject: str, fact: str) -> bool:
    own = facts.get((subject, fact))
    if own is not None:
        return own == frozenset([True])
    return any(
        name == fact and values == frozenset([True])
        for (_, name), values in facts.items()
    )


def always_ends(fact: str | None = None, **value: object) -> Rule:
    """A rule: however the plan ends, a fact is then true of all subjects.

    ::

        always_ends("balancer on")
        always_ends(serving=True)

    Args:
        fact: The fact.
        value: Instead of a fact that is True: a fact and its value.
    """
    name, wanted = _condition(fact, value)

    def excess(facts: Facts) -> int:
        return sum(
            values != frozenset([wanted])
            for (_, each), values in facts.items()
            if each == name
        )

    text = f"it always ends {_text(name, wanted)}"
    return Rule(
        text, (name,), excess, counts=lambda values: values != frozenset([wanted])
    )


def text_of(invariant: Invariant) -> str:
    """An invariant in words: of a function its first line, or its name."""
    if isinstance(invariant, Rule):
        return invariant.text
    text = invariant.__doc__ or getattr(invariant, "__name__", "")
    return str(text).strip().partition("\n")[0].rstrip(".") or repr(invariant)


def checked(invariants: tuple[Any, ...], facts: set[str]) -> list[Invariant]:
    """The invariants, if they can be judged.

    Raises:
        SimulationError: It lists those that cannot.
    """
    faults: list[str] = []
    for each in invariants:
        if not (isinstance(each, Rule) or callable(each)):
            faults.append(f"{each!r} is neither a rule nor a function of the end")
        elif isinstance(each, Rule):
            faults += [
                f"{each.text}: no effect sets {name!r}; write "
                f"effects=[effect(SomePlugin, sets={{{name!r}: ...}})]"
                for name in each.facts
                if name not in facts
            ]
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        message = f"these invariants cannot be judged:\n{lines}"
        raise SimulationError(message)
    return list(invariants)
