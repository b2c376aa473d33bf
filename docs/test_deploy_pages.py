"""The pages about deploying are done for real: real sshd, real servers, real failures.

Every command on them is carried out, in order, and prints what the page shows.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import MakeTier

DOCS = Path(__file__).parent
PAGES = {"deploy-a-server": 1, "deploy-a-cluster": 8, "create-a-machine": 2}
"""How many hosts each of them puts up; or one, and a cloud on a second port."""


@pytest.mark.parametrize(("page", "hosts"), PAGES.items())
@pytest.mark.slow
def test_page_does_what_it_shows_on_hosts(
    make_tier: MakeTier, tmp_path: Path, page: str, hosts: int
) -> None:
    """With ports and a directory that are free, in place of those that it names."""
    tier = make_tier(hosts)
    ports = {8800 + number: tier.first_web_port + number - 1 for number in (1, 2)} | {
        8821: tier.first_ssh_port
    }
    settings = [f"/tmp/tier={tier.root}", *(f"{a}={b}" for a, b in ports.items())]

    done = subprocess.run(
        [
            sys.executable,
            DOCS / "test_examples.py",
            f"docs/tutorial/{page}.md",
            *settings,
        ],
        cwd=DOCS.parent,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "WORKSTREAM_STORE": str(tmp_path / "store"),
            "NO_COLOR": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    assert (done.returncode, done.stdout) == (0, ""), done.stdout
    assert not tier.root.exists()


@pytest.mark.parametrize("page", PAGES)
def test_page_shows_the_plan_as_it_is(page: str) -> None:
    """The whole file, to the letter."""
    text = (DOCS / "tutorial" / f"{page}.md").read_text("utf-8")
    [named] = re.findall(r"This is `docs/examples/(\w+\.py)`", text)
    shown = text.partition("```python\n")[2].partition("```\n")[0]

    assert shown == (DOCS / "examples" / named).read_text("utf-8")
