"""Finding what is installed: the host of plugin packages (architecture, idea 5).

Each package is read by itself (``_registry.packages``); a broken one becomes a ``LeftOut``
with a reason. ``Host`` has one method for each hook.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib.metadata
import os
import re
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError
from typing import TYPE_CHECKING, Any

import attrs

from .._protocols.observer import Observer
from .._protocols.plugin import PLUGIN_API, AnyPlugin
from .._secrets.lookups import SecretResolver
from ..hookspecs import EngineFactory, VaultFactory
from .hook_answers import OBSERVERS, Item, LeftOut, PackageError, Source
from .packages import CORE, GROUP, api_of, failure_text, loaded, meant, read_package

if TYPE_CHECKING:
    import click

    from .listing import Listing

ALLOW_LIST = "WORKSTREAM_PLUGINS"
"""The environment variable that lists the distributions to let in, by commas."""
TOLD = "WORKSTREAM_OBSERVERS"
"""The environment variable that lists the observers that are told, by commas."""
UNKNOWN = "unknown"


class Host:
    """The installed packages: those in use, and those left out. ``discover`` makes it."""

    def __init__(
        self,
        *,
        packages: bool,
        only: Collection[str] | None,
        environment: Mapping[str, str],
    ) -> None:
        """Find what is installed; see ``discover``."""
        told = environment.get(TOLD)
        self._told = None if told is None else {n.strip() for n in told.split(",")}
        self._sources: list[tuple[Source, tuple[str, ...]]] = []
        self._items: list[Item] = []
        self._left_out: list[LeftOut] = []
        self._take_core()
        if packages:
            self._take_packages(_allowed(environment.get(ALLOW_LIST)), only)
        self._settle_conflicts()
        for item in self._items:
            if item.fault is not None:
                self._left_out.append(item.source.left_out(item.fault, item=item.label))

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The packages left out, and why; those that the allow-list keeps out included."""
        # A name that one package brings twice is two items, and one thing to be told.
        return tuple(dict.fromkeys(self._left_out))

    @property
    def unusable(self) -> Mapping[str, str]:
        """Why a plugin that is installed cannot be used, by the plugin's name."""
        return {
            item.name: item.fault
            for item in self._items
            if item.kind == "plugin" and item.fault is not None and item.name
        }

    @property
    def missing(self) -> Mapping[str, str]:
        """Why a package brings nothing at all, by its entry point's name.

        So much is known of plugins that nobody has seen: their names begin with it.
        """
        return {
            each.entry_point: f"its package {each.package} {each.version} was left"
            f" out: {each.reason}"
            for each in self.left_out
            if each.package and each.entry_point and not each.item
        }

    def plugins(self) -> list[AnyPlugin]:
        """The answers to ``workstream_plugins``."""
        return list(self._usable("plugin").values())

    def vaults(self) -> Mapping[str, VaultFactory]:
        """The answers to ``workstream_vaults``, by scheme."""
        return self._usable("vault")

    def engines(self) -> Mapping[str, EngineFactory]:
        """The answers to ``workstream_engines``, by scheme."""
        return self._usable("engine")

    def secret_resolvers(self) -> Mapping[str, SecretResolver]:
        """The answers to ``workstream_secret_resolvers``, by scheme."""
        return self._usable("secret resolver")

    def observers(self) -> list[Observer]:
        """The answers to ``workstream_observers``, of those that are to be told."""
        found = self._usable("observer")
        return [
            observer
            for name, observer in found.items()
            if self._told is None or name in self._told
        ]

    def commands(self) -> Mapping[str, click.Command]:
        """The answers to ``workstream_commands``, by name."""
        return self._usable("command")

    def listing(self) -> Listing:
        """Everything as plain data, for people and for JSON."""
        # A run has no use for it.
        from .listing import Listing, PackageListing, describe_plugin

        packages = [
            PackageListing(
                package=source.package,
                version=source.version,
                entry_point=source.entry_point,
                hooks=hooks,
                plugins=tuple(
                    describe_plugin(plugin)
                    for plugin in self._usable("plugin", source).values()
                ),
                vaults=tuple(self._usable("vault", source)),
                engines=tuple(self._usable("engine", source)),
                secret_resolvers=tuple(self._usable("secret resolver", source)),
                commands=tuple(self._usable("command", source)),
                observers=tuple(self._usable("observer", source)),
                plugin_api=source.plugin_api,
                summary=source.summary,
            )
            for source, hooks in self._sources
        ]
        return Listing(packages=tuple(packages), left_out=self.left_out)

    def _usable(self, kind: str, source: Source | None = None) -> dict[str, Any]:
        return {
            item.name: item.value
            for item in self._items
            if item.kind == kind
            and item.fault is None
            and (source is None or item.source is source)
        }

    # --- finding them ----------------------------------------------------------------

    def _take_core(self) -> None:
        """Take what workstream brings itself. No fence: a fault there is a bug."""
        from .. import _builtin

        found: Distribution | None = None
        with contextlib.suppress(PackageNotFoundError):  # run from its sources
            found = importlib.metadata.distribution(CORE)
        source = attrs.evolve(_source(found, ""), package=CORE, is_core=True)
        self._take(source, _builtin, PLUGIN_API)

    def _take_packages(
        self, allowed: dict[str, str] | None, only: Collection[str] | None
    ) -> None:
        """Take every package that the allow-list lets in, each fenced by itself."""
        # With an allow-list all are looked at: it may name a package that is not there.
        found = list(self._entry_points(only if allowed is None else None))
        for source, entry_point in found:
            if not _is_wanted(entry_point, only):
                continue
            if allowed is not None and _normal(source.package) not in allowed:
                reason = f"{ALLOW_LIST} is set and does not name {source.package}"
                self._left_out.append(source.left_out(reason, deliberate=True))
                continue
            try:
                module = loaded(entry_point)
                self._take(source, module, api_of(module))
            except PackageError as error:
                self._left_out.append(source.left_out(str(error)))
        known = {_normal(source.package): source for source, _ in found}
        for normal, name in (allowed or {}).items():
            if normal not in known:
                reason = (
                    f"{ALLOW_LIST} names it, but no installed package of this name has"
                    f" plugins{meant(_nearest(normal, list(known.values())))}"
                )
                self._left_out.append(Source(name, "", "").left_out(reason))

    def _entry_points(
        self, only: Collection[str] | None
    ) -> Iterator[tuple[Source, EntryPoint]]:
        try:
            found = list(importlib.metadata.entry_points(group=GROUP))
        except Exception:
            # A single unreadable distribution, whoever's it is, hides all others. Only
            # then look through them one by one: it reads every package's metadata.
            found = self._entry_points_one_by_one()
        # To know the name of a distribution all of its metadata is parsed.
        wanted = [each for each in found if _is_wanted(each, only)]
        pairs = [(_source(each.dist, each.name), each) for each in wanted]
        # Of two with one name, not the disk's order decides.
        pairs.sort(key=lambda pair: (pair[1].name, pair[1].value, pair[0].package))
        yield from pairs

    def _entry_points_one_by_one(self) -> list[EntryPoint]:
        found: list[EntryPoint] = []
        seen: set[str] = set()
        for distribution in importlib.metadata.distributions():
            source = _source(distribution, "")
            normal = _normal(source.package)
            if normal in seen:
                continue  # hidden by the one that comes first on the path
            if source.package != UNKNOWN:
                seen.add(normal)
            try:
                found.extend(distribution.entry_points.select(group=GROUP))
            except Exception as error:
                reason = f"its entry points cannot be read: {failure_text(error)}"
                self._left_out.append(source.left_out(reason))
        return found

    def _take(self, source: Source, module: object, api: int | None) -> None:
        """Take all that a package brings, or raise and take nothing of it."""
        source = attrs.evolve(source, plugin_api=api)
        hooks, items = read_package(source, module)
        self._sources.append((source, hooks))
        self._items += items

    def _settle_conflicts(self) -> None:
        """Let a name that several packages give be usable from none of them."""
        claims: dict[tuple[str, str], list[Item]] = {}
        for item in self._items:
            if item.name:
                claims.setdefault(item.claim, []).append(item)
        for (_, name), items in claims.items():
            if len(items) == 1:
                continue
            kind = items[0].kind
            if items[0].source.is_core:
                for item in items[1:]:
                    item.fault = f"workstream itself has a {kind} {name!r}: rename it"
                continue
            packages = list(dict.fromkeys(str(item.source) for item in items))
            fault = (
                f"{' and '.join(packages)} each bring a {kind} {name!r}: uninstall all"
                f" but one of them, or let in only one by {ALLOW_LIST}"
            )
            if len(packages) == 1:
                fault = f"{packages[0]} brings two {kind}s {name!r}: rename one"
            for item in items:
                item.fault = fault


def discover(
    *,
    packages: bool = True,
    only: Collection[str] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Host:
    """Find what is installed. Nothing that is broken makes it fail.

    Args:
        packages: Whether plugin packages are looked for and imported; without, only
            what workstream brings itself is there.
        only: The entry points that are looked at, by name; None: all. What is left out
            so is not told of.
        environment: Where ``WORKSTREAM_PLUGINS`` is looked up. Unset, every package is
            let in; otherwise the distributions that it names, separated by commas. So
            is ``WORKSTREAM_OBSERVERS``, with the observers that are told.
    """
    return Host(packages=packages, only=only, environment=environment)


def _allowed(setting: str | None) -> dict[str, str] | None:
    """The distributions let in, by their names in normal form; None: all."""
    if setting is None:
        return None
    names = [name.strip() for name in setting.split(",") if name.strip()]
    return {_normal(name): name for name in names}


def _normal(package: str) -> str:
    """The name of a distribution, as all ways of writing it have it in common."""
    return re.sub(r"[-_.]+", "-", package).lower()


def _nearest(normal: str, sources: list[Source]) -> list[str]:
    """The distributions that a name which none has may mean."""
    by_entry_point = [each.package for each in sources if each.entry_point == normal]
    packages = {_normal(each.package): each.package for each in sources}
    nearest = difflib.get_close_matches(normal, packages)
    return by_entry_point or [packages[each] for each in nearest]


def _is_wanted(entry_point: EntryPoint, only: Collection[str] | None) -> bool:
    """Whether an entry point is to be looked at; see ``discover``."""
    name = entry_point.name
    return only is None or name in only or name.endswith(OBSERVERS)


def _source(distribution: Distribution | None, entry_point: str) -> Source:
    """The name and version of a distribution; its metadata may be broken."""
    found = {"Name": UNKNOWN, "Version": UNKNOWN, "Summary": ""}
    with contextlib.suppress(Exception):
        metadata: Any = distribution.metadata if distribution is not None else {}
        found.update({key: metadata[key] for key in found if key in metadata})
    return Source(
        found["Name"], found["Version"], entry_point, summary=found["Summary"]
    )
