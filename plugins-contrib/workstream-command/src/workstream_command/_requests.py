"""What a plan asks for, ``Run`` or ``Shell``, and what it gets, ``CommandResult``.

There are two requests and no ``shell=True``: whether a shell reads the words is seen
at a glance, and a text cannot be handed to the one that wants words.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import Any, cast

import attrs

from workstream import SecretRef

__all__ = ["CommandResult", "Options", "Run", "Shell", "faults"]

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
    """

    argv: tuple[str, ...] = attrs.field(converter=_words)


@attrs.frozen
class Shell(Options):
    """Have a shell run a script.

    Never put values into the script's text; give them as ``args`` and write ``"$1"``::

        Shell('tar -c "$1" | ssh "$2" tar -x', args=(folder, host))

    Attributes:
        script: The script's text.
        args: What the script finds in ``$1``, ``$2`` and so on.
        interpreter: The shell and its options, for example
            ``("/bin/bash", "-euo", "pipefail")``.
        cwd: As for ``Run``.
        env: Variables to set.
        inherit_env: Whether the script also gets the engine's variables.
        stdin: Text for its standard input.
        expected_exit_codes: The codes that count as success.
        keep: How many characters of stdout, and of stderr, the response holds.
        grace: Seconds between TERM and KILL.
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
        exit_code: One of the expected ones.
        stdout: What it wrote, or the head and tail of it with a line between them
            that says how much was left out. What is not UTF-8 shows as U+FFFD.
        stderr: Likewise.
        stdout_left_out: How many characters ``stdout`` lacks; 0: it is all there.
        stderr_left_out: Likewise.
    """

    exit_code: int
    stdout: str = ""
    stderr: str = ""
    stdout_left_out: int = 0
    stderr_left_out: int = 0


def faults(request: Run | Shell) -> list[str]:
    """All that can never work in a request, a clause each; empty when it is valid."""
    if isinstance(request, Run):
        found = [*_argv_faults("argv", request.argv, request.cwd)]
    else:
        found = [
            *_script_faults(request.script),
            *_argv_faults("interpreter", request.interpreter, request.cwd),
            *_words_faults("args", request.args),
        ]
    found += _place_faults(request)
    found += _number_faults(request)
    return found


def _text_fault(what: str, text: object) -> str | None:
    if not isinstance(text, str):
        return f"{what} must be text, not {type(text).__name__}"
    if "\0" in text:
        return f"{what} holds a NUL character, which no command can be given"
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return f"{what} holds characters that cannot be encoded"
    return None


def _words_faults(field: str, words: object) -> Iterator[str]:
    if not isinstance(words, tuple):
        hint = ""
        if isinstance(words, str):
            hint = f" ({field}=({words!r},) is one word; for a whole line use Shell)"
        yield f"{field} must be a tuple of words, not {type(words).__name__}{hint}"
        return
    for index, word in enumerate(cast("tuple[object, ...]", words)):
        fault = _text_fault(f"{field}[{index}]", word)
        if fault:
            yield fault


def _argv_faults(field: str, words: object, cwd: object) -> Iterator[str]:
    wrong = list(_words_faults(field, words))
    if wrong:
        yield from wrong
        return
    argv = cast("tuple[str, ...]", words)
    if not argv or not argv[0].strip():
        yield f"{field} must begin with the program to start"
        return
    program = argv[0]
    if "/" not in program and any(c.isspace() for c in program):
        yield (
            f"{field}[0] is {program!r}: write each word by itself, "
            f"{field}={tuple(program.split())!r}, or use Shell"
        )
    if "/" in program and not program.startswith("/") and cwd is None:
        yield (
            f"{field}[0] is the relative path {program!r}: say relative to what with "
            "cwd, or give an absolute path"
        )


def _script_faults(script: object) -> Iterator[str]:
    fault = _text_fault("script", script)
    if fault:
        yield fault
    elif not cast("str", script).strip():
        yield "script is blank"


def _place_faults(request: Options) -> Iterator[str]:
    cwd = cast("object", request.cwd)
    if cwd is not None:
        fault = _text_fault("cwd", cwd)
        if fault:
            yield fault
        elif not str(cwd).startswith("/"):
            yield f"cwd must be an absolute path, not {cwd!r} (~ is not expanded)"
    env = cast("object", request.env)
    if not isinstance(env, dict):
        yield f"env must be a dict, not {type(env).__name__}"
        return
    for name, value in cast("dict[object, object]", env).items():
        fault = _text_fault(f"the name {name!r} in env", name)
        if fault:
            yield fault
        elif not name or "=" in str(name):
            yield f"{name!r} in env is no name: it must have characters, none of them '='"
        if not isinstance(value, SecretRef):
            fault = _text_fault(f"env[{name!r}]", value)
            if fault:
                yield fault
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
    keep = cast("object", request.keep)
    if type(keep) is not int or not 0 <= keep <= MOST_KEPT:
        yield f"keep must be a whole number from 0 to {MOST_KEPT:,}, not {keep!r}"
    grace = cast("object", request.grace)
    if (
        not isinstance(grace, (int, float))
        or isinstance(grace, bool)
        or not (math.isfinite(grace) and grace >= 0)
    ):
        yield f"grace must be a number of seconds, 0 or more, not {grace!r}"
