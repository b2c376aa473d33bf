"""Whether there is anything to do: ``creates``, ``removes`` and ``unless``.

They are looked at before each attempt, and in a dry run. So a command that has one is
idempotent, and its preview can say whether it would be run.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Awaitable, Callable

import trio

from workstream import PluginError

from ._requests import Options, Run, Shell

COMMAND_SHOWN = 120


def has_guard(request: Options) -> bool:
    """Whether the request says when the command is to be skipped."""
    return not request.creates is request.removes is request.unless is None


async def reason_to_skip(
    request: Options, look: Callable[[Run], Awaitable[int]]
) -> str | None:
    """Why the command is to be skipped; None: it is to be run.

    Args:
        request: The command's.
        look: Runs a command that only looks, and gives its exit code.

    Raises:
        PluginError: That cannot be told.
    """
    if request.creates is not None and await _is_there("creates", request.creates):
        return f"creates: {request.creates} exists"
    if request.removes is not None and not await _is_there("removes", request.removes):
        return f"removes: {request.removes} does not exist"
    if request.unless is not None and await look(look_run(request)) == 0:
        return f"unless: {shown_words(request.unless)} exited with code 0"
    return None


def look_run(request: Options) -> Run:
    """The command of ``unless``: where and as the command itself, without its input."""
    words = request.unless or ()
    return Run(
        ("/bin/sh", "-c", words) if isinstance(words, str) else words,
        cwd=request.cwd,
        env=request.env,
        inherit_env=request.inherit_env,
        grace=request.grace,
    )


async def _is_there(field: str, path: str) -> bool:
    """Whether anything has this name, be it a link that leads nowhere."""
    try:
        # A file system that does not answer must not hold up a cancellation.
        await trio.to_thread.run_sync(os.lstat, path, abandon_on_cancel=True)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        message = f"{field}: whether {path} exists cannot be told: {error.strerror}"
        raise PluginError(message) from error
    return True


def shown(request: Run | Shell) -> str:
    """A command for a message, at most so long."""
    if isinstance(request, Run):
        return shown_words(request.argv)
    return f"shell script {shown_words(request.script)}"


def shown_words(words: tuple[str, ...] | str) -> str:
    """Words for a message, as a shell would have them; a script's on one line."""
    text = words if isinstance(words, str) else shlex.join(words)
    text = " ".join(text.split()) if isinstance(words, str) else text
    return text if len(text) <= COMMAND_SHOWN else text[:COMMAND_SHOWN] + "..."
