"""What can never work in a request, found when the plan is submitted (V-19)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import cast

from workstream import SecretRef
from workstream.plugins import (
    argument_faults,
    flag_faults,
    number_faults,
    numbered,
    path_faults,
    text_faults,
    words_faults,
)

from ._connecting.become import become_faults
from ._connecting.hosts import host_faults, name_faults
from ._requests import MOST_KEPT, CopyFrom, CopyTo, Options, RunOn, ShellOn

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def command_faults(request: RunOn | ShellOn, *, is_check: bool = False) -> list[str]:
    """All that is wrong with a command, a clause each; empty when it is valid."""
    found = [*host_faults("host", request.host)]
    if isinstance(request, RunOn):
        found += _argv_faults("argv", request.argv)
    else:
        found += text_faults("script", request.script, empty=True)
        if not found and not request.script.strip():
            found.append("script is blank")
        found += _argv_faults("interpreter", request.interpreter)
        found += words_faults("args", request.args)
    if request.cwd is not None:
        found += _remote_path_faults("cwd", request.cwd)
    found += _remote_path_faults("directory", request.directory)
    found += become_faults(request.become)
    found += _condition_faults(request)
    found += _length_faults(request)
    found += _input_faults(request)
    found += _number_faults(request)
    found += flag_faults(request, "detached")
    if request.detached is True and is_check:
        found.append("a check is run again as often as need be, and cannot be detached")
    for field in ("creates", "removes", "unless"):
        if is_check and getattr(request, field) is not None:
            found.append(f"{field}: a check looks each time: leave it out")
    return found


def copy_faults(request: CopyTo | CopyFrom) -> list[str]:
    """All that is wrong with a copy, a clause each; empty when it is valid."""
    found = [*host_faults("host", request.host)]
    local, remote = ("source", "target")
    if isinstance(request, CopyFrom):
        local, remote = remote, local
    found += path_faults(local, getattr(request, local))
    found += _remote_path_faults(remote, getattr(request, remote))
    found += become_faults(request.become)
    target = cast("object", request.target)
    if isinstance(target, str) and target.rstrip("/").rpartition("/")[2] in (
        "",
        ".",
        "..",
        "~",
    ):
        found.append(
            f"target must be the copy's own path, name included, not {target!r}"
        )
    if isinstance(request, CopyTo):
        for field in ("owner", "group"):
            if getattr(request, field) is not None:
                found += name_faults(field, getattr(request, field))
        found += _pattern_faults(request.exclude)
    mode = cast("object", request.mode)
    if mode is not None and (type(mode) is not int or not 0 <= mode <= 0o777):
        found.append(f"mode must be a number such as 0o644, not {mode!r}")
    found += flag_faults(request, "make_parents")
    return found


def _argv_faults(field: str, words: object) -> Iterator[str]:
    wrong = list(words_faults(field, words))
    if wrong:
        yield from wrong
        return
    argv = cast("tuple[str, ...]", words)
    if not argv or not argv[0].strip():
        yield f"{field} must begin with the program to start"
    elif "/" not in argv[0] and any(c.isspace() for c in argv[0]):
        yield (
            f"{field}[0] is {argv[0]!r}: write each word by itself, "
            f"{field}={tuple(argv[0].split())!r}, or use ShellOn"
        )
    elif argv[0].startswith("-"):
        yield f"{field}[0] is {argv[0]!r}, which is an option and no program"


def _pattern_faults(patterns: object) -> Iterator[str]:
    wrong = list(words_faults("exclude", patterns))
    if wrong:
        yield from wrong
        return
    for pattern in cast("tuple[str, ...]", patterns):
        if not pattern.strip("/") or {".", "..", ""} & set(
            pattern.strip("/").split("/")
        ):
            yield f"exclude has {pattern!r}: a pattern is a name or a path without . and .."


def _remote_path_faults(field: str, path: object) -> Iterator[str]:
    """Find faults in a path on the host, which may begin with ``~/``."""
    wrong = list(path_faults(field, path, home=True))
    if wrong:
        yield from wrong
    elif "\n" in str(path):
        yield f"{field} holds a line break: {path!r}"


def _length_faults(request: RunOn | ShellOn) -> Iterator[str]:
    """What Linux would refuse for its length; nothing, if it is wrong in other ways."""
    words: dict[str, str] = {}
    if isinstance(request, RunOn):
        words |= numbered("argv", request.argv)
    else:
        words |= numbered("interpreter", request.interpreter)
        words |= {"script": request.script, **numbered("args", request.args)}
    env = cast("object", request.env)
    with contextlib.suppress(TypeError, AttributeError, UnicodeEncodeError):
        if isinstance(env, dict):
            yield from argument_faults(words, request.env)
        if isinstance(request.unless, str):
            yield from argument_faults({"unless": request.unless}, {})
        elif request.unless is not None:
            yield from argument_faults(numbered("unless", request.unless), {})


def _condition_faults(request: Options) -> Iterator[str]:
    for field in ("creates", "removes"):
        path = getattr(request, field)
        if path is not None:
            yield from _remote_path_faults(field, path)
    unless = cast("object", request.unless)
    if isinstance(unless, str):
        yield from text_faults("unless", unless, empty=True)
        if not unless.strip():
            yield "unless is blank"
    elif unless is not None:
        yield from _argv_faults("unless", unless)


def _input_faults(request: Options) -> Iterator[str]:
    env = cast("object", request.env)
    if not isinstance(env, dict):
        yield f"env must be a dict, not {type(env).__name__}"
    else:
        for name, value in cast("dict[object, object]", env).items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                yield (
                    f"{name!r} in env is no name: it must have letters, digits and "
                    "underscores only, and begin with no digit"
                )
            if not isinstance(value, SecretRef):
                yield from text_faults(f"env[{name!r}]", value, empty=True)
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
