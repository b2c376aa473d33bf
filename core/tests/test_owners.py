"""Claims that die with their process (ST-2), with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from workstream._plan.walk import new_plan_id
from workstream._vaults.owners import Owners

CHILD = """
import os
import sys
from pathlib import Path
from uuid import UUID
from workstream._vaults.owners import Owners



class ForkingOwners(Owners):
    def claim_in_fork(self, plan):
        reader, writer = os.pipe()
        if os.fork() == 0:
            child = Owners(Path(sys.argv[1]))
            os.write(writer, str(child.claim(plan)).encode())
            child.close()
            self.close()
            os._exit(0)
        os.wait()
        return os.read(reader, 10).decode()


owners = ForkingOwners(Path(sys.argv[1]))
for line in sys.stdin:
    verb, plan = line.split()
    print(getattr(owners, verb)(UUID(plan)), flush=True)
"""


class Other:
    """A process of its own that does what it is told with the same file."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, verb: str, plan: UUID) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{verb} {plan}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def another(path: Path) -> Generator[Other]:
    other = Other(path)
    try:
        yield other
    finally:
        other.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "owners"


@pytest.fixture
def owners(path: Path) -> Iterator[Owners]:
    owners = Owners(path)
    yield owners
    owners.close()


@pytest.fixture
def plan() -> UUID:
    return new_plan_id()


def test_one_process_at_a_time_owns_a_plan(
    owners: Owners, path: Path, plan: UUID
) -> None:
    """Others are refused, see who it is, and get it when it was given back (ST-2)."""
    with another(path) as other:
        assert other("claim", plan) == "True"
        assert not owners.claim(plan)
        assert owners.owner(plan) == other.process.pid
        assert other("owner", plan) == str(other.process.pid)
        assert other("release", plan) == "None"
        assert owners.owner(plan) is None
        assert owners.claim(plan)
        assert other("claim", plan) == "False"
        assert other("owner", plan) == str(os.getpid())


def test_claims_of_different_plans_do_not_touch(
    owners: Owners, path: Path, plan: UUID
) -> None:
    """Several processes run different plans of one store side by side."""
    with another(path) as other:
        assert owners.claim(plan)
        assert other("claim", new_plan_id()) == "True"


def test_a_claim_dies_with_its_process(owners: Owners, path: Path, plan: UUID) -> None:
    """After kill -9 nothing stale is left: the plan is free at once (ST-2)."""
    with another(path) as other:
        assert other("claim", plan) == "True"
        assert not owners.claim(plan)
        os.kill(other.process.pid, signal.SIGKILL)
        other.process.wait()
        assert owners.owner(plan) is None
        assert owners.claim(plan)


@pytest.mark.slow
def test_of_many_that_claim_at_once_one_succeeds(path: Path, plan: UUID) -> None:
    """A claim is a race with one winner."""
    others = [Other(path) for _ in range(4)]
    try:
        for other in others:
            assert other.process.stdin is not None
            other.process.stdin.write(f"claim {plan}\n")
        for other in others:
            assert other.process.stdin is not None
            other.process.stdin.flush()
        answers = [
            other.process.stdout.readline().strip()
            for other in others
            if other.process.stdout is not None
        ]
        assert sorted(answers) == ["False", "False", "False", "True"]
    finally:
        for other in others:
            other.kill()


def test_a_child_process_does_not_inherit_a_claim(
    owners: Owners, path: Path, plan: UUID
) -> None:
    """A fork is another process: it owns nothing, and its end takes nothing away."""
    with another(path) as other:
        assert other("claim", plan) == "True"
        assert other("claim_in_fork", plan) == "False"
        assert not owners.claim(plan)
        assert owners.owner(plan) == other.process.pid


def test_closing_lets_go_of_everything(path: Path, plan: UUID) -> None:
    """Whoever closes the file owns nothing any more."""
    owners = Owners(path)
    assert owners.claim(plan)
    assert not owners.claim(plan)
    owners.close()
    with another(path) as other:
        assert other("claim", plan) == "True"


def test_the_file_is_for_its_owner_alone(owners: Owners, path: Path) -> None:
    """And it stays empty: locks are not in it."""
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == 0
