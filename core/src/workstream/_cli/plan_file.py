"""From a file to a plan: a Python file with a ``plan`` function, or a JSON plan."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import inspect
import socket
import sys
import sysconfig
import traceback
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import attrs

from .._plan.plan import Origin, Plan
from .._plan.walk import actions
from .._protocols.plugin import Plugins
from .._registry.host import discover
from .._registry.registry import Registry
from .._secrets.filling import secret_references
from .._secrets.lookups import CORE_RESOLVERS
from .._store.asking import requester
from .._values.display import shorten
from .._values.errors import ValidationError
from .parameters import PlanCommand
from .streams import Refusal

_MODULE = "_workstream_plan_file"
_FUNCTION = "plan"
_EXAMPLE = "write `def plan() -> Plan: ...`"


@attrs.frozen
class PlanFile:
    """A file that makes a plan.

    Attributes:
        path: Where it is.
        command: Its plan function; that of a JSON plan has no parameters.
        digest: ``sha256:`` and the digest of its bytes.
    """

    path: Path
    command: PlanCommand
    digest: str

    def origin(self, settings: Sequence[str]) -> Origin:
        """Who makes a plan of it, where, of which bytes, with which settings (RT-5)."""
        return Origin(
            by=requester(),
            host=socket.gethostname(),
            file=str(self.path),
            digest=self.digest,
            parameters=self.command.shown(settings),
        )

    def plan(self, settings: Sequence[str]) -> Plan:
        """Make the plan.

        Args:
            settings: Each a ``NAME=VALUE``.

        Raises:
            Refusal: The settings do not fit, all of them are named; or no plan came.
        """
        values, faults = self.command.values(settings)
        if faults:
            lines = [f"{_shown(self.path)} cannot be called:"]
            lines += [f"  {fault}" for fault in faults]
            if self.command.params:
                lines += ["its parameters:", *self.command.usage_lines()]
            raise Refusal("\n".join(lines))
        with _errors_of(self.path, "its plan function failed"):
            made = self.command.call_with(values)
        if inspect.iscoroutine(made):
            made.close()  # or Python warns that nobody awaited it
            raise _asynchronous(self.path)
        if not isinstance(made, Plan):
            kind = f"an object of type {type(made).__name__}"
            kind = "None" if made is None else kind
            forgotten = ": is a `return` missing?" if made is None else ""
            message = (
                f"{_shown(self.path)}: its plan function returned {kind}, not a Plan"
                f"{forgotten}"
            )
            raise Refusal(message)
        return made


def read_plan_file(path: Path, plugins: Callable[[], Plugins]) -> PlanFile:
    """Read a file; of Python files that runs them, but calls no ``plan`` yet.

    Args:
        path: The file; one that ends in ``.json`` holds a JSON plan.
        plugins: Finds what is installed; a JSON plan's requests are of their types.

    Raises:
        Refusal: It cannot be read or run, or has no such function.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"{_shown(path)} cannot be read: {error.strerror or error}"
        raise Refusal(message) from error
    if path.suffix.lower() == ".json":
        return _json_file(path, data, plugins())
    return _python_file(path, data)


def digest_of(data: bytes) -> str:
    """How the bytes of a file are known again."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def variable(name: str) -> object:
    """What a Python file that was read calls so; None: it has no such name.

    Args:
        name: A name of the file's own.
    """
    module = sys.modules.get(_MODULE)
    return None if module is None else vars(module).get(name)


def registry_for(plan: Plan) -> Registry:
    """The installed plugins that a plan names, all usable ones if that cannot be told.

    A plugin's name begins with its entry point's (REG-10), so the other packages need not
    be imported. One of them may bring the secret resolver for a scheme, or the name that
    a mistyped one is near: then all are.
    """
    try:
        found = list(actions(plan))
        names = {action.plugin for action in found}
        schemes = {
            ref.scheme for each in found for ref in secret_references(each.request)
        }
        known = schemes <= CORE_RESOLVERS.keys()
        registry = Registry.installed(
            discover(only={name.partition(".")[0] for name in names})
        )
        if known and all(name in registry for name in names):
            return registry
    except Exception:  # it is no plan yet: whoever checks it says why
        pass
    return Registry.installed()


# -- JSON ------------------------------------------------------------------------------


def _json_file(path: Path, data: bytes, plugins: Plugins) -> PlanFile:
    from .._codec.json_text import from_json

    try:
        plan = from_json(data.decode(), plugins)
    except UnicodeDecodeError as error:
        message = f"{_shown(path)} is no text in UTF-8: {error}"
        raise Refusal(message) from error
    except ValidationError as error:
        message = f"{_shown(path)}: {error}"
        raise Refusal(message) from error
    return PlanFile(path, PlanCommand(lambda: plan), digest_of(data))


# -- Python ----------------------------------------------------------------------------


def _python_file(path: Path, source: bytes) -> PlanFile:
    # Under a name of its own, so that it hides no module, and is not run as a program.
    module = types.ModuleType(_MODULE)
    module.__file__ = str(path.absolute())
    sys.modules[_MODULE] = module
    # Helpers beside it can be imported, by its functions too. At the end of the path: a
    # secrets.py there must not stand in for Python's own, nor for that of a package.
    sys.path.append(str(path.absolute().parent))
    with _errors_of(path, "cannot be imported"):
        # Compiled here: importing it the usual way would leave a __pycache__ behind.
        exec(compile(source, str(path.absolute()), "exec"), vars(module))
    function = _plan_function(path, vars(module))
    try:
        return PlanFile(path, PlanCommand(function), digest_of(source))
    except ValueError as error:
        message = f"{_shown(path)}: its plan function cannot be called: {error}"
        raise Refusal(message) from error


def _plan_function(path: Path, names: dict[str, Any]) -> Callable[..., Any]:
    if _FUNCTION not in names:
        near = [
            name
            for name, value in names.items()
            if inspect.isfunction(value)
            and value.__module__ == _MODULE
            and not name.startswith("_")
        ]
        hint = f" (it has {', '.join(near[:5])})" if near else ""
        message = f"{_shown(path)} has no function `plan`{hint}: {_EXAMPLE}"
        raise Refusal(message)
    function = names[_FUNCTION]
    if isinstance(function, type) or not callable(function):
        is_class = isinstance(function, type)
        kind = "a class" if is_class else f"of type {type(function).__name__}"
        message = f"{_shown(path)}: `plan` is {kind}, not a function: {_EXAMPLE}"
        raise Refusal(message)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise _asynchronous(path)
    return cast("Callable[..., Any]", function)


def _asynchronous(path: Path) -> Refusal:
    message = (
        f"{_shown(path)}: `plan` is written `async def`: write `def`, as it only says "
        "what is to be done"
    )
    return Refusal(message)


# -- What goes wrong in it -------------------------------------------------------------


@contextlib.contextmanager
def _errors_of(path: Path, what: str) -> Any:
    """Let the file print to standard error, and tell where in it something failed."""
    try:
        # What it prints must not mix with what the command prints, JSON perhaps.
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (Exception, SystemExit) as error:
        lines = [f"{_shown(path)}: {what}", _trimmed(error, path)]
        if isinstance(error, ImportError | AttributeError):
            lines += _hidden_beside(path)
        raise Refusal("\n".join(lines)) from error


def _hidden_beside(path: Path) -> list[str]:
    """The files beside the plan that cannot be imported, as others have their names."""
    found: list[str] = []
    for file in sorted(path.absolute().parent.glob("*.py")):
        spec = importlib.util.find_spec(file.stem) if file.stem.isidentifier() else None
        if file.name != path.name and spec and spec.origin != str(file):
            found.append(
                f"{_shown(file)} is not imported: {file.stem} is a module of Python or"
                " of an installed package; give the file another name"
            )
    return found


def _trimmed(error: BaseException, path: Path) -> str:
    """The traceback, without what is neither the user's nor where it happened."""
    described = traceback.TracebackException.from_exception(error, compact=True)
    beside = str(path.absolute().parent)
    packages = sysconfig.get_path("purelib")  # which may lie beside it, in a .venv
    frames = list(described.stack)
    ours = [
        frame
        for frame in frames
        if frame.filename.startswith(beside) and not frame.filename.startswith(packages)
    ]
    if ours and frames and frames[-1] not in ours:
        ours.append(frames[-1])
    lines = [
        line.rstrip("\n") for line in traceback.StackSummary.from_list(ours).format()
    ]
    lines += [line.rstrip("\n") for line in described.format_exception_only()]
    return "\n".join(lines)


def _shown(path: Path) -> str:
    return shorten(str(path), 300)
