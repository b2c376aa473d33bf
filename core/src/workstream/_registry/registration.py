"""Reasons not to register a plugin (REG-2), each in a sentence.

**Types of requests and responses.** A request is an instance of an attrs class or a
dataclass, or of one of a union of them: they have fields, so the plugin can grow
without breaking stored plans, and each field can be marked as a secret. A plugin that
needs to be told nothing has None as its request. A response may also be a plain text,
number or truth value, and None. Collections and enumerations belong in a field. The
type of a value is compared exactly (V-23, A-7), so a type with arguments of its own,
such as ``Page[Item]`` or ``list[Item]``, cannot serve: nothing at run time tells a
``list[Item]`` from any other list.
"""

from __future__ import annotations

import enum
import inspect
import re
import types
from collections.abc import Iterator, Mapping
from typing import Any, cast, get_origin, get_type_hints

from .._protocols.plugin import (
    ActionPlugin,
    AnyPlugin,
    BasePlugin,
    CheckPlugin,
    can_reconcile,
    has_execute,
)
from .._secrets.references import Reference
from .._secrets.scan import secret_faults
from .._values.annotations import (
    COLLECTIONS,
    Field,
    fields_of,
    is_record,
    is_union,
    members,
    parts,
    records_below,
    tags_of,
    type_text,
)
from .._values.leaves import LEAVES
from .._values.state import OnInterrupt
from ..retries import RetryPolicy

_STORED: tuple[type, ...] = (
    types.NoneType,
    str,
    bytes,
    int,
    float,
    enum.Enum,
    Mapping,
    Reference,
    *LEAVES,
)
"""Classes that have a stored form, with those derived from them."""

PLAIN_RESPONSES: tuple[type, ...] = (str, bytes, int, float, bool)
"""Types of a response besides classes with fields and None."""

_FIT: set[tuple[str, Any]] = set()
"""Types that a plugin may have, each with its role.

Simulations and tests register the same plugins thousands of times, so each type is
looked into once. Only what is fit is kept: a name that a type lacks may be defined later.
"""

_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")


def is_plugin_name(name: object) -> bool:
    """Whether it is a text of dotted parts, such as ``command.run`` (REG-10)."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def not_a_plugin(value: object) -> str | None:
    """Why the value is no plugin at all; None when it is one."""
    if isinstance(value, ActionPlugin | CheckPlugin):
        return None
    advice = "give an instance of a class derived from ActionPlugin or CheckPlugin"
    if isinstance(value, type):
        name = type_text(value)
        if issubclass(value, BasePlugin):
            return f"{name} is a class, not a plugin: give an instance, {name}()"
        return f"the class {name} is not a plugin: {advice}"
    if value is None:
        return f"None is not a plugin: {advice}"
    return f"an object of type {type_text(type(value))} is not a plugin: {advice}"


def registration_faults(
    plugin: AnyPlugin, *, entry_point: str | None = None
) -> list[str]:
    """All that keeps the plugin from being registered (REG-2); empty when nothing does.

    Args:
        plugin: The plugin.
        entry_point: The name of the entry point it came by; None when it came by hand.
    """
    return [
        *_name_faults(getattr(plugin, "name", None), entry_point),
        *_method_faults(plugin),
        *_policy_faults(plugin),
        *_program_faults(plugin),
        *_type_faults(plugin, "request"),
        *_type_faults(plugin, "response"),
    ]


def _name_faults(name: object, entry_point: str | None) -> Iterator[str]:
    if not isinstance(name, str) or not name.strip():
        yield (
            "it has no name: give its class one, dotted, such as"
            f" `name = {(entry_point or 'acme') + '.copy'!r}` [REG-2]"
        )
    elif not is_plugin_name(name):
        yield (
            f"its name {name!r} is not dotted: write letters, digits, '_' and '-',"
            " in two or more parts joined by '.', such as 'acme.copy' [REG-10]"
        )
    elif entry_point is not None and name.partition(".")[0] != entry_point:
        yield (
            f"its name {name!r} must begin with '{entry_point}.', after the entry point"
            " that it came by [REG-10]"
        )


def _method_faults(plugin: AnyPlugin) -> Iterator[str]:
    if not has_execute(plugin):
        yield "it does not define `async def execute(self, context, request)` [REG-1]"
    for method in ("execute", "reconcile", "preview", "init"):
        found = inspect.unwrap(getattr(type(plugin), method, None) or _nothing)
        if inspect.isfunction(found) and not inspect.iscoroutinefunction(found):
            yield f"its {method} is not a coroutine: write `async def {method}` [REG-1]"


async def _nothing() -> None:
    """Stands in for a method that the plugin has no use for."""


def _policy_faults(plugin: AnyPlugin) -> Iterator[str]:
    retry, on_interrupt = _promised(plugin, "retry"), _promised(plugin, "on_interrupt")
    if not isinstance(retry, RetryPolicy):
        yield (
            f"its retry is {retry!r}: give a RetryPolicy, for example"
            " workstream.retries.FAST [RP-2]"
        )
    else:
        for fault in retry.faults():
            yield f"its retry policy is invalid: {fault} [RP-2]"
    if isinstance(plugin, CheckPlugin):
        safe = _promised(plugin, "safe_in_preview")
        if not isinstance(safe, bool):
            yield f"its safe_in_preview is {safe!r}: give True or False [PV-3]"
        return
    if not isinstance(on_interrupt, OnInterrupt):
        yield (
            f"its on_interrupt is {on_interrupt!r}: give OnInterrupt.RERUN, FAIL or"
            " RECONCILE [REG-9]"
        )
    elif on_interrupt is OnInterrupt.RECONCILE and not can_reconcile(plugin):
        yield (
            "its on_interrupt is RECONCILE, but it does not define"
            " `async def reconcile(self, context, request)` [REG-9]"
        )


def _program_faults(plugin: AnyPlugin) -> Iterator[str]:
    programs = _promised(plugin, "requires_programs")
    names = (
        cast("tuple[object, ...]", programs) if isinstance(programs, tuple) else None
    )
    if names is None or not all(isinstance(name, str) and name for name in names):
        yield (
            f"its requires_programs is {programs!r}: give a tuple of the names of"
            " programs, such as ('git',) [REG-1]"
        )


def _promised(plugin: AnyPlugin, attribute: str) -> object:
    # As an object: plugins are strangers' code, and may break what annotations say.
    return getattr(plugin, attribute, None)


def _type_faults(plugin: AnyPlugin, role: str) -> Iterator[str]:
    try:
        wanted = getattr(plugin, f"{role}_type")
    except AttributeError as error:
        yield f"{error} [REG-1]"
        return
    try:
        is_known = (role, wanted) in _FIT
    except TypeError:  # decorated with a value that has no hash
        yield from _faults_of(wanted, role)
        return
    if is_known:
        return
    faults = _faults_of(wanted, role)
    if not faults:
        _FIT.add((role, wanted))
    yield from faults


def _faults_of(wanted: Any, role: str) -> list[str]:
    """Tell why a type cannot be that of a plugin's requests or responses."""
    outer = members(wanted)
    faults = [
        fault for member in outer for fault in _outer_faults(member, role, wanted)
    ]
    names = [getattr(member, "__name__", str(member)) for member in outer]
    faults += [
        f"two members of its {role} type are called {name}: rename one, as stored"
        " plans tell them apart by name [STO-7]"
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if not faults:
        for path, record, fields in records_below(wanted):
            faults += _field_faults(path, record, fields, role)
    if not faults:
        for path in secret_faults(wanted):
            faults.append(
                f"the field {path} of its {role} type sounds like a secret: mark it"
                " with metadata=SECURE if it holds one, metadata=IGNORE if it does"
                " not, or make it a SecretRef [REG-4]"
            )
    return faults


def _outer_faults(member: Any, role: str, wanted: Any) -> Iterator[str]:
    """Yield the reasons why a type cannot be that of requests or responses."""
    plain = (types.NoneType, *(PLAIN_RESPONSES if role == "response" else ()))
    if member not in plain and (get_origin(member) or not is_record(member)):
        which = "" if member is wanted else f"{type_text(member)}, a member of "
        also = ", str, bytes, int, float, bool" if role == "response" else ""
        yield (
            f"{which}its {role} type {type_text(wanted)} cannot be stored: give an"
            f" attrs class or a dataclass{also} or None, or a union of such [REG-2]"
        )


def _field_faults(
    path: str, record: Any, fields: tuple[Field, ...], role: str
) -> Iterator[str]:
    """Yield the reasons why the fields of a class cannot be stored."""
    cls: Any = get_origin(record) or record
    try:
        get_type_hints(cls)
    except Exception as error:
        yield (
            f"the types of the fields of its {role} type {path} cannot be read"
            f" ({type(error).__name__}: {error}): what they name must be found at"
            f" the top level of module {cls.__module__} [STO-7]"
        )
        return
    for field in fields:
        where = f"the field {path}.{field.name} of its {role} type"
        for part in parts(field.type, wholes=True) if field.init else ():
            if is_union(part):
                try:
                    tags_of(part)
                except TypeError as error:
                    yield f"{where} cannot be stored: {error} [STO-7]"
            elif not _has_stored_form(part):
                yield (
                    f"{where} cannot be stored: there is no stored form for"
                    f" {type_text(part)}. Declare a type that has one, such as str, int,"
                    " a list, an enum or a class with fields [REG-2]"
                )


def _has_stored_form(part: Any) -> bool:
    """Whether the codec can write values of a type and read them again."""
    cls = get_origin(part) or part
    return (
        part in (Any, object)
        or cls in COLLECTIONS
        or bool(fields_of(part))
        or is_record(part)
        or (isinstance(cls, type) and issubclass(cls, _STORED))
    )
