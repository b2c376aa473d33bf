"""The two plugins, and the hook that offers them."""

from __future__ import annotations

import os
import signal

from workstream import (
    ActionPlugin,
    CheckPlugin,
    Context,
    OnInterrupt,
    PluginError,
    hookimpl,
    retries,
)
from workstream.plugins import (
    NOT_DONE,
    AnyPlugin,
    NotDone,
    Preview,
    PreviewContext,
    python_interpreter,
    refuse,
)

from ._execution import LOOKING, carry_out, foresee, settle
from ._requests import CommandResult, Run, Shell, check_faults, faults
from ._session import listed, process_of


class RunCommand(ActionPlugin[Run | Shell, CommandResult]):
    """Run a command, to its end or to the action's timeout, and leave nothing behind.

    It succeeds if the exit code is an expected one. It is skipped where ``creates``,
    ``removes`` or ``unless`` says that there is nothing to do. Its output is passed on line by
    line. When it is cancelled, or has ended, all processes of its session are ended:
    TERM, then KILL.

    An engine that was killed leaves the command running. The next one finds it by the
    notes of the interrupted attempt and ends it before anything is run again. The
    action is then FAILED, for nobody can know how far the command came; if it may
    simply be run again, say ``on_interrupt=OnInterrupt.RERUN`` on the action.
    """

    name = "command.run"
    retry = retries.SECONDS
    # In effect FAIL, but with FAIL the engine would not ask the plugin, and the
    # command would run on beside whatever the plan does next.
    on_interrupt = OnInterrupt.RECONCILE

    def validate(self, request: Run | Shell, /) -> None:
        """Refuse what can never be started, with all that is wrong with it (V-19)."""
        refuse(faults(request))

    async def init(self) -> None:
        """See that the machine can tell about processes (REG-6)."""
        _check_machine()

    async def execute(self, context: Context, request: Run | Shell, /) -> CommandResult:
        """Run the command once, unless the request says that it is done."""
        return await carry_out(context, request)

    async def preview(
        self, context: PreviewContext, request: Run | Shell, /
    ) -> Preview:
        """Say whether the command would be run; only ``unless`` is run (PV-5)."""
        return await foresee(context, request)

    async def reconcile(
        self, context: Context, request: Run | Shell, /
    ) -> CommandResult | NotDone:
        """End what an interrupted attempt left running; say what is known of it (R-7).

        ``NOT_DONE`` if the command was certainly never begun.

        Raises:
            PluginError: It was, or may have been.
        """
        ended = await settle(context, request)
        if ended is None or context.notes.get(LOOKING):
            return NOT_DONE  # or nothing but ``unless`` was, which only looks
        message = "interrupted: the engine ended while the command was running; "
        if ended.signalled:
            processes = listed(ended.signalled.values())
            message += f"it still ran and was ended ({processes}); "
        message += "how far it came is not known"
        raise PluginError(message, permanent=True)


class CheckCommand(CheckPlugin[Run | Shell, CommandResult]):
    """Run a command that changes nothing: it passes if the exit code is expected.

    It takes the same requests as ``RunCommand`` and runs them in the same way, but
    refuses ``creates``, ``removes`` and ``unless``: a check looks each time.
    """

    name = "command.check"
    retry = retries.SECONDS

    def validate(self, request: Run | Shell, /) -> None:
        """Refuse what can never be started, with all that is wrong with it (V-19)."""
        refuse(check_faults(request))

    async def init(self) -> None:
        """See that the machine can tell about processes (REG-6)."""
        _check_machine()

    async def execute(self, context: Context, request: Run | Shell, /) -> CommandResult:
        """Run the command once."""
        return await carry_out(context, request)


@hookimpl
def workstream_plugins() -> list[AnyPlugin]:
    """Offer ``command.run`` and ``command.check``."""
    return [RunCommand(), CheckCommand()]


def _check_machine() -> None:
    python_interpreter()
    own = process_of(os.getpid())
    if own is None:
        message = "commands need Linux with a readable /proc, which is not here"
        raise PluginError(message, permanent=True)
    try:
        fd = os.pidfd_open(os.getpid())
        try:
            signal.pidfd_send_signal(fd, 0)
        finally:
            os.close(fd)
    except (AttributeError, OSError) as error:
        message = f"commands need pidfds, of Linux 5.3 or newer: {error}"
        raise PluginError(message, permanent=True) from error
