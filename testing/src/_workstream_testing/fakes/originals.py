"""What a fake stands for: a plugin, a plugin's class, or an installed one."""

from __future__ import annotations

from typing import Any

from workstream._protocols.plugin import ActionPlugin, BasePlugin, CheckPlugin
from workstream._values.display import shorten

from ..problems import ScriptError


def original_of(plugin: Any) -> Any:
    """What a fake stands for: a plugin, or a plugin's class."""
    if isinstance(plugin, str):
        return _installed(plugin)
    cls = plugin if isinstance(plugin, type) else type(plugin)
    if not issubclass(cls, ActionPlugin | CheckPlugin):
        message = (
            f"FakePlugin({shorten(repr(plugin))}): give a class derived from ActionPlugin or "
            "CheckPlugin, an instance of one, or the name of an installed plugin"
        )
        raise TypeError(message)
    if not hasattr(plugin, "name"):
        message = (
            f"{cls.__name__} has no name: give its class one, or an instance that has"
        )
        raise TypeError(message)
    return plugin


def made_original(original: Any) -> Any:
    """A plugin of this class, to ask it which requests are good."""
    try:
        return original()
    except Exception as error:
        message = (
            f"{original.__name__}() cannot be made without arguments, which its "
            "validate() needs: give FakePlugin a plugin instead of its class"
        )
        raise TypeError(message) from error


def _installed(name: str) -> BasePlugin[Any, Any]:
    from workstream._registry.registry import Registry

    registry = Registry.installed()
    plugin = registry.get(name)
    if plugin is None:
        near = registry.nearest(name)
        hint = f"did you mean {' or '.join(near)}?" if near else "give its class"
        message = f"FakePlugin({name!r}): no plugin of that name is installed: {hint}"
        raise ScriptError(message)
    return plugin
