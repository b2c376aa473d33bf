"""Packages of strangers: all that they depend on is ``workstream-engine``, as a wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import attrs
import pytest

pytestmark = pytest.mark.needs_package("build", "uv")

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

from workstream import ActionPlugin, Context, SecretRef, hookimpl
from workstream.plugins import AnyPlugin


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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The wheel of the engine."""
    built = os.environ.get(WHEELS)
    dist = Path(built) if built else build(ROOT, tmp_path_factory.mktemp("dist"))
    [wheel] = map(str, dist.glob("workstream_engine-*.whl"))
    return wheel


def build(project: Path, dist: Path) -> Path:
    """Build a distribution's wheel, as its author would: where it is."""
    command = (sys.executable, "-m", "build", "--installer", "uv", "--wheel")
    run(*command, "--outdir", str(dist), str(project))
    return dist


def call(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program, in an environment that has nothing of ours."""
    ours = ("PYTHON", "COV", "WORKSTREAM")
    clean = {n: v for n, v in os.environ.items() if not n.startswith(ours)}
    return subprocess.run(
        words,
        cwd=cwd,
        env=clean,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(*words: str, cwd: Path | None = None) -> str:
    """Run a program that must succeed: what it printed."""
    done = call(*words, cwd=cwd)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_package_of_a_stranger(wheel: str, tmp_path: Path) -> None:
    """Its tests use fixtures, fakes and the conformance kit, and pass."""
    home = tmp_path / "workstream-greeting"
    for name, text in FILES.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip())
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    run(python, "-m", "pip", "install", "--quiet", wheel, "pytest", str(home))

    printed = run(python, "-m", "pytest", "-q", cwd=home)

    assert "6 passed" in printed


@attrs.frozen
class Machine:
    """A clean environment with the wheel of the engine, and nothing else of ours."""

    root: Path

    @classmethod
    def make(cls, root: Path, wheel: str) -> Machine:
        """Make one."""
        venv.create(root / "venv", with_pip=True)
        machine = cls(root)
        machine.pip("install", wheel)
        return machine

    def pip(self, *words: str) -> None:
        """Install or remove something."""
        quiet = ("--quiet", "--disable-pip-version-check")
        run(str(self.root / "venv/bin/python"), "-m", "pip", *words, *quiet)

    def workstream(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call the command, with a store of its own."""
        store = ("env", f"WORKSTREAM_STORE={self.root / 'store'}", "COLUMNS=200")
        return call(
            *store, str(self.root / "venv/bin/workstream"), *words, cwd=self.root
        )

    def scaffold(self, name: str, directory: str = "") -> Path:
        """Begin a plugin package."""
        directory = directory or f"workstream-{name}"
        done = self.workstream("new-plugin", name, "--directory", directory)
        assert done.returncode == 0, done.stdout
        return self.root / directory

    def install(self, project: Path) -> None:
        """Build a package, and install its wheel."""
        [wheel] = build(project, project / "dist").glob("*.whl")
        self.pip("install", "--no-index", str(wheel))

    def run_plan(self) -> subprocess.CompletedProcess[str]:
        """Run the plan of the README of the package ``acme``."""
        motd = self.root / "motd"
        motd.unlink(missing_ok=True)
        readme = (self.root / "workstream-acme" / "README.md").read_text()
        plan = readme.partition("```python\n")[2].partition("```")[0]
        assert "/tmp/motd" in plan
        path = self.root / "plan.py"
        path.write_text(plan.replace("/tmp/motd", str(motd)))
        done = self.workstream("run", str(path))
        assert motd.exists() is (done.returncode == 0)
        return done


@pytest.fixture(scope="module")
def machine(wheel: str, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A clean environment with the package ``acme``, just begun, and installed."""
    machine = Machine.make(tmp_path_factory.mktemp("machine"), wheel)
    machine.install(machine.scaffold("acme"))
    return machine


def test_a_package_just_begun_comes_and_goes(machine: Machine) -> None:
    """Built and installed it is found, listed and run; removed, it is gone."""
    listed = machine.workstream("plugins").stdout
    assert "workstream-acme 0.1.0  entry point acme" in listed
    assert "acme.write  action" in listed
    assert "left out" not in listed
    checked = machine.workstream("plugins", "--check")
    assert (checked.returncode, checked.stdout) == (
        0,
        "2 packages were made for plugin API 1, which this is\n",
    )
    assert machine.run_plan().returncode == 0

    machine.pip("uninstall", "--yes", "workstream-acme")

    assert "acme" not in machine.workstream("plugins").stdout
    refused = machine.run_plan()
    assert refused.returncode == 2
    assert "workstream_acme" in refused.stdout  # what the plan file imports

    [wheel] = (machine.root / "workstream-acme" / "dist").glob("*.whl")
    machine.pip("install", "--no-index", str(wheel))
    assert machine.run_plan().returncode == 0


BROKEN = {
    "raises at import": (
        'raise RuntimeError("the licence has run out")',
        "'workstream_other' cannot be loaded: RuntimeError: the licence has run out",
    ),
    "ends the program at import": (
        'raise SystemExit("goodbye")',
        "'workstream_other' cannot be loaded: SystemExit: goodbye",
    ),
    "declares a hook that does not exist": (
        "@hookimpl\ndef workstream_plugin() -> None: ...",
        "workstream has no hook workstream_plugin (did you mean workstream_plugins?)",
    ),
    "was made for a later API": (
        "workstream_plugin_api = 99",
        "it was made for version 99 of the plugin API, and this workstream has version 1",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_package_breaks_nothing_else(machine: Machine, kind: str) -> None:
    """It is told what is wrong with it, and the others work as if it were not there."""
    line, told = BROKEN[kind]
    name = re.sub(r"\W", "-", f"workstream-other-{kind}")
    project = machine.scaffold("other", name)
    module = project / "src/workstream_other/__init__.py"
    module.write_text(
        f"{module.read_text()}\nfrom workstream import hookimpl\n{line}\n"
    )
    machine.install(project)

    listed = machine.workstream("plugins")
    checked = machine.workstream("plugins", "--check")
    ran = machine.run_plan()
    machine.pip("uninstall", "--yes", "workstream-other")

    assert listed.returncode == 0
    assert "acme.write  action" in listed.stdout
    assert "other.write" not in listed.stdout
    for done in (listed, checked):
        words = " ".join(done.stdout.split())
        assert f"entry point 'other' of workstream-other 0.1.0: {told}" in words
    assert checked.returncode == 1
    assert ran.returncode == 0, ran.stdout
    assert machine.workstream("plugins", "--check").returncode == 0


def test_two_packages_with_the_same_names_are_told_apart(machine: Machine) -> None:
    """Neither is used, rather than the wrong one; without the second all is well."""
    project = machine.scaffold("other", "workstream-shadow")
    for path in (project / "pyproject.toml", *project.rglob("*.py")):
        text = path.read_text().replace('"other.', '"acme.')
        path.write_text(text.replace("\nother = ", "\nacme = "))
    machine.install(project)

    listed = machine.workstream("plugins").stdout
    checked = machine.workstream("plugins", "--check")
    refused = machine.run_plan()
    machine.pip("uninstall", "--yes", "workstream-other")

    reason = (
        "workstream-acme 0.1.0 and workstream-other 0.1.0 each bring a plugin"
        " 'acme.write': uninstall all but one of them"
    )
    for said in (listed, checked.stdout, refused.stdout):
        assert reason in " ".join(said.split())
    assert (checked.returncode, refused.returncode) == (1, 2)
    assert machine.workstream("plugins", "--check").returncode == 0
    assert machine.run_plan().returncode == 0
