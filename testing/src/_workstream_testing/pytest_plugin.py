"""Fixtures, loaded by pytest through the ``pytest11`` entry point.

pytest imports this module in every run of every project that has workstream installed,
so it stays cheap: workstream, trio and lmdb are imported inside the fixtures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from workstream.testing import FakeClock


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock of its own for each test, at zero, that jumps to what is due next."""
    from workstream.testing import FakeClock

    return FakeClock()
