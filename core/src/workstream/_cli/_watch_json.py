"""What ``workstream watch --json`` prints: a line for each thing that is seen.

Its shapes are stable: names are added, none go. No secrets.
"""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any
from uuid import UUID

import trio

from .._codec.json_text import to_json
from .._codec.json_writer import attempt_data
from .._store.events import OutputLine, PlanSnapshot, StateChange, WatchEvent
from .._values.state import ObjectType
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


def event_data(event: WatchEvent) -> dict[str, Any]:
    """What was seen, as plain data."""
    if isinstance(event, PlanSnapshot):
        return {
            "event": "plan",
            "position": event.position,
            "missed": event.missed,
            "plan": json.loads(to_json(event.plan)),
        }
    if isinstance(event, OutputLine):
        return {
            "event": "line",
            "position": event.position,
            "path": event.path,
            "id": str(event.action_id),
            "attempt": event.attempt,
            "number": event.number,
            "time": event.time.isoformat(),
            "text": event.text,
            "done": event.done,
            "total": event.total,
        }
    return _state_data(event)


def _state_data(event: StateChange) -> dict[str, Any]:
    started, ended = event.state.started, event.state.ended
    data: dict[str, Any] = {
        "event": "state",
        "position": event.position,
        "path": event.path,
        "id": str(event.object_id),
        "type": event.object_type.name,
        "status": event.state.status.name,
        "started": None if started is None else started.isoformat(),
        "ended": None if ended is None else ended.isoformat(),
    }
    if event.object_type is ObjectType.PLAN:
        data["reasons"] = [reason.name for reason in event.reasons]
        data["stopping"] = event.stopping
    if event.object_type is ObjectType.ACTION:
        data["attempts"] = event.attempts
        attempt = event.attempt
        data["attempt"] = None if attempt is None else attempt_data(attempt)
    return data
