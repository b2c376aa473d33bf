"""``verify`` with several processes: what goes wrong in one of them is told here."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from verify_plans import PLUGINS, rollout

from workstream.testing import End, SimulationError, verify

HOSTS = 4
HERE = os.getpid()


def verified(invariant: Callable[[End], None]) -> None:
    """Verify a plan with this invariant, by two processes."""
    verify(rollout(HOSTS), *PLUGINS, invariants=[invariant], suggest=False, workers=2)


def test_a_process_that_is_killed_is_missed() -> None:
    """Nobody waits for what it will not tell."""

    def dies_elsewhere(end: End) -> None:
        if os.getpid() != HERE:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(SimulationError, match="fewer workers, or fewer runs"):
        verified(dies_elsewhere)


def test_what_an_invariant_raises_elsewhere_is_told() -> None:
    """The process that asked says so, as if it had judged the end itself."""

    def breaks_elsewhere(end: End) -> None:
        if os.getpid() != HERE:
            message = "no such key"
            raise KeyError(message)

    with pytest.raises(SimulationError, match="no such key"):
        verified(breaks_elsewhere)
