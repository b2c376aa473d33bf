"""One run of the git program, and what became of it.

It is started by ``workstream-command``: as the leader of a session of its own, all of
which is ended, TERM first and then KILL, when the attempt is cancelled; noted before it
begins, so that what a killed engine has left running is ended by the next attempt
before that starts a git of its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection

import attrs
import trio

from workstream import Context, PluginError
from workstream.plugins import FilteredContext
from workstream_command import Run, RunCommand

from ._addresses import hidden, is_ssh
from ._environment import environment
from ._requests import Remote
from ._ssh import problem_of, see_files

LEAST_VERSION = (2, 31)
"""Of this version on, settings can be given by variables."""

KEEP = 4 * 1024 * 1024
GRACE = 10.0
LAST_LINES = 10
LINE_LENGTH = 500
TALKING = ("clone", "fetch", "ls-remote", "submodule")
TELLING = re.compile(
    r"fatal:|error:|remote:|warning:|ssh:|Host key |No .* host key |Load key "
    r"|Permissions .* for |@ *WARNING: |WARNING: |kex_exchange|Connection "
    r"|.*Permission denied|.*Too many authentication|Unable to negotiate"
    r"|.*Bad configuration|command-line|Bad owner"
)
"""Lines that say why, of git, the other git, and ssh."""

ADVICE = (
    (
        "terminal prompts disabled|Authentication failed|could not read Username",
        "nobody is asked for a login: give user= and password=SecretRef(...)",
    ),
    ("No space left on device", "make room on the disk"),
)
"""What to do about what git says."""

_runner = RunCommand()


@attrs.frozen
class Ran:
    """A run that has ended.

    Attributes:
        exit_code: Git's; 0: all went well.
        output: What it wrote to standard output.
        complaint: The lines of standard error that tell what went wrong.
    """

    exit_code: int
    output: str
    complaint: str


class Git:
    """Runs git for one attempt of an action."""

    def __init__(
        self,
        context: Context,
        *,
        remote: Remote | None = None,
        url: str = "",
    ) -> None:
        """Make ready to run git.

        Args:
            context: The attempt's.
            remote: How another repository is reached, if one is.
            url: Which one.
        """
        self._context = context
        self._env = environment(remote, url)
        self._remote = remote or Remote()
        self._url = hidden(url)

    async def __call__(
        self,
        *words: str,
        cwd: str,
        expected: Collection[int] = (0,),
        shown: bool = False,
    ) -> Ran:
        """Run git.

        Args:
            words: Its arguments.
            cwd: The directory to run it in; a repository is looked for here alone, not
                in the directories that it is in.
            expected: The exit codes that are no failure.
            shown: Whether watchers see what it says, progress for example.

        Raises:
            PluginError: It cannot be started, or it failed; the message ends with what
                it said.
        """
        verb = words[2] if words[0] == "-c" else words[0]
        await see_files(self._remote)
        context = FilteredContext(
            self._context, hidden if shown else _only_what_was_ended
        )
        request = Run(
            ("git", *words),
            cwd=cwd,
            env={**self._env, "GIT_CEILING_DIRECTORIES": _above(cwd)},
            inherit_env=False,
            expected_exit_codes=tuple(range(256)),
            keep=KEEP,
            grace=GRACE,
        )
        try:
            result = await _runner.execute(context, request)
        except PluginError as error:
            message = f"git {verb}: {hidden(error.message)}"
            if is_cancelled():
                message = self._cut_short(verb, error.message.partition("\n")[2])
            raise PluginError(
                message, code=error.code, permanent=error.permanent
            ) from error
        complaint = _complaint(result.stderr)
        if result.exit_code not in expected:
            raise self._failure(verb, result.exit_code, result.stderr)
        if result.stdout_left_out:
            message = f"git {verb} wrote more than {KEEP:,} characters"
            raise PluginError(message, permanent=True)
        return Ran(result.exit_code, result.stdout, complaint)

    def _failure(self, word: str, code: int, stderr: str) -> PluginError:
        """What git failed at: the cause first, then what git said, then the cure."""
        complaint = _complaint(stderr)
        message = f"git {word} failed (exit code {code})"
        problem = None
        if word in TALKING and is_ssh(self._url):
            problem = problem_of(stderr)
        if problem is not None:
            message = f"git {word}: {problem.what} (exit code {code})"
        message += f": {complaint}" if complaint else ""
        if self._url and self._url not in complaint and word in TALKING:
            message += f"\nthe other repository: {self._url}"
        if problem is not None:
            message += f"\nto do: {problem.cure}"
        else:
            for pattern, advice in ADVICE:
                if re.search(pattern, stderr):
                    message += f"\nto do: {advice}"
        permanent = problem is not None and problem.permanent
        return PluginError(message, code=code, permanent=permanent)

    def _cut_short(self, word: str, said: str) -> str:
        """What a timeout has cut short."""
        message = f"git {word} had not ended"
        if self._url and word in TALKING:
            message += f"; the other repository: {self._url}"
        complaint = _complaint(said)
        return message + (f"; it said last: {complaint}" if complaint else "")


async def settle(context: Context) -> None:
    """End what an interrupted attempt has left running, before its files are touched.

    Starting any command does it, so the shortest will do.
    """
    if context.notes.get("pid") is not None:
        await Git(context)("version", cwd="/")


async def check_version() -> None:
    """See that git is there and new enough, and that commands can be run (REG-6).

    Raises:
        PluginError: It is not.
    """
    await _runner.init()
    try:
        done = await trio.run_process(["git", "version"], capture_stdout=True)
    except OSError as error:
        message = f"the program git cannot be started: {error.strerror}; install it"
        raise PluginError(message, permanent=True) from error
    text = done.stdout.decode(errors="replace").strip()
    found = re.search(r"(\d+)\.(\d+)", text)
    if found is None or (int(found[1]), int(found[2])) < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        message = f"git {least} or newer is needed, and this is {text!r}"
        raise PluginError(message, permanent=True)


def _above(cwd: str) -> str:
    return cwd.rstrip("/").rpartition("/")[0] or "/"


def _complaint(stderr: str) -> str:
    """What tells why: without the progress that is written between."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", hidden(stderr))]
    lines = [line[:LINE_LENGTH] for line in lines if line.strip("@ ")]
    telling = [line for line in lines if TELLING.match(line)]
    return "\n".join((telling or lines)[-LAST_LINES:])


def _only_what_was_ended(line: str) -> str | None:
    """Of what git says nothing; but that a process of an interrupted attempt was ended."""
    return hidden(line) if line.startswith("ended what ") else None


def is_cancelled() -> bool:
    """Whether the attempt was cancelled, so that an error says what a timeout cut short."""
    return trio.current_effective_deadline() == -math.inf
