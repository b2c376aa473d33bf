"""One run of the git program, and what became of it.

It is started by ``workstream-command``: as the leader of a session of its own, all of
which is ended, TERM first and then KILL, when the attempt is cancelled; noted before it
begins, so that what a killed engine has left running is ended by the next attempt
before that starts a git of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

import attrs
import trio

from workstream import Context, NoteValue, PluginError
from workstream_command import Run, RunCommand

from ._addresses import hidden
from ._environment import environment
from ._requests import Remote

__all__ = ["LEAST_VERSION", "Git", "Ran", "check_version", "settle"]

LEAST_VERSION = (2, 31)
"""Of this version on, settings can be given by variables."""

KEEP = 4 * 1024 * 1024
GRACE = 10.0
LAST_LINES = 10
LINE_LENGTH = 500
TALKING = ("clone", "fetch", "ls-remote")
TELLING = ("fatal:", "error:", "remote:", "warning:", "ssh:")

ADVICE = (
    (
        "terminal prompts disabled|Authentication failed|could not read Username",
        "nobody is asked for a login: give user= and password=SecretRef(...)",
    ),
    (
        "Host key verification failed",
        "the server's key is not known: add it to known_hosts after comparing it, or "
        "name a file that has it as ssh_known_hosts_file",
    ),
    (
        r"Permission denied \(.*publickey",
        "the server lets none of the keys in: see ssh_key_file, and the ssh agent of the "
        "user who runs the engine",
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
        context = _Quiet(self._context, shown=shown)
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
            message = f"git {words[0]}: {hidden(error.message)}"
            raise PluginError(
                message, code=error.code, permanent=error.permanent
            ) from error
        complaint = _complaint(result.stderr)
        if result.exit_code not in expected:
            message = f"git {words[0]} failed (exit code {result.exit_code})"
            message += f": {complaint}" if complaint else ""
            if self._url and self._url not in complaint and words[0] in TALKING:
                message += f"\nthe other repository: {self._url}"
            for pattern, advice in ADVICE:
                if re.search(pattern, complaint):
                    message += f"\nto do: {advice}"
            raise PluginError(message, code=result.exit_code)
        if result.stdout_left_out:
            message = f"git {words[0]} wrote more than {KEEP:,} characters"
            raise PluginError(message, permanent=True)
        return Ran(result.exit_code, result.stdout, complaint)


async def settle(context: Context) -> None:
    """End what an interrupted attempt has left running, before its files are touched.

    Starting any command does it, so the shortest will do.
    """
    if context.notes.get("pid") is not None:
        await Git(context)("version", cwd="/")


async def check_version() -> None:
    """See that git is there, and new enough (REG-6).

    Raises:
        PluginError: It is not.
    """
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
    lines = [line[:LINE_LENGTH] for line in lines if line]
    telling = [line for line in lines if line.startswith(TELLING)]
    return "\n".join((telling or lines)[-LAST_LINES:])


class _Quiet:
    """A context that passes on what watchers should see, and nothing with a login in it."""

    def __init__(self, context: Context, *, shown: bool) -> None:
        self._context = context
        self._shown = shown

    @property
    def plan_id(self) -> UUID:
        return self._context.plan_id

    @property
    def action_id(self) -> UUID:
        return self._context.action_id

    @property
    def path(self) -> str:
        return self._context.path

    @property
    def attempt(self) -> int:
        return self._context.attempt

    @property
    def deadline(self) -> datetime | None:
        return self._context.deadline

    @property
    def idempotency_key(self) -> str:
        return self._context.idempotency_key

    @property
    def notes(self) -> Mapping[str, NoteValue]:
        return self._context.notes

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        # The second is no output: a process of an interrupted attempt was ended.
        if self._shown or message.startswith("ended what "):
            self._context.report(hidden(message), done=done, total=total)

    async def remember(self, **notes: NoteValue) -> None:
        await self._context.remember(**notes)
