"""What a command tells: its exit status, and streams that never make it fail.

A reader may leave early (``workstream show | head``), the locale may not have the letters
that a plan's names are written in, the disk that a log goes to may be full, and a daemon's
streams may be closed. None of this is a reason to end, least of all in the middle of a run;
but that output was lost is said at the end, if it can be.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import sys
import textwrap
from collections.abc import Generator, Iterable
from enum import IntEnum
from typing import IO, TYPE_CHECKING, Any, TextIO

import click

from .._values.display import display_lines

if TYPE_CHECKING:
    from .._plan.outcome import Outcome
    from .._values.errors import WorkstreamError

# -- The exit status --------------------------------------------------------------------

INTERRUPTED = 130
"""What shells say of a program that was ended by Ctrl-C."""
BUG = 70
"""What sysexits.h calls an internal software error."""
OUTPUT_LOST = 74
"""What sysexits.h calls an error of input or output."""


class ExitCode(IntEnum):
    """The exit status of ``workstream``; scripts may rely on it."""

    COMPLETED = 0
    """All went well."""
    FAILED = 1
    """The plan failed."""
    REFUSED = 2
    """Nothing was run: wrong usage, an invalid plan, no such store or plan."""
    TOLERATED = 3
    """The plan completed, with failures that it tolerates."""
    STOPPED = 4
    """The plan was stopped."""
    BROKEN_OFF = 5
    """The run broke off, and ``workstream resume`` goes on with it."""


# By the outcome's name, as the help text does not owe the plan's classes their time.
_BY_OUTCOME = {
    "COMPLETED": ExitCode.COMPLETED,
    "COMPLETED_WITH_FAILURES": ExitCode.TOLERATED,
    "COMPLETED_WITH_SKIPPED": ExitCode.COMPLETED,
    "FAILED": ExitCode.FAILED,
    "STOPPED": ExitCode.STOPPED,
    "NOT_STARTED": ExitCode.REFUSED,
    "RUNNING": ExitCode.BROKEN_OFF,
}

_BEST_FIRST = (
    ExitCode.COMPLETED,
    ExitCode.TOLERATED,
    ExitCode.STOPPED,
    ExitCode.FAILED,
    ExitCode.REFUSED,
    ExitCode.BROKEN_OFF,
)


def code_of(outcome: Outcome) -> ExitCode:
    """The exit status for a plan that ended so; of one that still is R: broken off."""
    return _BY_OUTCOME[outcome.name]


def worst(codes: Iterable[int]) -> int:
    """The one that matters most of several; with none of them, COMPLETED."""
    return max(codes, key=_BEST_FIRST.index, default=ExitCode.COMPLETED)


# -- Streams ---------------------------------------------------------------------------

_lost: list[OSError] = []
"""Why output was lost, where not because its reader left."""
_data: list[TextIO] = []
"""Standard output, while it is kept for data alone."""


def open_missing() -> None:
    """Give this process the standard streams that it was started without.

    They lead nowhere. Without them the next file that is opened would stand in their
    place, the store's for instance, and what a child process prints would go into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # Not closed before the process ends; the lowest free number is the one.
            stream = open(os.devnull, "w" if number else "r")  # noqa: SIM115
            if stream.fileno() == number:
                os.set_inheritable(number, True)
            setattr(sys, name, stream)


def lost_output() -> OSError | None:
    """Why output was lost since this was last asked, where not because its reader left."""
    found = _lost[0] if _lost else None
    _lost.clear()
    return found


class Forgiving(io.TextIOBase):
    """A stream whose reader may leave, and that writes any text in any encoding."""

    def __init__(self, stream: TextIO) -> None:
        """Wrap a stream; closing the wrapper leaves it open."""
        self._stream = stream
        self._is_left = False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write; what the encoding lacks is escaped."""
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            plain = text.encode(self.encoding, "backslashreplace")
            return self.write(plain.decode(self.encoding))
        except OSError as error:
            self._leave(error)
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        try:
            self._stream.flush()
        except OSError as error:
            self._leave(error)
        except ValueError:  # it is closed
            pass

    @property
    def is_left(self) -> bool:
        """Whether its reader was found to have left, or it takes nothing more."""
        return self._is_left

    def _leave(self, error: OSError) -> None:
        # A terminal that was closed answers with EIO: nobody is there to miss anything.
        if error.errno not in (errno.EPIPE, errno.EIO):
            _lost.append(error)
        self._is_left = True
        silence(self._stream)

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """See the stream."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """It is."""
        return True


def silence(stream: TextIO) -> None:
    """Let all that is still written to the stream go nowhere, at exit too."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def flush_all() -> None:
    """Hand on all that was written to standard output and error."""
    for stream in (sys.stdout, sys.stderr):
        Forgiving(stream).flush()


class _Handler(logging.Handler):
    """Writes what the engine warns of to standard error, whatever that is by then."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, without its traceback."""
        try:
            lines = display_lines(record.getMessage(), limit=2_000, most=50)
        except Exception:
            self.handleError(record)
            return
        kind = record.levelname.lower()
        stream = Forgiving(sys.stderr)
        for line in lines:
            stream.write(f"{kind}: {line}\n")
        stream.flush()


@contextlib.contextmanager
def log_to_stderr() -> Generator[None, None, None]:
    """Show the engine's warnings and errors, and only here."""
    logger = logging.getLogger("workstream")
    handler, propagates = _Handler(logging.WARNING), logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates


@contextlib.contextmanager
def breaking_off_untold() -> Generator[None, None, None]:
    """Leave out that a run broke off: whoever follows it tells so, and what to do."""

    def is_news(record: logging.LogRecord) -> bool:
        return not hasattr(record, "broken_off")

    logger = logging.getLogger("workstream")
    logger.addFilter(is_news)
    try:
        yield
    finally:
        logger.removeFilter(is_news)


# -- Standard output for data ----------------------------------------------------------


@contextlib.contextmanager
def stdout_for_data() -> Generator[None]:
    """Keep standard output for ``data_stream``.

    All else goes to standard error: what plan files, packages and the programs that they
    start print, and what is said to people.
    """
    with contextlib.ExitStack() as stack:
        stream = sys.stdout
        stream.flush()
        with contextlib.suppress(OSError, ValueError):  # no file is behind it
            number = stream.fileno()
            kept = os.dup(number)
            stack.callback(os.close, kept)
            os.dup2(sys.stderr.fileno(), number)
            stack.callback(os.dup2, kept, number)
            stream = open(kept, "w", encoding=stream.encoding, closefd=False)  # noqa: SIM115
            stack.callback(Forgiving(stream).flush)
        _data.append(stream)
        stack.callback(_data.pop)
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield


def data_stream() -> Forgiving:
    """Where data goes."""
    return Forgiving(_data[-1] if _data else sys.stdout)


def print_json(data: object) -> None:
    """Write it as data, with ASCII alone, so that any locale has it."""
    import json

    stream = data_stream()
    stream.write(json.dumps(data, indent=2) + "\n")
    stream.flush()


# -- Errors ----------------------------------------------------------------------------


class Refusal(click.ClickException):
    """What was asked cannot be done; nothing was changed. The exit status is 2."""

    exit_code = ExitCode.REFUSED

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the message to standard error."""
        complain(self.message)


def complain(message: str | WorkstreamError, kind: str = "Error") -> None:
    """Write a message to standard error, safe for a terminal.

    Args:
        message: Perhaps of several lines.
        kind: What it begins with.
    """
    lines = display_lines(str(message), limit=2_000, most=200) or ["unknown"]
    lines[0] = f"{kind}: {lines[0]}"
    stream = Forgiving(sys.stderr)
    if stream.isatty():
        # Broken between words; what can be searched or pasted is left as it is.
        import shutil  # it brings every kind of archive along

        width = shutil.get_terminal_size().columns
        lines = [_wrapped(line, width) for line in lines]
    stream.write("\n".join(lines) + "\n")
    stream.flush()


def _wrapped(line: str, width: int) -> str:
    inset = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(
        line,
        max(width, 20),
        subsequent_indent=inset,
        break_long_words=False,
        break_on_hyphens=False,
    )
