"""One new process: started, held until it may begin, let go, waited for, reaped."""

from __future__ import annotations

import contextlib
import difflib
import errno
import functools
import marshal
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import attrs
import trio

from workstream import PluginError
from workstream.plugins import python_interpreter

from ._launcher import HEADER, STARTING
from ._session import Ended, Identity, end_session

LAUNCHER = Path(__file__).with_name("_launcher.py")

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""The codes that shells give for a program that is not there, or cannot be run."""

PASSING = {
    errno.EAGAIN,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ESTALE,
    errno.ETXTBSY,
}
"""What may go by itself; any other reason not to start a program stays."""


@attrs.frozen
class Start:
    """What a new process is to become.

    Attributes:
        argv: The program and its arguments.
        env: All of its variables.
        cwd: The directory to run in; None: where it is.
    """

    argv: tuple[str, ...]
    env: Mapping[bytes, bytes]
    cwd: str | None = None

    def message(self) -> bytes:
        """What ``_launcher`` reads."""
        cwd = None if self.cwd is None else os.fsencode(self.cwd)
        argv = [os.fsencode(word) for word in self.argv]
        data = marshal.dumps((cwd, argv, dict(self.env)))
        return len(data).to_bytes(HEADER, "big") + data


class Child:
    """A process of ours, the leader of a session of its own.

    It runs ``_launcher`` until ``release``. Whoever has one must call ``aclose``.

    Attributes:
        identity: Which process it is: to be noted before ``release``.
        stdin: The writing end of its standard input, if it was to have one.
        stdout: The reading end of its standard output.
        stderr: The reading end of its standard error.
        ended: What ``end`` had to end.
    """

    def __init__(
        self,
        process: trio.Process,
        control: socket.socket,
        stdin: trio.lowlevel.FdStream | None,
        stdout: int,
        stderr: int,
    ) -> None:
        self._process = process
        self._control = control
        self._resources = contextlib.ExitStack()
        self._is_ended = False
        self.ended = Ended()
        self.identity = Identity.of(process.pid)
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self._exit = os.pidfd_open(process.pid)
        self._resources.callback(os.close, self._exit)

    @classmethod
    async def start(cls, *, with_stdin: bool) -> Child:
        """Start a process that waits for ``release``.

        Once begun it is not interrupted, so no process is started and forgotten.

        Raises:
            PluginError: The machine has no room for another process, or lets the
                engine start none, which is permanent.
        """
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            try:
                control, far_control = socket.socketpair()
                ours.callback(control.close)
                theirs.callback(far_control.close)
                far_stdin, stdin = subprocess.DEVNULL, None
                if with_stdin:
                    far_stdin, near_stdin = os.pipe()
                    theirs.callback(os.close, far_stdin)
                    stdin = trio.lowlevel.FdStream(near_stdin)
                    ours.callback(stdin.close)
                stdout, far_stdout = os.pipe()
                ours.callback(os.close, stdout)
                theirs.callback(os.close, far_stdout)
                stderr, far_stderr = os.pipe()
                ours.callback(os.close, stderr)
                theirs.callback(os.close, far_stderr)
                command = (python_interpreter(), "-I", "-S", *_launcher())
                process = await trio.lowlevel.open_process(
                    [*command, str(far_control.fileno())],
                    stdin=far_stdin,
                    stdout=far_stdout,
                    stderr=far_stderr,
                    pass_fds=[far_control.fileno()],
                    start_new_session=True,
                )
            except OSError as error:
                message = f"no process could be started: {error.strerror or error}"
                raise PluginError(
                    message, permanent=error.errno not in PASSING
                ) from error
            try:
                child = cls(process, control, stdin, stdout, stderr)
            except BaseException:
                control.close()  # which ends it
                with trio.CancelScope(shield=True):
                    await process.wait()
                raise
            child._resources.push(ours.pop_all())
            return child

    async def release(self, start: Start) -> None:
        """Let it become the command; return when it has.

        Raises:
            PluginError: It could not, permanently if nothing will change that.
        """
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(self._control))
        answer = b""
        try:
            await stream.send_all(start.message())
            async for data in stream:
                answer += data
        except trio.BrokenResourceError:
            pass  # it died; what it answered before is all there is
        self._control.close()
        if not answer.startswith(STARTING) and b" " not in answer:
            message = "the new process ended before it became the command"
            raise PluginError(message)
        place, _, number = answer.removeprefix(STARTING).decode().partition(" ")
        if place:
            # It looks through directories, which may be far away.
            error = await trio.to_thread.run_sync(
                _not_started, start, place, int(number)
            )
            raise error

    async def exited(self) -> None:
        """Return when the command's own process has ended; others may remain."""
        await trio.lowlevel.wait_readable(self._exit)

    async def end(self, *, grace: float, linger: float = 0.0) -> None:
        """End all that is left of the command; return when it has ended.

        The leader is not reaped before that, so its session's number stays its own.
        """
        if not self._is_ended:
            pid = self.identity.pid
            try:
                self.ended = await end_session(pid, grace=grace, linger=linger)
            except OSError:
                # No file descriptor is left to look with. This needs none, and as the
                # leader is not reaped it is the right group.
                os.killpg(pid, signal.SIGKILL)
            # One that belongs to another user ends when it likes.
            await self.exited()
            self._is_ended = True

    async def aclose(self, *, grace: float) -> int:
        """End what is left, reap it, close the pipes; give the exit status.

        It takes no notice of cancellation.

        Returns:
            The exit code, or the negative number of the signal that ended it.
        """
        with self._resources:
            self._control.close()
            with trio.CancelScope(shield=True):
                await self.end(grace=grace)
                await self._process.wait()
        status = self._process.returncode
        assert status is not None
        return status


@functools.cache
def _launcher() -> tuple[str, ...]:
    """The arguments that have Python run ``_launcher``; it may be in a zip file."""
    if LAUNCHER.is_file():
        return (str(LAUNCHER),)
    import pkgutil  # it brings much along, and packages are seldom in a zip file

    source = pkgutil.get_data("workstream_command", LAUNCHER.name)
    assert source is not None
    return ("-c", source.decode())


def _nearest(program: str, path: bytes | None) -> str:
    """What may have been meant: programs with names like it."""
    found: set[str] = set()
    for directory in os.fsdecode(path or os.fsencode(os.defpath)).split(os.pathsep):
        with contextlib.suppress(OSError):
            found.update(os.listdir(directory or "."))
    nearest = difflib.get_close_matches(program, sorted(found), n=3, cutoff=0.8)
    return f". Did you mean {' or '.join(map(repr, nearest))}?" if nearest else ""


def _not_started(start: Start, place: str, number: int) -> PluginError:
    reason = os.strerror(number)
    code = NOT_EXECUTABLE
    permanent = number not in PASSING
    program = start.argv[0]
    if place == "cwd":
        message = (
            f"the directory {start.cwd!r} cannot be entered: {reason}. Make it first, or "
            "give another one as cwd"
        )
    elif number in (errno.ENOENT, errno.ENOTDIR):
        code = NOT_FOUND
        if "/" in program:
            message = (
                f"{program!r} cannot be started: there is no such file, or the "
                "interpreter that its first line names is not there"
            )
        else:
            path = start.env.get(b"PATH")
            where = "the default PATH" if path is None else f"PATH={os.fsdecode(path)}"
            message = f"{program!r} is not found in {where}{_nearest(program, path)}"
    elif number == errno.EACCES:
        message = f"{program!r} may not be executed: {reason}"
    elif number == errno.ENOEXEC:
        message = f"{program!r} is no program, nor a script with a #! line"
    elif number == errno.E2BIG:
        size = sum(len(os.fsencode(word)) + 1 for word in start.argv)
        size += sum(len(name) + len(value) + 2 for name, value in start.env.items())
        message = (
            f"{program!r} cannot be started: its arguments and env are too long "
            f"({size:,} bytes together): hand them over in a file or in stdin, or say "
            "inherit_env=False"
        )
    else:
        message = f"{program!r} cannot be started: {reason}"
    return PluginError(message, code=code, permanent=permanent)
