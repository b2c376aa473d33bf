"""What an author writes where a response is to go: ``late``, ``text`` and ``sure`` (VF-2).

Type checkers are told that ``CreateVm.response("vm")`` is a ``CreateVm`` response, so that
they know its fields and where each of them may stand. At run time it is a
``ResponseReference``: attributes and items lead to further references, and everything
else is refused at once, with words (VF-4). No checker can refuse ``f"{reference}"``,
as to it the reference is a text; so the reference does.
"""

from __future__ import annotations

import contextlib
import inspect
import string
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, ParamSpec, TypeVar, cast, get_origin

import attrs

from .._values.annotations import is_record, type_text
from .late import (
    SURE,
    Flowing,
    FlowText,
    Item,
    Late,
    Source,
    Step,
    argument_fields,
    list_class,
    part_type,
    parts_of_late,
)

P = ParamSpec("P")
T = TypeVar("T")


class StrayReferenceError(TypeError):
    """A reference is used as if it were the value that it stands for (VF-4)."""


class ResponseReference:
    """Stands for a response, or a part of one, while a plan is written (VF-2).

    ``SomePlugin.response("key")`` makes one. Attributes and items of it are references to
    parts. Hand it to ``late(SomeRequest)(...)``, ``text(...)`` or ``sure(...)``: any
    other use raises a ``TypeError`` that says so.
    """

    # One name, which no field of a response has: every other name is a part.
    __slots__ = ("_workstream_flowing",)

    def __init__(self, flowing: Flowing) -> None:
        object.__setattr__(self, "_workstream_flowing", flowing)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return _part(self, name)

    def __getitem__(self, at: object) -> Any:
        if isinstance(at, bool) or not isinstance(at, int | str):
            message = (
                f"{self!r} cannot be asked for [{at!r}]: an index is a whole number, and "
                "a key is a text"
            )
            raise StrayReferenceError(message)
        return _part(self, Item(at))

    def __repr__(self) -> str:
        return f"<{flowing_of(self)}>"


def flowing_of(value: ResponseReference) -> Flowing:
    """What a reference refers to."""
    return cast("Flowing", object.__getattribute__(value, "_workstream_flowing"))


def _part(reference: ResponseReference, step: Step) -> ResponseReference:
    flowing = flowing_of(reference)
    if not isinstance(flowing, Source):
        message = f"{reference!r} is a text: nothing in it can be referred to"
        raise StrayReferenceError(message)
    return ResponseReference(attrs.evolve(flowing, path=(*flowing.path, step)))


def _refusing(method: str) -> Callable[..., NoReturn]:
    """The method that refuses a use of a reference."""

    def refuse(self: ResponseReference, *_: object) -> NoReturn:
        message = (
            f"{self!r} is known only while the plan runs, so it cannot be used here"
            f" ({method}). Hand it to an argument of late(SomeRequest)(...); for a "
            'text with it, write text("...{}...", reference)'
        )
        raise StrayReferenceError(message)

    refuse.__name__ = refuse.__qualname__ = method
    return refuse


_REFUSED = """
    str format bytes bool int float complex index fspath
    eq ne lt le gt ge hash len iter next reversed contains call
    add radd iadd sub rsub isub mul rmul imul matmul rmatmul imatmul
    truediv rtruediv itruediv floordiv rfloordiv ifloordiv mod rmod imod
    divmod rdivmod pow rpow ipow lshift rlshift ilshift rshift rrshift irshift
    and rand iand or ror ior xor rxor ixor
    neg pos abs invert round trunc floor ceil
    setattr delattr setitem delitem enter exit await aiter anext aenter aexit
    copy deepcopy reduce_ex
"""
for _name in _REFUSED.split():
    setattr(ResponseReference, f"__{_name}__", _refusing(f"__{_name}__"))


def reference_to(plugin: str, of: object) -> ResponseReference:
    """A reference to the response of an action of the plugin.

    Args:
        plugin: The plugin's name.
        of: The action's key, or the action.

    Raises:
        ValueError: The action has no key.
        TypeError: It is neither.
    """
    key: object = of
    if not isinstance(of, str):
        if not hasattr(of, "key"):
            message = f"response() takes an action's key, or the action, not {of!r}"
            raise TypeError(message)
        key = cast("Any", of).key
        if key is None:
            message = (
                f"the action {cast('Any', of).name!r} has no key: give it one, such as "
                'key="vm", so that others can refer to its response'
            )
            raise ValueError(message)
    return ResponseReference(Source(cast("str", key), plugin))


# -- late, text, sure ----------------------------------------------------------------------


def late(cls: Callable[P, T]) -> Callable[P, T]:
    """Make a request of which a part is the response of an action before it (VF-2).

    ::

        SshRun.action(
            late(RunOn)(host=CreateVm.response("vm").address, argv=("uptime",)),
            name="Is it up?",
        )

    A reference may stand for an argument, for an element of a list or tuple, or for a
    value of a dict. An object inside the request that holds one is made by ``late`` too.
    Arguments without references are converted and validated at once, by what the class
    says of them. Without any reference, the class itself is called.

    Args:
        cls: The class of the request: an attrs class or a dataclass.

    Returns:
        What takes the class's own arguments.

    Raises:
        TypeError: It is no such class. What is returned raises it too, where the class
            would: an argument is missing, or unknown.
    """
    made: Any = get_origin(cls) or cls
    if not is_record(made):
        message = (
            f"late() takes the class of a request, an attrs class or a dataclass, not "
            f"{cls!r}"
        )
        raise TypeError(message)

    def make(*args: P.args, **kwargs: P.kwargs) -> T:
        if not any(map(_flows, (*args, *kwargs.values()))):
            return cls(*args, **kwargs)
        return cast("T", _late(made, args, kwargs))

    return make


def _late(made: type[Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Late:
    try:
        bound = inspect.signature(made).bind(*args, **kwargs)
    except TypeError as error:
        message = f"{type_text(made)}: {error}"
        raise TypeError(message) from None
    fields = argument_fields(made)
    names = {field.argument: name for name, field in fields.items()}
    unknown = [name for name in bound.arguments if name not in names]
    if unknown:
        message = (
            f"late() cannot make a {type_text(made)}: its __init__ takes "
            f"{', '.join(unknown)}, which is no field of it"
        )
        raise TypeError(message)
    return Late(
        made,
        {
            names[argument]: _kept(value, fields[names[argument]].type)
            if _flows(value)
            else _looked_at(made, names[argument], value)
            for argument, value in bound.arguments.items()
        },
    )


def _flows(value: Any) -> bool:
    """Whether a reference stands in a value, or is it."""
    if isinstance(value, ResponseReference | Late):
        return True
    return any(_flows(part) for _, part in parts_of_late(value))


def _kept(value: Any, wanted: Any) -> Any:
    """The value as a Late keeps it: with what references refer to in their place."""
    if isinstance(value, ResponseReference):
        return flowing_of(value)
    if isinstance(value, Late) or not _flows(value):
        return value
    cls = cast("Any", type(value))
    if cls is dict:
        wrong = [key for key in value if type(key) is not str]
        if wrong:
            message = (
                f"a reference stands in a dict with the key {wrong[0]!r}: all of its keys "
                "must be texts"
            )
            raise StrayReferenceError(message)
        return {
            key: _kept(part, part_type(wanted, Item(key)))
            for key, part in value.items()
        }
    if cls not in (list, tuple):
        message = (
            f"a reference stands in a {type_text(cls)}: put it into a list, a tuple "
            "or a dict"
        )
        raise StrayReferenceError(message)
    return list_class(wanted)(
        _kept(part, part_type(wanted, Item(index))) for index, part in enumerate(value)
    )


def _looked_at(made: type[Any], name: str, value: Any) -> Any:
    """An argument without references, converted and validated as its class says."""
    if not attrs.has(made):
        return value
    field: Any = attrs.fields_dict(made)[name]
    convert = field.converter
    if isinstance(convert, attrs.Converter):
        return value  # what it makes of it may depend on the other fields
    if convert is not None:
        value = convert(value)
    if field.validator is not None:
        # One that looks at the other fields is asked when there are some.
        with contextlib.suppress(AttributeError):
            field.validator(None, field, value)
    return value


def text(template: str, *parts: str | int) -> str:
    """A text with parts of responses in it (VF-2).

    ::

        late(HttpRequest)(url=text("http://{}:8080/", CreateVm.response("vm").address))

    Args:
        template: The text; each ``{}`` stands for a part, ``{{`` and ``}}`` for a brace.
        parts: References to texts and whole numbers, or such values themselves.

    Raises:
        ValueError: There are more parts than places for them, or fewer.
        TypeError: A part is neither text nor whole number.
    """
    places = 0
    for _, name, spec, conversion in string.Formatter().parse(template):
        if name or spec or conversion:
            message = (
                f"text() knows {{}} alone, not {{{name}"
                f"{'!' + conversion if conversion else ''}{':' + spec if spec else ''}}}"
            )
            raise ValueError(message)
        places += name is not None
    if places != len(parts):
        message = (
            f"text() got {len(parts)} parts for the {places} places in {template!r}"
        )
        raise ValueError(message)
    kept: list[Source | str | int] = []
    for part in cast("tuple[Any, ...]", parts):
        if isinstance(part, ResponseReference):
            flowing = flowing_of(part)
            if not isinstance(flowing, Source):
                message = f"{part!r} is a text already: write one text() for all of it"
                raise StrayReferenceError(message)
            kept.append(flowing)
        elif type(part) in (str, int):
            kept.append(part)
        else:
            message = (
                f"text() takes texts and whole numbers, not {type_text(type(part))}"
            )
            raise TypeError(message)
    if not any(isinstance(part, Source) for part in kept):
        return template.format(*kept)
    return cast("str", ResponseReference(FlowText(template, tuple(kept))))


def sure(value: T | None) -> T:
    """Say that a part of a response, which may be None, is not None here (VF-2).

    ::

        late(RunOn)(host=sure(CreateVm.response("vm").address), argv=("uptime",))

    Where it is None all the same, the action fails, and its plugin is not called (VF-6).

    Args:
        value: A reference.

    Raises:
        ValueError: It is None, and no reference.
    """
    if value is None:
        message = "sure() got None, not a reference to what may be None"
        raise ValueError(message)
    if isinstance(value, ResponseReference):
        return cast("T", _part(value, SURE))
    return value
