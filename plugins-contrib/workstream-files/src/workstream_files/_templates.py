"""Jinja templates: rendered strictly, in a sandbox, in a child process.

Strictly: a name that stands for nothing is an error, wherever the template uses it; a
configuration file with a hole in it is worse than none. In a sandbox: a template is
often a file that more people may write than may run things as the engine does. In a
child process: a template that never ends is killed at the action's timeout, and keeps
nobody else from running meanwhile.
"""

from __future__ import annotations

import functools
import marshal
import math
import os
import pkgutil
import signal
import sys
from typing import Any, cast

import jinja2
import trio

from workstream import PluginError
from workstream.plugins import explained_timeout, python_interpreter

from ._requests import TemplateRequest
from ._threads import plugin_error

FROM_ENGINE = "the template"


def syntax_fault(template: str) -> str | None:
    """Why a text is no template; None: it is one."""
    try:
        jinja2.Environment().parse(template)
    except jinja2.TemplateSyntaxError as error:
        return f"line {error.lineno}: {error.message}"
    return None


async def render(request: TemplateRequest) -> bytes:
    """The file that a template gives, as UTF-8.

    Raises:
        PluginError: It cannot be read or rendered, or not within the timeout; all names
            without a value are named.
        SecretError: A secret of it was not looked up.
    """
    what = request.source or FROM_ENGINE
    order = _order(request)
    python = python_interpreter()
    async with explained_timeout(lambda: f"{what} was still being rendered"):
        try:
            done = await trio.run_process(
                [python, "-I", "-c", _program()],
                stdin=order,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                deliver_cancel=_kill,
            )
        except OSError as error:
            message = f"{what} cannot be rendered: {python}: {error.strerror}"
            raise PluginError(message) from error
    if done.returncode:
        raise _died(what, done.returncode, done.stderr)
    return _read(what, marshal.loads(done.stdout))


@functools.cache
def _program() -> str:
    """The source of ``_rendering``; it may be in a zip file."""
    data = pkgutil.get_data("workstream_files", "_rendering.py")
    assert data is not None
    return data.decode()


def _order(request: TemplateRequest) -> bytes:
    secrets = {name: ref.reveal() for name, ref in request.secrets.items()}
    left = trio.current_effective_deadline() - trio.current_time()
    order = {
        "path": sys.path,
        "template": request.template or "",
        "source": request.source or "",
        "values": _plain({**request.values, **secrets}),
        "seconds": math.ceil(left) + 1 if 0 < left < 1e6 else 0,
    }
    return marshal.dumps(order)


def _plain(value: Any) -> Any:
    """A value of the plain types only; of a number or text of another class, the value."""
    if isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
        return {_plain(name): _plain(inner) for name, inner in items}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in cast("list[object]", value)]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value) if type(value) is not kind else value
    return value


async def _kill(process: trio.Process) -> None:
    process.kill()


def _died(what: str, status: int, stderr: bytes) -> PluginError:
    lines = stderr.decode(errors="replace").strip().splitlines()
    why = f": {lines[-1][:500]}" if lines else ""
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = str(-status)
        why = f": its process was ended by {name}{why}"
    return PluginError(f"{what} could not be rendered{why}")


def _read(what: str, answer: tuple[Any, ...]) -> bytes:
    """What the child has answered: the rendered text, or an error."""
    match answer:
        case ("rendered", bytes(content)):
            return content
        case ("undefined", text):
            message = f"{what}: {text}"
        case ("missing", path):
            message = f"the template {path} does not exist, or may not be read"
            raise PluginError(message)
        case ("syntax", text, file, line):
            message = f"{file or what}, line {line}: {text}"
        case ("file", path, number):
            raise plugin_error(OSError(number, os.strerror(number), path))
        case (_, text):
            message = f"{what}{text}" if text.startswith(":") else f"{what} {text}"
        case _:
            message = f"{what} could not be rendered: {answer!r}"
    raise PluginError(message, permanent=True)
