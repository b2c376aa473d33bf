"""The calls of a fake that does the same each time: what a simulation needs of them.

A simulation makes thousands of such calls. To make each as a plugin's call takes longer
than all else that the run does, so it waits for the fake's time itself, and takes the
response. What it was asked, and when, is kept as it is at hand, and told when asked for.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

import attrs

from workstream._plan.plan import BaseAction
from workstream._values.state import Attempt

from ..simulation.history import Call
from .fake_calls import Noted
from .fake_scripts import DEFAULT, UNSET, Act
from .scripts import Script


class Host(Protocol):
    """What knows the actions' paths: a runtime."""

    def path_of(self, action: BaseAction, /) -> str:
        """The action's address (OM-15)."""
        ...


PlainCall: TypeAlias = tuple[BaseAction, Attempt, float, "PlainWay", Host]
"""A call that did the usual: of which action, its first attempt, when, and what it did."""


@attrs.frozen(eq=False)
class PlainWay:
    """What all calls of a fake do, if they take their time and give the same each time.

    Attributes:
        seconds: How long each takes.
        response: What each gives.
    """

    seconds: float
    response: object
    _script: Script
    _act: Act | None

    def is_so(self) -> bool:
        """Whether nothing else has been said of the fake since."""
        script = self._script
        return script.otherwise is self._act and not script.lines


def plain_way(script: Script) -> PlainWay | None:
    """What all calls do that follow a script; None: each has to be looked at."""
    act = script.otherwise or DEFAULT
    silent = script.otherwise is None and script.default is UNSET
    if script.lines or script.base is not None or silent:
        return None
    ends = act.fails is not None or act.raises is not None or act.hangs
    if ends or act.does is not None or act.ignores_cancellation:
        return None
    response = script.default if act.gives is UNSET else act.gives
    if act.returns is not UNSET:
        response = act.returns
    return PlainWay(act.takes, response, script, script.otherwise)


def call_of(noted: Noted | PlainCall, plugin: str) -> Call:
    """A call as it is shown.

    Args:
        noted: The call.
        plugin: The fake's name.
    """
    if isinstance(noted, Noted):
        return noted.as_call(plugin)
    action, attempt, started, way, host = noted
    has_ended = attempt.ended is not None
    return Call(
        plugin=plugin,
        path=host.path_of(action),
        request=action.request,
        attempt=1,
        started=started,
        ended=started + way.seconds if has_ended else None,
        response=way.response if has_ended else None,
    )
