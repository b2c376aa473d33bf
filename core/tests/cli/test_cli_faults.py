"""A store that fails under the command line: each call, under each command (STO-6)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from quickly import one_in

from workstream.testing import FaultyVault

Call = Callable[..., Result]
WritePlan = Callable[..., Path]

FAULTY = '''
"""A store on disk that can be told to fail."""

from workstream import hookimpl
from workstream.vaults import LmdbVault
from workstream.testing import FaultyVault

ASKED = []


def make(location):
    vault = FaultyVault(LmdbVault(location))
    for fault in ASKED:
        vault.fail(fault[0], skip=fault[1])
    make.latest = vault
    return vault


@hookimpl
def workstream_vaults():
    return {"faulty": make}
'''

COMMANDS = {
    "list": ["list"],
    "show": ["show", "last", "--all"],
    "watch": ["watch", "last", "--json"],
    "stop": ["stop", "last"],
    "resume": ["resume", "last"],
    "export": ["export", "last"],
    "delete": ["delete", "last"],
    "prune": ["prune", "--older-than", "0s"],
    "doctor": ["doctor"],
    "run": ["run", "PLAN"],
}
MOST = 6
"""How many calls of a kind are made to fail, one at a time, under one command."""


@pytest.fixture
def faulty(toy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The installed package whose stores fail."""
    info = toy / "faulty-1.0.dist-info"
    info.mkdir()
    (toy / "faulty_store.py").write_text(FAULTY)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text("[workstream]\nfaulty = faulty_store\n")
    monkeypatch.setenv("WORKSTREAM_PLUGINS", "toy,faulty")
    monkeypatch.setenv("WORKSTREAM_STORE", f"faulty:{tmp_path / 'store'}")
    monkeypatch.delitem(sys.modules, "faulty_store", raising=False)
    return importlib.import_module("faulty_store")


@pytest.mark.slow
@pytest.mark.parametrize("name", one_in(5, COMMANDS))
def test_each_call_may_fail_under_each_command(
    faulty: Any, call: Call, write_plan: WritePlan, name: str
) -> None:
    """It says what failed, with a status that is not that of a bug, and no traceback.

    Afterwards the same command does what it does.
    """
    plan = write_plan(
        'tier(Sequence(name="one", actions=[act("do", say="hello"), act("more")]))'
    )

    def calls() -> Result:
        return call(*(plan if word == "PLAN" else word for word in COMMANDS[name]))

    def fresh() -> None:
        assert call("run", plan).exit_code == 0

    fresh()
    assert calls().exit_code == 0
    counted = dict(faulty.make.latest.calls)
    vault: FaultyVault = faulty.make.latest
    assert sum(vault.calls.values()) > 2
    told = 0
    for kind, count in counted.items():
        for skip in range(min(count, MOST)):
            fresh()
            faulty.ASKED.append((kind, skip))
            result = calls()
            faulty.ASKED.clear()
            what = f"{name}: {kind} {skip}: {result.output}{result.stderr}"
            assert "Traceback" not in what, what
            assert result.exit_code in (0, 1, 2, 5), what
            failed = f"{kind} failed: input/output error" in what
            # What can go on without says so, or is not the worse for it.
            assert failed or result.exit_code == 0, what
            told += failed
    assert told > 2
    fresh()
    assert calls().exit_code == 0
