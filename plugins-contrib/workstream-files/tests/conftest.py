"""The context of an attempt, and one attempt carried out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import UUID, uuid4

import attrs
import pytest
import trio

from workstream.plugins import BasePlugin, NoSignals, NoteValue, temporary_name

Request = TypeVar("Request")
Response = TypeVar("Response")


@attrs.define
class Attempt(NoSignals):
    """The context of an attempt; it keeps what is reported."""

    plan_id: UUID = attrs.field(factory=uuid4)
    action_id: UUID = attrs.field(factory=uuid4)
    path: str = "Plan / Action"
    attempt: int = 1
    deadline: datetime | None = None
    idempotency_key: str = "key-of-this-test"
    notes: Mapping[str, NoteValue] = attrs.field(factory=dict[str, NoteValue])
    lines: list[str] = attrs.field(factory=list[str])

    @property
    def temporary(self) -> str:
        """The name of what this action makes before it renames it."""
        return temporary_name(self.idempotency_key)

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        self.lines.append(message)

    async def remember(self, **notes: NoteValue) -> None:
        raise AssertionError


class Perform(Protocol):
    """What the fixture ``perform`` gives."""

    def __call__(
        self, plugin: BasePlugin[Request, Response], request: Request
    ) -> Response: ...


@pytest.fixture
def context() -> Attempt:
    """What a plugin is told about an attempt."""
    return Attempt()


@pytest.fixture
def perform(context: Attempt) -> Perform:
    """Carry one attempt out, valid as the engine would have it."""

    def perform(plugin: BasePlugin[Any, Any], request: Any) -> Any:
        plugin.validate(request)
        return trio.run(plugin.execute, context, request)

    return perform


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory of the test's own."""
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder
