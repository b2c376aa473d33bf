"""The shape of a plan: the one table of which fields of an object hold other objects.

It is read off the classes of ``_plan.plan``: a field whose annotation names a class of
objects holds them, and the order in which a class declares such fields is the order in
which they are walked (W-1). Walk, paths, structure, difference, clone, the stored
definition and the JSON form all go by this table, so a field that a class declares is
walked, found, compared, copied and stored from that moment on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, get_args, get_origin

import attrs

from .plan import (
    Action,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    Plan,
    Sequence,
)


@attrs.frozen
class Held:
    """A field that holds other objects.

    Attributes:
        name: The field's name.
        type: The class of what it holds.
        many: Whether it holds a list of them; otherwise one, or None.
    """

    name: str
    type: type[Node]
    many: bool


@attrs.frozen
class Shape:
    """The fields of one class, in the order in which it declares them.

    Attributes:
        held: Those that hold other objects, in walk order.
        settings: All others that the plan's author writes.
        written: Those that the engine writes (OM-2).
        settings_of: Gives the settings of an object of the class, by their names.
    """

    held: tuple[Held, ...]
    settings: tuple[attrs.Attribute[Any], ...]
    written: tuple[attrs.Attribute[Any], ...]
    settings_of: Callable[[Node], dict[str, Any]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Make at once what every copy asks for."""
        object.__setattr__(self, "settings_of", _reader_of(self.settings))


def _reader_of(
    fields: tuple[attrs.Attribute[Any], ...],
) -> Callable[[Node], dict[str, Any]]:
    """What gives these fields of an object, by their names."""
    names = tuple(field.name for field in fields)
    if len(names) < 2:
        return lambda node: {name: getattr(node, name) for name in names}
    values_of = attrgetter(*names)  # half the time of asking for one after the other
    return lambda node: dict(zip(names, values_of(node), strict=True))


def _shape_of(cls: type[Node]) -> Shape:
    """The shape that the annotations of a class describe."""
    fields = attrs.fields(attrs.resolve_types(cls))
    held = [
        Held(field.name, part, many=get_origin(field.type) is list)
        for field in fields
        for part in get_args(field.type) or (field.type,)
        if isinstance(part, type) and issubclass(part, Node)
    ]
    names = {each.name for each in held}
    others = [field for field in fields if field.name not in names]
    return Shape(
        held=tuple(held),
        settings=tuple(field for field in others if field.init),
        written=tuple(field for field in others if not field.init),
    )


SHAPES: dict[type[Node], Shape] = {
    cls: _shape_of(cls)
    for cls in (
        Plan,
        Block,
        Checks,
        Sequence,
        DeferredActions,
        DeferBatch,
        Action,
        CheckAction,
    )
}
"""The shape of each class."""


def held_by(node: Node) -> Iterator[tuple[Held, Node]]:
    """What the object holds, in walk order, each with the field that holds it."""
    for field in SHAPES[type(node)].held:
        value: Any = getattr(node, field.name)
        if field.many:
            yield from ((field, child) for child in value)
        elif value is not None:
            yield field, value
