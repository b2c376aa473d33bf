"""A plugin package, plan files, and two ways to call the command line."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from workstream._cli.main import command_line

Call = Callable[..., Result]
WritePlan = Callable[..., Path]

TOY = '''
"""Actions that do as they are told."""

import contextlib
import os
import time

import attrs
import trio

from workstream import (
    SECURE,
    ActionPlugin,
    CheckPlugin,
    OnInterrupt,
    PluginError,
    SecretRef,
    hookimpl,
)
from workstream.plugins import Preview

with open(os.environ["TOY_IMPORTS"], "a") as imports:
    imports.write("toy_plugin is imported")


@attrs.frozen
class Do:
    """What to do.

    fail: fail with this message. hold: go on when this file is there. deaf: not even
    for a cancellation. block: the event loop with it.
    """

    say: str = ""
    fail: str = ""
    because: str = ""
    times: int = 1000
    permanent: bool = True
    hold: str = ""
    deaf: bool = False
    block: bool = False
    password: str | None = attrs.field(default=None, metadata=SECURE)
    token: SecretRef | None = None


@attrs.frozen
class Done:
    said: str = ""


async def carry_out(context, request):
    with contextlib.suppress(BrokenPipeError):
        print("called", ascii(context.path)[1:-1], flush=True)
    if request.say:
        context.report(request.say)
    while request.block:
        time.sleep(0.01)
    while request.hold and not os.path.exists(request.hold):
        with trio.CancelScope(shield=request.deaf):
            await trio.sleep(0.01)
    if request.fail and context.attempt <= request.times:
        wrapped = PluginError(request.because, code=7) if request.because else None
        raise PluginError(
            request.fail, permanent=request.permanent, wrapped=wrapped
        )
    return Done(request.say)


class Act(ActionPlugin[Do, Done]):
    """Do something."""

    name = "toy.act"
    on_interrupt = OnInterrupt.RERUN

    async def execute(self, context, request, /):
        return await carry_out(context, request)


class Look(CheckPlugin[Do, Done]):
    """Look at something."""

    name = "toy.look"

    async def execute(self, context, request, /):
        return await carry_out(context, request)


class Set(Act):
    """Do something, and say before what."""

    name = "toy.set"

    async def preview(self, context, request, /):
        if request.block:
            print("waiting", flush=True)
            await trio.sleep_forever()
        if request.fail:
            raise PluginError(request.fail)
        secret = request.token.reveal() if request.token else ""
        lines = request.because.splitlines()
        return Preview(f"{request.say}{secret}" or "no change",
            changes=bool(request.say), details=lines)


class Peek(Look):
    """Look at something, also in a dry run."""

    name = "toy.peek"
    safe_in_preview = True


@hookimpl
def workstream_plugins():
    return [Act(), Look(), Set(), Peek()]
'''

HEADER = """
from workstream import *
from toy_plugin import Act, Do, Look, Peek, Set


def act(name, **request):
    return Act.action(Do(**request), name=name)


def tier(*sequences, **settings):
    return Plan(name="Deploy", blocks=[Block(name="Tier", sequences=list(sequences), **settings)])


"""


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of an installed package with ``toy.act`` and ``toy.look``."""
    site = tmp_path / "site"
    info = site / "toy-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "toy_plugin.py").write_text(TOY)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[workstream]\ntoy = toy_plugin\n")
    # What a plan file adds to the path goes away again with the test.
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    monkeypatch.delitem(sys.modules, "toy_plugin", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("TOY_IMPORTS", str(tmp_path / "imports"))
    monkeypatch.setenv("WORKSTREAM_PLUGINS", "toy")
    monkeypatch.setenv("WORKSTREAM_STORE", str(tmp_path / "store"))
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    return site


@pytest.fixture
def call() -> Call:
    """Calls the command line in this process."""

    def call(*arguments: object) -> Result:
        # Before click 8.2, standard error is kept apart only where one asks for it.
        apart = "mix_stderr" in inspect.signature(CliRunner).parameters
        settings: dict[str, Any] = {"mix_stderr": False} if apart else {}
        runner = CliRunner(**settings)
        result = runner.invoke(command_line, [str(each) for each in arguments])
        sys.modules.pop("toy_plugin", None)
        return result

    return call


@pytest.fixture
def write_plan(tmp_path: Path) -> WritePlan:
    """Writes a plan file: what its plan function returns, or its whole text."""

    def write(body: str, *, whole: bool = False, name: str = "deploy.py") -> Path:
        path = tmp_path / name
        body = textwrap.dedent(body)
        if not whole:
            body = f"{HEADER}def plan():\n    return {body.strip()}\n"
        path.write_text(body)
        return path

    return write


class Child:
    """The command line in a process of its own, its output read line by line."""

    def __init__(self, *arguments: object, **environment: str) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workstream", *map(str, arguments)],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A signal to the child alone must not depend on how pytest was started.
            start_new_session=True,
        )
        self.output = ""

    def wait_for(self, text: str) -> None:
        """Read until a line has this text."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if text in line:
                return
        pytest.fail(f"the child ended without {text!r}:\n{self.output}")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Read on to its end; its exit status."""
        rest, _ = self.process.communicate(timeout=60)
        self.output += rest
        return self.process.returncode


@pytest.fixture
def start() -> Iterator[Callable[..., Child]]:
    """Starts the command line in a process of its own."""
    children: list[Child] = []

    def start(*arguments: object, **environment: str) -> Child:
        children.append(Child(*arguments, **environment))
        return children[-1]

    yield start
    for child in children:
        child.process.kill()
        child.process.communicate()


def _findings(result: Result, level: str) -> dict[str, tuple[str, str]]:
    """The messages and remedies of a level, of each area the last."""
    data = json.loads(result.stdout)
    assert data["healthy"] is (result.exit_code == 0)
    return {
        each["area"]: (each["message"], each["remedy"])
        for each in data["findings"]
        if each["level"] == level
    }


@pytest.fixture
def findings() -> Callable[[Result, str], dict[str, tuple[str, str]]]:
    """Reads the doctor's findings of one level, by their name."""
    return _findings
