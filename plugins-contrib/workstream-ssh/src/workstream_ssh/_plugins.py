"""The plugins, and the hook that offers them."""

from __future__ import annotations

from workstream import (
    ActionPlugin,
    CheckPlugin,
    Context,
    OnInterrupt,
    PluginError,
    hookimpl,
    retries,
)
from workstream.plugins import AnyPlugin, NotDone, Preview, PreviewContext, refuse

from . import _previewing
from ._connecting.connections import Connections, Limits, missing_program
from ._connecting.runtime_directory import sweep
from ._copying import copies, fetching
from ._faults import command_faults, copy_faults
from ._requests import CopyFrom, CopyResult, CopyTo, RunOn, RunResult, ShellOn
from ._running import jobs


class SshRun(ActionPlugin[RunOn | ShellOn, RunResult]):
    """Run a command on a host, to its end or to the action's timeout.

    It succeeds if the exit code is an expected one. Its output is passed on line by
    line. When it is cancelled, or has ended, its session on the host is ended:
    TERM, then KILL. So it is when the connection is lost, unless it is ``detached``:
    then it goes on, and is found again by its name.

    After a crash of the engine the host is asked what became of the command: the
    result of one that has come to its own end counts, and it is never run again. One
    that had to be ended is FAILED, for nobody can know how far it came; if it may
    simply be run again, say ``on_interrupt=OnInterrupt.RERUN`` on the action.
    """

    name = "ssh.run"
    retry = retries.SECONDS
    requires_programs = ("ssh",)
    on_interrupt = OnInterrupt.RECONCILE

    def __init__(self, connections: Connections | None = None) -> None:
        self._connections = connections or Connections()

    def validate(self, request: RunOn | ShellOn, /) -> None:
        """Refuse what can never be started, with all that is wrong with it (V-19)."""
        refuse(command_faults(request))

    async def init(self) -> None:
        """See that there is an ssh to call (REG-6)."""
        _check_machine()

    async def execute(self, context: Context, request: RunOn | ShellOn, /) -> RunResult:
        """Run the command once."""
        return await jobs.execute(self._connections, context, request)

    async def reconcile(
        self, context: Context, request: RunOn | ShellOn, /
    ) -> RunResult | NotDone:
        """Ask the host what became of the command of an interrupted attempt (R-7)."""
        return await jobs.reconcile(self._connections, context, request)

    async def preview(
        self, context: PreviewContext, request: RunOn | ShellOn, /
    ) -> Preview:
        """Say whether the command would be skipped; nothing is kept of the question."""
        return await _previewing.foresee_command(self._connections, context, request)


class SshCheck(CheckPlugin[RunOn | ShellOn, RunResult]):
    """Run a command on a host that changes nothing: it passes if its exit code is
    expected.

    It takes the same requests as ``SshRun``, but none that is detached, and none with
    ``creates``, ``removes`` or ``unless``: a check looks each time.
    """

    name = "ssh.check"
    retry = retries.SECONDS
    requires_programs = ("ssh",)

    def __init__(self, connections: Connections | None = None) -> None:
        self._connections = connections or Connections()

    def validate(self, request: RunOn | ShellOn, /) -> None:
        """Refuse what can never be started, with all that is wrong with it (V-19)."""
        refuse(command_faults(request, is_check=True))

    async def init(self) -> None:
        """See that there is an ssh to call (REG-6)."""
        _check_machine()

    async def execute(self, context: Context, request: RunOn | ShellOn, /) -> RunResult:
        """Run the command once."""
        return await jobs.check(self._connections, context, request)


class SshCopy(ActionPlugin[CopyTo | CopyFrom, CopyResult]):
    """Copy a file or a directory to a host, or a file from it.

    What is under the final name is the old or the new, whole, at any time. Copying is
    safe to repeat: a copy that is there already is not made again.
    """

    name = "ssh.copy"
    retry = retries.SECONDS
    requires_programs = ("ssh",)
    on_interrupt = OnInterrupt.RERUN

    def __init__(self, connections: Connections | None = None) -> None:
        self._connections = connections or Connections()

    def validate(self, request: CopyTo | CopyFrom, /) -> None:
        """Refuse what can never be copied, with all that is wrong with it (V-19)."""
        refuse(copy_faults(request))

    async def init(self) -> None:
        """See that there is an ssh to call (REG-6)."""
        _check_machine()

    async def execute(
        self, context: Context, request: CopyTo | CopyFrom, /
    ) -> CopyResult:
        """Copy once."""
        if isinstance(request, CopyTo):
            return await copies.copy_to(self._connections, context, request)
        return await fetching.copy_from(self._connections, context, request)

    async def preview(
        self, context: PreviewContext, request: CopyTo | CopyFrom, /
    ) -> Preview:
        """Say what would change; nothing is written, here or on the host."""
        return await _previewing.foresee(self._connections, request)


def ssh_plugins(limits: Limits | None = None) -> list[AnyPlugin]:
    """The three plugins, for a registry of your own: they share their connections.

    Args:
        limits: How much they do at once.
    """
    connections = Connections(limits)
    return [SshRun(connections), SshCheck(connections), SshCopy(connections)]


@hookimpl
def workstream_plugins() -> list[AnyPlugin]:
    """Offer ``ssh.run``, ``ssh.check`` and ``ssh.copy``."""
    return ssh_plugins()


def _check_machine() -> None:
    missing = missing_program()
    if missing is not None:
        message = (
            f"the program {missing} is not found in PATH: install OpenSSH's client"
        )
        raise PluginError(message, permanent=True)
    sweep()
