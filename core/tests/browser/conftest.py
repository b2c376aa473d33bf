"""A real Chromium, and pages that real runs made."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from real_browser import attentive, browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Report = Callable[[str], Path]

__all__ = ["browser", "page", "report"]

PLAN = """
from workstream import Block, Plan, Sequence
from workstream_command import Run, RunCommand

NASTY = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 2'>",
    "</script><svg onload='window.hacked = 3'>",
    "\\u202egnp.exe \\x1b[31mred\\x1b[0m",
    "{{constructor.constructor('window.hacked = 4')()}}",
    "' onmouseover='window.hacked = 5",
    "javascript:window.hacked=6",
    "__proto__",
    "😀 naïve 主机",
]


def step(name, script):
    return RunCommand.action(Run(("sh", "-c", script), env={"NAME": name}), name=name)


def night() -> Plan:
    def host(n):
        script = "echo no space left >&2; exit 28" if n % 20 == 3 else "true"
        return Sequence(
            name=f"web-{n}", actions=[step("Copy", "true"), step("Start", script)]
        )

    return Plan(
        name="Deploy 2.1",
        description="Put a new version on the web tier.",
        blocks=[
            Block(
                name="Web tier",
                concurrency=20,
                batches=(5, 100),
                tolerated_failures=-1,
                sequences=[host(n) for n in range(100)],
            )
        ],
    )


def nasty() -> Plan:
    return Plan(
        name=NASTY[0],
        description=" ".join(NASTY),
        blocks=[
            Block(
                name=NASTY[2],
                concurrency=20,
                tolerated_failures=-1,
                sequences=[
                    Sequence(
                        name=f"{text} {n}",
                        actions=[step(text, 'printf %s "$NAME" >&2; exit 1')],
                    )
                    for n in range(40)
                    for text in NASTY
                ],
            )
        ],
    )
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab without a network."""
    with attentive(browser, "file:", offline=True) as page:
        yield page


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report file of a plan of the file above, run for real; once a session."""
    directory = tmp_path_factory.mktemp("reports")
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            file = directory / "plans.py"
            file.write_text(PLAN + f"\n\nplan = {name}\n", encoding="utf-8")
            store = ["--store", str(directory / name)]
            command = [sys.executable, "-m", "workstream"]
            ran = subprocess.run([*command, "run", str(file), *store], check=False)
            assert ran.returncode == 3
            made[name] = directory / f"{name}.html"
            subprocess.run([*command, "report", "-o", made[name], *store], check=True)
        return made[name]

    return make
