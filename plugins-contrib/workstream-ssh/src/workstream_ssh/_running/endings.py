"""How a command on a host ended: what is made of it, in results and in messages."""

from __future__ import annotations

import enum
import shlex
import signal

import attrs

from workstream import PluginError
from workstream.plugins import CapturedOutput

from .._connecting.problems import SshError, SshProblem, cannot_write
from .._requests import RunOn, RunResult, ShellOn

COMMAND_SHOWN = 120
MOST_LISTED = 8
CANNOT_START = 126
TOO_LONG = "Argument list too long"


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
    LEFT = "left"
    """What an earlier attempt has left runs, and may not be ended."""


@attrs.frozen(kw_only=True)
class Ending:
    """What became of a job.

    Attributes:
        end: How it stands.
        code: The exit code.
        flags: ``cancelled``: it was told to end; ``no-directory``, ``no-program``,
            ``no-unless``; ``skipped-`` with ``creates``, ``removes`` or ``unless``.
        joined: Whether it was begun before this attempt.
        left: What of it still runs, as the user may not end it: numbers and names.
        stdout: What the command wrote.
        stderr: Likewise.
    """

    end: End
    code: int = 0
    flags: frozenset[str] = frozenset()
    joined: bool = False
    left: tuple[str, ...] = ()
    stdout: CapturedOutput
    stderr: CapturedOutput

    @property
    def is_answer(self) -> bool:
        """Whether the command has come to its own end."""
        return self.end is End.EXIT and "cancelled" not in self.flags

    @property
    def skipped(self) -> str | None:
        """Which of the request's fields has kept the command from being begun."""
        for flag in self.flags:
            if flag.startswith("skipped-"):
                return flag.removeprefix("skipped-")
        return None

    def is_expected(self, request: RunOn | ShellOn) -> bool:
        """Whether that is a success."""
        if self.skipped is not None:
            return self.is_answer
        is_good = self.code in request.expected_exit_codes
        return self.is_answer and is_good and not self.flags


def result_of(
    request: RunOn | ShellOn, ending: Ending, *, lost: bool = False
) -> RunResult:
    """The response of a command that succeeded.

    Args:
        request: The command.
        ending: How it ended.
        lost: Whether nobody was there to read what it wrote.
    """
    return RunResult(
        skipped=why_skipped(request, ending),
        exit_code=ending.code,
        stdout=ending.stdout.text,
        stderr=ending.stderr.text,
        stdout_left_out=ending.stdout.left_out,
        stderr_left_out=ending.stderr.left_out,
        output_lost=lost and ending.skipped is None,
    )


def why_skipped(request: RunOn | ShellOn, ending: Ending) -> str | None:
    """Why the command was not begun; None: it was."""
    match ending.skipped:
        case "creates":
            return f"creates: {request.creates} exists"
        case "removes":
            return f"removes: {request.removes} does not exist"
        case "unless":
            return f"unless: {shown_words(request.unless)} exited with code 0"
        case _:
            return None


def shown_words(words: tuple[str, ...] | str | None) -> str:
    """A command for a message, at most so long."""
    text = words if isinstance(words, str) else shlex.join(words or ())
    text = " ".join(text.split())
    return text if len(text) <= COMMAND_SHOWN else text[:COMMAND_SHOWN] + "..."


def shown(request: RunOn | ShellOn) -> str:
    """A request for a message: where, as whom, what."""
    if isinstance(request, RunOn):
        command = shown_words(request.argv)
    else:
        command = "shell script " + shown_words(request.script)
    user = "" if request.become is None else f" as {request.become.user}"
    return f"{request.host}{user}: {command}"


def failure(request: RunOn | ShellOn, ending: Ending) -> PluginError:
    """The error of a command that did not end as it should."""
    command, code = shown(request), ending.code
    if ending.end is End.LEFT:
        return _still_running(request, ending)
    if ending.end is End.LOST:
        message = f"{command} was begun and runs no more; how it ended was not seen"
        return PluginError(message)
    if ending.end is not End.EXIT:
        return PluginError(f"{command} was not begun: it was told to end before")
    if "no-directory" in ending.flags:
        said = ending.stderr.last_lines
        message = (
            f"{request.host}: the directory {request.cwd!r} cannot be entered: {said}"
        )
        return PluginError(message, code=code, permanent=True)
    if "no-program" in ending.flags or "no-unless" in ending.flags:
        said = ending.stderr.last_lines
        what = "unless: " if "no-unless" in ending.flags else ""
        return PluginError(f"{request.host}: {what}{said}", code=code, permanent=True)
    if code == CANNOT_START and TOO_LONG in ending.stderr.last_lines:
        message = (
            f"{command} is not begun: its arguments and variables are longer than the "
            "host lets a command have. Hand them over in a file or in stdin"
        )
        return PluginError(message, code=code, permanent=True)
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
    return PluginError(f"{command} {how}", code=code)


def _meaning(code: int) -> str:
    """What a shell means by an exit code; the command itself may mean something else."""
    try:
        return f" (as if ended by {signal.Signals(code - 128).name})"
    except ValueError:
        return ""


def interrupted(request: RunOn | ShellOn, ending: Ending) -> PluginError:
    """The error of a command of which nobody knows how far it came."""
    if ending.left:
        return _still_running(request, ending)
    message = f"{shown(request)} was interrupted: "
    if ending.end is End.LOST:
        message += "it runs no more, and how it ended was not seen"
    else:
        message += f"it was told to end, and exited with code {ending.code}"
    return PluginError(message + "; how far it came is not known", permanent=True)


def listed(left: tuple[str, ...]) -> str:
    """Processes, for a message: a few of them by number and name."""
    shown = [f"{p} ({name})" for p, _, name in (word.partition(":") for word in left)]
    more = f" and {len(shown) - MOST_LISTED} more" if len(shown) > MOST_LISTED else ""
    return ", ".join(shown[:MOST_LISTED]) + more


def _still_running(request: RunOn | ShellOn, ending: Ending) -> SshError:
    user = "the login" if request.become is None else request.become.user
    message = (
        f"{shown(request)} is not begun: an earlier attempt has left processes running "
        f"that {user} may not end: {listed(ending.left)}. End them there and try again. "
        "What runs as another user can be ended if it is begun by become=..., not by "
        "sudo in the command"
    )
    return SshError(SshProblem.STILL_RUNNING, message, permanent=False)


def fault(
    request: RunOn | ShellOn, words: tuple[str, ...], stderr: CapturedOutput
) -> SshError:
    """Why the host's program could not do its part."""
    said = stderr.last_lines
    detail = f": {said}" if said else ""
    host, directory = request.host, request.directory
    if words[0] == "setsid":
        message = f"{host}: there is no program setsid, which comes with util-linux"
        return SshError(SshProblem.HOST_UNSUITED, message, permanent=True)
    what = "nothing can be noted about the command"
    if words[0] == "input":
        what = "the command's input cannot be stored"
    cure = "Name a place where it may as directory="
    return cannot_write(host, f"{what} in {directory}", words[1:], detail, cure)
