"""The registry: which plugins an engine may use, by name (section 3).

Several registries stand side by side, one for each engine: give an engine only the
plugins, and only the secret resolvers, that its plans may use.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from .._protocols.observer import Observer
from .._protocols.plugin import AnyPlugin, describe
from .._secrets.lookups import CORE_RESOLVERS, SecretResolver
from .._values.errors import RegistrationError
from .registration import not_a_plugin, registration_faults

if TYPE_CHECKING:
    from .host import Host

NEAREST = 3


class Registry:
    """The plugins that an engine may use.

    ::

        registry = Registry([Copy(), Restart(token_file=path)])
        registry = Registry.installed()

    A plan names its plugins; the registry holds the configured instances. An engine
    freezes its registry; after that nothing more can be registered (REG-7).

    Args:
        plugins: To be registered at once; the faults of all are told together.
        resolvers: The secret resolvers, by scheme; by default those for ``env:``,
            ``file:`` and ``keyring:``.
        observers: Who is told what happens to the plans of an engine (OB-1).

    Raises:
        RegistrationError: A plugin cannot be registered.
    """

    def __init__(
        self,
        plugins: Iterable[AnyPlugin] = (),
        *,
        resolvers: Mapping[str, SecretResolver] | None = None,
        observers: Iterable[Observer] = (),
    ) -> None:
        self.observers: tuple[Observer, ...] = tuple(observers)
        """Who is told what happens to the plans of an engine that uses this (OB-1)."""
        self._plugins: dict[str, AnyPlugin] = {}
        self._unusable: dict[str, str] = {}
        self._missing: dict[str, str] = {}
        self._frozen = False
        self._resolvers = dict(CORE_RESOLVERS if resolvers is None else resolvers)
        refusals: list[str] = []
        for plugin in plugins:
            try:
                self.register(plugin)
            except RegistrationError as error:
                refusals.append(str(error))
        if refusals:
            raise RegistrationError("\n".join(refusals))

    @classmethod
    def installed(cls, host: Host | None = None) -> Registry:
        """A registry of the plugins of all installed packages that can be used.

        What cannot be used is left out and never an error; ``unusable`` says why, and
        ``workstream plugins`` shows it.

        Args:
            host: What was discovered; by default it is discovered now, which imports
                every plugin package.
        """
        if host is None:
            from .host import discover

            host = discover()
        registry = cls(resolvers=host.secret_resolvers(), observers=host.observers())
        # The host has found them fit, and each name only once: not looked at again.
        registry._plugins = {plugin.name: plugin for plugin in host.plugins()}
        for name, reason in host.unusable.items():
            registry.mark_unusable(name, reason)
        registry._missing = dict(host.missing)
        return registry

    def register(self, plugin: AnyPlugin) -> None:
        """Add a plugin; its name may be one that no usable plugin has.

        Raises:
            RegistrationError: All that is wrong with it, at once (REG-2), or the
                registry is frozen (REG-7). Nothing was changed.
        """
        nothing = not_a_plugin(plugin)
        if nothing is not None:
            raise RegistrationError(nothing)
        if self._frozen:
            message = (
                f"{describe(plugin)} comes too late: an engine uses this registry."
                " Register plugins before you open one, or give the plugin to a"
                " registry of its own [REG-7]"
            )
            raise RegistrationError(message)
        faults = registration_faults(plugin)
        name = getattr(plugin, "name", None)
        if name in self._plugins:
            other = self._plugins[name]
            which = "it is" if other is plugin else f"{describe(other)} is"
            faults.append(f"{which} already registered by this name [REG-2]")
        if faults:
            lines = [f"{describe(plugin)} cannot be registered:"]
            raise RegistrationError(
                "\n".join([*lines, *(f"  {fault}" for fault in faults)])
            )
        self._plugins[plugin.name] = plugin
        # A plugin given by hand stands in for installed ones that got left out.
        self._unusable.pop(plugin.name, None)

    def get(self, name: str) -> AnyPlugin | None:
        """The plugin of this name; None when there is none (REG-3).

        One whose ``init`` failed is found, so that its plans can be read; ask
        ``unusable`` whether it may be called.
        """
        return self._plugins.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all registered plugins, in the order of registration."""
        return tuple(self._plugins)

    @property
    def unusable(self) -> Mapping[str, str]:
        """Why plans that use a plugin of this name are refused, by name (REG-6).

        Its ``init`` failed, or it was left out when plugins were discovered. So is
        everything that begins with the name of a package that was left out: it can be
        asked for here, though it is not gone through, as nobody knows those names.
        """
        return _Unusable(self._unusable, self._missing, self._plugins)

    def mark_unusable(self, name: str, reason: str) -> None:
        """Refuse plans that use this plugin, also when the registry is frozen (REG-6).

        Args:
            name: The plugin's name; no plugin needs to be registered by it.
            reason: A sentence for whoever submits such a plan.
        """
        self._unusable[name] = reason

    @property
    def resolvers(self) -> Mapping[str, SecretResolver]:
        """The secret resolvers, by scheme: ``env``, ``file``, ``keyring`` ..."""
        return MappingProxyType(self._resolvers)

    def freeze(self) -> None:
        """Let no more plugins be registered (REG-7). Freezing twice is fine."""
        self._frozen = True

    @property
    def frozen(self) -> bool:
        """Whether an engine uses the registry, so that it takes no more plugins."""
        return self._frozen

    def nearest(self, name: str) -> list[str]:
        """The registered names that a mistyped one may have meant, likeliest first.

        When nothing is spelt alike, the plugins of the same package are.
        """
        spelt = {known.lower(): known for known in self._plugins}
        alike = difflib.get_close_matches(name.lower(), spelt, n=NEAREST)
        if alike:
            return [spelt[match] for match in alike]
        package = name.partition(".")[0] + "."
        return [known for known in self._plugins if known.startswith(package)][:NEAREST]

    def __iter__(self) -> Iterator[AnyPlugin]:
        return iter(self._plugins.values())

    def __len__(self) -> int:
        return len(self._plugins)

    def __contains__(self, name: object) -> bool:
        return name in self._plugins

    def __repr__(self) -> str:
        return f"<Registry of {', '.join(self._plugins) or 'no plugins'}>"


class _Unusable(Mapping[str, str]):
    """The reasons, by name, as they are when asked: see ``Registry.unusable``."""

    def __init__(
        self,
        known: Mapping[str, str],
        missing: Mapping[str, str],
        plugins: Mapping[str, AnyPlugin],
    ) -> None:
        self._known = known
        self._missing = missing
        self._plugins = plugins

    def __getitem__(self, name: str) -> str:
        if name in self._known or name in self._plugins:
            return self._known[name]
        package, dot, _ = name.partition(".")
        if not dot:
            raise KeyError(name)
        return self._missing[package]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
