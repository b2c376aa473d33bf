"""Commands on hosts, each a job with a name, from the request to the response.

The order is what makes it safe against a crash at any moment:

1. The job's name, made from the idempotency key, is durable.
2. The host's program claims the name, or finds that it is taken (``remote/job.sh``).
3. It writes down which process the command is, before that begins.
4. It writes down the exit code, before it tells us.

So whoever comes again, after the engine or the connection was lost, asks by the name
and learns whether the command was begun, goes on, or has ended, and how.

An action that is tried again after its command has failed needs a new name: names are
numbered, and the number goes up when a failure is known here.
"""

from __future__ import annotations

import contextlib
import enum
import math
import shlex
import signal
import time
from collections.abc import Mapping

import attrs
import trio

from workstream import (
    NOT_DONE,
    CapturedOutput,
    Context,
    NotDone,
    NoteValue,
    PluginError,
    SecretRef,
)

from ._connections import Connections
from ._problems import SshError, SshProblem, room_left
from ._programs import new_mark, path_word, program, remote_text, word
from ._requests import MOST_KEPT, RunOn, RunResult, ShellOn
from ._talk import Talk, talk

__all__ = ["check", "execute", "reconcile"]

DAYS = 7
"""Days for which a host remembers a command that has ended."""
SURELY_KNOWN = (DAYS - 1) * 24 * 3600.0
END_PATIENCE = 15.0
"""Seconds, beside the grace, that the end of a command may take to be told."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 15.0
COMMAND_SHOWN = 120


class End(enum.Enum):
    """How a job stands when the host has nothing more to say about it."""

    EXIT = "exit"
    """The command has ended, and its exit code is known."""
    LOST = "lost"
    """The command was begun and runs no more; how it ended nobody has seen."""
    UNBEGUN = "unbegun"
    """The command was not begun, and never will be under this name."""
    MISSING = "missing"
    """The host knows of no such job."""


@attrs.frozen(kw_only=True)
class Ending:
    """What became of a job.

    Attributes:
        end: How it stands.
        code: The exit code.
        flags: ``cancelled``: it was told to end; ``no-directory``, ``no-program``.
        joined: Whether it was begun before this attempt.
        stdout: What the command wrote.
        stderr: Likewise.
    """

    end: End
    code: int = 0
    flags: frozenset[str] = frozenset()
    joined: bool = False
    stdout: CapturedOutput
    stderr: CapturedOutput


async def execute(
    connections: Connections, context: Context, request: RunOn | ShellOn
) -> RunResult:
    """Run a command, or find the one again that an interrupted attempt has begun.

    Raises:
        PluginError: It could not be started, or ended otherwise than expected.
    """
    number = _number(context.notes) or 1
    while True:
        await context.remember(run=number, host=str(request.host), began=time.time())
        attempt = _Attempt(connections, context, request, f"{_key(context)}-{number}")
        ending = await attempt.to_its_end("run")
        if not ending.joined or (_is_answer(ending) and request.detached):
            break
        # What an earlier attempt has left is settled now; this one has yet to begin.
        if ending.end is not End.MISSING:
            number += 1
    if _is_expected(ending, request):
        return _result(ending)
    await context.remember(run=number + 1)
    raise _failure(request, ending)


async def reconcile(
    connections: Connections, context: Context, request: RunOn | ShellOn
) -> RunResult | NotDone:
    """Find out what became of the command of an interrupted attempt (R-7).

    A detached one is waited for. Any other is ended, if it still runs.

    Raises:
        PluginError: It failed, or it cannot be known how far it came.
    """
    number = _number(context.notes)
    if number is None:
        return NOT_DONE
    attempt = _Attempt(connections, context, request, f"{_key(context)}-{number}")
    ending = await attempt.to_its_end("settle", patient=True)
    if ending.end is End.UNBEGUN:
        await context.remember(run=number + 1)
        return NOT_DONE
    if ending.end is End.MISSING:
        began = context.notes.get("began")
        if isinstance(began, float) and time.time() - began < SURELY_KNOWN:
            return NOT_DONE
        message = (
            f"{request.host}: the command may have been begun more than {DAYS - 1} days "
            "ago, and the host knows nothing of it any more"
        )
        raise PluginError(message, permanent=True)
    if not _is_answer(ending):
        raise PluginError(_interrupted(request, ending), permanent=True)
    if _is_expected(ending, request):
        return _result(ending, lost=not request.detached)
    raise _failure(request, ending)


async def check(
    connections: Connections, context: Context, request: RunOn | ShellOn
) -> RunResult:
    """Run a command that changes nothing, and of which nothing need be known later.

    Raises:
        PluginError: It could not be started, or ended otherwise than expected.
    """
    attempt = _Attempt(connections, context, request, new_mark(), is_check=True)
    ending = await attempt.to_its_end("run")
    if _is_expected(ending, request):
        return _result(ending)
    raise _failure(request, ending)


class _Attempt:
    """One attempt to bring a job to its end, over as many connections as that takes."""

    def __init__(
        self,
        connections: Connections,
        context: Context,
        request: RunOn | ShellOn,
        name: str,
        *,
        is_check: bool = False,
    ) -> None:
        self._connections = connections
        self._context = context
        self._request = request
        self._name = name
        self._is_check = is_check
        self._deadline = trio.current_effective_deadline()
        self._may_have_begun = False
        self._is_ours = False
        self._has_ended = False

    async def to_its_end(self, op: str, *, patient: bool = False) -> Ending:
        """Run the job, or join it; come back to it when the connection is lost.

        Args:
            op: ``run`` begins it if need be; ``settle`` does not.
            patient: Whether to wait for a host that cannot be reached even if nothing
                is known to run there.

        Raises:
            SshError: There is no coming to the host.
        """
        wait = FIRST_WAIT
        detached = self._request.detached and not self._is_check
        try:
            while True:
                try:
                    return await self._once(op)
                except SshError as error:
                    comes_back = patient or (detached and self._may_have_begun)
                    late = trio.current_time() + wait >= self._deadline
                    if not comes_back or error.permanent or late:
                        raise
                    self._report(f"{error.message}; trying again in {wait:g} s")
                await trio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)
        except trio.Cancelled:
            # Only a timeout ends a detached command: an engine that closes, as after a
            # crash, leaves it for the next one to find.
            if detached and self._may_have_begun and self._is_over_time():
                patience = self._request.grace + END_PATIENCE
                with trio.move_on_after(patience, shield=True):
                    await self._have_it_ended()
            raise

    async def _once(self, op: str) -> Ending:
        """Run or join the job over one connection."""
        request = self._request
        stdout, stderr = (
            CapturedOutput(request, report=self._report, keep=request.keep)
            for _ in range(2)
        )

        async def take_stdout(data: bytes) -> None:
            stdout.feed(data)

        async def take_stderr(data: bytes) -> None:
            stderr.feed(data)

        mark = new_mark()
        job = self._program(op, mark)
        async with talk(
            self._connections,
            request.host,
            job,
            mark,
            stdout=take_stdout,
            stderr=take_stderr,
        ) as host:
            self._may_have_begun = True
            try:
                words, joined = await self._listen(host)
            except trio.Cancelled:
                if not request.detached or self._is_check:
                    patience = request.grace + END_PATIENCE
                    with trio.move_on_after(patience, shield=True):
                        # The end of what we say is enough, and cannot be taken for
                        # a part of the command's input.
                        await host.hang_up()
                        await _until_end(host)
                raise
            finally:
                stdout.close()
                stderr.close()
        if words[0] == "fault":
            raise _fault(request, words[1:], stderr)
        self._has_ended = True
        return Ending(
            end=End(words[0]),
            code=int(words[1]) if words[0] == "exit" else 0,
            flags=frozenset(words[2:]),
            joined=joined,
            stdout=stdout,
            stderr=stderr,
        )

    async def _listen(self, host: Talk) -> tuple[tuple[str, ...], bool]:
        """Follow what the host says to the end of the job."""
        joined = False
        while True:
            words = await host.line()
            if words[0] == "fresh":
                self._is_ours = True
                if self._request.stdin is not None:
                    await host.send(_reveal(self._request.stdin).encode())
            elif words[0] == "joined":
                joined = not self._is_ours
                if self._request.detached:
                    self._report(
                        "found the command again; its output comes from the beginning"
                    )
            elif words[0] == "end":
                await host.all_read()
                return words[1:], joined

    async def _have_it_ended(self) -> None:
        if self._has_ended:
            return
        mark = new_mark()
        job = self._program("settle", mark)
        try:
            async with talk(self._connections, self._request.host, job, mark) as host:
                await host.send(b"end\n")
                await host.hang_up()
                await _until_end(host)
        except PluginError as error:
            self._report(f"the command may still run: {error.message}")

    def _is_over_time(self) -> bool:
        return trio.current_time() >= self._deadline

    def _report(self, line: str) -> None:
        self._context.report(line)

    def _program(self, op: str, mark: str) -> bytes:
        request = self._request
        size = None
        if request.stdin is not None:
            size = len(_reveal(request.stdin).encode())
        directory = request.directory.rstrip("/")
        return program(
            "common",
            "identity",
            "job",
            token=mark,
            op=op,
            name=word(self._name),
            root=path_word(f"{directory}/jobs"),
            detached=word(request.detached and not self._is_check),
            transient=word(self._is_check),
            grace=word(math.ceil(request.grace * 10)),
            stdin_size=word(size),
            stored=word(MOST_KEPT),
            days=word(DAYS),
            start=word(_start(self._context, request)),
        )


async def _until_end(host: Talk) -> None:
    """Follow a command that was told to end."""
    with contextlib.suppress(SshError):  # it is ended even if we do not see it
        while (await host.line())[0] != "end":
            pass
        await host.all_read()


def _start(context: Context, request: RunOn | ShellOn) -> str:
    """The program that becomes the command."""
    if isinstance(request, RunOn):
        argv = request.argv
    else:
        shell = request.interpreter
        # The word behind the script is $0, the name that the shell complains under.
        argv = (*shell, "-c", request.script, shell[0], *request.args)
    own = {
        "WORKSTREAM_PLAN_ID": str(context.plan_id),
        "WORKSTREAM_ACTION_ID": str(context.action_id),
        "WORKSTREAM_ATTEMPT": str(context.attempt),
        "WORKSTREAM_IDEMPOTENCY_KEY": context.idempotency_key,
    }
    lines = [remote_text("identity"), remote_text("leader")]
    if request.cwd is not None:
        lines.append(f"enter {path_word(request.cwd)}\n")
    lines += [
        f"export {name}={word(_reveal(value))}\n"
        for name, value in {**request.env, **own}.items()
    ]
    lines.append(f"find_program {word(argv[0])}\n")
    lines.append(f"exec {shlex.join(argv)}\n")
    return "".join(lines)


def _key(context: Context) -> str:
    """The idempotency key as a name of a file."""
    return "".join(
        c if c.isalnum() or c in "-_" else "_" for c in context.idempotency_key
    )


def _number(notes: Mapping[str, NoteValue]) -> int | None:
    number = notes.get("run")
    return number if isinstance(number, int) else None


def _reveal(value: str | SecretRef) -> str:
    return value.reveal() if isinstance(value, SecretRef) else value


def _is_answer(ending: Ending) -> bool:
    """Whether the command has come to its own end."""
    return ending.end is End.EXIT and "cancelled" not in ending.flags


def _is_expected(ending: Ending, request: RunOn | ShellOn) -> bool:
    is_good = ending.code in request.expected_exit_codes
    return _is_answer(ending) and is_good and not ending.flags


def _result(ending: Ending, *, lost: bool = False) -> RunResult:
    return RunResult(
        exit_code=ending.code,
        stdout=ending.stdout.text,
        stderr=ending.stderr.text,
        stdout_left_out=ending.stdout.left_out,
        stderr_left_out=ending.stderr.left_out,
        output_lost=lost,
    )


def _shown(request: RunOn | ShellOn) -> str:
    if isinstance(request, RunOn):
        command = shlex.join(request.argv)
    else:
        command = "shell script " + " ".join(request.script.split())
    if len(command) > COMMAND_SHOWN:
        command = command[:COMMAND_SHOWN] + "..."
    return f"{request.host}: {command}"


def _failure(request: RunOn | ShellOn, ending: Ending) -> PluginError:
    """The error of a command that did not end as it should."""
    shown, code = _shown(request), ending.code
    if ending.end is End.LOST:
        message = f"{shown} was begun and runs no more; how it ended was not seen"
        return PluginError(message)
    if ending.end is not End.EXIT:
        return PluginError(f"{shown} was not begun: it was told to end before")
    if "no-directory" in ending.flags:
        said = ending.stderr.last_lines
        message = (
            f"{request.host}: the directory {request.cwd!r} cannot be entered: {said}"
        )
        return PluginError(message, code=code, permanent=True)
    if "no-program" in ending.flags:
        said = ending.stderr.last_lines
        return PluginError(f"{request.host}: {said}", code=code, permanent=True)
    expected = " or ".join(map(str, request.expected_exit_codes))
    how = f"exited with code {code}{_meaning(code)}, expected {expected}"
    if "cancelled" in ending.flags:
        how = f"was told to end, and exited with code {code}"
    for stream, lines in (
        ("stderr", ending.stderr.last_lines),
        ("stdout", ending.stdout.last_lines),
    ):
        if lines:
            how += f"; the end of its {stream}:\n{lines}"
            break
    return PluginError(f"{shown} {how}", code=code)


def _meaning(code: int) -> str:
    """What a shell means by an exit code; the command itself may mean something else."""
    try:
        return f" (as if ended by {signal.Signals(code - 128).name})"
    except ValueError:
        return ""


def _interrupted(request: RunOn | ShellOn, ending: Ending) -> str:
    message = f"{_shown(request)} was interrupted: "
    if ending.end is End.LOST:
        message += "it runs no more, and how it ended was not seen"
    else:
        message += f"it was told to end, and exited with code {ending.code}"
    return message + "; how far it came is not known"


def _fault(
    request: RunOn | ShellOn, words: tuple[str, ...], stderr: CapturedOutput
) -> SshError:
    """Why the host's program could not do its part."""
    said = stderr.last_lines
    detail = room_left(words[1:]) + (f": {said}" if said else "")
    host, directory = request.host, request.directory
    if words[0] == "setsid":
        message = f"{host}: there is no program setsid, which comes with util-linux"
        return SshError(SshProblem.HOST_UNSUITED, message, permanent=True)
    if words[0] == "input":
        message = f"{host}: the command's input cannot be stored in {directory}{detail}"
    else:
        message = (
            f"{host}: nothing can be noted about the command in {directory}{detail}"
        )
    return SshError(SshProblem.NO_ROOM, message, permanent=False)
