"""What is installed, as plain data: the answer of ``workstream plugins``."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import types
from collections.abc import Iterable, Iterator
from typing import Any, cast, get_type_hints

import attrs

from .._plan.secret_refs import HIDDEN, MARK, SECURE
from .._protocols.plugin import AnyPlugin, CheckPlugin, can_preview, request_types
from .._values.type_arguments import type_text

__all__ = [
    "FieldListing",
    "LeftOut",
    "Listing",
    "PackageListing",
    "PluginListing",
    "RequestListing",
    "describe_plugin",
]

LONGEST_DEFAULT = 200
USUAL: tuple[tuple[object, str], ...] = (
    (list, "[]"),
    (dict, "{}"),
    (tuple, "()"),
    (set, "set()"),
)
"""What the usual factories of defaults make; others are not called for a listing."""

_FACTORY: Any = attrs.Factory


@attrs.frozen(kw_only=True)
class LeftOut:
    """Something installed that cannot be used.

    Attributes:
        package: The distribution it comes from; ``""`` when there is none.
        version: The distribution's version.
        entry_point: The name of the entry point.
        reason: Why, and what to do about it.
        item: The one thing that was left out, such as ``plugin acme.copy``; ``""``
            when it is all that the entry point brings.
        deliberate: Whether it was left out because ``WORKSTREAM_PLUGINS`` says so,
            which is no trouble.
    """

    package: str
    version: str
    entry_point: str
    reason: str
    item: str = ""
    deliberate: bool = False

    def __str__(self) -> str:
        package = f"{self.package} {self.version}".strip()
        source = f" of {package}" if package else ""
        what = self.item or f"entry point {self.entry_point!r}"
        return f"{what}{source}: {self.reason}"


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
    """

    name: str
    type: str
    required: bool
    default: str | None
    secure: bool


@attrs.frozen(kw_only=True)
class RequestListing:
    """One type of request that a plugin serves."""

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
    """

    name: str
    kind: str
    description: str
    requests: tuple[RequestListing, ...]
    response: str
    in_dry_run: bool = False


@attrs.frozen(kw_only=True)
class PackageListing:
    """What one entry point brings; the names in order.

    Attributes:
        package: The distribution.
        version: The distribution's version.
        entry_point: The entry point's name; ``""`` for workstream itself.
        hooks: The hooks it implements.
        plugins: Its plugins that can be used.
        vaults: The schemes of its stores.
        secret_resolvers: The schemes of its secret resolvers.
        commands: Its subcommands.
        plugin_api: The version of the plugin API that it was made for; None when it
            does not say.
    """

    package: str
    version: str
    entry_point: str
    hooks: tuple[str, ...]
    plugins: tuple[PluginListing, ...]
    vaults: tuple[str, ...]
    secret_resolvers: tuple[str, ...]
    commands: tuple[str, ...]
    plugin_api: int | None = None


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
    return PluginListing(
        name=plugin.name,
        kind="check" if plugin.is_check else "action",
        description=_first_paragraph(type(plugin)),
        requests=tuple(
            RequestListing(
                type=type_text(request_type),
                description=_first_paragraph(request_type),
                fields=tuple(_fields(request_type)),
            )
            for request_type in request_types(plugin)
            if request_type is not types.NoneType
        ),
        response=type_text(plugin.response_type),
        in_dry_run=(
            plugin.safe_in_preview
            if isinstance(plugin, CheckPlugin)
            else can_preview(plugin)
        ),
    )


def _as_list(_: object, __: object, value: Any) -> Any:
    # JSON has no tuples, and asdict keeps whatever collection it finds.
    return list(cast("Iterable[Any]", value)) if isinstance(value, tuple) else value


def _first_paragraph(cls: type) -> str:
    # Not inspect.getdoc: a class without a docstring would answer with its base's.
    doc = inspect.cleandoc(vars(cls).get("__doc__") or "")
    # A dataclass without one gets its signature.
    if doc.startswith(f"{cls.__name__}("):
        return ""
    return " ".join(doc.partition("\n\n")[0].split())


def _fields(cls: type) -> Iterator[FieldListing]:
    return _attrs_fields(cls) if attrs.has(cls) else _dataclass_fields(cls)


def _attrs_fields(cls: type[attrs.AttrsInstance]) -> Iterator[FieldListing]:
    hints = get_type_hints(cls)
    for field in attrs.fields(cls):
        default: Any = field.default
        # The stubs say that Factory is a function; getattr spares the argument.
        factory: object = getattr(default, "factory", None)
        computed = isinstance(default, _FACTORY)
        if field.init:
            yield _field(
                field.alias or field.name,
                hints.get(field.name, field.type),
                required=default is attrs.NOTHING,
                default=_made(factory) if computed else _default_text(default),
                secure=field.metadata.get(MARK) == SECURE[MARK],
            )


def _dataclass_fields(cls: Any) -> Iterator[FieldListing]:
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        factory: object = field.default_factory
        computed = factory is not dataclasses.MISSING
        if field.init:
            yield _field(
                field.name,
                hints.get(field.name, field.type),
                required=field.default is dataclasses.MISSING and not computed,
                default=_made(factory) if computed else _default_text(field.default),
                secure=field.metadata.get(MARK) == SECURE[MARK],
            )


def _field(
    name: str, annotation: Any, *, required: bool, default: str | None, secure: bool
) -> FieldListing:
    if required:
        default = None
    elif secure and default is not None:
        default = HIDDEN
    return FieldListing(
        name=name,
        type=type_text(annotation),
        required=required,
        default=default,
        secure=secure,
    )


def _made(factory: object) -> str | None:
    return next((text for usual, text in USUAL if usual is factory), None)


def _default_text(default: object) -> str:
    # Python's own repr of a member is no text that could be written in a plan.
    if isinstance(default, enum.Enum):
        return f"{type(default).__name__}.{default.name}"
    try:
        text = repr(default)
    except Exception as error:
        return f"<{type_text(type(default))}, whose repr raises {error!r}>"
    return text if len(text) <= LONGEST_DEFAULT else text[:LONGEST_DEFAULT] + "..."
