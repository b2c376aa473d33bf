"""What differs only by a name is told once, with a count."""

from __future__ import annotations

import pytest

from workstream._values.errors import Fault, ValidationError
from workstream._values.folding import folded, name_in, named, shown, without_name


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d"], "a, b and 2 others"),
    ],
)
def test_names_in_a_few_words(names: list[str], text: str) -> None:
    """To leave out a single one would save nothing."""
    assert named(names) == text


def test_a_name_is_left_out_as_a_word_only() -> None:
    """``web-1`` is no part of ``web-10``, but of an address that begins with it."""
    text = without_name("web-1 and web-10: ssh web-1.lan", "web-1")

    assert shown(text) == "… and web-10: ssh ….lan"
    assert without_name("text", "") == "text"


def test_the_name_of_a_path_is_that_of_its_sequence() -> None:
    """Above it there is none."""
    assert name_in("Plan / Tier / web-1 / Copy") == "web-1"
    assert not name_in("Plan / Tier")


def test_paths_that_differ_in_one_label_are_one() -> None:
    """Also where another label holds the name; others stand for themselves."""
    paths = [
        *(f"Tier / web-{n} / Copy to web-{n}" for n in range(1, 201)),
        "Tier / web-7 / Start",
        "pre_checks / Up",
    ]

    assert folded(paths) == [
        ("Tier / web-1, web-2 and 198 others / Copy to …", 200),
        ("Tier / web-7 / Start", 1),
        ("pre_checks / Up", 1),
    ]


def test_one_mistake_on_many_hosts_is_one_fault_with_a_count() -> None:
    """All faults are in ``faults``; the message folds those that differ by the name."""
    faults = [
        Fault(
            path=f"Deploy / Tier / web-{n} / Copy",
            field="plugin",
            rule="V-15",
            message=f"no plugin 'acme.cpy' for web-{n}",
        )
        for n in range(200)
    ]
    other = Fault(path="Deploy", field="name", rule="V-1", message="it is blank")
    error = ValidationError("the plan cannot be accepted", [*faults, other])

    assert len(error.faults) == 201
    assert str(error).splitlines() == [
        "the plan cannot be accepted",
        "  Deploy / Tier / web-0, web-1 and 198 others / Copy: plugin: no plugin"
        " 'acme.cpy' for … [V-15] (200 times)",
        "  Deploy: name: it is blank [V-1]",
    ]
