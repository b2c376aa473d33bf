"""A document as columns comes back as it was, and alike objects become small."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workstream._report.columns import packed, unpacked

times = st.datetimes(
    min_value=datetime(1, 1, 1),
    max_value=datetime(9999, 12, 31),
).map(lambda each: each.replace(tzinfo=UTC).isoformat())
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | times
    | st.sampled_from(["2031-02-31T10:00:00+00:00", "2031-02-01T10:00:00.000000+00:00"])
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "c", "n", "k", "s"]), inner)
    ),
    max_leaves=25,
)


@pytest.mark.slow
@settings(deadline=None)
@given(documents)
def test_every_document_comes_back(document: Any) -> None:
    """To the letter: 1 is not 1.0, -0.0 not 0.0, and a text no time that equals it."""
    text = json.dumps(packed(document))

    assert json.dumps(unpacked(json.loads(text))) == json.dumps(document)


@pytest.mark.parametrize(
    "document",
    [[1, True, 1.0], [0.0, -0.0], [True, True], ["", ""], [{}, {}], [[], []], [None]],
    ids=repr,
)
def test_equal_values_stay_apart(document: Any) -> None:
    """Python says that they are equal, JSON writes them differently."""
    assert json.dumps(unpacked(packed(document))) == json.dumps(document)


def test_alike_objects_are_small() -> None:
    """A thousand of them take a third of what their plain JSON takes, deflated."""
    begin = datetime(2031, 5, 1, 10, tzinfo=UTC)
    document: Any = [
        {
            "name": f"web-{number}",
            "id": f"01a223d2-9a86-705e-89e1-{number:012x}",
            "started": (begin + number * timedelta(microseconds=7_919)).isoformat(),
            "request": {"argv": ["copy", f"web-{number}"], "cwd": None, "env": {}},
        }
        for number in range(1_000)
    ]

    plain = zlib.compress(json.dumps(document).encode(), 9)
    columns = zlib.compress(json.dumps(packed(document)).encode(), 9)

    assert len(columns) < len(plain) / 3
