"""A machine is created over HTTP, and its address flows to the actions after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

if TYPE_CHECKING:
    from conftest import MakeTier

EXAMPLES = Path(__file__).with_name("examples")

pytestmark = pytest.mark.slow


@attrs.frozen
class World:
    """A cloud, and the command line of workstream.

    Attributes:
        port: Where the cloud answers; its machine serves on the one before.
        root: The cloud's directory.
        store: The store of the test.
    """

    port: int
    root: Path
    store: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Call workstream."""
        return subprocess.Popen(
            [sys.executable, "-m", "workstream", *words],
            env={**os.environ, "WORKSTREAM_STORE": str(self.store), "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, version: int) -> subprocess.Popen[str]:
        """Begin the plan."""
        file = str(EXAMPLES / "new_machine.py")
        settings = (
            f"cloud=http://127.0.0.1:{self.port}",
            f"version={version}",
            f"ssh-config={self.root / 'ssh_config'}",
        )
        return self.start("run", file, *(x for s in settings for x in ("-p", s)))

    def call(self, *words: str) -> tuple[int | None, str]:
        """Call workstream, and wait for its end."""
        process = self.start(*words)
        said, _ = process.communicate(timeout=120)
        return process.returncode, said

    def ask(self, port: int, path: str) -> Any:
        """What is answered on a port."""
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())

    def created(self) -> int:
        """How many machines the cloud was asked to create, and did."""
        log = (self.root / "cloud.log").read_text()
        return log.count('"POST /machines HTTP/1.1" 201')


@pytest.fixture
def world(make_tier: MakeTier, tmp_path: Path) -> Iterator[World]:
    """A cloud that has a machine to give."""
    tier = make_tier(2)  # for its ports
    root, port = tier.root, tier.first_web_port + 1
    ports = ("--port", port, "--ssh-port", tier.first_ssh_port)
    ports = (*ports, "--web-port", tier.first_web_port)
    command = [sys.executable, EXAMPLES / "cloud.py"]
    subprocess.run(list(map(str, [*command, "up", root, *ports])), check=True)
    yield World(port, root, tmp_path / "store")
    subprocess.run(list(map(str, [*command, "down", root])), check=True)


def test_killed_between_the_two_it_creates_no_second_machine(world: World) -> None:
    """The address comes out of the store, in another process (VF-6)."""
    process = world.run(1)
    assert process.stdout is not None
    for line in process.stdout:
        if "Machine: completed in" in line:
            break
    else:
        pytest.fail("it never created the machine")
    process.kill()
    with process:
        pass

    code, said = world.call("resume")

    assert code == 0, said
    assert world.created() == 1
    assert world.ask(world.port - 1, "/health") == {"version": 1, "status": "ok"}

    code, said = world.call("undo", "last")  # it refers to the same response (UN-5)

    assert code == 0, said
    assert world.ask(world.port, "/machines") == []


def test_what_was_created_is_removed_when_the_rest_fails(world: World) -> None:
    """The undo finds the machine by its id (UN-4)."""
    process = world.run(3)  # there is no such release to copy
    said, _ = process.communicate(timeout=120)

    assert process.returncode == 1, said
    assert "New machine: taken back on 1 of 1; failed" in said
    assert world.created() == 1
    assert world.ask(world.port, "/machines") == []


def test_without_an_answer_nothing_is_sent(world: World) -> None:
    """A source that failed feeds nobody, and its undo has nothing to take back."""
    with world.run(1) as first:
        first.communicate(timeout=120)
    process = world.run(1)  # the cloud has no second machine
    said, _ = process.communicate(timeout=120)

    assert process.returncode == 1, said
    assert "this cloud has one machine only" in said
    code, shown = world.call("show", "last", "--json")
    assert code in (0, 1)
    blocks = json.loads(shown)["plan"]["blocks"]
    [create] = blocks[0]["sequences"]
    [remove] = create["deferred_actions"]["batches"]
    assert remove["actions"][0]["state"]["status"] == "SKIPPED"
    assert "state" not in blocks[1]["sequences"][0]["actions"][0]
    assert len(world.ask(world.port, "/machines")) == 1
