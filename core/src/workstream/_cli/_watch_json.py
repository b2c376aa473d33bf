"""What ``workstream watch --json`` prints: a line for each thing that is seen.

Its shapes are stable: names are added, none go. No secrets.
"""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any
from uuid import UUID

import trio

from .._show.data import event_data
from .._store.events import WatchEvent
from ._outcome import Result
from .streams import data_stream


class JsonView:
    """A ``View`` for programs."""

    def __init__(self) -> None:
        """Write to standard output."""
        self._stream = data_stream()

    def __enter__(self) -> JsonView:
        """See ``View``."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """See ``View``."""

    @property
    def is_left(self) -> bool:
        """Whether whoever read this has left."""
        return self._stream.is_left

    def see(self, plan_id: UUID, event: WatchEvent) -> None:
        """See ``View``."""
        self._write(event_data(event))

    def notice(self, text: str) -> None:
        """See ``View``: notices are for people."""

    async def keep_up(self) -> None:
        """See ``View``."""
        await trio.sleep_forever()

    def end(self, result: Result, position: int | None) -> None:
        """Tell what became of the plan."""
        data = result.data()
        self._write({"event": "end", "position": position, **data})

    def _write(self, data: dict[str, Any]) -> None:
        self._stream.write(json.dumps(data) + "\n")
        self._stream.flush()
