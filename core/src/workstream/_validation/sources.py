"""What a request that waits may refer to: order, paths and types (VF-1, VF-5)."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, cast, get_args, get_origin

import attrs

from .._flow.late import (
    SURE,
    Flowing,
    Item,
    Late,
    Source,
    argument_fields,
    item_type,
    part_type,
    parts_of_late,
    path_text,
    sources_of,
)
from .._plan.plan import BaseAction, Block, Checks
from .._plan.structure import Found
from .._protocols.plugin import AnyPlugin
from .._secrets.references import MARK, SECURE
from .._secrets.responses import NoRequestError, value_at
from .._values.annotations import fields_of, members, misfits, type_text, union
from .._values.display import shorten
from .._values.state import Status

Problem = tuple[str, str]
"""The rule that is broken, and what is wrong."""

_STAGES = {
    "bypass_checks": 0,
    "pre_checks": 1,
    "cont_checks": 1,
    "blocks": 2,
    "sequences": 2,
    "batch_checks": 2,
    "actions": 2,
    "post_checks": 3,
    "deferred_actions": 4,
    "deferred_checks": 5,
}
"""In which order what an object holds is run; what has the same number, side by side."""

_NEVER = {
    "bypass_checks": "a bypass check",
    "cont_checks": "a continuous check",
    "batch_checks": "a check between batches",
}
"""Groups whose responses nobody may use: one need not pass, the others are run again."""


class Sources:
    """The actions of one plan that can be referred to, by key."""

    def __init__(
        self, found: Iterable[Found], plugin_of: Callable[[str], AnyPlugin | None]
    ) -> None:
        """Take the objects of the plan, and what finds a plugin."""
        self._plugin_of = plugin_of
        self._found = {id(each.node): each for each in found}
        self._keys: set[str] = set()
        self._by_key: dict[str, tuple[Found, BaseAction]] = {}
        for each in self._found.values():
            key = getattr(each.node, "key", None)
            if isinstance(key, str):
                self._keys.add(key)
                if isinstance(each.node, BaseAction):
                    self._by_key.setdefault(key, (each, each.node))

    def problems(self, action: BaseAction, late: Late) -> Iterator[Problem]:
        """All that is wrong with what a request refers to, in the order of its places."""
        user = self._found[id(action)]
        for place, wanted, flowing in flows_with_types(late):
            in_text = not isinstance(flowing, Source)
            kind = str | int if in_text else wanted
            for source in sources_of(flowing):
                for rule, message in self._source(user, source, kind, in_text=in_text):
                    yield rule, f"{place}: {message}"
            if in_text and misfits(str, wanted):
                yield "VF-5", f"{place}: must be {type_text(wanted)}, not a text()"

    def outgrown(self, action: BaseAction, late: Late) -> Iterator[str]:
        """What plugins no longer respond of what a stored request needs (STO-14).

        The types fitted when the plan was stored. Where they no longer do, a value that
        is stored may fit all the same.
        """
        user = self._found[id(action)]
        for place, wanted, flowing in flows_with_types(late):
            for source in sources_of(flowing):
                kind = wanted if flowing is source else str | int
                changed = [
                    f"{place}: {message}"
                    for rule, message in self._source(user, source, kind)
                    if rule == "VF-5"
                ]
                if changed and not self._has_value(source, kind, place):
                    yield from changed

    def _has_value(self, source: Source, wanted: Any, place: str) -> bool:
        """Whether a stored response has a value that fits."""
        _, action = self._by_key.get(source.key, (None, None))
        if action is None or action.state.status is not Status.COMPLETED:
            return False
        try:
            value, _ = value_at(action.response, source, place)
        except NoRequestError:
            return False
        return not value_misfits(value, wanted)

    def _source(
        self, user: Found, source: Source, wanted: Any, *, in_text: bool = False
    ) -> Iterator[Problem]:
        """All that is wrong with one source."""
        if source.key not in self._by_key:
            near = difflib.get_close_matches(source.key, self._by_key, 1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            which = " that is an action" if source.key in self._keys else ""
            yield (
                "VF-1",
                f"nothing in the plan{which} has the key {source.key!r}{meant}",
            )
            return
        found, action = self._by_key[source.key]
        if action.plugin != source.plugin:
            message = (
                f"refers to a response of '{shorten(source.plugin)}', but "
                f"'{found.path}' calls '{shorten(str(action.plugin))}'"
            )
            yield "VF-5", message
            return
        reason = _not_before(found, user)
        if reason is not None:
            message = (
                f"refers to '{found.path}', which {reason} '{user.path}': refer to an "
                "earlier action of the same sequence, to an action of an earlier block, "
                "or to a pre-check"
            )
            yield "VF-1", message
        known = self._plugin_of(action.plugin)
        if known is not None:  # that it is not there is told at the action
            for message in _type_faults(known.response_type, source, wanted, in_text):
                yield "VF-5", message


def _type_faults(
    response: Any, source: Source, wanted: Any, in_text: bool
) -> Iterator[str]:
    """What is wrong with the type of what a source refers to."""
    try:
        part, secure = type_at(response, source)
    except LookupError as error:
        yield f"{source}: {error.args[0]}"
        return
    if in_text and secure:
        yield (
            f"{source} is SECURE, so it may not stand in a text(): hand it over as an "
            "argument of its own"
        )
    wrong = misfits(part, wanted)
    if wrong == [types.NoneType]:
        yield (
            f"{source} may be None, but {type_text(wanted)} is wanted: write sure(...) "
            "around it"
        )
    elif wrong:
        yield f"{source} is {type_text(part)}, but {type_text(wanted)} is wanted"


def _chain(found: Found | None) -> list[Found]:
    """From the plan down to the object."""
    return [] if found is None else [*_chain(found.holder), found]


def _not_before(source: Found, user: Found) -> str | None:
    """Why an action has not certainly ended when another begins; None: it has."""
    if source.node is user.node:
        return "is"
    ours, theirs = _chain(user), _chain(source)
    for held in theirs:
        if held.field in _NEVER:
            return f"is {_NEVER[held.field]}, whose response says nothing certain to"
    own, other = next(
        (own, other)
        for own, other in zip(ours, theirs, strict=False)
        if own is not other
    )
    if isinstance(own.parent, Checks) or (
        isinstance(own.parent, Block) and own.field == other.field == "sequences"
    ):
        return "runs beside"
    first = (_STAGES.get(other.field, 2), other.index)
    second = (_STAGES.get(own.field, 2), own.index)
    if first[0] == second[0] and own.field != other.field:
        return "runs beside"
    return None if first < second else "runs after"


# -- Types ---------------------------------------------------------------------------------


def type_at(response: Any, source: Source) -> tuple[Any, bool]:
    """The type of what a source refers to, and whether it is secret.

    Raises:
        LookupError: There is no such part; its argument says why, and what there is.
    """
    at, secure = response, False
    for index, step in enumerate(source.path):
        before = path_text(source.path[:index]) or "the response"
        found = members(at)
        if step == SURE:
            at = union(each for each in found if each is not types.NoneType)
            continue
        if types.NoneType in found:
            nothing = len(found) == 1
            message = (
                f"{before} is None, which has no parts"
                if nothing
                else f"{before} may be None: write sure(...) around it, and go on from it"
            )
            raise LookupError(message)
        kinds: list[Any] = []
        for each in found:
            if each in (Any, object):
                kinds.append(Any)
            elif isinstance(step, Item):
                kind = item_type(each, step)
                if kind is attrs.NOTHING:
                    message = (
                        f"{before} is {type_text(each)}, which has no "
                        f"{'key' if _is_mapping(each) else 'item'} {step.at!r}"
                    )
                    raise LookupError(message)
                kinds.append(kind)
            else:
                kind, marked = _field_type(each, str(step), before)
                kinds.append(kind)
                secure = secure or marked
        at = union(kinds)
    return at, secure


def _field_type(cls: Any, name: str, before: str) -> tuple[Any, bool]:
    fields = {field.name: field for field in fields_of(cls)}
    field = fields.get(name)
    if field is not None and not typing.is_typeddict(cls):
        return field.type, field.metadata.get(MARK) == SECURE[MARK]
    if not fields:
        message = f"{before} is {type_text(cls)}, which has no fields"
    else:
        near = difflib.get_close_matches(name, fields, 1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        message = (
            f"{before} is {type_text(cls)}, which has no field {name!r}{meant} (it has "
            f"{', '.join(fields)})"
        )
    raise LookupError(message)


def _is_mapping(cls: Any) -> bool:
    origin = get_origin(cls) or cls
    return isinstance(origin, type) and issubclass(origin, Mapping)


def taken_by(cls: type[Any], name: str, declared: Any) -> Any:
    """What the constructor takes for a field: its converter's parameter, or its type."""
    if not attrs.has(cls):
        return declared
    field: Any = attrs.fields_dict(cls)[name]
    converter = field.converter
    if converter is None:
        return declared
    if isinstance(converter, type):
        # A class such as tuple or Path: whatever it takes, it says nowhere.
        return _loosened(declared) if converter in (tuple, list, frozenset) else Any
    if isinstance(converter, attrs.Converter):
        return Any  # it may see the other fields: what it takes is its own affair
    try:
        hints = typing.get_type_hints(converter)
    except Exception:  # an annotation can be any expression
        return Any
    hints.pop("return", None)
    return next(iter(hints.values()), Any)


def _loosened(declared: Any) -> Any:
    """A collection's type, of which another collection can be made."""
    inner = [each for each in get_args(declared) if each is not Ellipsis]
    holder: Any = typing.Iterable
    return holder[inner[0]] if len(inner) == 1 else Any


def value_misfits(value: object, wanted: Any) -> bool:
    """Whether a value is of none of the wanted types: asked of what was Any (VF-5)."""
    return not any(_is_one(value, each) for each in members(wanted))


def _is_one(value: Any, wanted: Any) -> bool:
    """Whether a value is one of a type that is no union, items included."""
    if get_origin(wanted) is Literal:
        return any(
            value == each and type(value) is type(each) for each in get_args(wanted)
        )
    if misfits(type(value), wanted):
        return False
    if not get_args(wanted) or not isinstance(value, dict | list | tuple):
        return True
    return not any(
        value_misfits(part, part_type(wanted, cast("Item", step)))
        for step, part in parts_of_late(value)
    )


def flows_with_types(late: Late) -> Iterator[tuple[str, Any, Flowing]]:
    """Every place of a request at which something flows, with the type that it takes."""
    return _wanted(late, late.made, "")


def _wanted(value: Any, wanted: Any, place: str) -> Iterator[tuple[str, Any, Flowing]]:
    if isinstance(value, Flowing):
        yield place, wanted, value
    elif isinstance(value, Late):
        fields = argument_fields(value.made)
        for name, part in value.arguments.items():
            at = f"{place}.{name}" if place else name
            yield from _wanted(part, taken_by(value.made, name, fields[name].type), at)
    else:
        for step, part in parts_of_late(value):
            item = cast("Item", step)
            at = f"{place}{path_text((item,))}"
            yield from _wanted(part, part_type(wanted, item), at)
