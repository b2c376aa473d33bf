"""A plan as the dicts and lists of its JSON form; see ``_codec.json_text``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .._plan.fields import FIELDS, Field, Kind
from .._plan.plan import BaseAction, Node, Plan
from .._secrets.references import StoredValue
from .._values.state import Attempt, PluginError, State
from .any_values import plain_json
from .converter import converter
from .forms import TAG, Form, class_of, is_array, is_dict, is_record
from .single_values import json_bytes, json_float

__all__ = ["STORED_VALUE", "attempt_data", "written"]

STORED_VALUE = "StoredValue"
"""The tag of a request or response whose plugin was not at hand."""

_NESTED = (Kind.NODE, Kind.NODES)


def written(node: Node) -> dict[str, Any]:
    """The object and all that is in it.

    What is short comes first, so that a block's state does not stand behind its
    thousand sequences.
    """
    short: dict[str, Any] = {}
    nested: dict[str, Any] = {}
    for field in FIELDS[type(node)]:
        value = getattr(node, field.name)
        if field.required or value != field.default:
            where = nested if field.kind in _NESTED else short
            where[field.name] = _field(field, value)
    return {**short, **_by_engine(node), **nested}


def _field(field: Field, value: Any) -> Any:
    if value is None:
        return None
    if field.kind is Kind.NODES:
        return [written(inner) for inner in value]
    if field.kind is Kind.NODE:
        return written(value)
    if field.kind is Kind.REQUEST:
        return described(value)
    if field.kind is Kind.ENUM:
        return value.name
    if field.kind is Kind.UUID:
        return str(value)
    if field.kind is Kind.BYTES:
        return json_bytes(value)
    return json_float(value) if isinstance(value, float) else value


def described(value: Any) -> Any:
    """A request or response, so that it can be read without its declared type."""
    if isinstance(value, StoredValue):
        form = {TAG: STORED_VALUE, "data": plain_json(value.data)}
        if value.secret:
            form["secret"] = [list(path) for path in value.secret]
        return form
    cls = class_of(value)
    if is_record(cls):
        data = converter(Form.JSON).unstructure(value, unstructure_as=cls)
        return {TAG: cls.__name__, **data}
    if cls is list:
        return [described(part) for part in value]
    if is_dict(value) and all(key.__class__ is str and key != TAG for key in value):
        return {key: described(part) for key, part in value.items()}
    if is_array(value) and any(is_record(class_of(part)) for part in value):
        return [described(part) for part in value]
    return plain_json(value)


# -- What the engine writes ------------------------------------------------------------


def _by_engine(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if node.id is not None:
        found["id"] = str(node.id)
    if isinstance(node, Plan):
        found |= {
            "submitted": _time(node.submitted),
            "runtime_update": _time(node.runtime_update),
            "reasons": [reason.name for reason in node.reasons],
            "stopping": node.stopping,
            "scrubbed": node.scrubbed,
        }
    if node.state != State():
        found["state"] = {
            "status": node.state.status.name,
            "started": _time(node.state.started),
            "ended": _time(node.state.ended),
        }
    if isinstance(node, BaseAction):
        found["attempts"] = [attempt_data(attempt) for attempt in node.attempts]
    return {name: value for name, value in found.items() if value or name == "state"}


def attempt_data(attempt: Attempt) -> dict[str, Any]:
    """One attempt of an action."""
    found = {
        "started": _time(attempt.started),
        "ended": _time(attempt.ended),
        "response": described(attempt.response),
        "error": None if attempt.error is None else _error(attempt.error),
        "interrupted": attempt.interrupted or None,
        "unresponsive": attempt.unresponsive or None,
        "notes": {name: plain_json(note) for name, note in attempt.notes.items()},
    }
    return {
        name: value
        for name, value in found.items()
        if value is not None and (name != "notes" or value)
    }


def _error(error: PluginError) -> dict[str, Any]:
    found: dict[str, Any] = {"message": error.message}
    if error.code:
        found["code"] = error.code
    if error.permanent:
        found["permanent"] = True
    if error.wrapped is not None:
        found["wrapped"] = _error(error.wrapped)
    return found


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
