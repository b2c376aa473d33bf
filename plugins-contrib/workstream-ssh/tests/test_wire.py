"""What comes from a host, in pieces of any size."""

from __future__ import annotations

import pytest

from workstream_ssh._connecting.wire import Data, Line, Parser

MARK = "5ca1ab1e" * 4


@pytest.mark.parametrize("size", [1, 3, 17, 1000])
def test_lines_and_data_are_told_apart(size: int) -> None:
    """However the stream is cut, and whatever comes before the first line."""
    stream = (
        f"Welcome!\n{MARK} fresh\none\n{MARK[:-1]}two{MARK} end exit 0\nlater"
    ).encode()
    parser = Parser(MARK)
    items: list[Data | Line] = []
    for start in range(0, len(stream), size):
        items += parser.feed(stream[start : start + size])

    data = b"".join(item.data for item in items if isinstance(item, Data))
    lines = [item.words for item in items if isinstance(item, Line)]
    assert data == f"one\n{MARK[:-1]}twolater".encode()
    assert lines == [("fresh",), ("end", "exit", "0")]
    assert parser.noise == b"Welcome!\n"


def test_noise_is_bounded() -> None:
    """Only its end is of interest."""
    parser = Parser(MARK)
    for _ in range(100):
        assert list(parser.feed(b"x" * 10_000)) == []

    assert parser.noise == b"x" * 1000


def test_data_is_not_held_back() -> None:
    """A watcher sees a line when it is written, not when the next one comes."""
    parser = Parser(MARK)

    assert list(parser.feed(f"{MARK} running\nline\n".encode())) == [
        Line(("running",)),
        Data(b"line\n"),
    ]
