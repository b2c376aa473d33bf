"""What the engine writes: statuses, attempts, and a plugin's error."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta
from enum import Enum

import pytest

from workstream._values.state import (
    Attempt,
    FailureReason,
    HaltAfter,
    ObjectType,
    OnInterrupt,
    PluginError,
    State,
    Status,
    WhenDeferred,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("enumeration", "members"),
    [
        (
            Status,
            "NOT_STARTED 0, RUNNING 100, COMPLETED 200, SKIPPED 250, FAILED 300, "
            "STOPPED 400",
        ),
        (
            FailureReason,
            "UNKNOWN 0, PRE_CHECK 100, BLOCK 200, POST_CHECK 300, CONT_CHECK 400, "
            "DEFERRED_CHECK 450, DEFERRED_ACTION 475, UNDO 490, STOPPED 500, "
            "EXCEED_RECOVERY 600, ABANDONED 610",
        ),
        (
            WhenDeferred,
            "UNKNOWN 0, ON_SUCCESS 1, ON_FAILURE 2, ALWAYS 3, ON_UNDO 4",
        ),
        (
            ObjectType,
            "UNKNOWN 0, PLAN 1, CHECK 2, BLOCK 5, SEQUENCE 6, ACTION 7, "
            "DEFERRED_ACTIONS 8, BATCH 9",
        ),
        (HaltAfter, "ACTION action, SEQUENCE sequence"),
        (OnInterrupt, "RERUN rerun, FAIL fail, RECONCILE reconcile"),
    ],
)
def test_the_enumerations_are_as_specified(
    enumeration: type[Enum], members: str
) -> None:
    """Names are what is stored, numbers what gives the order (OM-1)."""
    assert members == ", ".join(f"{m.name} {m.value}" for m in enumeration)


def test_terminal_statuses_are_those_that_never_change() -> None:
    """COMPLETED, SKIPPED, FAILED and STOPPED are terminal."""
    assert [status for status in Status if status.is_terminal] == [
        Status.COMPLETED,
        Status.SKIPPED,
        Status.FAILED,
        Status.STOPPED,
    ]


def test_a_state_begins_not_started() -> None:
    """A new state is NOT_STARTED, without times and without a duration (OM-2)."""
    state = State()

    assert (
        state.status,
        state.started,
        state.ended,
    ) == (Status.NOT_STARTED, None, None)
    assert state.duration is None


def test_a_duration_is_the_end_minus_the_start() -> None:
    """It is None while either end is unknown (OM-2)."""
    assert State(started=START).duration is None
    assert State(ended=START).duration is None
    assert timedelta(seconds=5) == (
        State(started=START, ended=START + timedelta(seconds=5)).duration
    )


def test_an_attempt_begins_open() -> None:
    """A new attempt has a start alone, and notes of its own (OM-10)."""
    one, other = Attempt(started=START), Attempt(started=START)
    one.notes["pid"] = 7

    assert (other.ended, other.response, other.error) == (None, None, None)
    assert (other.interrupted, other.unresponsive, other.notes) == (False, False, {})


def chained() -> PluginError:
    return PluginError(
        "copy failed",
        code=28,
        permanent=True,
        wrapped=PluginError("write failed", wrapped=PluginError("disk full", code=5)),
    )


def test_an_error_has_defaults() -> None:
    """Code 0 means unknown; an error may be retried unless it says otherwise
    (OM-11).
    """
    error = PluginError("boom")

    assert (
        error.message,
        error.code,
        error.permanent,
        error.wrapped,
    ) == ("boom", 0, False, None)


def test_errors_are_values() -> None:
    """Errors compare by all of their fields, the wrapped chain included (OM-11,
    OM-14).
    """
    assert chained() == chained()
    assert hash(chained()) == hash(chained())
    different = [
        PluginError("a"),
        PluginError("b"),
        PluginError("a", code=1),
        PluginError("a", permanent=True),
        PluginError("a", wrapped=PluginError("b")),
        PluginError("a", wrapped=PluginError("c")),
        PluginError("a", wrapped=PluginError("b", wrapped=PluginError("c"))),
    ]
    assert len(different) == len({repr(error) for error in different})
    for i, one in enumerate(different):
        assert [i] == [j for j, other in enumerate(different) if one == other]


def test_an_error_equals_nothing_else() -> None:
    """Another exception with the same message is another thing."""
    assert PluginError("a") != Exception("a")
    assert PluginError("a") != "a"


def test_an_error_reads_as_a_chain() -> None:
    """For people: the message, the code where there is one, and what was behind it."""
    assert str(PluginError("boom")) == "boom"
    assert str(chained()) == "copy failed (code 28): write failed: disk full (code 5)"


def test_the_repr_of_an_error_makes_it_again() -> None:
    """The repr is the call that makes an equal error."""
    assert chained() == eval(repr(chained()), {"PluginError": PluginError})


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickling(protocol: int) -> None:
    """Though made with keywords, it comes back whole from another process (OM-11)."""
    assert chained() == pickle.loads(pickle.dumps(chained(), protocol))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_an_error_survives_copying(copied: object) -> None:
    """A copy is equal, with its chain (CL-1)."""
    assert callable(copied)
    assert chained() == copied(chained())


def test_an_error_can_be_raised_with_its_facts() -> None:
    """A plugin raises it; the facts are attributes, not text to be parsed."""
    with pytest.raises(PluginError, match="copy failed") as caught:
        raise chained()

    assert caught.value.code == 28
    assert caught.value.permanent
