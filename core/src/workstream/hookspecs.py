"""The hook specifications: all that an installed package can add to workstream.

A package names a module (or another object) under the entry-point group
``workstream`` in its ``pyproject.toml``::

    [project.entry-points.workstream]
    acme = "workstream_acme"

and in that module implements any of the hooks below, marked with ``hookimpl``::

    import workstream

    @workstream.hookimpl
    def workstream_plugins():
        return [Copy(), Restart()]

The entry point's name, here ``acme``, is the package's own: the names of its plugins
begin with it (``acme.copy``), and no other package should take it.
``WORKSTREAM_PLUGINS`` lists the distributions that are let in.

What holds for every hook:

- Hooks *declare*. They are ordinary functions, never ``async``, called at discovery,
  before anything runs; keep them, and the import of the module, quick and without side
  effects. Whatever takes time belongs in a plugin's ``init``, a factory, or a command.
- Packages are kept apart. One that cannot be imported, implements a hook that does not
  exist, asks for an argument that a hook does not have, raises in a hook, or returns
  something else than the hook is to return, is left out as a whole and reported; all
  others work. ``workstream plugins`` lists what was left out, and why.
- Names that start with ``workstream_`` are reserved for hooks, marked or not, so that a
  misspelt hook is an error and not a silence.
- A run imports only the packages whose plugins its plan names. So what every run is to
  find, observers, has an entry point of its own, whose name ends with ``.observers``.
- When packages give the same name to two things, neither can be used and both packages
  are named. What workstream itself brings keeps its names.
- A package may say which version of the plugin API it was made for, by a number beside
  its hooks: ``workstream_plugin_api = 1``. One that this workstream does not have is
  told as that, and the package is left out; ``workstream plugins --check`` looks.
- Arguments may be left out: an implementation is given those it names. Hooks can
  therefore be given more of them later without breaking anybody.
- Order, ``tryfirst`` and ``trylast`` mean nothing here, and wrappers are refused: each
  package is asked by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from pluggy import HookimplMarker, HookspecMarker

from ._protocols.hosting import HostingVault
from ._protocols.observer import Observer
from ._protocols.plugin import AnyPlugin
from ._protocols.vault import Vault
from ._secrets.lookups import SecretResolver

if TYPE_CHECKING:
    import click

__all__ = [
    "EngineFactory",
    "SecretResolver",
    "VaultFactory",
    "hookimpl",
    "hookspec",
    "workstream_commands",
    "workstream_engines",
    "workstream_observers",
    "workstream_plugins",
    "workstream_secret_resolvers",
    "workstream_vaults",
]

hookspec: HookspecMarker = HookspecMarker("workstream")
"""Marks a hook specification, as in this module."""

hookimpl: HookimplMarker = HookimplMarker("workstream")
"""Marks an implementation of a hook: ``@workstream.hookimpl``."""

VaultFactory: TypeAlias = Callable[[str], Vault]
"""Makes a vault, not yet opened, for the location that follows the scheme."""

EngineFactory: TypeAlias = Callable[[str], HostingVault]
"""Makes a store that runs its plans itself, for the location that follows the scheme."""

# The bodies below never run: pluggy reads names and arguments alone.

# --- Actions and checks ---------------------------------------------------------------


@hookspec
def workstream_plugins() -> Iterable[AnyPlugin]:
    """Add action and check plugins.

    There is one hook for both kinds: a plugin's base class says which it is, so a
    check cannot be declared as an action by mistake.

    When it runs:
        Once for each discovery: when a registry of what is installed is made
        (``Registry.installed()``), or what is installed is listed.

    What to return:
        Configured instances, in any iterable. Each name is dotted and begins with the
        entry point's name (REG-10). Their ``init`` is run later, once for each engine
        that uses them (REG-6).

    How several answers combine:
        All are registered. A name that is given twice can be used from neither package;
        their other plugins work.

    What an exception does:
        The package is left out, with all of its hooks. So it is when something that is
        no plugin is returned. A plugin that cannot be registered (REG-2) is left out
        alone, with its reason; plans that use it are refused with that reason.

    Example::

        @workstream.hookimpl
        def workstream_plugins():
            return [Copy(), Restart()]
    """
    raise NotImplementedError


# --- Stores ---------------------------------------------------------------------------


@hookspec
def workstream_vaults() -> Mapping[str, VaultFactory]:
    """Add kinds of store, each by a scheme: ``--store acme:LOCATION``.

    When it runs:
        Once for each discovery. The factory is called when such a store is opened.

    What to return:
        A mapping of schemes (such as ``acme``) to functions. Each is
        given what follows ``acme:`` and returns a vault that is not yet open: open no
        file or connection before the vault's ``open`` is awaited, and import what is
        heavy inside the function. ``workstream.testing.check_vault`` tests a vault.

    How several answers combine:
        All are known. A scheme that two packages give can be used from neither;
        ``lmdb`` and ``memory`` stay workstream's own.

    What an exception does:
        The package is left out, with all of its hooks. What a factory raises goes to
        whoever opens the store.

    Example::

        @workstream.hookimpl
        def workstream_vaults():
            return {"acme": AcmeVault}
    """
    raise NotImplementedError


@hookspec
def workstream_engines() -> Mapping[str, EngineFactory]:
    """Add stores that run their plans themselves, elsewhere: ``--engine acme:LOCATION``.

    When it runs:
        Once for each discovery. The factory is called when such a store is opened.

    What to return:
        A mapping of schemes (such as ``acme``) to functions. Each is given what follows
        ``acme:`` and returns a ``HostingVault`` that is not yet open, as a function of
        ``workstream_vaults`` does. It serves everything that looks at plans; who opens
        it runs none: ``start`` hands a plan over.

    How several answers combine:
        All are known. Engines and vaults have their schemes in common: one that two
        packages give can be used from neither.

    What an exception does:
        The package is left out, with all of its hooks. What a factory raises goes to
        whoever opens the store.

    Example::

        @workstream.hookimpl
        def workstream_engines():
            return {"acme": AcmeCluster}
    """
    raise NotImplementedError


# --- Secrets --------------------------------------------------------------------------


@hookspec
def workstream_secret_resolvers() -> Mapping[str, SecretResolver]:
    """Add places where secrets are kept, each by a scheme: ``SecretRef("acme:NAME")``.

    When it runs:
        Once for each discovery. A resolver is called just before each attempt of an
        action whose request holds such a reference, in a thread, and perhaps several
        times at once. It may wait, for a network or for a person, as long as the
        attempt's timeout; it is not interrupted then, so give it a limit of its own
        where you can (A-17).

    What to return:
        A mapping of schemes (such as ``acme``) to functions. Each is
        given what follows ``acme:`` and returns the secret. When it cannot, it raises
        an exception that says why; put no secret into it, as it is stored as the
        attempt's error and may be tried again.

    How several answers combine:
        All are known. A scheme that two packages give can be used from neither;
        ``env``, ``file`` and ``keyring`` stay workstream's own.

    What an exception does:
        The package is left out, with all of its hooks. What a resolver raises fails
        that attempt alone.

    Example::

        @workstream.hookimpl
        def workstream_secret_resolvers():
            return {"acme": read_from_acme_safe}
    """
    raise NotImplementedError


# --- Observers ------------------------------------------------------------------------


@hookspec
def workstream_observers() -> Iterable[Observer]:
    """Add observers, which are told every change of every plan that an engine runs.

    Of plans that run elsewhere ``workstream observe`` tells them (OB-7).

    The module is named under an entry point of its own, so that each run finds it,
    whatever its plan names::

        [project.entry-points.workstream]
        "acme.observers" = "workstream_acme.observers"

    When it runs:
        Once for each discovery, so before each run. Keep the import of its module
        small: load a client library when ``observe`` is first called.

    What to return:
        Observers, in any iterable: none where they are not configured. Each has a name
        that is the entry point's without ``.observers``, or begins with that and a dot.
        ``workstream.testing.check_observer`` tests an observer.

    How several answers combine:
        All are told everything, each at its own pace. A name that is given twice can be
        used from neither package. ``WORKSTREAM_OBSERVERS`` lists the observers that are
        told, by commas; unset, all are, and empty, none.

    What an exception does:
        The package is left out, with all of its hooks. What an observer raises is
        logged; it is told the same again later, and no run waits for it (OB-3).

    Example::

        @workstream.hookimpl
        def workstream_observers():
            return [Chat()]
    """
    raise NotImplementedError


# --- The command line -----------------------------------------------------------------


@hookspec
def workstream_commands() -> Iterable[click.Command]:
    """Add subcommands to ``workstream``.

    When it runs:
        Once for each discovery: also when the command line is given a command that is
        not its own. ``workstream --help`` lists the core's alone, so that it is quick;
        ``workstream plugins`` lists all.

    What to return:
        click commands or groups, each with a name.

    How several answers combine:
        All are added. A name that two packages give can be used from neither;
        workstream's own commands stay.

    What an exception does:
        The package is left out, with all of its hooks. What a command raises when it
        is called is shown to whoever called it.

    Example::

        @click.command("inventory")
        def inventory() -> None:
            \"\"\"List the hosts that plans may touch.\"\"\"

        @workstream.hookimpl
        def workstream_commands():
            return [inventory]
    """
    raise NotImplementedError
