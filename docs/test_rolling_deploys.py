"""The rolling deploys, here and over ssh: real processes, bad hosts, kill -9, resume."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from free_ports import free_ports

if TYPE_CHECKING:
    from conftest import MakeTier

EXAMPLES = Path(__file__).with_name("examples")
HOST = EXAMPLES / "web" / "host.py"
HOSTS = 8
MANY = "workers is 'many': it must be a whole number"


@attrs.frozen
class Deploy:
    """A rolling deploy of eight hosts, by the command line of workstream.

    Attributes:
        name: What its plan is called.
        words: What ``workstream run`` is given.
        makes_hosts: Whether the plan configures them, the bad ones too.
        root: The directory that holds the hosts.
        first_port: The port of the first host's service; the others follow.
        store: The store of the test.
    """

    name: str
    words: tuple[str, ...]
    makes_hosts: bool
    root: Path
    first_port: int
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

    def kill_at(self, *words: str, bad: tuple[int, ...]) -> dict[str, Any]:
        """Begin it, kill it at the first line with all these words, and look at it."""
        told = [f"bad={number}" for number in bad] if self.makes_hosts else []
        given = [word for setting in told for word in ("-p", setting)]
        process = self.start("run", *self.words, *given)
        assert process.stdout is not None
        for line in process.stdout:
            if all(word in line for word in words):
                break
        else:
            pytest.fail(f"no line has all of {words}")
        process.kill()
        with process:
            pass
        shown = self.show()
        assert shown["crashed"]
        return shown

    def resume(self) -> str:
        """Go on to the end: all that is printed."""
        process = self.start("resume")
        said, _ = process.communicate(timeout=300)
        assert process.returncode in (1, 3), said
        return said

    def show(self) -> dict[str, Any]:
        """The plan as it is stored."""
        process = self.start("show", "last", "--json")
        said, _ = process.communicate(timeout=60)
        assert process.returncode in (0, 1, 3), said
        shown: dict[str, Any] = json.loads(said)
        return shown

    def home(self, number: int) -> Path:
        """The directory of a host."""
        return self.root / f"web-{number}"

    def run_host(self, command: str, number: int, *words: object) -> None:
        """Do something on a host, as its operator would."""
        asked = [sys.executable, HOST, command, self.home(number), *words]
        subprocess.run(list(map(str, asked)), check=True, stdout=subprocess.PIPE)

    def set_workers(self, *bad: int) -> None:
        """Configure the hosts; version 2 refuses the bad ones."""
        for number in range(1, HOSTS + 1):
            port = self.first_port + number - 1
            workers = "many" if number in bad else "4"
            self.run_host("prepare", number, "--port", port, "--workers", workers)

    def count(self, version: str) -> str:
        """How many hosts of the pool run a version."""
        asked = [HOST, "count", self.root, "--at-least", "0", "--version", version]
        return subprocess.check_output([sys.executable, *map(str, asked)], text=True)

    def files(self, number: int) -> dict[str, bytes]:
        """All files of a host that are not the running process's own, and their bytes."""
        home = self.home(number)
        own = {"web.log", "web.pid"}
        places = [home / "releases", home]
        found = [*places[0].rglob("*"), *places[1].iterdir()]
        return {
            str(path.relative_to(home)): path.read_bytes()
            for path in found
            if path.is_file() and path.name not in own
        }


@pytest.fixture(
    params=[pytest.param(place, marks=pytest.mark.slow) for place in ("here", "ssh")]
)
def deploy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deploy]:
    """Eight hosts, on this machine or behind an sshd each, and a store."""
    store = tmp_path / "store"
    if request.param == "ssh":
        make_tier: MakeTier = request.getfixturevalue("make_tier")
        tier = make_tier(HOSTS)
        tier.up(HOSTS)
        port = tier.first_web_port
        words = ("-p", f"tier={tier.root}", "-p", f"first-web-port={port}")
        file = str(EXAMPLES / "rolling_deploy_ssh.py")
        yield Deploy(
            "Rolling deploy over ssh", (file, *words), False, tier.root, port, store
        )
        return
    port, root = free_ports(HOSTS), tmp_path / "hosts"
    words = ("-p", f"root={root}", "-p", f"first-port={port}", "-p", "keep=yes")
    file = str(EXAMPLES / "rolling_deploy.py")
    deploy = Deploy("Rolling deploy", (file, *words), True, root, port, store)
    yield deploy
    for number in range(1, HOSTS + 1):
        deploy.run_host("clean", number, "--all")


def completed(shown: dict[str, Any]) -> dict[str, Any]:
    """The attempts of all actions of sequences that are completed, by the action's id.

    Those of their deferred work, too. Checks are left out: they run again.
    """
    sequences = [
        sequence for block in shown["plan"]["blocks"] for sequence in block["sequences"]
    ]
    batches = [
        batch
        for sequence in sequences
        for batch in sequence.get("deferred_actions", {}).get("batches", ())
    ]
    return {
        action["id"]: action["attempts"]
        for holder in (*sequences, *batches)
        for action in holder["actions"]
        if action.get("state", {}).get("status") == "COMPLETED"
    }


def test_a_bad_host_is_tolerated_and_back_in_the_pool(deploy: Deploy) -> None:
    """Through a kill in the middle: what is recorded as done is not done again."""
    before = completed(deploy.kill_at("Version 2 / web-2", "completed in", bad=(5,)))
    assert len(before) > 3 * HOSTS  # more than version 1

    said = deploy.resume()

    shown = deploy.show()
    assert shown["outcome"] == "completed with failures", said
    [failure] = shown["failures"]
    assert failure["path"] == f"{deploy.name} / Version 2 / web-5 / Start"
    assert MANY in failure["error"]["message"]
    after = completed(shown)
    assert {action: after[action] for action in before} == before
    assert deploy.count("v2").startswith("7 of 8")
    assert deploy.count("v1").startswith("1 of 8")  # web-5: in the pool, as before
    for number in range(1, HOSTS + 1):
        releases = {name for name in deploy.files(number) if "releases" in name}
        assert releases == {f"releases/{'v1' if number == 5 else 'v2'}/web.py"}


def test_a_bad_release_is_taken_back_but_where_it_cannot_be(deploy: Deploy) -> None:
    """Killed in the middle of the undo, it goes on; the hosts are as at the start."""
    deploy.set_workers(4, 5)
    for number in range(1, HOSTS + 1):
        (deploy.home(number) / "host.py").write_bytes(HOST.read_bytes())
        deploy.run_host("install", number, EXAMPLES / "web" / "v1")
        deploy.run_host("start", number, "v1")
    # Version 1 still runs on web-1, but it could not be started again.
    broken = deploy.home(1) / "releases" / "v1" / "json.py"
    broken.write_text("raise SystemExit('this Python is too new for version 1')\n")
    start = {number: deploy.files(number) for number in range(1, HOSTS + 1)}

    before = completed(
        deploy.kill_at("/ Back to version 1", "completed in", bad=(4, 5))
    )
    said = deploy.resume()

    shown = deploy.show()
    mark, headline = "✗", f"{deploy.name}: taken back on 5 of 6; NOT on web-1; failed"
    assert f"{mark} {headline}" in said
    assert shown["outcome"] == "failed"
    after = completed(shown)
    assert {action: after[action] for action in before} == before
    for number in range(2, HOSTS + 1):
        assert deploy.files(number) == start[number]
    assert deploy.count("v1").startswith("7 of 8")
    assert {"drained", "releases/v2/web.py"} <= set(deploy.files(1))
    assert "this Python is too new for version 1" in said
