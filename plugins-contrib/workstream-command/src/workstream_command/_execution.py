"""One attempt of a command, from what an earlier one left to the response.

The order is what makes it safe against a crash of the engine at any moment:

1. What an interrupted attempt noted is looked for, and ended if it still runs.
   Then ``creates``, ``removes`` and ``unless`` say whether there is anything to do.
2. A process is started that does nothing yet but wait (``_launcher``).
3. Which process that is becomes durable.
4. It is told to become the command. Had the engine died before, it would just end.
5. When the command's own process has ended, all else in its session is ended.

So at any time either nothing was begun, or a note tells where to find it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from functools import partial

import attrs
import trio

from workstream import Context, PluginError, SecretRef
from workstream.plugins import (
    CapturedOutput,
    FilteredContext,
    LookingContext,
    Preview,
    PreviewContext,
    explained_timeout,
)

from ._child import Child, Start
from ._guards import has_guard, reason_to_skip, shown
from ._output import Output
from ._requests import CommandResult, Options, Run, Shell
from ._session import MARK, Ended, Identity, end_leftover, listed

LINGER = 0.5
"""Seconds in which what a command has started may end by itself once the command has:
``exec > >(tee log)`` leaves a ``tee`` behind that still has something to write."""

LOOKING = "looking"
"""The note that tells whether the noted process is that of ``unless``, which only looks."""


async def carry_out(context: Context, request: Run | Shell) -> CommandResult:
    """Run a command to its end, unless the request says that it is done.

    Raises:
        PluginError: It could not be started, or ended otherwise than expected, or not
            within the timeout.
    """
    await settle(context, request)
    doing = _Doing(shown(request))
    async with explained_timeout(doing.explained):
        why = await reason_to_skip(request, partial(_look, context, doing))
        if why is not None:
            context.report(f"skipped: {why}")
            return CommandResult(exit_code=0, skipped=why)
        doing.command = shown(request)
        start = _start(context, request)
        is_look = None if request.unless is None else False
        status = await _run(context, request, start, doing, is_look=is_look)
    _tell(context, doing.ended)
    if status in request.expected_exit_codes:
        out, err = doing.stdout, doing.stderr
        return CommandResult(
            exit_code=status,
            stdout=out.text,
            stderr=err.text,
            stdout_left_out=out.left_out,
            stderr_left_out=err.left_out,
        )
    raise _failure(request, status, doing)


async def foresee(context: PreviewContext, request: Run | Shell) -> Preview:
    """Say whether a command would be skipped; of all that it is, only ``unless`` is run.

    Raises:
        PluginError: That cannot be told.
    """
    command = shown(request)
    if not has_guard(request):
        text = (
            f"{command}: what it changes is not known (creates=, removes= or unless= "
            "would tell)"
        )
        return Preview(text, changes=None)
    look = partial(_look, LookingContext(context), _Doing(command))
    why = await reason_to_skip(request, look)
    if why is not None:
        return Preview(f"{command} would be skipped: {why}", changes=False)
    return Preview(f"{command} would be run", changes=True)


async def _look(context: Context, doing: _Doing, look: Run) -> int:
    """Run the command of ``unless``; its exit code."""
    doing.command = f"unless: {shown(look)}"
    quiet = FilteredContext(context, lambda _: None)
    try:
        status = await _run(quiet, look, _start(context, look), doing, is_look=True)
    except PluginError as error:
        message = f"unless: {error.message}"
        raise PluginError(
            message, code=error.code, permanent=error.permanent
        ) from error
    if status < 0:
        raise _failure(look, status, doing, "unless: ")
    return status


async def _run(
    context: Context,
    request: Run | Shell,
    start: Start,
    doing: _Doing,
    *,
    is_look: bool | None,
) -> int:
    """Run a process to its end and tell what became of it; its exit status.

    Args:
        context: The attempt's.
        request: What it is run for.
        start: What it is to become.
        doing: Gets its output, and what it left.
        is_look: Whether it only looks, which is noted; None: nothing before it does.
    """
    child = await Child.start(with_stdin=request.stdin is not None)
    status = 0
    notes = {} if is_look is None else {LOOKING: is_look}
    try:
        await context.remember(**child.identity.notes(), **notes)
        await child.release(start)
        await _attend(child, request, context.report, doing)
    finally:
        status = await child.aclose(grace=request.grace)
    return status


async def settle(context: Context, request: Run | Shell) -> Ended | None:
    """End what an interrupted attempt of this action has left running.

    Returns:
        What there was to end; None: no attempt ever came to begin the command.

    Raises:
        PluginError: It cannot be told, or not be ended.
    """
    identity = Identity.from_notes(context.notes)
    if identity is None:
        return None
    key = context.idempotency_key
    ended = await end_leftover(identity, key, grace=request.grace)
    if ended.signalled:
        processes = listed(ended.signalled.values())
        context.report(f"ended what an interrupted attempt left running: {processes}")
    return ended


def _nothing() -> CapturedOutput:
    """The output of what has not begun."""
    return CapturedOutput(None, report=lambda _: None)


@attrs.define
class _Doing:
    """The command that runs, or ran last: what it wrote, and what it left.

    Attributes:
        command: For messages.
        stdout: What it wrote.
        stderr: Likewise.
        ended: What it had left running.
    """

    command: str
    stdout: CapturedOutput = attrs.field(factory=_nothing)
    stderr: CapturedOutput = attrs.field(factory=_nothing)
    ended: Ended = attrs.field(factory=Ended)

    def explained(self) -> str:
        """What a timeout has cut short."""
        return (
            f"{self.command} had not ended{self.last_lines() or '; it wrote nothing'}"
        )

    def last_lines(self) -> str:
        """The end of what it wrote, as a clause; "": nothing."""
        for stream, output in (("stderr", self.stderr), ("stdout", self.stdout)):
            if output.last_lines:
                return f"; the end of its {stream}:\n{output.last_lines}"
        return ""


async def _attend(
    child: Child, request: Options, report: Callable[[str], None], doing: _Doing
) -> None:
    """Feed the command, read it, and wait for its end. Cancelling ends it."""
    stdout, stderr = (
        Output(fd, CapturedOutput(request, report=report, keep=request.keep))
        for fd in (child.stdout, child.stderr)
    )
    doing.stdout, doing.stderr = stdout.captured, stderr.captured
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stdout.pump)
        nursery.start_soon(stderr.pump)
        if child.stdin is not None and request.stdin is not None:
            nursery.start_soon(_feed, child.stdin, _reveal(request.stdin))
        linger = 0.0
        try:
            await child.exited()
            linger = LINGER
        finally:
            try:
                with trio.CancelScope(shield=True):
                    await child.end(grace=request.grace, linger=linger)
            finally:
                stdout.finish()
                stderr.finish()
                doing.ended = child.ended
                nursery.cancel_scope.cancel()


async def _feed(stream: trio.lowlevel.FdStream, text: str) -> None:
    # Not every command reads to the end.
    with contextlib.suppress(trio.BrokenResourceError):
        async with stream:
            await stream.send_all(text.encode())


def _start(context: Context, request: Run | Shell) -> Start:
    """What the process is to become."""
    env = dict(os.environb) if request.inherit_env else {}
    own = {
        "WORKSTREAM_PLAN_ID": str(context.plan_id),
        "WORKSTREAM_ACTION_ID": str(context.action_id),
        "WORKSTREAM_ATTEMPT": str(context.attempt),
        MARK: context.idempotency_key,
    }
    for name, value in {**request.env, **own}.items():
        env[os.fsencode(name)] = os.fsencode(_reveal(value))
    if isinstance(request, Run):
        argv = request.argv
    else:
        shell = request.interpreter
        # The word behind the script is $0, the name that the shell complains under.
        argv = (*shell, "-c", request.script, shell[0], *request.args)
    return Start(argv, env, request.cwd)


def _reveal(value: str | SecretRef) -> str:
    return value.reveal() if isinstance(value, SecretRef) else value


def _tell(context: Context, ended: Ended) -> None:
    if ended.signalled:
        processes = listed(ended.signalled.values())
        context.report(f"ended what the command left running: {processes}")
    if ended.untouchable:
        processes = listed(ended.untouchable.values())
        context.report(f"still running, not ours to end: {processes}")


def _failure(
    request: Run | Shell, status: int, doing: _Doing, prefix: str = ""
) -> PluginError:
    if status < 0:
        # As shells put it, and so as people know it: 137 is KILL.
        code = 128 - status
        how = f"was ended by signal {-status} ({_signal_name(-status)})"
    else:
        code = status
        expected = " or ".join(map(str, request.expected_exit_codes))
        how = f"exited with code {status}, expected {expected}"
    message = f"{prefix}{shown(request)} {how}{doing.last_lines()}"
    return PluginError(message, code=code)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal"
