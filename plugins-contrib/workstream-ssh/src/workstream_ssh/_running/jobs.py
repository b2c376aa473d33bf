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
import math
import shlex
import time
from collections.abc import Iterator, Mapping

import attrs
import trio

from workstream import Context, PluginError, SecretRef
from workstream.plugins import (
    NOT_DONE,
    CapturedOutput,
    NotDone,
    NoteValue,
    Preview,
    explained_timeout,
)

from .._connecting.connections import Connections
from .._connecting.problems import SshError, SshProblem
from .._connecting.programs import new_mark, path_word, program, remote_text, word
from .._connecting.talk import Talk, Waiting, talk
from .._requests import MOST_KEPT, RunOn, RunResult, ShellOn
from .endings import (
    End,
    Ending,
    failure,
    fault,
    interrupted,
    listed,
    result_of,
    shown,
    why_skipped,
)

DAYS = 7
"""Days for which a host remembers a command that has ended."""
SURELY_KNOWN = (DAYS - 1) * 24 * 3600.0
END_PATIENCE = 15.0
"""Seconds, beside the grace, that the end of a command may take to be told."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 15.0


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
        attempt = _Attempt(connections, context, request, (_key(context), number))
        ending = await attempt.to_its_end("run")
        is_found = ending.is_answer and request.detached
        if not ending.joined or is_found or ending.end is End.LEFT:
            break
        # What an earlier attempt has left is settled now; this one has yet to begin.
        if ending.left:
            raise interrupted(request, ending)
        if ending.end is not End.MISSING:
            number += 1
    if ending.is_expected(request):
        return result_of(request, ending)
    if ending.end is not End.LEFT:
        await context.remember(run=number + 1)
    raise failure(request, ending)


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
    attempt = _Attempt(connections, context, request, (_key(context), number))
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
    if not ending.is_answer:
        raise interrupted(request, ending)
    if ending.is_expected(request):
        return result_of(request, ending, lost=not request.detached)
    raise failure(request, ending)


async def check(
    connections: Connections, context: Context, request: RunOn | ShellOn
) -> RunResult:
    """Run a command that changes nothing, and of which nothing need be known later.

    Raises:
        PluginError: It could not be started, or ended otherwise than expected.
    """
    attempt = _Attempt(connections, context, request, (new_mark(), 1), is_check=True)
    ending = await attempt.to_its_end("run")
    if ending.is_expected(request):
        return result_of(request, ending)
    raise failure(request, ending)


async def foresee(
    connections: Connections, context: Context, request: RunOn | ShellOn
) -> Preview:
    """Say whether a command would be skipped; it is not begun.

    ``unless`` is run for it, as a check is: nothing is kept of it.

    Raises:
        PluginError: That cannot be told.
    """
    if request.creates is request.removes is request.unless is None:
        text = f"{shown(request)}: nobody but you knows what it does"
        return Preview(text, changes=None)
    request = attrs.evolve(request, detached=False, stdin=None)
    attempt = _Attempt(
        connections, context, request, (new_mark(), 1), is_check=True, only_look=True
    )
    ending = await attempt.to_its_end("run")
    why = why_skipped(request, ending)
    if why is not None:
        return Preview(f"{shown(request)} would be skipped: {why}", changes=False)
    if ending.is_answer and ending.code == 0 and not ending.flags:
        return Preview(f"{shown(request)} would be run", changes=True)
    raise failure(request, ending)


class _Attempt:
    """One attempt to bring a job to its end, over as many connections as that takes."""

    def __init__(
        self,
        connections: Connections,
        context: Context,
        request: RunOn | ShellOn,
        name: tuple[str, int],
        *,
        is_check: bool = False,
        only_look: bool = False,
    ) -> None:
        self._connections = connections
        self._context = context
        self._request = request
        self._base, self._number = name
        self._is_check = is_check
        self._only_look = only_look
        self._waiting = Waiting()
        self._connected = 0
        self._output: tuple[CapturedOutput, ...] = ()
        self._deadline = trio.current_effective_deadline()
        self._may_have_begun = False
        self._left: tuple[str, ...] = ()
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
        async with explained_timeout(self._explain):
            return await self._with_patience(op, patient=patient)

    async def _with_patience(self, op: str, *, patient: bool) -> Ending:
        wait = FIRST_WAIT
        detached = self._request.detached and not self._is_check
        try:
            while True:
                try:
                    return await self._once(op)
                except SshError as error:
                    comes_back = patient or (detached and self._may_have_begun)
                    # The host has answered: it is for retries whether to ask again.
                    comes_back &= error.problem is not SshProblem.NO_ROOM
                    late = trio.current_time() + wait >= self._deadline
                    if not comes_back or error.permanent or late:
                        raise
                    self._waiting.what = f"another connection: {error.message}"
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

    def _explain(self) -> str:
        """What was waited for when the time was over."""
        text = f"waited for {self._waiting.what}"
        if self._connected > 1:
            text += f", over {self._connected} connections"
        for name, output in zip(("stderr", "stdout"), self._output, strict=False):
            if output.last_lines:
                return f"{text}; the last lines of its {name}:\n{output.last_lines}"
        return text

    async def _once(self, op: str) -> Ending:
        """Run or join the job over one connection."""
        request = self._request
        stdout, stderr = (
            CapturedOutput(request, report=self._report, keep=request.keep)
            for _ in range(2)
        )
        self._output = (stderr, stdout)

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
            become=request.become,
            stdout=take_stdout,
            stderr=take_stderr,
            waiting=self._waiting,
        ) as host:
            self._connected += 1
            self._may_have_begun = True
            self._waiting.what = f"{shown(request)}: its end"
            try:
                words, joined = await self._listen(host)
            except trio.Cancelled:
                if not request.detached or self._is_check:
                    patience = request.grace + END_PATIENCE
                    with trio.move_on_after(patience, shield=True):
                        # The end of what we say is enough, and cannot be taken for
                        # a part of the command's input.
                        await host.hang_up()
                        await self._until_end(host)
                raise
            finally:
                stdout.close()
                stderr.close()
        if words[0] == "fault":
            raise fault(request, words[1:], stderr)
        self._has_ended = True
        return Ending(
            end=End(words[0]),
            code=int(words[1]) if words[0] == "exit" else 0,
            flags=frozenset(words[2:]),
            joined=joined,
            left=self._left,
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
            elif words[0] == "left":
                self._note_left(words[1:])
            elif words[0] == "end":
                await host.all_read()
                return words[1:], joined

    def _note_left(self, left: tuple[str, ...]) -> None:
        """What the user may not end is told at once: it may be all that is ever told."""
        if left != self._left:
            self._report(f"still running, not ours to end: {listed(left)}")
        self._left = left

    async def _until_end(self, host: Talk) -> None:
        """Follow a command that was told to end, as far as it does."""
        with contextlib.suppress(SshError):  # it is ended even if we do not see it
            while (words := await host.line())[0] != "end":
                if words[0] == "left":
                    self._note_left(words[1:])
                    return
            await host.all_read()

    async def _have_it_ended(self) -> None:
        if self._has_ended:
            return
        mark = new_mark()
        job = self._program("settle", mark)
        host, become = self._request.host, self._request.become
        try:
            async with talk(
                self._connections, host, job, mark, become=become
            ) as host_talk:
                await host_talk.send(b"end\n")
                await host_talk.hang_up()
                await self._until_end(host_talk)
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
            "session",
            "job",
            become=request.become,
            token=mark,
            op=op,
            name=word(f"{self._base}-{self._number}"),
            base=word(self._base),
            number=word(self._number),
            key=word(self._context.idempotency_key),
            root=path_word(f"{directory}/jobs"),
            detached=word(request.detached and not self._is_check),
            transient=word(self._is_check),
            grace=word(math.ceil(request.grace * 10)),
            stdin_size=word(size),
            stored=word(MOST_KEPT),
            days=word(DAYS),
            start=word(_start(self._context, request, only_look=self._only_look)),
        )


def _start(
    context: Context, request: RunOn | ShellOn, *, only_look: bool = False
) -> str:
    """The program that becomes the command, or would."""
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
    lines += _conditions(request)
    if only_look:
        return "".join([*lines, "exit 0\n"])
    lines.append(f"find_program {word(argv[0])} no-program\n")
    lines.append(f"exec {shlex.join(argv)}\n")
    return "".join(lines)


def _conditions(request: RunOn | ShellOn) -> Iterator[str]:
    """What keeps the command from being begun."""
    if request.creates is request.removes is request.unless is None:
        return
    yield 'mkdir "$job/conditions"\n'
    if request.creates is not None:
        yield f"if exists {path_word(request.creates)}; then skip creates; fi\n"
    if request.removes is not None:
        yield f"exists {path_word(request.removes)} || skip removes\n"
    if request.unless is not None:
        words = request.unless
        argv = ("/bin/sh", "-c", words) if isinstance(words, str) else words
        yield f"find_program {word(argv[0])} no-unless\n"
        # Its output is for nobody, its input is none.
        yield f"if (exec {shlex.join(argv)}) </dev/null >/dev/null 2>&1; then\n"
        yield "skip unless; fi\n"
    yield 'mkdir "$job/met"\n'


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
