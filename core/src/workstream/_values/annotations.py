"""What type annotations say: each question that the engine asks of one, answered once.

An annotation is whatever may stand behind a field's colon: a class, a union, a generic
class with arguments, ``Any``. ``bare`` takes decoration off, ``members`` takes unions
apart, ``parts`` takes collections apart too. ``fields_of`` lists the fields of a class,
and ``records_below`` follows them to all classes below.
"""

from __future__ import annotations

import collections.abc
import contextlib
import dataclasses
import functools
import sys
import types
import typing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs

DEEPEST = 50
"""How many fields below one another are searched."""

_DECORATIONS = tuple(
    getattr(typing, name)
    for name in ("Annotated", "Final", "Required", "NotRequired", "ReadOnly")
    if hasattr(typing, name)
)
LISTS = (list, collections.abc.MutableSequence)
SEQUENCES = (
    collections.abc.Sequence,
    collections.abc.Collection,
    collections.abc.Iterable,
)
SETS = (set, collections.abc.Set, collections.abc.MutableSet, frozenset)
COLLECTIONS = (*LISTS, *SEQUENCES, *SETS, tuple, deque)
"""Collections that have a stored form, beside mappings. None of a subclass."""

NATIVE: tuple[type, ...] = (types.NoneType, bool, int, float, str)
"""What plain data tells apart without a tag, in JSON too."""


# -- One annotation --------------------------------------------------------------------


def bare(wanted: Any) -> Any:
    """The annotation without what only decorates it: Annotated, NewType, an alias ..."""
    while True:
        if get_origin(wanted) in _DECORATIONS:
            wanted = get_args(wanted)[0]
        elif isinstance(wanted, typing.NewType):
            wanted = wanted.__supertype__
        elif hasattr(wanted, "__value__"):  # an alias made by a ``type`` statement
            wanted = wanted.__value__
        else:
            return types.NoneType if wanted is None else wanted


def is_union(wanted: Any) -> bool:
    """Whether the type is a union, ``T | None`` included."""
    return get_origin(wanted) in (Union, types.UnionType)


def members(wanted: Any) -> tuple[Any, ...]:
    """The members of a union, or the one type itself; each of them bare."""
    wanted = bare(wanted)
    if not is_union(wanted):
        return (wanted,)
    return tuple(member for each in get_args(wanted) for member in members(each))


def parts(
    wanted: Any,
    *,
    keys: bool = True,
    wholes: bool = False,
    _seen: frozenset[Any] = frozenset(),
) -> Iterator[Any]:
    """The types that a value of this type is, or holds, down to single classes.

    Unions and collections are taken apart; a generic class with fields stays whole.

    Args:
        wanted: Any annotation.
        keys: Whether the keys of mappings count.
        wholes: Whether unions and collections count themselves, before their parts.
        _seen: The aliases on the way here: they may refer to themselves.
    """
    if hasattr(wanted, "__value__"):
        if wanted in _seen:
            return
        _seen |= {wanted}
    if wholes and is_union(bare(wanted)):
        yield bare(wanted)
    for member in members(wanted):
        origin, below = get_origin(member), get_args(member)
        if origin is Literal:
            yield from {type(value) for value in below}
            continue
        if isinstance(member, TypeVar):
            below = member.__constraints__ or (member.__bound__ or Any,)
        elif below and isinstance(origin, type) and _is_collection(origin):
            if wholes:
                yield origin
            if not keys and issubclass(origin, Mapping):
                below = below[1:]
        else:
            yield member
            continue
        for each in below:
            if each is not Ellipsis:
                yield from parts(each, keys=keys, wholes=wholes, _seen=_seen)


def _is_collection(origin: type) -> bool:
    """Whether its arguments say what it holds; a record's fields say more."""
    return issubclass(origin, Iterable) and not is_record(origin)


def tags_of(union: Any) -> dict[str, Any]:
    """The members of a union that need a tag in its stored form, by their tags.

    Raises:
        TypeError: Two members could not be told apart when they are stored.
    """
    tagged = [member for member in members(union) if not is_native(member)]
    names = [str(each) if get_args(each) else each.__name__ for each in tagged]
    tags: dict[str, Any] = {}
    for member, name in zip(tagged, names, strict=True):
        tag = name
        if names.count(name) > 1:
            tag = f"{getattr(member, '__module__', '')}.{name}"
        if tag in tags:
            message = f"the union {type_text(union)} has two members called {tag}"
            raise TypeError(message)
        tags[tag] = member
    classes = [value_class(member) for member in tagged]
    for cls in classes:
        if classes.count(cls) > 1:
            message = (
                f"the union {type_text(union)} has two members of type {cls.__name__}:"
                " a value does not tell which of them it is"
            )
            raise TypeError(message)
    return tags


def is_native(member: Any) -> bool:
    """Whether plain data tells such values from others without a tag, in JSON too."""
    if get_origin(member) is Literal:
        return all(isinstance(value, NATIVE) for value in get_args(member))
    return member in NATIVE


def value_class(member: Any) -> Any:
    """The class that values of a member of a union have; of a Literal, the first one's."""
    if get_origin(member) is Literal:
        return get_args(member)[0].__class__
    return get_origin(member) or member


def union(kinds: Iterable[Any]) -> Any:
    """The type of whatever is of one of these types; without any, None's."""
    made: Any = Union
    found = tuple(kinds)
    return made[found] if found else types.NoneType


def misfits(given: Any, wanted: Any) -> list[Any]:
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
    """Whether every value of a type is one of another (VF-5); neither is a union."""
    if given == wanted:
        return True
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
        return all(not misfits(one, its[-1]) for one in mine)
    return all(not misfits(a, b) for a, b in zip(mine, its, strict=True))


def fits(value: object, wanted: Any) -> bool:
    """Whether the value's class is exactly this type, or a member of this union."""
    cls: type = type(value)
    if cls is wanted:
        return True
    found = members(wanted)
    return any(
        cls is (get_origin(each) or each) or each is Any or each is object
        for each in found
    )


def type_text(wanted: Any) -> str:
    """A type as its author would write it, without the names of modules."""
    if wanted is None or wanted is types.NoneType:
        return "None"
    if wanted is Ellipsis:
        return "..."
    if isinstance(wanted, str):
        return wanted
    if is_union(wanted):
        return " | ".join(map(type_text, members(wanted)))
    if get_origin(wanted) is Literal:
        return f"Literal[{', '.join(map(repr, get_args(wanted)))}]"
    if get_args(wanted):
        inner = ", ".join(map(type_text, get_args(wanted)))
        return f"{type_text(get_origin(wanted))}[{inner}]"
    if wanted.__class__ is list:  # the arguments of a Callable
        return f"[{', '.join(map(type_text, wanted))}]"
    name = getattr(wanted, "__qualname__", None) or getattr(wanted, "__name__", None)
    # Of a class made inside a function, what follows the function's name will do.
    return str(name or wanted).rpartition("<locals>.")[2]


# -- Classes with fields ---------------------------------------------------------------


@attrs.frozen
class Field:
    """One field of a class.

    Attributes:
        name: Its name.
        argument: What the constructor calls it.
        type: Its type; names in quotes are looked up, type variables filled in.
        metadata: What its author wrote beside it.
        init: Whether the constructor takes it.
        default: Its default, a ``Factory`` that makes it, or ``attrs.NOTHING``.
    """

    name: str
    argument: str
    type: Any
    metadata: Mapping[Any, Any]
    init: bool
    default: Any


def is_record(wanted: Any) -> bool:
    """Whether it is an attrs class or a dataclass, with type arguments or without."""
    cls = get_origin(wanted) or wanted
    return isinstance(cls, type) and (attrs.has(cls) or dataclasses.is_dataclass(cls))


def fields_of(wanted: Any) -> tuple[Field, ...]:
    """The fields of a class; none if it has none.

    Named tuples and typed dicts have fields too. Where the name of a type cannot be
    found, such as that of a local class, the field counts as ``Any``.
    """
    cls: Any = get_origin(wanted) or wanted
    found = _declared(cls)
    if not get_args(wanted) and not hasattr(cls, "__orig_bases__"):
        return found
    return tuple(
        attrs.evolve(field, type=_filled(field, wanted))
        if is_open(field.type)
        else field
        for field in found
    )


@functools.cache
def _declared(cls: Any) -> tuple[Field, ...]:
    fields: list[Field] = []
    names: Iterable[str] = ()
    if attrs.has(cls):
        fields = [
            Field(f.name, f.alias or f.name, f.type, f.metadata, f.init, f.default)
            for f in attrs.fields(cls)
        ]
    elif is_record(cls):
        fields = [
            Field(f.name, f.name, f.type, f.metadata, f.init, _default_of(f))
            for f in dataclasses.fields(cls)
        ]
    elif typing.is_typeddict(cls):
        names = sorted(_annotations(cls))
    elif tuple in getattr(cls, "__mro__", ()):
        names = getattr(cls, "_fields", ())
    # These cannot be marked, nor do their own defaults matter.
    fields += [Field(name, name, Any, {}, True, attrs.NOTHING) for name in names]
    hints = _hints(cls, {field.name: field.type for field in fields}) if fields else {}
    return tuple(attrs.evolve(field, type=hints[field.name]) for field in fields)


def _default_of(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return attrs.Factory(field.default_factory)
    return attrs.NOTHING if field.default is dataclasses.MISSING else field.default


def _hints(cls: type, declared: dict[str, Any]) -> dict[str, Any]:
    """The types of the fields, with names in quotes looked up where that is possible."""
    try:
        return declared | get_type_hints(cls)
    except Exception:  # an annotation can be any expression
        scope: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            scope |= vars(sys.modules.get(base.__module__, typing))
            scope[base.__name__] = base
        found = dict.fromkeys(declared, Any)
        for name, wanted in declared.items():
            with contextlib.suppress(Exception):
                found[name] = _evaluated(wanted, scope)
        return found


def records_below(
    *wanted: Any, enter: Callable[[Field], bool] = lambda field: True
) -> Iterator[tuple[str, Any, tuple[Field, ...]]]:
    """Every class with fields that values of these types are or hold, each once.

    Args:
        wanted: Any annotations.
        enter: Whether to search below a field.

    Yields:
        The shortest way to the class, as in ``CopyRequest.auth``; the class, with its
        type arguments where it has some; its fields.
    """
    seen: set[Any] = set()
    # Breadth first: each class is named by the shortest way to it.
    waiting = deque(("", each) for each in wanted)
    while waiting:
        path, holder = waiting.popleft()
        for part in parts(holder):
            # A generic class may hold itself with ever longer arguments: no end of types.
            if part in seen or path.count(".") > DEEPEST:
                continue
            seen.add(part)
            fields = fields_of(part)
            if fields or is_record(part):
                path_here = path or (get_origin(part) or part).__name__
                yield path_here, part, fields
                waiting.extend(
                    (f"{path_here}.{field.name}", field.type)
                    for field in fields
                    if enter(field)
                )


# -- Type arguments --------------------------------------------------------------------


def arguments_of(wanted: Any, root: type) -> tuple[Any, ...]:
    """The type arguments that a class, or a generic alias of one, gives to a base.

    Those that it leaves open are type variables. Names in quotes are looked up.

    Raises:
        AttributeError: An argument in quotes cannot be found.
    """
    return _arguments(get_origin(wanted) or wanted, get_args(wanted), root)


def _arguments(cls: type, given: tuple[Any, ...], root: type) -> tuple[Any, ...]:
    if cls is root:
        return given or _variables(root)
    # Not getattr: a class that names no type arguments would answer with its parent's.
    bases = vars(cls).get("__orig_bases__", cls.__bases__)
    base, origin = next(
        (base, origin)
        for base in bases
        for origin in [get_origin(base) or base]
        if isinstance(origin, type) and issubclass(origin, root)
    )
    passed_on = tuple(_argument(argument, cls) for argument in get_args(base))
    values = dict(zip(_variables(cls), given, strict=False))
    inherited = _arguments(origin, passed_on, root)
    return tuple(_substituted(argument, values) for argument in inherited)


def _variables(cls: Any) -> tuple[Any, ...]:
    return getattr(cls, "__parameters__", ())


def _argument(argument: Any, cls: type) -> Any:
    """A type argument with its strings and None replaced by what they mean."""
    try:
        return _evaluated(argument, vars(sys.modules.get(cls.__module__, typing)))
    except Exception as error:
        message = (
            f"the types in square brackets of {cls.__qualname__} cannot be read"
            f" ({type(error).__name__}: {error}): a type given as a string must be"
            f" found at the top level of module {cls.__module__}"
        )
        raise AttributeError(message) from error


def _evaluated(wanted: Any, scope: dict[str, Any]) -> Any:
    carrier = types.SimpleNamespace(__annotations__={"it": wanted})
    return get_type_hints(carrier, scope)["it"]


def _filled(field: Field, wanted: Any) -> Any:
    """The field's type, with what the type variables of its class stand for."""
    cls: Any = get_origin(wanted) or wanted
    with contextlib.suppress(Exception):  # a name that cannot be found
        owner = next(each for each in cls.__mro__ if field.name in _annotations(each))
        values = zip(_variables(owner), arguments_of(wanted, owner), strict=False)
        return _substituted(field.type, dict(values))
    return field.type


def _annotations(cls: type) -> Mapping[str, Any]:
    return getattr(cls, "__annotations__", {})


def _substituted(wanted: Any, values: dict[Any, Any]) -> Any:
    if isinstance(wanted, TypeVar):
        return values.get(wanted, wanted)
    names = _variables(wanted)
    # A generic class has parameters too, but stands for itself.
    if get_origin(wanted) is None or not any(name in values for name in names):
        return wanted
    return wanted[tuple(values.get(name, name) for name in names)]


def is_open(wanted: Any) -> bool:
    """Whether type variables in it stand for nothing yet."""
    return isinstance(wanted, TypeVar) or bool(
        get_origin(wanted) is not None and _variables(wanted)
    )
