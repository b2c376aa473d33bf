"""What several test files of the engine need."""

from __future__ import annotations

import importlib
import itertools
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from installed_once import *  # noqa: F403
from no_unseen_skips import *  # noqa: F403

from workstream._registry.host import ALLOW_LIST, Host, discover

Install = Callable[..., Path]
Find = Callable[..., Host]

HEADER = """
import attrs

from workstream._protocols.plugin import ActionPlugin, CheckPlugin
from workstream.hookspecs import hookimpl


@attrs.frozen
class Ask:
    text: str = ""


class Copy(ActionPlugin[Ask, None]):
    async def execute(self, context, request, /):
        pass


class Look(CheckPlugin[Ask, None]):
    async def execute(self, context, request, /):
        pass


def named(cls, name):
    plugin = cls()
    plugin.name = name
    return plugin
"""

numbers = itertools.count(1)
packages: dict[str, list[str]] = {}
"""The distributions that a test has installed, by their entry points."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "store"


@pytest.fixture
def install_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs throw-away distributions, each with one module of a name of its own."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    packages.clear()

    def install(
        entry_point: str,
        source: str,
        *,
        package: str = "",
        version: str = "1.0",
        attribute: str = "",
        entry_points: str | None = None,
        metadata: str | None = None,
    ) -> Path:
        module = f"throw_away_{next(numbers)}"
        # So that the module goes away again with the test.
        monkeypatch.delitem(sys.modules, module, raising=False)
        path = site / f"{module}.py"
        path.write_text(HEADER + textwrap.dedent(source))
        package = package or f"dist-{entry_point}"
        known = "unknown" if metadata == "" else package
        packages.setdefault(entry_point, []).append(known)
        info = site / f"{package.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        if metadata is None:
            metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata)
        if entry_points is None:
            target = f"{module}:{attribute}" if attribute else module
            entry_points = f"[workstream]\n{entry_point} = {target}\n"
        (info / "entry_points.txt").write_text(entry_points)
        importlib.invalidate_caches()
        return path

    return install


@pytest.fixture
def find_packages(monkeypatch: pytest.MonkeyPatch) -> Find:
    """Discovers by a given allow-list: what else is installed here is none of ours.

    It is given entry points, as tests name them, and lets their distributions in.
    """

    def find(*allowed: str) -> Host:
        names = [each for name in allowed for each in packages.get(name, [name])]
        monkeypatch.setenv(ALLOW_LIST, ",".join(names))
        return discover()

    return find
