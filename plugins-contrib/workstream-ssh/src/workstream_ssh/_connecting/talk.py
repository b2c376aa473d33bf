"""A program at work on a host, and we in talk with it."""

from __future__ import annotations

import contextlib
import math
import re
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import attrs
import trio

from workstream import PluginError
from workstream.plugins import leaves_of

from .become import Become, refusal
from .connections import Connections, Room
from .hosts import Host
from .options import SSH, environment, run_through
from .problems import SshError, SshProblem, problem_of
from .programs import bootstrap, new_mark, prompt_of
from .wire import Data, Line, Parser

Sink: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Takes the next piece of what comes from a host."""

CHUNK = 64 * 1024
END_PATIENCE = 5.0
"""Seconds in which an ssh that has nothing more to do may end."""
TRIES = 4
LINGERS = 0.3
"""Seconds in which a host notices that a session has ended, be it busy."""
SILENCE = 20.0
"""Seconds in which a login comes to our program; a host's ``connect_timeout`` counts if
it is longer."""

_REFUSED = re.compile(
    r"[Ss]ession open refused|administratively prohibited|open failed"
)


@attrs.define
class Waiting:
    """What an attempt waits for at the moment.

    Attributes:
        what: In words that fit behind "waited for".
    """

    what: str = ""


async def discard(data: bytes) -> None:
    """A sink for what nobody wants."""


@asynccontextmanager
async def talk(
    connections: Connections,
    host: Host,
    program: bytes,
    mark: str,
    *,
    become: Become | None = None,
    stdout: Sink = discard,
    stderr: Sink = discard,
    waiting: Waiting | None = None,
) -> AsyncGenerator[Talk, None]:
    """Have a program run on a host; on the way out it is let go.

    Args:
        connections: Where to find the connection.
        host: Where.
        program: What to run, as ``programs.program`` makes it.
        mark: What the program begins its lines with.
        become: The user that the login becomes for it.
        stdout: Gets what it passes on.
        stderr: Gets what it writes to stderr.
        waiting: Is kept up to date until the program has begun.

    Raises:
        SshError: It could not be started.
    """
    waiting = waiting or Waiting()
    for left in reversed(range(TRIES)):
        async with AsyncExitStack() as stack:
            waiting.what = f"{host}: a connection that has room for one more command"
            room = await stack.enter_async_context(connections.session(host))
            waiting.what = f"{host}: the connection to be made"
            socket = await room.connected()
            hello = new_mark()
            command = bootstrap(len(program), hello, become)
            opened = _opened(room, socket, command, (hello, mark), stdout, stderr)
            talk = await stack.enter_async_context(opened)
            try:
                await talk.begin(program, become, waiting)
            except SshError as error:
                if not left or talk.reached or not _can_help(error):
                    raise
                if not _REFUSED.search(talk.log()):
                    # ssh would not have made a connection of its own, so there is no
                    # master any more.
                    room.gone(socket)
                elif not room.narrow():
                    # Nobody else of us is there: but a session that has just ended may
                    # be one that the host still counts.
                    await trio.sleep(LINGERS)
                continue
            yield talk
            return


def _can_help(error: SshError) -> bool:
    """Whether another try may help, where the program has said nothing yet."""
    return error.problem not in (SshProblem.HOST_UNSUITED, SshProblem.NOT_BECOME)


class Talk:
    """What one program on a host says, and what it is told.

    Attributes:
        host: Where it runs.
        reached: Whether the program has said anything yet.
    """

    def __init__(
        self,
        host: Host,
        process: trio.Process,
        log: Path,
        marks: tuple[str, str],
        stdout: Sink,
        stderr: Sink,
    ) -> None:
        hello, mark = marks
        self.host = host
        self.reached = False
        self._process = process
        self._log = log
        self._hello, self._out, self._err = Parser(hello), Parser(mark), Parser(mark)
        self._is_ready = False
        self._prompt = prompt_of(hello).encode()
        self._stdout, self._stderr = stdout, stderr
        self._fault: Exception | None = None
        # The last words of a command that is being ended are wanted as well.
        self._reading = [trio.CancelScope(shield=True) for _ in range(2)]
        self._say, self._lines = trio.open_memory_channel[tuple[str, ...]](math.inf)
        self._say_asked = self._say.clone()
        self._first: tuple[str, ...] | None = None
        self._stderr_ended = trio.Event()
        self._feeding = trio.CancelScope()
        self._nursery: trio.Nursery | None = None

    async def begin(
        self, program: bytes, become: Become | None, waiting: Waiting
    ) -> None:
        """Send the program when the host is there, and wait until it says something."""
        waiting.what = (
            f"{self.host}: the login to come to our program. Its scripts may wait for "
            "something, the standard input for example (~/.profile, ~/.bashrc, "
            "/etc/profile)"
        )
        there = asked = False
        while (words := await self._soon(become if there else None)) != ("ready",):
            assert become is not None, words
            assert words in (("login",), ("asked",)), words
            waiting.what = (
                f"{self.host}: {become.method.value} to let us be {become.user}"
            )
            there = True
            # It asks on stderr, which may overtake the word that we have come.
            if words == ("asked",):
                if asked or become.password is None:
                    raise refusal(self.host, become, self._noise(), asked=True)
                asked = True
                await self.send(become.answer())
        self._say_asked.close()
        waiting.what = f"{self.host}: our program to begin"
        await self.send(program)
        self._first = await self._next_line()
        self.reached = True

    async def _soon(self, become: Become | None) -> tuple[str, ...]:
        """What comes next on the way to the program, or else why it does not come."""
        patience = max(SILENCE, self.host.connect_timeout)
        with trio.move_on_after(patience):
            try:
                return await self._next_line()
            except SshError as error:
                if become is None or error.problem is not SshProblem.HOST_UNSUITED:
                    raise
                raise refusal(self.host, become, self._noise()) from None
        await self.hang_up()
        late = False
        with trio.move_on_after(END_PATIENCE), contextlib.suppress(SshError):
            late = bool(await self._next_line())
        if become is not None:
            raise refusal(self.host, become, self._noise())
        cause = "may wait for something"
        if late:
            cause = "read the standard input, which is for our program"
        message = (
            f"{self.host}: the login has not come to our program within {patience:g} "
            f"seconds: its scripts (~/.profile, ~/.bashrc, /etc/profile and such) {cause}. "
            "Let them do so only when there is a terminal, or, if they only take long, "
            f"give the host a longer connect_timeout{self._said()}"
        )
        raise SshError(SshProblem.HOST_UNSUITED, message, permanent=False)

    async def line(self) -> tuple[str, ...]:
        """The next line that the program says, as words.

        Raises:
            SshError: It will say nothing more.
        """
        first, self._first = self._first, None
        return first or await self._next_line()

    async def send(self, data: bytes) -> None:
        """Tell it something. Whether that arrives is seen by what it says."""
        assert self._process.stdin is not None
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._process.stdin.send_all(data)

    def feed(self, sender: Callable[[Talk], Awaitable[None]]) -> None:
        """Send much, while listening: whatever reads it may end before it was all sent.

        An error of the sender is raised by ``line``, as then nothing more will come.
        """

        async def send() -> None:
            with self._feeding:
                try:
                    await sender(self)
                except Exception as error:
                    self._fault = error
                    await self.hang_up()

        assert self._nursery is not None
        self._nursery.start_soon(send)

    async def hang_up(self) -> None:
        """Tell it nothing more; it still may say something."""
        assert self._process.stdin is not None
        await self._process.stdin.aclose()

    async def all_read(self) -> None:
        """Return when all that it wrote to stderr before its end has been seen."""
        await self._stderr_ended.wait()

    def log(self) -> str:
        """What ssh itself has said."""
        if not self._log.exists():
            return ""
        return self._log.read_text(encoding="utf-8", errors="replace")

    async def _next_line(self) -> tuple[str, ...]:
        try:
            line = await self._lines.receive()
        except trio.EndOfChannel:
            raise await self._lost() from None
        if self._fault is not None:
            raise self._fault
        return line

    async def _lost(self) -> Exception:
        if self._fault is not None:
            return self._fault
        await self.hang_up()
        with trio.move_on_after(END_PATIENCE):
            await self._process.wait()
        code = self._process.returncode
        if self.reached or code is None or code == 255 or code < 0:
            return problem_of(self.host, self.log(), reached=self.reached)
        message = (
            f"{self.host}: it lets us in, but runs no program for us: its shell ends "
            f"with code {code}{self._said()}"
        )
        return SshError(SshProblem.HOST_UNSUITED, message, permanent=True)

    def _noise(self) -> str:
        """What was said before the program began."""
        noise = self._hello.noise + b" " + self._out.noise + b" " + self._err.noise
        return noise.replace(self._prompt, b"").decode("utf-8", "replace")

    def _said(self) -> str:
        """The same, as the end of a sentence."""
        noise = " ".join(self._noise().split())
        return f" and says: {noise}" if noise else ""

    def start(self, nursery: trio.Nursery) -> None:
        """Begin to read."""
        self._nursery = nursery
        nursery.start_soon(self._read_stdout)
        nursery.start_soon(self._read_stderr)

    async def _read_stdout(self) -> None:
        """Read until the program has come to its end, or the stream."""
        assert self._process.stdout is not None
        with self._reading[0], self._say:
            try:
                while data := await self._process.stdout.receive_some(CHUNK):
                    if not self._is_ready:
                        self._greet(bytes(data))
                        continue
                    for item in self._out.feed(bytes(data)):
                        if isinstance(item, Data):
                            await self._stdout(item.data)
                            continue
                        self._say.send_nowait(item.words)
                        if item.words[:1] == ("end",):
                            return
            except trio.BrokenResourceError:
                pass
            except Exception as error:  # a sink's: whoever waits for lines gets it
                self._fault = error

    def _greet(self, data: bytes) -> None:
        """Pass on that the host is there; the program says nothing before it is sent."""
        for item in self._hello.feed(data):
            if isinstance(item, Line):
                self._is_ready = self._is_ready or item.words == ("ready",)
                self._say.send_nowait(item.words)

    async def _read_stderr(self) -> None:
        """Likewise; the program says nothing here but where it begins and ends."""
        assert self._process.stderr is not None
        marks = asked = 0
        with (
            self._reading[1],
            self._say_asked,
            contextlib.suppress(trio.BrokenResourceError),
        ):
            while marks < 2 and (
                data := await self._process.stderr.receive_some(CHUNK)
            ):
                for item in self._err.feed(bytes(data)):
                    if isinstance(item, Data):
                        await self._stderr(item.data)
                    else:
                        marks += 1
                while self._err.noise.count(self._prompt) > asked:
                    asked += 1
                    with contextlib.suppress(trio.ClosedResourceError):
                        self._say_asked.send_nowait(("asked",))
        self._stderr_ended.set()

    async def aclose(self) -> None:
        """Let go of the program; ssh has ended when this returns."""
        for scope in self._reading:
            scope.cancel()
        self._feeding.cancel()
        with trio.CancelScope(shield=True):
            await self.hang_up()
            with trio.move_on_after(0.2):
                # It mostly is about to end by itself; the host then sees no broken pipe.
                await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
            for stream in (self._process.stdout, self._process.stderr):
                assert stream is not None
                await stream.aclose()


@asynccontextmanager
async def _opened(
    room: Room,
    socket: Path,
    command: str,
    marks: tuple[str, str],
    stdout: Sink,
    stderr: Sink,
) -> AsyncGenerator[Talk, None]:
    log = room.connections.log()
    try:
        process = await trio.lowlevel.open_process(
            run_through(room.host, socket, log, command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            start_new_session=True,  # no terminal: Ctrl-C is not for it
        )
    except OSError as error:
        message = f"{SSH} cannot be started: {error.strerror}"
        raise PluginError(message) from error
    talk = Talk(room.host, process, log, marks, stdout, stderr)
    try:
        async with trio.open_nursery() as nursery:
            talk.start(nursery)
            try:
                yield talk
            finally:
                await talk.aclose()
    except BaseExceptionGroup as group:
        raise _only(group) from None
    finally:
        log.unlink(missing_ok=True)


def _only(group: BaseException) -> BaseException:
    """The one error in a group: those that read raise none, so it is that of the talk.

    A cancellation that came at the same moment is not lost: whoever asked for it knows.
    """
    leaves = list(leaves_of(group))
    errors = [leaf for leaf in leaves if not isinstance(leaf, trio.Cancelled)]
    if len(errors) > 1:
        return group
    return errors[0] if errors else leaves[0]
