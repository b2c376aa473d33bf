"""A plan from the dicts and lists of its JSON form, and all that is wrong with it."""

from __future__ import annotations

from typing import Any, cast

import attrs

from .._plan.plan import BaseAction, Node, Plan
from .._plan.shape import SHAPES
from .._plan.walk import walk
from .._protocols.plugin import Plugins
from .._secrets.references import StoredValue
from .._values.errors import Fault
from .._values.state import Attempt
from .objects import REFERENCES, STORED_VALUE, json_converter
from .typed.converter import converter
from .typed.forms import (
    TAG,
    Form,
    below,
    faults_in,
    is_array,
    is_dict,
    nearest,
    shown,
    wrong,
)
from .typed.late_values import late_of
from .typed.tags import unplain
from .typed.value_codec import Side, ValueCodec


class Reader:
    """Reads one plan from the dicts and lists of its JSON form.

    Whatever is wrong is noted in ``faults``, with its place, and reading goes on: an
    author who is told of one fault at a time is told very slowly.
    """

    def __init__(self, plugins: Plugins | None, *, keep_state: bool) -> None:
        self.faults: list[Fault] = []
        self._values = ValueCodec(plugins)
        self._keep_state = keep_state
        self._scrubbed = False

    def plan(self, whole: Any, known_format: int) -> Plan | None:
        """The plan, or None where it is too wrong to make one."""
        if not is_dict(whole):
            what = f"must be a plan, which is an object, not {shown(whole)}"
            self._fault("", "", what)
            return None
        version: Any = whole.get("format")
        if version.__class__ is int and version > known_format:
            # What else is wrong with it, only a newer engine could say.
            known = f"this engine reads up to format {known_format}"
            self._fault("", "format", f"is {version}: {known}; use a newer workstream")
            return None
        if version.__class__ is not int or version < 1:
            what = "is no version" if "format" in whole else "is missing"
            self._fault("", "format", f'{what}: write "format": {known_format}')
        self._scrubbed = whole.get("scrubbed") is True
        rest = {name: value for name, value in whole.items() if name != "format"}
        plan = cast("Plan | None", self._node(Plan, rest, ""))
        if plan is not None:
            plan.scrubbed = self._scrubbed
            for item in walk(plan) if plan.id is not None else ():
                item.node.plan_id = plan.id
        return plan

    def _node(self, cls: type[Node], data: Any, path: str) -> Node | None:
        """The object of this class, or None where it is too wrong to make one."""
        if not is_dict(data):
            self._fault(path, "", str(wrong(data, cls)))
            return None
        fields = attrs.fields(cls)
        known = [field.name for field in fields if field.name != "plan_id"]
        if issubclass(cls, BaseAction):
            known.append(REFERENCES)
        for name in data:
            if name not in known:
                self._fault(path, name, f"is not a field{nearest(name, known)}")
        before = len(self.faults)
        given: dict[str, Any] = {}
        for field in fields:
            if field.init and field.name in data:
                given[field.name] = self._field(cls, field, data, path)
            elif field.init and field.default is attrs.NOTHING:
                self._fault(path, field.name, "is missing")
        if data.get(REFERENCES) and data.get("request") is None and REFERENCES in known:
            self._fault(path, REFERENCES, "stand beside no request: give one")
        node = cls(**given) if len(self.faults) == before else None
        if self._keep_state:
            # Read for its faults too where the object itself cannot be made.
            for field in SHAPES[cls].written:
                if field.name in data:
                    value = self._field(cls, field, data, path)
                    if node is not None:
                        setattr(node, field.name, value)
        return node

    def _field(
        self, cls: type[Node], field: attrs.Attribute[Any], data: Any, path: str
    ) -> Any:
        """The value of one field, or None where it is wrong."""
        name, value = field.name, data[field.name]
        place = below(path, name)
        held = next((each for each in SHAPES[cls].held if each.name == name), None)
        if name == "request":
            return self._value(data, Side.REQUEST, value, place)
        if name == "attempts" or (held is not None and held.many):
            if not is_array(value):
                self._fault(path, name, str(wrong(value, list)))
                return None
            places = [(f"{place}[{index}]", each) for index, each in enumerate(value)]
            if held is None:
                return [self._attempt(data, each, there) for there, each in places]
            return [self._node(held.type, each, there) for there, each in places]
        if held is not None:
            return None if value is None else self._node(held.type, value, place)
        return self._single(field.type, value, path, name)

    def _single(self, wanted: Any, value: Any, path: str, name: str = "") -> Any:
        """A value of a declared type, or None where it is wrong."""
        try:
            return json_converter().structure(value, wanted)
        except Exception as error:
            self._told(error, path, name)
        return None

    def _attempt(self, action: Any, data: Any, path: str) -> Attempt | None:
        """One attempt of the action with this data."""
        response, others = None, data
        if is_dict(data):
            others = {name: data[name] for name in data if name != "response"}
            place = below(path, "response")
            response = self._value(action, Side.RESPONSE, data.get("response"), place)
        attempt: Attempt | None = self._single(Attempt, others, path)
        if attempt is not None:
            attempt.response = response
        return attempt

    def _value(self, action: Any, side: Side, value: Any, path: str) -> Any:
        """A request or response of the action with this data."""
        if value is None:
            return None
        references = action.get(REFERENCES) if side is Side.REQUEST else None
        if references is not None and not is_dict(references):
            what = f"must be an object of places, not {shown(references)}"
            self._fault(path.rpartition(".")[0], REFERENCES, what)
            return None
        try:
            return self._typed(action.get("plugin"), side, value, references)
        except Exception as error:
            if self._scrubbed:
                # What stands in place of a secret need not fit its type.
                return StoredValue(value, references=references or {})
            self._told(error, path)
            return None

    def _typed(self, plugin: Any, side: Side, value: Any, references: Any) -> Any:
        """A request or response of this plugin, of its type where it is at hand."""
        if is_dict(value) and value.get(TAG) == STORED_VALUE:
            stored: list[Any] = [unplain(value["data"]), value.get("secret", [])]
            stored += [references] if references else []
            return self._values.decode(plugin, side, stored)
        found = self._values.type_of(plugin, side) if isinstance(plugin, str) else None
        if found is None:
            return StoredValue(value, references=references or {})
        if references:
            return late_of(value, references, found.wanted, Form.JSON)
        return converter(Form.JSON).structure(value, found.wanted)

    def _told(self, error: Exception, path: str, name: str = "") -> None:
        """Note what is wrong with the field of this name, or with what is at the path."""
        place = below(path, name) if name else path
        for there, message in faults_in(error, place):
            self._fault(*((path, name) if there == place else (there, "")), message)

    def _fault(self, path: str, field: str, message: str) -> None:
        """Note what is wrong."""
        fault = Fault(
            path=path or "the plan", field=field, rule="JSON", message=message
        )
        self.faults.append(fault)
