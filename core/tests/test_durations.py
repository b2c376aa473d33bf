"""Tests of lengths of time: written for people, and read."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from workstream._values.durations import duration_of, duration_text, took


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(microseconds=400), "0s"),
        (timedelta(microseconds=1500), "0.002s"),
        (timedelta(seconds=1.5), "1.5s"),
        (timedelta(seconds=59.9996), "1m"),
        (timedelta(minutes=4), "4m"),
        (timedelta(minutes=4, seconds=1.5), "4m 1.5s"),
        (timedelta(hours=1, seconds=10), "1h 10s"),
        (timedelta(days=2, hours=3), "2d 3h"),
        (timedelta(days=1, milliseconds=1), "1d 0.001s"),
        (timedelta(seconds=-5), "-5s"),
    ],
)
def test_durations_are_for_people(duration: timedelta, text: str) -> None:
    """The parts that are zero are left out; a millisecond is the smallest."""
    assert text == duration_text(duration)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.04, "0s"),
        (0.44, "0.4s"),
        (3, "3s"),
        (9.96, "10s"),
        (14.4, "14s"),
        (59.9, "1m"),
        (250, "4m 10s"),
        (7_500, "2h 5m"),
        (90_061, "1d 1h"),
        (-3, "0s"),
    ],
)
def test_a_glance_shows_two_units(seconds: float, text: str) -> None:
    """The two largest are enough; below ten seconds there are tenths."""
    assert text == took(timedelta(seconds=seconds))


def test_a_number_means_seconds() -> None:
    """Virtual time is counted in seconds."""
    assert duration_text(90.25) == "1m 30.25s"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1.5s", 1.5),
        (" 10M ", 600),
        ("1h30m", 5_400),
        ("2w", 1_209_600),
        ("2d1.5s", 172_801.5),
    ],
)
def test_a_length_of_time_is_read(text: str, seconds: float) -> None:
    """Units follow one another, the largest first; a bare number is seconds."""
    assert duration_of(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["soon", "1m1h", "-3s", "1.5h", "9" * 30 + "d"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    """Also one beyond all calendars."""
    with pytest.raises(ValueError, match=re.escape(text)):
        duration_of(text)


def test_nothing_is_no_length_of_time() -> None:
    """An empty text means nothing at all."""
    with pytest.raises(ValueError, match=r"^$"):
        duration_of("")


def test_what_is_written_is_read() -> None:
    """Without its spaces, a text can be given where a length of time is wanted."""
    length = timedelta(days=2, hours=3, minutes=4, seconds=5, milliseconds=6)

    assert duration_of(duration_text(length).replace(" ", "")) == length
