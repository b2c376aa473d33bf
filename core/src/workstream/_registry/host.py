"""Finding what is installed: the host of plugin packages (architecture, idea 5).

The rule that this module keeps: *one broken package never stops the host*. Every
package is strangers' code that runs at import and in its hooks, so each step of each
package is fenced by itself, and what goes wrong becomes a ``LeftOut`` with a reason.

pluggy's own loader does not do that: it stops at the first entry point that fails, and
it calls a hook in all packages at once, so that one exception loses the answers of all.
Therefore the loader here is our own, and gives each package a pluggy manager of its
own: what is refused leaves no trace, and every hook is called package by package.

Nobody else in workstream touches pluggy: ``Host`` has one method for each hook.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.metadata
import inspect
import os
import re
import traceback
from collections.abc import Generator, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs
import pluggy

from .. import hookspecs
from .._protocols.plugin import PLUGIN_API, AnyPlugin
from .._secrets.lookups import SecretResolver
from ..hookspecs import VaultFactory
from .hook_answers import HOOKS, Item, PackageError, Source, read_answer
from .listing import LeftOut, Listing, PackageListing, describe_plugin

if TYPE_CHECKING:
    import click

GROUP = "workstream"
"""The entry-point group."""
ALLOW_LIST = "WORKSTREAM_PLUGINS"
"""The environment variable that lists the distributions to let in, by commas."""
CORE = "workstream-engine"
UNKNOWN = "unknown"

PREFIX = "workstream_"
API_ATTRIBUTE = "workstream_plugin_api"
"""Where a package's module says which version of the plugin API it was made for."""
OLDEST_API = 1
"""The oldest version whose packages still work."""


@contextlib.contextmanager
def _fence(what: str) -> Generator[None, None, None]:
    """Turn whatever strangers' code raises into a reason to leave its package out."""
    try:
        yield
    except (KeyboardInterrupt, PackageError):
        raise
    # SystemExit too: a package that ends its program must not end ours.
    except BaseException as error:
        message = f"{what}: {_failure(error)}"
        raise PackageError(message) from error


class Host:
    """What is installed and can be used, and what was left out. Made by ``discover``."""

    def __init__(
        self,
        sources: Iterable[tuple[Source, tuple[str, ...]]],
        items: Iterable[Item],
        left_out: Iterable[LeftOut],
    ) -> None:
        self._sources = list(sources)
        self._items = list(items)
        self._left_out = tuple(left_out)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What cannot be used, and why; what the allow-list keeps out included."""
        return self._left_out

    @property
    def unusable(self) -> Mapping[str, str]:
        """Why a plugin that is installed cannot be used, by the plugin's name."""
        return MappingProxyType(
            {
                item.name: item.fault
                for item in self._items
                if item.kind == "plugin" and item.fault is not None and item.name
            }
        )

    @property
    def missing(self) -> Mapping[str, str]:
        """Why a package brings nothing at all, by its entry point's name.

        So much is known of plugins that nobody has seen: their names begin with it.
        """
        return MappingProxyType(
            {
                left_out.entry_point: (
                    f"its package {left_out.package} {left_out.version} was left out:"
                    f" {left_out.reason}"
                )
                for left_out in self._left_out
                if left_out.package and left_out.entry_point and not left_out.item
            }
        )

    def plugins(self) -> list[AnyPlugin]:
        """The answers to ``workstream_plugins``."""
        return list(self._usable("plugin").values())

    def vaults(self) -> Mapping[str, VaultFactory]:
        """The answers to ``workstream_vaults``, by scheme."""
        return self._usable("vault")

    def secret_resolvers(self) -> Mapping[str, SecretResolver]:
        """The answers to ``workstream_secret_resolvers``, by scheme."""
        return self._usable("secret resolver")

    def commands(self) -> Mapping[str, click.Command]:
        """The answers to ``workstream_commands``, by name."""
        return self._usable("command")

    def listing(self) -> Listing:
        """Everything as plain data, for people and for JSON."""
        return Listing(
            packages=tuple(
                self._package_listing(source, hooks) for source, hooks in self._sources
            ),
            left_out=self._left_out,
        )

    def _usable(self, kind: str, source: Source | None = None) -> dict[str, Any]:
        return {
            item.name: item.value
            for item in self._items
            if item.kind == kind
            and item.fault is None
            and (source is None or item.source is source)
        }

    def _package_listing(
        self, source: Source, hooks: tuple[str, ...]
    ) -> PackageListing:
        return PackageListing(
            package=source.package,
            version=source.version,
            entry_point=source.entry_point,
            hooks=hooks,
            plugins=tuple(
                describe_plugin(plugin)
                for plugin in self._usable("plugin", source).values()
            ),
            vaults=tuple(self._usable("vault", source)),
            secret_resolvers=tuple(self._usable("secret resolver", source)),
            commands=tuple(self._usable("command", source)),
            plugin_api=source.plugin_api,
            summary=source.summary,
        )


def discover(
    *, packages: bool = True, environment: Mapping[str, str] = os.environ
) -> Host:
    """Find what is installed. Nothing that is broken makes it fail.

    Args:
        packages: Whether plugin packages are looked for and imported; without, only
            what workstream brings itself is there.
        environment: Where ``WORKSTREAM_PLUGINS`` is looked up. Unset, every package is
            let in; otherwise the distributions that it names, separated by commas.
    """
    finding = _Finding()
    finding.take_core()
    if packages:
        finding.take_packages(_allowed(environment.get(ALLOW_LIST)))
    return finding.host()


def _allowed(setting: str | None) -> dict[str, str] | None:
    """The distributions let in, by their names in normal form; None: all."""
    if setting is None:
        return None
    names = [name.strip() for name in setting.split(",") if name.strip()]
    return {_normal(name): name for name in names}


def _normal(package: str) -> str:
    """The name of a distribution, as all ways of writing it have it in common."""
    return re.sub(r"[-_.]+", "-", package).lower()


def _meant(normal: str, sources: list[Source]) -> list[str]:
    """The distributions that a name which none has may mean."""
    by_entry_point = [each.package for each in sources if each.entry_point == normal]
    packages = {_normal(each.package): each.package for each in sources}
    nearest = difflib.get_close_matches(normal, packages)
    return by_entry_point or [packages[each] for each in nearest]


class _Finding:
    """One discovery under way."""

    def __init__(self) -> None:
        self._sources: list[tuple[Source, tuple[str, ...]]] = []
        self._items: list[Item] = []
        self._left_out: list[LeftOut] = []

    def host(self) -> Host:
        self._settle_conflicts()
        for item in self._items:
            if item.fault is not None:
                self._left_out.append(item.source.left_out(item.fault, item=item.label))
        # A name that one package brings twice is two items, and one thing to be told.
        return Host(self._sources, self._items, dict.fromkeys(self._left_out))

    def take_core(self) -> None:
        """Take what workstream brings itself. No fence: a fault there is a bug."""
        from .. import _builtin

        try:
            found = _identity(importlib.metadata.distribution(CORE))
        except importlib.metadata.PackageNotFoundError:
            found = _identity(None)  # run from its sources, without being installed
        core = Source(
            CORE,
            found["Version"],
            "",
            is_core=True,
            plugin_api=PLUGIN_API,
            summary=found["Summary"],
        )
        self._take(core, _builtin)

    def take_packages(self, allowed: dict[str, str] | None) -> None:
        """Take every package that the allow-list lets in, each fenced by itself."""
        found = list(self._entry_points())
        for source, entry_point in found:
            if allowed is not None and _normal(source.package) not in allowed:
                reason = f"{ALLOW_LIST} is set and does not name {source.package}"
                self._left_out.append(source.left_out(reason, deliberate=True))
                continue
            try:
                module = _loaded(entry_point)
                api = _api_of(module)
                self._take(attrs.evolve(source, plugin_api=api), module)
            except PackageError as error:
                self._left_out.append(source.left_out(str(error)))
        known = {_normal(source.package): source for source, _ in found}
        for normal, name in (allowed or {}).items():
            if normal not in known:
                reason = (
                    f"{ALLOW_LIST} names it, but no installed package of this name has"
                    f" plugins{_or(_meant(normal, list(known.values())))}"
                )
                self._left_out.append(Source(name, "", "").left_out(reason))

    def _entry_points(
        self,
    ) -> Iterator[tuple[Source, importlib.metadata.EntryPoint]]:
        try:
            found = list(importlib.metadata.entry_points(group=GROUP))
        except Exception:
            # A single unreadable distribution, whoever's it is, hides all others. Only
            # then look through them one by one: it reads every package's metadata.
            found = self._entry_points_one_by_one()
        for entry_point in sorted(found, key=lambda each: (each.name, each.value)):
            yield _source(entry_point), entry_point

    def _entry_points_one_by_one(self) -> list[importlib.metadata.EntryPoint]:
        found: list[importlib.metadata.EntryPoint] = []
        seen: set[str] = set()
        for distribution in importlib.metadata.distributions():
            identity = _identity(distribution)
            name, version = identity["Name"], identity["Version"]
            normal = _normal(name)
            if normal in seen:
                continue  # hidden by the one that comes first on the path
            if name != UNKNOWN:
                seen.add(normal)
            try:
                found.extend(distribution.entry_points.select(group=GROUP))
            except Exception as error:
                reason = f"its entry points cannot be read: {_failure(error)}"
                self._left_out.append(Source(name, version, "").left_out(reason))
        return found

    def _take(self, source: Source, module: object) -> None:
        """Take all that a package brings, or raise and take nothing of it."""
        manager = _manager()
        with _fence("its hooks cannot be read"):
            hooks = _checked_hooks(module, manager)
            manager.register(module)
        items: list[Item] = []
        for hook in hooks:
            with _fence(f"its {hook} failed"):
                # One implementation, so one answer; of None pluggy makes no answer.
                [answer] = getattr(manager.hook, hook)() or [None]
                items.extend(read_answer(hook, answer, source))
        self._sources.append((source, hooks))
        self._items.extend(items)

    def _settle_conflicts(self) -> None:
        """Let a name that several packages give be usable from none of them."""
        claims: dict[tuple[str, str], list[Item]] = {}
        for item in self._items:
            if item.name:
                claims.setdefault((item.kind, item.name), []).append(item)
        for (kind, name), items in claims.items():
            if len(items) == 1:
                continue
            if items[0].source.is_core:
                for item in items[1:]:
                    item.fault = f"workstream itself has a {kind} {name!r}: rename it"
                continue
            packages = list(dict.fromkeys(str(item.source) for item in items))
            if len(packages) == 1:
                fault = f"{packages[0]} brings two {kind}s {name!r}: rename one"
            else:
                fault = (
                    f"{' and '.join(packages)} each bring a {kind} {name!r}: uninstall"
                    " all but one of them"
                )
                fault += f", or let in only one by {ALLOW_LIST}"
            for item in items:
                item.fault = fault


class _PluginManager(pluggy.PluginManager):
    """One that runs no properties to find hooks, as pluggy itself does before 1.7."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        if not inspect.isroutine(inspect.getattr_static(plugin, name, None)):
            return None
        return super().parse_hookimpl_opts(plugin, name)


def _manager() -> pluggy.PluginManager:
    manager = _PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    return manager


def _loaded(entry_point: importlib.metadata.EntryPoint) -> object:
    with _fence(f"{entry_point.value!r} cannot be loaded"):
        return entry_point.load()


def _api_of(module: object) -> int | None:
    """The version of the plugin API that a package says it was made for (None: none).

    Asked before its hooks, so that a package from the future is told to be one, and not
    to have hooks that do not exist.
    """
    # Found without running properties: they are strangers' code too.
    version = inspect.getattr_static(module, API_ATTRIBUTE, None)
    if version is None:
        return None
    if type(version) is not int or version < 1:
        message = (
            f"its {API_ATTRIBUTE} is {version!r}: it is to be the plain number of the"
            f" version that it was made for, such as {PLUGIN_API}"
        )
        raise PackageError(message)
    if version > PLUGIN_API:
        message = (
            f"it was made for version {version} of the plugin API, and this workstream"
            f" has version {PLUGIN_API}: update {CORE}, or install an older version of"
            " the package"
        )
        raise PackageError(message)
    if version < OLDEST_API:
        message = (
            f"it was made for version {version} of the plugin API, and this workstream"
            f" works with versions {OLDEST_API} to {PLUGIN_API}: update the package"
        )
        raise PackageError(message)
    return version


def _source(entry_point: importlib.metadata.EntryPoint) -> Source:
    found = _identity(entry_point.dist)
    return Source(
        found["Name"], found["Version"], entry_point.name, summary=found["Summary"]
    )


def _identity(
    distribution: importlib.metadata.Distribution | None,
) -> dict[str, str]:
    """What a distribution, whose metadata may be broken, says that it is."""
    found = {"Name": UNKNOWN, "Version": UNKNOWN, "Summary": ""}
    if distribution is not None:
        with contextlib.suppress(Exception):
            metadata = distribution.metadata
            found.update({key: metadata[key] for key in found if key in metadata})
    return found


def _checked_hooks(module: object, manager: pluggy.PluginManager) -> tuple[str, ...]:
    """The hooks that the module implements, in order; or raise for what is no hook."""
    hooks: list[str] = []
    faults: list[str] = []
    for attribute in dir(module):
        options = manager.parse_hookimpl_opts(module, attribute)
        if options is None:
            # Found without running properties: they are strangers' code too.
            value = inspect.getattr_static(module, attribute, None)
            if attribute.startswith(PREFIX) and inspect.isroutine(value):
                if attribute in HOOKS:
                    faults.append(
                        f"{attribute} is not marked: write @workstream.hookimpl above it"
                    )
                else:
                    faults.append(_unknown_hook(attribute))
            continue
        hook = options.get("specname") or attribute
        strange = _strange_arguments(module, attribute, hook)
        if hook not in HOOKS:
            faults.append(_unknown_hook(hook))
        elif options.get("wrapper") or options.get("hookwrapper"):
            faults.append(
                f"{hook} is a wrapper: each package is asked by itself, so there is"
                " nothing to wrap"
            )
        elif strange:
            faults.append(
                f"{hook} asks for {' and '.join(strange)}, which workstream's"
                " does not have"
            )
        else:
            hooks.append(hook)
    if not hooks and not faults:
        faults.append(
            "it implements no hook: mark its workstream_plugins with"
            " @workstream.hookimpl, or mend the entry point"
        )
    if faults:
        raise PackageError("; ".join(faults))
    return tuple(hooks)


def _strange_arguments(module: object, attribute: str, hook: str) -> list[str]:
    """The arguments of an implementation that the hook's specification lacks."""
    spec = getattr(hookspecs, hook, None)
    offered: set[str] = (
        set(inspect.signature(spec).parameters) if spec is not None else set()
    )
    wanted = inspect.signature(getattr(module, attribute)).parameters
    return [
        repr(name)
        for name, parameter in wanted.items()
        # pluggy passes what is asked for by position; the rest has its defaults.
        if parameter.default is parameter.empty and name not in offered
    ]


def _unknown_hook(name: str) -> str:
    # Without what all of them share, or all would be alike.
    endings = {hook.removeprefix(PREFIX): hook for hook in HOOKS}
    nearest = difflib.get_close_matches(name.removeprefix(PREFIX), endings)
    return (
        f"workstream has no hook {name}{_or([endings[each] for each in nearest])};"
        f" names that start with {PREFIX} are reserved for hooks"
    )


def _or(nearest: list[str]) -> str:
    return f" (did you mean {' or '.join(nearest)}?)" if nearest else ""


def _failure(error: BaseException) -> str:
    """What went wrong in strangers' code, and where, in one line."""
    try:
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
    except Exception:
        text = type(error).__name__
    machinery = tuple(
        os.path.dirname(file) + os.sep
        for file in (__file__, importlib.__file__, pluggy.__file__)
        if file
    )
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if not frame.filename.startswith(("<frozen", *machinery)):
            place = f" (at {frame.filename}:{frame.lineno})"
    return " ".join(text.split()) + place
