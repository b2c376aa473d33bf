"""Bodies judged."""

from __future__ import annotations

import pytest

from workstream.plugins import Redactor
from workstream_http import HttpCheckRequest
from workstream_http._expectations import MissingError, excerpt, taken, unmet
from workstream_http._requests import JsonScalar

BODY = """{"a/b": {"~": [true, 1, null, "x"]}, "": "empty", "n": 1.0}"""


def faults(body: str, pointer: str, value: JsonScalar) -> list[str]:
    """What is wrong with a JSON body."""
    request = HttpCheckRequest(url="", json_equals={pointer: value})
    return list(unmet(request, body, Redactor(request)))


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/a~1b/~0/0", True),
        ("/a~1b/~0/1", 1),
        ("/a~1b/~0/2", None),
        ("/a~1b/~0/3", "x"),
        ("/", "empty"),
        ("/n", 1),
    ],
)
def test_json_pointers_find_values(pointer: str, value: JsonScalar) -> None:
    """JSON pointers address members and items, with their escapes."""
    assert faults(BODY, pointer, value) == []


@pytest.mark.parametrize(
    ("pointer", "value", "fault"),
    [
        ("/a~1b/~0/0", 1, "has true at '/a~1b/~0/0', expected 1"),
        ("/a~1b/~0/1", True, "has 1 at '/a~1b/~0/1', expected true"),
        ("/n", "1", "has 1.0 at '/n', expected \"1\""),
        ("/a~1b/~0/4", 1, "has nothing at '/a~1b/~0/4', expected 1"),
        ("/a~1b/~0/-1", 1, "has nothing at '/a~1b/~0/-1', expected 1"),
        ("/a~1b/~0/00", True, "has nothing at '/a~1b/~0/00', expected true"),
        ("/n/x", None, "has nothing at '/n/x', expected null"),
        ("/a~1b", 1, "has an object of 1 at '/a~1b', expected 1"),
        ("/a~1b/~0", 1, "has a list of 4 at '/a~1b/~0', expected 1"),
    ],
)
def test_json_that_differs_is_named(
    pointer: str, value: JsonScalar, fault: str
) -> None:
    """What a body holds instead, or that it holds nothing there, is said."""
    assert faults(BODY, pointer, value) == [fault]


@pytest.mark.parametrize("body", ["", "<html>", "[" * 100_000, "9" * 10_000 + "x"])
def test_a_body_that_is_no_json(body: str) -> None:
    """A body that is no JSON, or too deep for it, meets no expectation."""
    assert faults(body, "/a", 1) == ["is not JSON"]


def test_a_long_value_is_shortened() -> None:
    """Of a long value the begin is shown."""
    (fault,) = faults('{"a": "' + "x" * 1000 + '"}', "/a", 1)

    assert len(fault) < 300


def test_an_excerpt_is_one_line() -> None:
    """An excerpt holds no line breaks, and says when it is shortened."""
    assert excerpt("a\n\tb ") == "a b"
    assert excerpt("x" * 201) == "x" * 200 + "..."


def test_no_body_makes_a_pattern_slow() -> None:
    """A pattern that ``re`` would try for years is answered at once."""
    request = HttpCheckRequest(url="", matches=r"^(\w+\s?)*$")

    assert list(unmet(request, "a" * 60_000 + "!", Redactor(request))) == [
        r"does not match '^(\\w+\\s?)*$'"
    ]
    assert list(unmet(request, "a word\n", Redactor(request))) == []


def test_values_are_taken_by_pointers() -> None:
    """A text, a number, true, false or None."""
    take = {"a": "/a~1b/~0/3", "b": "/a~1b/~0/0", "c": "/a~1b/~0/2", "d": "/n"}
    request = HttpCheckRequest(url="", take=take)

    assert taken(request, BODY, Redactor(request)) == {
        "a": "x",
        "b": True,
        "c": None,
        "d": 1.0,
    }


@pytest.mark.parametrize(
    ("body", "pointer", "fault"),
    [
        (BODY, "/m", "has nothing at '/m' to take"),
        (BODY, "/a~1b", "has an object of 1 at '/a~1b': take its parts one by one"),
        ("<html>", "/a", "is not JSON"),
    ],
)
def test_what_cannot_be_taken_is_a_fault(body: str, pointer: str, fault: str) -> None:
    """An action that has no value to give does not complete."""
    request = HttpCheckRequest(url="", take={"a": pointer})

    with pytest.raises(MissingError) as caught:
        taken(request, body, Redactor(request))
    assert str(caught.value) == fault
