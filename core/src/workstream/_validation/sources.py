"""What a request that waits may refer to: order, paths and types (VF-1, VF-5)."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

import attrs

from .._flow.late import (
    SURE,
    Flowing,
    Item,
    Late,
    Source,
    argument_fields,
    part_type,
    parts_of_late,
    path_text,
    sources_of,
)
from .._plan.plan import BaseAction, Block, Checks, Node
from .._plan.shape import SHAPES
from .._plan.structure import Found
from .._protocols.plugin import AnyPlugin
from .._secrets.references import MARK, SECURE
from .._secrets.responses import NoRequestError, value_at
from .._values.annotations import bare, fields_of, is_union, members, type_text
from .._values.display import shorten
from .._values.state import Status

C = Status.COMPLETED

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
        self._parents: dict[int, Node | None] = {}
        self._places: dict[int, tuple[str, int]] = {}
        self._by_key: dict[str, Found] = {}
        for each in found:
            self._parents[id(each.node)] = each.parent
            self._places.update(_places_in(each.node))
            key = getattr(each.node, "key", None)
            if isinstance(key, str):
                self._by_key.setdefault(key, each)

    def problems(self, user: Found, late: Late) -> Iterator[Problem]:
        """All that is wrong with what a request refers to, in the order of its places."""
        for place, wanted, flowing in flows_with_types(late):
            if isinstance(flowing, Source):
                yield from self._source(user, flowing, wanted, place)
                continue
            for part in sources_of(flowing):
                yield from self._source(user, part, str | int, place, in_text=True)
            if _misfits(str, wanted):
                message = f"{place}: must be {type_text(wanted)}, not a text()"
                yield "VF-5", message

    def outgrown(self, user: Found, late: Late) -> Iterator[str]:
        """What plugins no longer respond of what a stored request needs (STO-14).

        The types fitted when the plan was stored. Where they no longer do, a value that
        is stored may fit all the same.
        """
        for place, wanted, flowing in flows_with_types(late):
            for source in sources_of(flowing):
                kind = wanted if flowing is source else str | int
                changed = [
                    message
                    for rule, message in self._source(user, source, kind, place)
                    if rule == "VF-5"
                ]
                if changed and not self._has_value(source, kind, place):
                    yield from changed

    def _has_value(self, source: Source, wanted: Any, place: str) -> bool:
        """Whether a stored response has a value that fits."""
        found = self._by_key.get(source.key)
        node = None if found is None else found.node
        if not isinstance(node, BaseAction) or node.state.status is not C:
            return False
        try:
            value, _ = value_at(node.response, source, place)
        except NoRequestError:
            return False
        return not value_misfits(value, wanted)

    def _source(
        self,
        user: Found,
        source: Source,
        wanted: Any,
        place: str,
        *,
        in_text: bool = False,
    ) -> Iterator[Problem]:
        found = self._by_key.get(source.key)
        if found is None or not isinstance(found.node, BaseAction):
            near = difflib.get_close_matches(source.key, self._action_keys(), 1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            what = "has the key" if found is None else "that is an action has the key"
            message = f"{place}: nothing in the plan {what} {source.key!r}{meant}"
            yield "VF-1", message
            return
        plugin = found.node.plugin
        if plugin != source.plugin:
            message = (
                f"{place}: refers to a response of '{shorten(source.plugin)}', but "
                f"'{found.path}' calls '{shorten(str(plugin))}'"
            )
            yield "VF-5", message
            return
        reason = self._not_before(found, user)
        if reason is not None:
            message = (
                f"{place}: refers to '{found.path}', which {reason} '{user.path}': refer "
                "to an earlier action of the same sequence, to an action of an earlier "
                "block, or to a pre-check"
            )
            yield "VF-1", message
        known = self._plugin_of(plugin)
        if known is None:
            return  # that it is not there is told at the action
        try:
            part, secure = type_at(known.response_type, source)
        except LookupError as error:
            yield "VF-5", f"{place}: {source}: {error.args[0]}"
            return
        if in_text and secure:
            message = (
                f"{place}: {source} is SECURE, so it may not stand in a text(): hand it "
                "over as an argument of its own"
            )
            yield "VF-5", message
        misfits = _misfits(part, wanted)
        if misfits == [types.NoneType]:
            message = (
                f"{place}: {source} may be None, but {type_text(wanted)} is wanted: "
                "write sure(...) around it"
            )
            yield "VF-5", message
        elif misfits:
            message = (
                f"{place}: {source} is {type_text(part)}, but {type_text(wanted)} is "
                "wanted"
            )
            yield "VF-5", message

    def _action_keys(self) -> list[str]:
        return [
            key
            for key, found in self._by_key.items()
            if isinstance(found.node, BaseAction)
        ]

    def _chain(self, node: Node) -> list[Node]:
        """From the plan down to the object."""
        chain: list[Node] = []
        at: Node | None = node
        while at is not None:
            chain.append(at)
            at = self._parents.get(id(at))
        return chain[::-1]

    def _not_before(self, source: Found, user: Found) -> str | None:
        """Why an action has not certainly ended when another begins; None: it has."""
        if source.node is user.node:
            return "is"
        ours, theirs = self._chain(user.node), self._chain(source.node)
        for held in theirs[1:]:
            field = self._places[id(held)][0]
            if field in _NEVER:
                return f"is {_NEVER[field]}, whose response says nothing certain to"
        fork = 0
        while ours[fork + 1] is theirs[fork + 1]:
            fork += 1
        holder = ours[fork]
        own, mine = self._places[id(ours[fork + 1])]
        other, its = self._places[id(theirs[fork + 1])]
        if isinstance(holder, Checks) or (
            isinstance(holder, Block) and own == other == "sequences"
        ):
            return "runs beside"
        first, second = (_STAGES.get(other, 2), its), (_STAGES.get(own, 2), mine)
        if first[0] == second[0] and own != other:
            return "runs beside"
        return None if first < second else "runs after"


def _places_in(holder: Node) -> Iterator[tuple[int, tuple[str, int]]]:
    """Of what an object holds: in which field each is, and its index there."""
    for field in SHAPES[type(holder)].held:
        value: Any = getattr(holder, field.name)
        members = cast("list[object]", value) if type(value) is list else [value]
        for index, member in enumerate(members):
            yield id(member), (field.name, index)


def _flows(value: Any) -> bool:
    return isinstance(value, Flowing | Late) or any(
        _flows(part) for _, part in parts_of_late(value)
    )


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
            at = _union(each for each in found if each is not types.NoneType)
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
                kinds.append(_item_of(each, step, before))
            else:
                kind, marked = _field_type(each, str(step), before)
                kinds.append(kind)
                secure = secure or marked
        at = _union(kinds)
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


def _item_of(cls: Any, step: Item, before: str) -> Any:
    origin, inner = get_origin(cls) or cls, get_args(cls)
    wants_key = isinstance(step.at, str)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not inner:
            return Any
        if _misfits(type(step.at), inner[0]):
            message = f"{before} is {type_text(cls)}, which has no key {step.at!r}"
            raise LookupError(message)
        return inner[1]
    is_list = isinstance(origin, type) and issubclass(origin, typing.Sequence)
    if not is_list or issubclass(origin, str | bytes) or wants_key:
        message = f"{before} is {type_text(cls)}, which has no item {step.at!r}"
        raise LookupError(message)
    if not inner:
        return Any
    if issubclass(origin, tuple) and inner[-1] is not Ellipsis:
        assert isinstance(step.at, int)
        if not -len(inner) <= step.at < len(inner):
            message = f"{before} is {type_text(cls)}, which has no item {step.at}"
            raise LookupError(message)
        return inner[step.at]
    return inner[0]


def _union(kinds: Iterable[Any]) -> Any:
    found = list(dict.fromkeys(kinds))
    if not found:
        return types.NoneType
    made = found[0]
    for each in found[1:]:
        made = typing.Union[made, each]  # noqa: UP007  (made at run time)
    return made


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


def _item_type(wanted: Any, step: Item) -> Any:
    """What a collection takes as its item."""
    kinds: list[Any] = []
    for each in members(wanted):
        try:
            if each in (Any, object):
                kinds.append(Any)
            elif get_origin(each) in _LOOSE and isinstance(step.at, int):
                kinds.append(get_args(each)[0])
            else:
                kinds.append(_item_of(each, step, ""))
        except LookupError:
            continue
    return _union(kinds) if kinds else Any


_LOOSE = tuple(
    get_origin(each)
    for each in (typing.Iterable[int], typing.Collection[int], typing.AbstractSet[int])
)


def _misfits(given: Any, wanted: Any) -> list[Any]:
    """The members of a type that do not fit where another is wanted."""
    choices = members(wanted)
    if any(each in (Any, object) or isinstance(each, TypeVar) for each in choices):
        return []
    return [
        each
        for each in members(given)
        if each is not Any
        and not isinstance(each, TypeVar)
        and not any(_fits(each, choice) for choice in choices)
    ]


def _fits(given: Any, wanted: Any) -> bool:
    """Whether every value of a type is one of another (VF-5)."""
    given, wanted = bare(given), bare(wanted)
    if given == wanted:
        return True
    if is_union(given) or is_union(wanted):
        return not _misfits(given, wanted)
    if get_origin(wanted) is Literal:
        return get_origin(given) is Literal and set(get_args(given)) <= set(
            get_args(wanted)
        )
    if get_origin(given) is Literal:
        return all(_fits(type(value), wanted) for value in get_args(given))
    if given is int and wanted is float:
        return True
    ours, theirs = get_origin(given) or given, get_origin(wanted) or wanted
    if not (isinstance(ours, type) and isinstance(theirs, type)):
        return False
    if not issubclass(ours, theirs):
        return False
    mine, its = get_args(given), get_args(wanted)
    if not its or not mine:
        return True
    if Ellipsis in mine or Ellipsis in its or len(mine) != len(its):
        mine = tuple(each for each in mine if each is not Ellipsis)
        its = tuple(each for each in its if each is not Ellipsis)
        return all(not _misfits(one, its[-1]) for one in mine)
    return all(not _misfits(a, b) for a, b in zip(mine, its, strict=True))


def value_misfits(value: object, wanted: Any) -> bool:
    """Whether a value is of none of the wanted types: asked of what was Any (VF-5)."""
    choices = [
        each
        for each in members(wanted)
        if get_origin(each) is Literal or not _misfits(type(value), each)
    ]
    return not any(_is_one(value, each) for each in choices)


def _is_one(value: Any, wanted: Any) -> bool:
    """Whether a value whose class fits a type is one of it, items included."""
    if get_origin(wanted) is Literal:
        return any(
            value == each and type(value) is type(each) for each in get_args(wanted)
        )
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
            if _flows(part):
                item = cast("Item", step)
                at = f"{place}{path_text((item,))}"
                yield from _wanted(part, _item_type(wanted, item), at)
