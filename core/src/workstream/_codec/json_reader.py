"""A plan made of the dicts and lists of its JSON form; see ``_codec.json_text``.

Whatever is wrong is noted with its place, and reading goes on: an author who is told of
one fault at a time is told very slowly.
"""

from __future__ import annotations

import base64
from collections.abc import Collection
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

import attrs

from .._plan.fields import FIELDS, Field, Kind
from .._plan.plan import BaseAction, Node, NodeT, Plan
from .._plan.walk import walk
from .._secrets.references import StoredValue
from .._values.errors import Fault
from .._values.state import Attempt, FailureReason, PluginError, State, Status
from .any_values import unplain
from .converter import converter
from .faults import below, faults_in, nearest
from .forms import TAG, Form, is_array, is_dict, shown
from .json_writer import STORED_VALUE
from .value_codec import Plugins, Side, ValueCodec

__all__ = ["Reader"]

_NUMBERS = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}
_ENGINE_FIELDS = ("id", "state")
_PLAN_FIELDS = ("submitted", "runtime_update", "reasons", "stopping", "scrubbed")
_MISSING: Any = object()


class Reader:
    """Reads one plan; ``faults`` tells what is wrong with it."""

    def __init__(self, plugins: Plugins | None, *, keep_state: bool) -> None:
        self.faults: list[Fault] = []
        self._plugins = plugins
        self._values = ValueCodec(plugins)
        self._keep_state = keep_state
        self._scrubbed = False

    def plan(self, whole: Any, known_format: int) -> Plan | None:
        """The plan, or None where it is too wrong to make one."""
        if not is_dict(whole):
            self._fault(
                "", "", f"must be a plan, which is an object, not {shown(whole)}"
            )
            return None
        version: Any = whole.get("format", _MISSING)
        if version.__class__ is int and version > known_format:
            # What else is wrong with it, only a newer engine could say.
            known = f"this engine reads up to format {known_format}"
            self._fault("", "format", f"is {version}: {known}; use a newer workstream")
            return None
        if version.__class__ is not int or version < 1:
            what = "is missing" if version is _MISSING else "is no version"
            self._fault("", "format", f'{what}: write "format": {known_format}')
        self._scrubbed = whole.get("scrubbed") is True
        rest = {name: value for name, value in whole.items() if name != "format"}
        plan = self._node(Plan, rest, "")
        if plan is not None:
            plan.scrubbed = self._scrubbed
            for item in walk(plan) if plan.id is not None else ():
                item.node.plan_id = plan.id
        return plan

    # -- Objects -----------------------------------------------------------------------

    def _node(self, cls: type[NodeT], data: Any, path: str) -> NodeT | None:
        if not is_dict(data):
            self._fault(path, "", f"must be an object, not {shown(data)}")
            return None
        fields = FIELDS[cls]
        engine = _engine_fields(cls)
        self._check_names(data, [*(field.name for field in fields), *engine], path)
        before = len(self.faults)
        given: dict[str, Any] = {}
        for field in fields:
            value = data.get(field.name, _MISSING)
            if value is not _MISSING:
                given[field.name] = self._field(field, value, data, path)
            elif field.required:
                self._fault(path, field.name, "is missing")
        node = cls(**given) if len(self.faults) == before else None
        if self._keep_state:
            self._engine_state(node, data, path)
        return node

    def _check_names(
        self, data: dict[Any, Any], known: Collection[str], path: str
    ) -> None:
        for name in data:
            if name not in known:
                self._fault(path, name, f"is not a field{nearest(name, known)}")

    def _field(self, field: Field, value: Any, data: Any, path: str) -> Any:
        name, kind = field.name, field.kind
        if kind is Kind.NODES:
            place = below(path, name)
            if not is_array(value):
                self._fault(path, name, f"must be a list, not {shown(value)}")
                return None
            return [
                self._node(field.type, inner, f"{place}[{index}]")
                for index, inner in enumerate(value)
            ]
        if kind is Kind.REQUEST:
            plugin = data.get("plugin")
            return self._value(plugin, Side.REQUEST, value, below(path, name))
        if value is None and field.optional:
            return None
        if kind is Kind.NODE:
            return self._node(field.type, value, below(path, name))
        if kind is Kind.ENUM:
            return self._enum(field.type, value, path, name)
        return self._single(kind, value, path, name)

    def _single(self, kind: Kind, value: Any, path: str, name: str) -> Any:
        cls = value.__class__
        try:
            if kind is Kind.UUID and cls is str:
                return UUID(value)
            if kind is Kind.BYTES and cls is str:
                return base64.b64decode(value, validate=True)
        except ValueError:
            form = "a UUID" if kind is Kind.UUID else "base64"
            self._fault(path, name, f"is not {form}")
            return None
        if kind is Kind.NUMBER and cls is str and value in _NUMBERS:
            return _NUMBERS[value]
        fits = {
            Kind.TEXT: (str,),
            Kind.NUMBER: (int, float),
            Kind.COUNT: (int,),
            Kind.FLAG: (bool,),
        }.get(kind, ())
        if cls in fits:
            return value
        hint = ' (or "inf")' if kind is Kind.NUMBER else ""
        self._fault(path, name, f"must be {kind.value}{hint}, not {shown(value)}")
        return None

    def _enum(self, cls: type[Enum], value: Any, path: str, name: str) -> Any:
        if isinstance(value, str) and value in cls.__members__:
            return cls[value]
        known = [member for member in cls.__members__ if member != "UNKNOWN"]
        what = repr(value) if isinstance(value, str) else shown(value)
        self._fault(path, name, f"must be one of {', '.join(known)}, not {what}")
        return None

    # -- Requests and responses --------------------------------------------------------

    def _value(self, plugin: Any, side: Side, value: Any, path: str) -> Any:
        if value is None:
            return None
        try:
            return self._typed(plugin, side, value)
        except Exception as error:
            if self._scrubbed:
                # What stands in place of a secret need not fit its type.
                return StoredValue(value)
            for place, message in faults_in(error, path):
                self._fault(place, "", message)
            return None

    def _typed(self, plugin: Any, side: Side, value: Any) -> Any:
        if is_dict(value) and value.get(TAG) == STORED_VALUE:
            paths = value.get("secret", [])
            stored = [unplain(value["data"]), tuple(tuple(path) for path in paths)]
            return self._values.decode(plugin, side, stored)
        found = None
        if self._plugins is not None and isinstance(plugin, str):
            found = self._plugins.get(plugin)
        if found is None:
            return StoredValue(value)
        wanted = found.request_type if side is Side.REQUEST else found.response_type
        return converter(Form.JSON).structure(value, wanted)

    # -- What the engine writes --------------------------------------------------------

    def _engine_state(self, node: Node | None, data: dict[Any, Any], path: str) -> None:
        """Read it for its faults too where the object itself cannot be made."""
        node_id, state = None, State()
        if "id" in data:
            node_id = self._single(Kind.UUID, data["id"], path, "id")
        if "state" in data:
            state = self._state(data["state"], below(path, "state"))
        attempts = self._attempts(data, path)
        reasons = self._list(data, "reasons", path)
        reasons = [self._enum(FailureReason, r, path, "reasons") for r in reasons]
        times = [self._time(data, n, path) for n in ("submitted", "runtime_update")]
        if node is None:
            return
        node.id, node.state = node_id, state
        if isinstance(node, BaseAction):
            node.attempts = attempts
        if isinstance(node, Plan):
            node.reasons = tuple(reasons)
            node.submitted, node.runtime_update = times
            node.stopping = data.get("stopping") is True

    def _attempts(self, data: dict[Any, Any], path: str) -> list[Attempt]:
        place = below(path, "attempts")
        read = [
            self._attempt(data.get("plugin"), attempt, f"{place}[{index}]")
            for index, attempt in enumerate(self._list(data, "attempts", path))
        ]
        return [attempt for attempt in read if attempt is not None]

    def _list(self, data: dict[Any, Any], name: str, path: str) -> list[Any]:
        found = data.get(name, [])
        if is_array(found):
            return list(found)
        self._fault(path, name, f"must be a list, not {shown(found)}")
        return []

    def _state(self, data: Any, path: str) -> State:
        if not self._is_object(data, ("status", "started", "ended"), path):
            return State()
        status = data.get("status", Status.NOT_STARTED.name)
        return State(
            self._enum(Status, status, path, "status"),
            self._time(data, "started", path),
            self._time(data, "ended", path),
        )

    def _attempt(self, plugin: Any, data: Any, path: str) -> Attempt | None:
        names = [field.name for field in attrs.fields(Attempt)]
        if not self._is_object(data, names, path):
            return None
        started = self._time(data, "started", path)
        if started is None:
            self._fault(path, "started", "is missing")
            return None
        error = data.get("error")
        response = data.get("response")
        notes = data.get("notes", {})
        return Attempt(
            started=started,
            ended=self._time(data, "ended", path),
            response=self._value(
                plugin, Side.RESPONSE, response, below(path, "response")
            ),
            error=None if error is None else self._error(error, below(path, "error")),
            interrupted=data.get("interrupted") is True,
            unresponsive=data.get("unresponsive") is True,
            notes={} if not is_dict(notes) else unplain(notes),
        )

    def _error(self, data: Any, path: str) -> PluginError | None:
        names = ("message", "code", "permanent", "wrapped")
        if not self._is_object(data, names, path):
            return None
        wrapped = data.get("wrapped")
        return PluginError(
            self._single(Kind.TEXT, data.get("message"), path, "message"),
            code=self._single(Kind.COUNT, data.get("code", 0), path, "code"),
            permanent=data.get("permanent") is True,
            wrapped=None
            if wrapped is None
            else self._error(wrapped, below(path, "wrapped")),
        )

    def _is_object(self, data: Any, names: Collection[str], path: str) -> bool:
        if not is_dict(data):
            self._fault(path, "", f"must be an object, not {shown(data)}")
            return False
        self._check_names(data, names, path)
        return True

    def _time(self, data: dict[Any, Any], name: str, path: str) -> datetime | None:
        value = data.get(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            self._fault(path, name, "is not a time such as 2026-01-31T12:00:00Z")
            return None
        if moment.tzinfo is None:
            self._fault(path, name, "is a time without a zone: add Z for UTC")
            return None
        return moment

    def _fault(self, path: str, field: str, message: str) -> None:
        fault = Fault(
            path=path or "the plan", field=field, rule="JSON", message=message
        )
        self.faults.append(fault)


def _engine_fields(cls: type[Node]) -> tuple[str, ...]:
    if issubclass(cls, Plan):
        return (*_ENGINE_FIELDS, *_PLAN_FIELDS)
    return (
        (*_ENGINE_FIELDS, "attempts") if issubclass(cls, BaseAction) else _ENGINE_FIELDS
    )
