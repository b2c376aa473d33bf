"""The time that is recorded, whatever is done to the machine's clock (T-1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from workstream._values.clock import Clock, utc_now

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Machine:
    """A machine whose clock can be set."""

    def __init__(self) -> None:
        self.wall = NOON
        self.seconds = 0.0

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += timedelta(seconds=seconds)
        self.seconds += seconds

    def now(self) -> datetime:
        """What its clock shows."""
        return self.wall

    def elapsed(self) -> float:
        """How long it has been running."""
        return self.seconds


def after(seconds: float) -> datetime:
    """A moment."""
    return NOON + timedelta(seconds=seconds)


def test_it_tells_the_machine_s_time() -> None:
    """As long as nobody sets it back, and after it was set forward."""
    machine = Machine()
    clock = Clock(machine.now, elapsed=machine.elapsed)
    assert clock() == NOON
    machine.passes(10)
    assert clock() == after(10)
    machine.wall = after(3_600)
    assert clock() == after(3_600)


def test_set_back_it_goes_on_at_half_the_speed() -> None:
    """Until the machine's clock has caught up; it never goes back."""
    machine = Machine()
    clock = Clock(machine.now, elapsed=machine.elapsed)
    machine.passes(100)
    assert clock() == after(100)
    machine.wall = NOON
    assert clock() == after(100)
    machine.passes(20)
    assert clock() == after(110)
    machine.passes(20)
    assert clock() == after(120)
    machine.passes(150)  # the machine's clock shows 190 by now
    assert clock() == after(190)
    machine.passes(60)
    assert clock() == after(250)


def test_it_is_never_before_what_it_told_in_an_earlier_life() -> None:
    """A plan that is recovered on a machine whose clock is behind goes on from there."""
    machine = Machine()
    clock = Clock(machine.now, elapsed=machine.elapsed, not_before=after(60))
    assert clock() == after(60)
    machine.passes(10)
    assert clock() == after(65)


def test_without_a_measure_of_time_it_stands_still() -> None:
    """And goes on when the machine's clock has caught up."""
    machine = Machine()
    clock = Clock(machine.now)
    machine.passes(10)
    clock()
    machine.wall = NOON
    machine.passes(5)
    assert clock() == after(10)
    machine.passes(6)
    assert clock() == after(11)


def test_times_are_in_utc() -> None:
    """Timezone-aware, so that they can be compared (OM-2)."""
    assert utc_now().tzinfo is UTC
