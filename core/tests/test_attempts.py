"""What a plugin's call did, as the outcome of an attempt."""

from __future__ import annotations

from workstream._attempts.outcomes import outcome_of_exception, outcome_of_response
from workstream._values.state import PluginError


def test_errors_in_a_circle_are_cut() -> None:
    """An error that wraps itself keeps each of its links once (OM-11)."""
    error = PluginError("round")
    error.wrapped = PluginError("and round", code=7, wrapped=error)
    expected = PluginError("round", wrapped=PluginError("and round", code=7))
    assert outcome_of_exception(error).error == expected
    assert outcome_of_response(error).error == expected


def test_an_error_keeps_its_chain() -> None:
    """A sound error is what it was, with all that is behind it (OM-11, A-8)."""
    cause = PluginError("cause", code=3, permanent=True)
    error = PluginError("effect", permanent=True, wrapped=cause, response="partly")
    outcome = outcome_of_exception(error)
    assert outcome.error == error
    assert outcome.response == "partly"
