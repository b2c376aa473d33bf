"""Read and check the answers of hooks, and take them apart into items."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import attrs

from .._protocols.observer import Observer
from .._protocols.plugin import AnyPlugin
from .._values.annotations import type_text
from .registration import is_plugin_name, not_a_plugin, registration_faults

_SCHEME = re.compile(r"[a-z][a-z0-9_]+")
_OBSERVER = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")

OBSERVERS = ".observers"
"""What the name of an entry point ends with that each run looks at."""


class PackageError(Exception):
    """A package cannot be used; the message says why."""


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
        if not self.item and not self.entry_point:
            return f"package {package}: {self.reason}"
        source = f" of {package}" if package else ""
        what = self.item or f"entry point {self.entry_point!r}"
        return f"{what}{source}: {self.reason}"


@attrs.frozen
class Source:
    """Where something comes from: an entry point of a distribution."""

    package: str
    version: str
    entry_point: str
    is_core: bool = False
    plugin_api: int | None = None
    summary: str = ""

    def __str__(self) -> str:
        return f"{self.package} {self.version}"

    def left_out(
        self, reason: str, *, item: str = "", deliberate: bool = False
    ) -> LeftOut:
        """Say that this, or one item of it, cannot be used."""
        return LeftOut(
            package=self.package,
            version=self.version,
            entry_point=self.entry_point,
            reason=reason,
            item=item,
            deliberate=deliberate,
        )


@attrs.define
class Item:
    """One thing that a package brings.

    Attributes:
        kind: What it is, for people: ``plugin``, ``vault`` ...
        name: Its name, or scheme; ``""`` for one that it cannot lay claim to.
        value: The thing itself.
        source: Where it comes from.
        fault: Why it cannot be used; None when it can.
    """

    kind: str
    name: str
    value: Any
    source: Source
    fault: str | None = None

    @property
    def claim(self) -> tuple[str, str]:
        """What it lays claim to: an engine and a vault have their schemes in common."""
        return "vault" if self.kind == "engine" else self.kind, self.name

    @property
    def label(self) -> str:
        """Its kind and name, for people."""
        return f"{self.kind} {self.name or type_text(type(self.value))}"


def read_answer(hook: str, answer: object, source: Source) -> list[Item]:
    """A package's answer to a hook, as items.

    Raises:
        PackageError: It is not what the hook is to return.
    """
    if inspect.iscoroutine(answer):
        answer.close()  # or Python warns that nobody awaited it
        message = (
            f"its {hook} is written `async def`: write `def`, as hooks only declare"
        )
        raise PackageError(message)
    if answer is None:
        message = (
            f"its {hook} returned None: is a `return` missing? To add nothing, return"
            " an empty list"
        )
        raise PackageError(message)
    try:
        return list(_READERS[hook](answer, source))
    except PackageError as wrong:
        message = f"its {hook} {wrong}"
        raise PackageError(message) from None


def _read_plugins(answer: object, source: Source) -> Iterator[Item]:
    for value in _iterated(answer, "plugins"):
        wrong = not_a_plugin(value)
        if wrong is not None:
            message = f"returned something that is no plugin: {wrong}"
            raise PackageError(message)
        plugin: AnyPlugin = value
        name: object = getattr(plugin, "name", "")
        realm = "workstream" if source.is_core else source.entry_point
        faults = registration_faults(plugin, entry_point=realm)
        # A name in another package's realm must not keep that package from its plugin.
        ours = str(name).partition(".")[0] == realm
        claimed = str(name) if is_plugin_name(name) and ours else ""
        yield Item("plugin", claimed, plugin, source, "; ".join(faults) or None)


def _read_observers(answer: object, source: Source) -> Iterator[Item]:
    realm, dot, _ = source.entry_point.rpartition(OBSERVERS)
    if not dot:
        message = (
            f"stands behind the entry point {source.entry_point!r}, which runs need not"
            f" look at: give it one named '{source.entry_point}{OBSERVERS}'"
        )
        raise PackageError(message)
    for value in _iterated(answer, "observers"):
        name: object = getattr(value, "name", None)
        observe: object = getattr(value, "observe", None)
        if not isinstance(value, Observer) or not callable(observe):
            message = f"returned {_shown(value)}, which is no instance of an Observer"
            raise PackageError(message)
        if inspect.iscoroutinefunction(observe):
            message = (
                f"returned {_shown(value)}, whose observe is written `async def`: write"
                " `def`, as it is called in a thread"
            )
            raise PackageError(message)
        fault = None
        if not isinstance(name, str) or not _OBSERVER.fullmatch(name):
            fault = (
                f"its name is {name!r}: write lower-case letters, digits, '_' and '-', in"
                " one or more parts joined by '.'"
            )
        elif name != realm and not name.startswith(realm + "."):
            fault = (
                f"its name {name!r} must be {realm!r} or begin with '{realm}.', after"
                " the entry point that it came by"
            )
        claimed = "" if fault else str(name)
        yield Item("observer", claimed, value, source, fault)


def _read_commands(answer: object, source: Source) -> Iterator[Item]:
    import click

    for command in _iterated(answer, "click commands"):
        if not isinstance(command, click.Command) or not command.name:
            message = f"returned {command!r}, which is no click command with a name"
            raise PackageError(message)
        yield Item("command", command.name, command, source)


def _reader_of_schemes(
    kind: str, example: str
) -> Callable[[object, Source], Iterator[Item]]:
    def read(answer: object, source: Source) -> Iterator[Item]:
        if not isinstance(answer, Mapping):
            message = (
                f"returned {_shown(answer)}: it is to return a mapping of schemes to"
                f" functions, such as {{'acme': {example}}}"
            )
            raise PackageError(message)
        for scheme, function in cast("Mapping[object, object]", answer).items():
            if not isinstance(scheme, str) or not _SCHEME.fullmatch(scheme):
                message = (
                    f"gives a {kind} the scheme {scheme!r}: a scheme is a lower-case"
                    " letter, and one or more lower-case letters, digits or '_'"
                )
                raise PackageError(message)
            if not callable(function):
                message = (
                    f"gives the scheme {scheme!r} no function but {_shown(function)}"
                )
                raise PackageError(message)
            yield Item(kind, scheme, function, source)

    return read


def _iterated(answer: Any, what: str) -> Iterator[Any]:
    iterable = cast("Iterable[object]", answer)
    # A text can be gone through too, and a mapping: neither is what was meant.
    if not isinstance(answer, Iterable) or isinstance(answer, str | bytes | Mapping):
        message = f"returned {_shown(iterable)}: it is to return a list of {what}"
        raise PackageError(message)
    yield from iterable


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


_READERS: dict[str, Callable[[Any, Source], Iterator[Item]]] = {
    "workstream_commands": _read_commands,
    "workstream_engines": _reader_of_schemes("engine", "AcmeCluster"),
    "workstream_observers": _read_observers,
    "workstream_plugins": _read_plugins,
    "workstream_secret_resolvers": _reader_of_schemes("secret resolver", "read_secret"),
    "workstream_vaults": _reader_of_schemes("vault", "AcmeVault"),
}

HOOKS: tuple[str, ...] = tuple(_READERS)
"""The hooks there are, in order."""
