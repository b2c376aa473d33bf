"""The smallest plan that calls a plugin."""

from __future__ import annotations

from workstream._plan.plan import (
    Action,
    BaseAction,
    Block,
    CheckAction,
    Checks,
    Plan,
    Sequence,
)
from workstream._protocols.plugin import ActionPlugin, AnyPlugin, Context

__all__ = ["Nothing", "called", "plan_of"]


class Nothing(ActionPlugin[None, None]):
    """Does nothing: a plan of checks alone needs an action, too."""

    name = "conformance.nothing"

    async def execute(self, context: Context, request: None, /) -> None:
        """Return."""


def plan_of(plugin: AnyPlugin, request: object, *, timeout: float = 30.0) -> Plan:
    """A plan of one call of the plugin.

    Args:
        plugin: The plugin.
        request: What it is asked.
        timeout: Seconds that the call may take.
    """
    name, called_name = "Request", plugin.name
    if plugin.is_check:
        check = CheckAction(
            name=name, plugin=called_name, request=request, timeout=timeout
        )
        action = Action(name="Nothing", plugin=Nothing.name)
        checks = Checks(actions=[check])
    else:
        action = Action(name=name, plugin=called_name, request=request, timeout=timeout)
        checks = None
    sequence = Sequence(name="Sequence", actions=[action])
    block = Block(name="Block", sequences=[sequence])
    return Plan(name="Conformance", pre_checks=checks, blocks=[block])


def called(plan: Plan) -> BaseAction:
    """The call in such a plan."""
    if plan.pre_checks is not None:
        return plan.pre_checks.actions[0]
    return plan.blocks[0].sequences[0].actions[0]
