"""Retry policies: how long to wait before each further attempt (section 11)."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest

from workstream.retries import FAST, SECONDS, THIRTY_SECONDS, RetryPolicy

READY_MADE = [FAST, SECONDS, THIRTY_SECONDS]

TABLE = [
    (FAST, (0.1, 2, 0.5, 60), "0.1 0.2 0.4 0.8 1.6 3.2 6.4 12.8 25.6 51.2 60 60"),
    (SECONDS, (1, 2, 0.5, 60), "1 2 4 8 16 32 60 60"),
    (
        THIRTY_SECONDS,
        (30, 1.1, 0.2, 300),
        "30 33 36.3 39.93 43.923 48.315 53.147 58.462 64.308 70.738 77.812 85.594 "
        "94.153 103.568 113.925 125.317 137.849 151.634 166.798 183.477 201.825 "
        "222.007 244.208 268.629 295.492 300 300",
    ),
]


@pytest.mark.parametrize(("policy", "fields", "bases"), TABLE)
def test_the_ready_made_policies_are_those_of_the_table(
    policy: RetryPolicy, fields: tuple[float, ...], bases: str
) -> None:
    """Fields and bases of the three ready-made policies, to the millisecond (RP-4)."""
    expected = [float(base) for base in bases.split()]

    assert fields == attrs.astuple(policy)
    assert expected == [round(base, 3) for base in policy.waits(len(expected))]


@pytest.mark.parametrize("policy", READY_MADE)
def test_the_ready_made_policies_are_valid(policy: RetryPolicy) -> None:
    """They pass the rule that every plugin's policy must pass (RP-2, REG-2)."""
    assert policy.faults() == ()


def test_a_policy_has_four_fields_and_no_attempt_limit() -> None:
    """How often to try is the action's to say, never the policy's (RP-1, RP-5)."""
    assert [field.name for field in attrs.fields(RetryPolicy)] == [
        "initial_interval",
        "multiplier",
        "randomization_factor",
        "max_interval",
    ]
    assert len(list(FAST.waits(1_000))) == 1_000


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"initial_interval": 0}, "initial_interval must be greater than 0"),
        ({"initial_interval": -1}, "initial_interval must be greater than 0"),
        ({"multiplier": 1}, "multiplier must be greater than 1"),
        ({"multiplier": 0.5}, "multiplier must be greater than 1"),
        (
            {"randomization_factor": -0.1},
            "randomization_factor must be between 0 and 1",
        ),
        (
            {"randomization_factor": 1.1},
            "randomization_factor must be between 0 and 1",
        ),
        ({"max_interval": 0}, "max_interval must be greater than 0"),
        (
            {"initial_interval": 61},
            "initial_interval must not exceed max_interval",
        ),
        ({"max_interval": math.inf}, "every field must be a finite number"),
        ({"multiplier": math.inf}, "every field must be a finite number"),
    ],
)
def test_an_invalid_policy_names_its_fault(fields: dict[str, Any], fault: str) -> None:
    """Each bound of RP-2 has its sentence, and nothing else is said."""
    assert (fault,) == RetryPolicy(**{"initial_interval": 1, **fields}).faults()


def test_all_faults_of_a_policy_are_named_at_once() -> None:
    """A policy with several faults lists all of them (RP-2, V-1)."""
    policy = RetryPolicy(
        initial_interval=0, multiplier=1, randomization_factor=2, max_interval=0
    )

    assert len(policy.faults()) == 4
    nowhere = RetryPolicy(initial_interval=math.nan)
    assert "every field must be a finite number" in nowhere.faults()


@pytest.mark.parametrize(
    "fields",
    [
        {"initial_interval": 60, "max_interval": 60},
        {"initial_interval": 1, "randomization_factor": 0},
        {"initial_interval": 1, "randomization_factor": 1},
        {"initial_interval": 1e-9, "multiplier": 1.0001},
    ],
)
def test_the_bounds_themselves_are_allowed(fields: dict[str, Any]) -> None:
    """A factor of 0 or 1, and an initial interval equal to the longest (RP-2)."""
    assert RetryPolicy(**fields).faults() == ()


@pytest.mark.parametrize("policy", READY_MADE)
def test_waits_are_spread_evenly_around_the_base(policy: RetryPolicy) -> None:
    """The n-th wait goes from base * (1 - f) to base * (1 + f), linearly (RP-3)."""
    factor = policy.randomization_factor
    for n in (1, 2, 7, 30):
        base = policy.base(n)
        assert math.isclose(base * (1 - factor), policy.wait(n, 0.0))
        assert math.isclose(base * (1 - factor / 2), policy.wait(n, 0.25))
        assert math.isclose(base, policy.wait(n, 0.5))
        assert math.isclose(base * (1 + factor), policy.wait(n, 1.0))


def test_jitter_may_exceed_the_longest_interval() -> None:
    """``max_interval`` bounds the base, not what is drawn around it (RP-3)."""
    assert SECONDS.wait(20, 1.0) == 90


def test_the_base_grows_from_the_wait_without_jitter() -> None:
    """What was drawn before has no influence on the next wait (RP-3)."""
    policy = RetryPolicy(initial_interval=1)

    assert [policy.wait(n, 1.0) for n in (1, 2, 3)] == [1.5, 3, 6]
    assert [policy.wait(n, 0.0) for n in (1, 2, 3)] == [0.5, 1, 2]


def test_no_jitter_gives_the_bases() -> None:
    """With a factor of 0 every draw gives the same wait (RP-3)."""
    policy = RetryPolicy(initial_interval=2, randomization_factor=0)

    assert {2} == {policy.wait(1, draw / 10) for draw in range(11)}


@pytest.mark.parametrize("n", [1_000, 1_024, 5_000, 10**9])
def test_a_very_late_wait_is_the_longest(n: int) -> None:
    """The base never overflows, however often an action is tried (RP-3)."""
    assert [policy.base(n) for policy in READY_MADE] == [60, 60, 300]
    steep = RetryPolicy(initial_interval=1e-3, multiplier=1e300, max_interval=1e300)
    assert steep.base(n) == 1e300


def test_waits_can_be_listed() -> None:
    """``waits`` shows what a policy does, before jitter."""
    policy = RetryPolicy(initial_interval=2, multiplier=1.5, max_interval=6)

    assert list(policy.waits(5)) == [2, 3, 4.5, 6, 6]
    assert list(policy.waits(0)) == []


def test_policies_are_values() -> None:
    """Policies compare by their fields and cannot be changed."""
    assert RetryPolicy(initial_interval=0.1) == FAST
    policy: Any = RetryPolicy(initial_interval=1)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        policy.multiplier = 3
