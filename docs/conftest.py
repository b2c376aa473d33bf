"""What several tests of the documentation need: hosts to try things on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs
import pytest
from free_ports import free_ports
from no_unseen_skips import *  # noqa: F403

EXAMPLES = Path(__file__).with_name("examples")
PROGRAMS = {
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "setsid": "util-linux",
}
"""What a tier of hosts needs, and the Debian packages that have it."""


@attrs.frozen
class Tier:
    """A tier of hosts on this machine.

    Attributes:
        root: The directory that holds it.
        first_ssh_port: The port of the first host's sshd; the others follow.
        first_web_port: The port of the first host's service; the others follow.
    """

    root: Path
    first_ssh_port: int
    first_web_port: int

    def up(self, hosts: int) -> None:
        """Put it up."""
        ports = ("--first-ssh-port", self.first_ssh_port)
        ports = (*ports, "--first-web-port", self.first_web_port)
        self._call("up", self.root, "--hosts", hosts, *ports)

    def down(self) -> None:
        """Take it down, whatever there is of it."""
        self._call("down", self.root)

    def _call(self, *words: object) -> None:
        command = [sys.executable, str(EXAMPLES / "ssh_tier.py"), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


MakeTier = Callable[[int], Tier]


@pytest.fixture
def make_tier(tmp_path: Path) -> Iterator[MakeTier]:
    """Finds a place for a tier of so many hosts, and takes it down at the end."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    for program, package in PROGRAMS.items():
        if shutil.which(program, path=path) is None:
            pytest.skip(f"there is no {program} here (Debian has it in {package})")
    with ExitStack() as stack:

        def make(hosts: int) -> Tier:
            first = free_ports(2 * hosts)
            tier = Tier(tmp_path / "tier", first, first + hosts)
            stack.callback(tier.down)
            return tier

        yield make
