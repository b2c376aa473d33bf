"""The observer kit finds what is wrong with an observer, and nothing with a good one."""

from __future__ import annotations

import pytest

from workstream.plugins import Observation, Observer
from workstream.results import PlanSnapshot, StateChange
from workstream.testing import ConformanceError, check_observer

OUTSIDE: list[object] = []


class Good(Observer):
    """Tells others of each change, under a key that is always the same."""

    name = "acme"

    def observe(self, seen: Observation, /) -> None:
        """Tell them."""
        for event in seen.events:
            self.tell(seen, event)

    def tell(self, seen: Observation, event: object) -> None:
        """Tell them one thing."""
        if isinstance(event, StateChange):
            OUTSIDE.append((seen.plan_id, event.position, event.path))


class Counts(Good):
    """Numbers what it tells by itself, so that its key changes when it comes again."""

    def __init__(self) -> None:
        self.number = 0

    def tell(self, seen: Observation, event: object) -> None:
        """Tell them one thing."""
        self.number += 1
        OUTSIDE.append(self.number)


class Remembers(Good):
    """Needs to have seen the beginning, which a resumed process has not."""

    def __init__(self) -> None:
        self.begun: set[str] = set()

    def tell(self, seen: Observation, event: object) -> None:
        """Tell them of what has ended, if it was seen to begin."""
        if isinstance(event, StateChange):
            if not event.state.status.is_terminal:
                self.begun.add(event.path)
            elif event.path in self.begun:
                super().tell(seen, event)


class Trusts(Good):
    """Believes that nothing is ever missed."""

    def tell(self, seen: Observation, event: object) -> None:
        """Tell them one thing."""
        assert not isinstance(event, PlanSnapshot)
        super().tell(seen, event)


class Batches(Good):
    """Keeps the last event for the next call, and forgets it."""

    def observe(self, seen: Observation, /) -> None:
        """Tell all but one."""
        for event in seen.events[:-1]:
            self.tell(seen, event)


class Sulks(Good):
    """Cannot be closed."""

    def close(self) -> None:
        """Fail."""
        message = "nothing was told"
        raise RuntimeError(message)


def check(make: type[Good]) -> None:
    """Put one to the test."""
    check_observer(make, lambda: set(OUTSIDE), reset=OUTSIDE.clear)


def test_a_good_observer_passes() -> None:
    """And the kit told it of a whole plan."""
    check(Good)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (Counts, {"again", "crash"}),
        (Remembers, {"crash"}),
        (Trusts, {"missed"}),
        (Batches, {"single", "again", "crash"}),
        (Sulks, {"whole"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_bad_observer_is_found(make: type[Good], names: set[str]) -> None:
    """By the name of what is wrong with it (OB-1, OB-2, OB-4, OB-5)."""
    with pytest.raises(ConformanceError) as caught:
        check(make)

    assert {finding.name for finding in caught.value.findings} <= names
    assert "found wrong with observer acme" in str(caught.value)
