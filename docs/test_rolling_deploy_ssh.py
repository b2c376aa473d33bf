"""The rolling deploy over ssh: eight real sshd, a real bad host, kill -9, resume."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

if TYPE_CHECKING:
    from conftest import MakeTier, Tier

EXAMPLES = Path(__file__).with_name("examples")
HOSTS = 8


@attrs.frozen
class Deploy:
    """The command line of workstream beside a tier."""

    tier: Tier
    store: Path

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
        port = f"first-web-port={self.tier.first_web_port}"
        return self.start("run", str(file), "-p", f"tier={self.tier.root}", "-p", port)

    def show(self) -> dict[str, Any]:
        """The plan as it is stored."""
        process = self.start("show", "last", "--json")
        said, _ = process.communicate(timeout=60)
        assert process.returncode in (0, 3), said
        shown: dict[str, Any] = json.loads(said)
        return shown


@pytest.fixture
def deploy(make_tier: MakeTier, tmp_path: Path) -> Deploy:
    """Eight hosts, and a store."""
    tier = make_tier(HOSTS)
    tier.up(HOSTS)
    return Deploy(tier, tmp_path / "store")


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


def finish(process: subprocess.Popen[str], deploy: Deploy) -> None:
    """See that the deploy comes to its end, and that it is the right one."""
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 3, said
    shown = deploy.show()
    assert [failure["path"] for failure in shown["failures"]] == [
        "Rolling deploy over ssh / Version 2 / web-5 / Start"
    ]
    message = shown["failures"][0]["error"]["message"]
    assert "workers is 'many': it must be a whole number" in message
    for number in range(1, HOSTS + 1):
        home = deploy.tier.root / f"web-{number}"
        releases = sorted(path.name for path in (home / "releases").iterdir())
        assert releases == ([] if number == 5 else ["v2"])


@pytest.mark.slow
def test_it_is_killed_in_the_middle_and_goes_on(deploy: Deploy) -> None:
    """What is recorded as done is not done again, and what ran is found again."""
    first = deploy.run()
    assert first.stdout is not None
    for line in first.stdout:
        if "Version 2 / web-" in line and "completed in" in line:
            break
    first.kill()
    with first:
        pass
    before = deploy.show()
    assert before["crashed"]
    done = completed(before)
    assert len(done) > 4 * HOSTS  # more than version 1

    finish(deploy.start("resume"), deploy)

    after = completed(deploy.show())
    assert {action: after[action] for action in done} == done
