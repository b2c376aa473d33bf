"""One attempt of a command, from what an earlier one left to the response.

The order is what makes it safe against a crash of the engine at any moment:

1. What an interrupted attempt noted is looked for, and ended if it still runs.
2. A process is started that does nothing yet but wait (``_launcher``).
3. Which process that is becomes durable.
4. It is told to become the command. Had the engine died before, it would just end.
5. When the command's own process has ended, all else in its session is ended.

So at any time either nothing was begun, or a note tells where to find it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
from collections.abc import Callable

import attrs
import trio

from workstream import CapturedOutput, Context, PluginError, SecretRef

from ._child import Child, Start
from ._output import Output
from ._requests import CommandResult, Options, Run, Shell
from ._session import MARK, Ended, Identity, end_leftover, listed

__all__ = ["carry_out", "settle"]

LINGER = 0.5
"""Seconds in which what a command has started may end by itself once the command has:
``exec > >(tee log)`` leaves a ``tee`` behind that still has something to write."""

COMMAND_SHOWN = 120


async def carry_out(context: Context, request: Run | Shell) -> CommandResult:
    """Run a command to its end.

    Raises:
        PluginError: It could not be started, or ended otherwise than expected.
    """
    await settle(context, request)
    child = await Child.start(with_stdin=request.stdin is not None)
    status = 0
    try:
        await context.remember(**child.identity.notes())
        await child.release(_start(context, request))
        finished = await _attend(child, request, context.report)
    finally:
        status = await child.aclose(grace=request.grace)
    _tell(context, finished.ended)
    if status in request.expected_exit_codes:
        out, err = finished.stdout, finished.stderr
        return CommandResult(
            exit_code=status,
            stdout=out.text,
            stderr=err.text,
            stdout_left_out=out.left_out,
            stderr_left_out=err.left_out,
        )
    raise _failure(request, status, finished)


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


@attrs.frozen
class _Finished:
    """A command that has ended: what it wrote, and what it left."""

    stdout: CapturedOutput
    stderr: CapturedOutput
    ended: Ended


async def _attend(
    child: Child, request: Options, report: Callable[[str], None]
) -> _Finished:
    """Feed the command, read it, and wait for its end. Cancelling ends it."""
    stdout, stderr = (
        Output(fd, CapturedOutput(request, report=report, keep=request.keep))
        for fd in (child.stdout, child.stderr)
    )
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
                nursery.cancel_scope.cancel()
    return _Finished(stdout.captured, stderr.captured, child.ended)


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


def _failure(request: Run | Shell, status: int, finished: _Finished) -> PluginError:
    if isinstance(request, Run):
        command = shlex.join(request.argv)
    else:
        command = "shell script " + " ".join(request.script.split())
    if len(command) > COMMAND_SHOWN:
        command = command[:COMMAND_SHOWN] + "..."
    if status < 0:
        # As shells put it, and so as people know it: 137 is KILL.
        code = 128 - status
        how = f"was ended by signal {-status} ({_signal_name(-status)})"
    else:
        code = status
        expected = " or ".join(map(str, request.expected_exit_codes))
        how = f"exited with code {status}, expected {expected}"
    for stream, lines in (
        ("stderr", finished.stderr.last_lines),
        ("stdout", finished.stdout.last_lines),
    ):
        if lines:
            how += f"; the end of its {stream}:\n{lines}"
            break
    return PluginError(f"{command} {how}", code=code)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal"
