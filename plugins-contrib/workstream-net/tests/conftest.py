"""The context of an attempt, a clock that a test moves, and names that it invents."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import attrs
import pytest
import trio
from trio.testing import MockClock

from workstream.plugins import NoSignals, NoteValue


@attrs.define
class Attempt(NoSignals):
    """The context of an attempt; it keeps what is reported, and may act upon it."""

    plan_id: UUID = attrs.field(factory=uuid4)
    action_id: UUID = attrs.field(factory=uuid4)
    path: str = "Plan / Action"
    attempt: int = 1
    deadline: datetime | None = None
    idempotency_key: str = "plan-1-action-2"
    notes: Mapping[str, NoteValue] = attrs.field(factory=dict[str, NoteValue])
    lines: list[str] = attrs.field(factory=list[str])
    on_report: Callable[[], None] = lambda: None

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        self.lines.append(message)
        self.on_report()

    async def remember(self, **notes: NoteValue) -> None:
        raise AssertionError


@pytest.fixture
def context() -> Attempt:
    """What a plugin is told about an attempt."""
    return Attempt()


@pytest.fixture
def mock_clock() -> MockClock:
    """A clock that stands still until the test moves it; trio runs on it."""
    return MockClock()


Names: TypeAlias = Mapping[str, "list[str] | OSError | None"]
"""Addresses by name; an error; None: no answer ever comes."""


class Resolver(trio.abc.HostnameResolver):
    """What trio asks in place of the machine's resolver."""

    def __init__(self, names: Names) -> None:
        self._names = names

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002 (trio names it so)
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """Answer from the names that the test gave."""
        answer = self._names[(host or b"").decode()]
        if answer is None:
            await trio.sleep_forever()
            raise AssertionError
        if isinstance(answer, OSError):
            raise answer
        return [
            info
            for address in answer
            for info in socket.getaddrinfo(address, port, 0, type, proto)
            if family in (0, info[0])
        ]

    async def getnameinfo(
        self, sockaddr: tuple[str, int] | tuple[str, int, int, int], flags: int
    ) -> tuple[str, str]:
        """Nobody asks."""
        raise AssertionError


def _resolve(names: Names) -> None:
    trio.socket.set_custom_hostname_resolver(Resolver(names))


@pytest.fixture
def resolve() -> Callable[[Names], None]:
    """Let trio, for the rest of its run, know these names and no others."""
    return _resolve
