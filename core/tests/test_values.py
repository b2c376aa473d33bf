"""What is wrong with a single value."""

from __future__ import annotations

import math
from typing import Any

import pytest

from workstream._values.values import (
    kind_of,
    number_problem,
    text_problem,
    type_problem,
    whole_number_problem,
)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("web", None),
        ("x" * 10_000, None),
        ("\x1b[2J", None),
        ("", "must not be blank"),
        (" \t\n", "must not be blank"),
        (3, "must be a text, not an int"),
        (None, "must be a text, not None"),
        (b"web", "must be a text, not a bytes"),
        ("ab\ud800", "cannot be stored: character 3 is half a pair (U+D800)"),
    ],
)
def test_text(value: Any, problem: str | None) -> None:
    """A text is a str, not blank, that can be written as UTF-8."""
    assert text_problem(value) == problem


def test_text_may_be_blank_or_bounded() -> None:
    """Some texts may be blank, and some have a greatest length."""
    assert text_problem("", blank=True) is None
    assert text_problem("x" * 200, longest=200) is None
    problem = text_problem("x" * 2_000, longest=200)
    assert problem == "must have at most 200 characters, not 2,000"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (0, None),
        (0.5, None),
        (-0.5, "must be at least 0, not -0.5"),
        (-(10**400), "must be at least 0, not a number so far below"),
        (10**400, "must be finite"),
        (math.inf, "must be finite"),
        (-math.inf, "must be at least 0, not -inf"),
        (math.nan, "must be a number of seconds, not nan"),
        (True, "must be a number of seconds, not a bool"),
        ("5", "must be a number of seconds, not a str"),
        (None, "must be a number of seconds, not None"),
    ],
)
def test_number(value: Any, problem: str | None) -> None:
    """A number of seconds is an int or a float, not nan, within its bounds."""
    assert number_problem(value, least=0) == problem


def test_number_may_be_infinite_or_above() -> None:
    """Some numbers may be infinite, and some must be greater than their bound."""
    assert number_problem(math.inf, least=0, infinite=True) is None
    assert number_problem(10**400, least=0, infinite=True) == "must be finite"
    problem = number_problem(0, least=0, above=True)
    assert problem == "must be greater than 0, not 0"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (-1, None),
        (2**53, None),
        (-2, "must be at least -1, not -2"),
        (2**53 + 1, "is too large"),
        (1.0, "must be a whole number, not a float"),
        (False, "must be a whole number, not a bool"),
        (None, "must be a whole number, not None"),
    ],
)
def test_whole_number(value: Any, problem: str | None) -> None:
    """A whole number is an int that every reader of JSON keeps exact."""
    assert whole_number_problem(value, least=-1) == problem


def test_type() -> None:
    """A value is an instance of its class, or None where it may be."""
    assert type_problem(b"", bytes) is None
    assert type_problem(None, bytes) == "must be a bytes, not None"
    assert type_problem(None, bytes, optional=True) is None
    problem = type_problem("x", OverflowError, optional=True)
    assert problem == "must be an OverflowError or None, not a str"


def test_kind() -> None:
    """Messages call a value by its class."""
    assert [kind_of(None), kind_of(1), kind_of(""), kind_of(OSError())] == [
        "None", "an int", "a str", "an OSError",
    ]  # fmt: skip
