"""The plans of the pages, run on this machine and on a cluster: they come to the same.

Each page that shows ``$ workstream run`` is followed twice, in one directory that is
made anew: its files are written, and so are its commands that run plans carried out.
What each plan came to is compared, object by object: status, reasons, attempts.

The commands are forks of one process; of one page, and of the rolling deploy, each is a
process of its own, as are all workers.
"""

from __future__ import annotations

import importlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import attrs
import pytest
import trio
from forked_commands import ForkedCommands
from free_ports import free_ports
from temporal_server import Server

from workstream import Plan, open_store
from workstream._plan.paths import paths
from workstream._plan.plan import BaseAction

pytestmark = pytest.mark.slow  # it starts a cluster

_pages: Any = importlib.import_module("test_examples")
ROOT: Path = _pages.ROOT
PAGES: list[str] = _pages.PAGES
blocks: Callable[[str], Iterable[Any]] = _pages.blocks
commands: Callable[[Any], Iterable[Any]] = _pages.commands
environment: Callable[[Path], dict[str, str]] = _pages.environment

RUNS = ("run", "retry", "undo")
NOT_HERE = {
    "docs/tutorial/create-a-machine.md": "it needs hosts, and a cloud",
    "docs/tutorial/deploy-a-server.md": "it needs hosts",
    "docs/tutorial/deploy-a-cluster.md": "it needs hosts",
    "docs/how-to/bad-night.md": "people steer its plans while they run",
    "docs/how-to/steer.md": "people steer its plans while they run",
}
"""Pages that are not followed on a cluster, and why."""


RACES = {
    "docs/tutorial/first-plan.md": "two of its sequences race to fail the block",
}
"""Pages of whose plans only the outcome and the reasons are compared, and why."""


BY_PROCESSES = "docs/how-to/undo.md"
"""The page each of whose commands is a process of its own."""


class Cluster(Protocol):
    """A running server; see ``conftest``."""

    store: str


@pytest.fixture(scope="module", name="server")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    """A server of its own: once a worker said its version, no other gets new plans."""
    found = Server(tmp_path_factory.mktemp("examples"))
    found.begin()
    yield found
    found.kill()


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Generator[ForkedCommands]:
    """What runs the commands of pages."""
    place = tmp_path_factory.mktemp("commands")
    with ForkedCommands.begun(place, environment(place)) as commands:
        yield commands


@attrs.frozen
class Shown:
    """What is run of a page: its commands that run plans."""

    page: str
    lines: tuple[str, ...]


def shown(page: str) -> Shown:
    """The commands of a page that run plans."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = [
        command.command
        for block in blocks(text)
        if block.language == "console" and block.verb != "not run"
        for command in commands(block)
        if command.command.split()[1] in RUNS
        and not {"--dry-run", "--edit"} & set(command.command.split())
    ]
    return Shown(page, tuple(lines))


def is_export(line: str) -> bool:
    """Whether a command writes a plan file of a plan, to be run by a later one."""
    return line.split()[1] == "export"


FOLLOWED = [each for each in map(shown, PAGES) if each.lines]


@contextmanager
def worker(store: str, work: Path, variables: dict[str, str]) -> Generator[None]:
    """A worker of the cluster in the page's directory."""
    program = Path(sys.executable).with_name("workstream")
    process = subprocess.Popen(
        [program, "worker", "--engine", store],
        cwd=work,
        env=variables,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert "at work" in process.stdout.readline()
        yield
    finally:
        process.terminate()
        process.communicate()


def carry_out(
    line: str | list[str],
    work: Path,
    variables: dict[str, str],
    forked: ForkedCommands | None = None,
) -> int:
    """Run a command that runs a plan; its exit status, which is that of no bug."""
    if forked is not None:
        program, *words = shlex.split(line) if isinstance(line, str) else line
        assert program == "workstream"
        status, printed = forked.run(words, work, variables)
        assert status in (0, 1, 3), printed
        return status
    done = subprocess.run(
        line,
        shell=isinstance(line, str),
        cwd=work,
        env=variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=180,
    )
    assert done.returncode in (0, 1, 3), done.stdout
    return done.returncode


def follow(
    page: Shown, work: Path, variables: dict[str, str], forked: ForkedCommands | None
) -> list[int]:
    """Write the page's files, and run its plans; the exit statuses."""
    found: list[int] = []
    for block in blocks((ROOT / page.page).read_text(encoding="utf-8")):
        if block.verb == "file":
            path = work / block.what
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "console" and block.verb != "not run":
            found += [
                carry_out(command.command, work, variables, forked)
                for command in commands(block)
                if command.command in page.lines or is_export(command.command)
            ]
    return found


def came_to(plan: Plan, *, only_last: bool = False) -> list[str]:
    """What became of the plan: of each object, its status; of an action, its attempts."""
    reasons = ", ".join(each.name for each in plan.reasons)
    found = [f"{plan.outcome.value} ({reasons})"]
    for path, item in paths(plan):
        node = item.node
        attempts = [
            (each.interrupted, each.error is not None and each.error.permanent)
            for each in (node.attempts if isinstance(node, BaseAction) else ())
        ]
        attempts = attempts[-1:] if only_last else attempts
        found.append(f"{path}: {node.state.status.name} {attempts}")
    return found


def newest(store: str, count: int) -> list[Plan]:
    """The newest plans of a store, the oldest of them first."""

    async def read() -> list[Plan]:
        async with open_store(store) as plans:
            rows = await plans.list(limit=count)
            return [await plans.plan(row.id) for row in reversed(rows)]

    return trio.run(read)


@pytest.mark.parametrize(
    "page", [each for each in FOLLOWED if each.page not in NOT_HERE], ids=str
)
def test_each_plan_of_a_page_comes_to_the_same(
    page: Shown, server: Cluster, forked: ForkedCommands, tmp_path: Path
) -> None:
    """The same statuses, reasons and attempts on this machine and on the cluster."""
    work = tmp_path / "work"
    variables = environment(tmp_path)
    by = None if page.page == BY_PROCESSES else forked

    work.mkdir()
    here = follow(page, work, variables, by)
    local = newest(variables["WORKSTREAM_STORE"], len(page.lines))
    shutil.rmtree(work)
    work.mkdir()
    variables["WORKSTREAM_STORE"] = server.store
    with worker(server.store, work, variables):
        there = follow(page, work, variables, by)
        cluster = newest(server.store, len(local))

    assert there == here
    for ours, theirs in zip(local, cluster, strict=True):
        told = 1 if page.page in RACES else None
        assert came_to(theirs)[:told] == came_to(ours)[:told]


def test_every_page_is_followed_or_has_a_reason() -> None:
    """Nobody is left out in silence, and no reason outlives its page."""
    assert {*NOT_HERE, *RACES, BY_PROCESSES} <= {each.page for each in FOLLOWED}
    assert len(FOLLOWED) > len(NOT_HERE)


def test_the_rolling_deploy_comes_to_the_same(server: Cluster, tmp_path: Path) -> None:
    """The example of the README: real processes, real health checks, a broken host.

    How often a health check is tried depends on how fast a service comes up: of an
    action it is compared how its last attempt ended.
    """
    example = ROOT / "docs" / "examples" / "rolling_deploy.py"
    variables = environment(tmp_path)
    # Hosts of its own: others on this machine may follow the README just now.
    tier = (f"root={tmp_path / 'hosts'}", f"first-port={free_ports(8)}")

    def run(store: str) -> tuple[int, list[str]]:
        line = ["workstream", "run", str(example), "--store", store]
        line += [word for each in tier for word in ("-p", each)]
        status = carry_out(line, tmp_path, variables)
        [plan] = newest(store, 1)
        return status, came_to(plan, only_last=True)

    ours = run(str(tmp_path / "store"))
    with worker(server.store, tmp_path, variables):
        theirs = run(server.store)

    assert theirs[0] == ours[0]
    assert theirs[1] == ours[1]
