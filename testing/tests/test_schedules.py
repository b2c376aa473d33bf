"""Seeds: written, read, and followed."""

from __future__ import annotations

import pytest

from _workstream_testing.problems import SimulationError
from _workstream_testing.virtual.schedules import (
    Recorder,
    Seed,
    chooser,
    following,
    order_seed,
    parse_seed,
    randomly,
)


@pytest.mark.parametrize(
    ("seed", "parsed"),
    [
        (0, 0),
        (7, 7),
        ("7", 7),
        (" 12 ", 12),
        ("order:", {}),
        ("order:3=1", {3: 1}),
        ("order:3=1,17=2", {3: 1, 17: 2}),
    ],
)
def test_what_is_a_seed(seed: Seed, parsed: object) -> None:
    """A number, its digits, or the choices of an order."""
    assert parse_seed(seed) == parsed


@pytest.mark.parametrize(
    "seed", ["", "-1", "1.0", "²", "order", "order:1", "order:1=", "order:1=1,"]
)
def test_what_is_none(seed: str) -> None:
    """The message quotes it."""
    with pytest.raises(SimulationError, match="is no seed"):
        parse_seed(seed)


def test_zero_makes_no_choices() -> None:
    """What was ready first goes first: nobody needs to be asked."""
    assert chooser(0) is None
    assert chooser("0") is None


def test_a_number_stands_for_the_same_choices_everywhere() -> None:
    """They are written down here, so that no machine may choose otherwise."""
    choose = randomly(7)

    assert [choose(ready) for ready in (2, 3, 4, 5, 2, 3, 4, 5)] == [
        0,
        0,
        2,
        0,
        1,
        1,
        0,
        2,
    ]


def test_an_order_can_be_written_down_and_followed() -> None:
    """What a recorder saw leads to the same choices again."""
    draw = randomly(3)
    first = Recorder(lambda _, ready: draw(ready))
    made = [first(ready) for ready in (2, 3, 4, 5, 6)]
    again = chooser(order_seed(first.choices))
    assert again is not None

    assert [again(ready) for ready in (2, 3, 4, 5, 6)] == made
    assert first.ready == [2, 3, 4, 5, 6]


def test_an_order_fits_where_less_is_ready() -> None:
    """A choice beyond what is ready takes the last."""
    assert Recorder(following({1: 9}))(3) == 2
