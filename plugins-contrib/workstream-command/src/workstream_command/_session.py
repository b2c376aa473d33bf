"""The processes of a command: found through their session, ended TERM first, then KILL.

A command is the leader of a session of its own, so all that it starts can be found:
by the session, not by the process group, since shells with job control and
``timeout`` put what they start into groups of their own. A process that leaves the
session (``setsid``, ``systemd-run``) has detached itself and is left alone.

Three things keep a stranger from being hit whose number was once ours:

- Linux does not give a number to a new process as long as it is that of a session
  with members. While a command runs its leader is not reaped before its session is
  empty, so its number cannot be taken.
- Signals go through a pidfd that is opened first and checked afterwards.
- What an engine that died has left is recognised by the leader's start time and the
  boot, or, without a leader, by the variable that all commands of an action inherit.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
from collections.abc import Iterable, Mapping

import attrs
import trio

from workstream import PluginError
from workstream.plugins import NoteValue

MARK = "WORKSTREAM_IDEMPOTENCY_KEY"
"""The variable by which the commands of an action are known."""

DEAD = ("Z", "X")
MOST_LISTED = 8
WATCHED_AT_ONCE = 50
"""How many processes are waited for together: each takes a file descriptor."""


@attrs.frozen
class Process:
    """A process, as Linux tells about it.

    Attributes:
        pid: Its number.
        name: What it is called, at most 15 characters.
        state: One letter; Z: it has ended and was not reaped.
        group: The number of its process group.
        session: The number of its session.
        start_time: When it started, in clock ticks since the boot.
    """

    pid: int
    name: str
    state: str
    group: int
    session: int
    start_time: int

    def __str__(self) -> str:
        return f"{self.pid} ({self.name})"


@attrs.frozen
class Identity:
    """What tells a command's leader from every other process that ever ran.

    Attributes:
        pid: Its number, which is also that of its session.
        start_time: When it started, in clock ticks since the boot.
        boot_id: Which boot of the machine that was.
    """

    pid: int
    start_time: int
    boot_id: str

    def notes(self) -> dict[str, NoteValue]:
        """The notes from which ``from_notes`` makes it again."""
        return {
            "pid": self.pid,
            "process_start_time": self.start_time,
            "boot_id": self.boot_id,
        }

    @classmethod
    def from_notes(cls, notes: Mapping[str, NoteValue]) -> Identity | None:
        """The process that an attempt has noted; None: it noted none."""
        pid, start_time = notes.get("pid"), notes.get("process_start_time")
        boot_id = notes.get("boot_id")
        if (
            isinstance(pid, int)
            and isinstance(start_time, int)
            and isinstance(boot_id, str)
        ):
            return cls(pid, start_time, boot_id)
        return None

    @classmethod
    def of(cls, pid: int) -> Identity:
        """That of a process that exists, a child not yet reaped for example."""
        process = process_of(pid)
        if process is None:
            message = f"process {pid} cannot be seen in /proc"
            raise PluginError(message)
        return cls(pid, process.start_time, boot_id())


def boot_id() -> str:
    """Which boot of the machine this is."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def process_of(pid: int) -> Process | None:
    """The process of that number; None: there is none, or it cannot be seen."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    # The name may hold anything, parentheses too; what follows the last one is plain.
    before, _, after = stat.rpartition(b")")
    fields = after.split()
    return Process(
        pid=pid,
        name=before.partition(b"(")[2].decode(errors="replace"),
        state=fields[0].decode(),
        group=int(fields[2]),
        session=int(fields[3]),
        start_time=int(fields[19]),
    )


def members(session: int) -> list[Process]:
    """The processes of a session that have not ended."""
    everybody = (
        process_of(int(name)) for name in os.listdir("/proc") if name.isdigit()
    )
    return [p for p in everybody if p and p.session == session and p.state not in DEAD]


@attrs.define
class Ended:
    """What became of a session's processes.

    Attributes:
        signalled: Those that had to be ended.
        untouchable: Those that still run because they belong to another user.
    """

    signalled: dict[int, Process] = attrs.field(factory=dict[int, Process])
    untouchable: dict[int, Process] = attrs.field(factory=dict[int, Process])


async def end_session(session: int, *, grace: float, linger: float = 0.0) -> Ended:
    """End all processes of a session, and return when they have ended.

    TERM goes once to those that are there. What they start then, to tidy up, has the
    whole grace for it.

    Args:
        session: Its number, which must be known to be the right session's.
        grace: Seconds between TERM and KILL; 0: KILL at once.
        linger: Seconds in which they may end by themselves first.

    Returns:
        What there was to end, and what could not be ended.
    """
    result = Ended()
    told = False
    lingers_until = trio.current_time() + linger
    kill_at = lingers_until + grace
    while True:
        # Reading /proc takes milliseconds on a machine with many processes.
        found = await trio.to_thread.run_sync(members, session)
        found = [p for p in found if p.pid not in result.untouchable]
        if not found:
            return result
        now = trio.current_time()
        if now < lingers_until:
            number, until = 0, lingers_until
        elif now < kill_at:
            number, until = 0 if told else signal.SIGTERM, kill_at
            told = True
        else:
            number, until = signal.SIGKILL, math.inf
        await _signal_and_wait(found, number, until, result)


async def _signal_and_wait(
    found: list[Process], number: int, until: float, result: Ended
) -> None:
    group = found[0].session
    if number == signal.SIGTERM and process_of(group) is not None:
        # All at once, so that none is begun between a look at them and the signal.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    else:
        group = 0
    with contextlib.ExitStack() as stack:
        watched: list[int] = []
        for process in found:
            fd = _open(process)
            if fd is None:
                continue
            sent = 0 if process.group == group else number
            if number and not _signal(process, fd, sent, result):
                os.close(fd)
            elif len(watched) == WATCHED_AT_ONCE:
                os.close(fd)  # its turn to be waited for comes when these have ended
            else:
                stack.callback(os.close, fd)
                watched.append(fd)
        with trio.move_on_at(until):
            for fd in watched:
                await trio.lowlevel.wait_readable(fd)


def _signal(process: Process, fd: int, number: int, result: Ended) -> bool:
    """Send a signal, or 0 if it has it already; whether there is an end to wait for."""
    try:
        signal.pidfd_send_signal(fd, number)
        if number != signal.SIGKILL:
            # A stopped process would not see it before it goes on.
            signal.pidfd_send_signal(fd, signal.SIGCONT)
    except ProcessLookupError:
        return False
    except PermissionError:
        result.untouchable[process.pid] = process
        return False
    result.signalled[process.pid] = process
    return True


def _open(process: Process) -> int | None:
    """A handle of just this process; None: it has ended."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    now = process_of(process.pid)
    if now is None or now.start_time != process.start_time:
        os.close(fd)
        return None
    return fd


async def end_leftover(identity: Identity, key: str, *, grace: float) -> Ended:
    """End what is left of a command whose engine died.

    Args:
        identity: The command's leader, as noted.
        key: The action's idempotency key.
        grace: Seconds between TERM and KILL.

    Returns:
        What there was to end.

    Raises:
        PluginError: There are processes of which it cannot be told whose they are, or
            that may not be ended: nothing must be started beside them.
    """
    if identity.boot_id != boot_id():
        return Ended()
    leader = process_of(identity.pid)
    if leader is not None and leader.start_time != identity.start_time:
        return Ended()  # the number was free again: nothing of the session is left
    found = await trio.to_thread.run_sync(members, identity.pid)
    if not found:
        _refuse_hidden(identity.pid)
        return Ended()
    # A session number is one session's at a time: one known member speaks for all.
    if leader is None and not any(_has_mark(process, key) for process in found):
        message = (
            f"process {identity.pid} of the interrupted attempt has ended, but its "
            f"session still has members: {listed(found)}. Whether it started them "
            "cannot be told; end them, or wait for them, and try again"
        )
        raise PluginError(message)
    ended = await end_session(identity.pid, grace=grace)
    if ended.untouchable:
        message = (
            "the interrupted attempt left processes running that this user may not "
            f"end: {listed(ended.untouchable.values())}. End them and try again"
        )
        raise PluginError(message)
    return ended


def _refuse_hidden(group: int) -> None:
    """Raise if others run what was begun: /proc may hide it (``hidepid``), ``kill`` not."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return
    except PermissionError:
        message = (
            f"process group {group}, the interrupted attempt's, belongs to another user "
            "now, and this machine hides whose processes are in it (hidepid). Whether "
            "the attempt started them cannot be told; end them, or wait for them, and "
            "try again"
        )
        raise PluginError(message) from None


def _has_mark(process: Process, key: str) -> bool:
    try:
        with open(f"/proc/{process.pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return False
    return f"{MARK}={key}".encode() in variables


def listed(processes: Iterable[Process]) -> str:
    """Processes, for a message: a few of them by number and name."""
    shown = [str(process) for process in processes]
    more = f" and {len(shown) - MOST_LISTED} more" if len(shown) > MOST_LISTED else ""
    return ", ".join(shown[:MOST_LISTED]) + more
