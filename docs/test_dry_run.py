"""A dry run over real files, repositories and a real sshd: nothing of it is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from free_ports import free_ports

EXAMPLES = Path(__file__).with_name("examples")

PLAN = """
from pathlib import Path

from workstream import Block, Checks, Plan, SecretRef, Sequence
from workstream_files import (
    CopyFile, CopyRequest, ExistsRequest, FileExists, LinkRequest, RemovePath,
    RemoveRequest, RenderTemplate, SwitchLink, TemplateRequest, WriteFile, WriteRequest,
)
from workstream_git import (
    CheckoutRequest, CleanRequest, CloneRequest, FetchRequest, GitCheckout, GitClean,
    GitClone, GitFetch,
)
from workstream_ssh import CopyFrom, CopyTo, Host, SshCopy

WORLD = Path(__file__).parent / "world"
HERE = WORLD / "here"
ORIGIN = str(WORLD / "origin")


def plan() -> Plan:
    token = ("token=", SecretRef("env:DRY_RUN_TOKEN"))
    host = Host("web-1", config_file=str(WORLD / "tier" / "ssh_config"))
    files = [
        WriteFile.action(
            WriteRequest(path=f"{HERE}/conf", content="new\\n"), name="Write"),
        WriteFile.action(
            WriteRequest(path=f"{HERE}/deep/er", content=token, parents=True),
            name="Write secret"),
        RenderTemplate.action(
            TemplateRequest(path=f"{HERE}/made", template="{{ x }}", values={"x": 1}),
            name="Render"),
        CopyFile.action(
            CopyRequest(path=f"{HERE}/copy", source=f"{HERE}/conf"), name="Copy"),
        SwitchLink.action(
            LinkRequest(path=f"{HERE}/link", target="/"), name="Switch"),
        RemovePath.action(
            RemoveRequest(path=f"{HERE}/old", recursive=True), name="Remove"),
    ]
    code = [
        GitClone.action(CloneRequest(url=ORIGIN, path=f"{HERE}/app"), name="Clone"),
        GitFetch.action(FetchRequest(path=f"{HERE}/tree", prune=True), name="Fetch"),
        GitCheckout.action(
            CheckoutRequest(url=ORIGIN, path=f"{HERE}/tree", revision="main"),
            name="Check out"),
    ]
    copies = [
        SshCopy.action(CopyTo(host, f"{HERE}/keep/text", "~/a/text", make_parents=True),
            name="Put"),
        SshCopy.action(CopyTo(host, f"{HERE}/keep", "~/keep"), name="Put folder"),
        SshCopy.action(
            CopyFrom(host, "~/web.json", f"{HERE}/back/json", make_parents=True),
            name="Get"),
    ]
    return Plan(
        name="Everything",
        pre_checks=Checks(actions=[
            FileExists.action(ExistsRequest(path=f"{HERE}/conf"), name="There"),
            GitClean.action(CleanRequest(path=f"{HERE}/tree"), name="Clean"),
        ]),
        blocks=[
            Block(name="All", concurrency=3, sequences=[
                Sequence(name="files", actions=files),
                Sequence(name="code", actions=code),
                Sequence(name="copies", actions=copies),
            ])
        ],
    )
"""

Fact = tuple[str, int, int, int, int]

FILES = ("Write", "Write secret", "Render", "Copy", "Switch", "Remove")


def snapshot(folder: Path) -> list[Fact]:
    """All files below a folder, hidden ones too: which, what kind, how long, since when.

    But not what the host's sshd itself says of a login.
    """
    return [
        (
            str(path.relative_to(folder)),
            found.st_ino,
            found.st_mode,
            found.st_size,
            found.st_mtime_ns,
        )
        for path in sorted([folder, *folder.rglob("*")])
        if path.name != "web-1.log"
        for found in [path.lstat()]
    ]


@attrs.frozen
class World:
    """Files, repositories and a host.

    Attributes:
        work: A directory with the plan in it, and a world beside.
    """

    work: Path

    def git(self, *words: str) -> str:
        """Run git in the repository that others clone."""
        settings = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
        done = subprocess.run(
            ["git", *settings, *words],
            cwd=self.work / "world" / "origin",
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout.strip()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call workstream, with a home of its own."""
        environment = {
            **os.environ,
            "HOME": str(self.work / "home"),
            "WORKSTREAM_STORE": str(self.work / "store"),
            "DRY_RUN_TOKEN": "hunter2-hunter2",
        }
        return subprocess.run(
            [sys.executable, "-m", "workstream", "run", "plan.py", *words],
            cwd=self.work,
            env=environment,
            text=True,
            capture_output=True,
            timeout=120,
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Something of everything: old, new, and missing."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    for program, package in (
        ("git", "git"),
        ("sshd", "openssh-server"),
        ("ssh", "openssh-client"),
        ("setsid", "util-linux"),
    ):
        if shutil.which(program, path=path) is None:
            pytest.skip(f"there is no {program} here (Debian has it in {package})")
    here = tmp_path / "world" / "here"
    (here / "old" / "inner").mkdir(parents=True)
    (here / "keep").mkdir()
    (here / "keep" / "text").write_text("text\n")
    (here / "conf").write_text("old\n")
    (here / "link").symlink_to("conf")
    (tmp_path / "plan.py").write_text(PLAN)
    (tmp_path / "home").mkdir()
    world = World(tmp_path)
    (tmp_path / "world" / "origin").mkdir()
    world.git("init", "--quiet", "--initial-branch=main")
    world.git("commit", "--quiet", "--allow-empty", "--message=one")
    world.git("clone", "--quiet", ".", str(here / "tree"))
    world.git("commit", "--quiet", "--allow-empty", "--message=two")
    world.git("branch", "next")
    port = free_ports(2)
    tier = [sys.executable, str(EXAMPLES / "ssh_tier.py")]
    root = str(tmp_path / "world" / "tier")
    ports = ["--first-ssh-port", str(port), "--first-web-port", str(port + 1)]
    try:
        subprocess.run([*tier, "up", root, "--hosts", "1", *ports], check=True)
        yield world
    finally:
        subprocess.run([*tier, "down", root], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["text", "json"])
def test_nothing_is_written(world: World, flags: list[str]) -> None:
    """No store, no file, no ref and no object, nothing on the host; and no secret shown."""
    before = snapshot(world.work)

    done = world.run("--dry-run", *flags)

    assert snapshot(world.work) == before
    assert not (world.work / "store").exists()
    assert list((world.work / "home").iterdir()) == []
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "hunter2" not in done.stdout


@pytest.mark.slow
def test_what_is_foreseen_is_what_happens(world: World) -> None:
    """All would change; and once it was run, nothing would."""

    def look() -> dict[str, Any]:
        done = world.run("--dry-run", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    first = look()
    assert first["changes"] is True
    assert {item["path"]: item["forecast"] for item in first["items"]} == {
        f"Everything / {path}": forecast
        for forecast, paths in {
            "PASSED": ("pre_checks / There", "pre_checks / Clean"),
            "CHANGE": (
                *(f"All / files / {name}" for name in FILES),
                *(f"All / code / {name}" for name in ("Clone", "Fetch", "Check out")),
                *(f"All / copies / {name}" for name in ("Put", "Put folder", "Get")),
            ),
        }.items()
        for path in paths
    }
    done = world.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert (world.work / "store").exists()

    second = look()
    assert second["changes"] is False
    assert second["counts"]["NO_CHANGE"] == first["counts"]["CHANGE"] == 12
