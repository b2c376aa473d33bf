"""A fake for every plugin of a plan."""

from __future__ import annotations

from typing import Any

from workstream._plan.plan import Plan
from workstream._plan.walk import actions
from workstream._protocols.plugin import ActionPlugin, AnyPlugin, CheckPlugin
from workstream._registry.registry import Registry
from workstream._values.annotations import type_text

from ..arguments import check_plan
from ..problems import ScriptError
from .fake_scripts import UNSET
from .fakes import FakePlugin
from .plain_responses import plain_response


def fake_all(
    plan: Plan,
    *plugins: AnyPlugin | type[ActionPlugin[Any, Any]] | type[CheckPlugin[Any, Any]],
) -> list[AnyPlugin]:
    """Fakes for every plugin of a plan: all succeeds at once.

    A response that needs arguments is made of plain ones: nothing, nought and empty. So
    a command ends with the exit code 0, and writes nothing.

    ::

        simulate(plan, fake_all(plan, FakePlugin(Copy).otherwise(takes=60), Restart))

    Args:
        plan: The plan.
        plugins: Fakes, which are taken as they are; and plugins or their classes, to be
            faked. What is missing is looked up among the installed plugins.

    Raises:
        ScriptError: It lists the plugins that are neither given nor installed, and
            those whose response cannot be made of plain values.
    """
    check_plan(plan)
    fakes: dict[str, AnyPlugin] = {}
    for plugin in plugins:
        if isinstance(plugin, list | tuple):
            message = "plugins are given one by one here: write (plan, *plugins)"
            raise ScriptError(message)
        fakes[plugin.name] = faked(plugin)
    missing = dict.fromkeys(
        action.plugin for action in actions(plan) if action.plugin not in fakes
    )
    faults: list[str] = []
    installed = Registry.installed() if missing else Registry()
    for name in missing:
        found = installed.get(name)
        if found is None:
            near = installed.nearest(name)
            meant = f"did you mean {' or '.join(near)}? If not, " if near else ""
            faults.append(
                f"{name} is not installed: {meant}install its package, or give its "
                "class behind the plan: (plan, SomePlugin)"
            )
        else:
            fakes[name] = faked(found)
    for fake in fakes.values():
        if isinstance(fake, FakePlugin) and fake.is_mute:
            faults.append(
                f"{fake.name} answers with {type_text(fake.response_type)}, which cannot "
                "be made of plain values: say what it gives, "
                "fake_all(plan, FakePlugin(...).otherwise(gives=...))"
            )
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        message = f"not everything in plan {plan.name!r} can be faked:\n{lines}"
        raise ScriptError(message)
    return list(fakes.values())


def faked(plugin: Any, *, strict: bool = True) -> Any:
    """A fake of the plugin that succeeds at once, if a response can be made at all.

    Args:
        plugin: A plugin, its class or its name; a fake is returned as it is.
        strict: Whether a line that no call fits is an error.
    """
    fake: Any = FakePlugin
    if isinstance(plugin, fake):
        return plugin
    made = fake(plugin, strict=strict)
    if made.is_mute:
        response = plain_response(made)
        if response is not UNSET:
            made.otherwise(gives=response)
    return made
