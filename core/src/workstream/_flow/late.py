"""Requests that wait for a response: what the plan holds, stores and shows of them.

::

    late(Run)(argv=("ping", CreateVm.response("vm").address))

A plan is written before it is run, and the address is known only while it runs. So the
plan holds a **Late** in place of the request. A Late is data: the class of the request
and the arguments that its author gave, with a **Source** where a response is to go. A
source says which action (its key), of which plugin, and the path to the part that is
wanted. Nothing else is kept of the expression above: a stored plan holds no code.

Why no half-made request
========================

A Late is no instance of the class. Whoever makes an instance without its ``__init__``
meets classes with ``__attrs_post_init__``, with factories that look at the other fields,
or with a cached hash, and each of them breaks. Whoever calls ``__init__`` with stand-ins
hands these to converters and validators that want a text. So the plugin's code sees no
Late and no source: it gets a request that its own ``__init__`` made, with every value in
place, just before the attempt (VF-6). Until then only converters and validators of
arguments that hold no source have run.

Why one key and a path
======================

A key is unique in its plan, it is stored with it, and it survives clone and JSON. So the
same source means the same action in every copy of the plan, and nothing has to be
renumbered. A value is read from the referent's last attempt, each time that it is needed:
the stored tree holds it already, so no second copy can come to differ from the first.

Where the rest is
=================

``_flow.writing`` is what an author writes, with the errors that an author gets (VF-4).
``_validation.sources`` compares types and order (VF-1, VF-5), ``_attempts.late_requests``
makes the request (VF-6), ``_codec.typed.late_values`` stores it (VF-7).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard, cast, get_args, get_origin

import attrs

from .._values.annotations import (
    Field,
    fields_of,
    is_record,
    members,
    misfits,
    type_text,
    union,
)


@attrs.frozen
class Item:
    """A step of a path that looks an item up: by its index, or by its key.

    Attributes:
        at: The index or key.
    """

    at: int | str


SURE = "!"
"""The step of a path that says: what was reached so far is not None (``sure``)."""

Step: TypeAlias = str | Item
"""A field's name, an item, or ``SURE``."""


class Flowing:
    """What stands in a Late in place of a value: a ``Source``, or a text of some."""

    __slots__ = ()


@attrs.frozen
class Source(Flowing):
    """A part of a response (VF-2).

    Attributes:
        key: The key of the action that responds.
        plugin: The name of its plugin.
        path: The steps from the response to the part.
    """

    key: str
    plugin: str
    path: tuple[Step, ...] = ()

    def __str__(self) -> str:
        return f"{self.plugin} {json.dumps(self.key)}{path_text(self.path, dot='.')}"


@attrs.frozen
class FlowText(Flowing):
    """A text with parts of responses in it (``text``).

    Attributes:
        template: The text; each ``{}`` is a part.
        parts: The parts, in their order.
    """

    template: str
    parts: tuple[Source | str | int, ...]

    def __str__(self) -> str:
        return f"text({self.template!r}, {', '.join(map(str, self.parts))})"


@attrs.frozen(repr=False)
class Late:
    """A request that is made just before each attempt, of what others responded.

    Make one with ``late(SomeRequest)(...)``. It stands in a plan where a request stands.

    Attributes:
        made: The class of the request.
        arguments: What its author gave, by the names of its fields.
    """

    made: type[Any]
    arguments: Mapping[str, Any]

    def __repr__(self) -> str:
        given = ", ".join(f"{place}={source}" for place, source in places(self))
        return f"late({type_text(self.made)})({given})"


# -- Places and paths ----------------------------------------------------------------------


def path_text(path: tuple[Step, ...], *, dot: str = "") -> str:
    """A path as its author wrote it; ``dot`` stands before a name at its beginning."""
    text = ""
    for step in path:
        if isinstance(step, Item):
            at = step.at if isinstance(step.at, int) else json.dumps(step.at)
            text += f"[{at}]"
        elif step == SURE:
            text += SURE
        else:
            text += f".{step}" if text or dot else step
    return text


_STEP = re.compile(
    r"""
    (?P<name>  \.? [^\W\d] \w* )
    | \[ (?P<index> -? \d+ ) \]
    | \[ (?P<key> " (?: [^"\\] | \\. )* " ) \]
    | (?P<sure> ! )
    """,
    re.VERBOSE,
)


def path_of_text(text: str) -> tuple[Step, ...]:
    """The path that ``path_text`` wrote.

    Raises:
        ValueError: The text is no path.
    """
    steps: list[Step] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        name = found["name"] if found is not None else None
        # Names are told apart by dots: the first one has none.
        if found is None or (name is not None and name.startswith(".") is (at == 0)):
            message = f"{text!r} is no path such as addresses[0].ip"
            raise ValueError(message)
        if name is not None:
            steps.append(name.removeprefix("."))
        elif found["sure"]:
            steps.append(SURE)
        else:
            index = found["index"]
            steps.append(Item(int(index) if index else json.loads(found["key"])))
        at = found.end()
    return tuple(steps)


def is_dict(value: object) -> TypeGuard[dict[Any, Any]]:
    """Whether it is a dict, of anything."""
    return isinstance(value, dict)


def _is_array(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    return isinstance(value, list | tuple)


def parts_of_late(value: Any) -> Iterator[tuple[Step, Any]]:
    """What a Late, or a collection in one, holds: each part with the step to it."""
    if isinstance(value, Late):
        yield from value.arguments.items()
    elif is_dict(value):
        for key, part in value.items():
            yield Item(key), part
    elif _is_array(value):
        for index, part in enumerate(value):
            yield Item(index), part


def flows_in(value: Any) -> Iterator[tuple[tuple[Step, ...], Flowing]]:
    """Every place at which a response is to go, with what says which one."""
    if isinstance(value, Flowing):
        yield (), value
        return
    for step, part in parts_of_late(value):
        for path, flowing in flows_in(part):
            yield (step, *path), flowing


def places(value: Any) -> Iterator[tuple[str, Flowing]]:
    """The same, with each place as text."""
    return ((path_text(path), flowing) for path, flowing in flows_in(value))


def sources_of(flowing: Flowing) -> tuple[Source, ...]:
    """The sources that something is made of."""
    if isinstance(flowing, FlowText):
        return tuple(part for part in flowing.parts if isinstance(part, Source))
    return (cast("Source", flowing),)


def keys_in(request: object) -> tuple[str, ...]:
    """The keys of the actions whose responses a request needs, each once."""
    if not isinstance(request, Late):
        return ()
    found = (
        source.key for _, flowing in flows_in(request) for source in sources_of(flowing)
    )
    return tuple(dict.fromkeys(found))


# -- Filling in ----------------------------------------------------------------------------


def replaced(value: Any, change: Callable[[str, Flowing], Any]) -> Any:
    """The value with something else in place of each ``Flowing``.

    A Late in which nothing flows any more becomes an instance of its class, made by the
    class's own ``__init__``; that may raise what it likes.

    Args:
        value: A Late, or a part of one; it is not changed.
        change: Given a place and what stands there; says what is to stand there.
    """
    return _replaced(value, change, ())


def _replaced(
    value: Any, change: Callable[[str, Flowing], Any], at: tuple[Step, ...]
) -> Any:
    if isinstance(value, Flowing):
        return change(path_text(at), value)
    parts = list(parts_of_late(value))
    if not parts:
        return value
    new = [_replaced(part, change, (*at, step)) for step, part in parts]
    if isinstance(value, Late):
        arguments = dict(zip(value.arguments, new, strict=True))
        if any(True for part in new for _ in flows_in(part)):
            return Late(value.made, arguments)
        fields = argument_fields(value.made)
        return value.made(
            **{fields[name].argument: part for name, part in arguments.items()}
        )
    if all(one is part for one, (_, part) in zip(new, parts, strict=True)):
        return value
    if is_dict(value):
        return dict(zip(value, new, strict=True))
    return new if isinstance(value, list) else tuple(new)


def argument_fields(cls: type[Any]) -> dict[str, Field]:
    """The fields that the class's constructor takes, by name."""
    return {field.name: field for field in fields_of(cls) if field.init}


# -- Types ---------------------------------------------------------------------------------


def item_type(wanted: Any, step: Item, *, made_of: bool = False) -> Any:
    """The declared type of an item of a collection; NOTHING: it has no such item.

    Args:
        wanted: A type that is no union; Any where it says nothing of its items.
        step: Which item.
        made_of: Whether the collection is to be made of the items of another one: then
            it may be any that takes them, and nobody asks for keys.
    """
    origin, inner = get_origin(wanted) or wanted, get_args(wanted)
    if wanted in (Any, object):
        return Any
    if not isinstance(origin, type) or is_record(wanted):
        return attrs.NOTHING
    if issubclass(origin, Mapping):
        key = inner[0] if inner else Any
        if isinstance(step.at, int) if made_of else misfits(type(step.at), key):
            return attrs.NOTHING
        return inner[1] if inner else Any
    holds = Iterable if made_of else Sequence
    if isinstance(step.at, str) or not issubclass(origin, holds):
        return attrs.NOTHING
    if issubclass(origin, str | bytes):
        return attrs.NOTHING
    if not inner:
        return Any
    if issubclass(origin, tuple) and inner[-1] is not Ellipsis:
        is_there = -len(inner) <= step.at < len(inner)
        return inner[step.at] if is_there else attrs.NOTHING
    return inner[0]


def part_type(wanted: Any, step: Item) -> Any:
    """The declared type of what goes into a collection; Any where nothing is declared."""
    found = [item_type(each, step, made_of=True) for each in members(wanted)]
    kinds = [kind for kind in found if kind is not attrs.NOTHING]
    return union(kinds) if kinds else Any


def list_class(wanted: Any) -> type[Any]:
    """What holds the items of a collection in a Late: a tuple where one is declared.

    So a Late that comes back from a store is the one that was written.
    """
    origins = [get_origin(member) or member for member in members(wanted)]
    return tuple if tuple in origins and list not in origins else list
