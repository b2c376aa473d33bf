"""Sets of statuses as people write them."""

from __future__ import annotations

import pytest

from workstream_http._statuses import parse


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("2xx", {200, 204, 299}, {199, 300}),
        ("304", {304}, {303, 305}),
        ("200-202 , 404", {200, 201, 202, 404}, {203, 403}),
        ("100-599", {100, 599}, {99, 600}),
        ("", set[int](), {200}),
    ],
)
def test_statuses_are_parsed(text: str, inside: set[int], outside: set[int]) -> None:
    """Statuses, hundreds and ranges, parted by commas, name a set."""
    statuses = parse(text)

    assert inside <= statuses
    assert not outside & statuses


@pytest.mark.parametrize("text", ["ok", "2XX", "20", "600", "200,", "0xx", "200-2xx"])
def test_what_is_no_status_is_refused(text: str) -> None:
    """Anything else is an error that shows how statuses are written."""
    with pytest.raises(
        ValueError, match="is no HTTP status: write 304, 2xx or 400-404"
    ):
        parse(text)


def test_a_range_goes_up() -> None:
    """A range that ends before it begins is an error."""
    with pytest.raises(ValueError, match="'299-200' ends before it begins"):
        parse("299-200")
