"""The installed packages as plain data: the answer of ``workstream plugins``."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from typing import Any, cast, get_origin

import attrs

from .._protocols.plugin import (
    ActionPlugin,
    AnyPlugin,
    CheckPlugin,
    can_preview,
    request_types,
    response_types,
)
from .._secrets.references import HIDDEN, MARK, SECURE, SecretRef
from .._values.annotations import fields_of, is_record, records_below, type_text
from .docstrings import field_texts, first_paragraph
from .hook_answers import LeftOut

LONGEST_DEFAULT = 200
USUAL: tuple[tuple[object, str], ...] = (
    (list, "[]"),
    (dict, "{}"),
    (tuple, "()"),
    (set, "set()"),
)
"""The values of the usual factories of defaults; a listing calls no others."""

_FACTORY: Any = attrs.Factory


@attrs.frozen(kw_only=True)
class FieldListing:
    """One field of a request type.

    Attributes:
        name: The field's name, as the constructor takes it.
        type: Its type, as its author would write it.
        required: Whether it must be given.
        default: Its default as Python text; None when it has none, or one that is
            computed anew for each request.
        secure: Whether it holds a secret, which is not shown.
        description: What its class's docstring says about it.
    """

    name: str
    type: str
    required: bool
    default: str | None
    secure: bool
    description: str = ""


@attrs.frozen(kw_only=True)
class TypeListing:
    """A class with fields: a request, a response, or what is inside one.

    Attributes:
        type: Its name.
        description: The first paragraph of its docstring.
        fields: What its constructor takes.
    """

    type: str
    description: str
    fields: tuple[FieldListing, ...]


@attrs.frozen(kw_only=True)
class PluginListing:
    """A plugin.

    Attributes:
        name: Its name.
        kind: ``action`` or ``check``.
        description: The first paragraph of its docstring.
        requests: The types of request it serves.
        response: The type of its responses.
        in_dry_run: Whether a dry run calls it: an action that has a preview, or a check
            that is marked safe for it (PV-3, PV-5).
        responses: The classes with fields that its responses may be of.
        inner_types: The classes with fields that its requests and responses hold.
        on_interrupt: What a crash in the middle of an attempt means: ``rerun``, ``fail``
            or ``reconcile``; None for a check, which is always run again.
        requires_programs: The programs it starts.
    """

    name: str
    kind: str
    description: str
    requests: tuple[TypeListing, ...]
    response: str
    in_dry_run: bool = False
    responses: tuple[TypeListing, ...] = ()
    inner_types: tuple[TypeListing, ...] = ()
    on_interrupt: str | None = None
    requires_programs: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class PackageListing:
    """The plugins, hooks and more that one entry point brings; names in order.

    Attributes:
        package: The distribution.
        version: The distribution's version.
        entry_point: The entry point's name; ``""`` for workstream itself.
        hooks: The hooks it implements.
        plugins: Its plugins that can be used.
        vaults: The schemes of its stores.
        engines: The schemes of its stores that run their plans themselves.
        secret_resolvers: The schemes of its secret resolvers.
        commands: Its subcommands.
        observers: The names of its observers.
        plugin_api: The version of the plugin API that it was made for; None when it
            does not say.
        summary: What the distribution's metadata says in one line.
    """

    package: str
    version: str
    entry_point: str
    hooks: tuple[str, ...]
    plugins: tuple[PluginListing, ...]
    vaults: tuple[str, ...]
    secret_resolvers: tuple[str, ...]
    commands: tuple[str, ...]
    engines: tuple[str, ...] = ()
    observers: tuple[str, ...] = ()
    plugin_api: int | None = None
    summary: str = ""


@attrs.frozen(kw_only=True)
class Listing:
    """All that is installed, and what was left out."""

    packages: tuple[PackageListing, ...]
    left_out: tuple[LeftOut, ...]

    def as_json(self) -> dict[str, Any]:
        """Dicts, lists, texts and truth values alone, by the names of the fields."""
        return attrs.asdict(self, value_serializer=_as_list)


def describe_plugin(plugin: AnyPlugin) -> PluginListing:
    """A plugin as plain data. It must be one that can be registered."""
    requests = [cls for cls in request_types(plugin) if is_record(cls)]
    responses = [cls for cls in response_types(plugin) if is_record(cls)]
    outer: list[Any] = [*requests, *responses, SecretRef]
    inner = [
        cls
        for _, cls, _ in records_below(*outer)
        if cls not in outer and is_record(cls)
    ]
    return PluginListing(
        name=plugin.name,
        kind="check" if plugin.is_check else "action",
        description=first_paragraph(type(plugin)),
        requests=tuple(map(_describe_type, requests)),
        response=type_text(plugin.response_type),
        in_dry_run=(
            plugin.safe_in_preview
            if isinstance(plugin, CheckPlugin)
            else can_preview(plugin)
        ),
        responses=tuple(map(_describe_type, responses)),
        inner_types=tuple(map(_describe_type, inner)),
        on_interrupt=(
            plugin.on_interrupt.value if isinstance(plugin, ActionPlugin) else None
        ),
        requires_programs=plugin.requires_programs,
    )


def _describe_type(wanted: Any) -> TypeListing:
    cls: type = get_origin(wanted) or wanted
    return TypeListing(
        type=type_text(wanted),
        description=first_paragraph(cls),
        fields=tuple(_fields(wanted, field_texts(cls))),
    )


def _as_list(_: object, __: object, value: Any) -> Any:
    # JSON has no tuples, and asdict keeps whatever collection it finds.
    return list(cast("Iterable[Any]", value)) if isinstance(value, tuple) else value


def _fields(wanted: Any, texts: dict[str, str]) -> Iterator[FieldListing]:
    for field in fields_of(wanted):
        if field.init:
            secure = field.metadata.get(MARK) == SECURE[MARK]
            default = _default_text(field.default)
            yield FieldListing(
                name=field.argument,
                type=type_text(field.type),
                required=field.default is attrs.NOTHING,
                default=HIDDEN if secure and default is not None else default,
                secure=secure,
                description=texts.get(field.name, ""),
            )


def _default_text(default: Any) -> str | None:
    if default is attrs.NOTHING:
        return None
    if isinstance(default, _FACTORY):
        made: Any = default
        factory = get_origin(made.factory) or made.factory  # list for list[str]
        return next((text for usual, text in USUAL if usual is factory), None)
    # Python's own repr of a member is no text that could be written in a plan.
    if isinstance(default, enum.Enum):
        return f"{type(default).__name__}.{default.name}"
    try:
        text = repr(default)
    except Exception as error:
        return f"<{type_text(type(default))}, whose repr raises {error!r}>"
    return text if len(text) <= LONGEST_DEFAULT else text[:LONGEST_DEFAULT] + "..."
