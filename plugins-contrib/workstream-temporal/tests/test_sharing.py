"""What plans share is looked at again, whatever one look comes to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from workstream.errors import StorageError
from workstream_temporal._cluster import sharing
from workstream_temporal._cluster.connection import Connection
from workstream_temporal._cluster.sharing import Shared


def test_a_look_that_cannot_be_read_is_not_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a page that is open would never hear of a freeze again."""
    looks = 0
    unreadable = StorageError("it is not encrypted")

    async def look(of: Shared) -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise unreadable
        raise asyncio.CancelledError

    monkeypatch.setattr(sharing, "LOOK_EVERY", 0)
    monkeypatch.setattr(Shared, "_look", look)
    shared: Any = Shared(Connection("localhost:7233"))

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(shared._keep_looking())
    assert looks == 2
