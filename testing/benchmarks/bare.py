"""What cattrs alone makes of a plan: slotted attrs classes of the same fields.

The measure for loading. The classes hold what the engine's hold, ids, states and attempts
included, but know nothing: there are no positions, no checks of what was read, no plugins.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import attrs
import cattrs

from workstream import Plan

from .work import Request, Response

__all__ = ["BarePlan", "packed", "reader"]

msgpack: Any = importlib.import_module("msgpack")


@attrs.define
class BareState:
    """As ``State``."""

    status: str
    started: datetime | None
    ended: datetime | None


@attrs.define
class BareAttempt:
    """As ``Attempt``."""

    started: datetime
    ended: datetime | None
    response: Response | None
    error: str | None
    interrupted: bool
    unresponsive: bool
    notes: dict[str, str]


@attrs.define
class BareAction:
    """As ``Action``."""

    id: UUID
    plan_id: UUID
    state: BareState
    name: str
    description: str
    key: str | None
    plugin: str
    request: Request
    timeout: float
    retries: int | None
    deadline: float | None
    on_interrupt: str | None
    attempts: list[BareAttempt]


@attrs.define
class BareSequence:
    """As ``Sequence``."""

    id: UUID
    plan_id: UUID
    state: BareState
    name: str
    description: str
    key: str | None
    actions: list[BareAction]


@attrs.define
class BarePlan:
    """As ``Plan`` with its one ``Block``."""

    id: UUID
    name: str
    sequences: list[BareSequence]


def _converter() -> cattrs.Converter:
    made = cattrs.Converter(detailed_validation=False)
    made.register_unstructure_hook(UUID, lambda value: value.bytes)
    made.register_structure_hook(UUID, lambda value, _: UUID(bytes=value))
    made.register_unstructure_hook(datetime, lambda value: value.timestamp())
    made.register_structure_hook(
        datetime, lambda value, _: datetime.fromtimestamp(value, UTC)
    )
    return made


def _given(value: UUID | None) -> UUID:
    assert value is not None
    return value


def _bare_of(plan: Plan) -> BarePlan:
    plan_id = _given(plan.id)

    def state(node: Any) -> BareState:
        found = node.state
        return BareState(found.status.name, found.started, found.ended)

    def action(node: Any) -> BareAction:
        attempts = [
            BareAttempt(a.started, a.ended, a.response, None, False, False, {})
            for a in node.attempts
        ]
        return BareAction(
            _given(node.id),
            plan_id,
            state(node),
            node.name,
            node.description,
            node.key,
            node.plugin,
            node.request,
            node.timeout,
            node.retries,
            node.deadline,
            None,
            attempts,
        )

    sequences = [
        BareSequence(
            _given(s.id),
            plan_id,
            state(s),
            s.name,
            s.description,
            s.key,
            [action(a) for a in s.actions],
        )
        for s in plan.blocks[0].sequences
    ]
    return BarePlan(plan_id, plan.name, sequences)


def packed(plan: Plan) -> bytes:
    """The plan as cattrs and msgpack store it, states and attempts included."""
    data: bytes = msgpack.packb(_converter().unstructure(_bare_of(plan)))
    return data


def reader() -> Callable[[bytes], BarePlan]:
    """What makes objects of these bytes, as fast as cattrs can."""
    structure = _converter().get_structure_hook(BarePlan)

    def read(data: bytes) -> BarePlan:
        found: BarePlan = structure(msgpack.unpackb(data), BarePlan)
        return found

    return read
