"""The calls of a fake: carried out as the script says, and noted."""

from __future__ import annotations

import inspect

import attrs

from workstream._protocols.plugin import Context
from workstream._values.state import PluginError

from ..simulation.history import Call
from ..virtual.waiting import is_cancellation, linger, sleeping, time
from .fake_scripts import UNSET, Act


@attrs.define(eq=False)
class Noted:
    """A call, as it is noted while it runs.

    Attributes:
        context: What the fake was handed.
        request: What it was asked.
        started: When it began.
        ended: When it ended; None: not yet, or never.
        response: What it gave.
        error: What it raised.
        reconciles: Whether it is a call of ``reconcile``.
    """

    context: Context
    request: object
    started: float
    ended: float | None = None
    response: object = None
    error: BaseException | None = None
    reconciles: bool = False

    async def run(self, act: Act, default: object) -> object:
        """Do what the script says.

        Args:
            act: What it says.
            default: What is given where it does not say.
        """
        try:
            if act.does is not None:
                response: object = act.does(self.context, self.request)
                if inspect.isawaitable(response):
                    response = await response
            else:
                if act.ignores_cancellation:
                    await _go_on(act)
                elif act.lasts:
                    await sleeping(act.lasts)
                response = _answer(act, default)
        except GeneratorExit:
            raise  # a crash: nobody sees the end of this
        except BaseException as error:
            self.ended, self.error = time(), error
            raise
        self.ended, self.response = time(), response
        return response

    def as_call(self, plugin: str) -> Call:
        """The call as it is shown.

        Args:
            plugin: The fake's name.
        """
        return Call(
            plugin=plugin,
            path=self.context.path,
            request=self.request,
            attempt=self.context.attempt,
            started=self.started,
            ended=self.ended,
            response=self.response,
            error=self.error,
            reconciles=self.reconciles,
        )


def _answer(act: Act, default: object) -> object:
    """End as the call ends."""
    if act.raises is not None:
        raise act.raises
    if act.fails is not None:
        response = None if act.gives is UNSET else act.gives
        raise PluginError(
            act.fails, code=act.code, permanent=act.permanent, response=response
        )
    if act.returns is not UNSET:
        return act.returns
    return default if act.gives is UNSET else act.gives


async def _go_on(act: Act) -> None:
    """Take the time that a call takes for which cancelling it is of no use at first."""
    began = time()
    try:
        await sleeping(act.lasts)
    except BaseException as error:
        if not is_cancellation(error):
            raise
        left = act.lasts - (time() - began)
        await linger(min(left, act.ignores_cancellation))
        if left > act.ignores_cancellation:
            raise
