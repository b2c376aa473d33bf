"""The rolling deploy over ssh: eight real sshd, a real bad host, kill -9, resume."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest

EXAMPLES = Path(__file__).with_name("examples")
HOSTS = 8


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nothing listens on."""
    for first in range(20000 + os.getpid() % 10000, 60000, count):
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    listener = stack.enter_context(socket.socket())
                    listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    pytest.fail("no ports are free")


@attrs.frozen
class Tier:
    """The tier, and the command line of workstream beside it."""

    root: Path
    store: Path
    first_web_port: int

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Call workstream."""
        return subprocess.Popen(
            [sys.executable, "-m", "workstream", *words],
            env={**os.environ, "WORKSTREAM_STORE": str(self.store)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self) -> subprocess.Popen[str]:
        """Begin the deploy."""
        file = EXAMPLES / "rolling_deploy_ssh.py"
        port = f"first-web-port={self.first_web_port}"
        return self.start("run", str(file), "-p", f"tier={self.root}", "-p", port)

    def show(self) -> dict[str, Any]:
        """The plan as it is stored."""
        process = self.start("show", "last", "--json")
        said, _ = process.communicate(timeout=60)
        assert process.returncode in (0, 3), said
        shown: dict[str, Any] = json.loads(said)
        return shown


def tier_command(*words: object) -> None:
    """Have the tier put up, or taken down."""
    command = [sys.executable, str(EXAMPLES / "ssh_tier.py"), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def tier(tmp_path: Path) -> Iterator[Tier]:
    """Eight hosts."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    for program, package in (
        ("sshd", "openssh-server"),
        ("ssh", "openssh-client"),
        ("ssh-keygen", "openssh-client"),
        ("setsid", "util-linux"),
    ):
        if shutil.which(program, path=path) is None:
            pytest.skip(f"there is no {program} here (Debian has it in {package})")
    first = free_ports(2 * HOSTS)
    root = tmp_path / "tier"
    try:
        tier_command(
            *("up", root, "--hosts", HOSTS),
            *("--first-ssh-port", first, "--first-web-port", first + HOSTS),
        )
        yield Tier(root, tmp_path / "store", first + HOSTS)
    finally:
        tier_command("down", root)


def completed(shown: dict[str, Any]) -> dict[str, Any]:
    """The attempts of all actions of sequences that are completed, by the action's id.

    Continuous checks are left out: they run again, as often as need be.
    """
    return {
        action["id"]: action["attempts"]
        for block in shown["plan"]["blocks"]
        for sequence in block["sequences"]
        for action in sequence["actions"]
        if action.get("state", {}).get("status") == "COMPLETED"
    }


def finish(process: subprocess.Popen[str], tier: Tier) -> None:
    """See that the deploy comes to its end, and that it is the right one."""
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 3, said
    shown = tier.show()
    assert [failure["path"] for failure in shown["failures"]] == [
        "Rolling deploy over ssh / Version 2 / web-5 / Start"
    ]
    message = shown["failures"][0]["error"]["message"]
    assert "workers is 'many': it must be a whole number" in message
    for number in range(1, HOSTS + 1):
        home = tier.root / f"web-{number}"
        releases = sorted(path.name for path in (home / "releases").iterdir())
        assert releases == ([] if number == 5 else ["v2"])


def test_it_is_killed_in_the_middle_and_goes_on(tier: Tier) -> None:
    """What is recorded as done is not done again, and what ran is found again."""
    first = tier.run()
    assert first.stdout is not None
    for line in first.stdout:
        if "Version 2 / web-" in line and "completed in" in line:
            break
    first.kill()
    with first:
        pass
    before = tier.show()
    assert before["crashed"]
    done = completed(before)
    assert len(done) > 4 * HOSTS  # more than version 1

    finish(tier.start("resume"), tier)

    after = completed(tier.show())
    assert {action: after[action] for action in done} == done
