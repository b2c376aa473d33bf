"""A fake for every plugin of a plan."""

from __future__ import annotations

from typing import Any

from workstream._plan.plan import Plan
from workstream._plan.walk import actions
from workstream._protocols.plugin import ActionPlugin, AnyPlugin, CheckPlugin
from workstream._registry.registry import Registry

from ..problems import ScriptError
from .fakes import FakePlugin

__all__ = ["fake_all"]


def fake_all(
    plan: Plan,
    *plugins: AnyPlugin | type[ActionPlugin[Any, Any]] | type[CheckPlugin[Any, Any]],
) -> list[AnyPlugin]:
    """Fakes for every plugin of a plan: all succeeds at once.

    ::

        simulate(plan, fake_all(plan, FakePlugin(Copy).otherwise(takes=60), Restart))

    Args:
        plan: The plan.
        plugins: Fakes, which are taken as they are; and plugins or their classes, to be
            faked. What is missing is looked up among the installed plugins.

    Raises:
        ScriptError: It lists the plugins that are neither given nor installed, and
            those whose response cannot be made without arguments.
    """
    fakes: dict[str, AnyPlugin] = {}
    for plugin in plugins:
        fakes[plugin.name] = _faked(plugin)
    missing = dict.fromkeys(
        action.plugin for action in actions(plan) if action.plugin not in fakes
    )
    faults: list[str] = []
    installed = Registry.installed() if missing else Registry()
    for name in missing:
        found = installed.get(name)
        if found is None:
            faults.append(
                f"{name} is not installed: give its class, fake_all(plan, SomePlugin)"
            )
        else:
            fakes[name] = _faked(found)
    for fake in fakes.values():
        if isinstance(fake, FakePlugin) and fake.is_mute:
            faults.append(
                f"{fake.name} gives no response that can be made without arguments: "
                "give fake_all(plan, FakePlugin(...).otherwise(gives=...))"
            )
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        message = f"not everything in plan {plan.name!r} can be faked:\n{lines}"
        raise ScriptError(message)
    return list(fakes.values())


def _faked(plugin: Any) -> Any:
    fake: Any = FakePlugin
    return plugin if isinstance(plugin, fake) else fake(plugin)
