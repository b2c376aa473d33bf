"""What an interpreter must know of plugins, where they are not installed."""

from __future__ import annotations

import attrs

from .._plan.plan import Plan
from .._plan.walk import actions
from .._values.state import OnInterrupt
from ..retries import RetryPolicy
from .plugin import ActionPlugin, Plugins


@attrs.frozen(kw_only=True)
class Conduct:
    """What an interpreter must know of one plugin.

    Attributes:
        retry: How long to wait before another attempt (A-11).
        on_interrupt: What an interrupted attempt means, where the action does not say
            (R-7). That of a check is RERUN.
    """

    retry: RetryPolicy
    on_interrupt: OnInterrupt = OnInterrupt.RERUN


def conduct_of(plan: Plan, plugins: Plugins) -> dict[str, Conduct]:
    """What is to be known of the plan's plugins, by their names.

    Args:
        plan: The plan.
        plugins: Where they are looked up; one that is missing is left out.
    """
    found: dict[str, Conduct] = {}
    for name in sorted({action.plugin for action in actions(plan)}):
        plugin = plugins.get(name)
        if isinstance(plugin, ActionPlugin):
            found[name] = Conduct(retry=plugin.retry, on_interrupt=plugin.on_interrupt)
        elif plugin is not None:
            found[name] = Conduct(retry=plugin.retry)
    return found
