"""What is installed here is read once, however often a test discovers plugins.

Each discovery reads and parses the metadata of every distribution on the path, which was
a third of the time of a test that calls the command line. Those of this environment stay
as they are while tests run. What a test installs lies elsewhere, and is read anew.

The ``conftest.py`` of tests that discover plugins takes the fixture in.
"""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution
from typing import Any

import pytest

__all__ = ["installed_once"]


@pytest.fixture(scope="session", autouse=True)
def installed_once() -> Iterator[None]:
    """Keep what each installed distribution says of itself."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("metadata", "entry_points"):
            patch.setattr(Distribution, name, _kept(vars(Distribution)[name]))
        yield


def _kept(read: Any) -> property:
    """A property that is asked once of each distribution of this environment."""
    here = set(sysconfig.get_paths().values())
    known: dict[str, Any] = {}

    def get(distribution: Distribution) -> Any:
        place = str(vars(distribution).get("_path", ""))
        if os.path.dirname(place) not in here:
            return read.fget(distribution)
        if place not in known:
            known[place] = read.fget(distribution)
        return known[place]

    return property(get)
