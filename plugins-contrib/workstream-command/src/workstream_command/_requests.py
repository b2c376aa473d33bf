"""What a plan asks for, ``Run`` or ``Shell``, and what it gets, ``CommandResult``.

There are two requests and no ``shell=True``: whether a shell reads the words is seen
at a glance, and a text cannot be handed to the one that wants words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import attrs

from workstream import SecretRef
from workstream.plugins import (
    argument_faults,
    environment_faults,
    number_faults,
    numbered,
    path_faults,
    text_faults,
    words_faults,
)

KEEP = 64 * 1024
MOST_KEPT = 4 * 1024 * 1024
GRACE = 10.0


def _words(value: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    # A text is left as it is, for ``faults`` to refuse: tuple("ls") is ("l", "s").
    return tuple(value) if isinstance(value, list) else value


def _variables(value: Mapping[str, str | SecretRef]) -> dict[str, str | SecretRef]:
    # Anything else is left as it is, for ``faults`` to refuse.
    is_mapping = isinstance(cast("object", value), Mapping)
    return dict(value) if is_mapping else cast("Any", value)


def _unless(value: tuple[str, ...] | list[str] | str | None) -> Any:
    return tuple(value) if isinstance(value, list) else value


@attrs.frozen(kw_only=True)
class Options:
    """What ``Run`` and ``Shell`` have in common; the fields are described there."""

    cwd: str | None = None
    env: dict[str, str | SecretRef] = attrs.field(default={}, converter=_variables)
    inherit_env: bool = True
    stdin: str | SecretRef | None = None
    expected_exit_codes: tuple[int, ...] = (0,)
    keep: int = KEEP
    grace: float = GRACE
    creates: str | None = None
    removes: str | None = None
    unless: tuple[str, ...] | str | None = attrs.field(default=None, converter=_unless)


@attrs.frozen
class Run(Options):
    """Start a program with exactly these words; no shell reads them.

    Attributes:
        argv: The program and its arguments, one word each:
            ``("tar", "-xf", archive)``. A program without a slash is looked up in
            the command's own PATH. Anybody on the machine can see these words:
            hand secrets over in ``env`` or ``stdin``.
        cwd: The directory to run in, an absolute path; None: the engine's.
        env: Variables to set. A ``SecretRef`` is resolved just before the start;
            its value is taken out of the output.
        inherit_env: Whether the command also gets the engine's variables; otherwise
            it gets ``env`` alone. The ``WORKSTREAM_...`` ones are always there.
        stdin: Text for its standard input, sent as UTF-8; None: nothing to read.
        expected_exit_codes: The codes, 0 to 255, that count as success.
        keep: How many characters of stdout, and of stderr, the response holds: half
            from the beginning, half from the end. All of it goes to watchers.
        grace: Seconds between TERM and KILL when it has to be ended; 0: KILL at once.
        creates: An absolute path: if it exists, the command is skipped. Name what the
            command makes last.
        removes: An absolute path: if it does not exist, the command is skipped.
        unless: A command that changes nothing, as words, or as a text for ``/bin/sh``:
            if it exits with code 0, the command is skipped. It has the same directory
            and variables. A dry run runs it too.
    """

    argv: tuple[str, ...] = attrs.field(converter=_words)


@attrs.frozen
class Shell(Options):
    """Have a shell run a script.

    Never put values into the script's text; give them as ``args`` and write ``"$1"``::

        Shell('tar -c "$1" | ssh "$2" tar -x', args=(folder, host))

    Attributes:
        script: The script's text.
        args: The script's arguments: ``$1``, ``$2`` and so on.
        interpreter: The shell and its options, for example
            ``("/bin/bash", "-euo", "pipefail")``.
        cwd: As for ``Run``.
        env: Variables to set.
        inherit_env: Whether the script also gets the engine's variables.
        stdin: Text for its standard input.
        expected_exit_codes: The codes that count as success.
        keep: How many characters of stdout, and of stderr, the response holds.
        grace: Seconds between TERM and KILL.
        creates: A path: if it exists, the script is skipped.
        removes: A path: if it does not exist, the script is skipped.
        unless: A command: if it exits with code 0, the script is skipped.
    """

    script: str
    args: tuple[str, ...] = attrs.field(default=(), converter=_words, kw_only=True)
    interpreter: tuple[str, ...] = attrs.field(
        default=("/bin/sh",), converter=_words, kw_only=True
    )


@attrs.frozen(kw_only=True)
class CommandResult:
    """How a command that succeeded ended.

    Attributes:
        exit_code: One of the expected ones; 0 if it was skipped.
        stdout: Its output; or the first and last part of it, and a line between them
            that says how much is missing. U+FFFD replaces bytes that are not UTF-8.
        stderr: Likewise.
        stdout_left_out: How many characters are missing from ``stdout``; 0: none.
        stderr_left_out: Likewise.
        skipped: The reason why the command was skipped: ``creates: /srv/app exists``;
            None: it ran.
    """

    exit_code: int
    stdout: str = ""
    stderr: str = ""
    stdout_left_out: int = 0
    stderr_left_out: int = 0
    skipped: str | None = None


def faults(request: Run | Shell) -> list[str]:
    """All that can never work in a request, a clause each; empty when it is valid."""
    words: dict[str, str] = {}
    if isinstance(request, Run):
        found = _argv_faults("argv", request.argv, request.cwd)
        words.update(_known("argv", request.argv))
    else:
        found = [
            *_script_faults("script", request.script),
            *_argv_faults("interpreter", request.interpreter, request.cwd),
            *words_faults("args", request.args),
        ]
        words["script"] = str(request.script)
        words.update(_known("interpreter", request.interpreter))
        words.update(_known("args", request.args))
    found += _place_faults(request)
    found += _number_faults(request)
    found += _guard_faults(request)
    if not found:  # so that all of it can be measured
        found += argument_faults(words, request.env)
        unless = request.unless
        words = (
            {"unless": unless} if isinstance(unless, str) else _known("unless", unless)
        )
        found += argument_faults(words, {})
    return found


def check_faults(request: Run | Shell) -> list[str]:
    """All that can never work in a request for a check."""
    found = faults(request)
    for field in ("creates", "removes", "unless"):
        if getattr(request, field) is not None:
            found.append(f"{field}: a check looks each time: leave it out")
    return found


def _known(field: str, words: object) -> dict[str, str]:
    """The words of a field that has words, with their names."""
    is_words = isinstance(words, tuple)
    return numbered(field, cast("tuple[str, ...]", words)) if is_words else {}


def _argv_faults(field: str, words: object, cwd: object) -> list[str]:
    wrong = list(words_faults(field, words))
    if wrong:
        return wrong
    argv = cast("tuple[str, ...]", words)
    if not argv or not argv[0].strip():
        return [f"{field} must begin with the program to start"]
    program = argv[0]
    if "/" not in program and any(c.isspace() for c in program):
        wrong.append(
            f"{field}[0] is {program!r}: write each word by itself, "
            f"{field}={tuple(program.split())!r}, or use Shell"
        )
    if "/" in program and not program.startswith("/") and cwd is None:
        wrong.append(
            f"{field}[0] is the relative path {program!r}: say relative to what with "
            "cwd, or give an absolute path"
        )
    return wrong


def _script_faults(field: str, script: object) -> Iterator[str]:
    wrong = list(text_faults(field, script, empty=True))
    if wrong:
        yield from wrong
    elif not cast("str", script).strip():
        yield f"{field} is blank"


def _place_faults(request: Options) -> Iterator[str]:
    if request.cwd is not None:
        yield from path_faults("cwd", request.cwd)
    yield from environment_faults("env", request.env)
    stdin = cast("object", request.stdin)
    if not isinstance(stdin, (str, SecretRef, type(None))):
        yield f"stdin must be text or a SecretRef, not {type(stdin).__name__}"
    elif isinstance(stdin, str):
        try:
            stdin.encode()
        except UnicodeEncodeError:
            yield "stdin holds characters that cannot be encoded as UTF-8"


def _number_faults(request: Options) -> Iterator[str]:
    codes = cast("object", request.expected_exit_codes)
    if not isinstance(codes, tuple) or not codes:
        yield "expected_exit_codes must be a tuple of at least one code, such as (0,)"
    else:
        for code in cast("tuple[object, ...]", codes):
            if type(code) is not int or not 0 <= code <= 255:
                yield f"{code!r} in expected_exit_codes must be a number from 0 to 255"
    yield from number_faults("keep", request.keep, most=MOST_KEPT, whole=True, unit="")
    yield from number_faults("grace", request.grace)


def _guard_faults(request: Options) -> Iterator[str]:
    for field in ("creates", "removes"):
        path: object = getattr(request, field)
        if path is not None:
            yield from path_faults(field, path)
    unless = request.unless
    if isinstance(unless, str):
        yield from _script_faults("unless", unless)
    elif unless is not None:
        yield from _argv_faults("unless", unless, request.cwd)
