"""Reading the request and response types off a plugin's class.

A plugin says its types once, as type arguments of its base class, where a type checker
sees them too. This module finds them again at run time: through intermediate generic
classes, and from strings that name a class defined further down.
"""

from __future__ import annotations

import sys
import types
import typing
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

__all__ = ["TypeArgument", "type_text", "union_members"]

# ``type X = A | B`` makes one of these, from Python 3.12 on.
_ALIASES: tuple[type, ...] = tuple(
    vars(typing)[name] for name in ("TypeAliasType",) if name in vars(typing)
)
_CACHE = "_type_arguments_found"
_ROLES = ("request", "response")


class TypeArgument:
    """A class attribute that is the n-th type argument of the generic root class.

    The root is the class whose body holds the attribute. Asking a class for an argument
    that was left open, or that cannot be found, raises ``AttributeError`` with a
    sentence for the plugin's author.
    """

    def __init__(self, index: int) -> None:
        self._index = index
        self._root: type | None = None
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._root = owner
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        assert self._root is not None
        found = vars(owner).get(_CACHE)
        if found is None:
            found = _arguments(owner, self._root)
            # A subclass looks in its own namespace alone, so this is never inherited.
            setattr(owner, _CACHE, found)
        argument = found[self._index]
        if _is_open(argument):
            role = _ROLES[self._index]
            message = (
                f"{owner.__qualname__} does not say its {role} type: write it in square"
                " brackets after the base class, as in"
                " `class Copy(ActionPlugin[CopyRequest, CopyResponse])`"
            )
            raise AttributeError(message)
        # An engine asks its plugins at every step: an instance answers by itself then.
        own: dict[str, Any] | None = getattr(instance, "__dict__", None)
        if own is not None:
            own[self._name] = argument
        return argument


def union_members(wanted: Any) -> tuple[Any, ...]:
    """The members of a union, or the one type itself."""
    if isinstance(wanted, _ALIASES):
        return union_members(getattr(wanted, "__value__"))  # noqa: B009
    if get_origin(wanted) in (Union, types.UnionType):
        return tuple(
            member for each in get_args(wanted) for member in union_members(each)
        )
    return (wanted,)


def type_text(wanted: Any) -> str:
    """A type as its author would write it, without the names of modules."""
    if wanted is None or wanted is types.NoneType:
        return "None"
    if wanted is Ellipsis:
        return "..."
    if isinstance(wanted, str):
        return wanted
    if get_origin(wanted) in (Union, types.UnionType):
        return " | ".join(type_text(member) for member in union_members(wanted))
    if get_origin(wanted) is typing.Literal:
        return f"Literal[{', '.join(map(repr, get_args(wanted)))}]"
    if get_args(wanted):
        inner = ", ".join(type_text(argument) for argument in get_args(wanted))
        return f"{type_text(get_origin(wanted))}[{inner}]"
    name = getattr(wanted, "__qualname__", None) or getattr(wanted, "__name__", None)
    # Of a class made inside a function, what follows the function's name will do.
    return str(name or wanted).rpartition("<locals>.")[2]


def _arguments(cls: type, root: type) -> tuple[Any, ...]:
    """The root's type arguments as this class gives them; open ones are type variables."""
    if cls is root:
        return _parameters(root)
    # Not getattr: a class that names no type arguments would answer with its parent's.
    bases = vars(cls).get("__orig_bases__", cls.__bases__)
    base, origin = next(
        (base, origin)
        for base in bases
        for origin in [get_origin(base) or base]
        if isinstance(origin, type) and issubclass(origin, root)
    )
    inherited = _arguments(origin, root)
    given = [_evaluated(argument, cls) for argument in get_args(base)]
    values = dict(zip(_parameters(origin), given, strict=False))
    return tuple(_substituted(argument, values) for argument in inherited)


def _parameters(cls: type) -> tuple[Any, ...]:
    return getattr(cls, "__parameters__", ())


def _evaluated(argument: Any, cls: type) -> Any:
    """A type argument with its strings and None replaced by what they mean."""

    def carrier() -> None: ...

    carrier.__annotations__ = {"it": argument}
    module = sys.modules.get(cls.__module__)
    try:
        return get_type_hints(carrier, vars(module) if module else {})["it"]
    except Exception as error:
        message = (
            f"the types in square brackets of {cls.__qualname__} cannot be read"
            f" ({type(error).__name__}: {error}): a type given as a string must be"
            f" found at the top level of module {cls.__module__}"
        )
        raise AttributeError(message) from error


def _substituted(argument: Any, values: dict[Any, Any]) -> Any:
    if isinstance(argument, TypeVar):
        return values.get(argument, argument)
    # A generic class has parameters too, but stands for itself.
    if isinstance(argument, type) or not getattr(argument, "__parameters__", ()):
        return argument
    return argument[tuple(values.get(p, p) for p in argument.__parameters__)]


def _is_open(argument: Any) -> bool:
    return isinstance(argument, TypeVar) or bool(
        not isinstance(argument, type) and getattr(argument, "__parameters__", ())
    )
