"""One package: loaded, its hooks read and called, each step fenced.

The rule that this module keeps: *one broken package never stops the host*. Every
package is strangers' code that runs at import and in its hooks, so whatever goes wrong
becomes a ``PackageError`` with a sentence.

pluggy's own loader stops at the first entry point that fails, and it calls a hook in all
packages at once, so that one exception loses the answers of all. So pluggy only marks
and recognises implementations here. Nobody else in workstream touches pluggy.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.metadata
import inspect
import os
import traceback
from collections.abc import Callable, Generator
from typing import Any

import pluggy

from .. import hookspecs
from .._protocols.plugin import PLUGIN_API
from .hook_answers import HOOKS, Item, PackageError, Source, read_answer

GROUP = "workstream"
"""The entry-point group."""
CORE = "workstream-engine"

PREFIX = "workstream_"
API_ATTRIBUTE = "workstream_plugin_api"
"""Where a package's module says which version of the plugin API it was made for."""
OLDEST_API = 1
"""The oldest version whose packages still work."""

_PLUGGY = pluggy.PluginManager(GROUP)


@contextlib.contextmanager
def _fence(what: str) -> Generator[None, None, None]:
    """Turn whatever strangers' code raises into a reason to leave its package out."""
    try:
        yield
    except (KeyboardInterrupt, PackageError):
        raise
    # SystemExit too: a package that ends its program must not end ours.
    except BaseException as error:
        message = f"{what}: {failure_text(error)}"
        raise PackageError(message) from error


def loaded(entry_point: importlib.metadata.EntryPoint) -> object:
    """The module that an entry point names.

    Raises:
        PackageError: It cannot be imported.
    """
    with _fence(f"{entry_point.value!r} cannot be loaded"):
        return entry_point.load()


def api_of(module: object) -> int | None:
    """The version of the plugin API that a package says it was made for (None: none).

    Asked before its hooks, so that a package from the future is told to be one, and not
    to have hooks that do not exist.

    Raises:
        PackageError: It does not work with this workstream.
    """
    # Found without running properties: they are strangers' code too.
    version = inspect.getattr_static(module, API_ATTRIBUTE, None)
    if version is None:
        return None
    made_for = (
        f"it was made for version {version} of the plugin API, and this workstream"
    )
    if type(version) is not int or version < 1:
        message = (
            f"its {API_ATTRIBUTE} is {version!r}: it is to be the plain number of the"
            f" version that it was made for, such as {PLUGIN_API}"
        )
    elif version > PLUGIN_API:
        message = (
            f"{made_for} has version {PLUGIN_API}: update {CORE}, or install an older"
            " version of the package"
        )
    elif version < OLDEST_API:
        message = (
            f"{made_for} works with versions {OLDEST_API} to {PLUGIN_API}: update the"
            " package"
        )
    else:
        return version
    raise PackageError(message)


def read_package(source: Source, module: object) -> tuple[tuple[str, ...], list[Item]]:
    """The hooks that a package implements, and all that it answers to them.

    Raises:
        PackageError: Something is wrong with it, so nothing of it is taken.
    """
    with _fence("its hooks cannot be read"):
        hooks = _hooks_of(module)
    items: list[Item] = []
    for hook, function in hooks.items():
        with _fence(f"its {hook} failed"):
            items += read_answer(hook, function(), source)
    return tuple(hooks), items


def _hooks_of(module: object) -> dict[str, Callable[[], object]]:
    """The hooks that the module implements, in order; or raise for what is no hook."""
    hooks: dict[str, Callable[[], object]] = {}
    faults: list[str] = []
    for attribute in dir(module):
        # Found without running properties: they are strangers' code too.
        if not inspect.isroutine(inspect.getattr_static(module, attribute, None)):
            continue
        options: Any = _PLUGGY.parse_hookimpl_opts(module, attribute)
        if options is None and not attribute.startswith(PREFIX):
            continue
        function = getattr(module, attribute)
        hook: str = (options and options["specname"]) or attribute
        if hook not in HOOKS:
            faults.append(_unknown_hook(hook))
        elif options is None:
            faults.append(f"{hook} is not marked: write @workstream.hookimpl above it")
        elif options.get("wrapper") or options.get("hookwrapper"):
            faults.append(
                f"{hook} is a wrapper: each package is asked by itself, so there is"
                " nothing to wrap"
            )
        elif hook in hooks:
            faults.append(f"{hook} is implemented twice")
        elif strange := _strange_arguments(function, hook):
            faults.append(
                f"{hook} asks for {' and '.join(strange)}, which workstream's"
                " does not have"
            )
        else:
            hooks[hook] = function
    if not hooks and not faults:
        faults.append(
            "it implements no hook: mark its workstream_plugins with"
            " @workstream.hookimpl, or mend the entry point"
        )
    if faults:
        raise PackageError("; ".join(faults))
    return hooks


def _strange_arguments(function: Callable[..., object], hook: str) -> list[str]:
    """The arguments of an implementation that the hook's specification lacks."""
    offered = inspect.signature(getattr(hookspecs, hook)).parameters
    return [
        repr(name)
        for name, parameter in inspect.signature(function).parameters.items()
        # An argument with a default is the package's own, and is never passed.
        if parameter.default is parameter.empty and name not in offered
    ]


def _unknown_hook(name: str) -> str:
    # Without what all of them share, or all would be alike.
    endings = {hook.removeprefix(PREFIX): hook for hook in HOOKS}
    nearest = difflib.get_close_matches(name.removeprefix(PREFIX), endings)
    return (
        f"workstream has no hook {name}{meant([endings[each] for each in nearest])};"
        f" names that start with {PREFIX} are reserved for hooks"
    )


def meant(nearest: list[str]) -> str:
    """The words that offer what may have been meant; nothing when there is nothing."""
    return f" (did you mean {' or '.join(nearest)}?)" if nearest else ""


def failure_text(error: BaseException) -> str:
    """An error of strangers' code, and its place, in one line."""
    try:
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
    except Exception:
        text = type(error).__name__
    ours = tuple(
        os.path.dirname(str(each.__file__)) + os.sep for each in (hookspecs, importlib)
    )
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if not frame.filename.startswith(("<frozen", *ours)):
            place = f" (at {frame.filename}:{frame.lineno})"
    return " ".join(text.split()) + place
