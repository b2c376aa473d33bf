"""A stranger's package: all that it depends on is ``workstream-engine``, as a wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHEELS = "WORKSTREAM_WHEELS"
"""Names a directory of wheels that were built already; ``nox -s wheels`` sets it."""

FILES = {
    "pyproject.toml": """
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "workstream-greeting"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["workstream-engine"]

[project.entry-points.workstream]
greeting = "workstream_greeting"

[tool.pytest.ini_options]
addopts = ["--strict-markers"]
filterwarnings = ["error"]
""",
    "src/workstream_greeting/__init__.py": '''
"""Greetings at the door of a machine."""

from pathlib import Path

import attrs
import trio

from workstream import ActionPlugin, AnyPlugin, Context, SecretRef, hookimpl


@attrs.frozen
class GreetingRequest:
    """What to greet with.

    Attributes:
        path: The file, an absolute path.
        text: The greeting.
        signature: What it is signed with; nobody sees it.
    """

    path: str
    text: str
    signature: SecretRef | None = None


@attrs.frozen
class GreetingResponse:
    """How long the greeting is, in characters."""

    length: int = 0


class Greet(ActionPlugin[GreetingRequest, GreetingResponse]):
    """Write a greeting into a file."""

    name = "greeting.write"

    def validate(self, request: GreetingRequest, /) -> None:
        """Refuse a relative path."""
        if not request.path.startswith("/"):
            raise ValueError("path must be absolute")

    async def execute(
        self, context: Context, request: GreetingRequest, /
    ) -> GreetingResponse:
        """Write it."""
        await trio.Path(request.path).write_text(request.text)
        return GreetingResponse(len(request.text))


@hookimpl
def workstream_plugins() -> list[AnyPlugin]:
    """Offer it."""
    return [Greet()]
''',
    "tests/test_greeting.py": """
import pytest
from workstream_greeting import Greet, GreetingRequest, GreetingResponse

from workstream import Block, Plan, Registry, SecretRef, Sequence, Status
from workstream.testing import (
    FakePlugin,
    check_plugin,
    crash_everywhere,
    fake_all,
    run_plan,
)


def plan(path="/etc/motd", hosts=3):
    request = GreetingRequest(str(path), "Good morning")
    sequences = [
        Sequence(name=f"web-{n}", actions=[Greet.action(request, name="Greet")])
        for n in range(hosts)
    ]
    return Plan(name="Greet", blocks=[Block(name="Web", sequences=sequences)])


def test_it_is_found():
    assert isinstance(Registry.installed().get("greeting.write"), Greet)


def test_it_conforms(tmp_path):
    file = tmp_path / "motd"
    report = check_plugin(
        Greet(),
        [GreetingRequest(str(file), "Good morning", SecretRef("env:SIGNATURE"))],
        refused=[GreetingRequest("motd", "")],
        failing=[GreetingRequest(f"{tmp_path}/missing/motd", "")],
        reset=lambda: file.unlink(missing_ok=True),
        look=lambda: file.exists() and file.read_text(),
    )
    assert {"name", "secrets", "interrupted"} <= set(report.checked)


@pytest.mark.workstream(seed=7)
def test_a_plan_in_virtual_time(simulation):
    greet = FakePlugin(Greet).otherwise(takes=20, gives=GreetingResponse(12))
    result = simulation(plan(), [greet.when(path="web-1 / Greet", fails="asleep")])
    assert result.plan.state.status is Status.FAILED
    assert (result.seed, result.elapsed) == (7, 20)


def test_a_plan_that_crashes():
    assert crash_everywhere(plan(), fake_all(plan())).writes > 3


def test_code_that_uses_the_library(memory_workstream, fake_clock):
    async def scenario(ws):
        ended = await ws.run(plan())
        assert ended.state.status is Status.COMPLETED

    memory_workstream.run(scenario, [FakePlugin("greeting.write").otherwise(takes=20)])
    assert fake_clock.time() == 60


def test_a_real_plan(tmp_path):
    assert run_plan(plan(tmp_path / "motd"), [Greet()]).elapsed == 0
    assert (tmp_path / "motd").read_text() == "Good morning"
""",
}


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A directory with the wheel of the engine in it."""
    built = os.environ.get(WHEELS)
    if built:
        return Path(built)
    dist = tmp_path / "dist"
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(dist), str(ROOT))
    return dist


def run(*words: str, cwd: Path | None = None) -> str:
    """Run a program that must succeed: what it printed."""
    clean = {n: v for n, v in os.environ.items() if not n.startswith(("PYTHON", "COV"))}
    done = subprocess.run(
        words,
        cwd=cwd,
        env=clean,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.needs_package("build")
def test_a_package_of_a_stranger(wheels: Path, tmp_path: Path) -> None:
    """Its tests use fixtures, fakes and the conformance kit, and pass."""
    home = tmp_path / "workstream-greeting"
    for name, text in FILES.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip())
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    [wheel] = map(str, wheels.glob("workstream_engine-*.whl"))
    run(python, "-m", "pip", "install", "--quiet", wheel, "pytest", str(home))

    printed = run(python, "-m", "pytest", "-q", cwd=home)

    assert "6 passed" in printed
