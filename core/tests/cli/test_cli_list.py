"""``list``: what it finds among many plans, and how it counts them (STO-15)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import trio
from click.testing import Result

from workstream._plan.walk import new_plan_id
from workstream._protocols.vault import PlanRow
from workstream._values.state import Status
from workstream.vaults import LmdbVault

Call = Callable[..., Result]
WritePlan = Callable[..., Path]

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
GROUP = UUID(int=7 << 32)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 120 plans, an hour apart, each on one of ten hosts: nobody writes it."""
    path = tmp_path_factory.mktemp("filled") / "many"

    async def fill() -> None:
        vault = LmdbVault(path, risk_power_cut=True)
        await vault.open()
        for number in range(120):
            row = PlanRow(
                id=new_plan_id(),
                name=f"Deploy {'Shop' if number % 3 else 'Blog'} {number}",
                submitted=NOON + timedelta(hours=number),
                group_id=GROUP if number < 5 else None,
                status=Status.FAILED if number % 10 == 9 else Status.COMPLETED,
                with_failures=number % 10 == 8,
            )
            await vault.create(row, b"", [f"has:web-{number % 10}", "has:tier"])
        last = PlanRow(id=new_plan_id(), name="Lost", status=Status.RUNNING)
        await vault.create(last, b"")
        await vault.close()

    trio.run(fill)
    return path


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Path:
    """The same, for a test that changes it."""
    return Path(shutil.copytree(filled, tmp_path / "many"))


@pytest.fixture
def found(call: Call, filled: Path) -> Callable[..., list[Any]]:
    """What ``list --json`` finds: the names."""

    def found(*words: object) -> list[Any]:
        result = call("list", "--json", "--store", filled, *words)
        assert result.exit_code == 0, result.output
        return [row["name"] for row in json.loads(result.stdout)]

    return found


def test_a_table_shows_the_newest_fifty(call: Call, filled: Path) -> None:
    """And says how many more there are; as JSON there are all."""
    lines = call("list", "--store", filled).stdout.splitlines()
    assert len(lines) == 52
    assert lines[1].endswith("Deploy Shop 119")
    assert lines[-1] == "… and 71 more: --limit 0 lists all"
    lines = call("list", "--store", filled, "--name", "deploy").stdout.splitlines()
    assert lines[-1] == "… and more: --limit 0 lists all"
    assert len(call("list", "--store", filled, "--limit", 0).stdout.splitlines()) == 123
    assert len(json.loads(call("list", "--json", "--store", filled).stdout)) == 121


@pytest.mark.parametrize(
    ("words", "count", "first"),
    [
        (["--name", "BLOG"], 40, "Deploy Blog 117"),
        (["--name", "blog 11"], 3, "Deploy Blog 117"),
        (["--status", "completed-with-failures"], 12, "Deploy Shop 118"),
        (["--status", "completed"], 108, "Deploy Shop 118"),
        (["--status", "failed", "--status", "crashed"], 13, "Deploy Shop 119"),
        (["--status", "crashed"], 1, "Lost"),
        (["--status", "running"], 0, ""),
        (["--group", str(GROUP)], 5, "Deploy Shop 4"),
        (["--touching", "WEB-3"], 12, "Deploy Shop 113"),
        (["--touching", "Tier / web-3"], 12, "Deploy Shop 113"),
        (["--touching", "web-3", "--touching", "web-4"], 0, ""),
        (["--touching", "web-9", "--status", "failed"], 12, "Deploy Shop 119"),
        (["--touching", "web-9", "--status", "completed"], 0, ""),
        (["--since", "2026-02-01T11:00+00:00"], 97, "Deploy Shop 119"),
        (["--until", "2026-01-31T14:00Z"], 3, "Deploy Shop 1"),
        (["--until", "2d", "--since", "2026-02-05T00:00Z"], 12, "Deploy Shop 119"),
        (["--name", "shop", "--limit", 2], 2, "Deploy Shop 119"),
    ],
    ids=str,
)
def test_what_it_finds(
    found: Callable[..., list[Any]], words: list[object], count: int, first: str
) -> None:
    """All that is asked for must fit."""
    names = found(*words)
    assert (len(names), names[0] if names else "") == (count, first)


def test_it_counts(call: Call, filled: Path) -> None:
    """All of the store, or what fits; a plan that has crashed does not run."""
    words = ("list", "--count", "--store", filled)
    assert call(*words).stdout == (
        "121 plans\n  96 completed\n  12 completed with failures\n  12 failed\n"
        "   1 crashed\n"
    )
    data = json.loads(call(*words, "--json", "--touching", "web-9").stdout)
    assert data["plans"] == data["outcomes"]["failed"] == 12
    assert data["outcomes"]["completed"] == 0
    assert call(*words, "--name", "nothing").stdout == "0 plans\n"


@pytest.mark.parametrize("word", ["soon", "30", "2026-13-01", "99999999999d"])
def test_a_moment_that_is_none_is_refused(call: Call, filled: Path, word: str) -> None:
    """The error says what to write."""
    result = call("list", "--since", word, "--store", filled)
    assert result.exit_code == 2
    assert "2026-01-31T18:00, or how long ago it was" in " ".join(result.stderr.split())


@pytest.mark.slow
def test_a_run_is_found_by_its_hosts(call: Call, write_plan: WritePlan) -> None:
    """By what is in it: the engine gives the store the names."""
    call("run", write_plan('tier(Sequence(name="Web-7", actions=[act("do")]))'))
    call("run", write_plan('tier(Sequence(name="Web-8", actions=[act("do")]))'))
    for word in ("web-7", "Tier / Web-7 / do"):
        assert len(json.loads(call("list", "--touching", word, "--json").stdout)) == 1
    assert len(json.loads(call("list", "--touching", "do", "--json").stdout)) == 2


def test_a_run_is_found_by_who_submitted_it_and_its_parameters(
    call: Call, write_plan: WritePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they were given (RT-5)."""
    body = """
    from toy_plugin import Act, Do
    from workstream import Block, Plan, Sequence

    def plan(version: str = "1") -> Plan:
        one = Sequence(name="one", actions=[Act.action(Do(), name=version)])
        return Plan(name="Deploy", blocks=[Block(name="Tier", sequences=[one])])
    """
    monkeypatch.setenv("WORKSTREAM_BY", "ana")
    path = write_plan(body, whole=True)
    assert call("run", path, "-p", "version=2.1").exit_code == 0
    monkeypatch.setenv("WORKSTREAM_BY", "bob")
    assert call("run", path, "-p", "version=2.2").exit_code == 0

    def found(*words: str) -> int:
        return len(json.loads(call("list", "--json", *words).stdout))

    assert found("-p", "version=2.1") == found("--submitter", "bob") == 1
    assert found("-p", "version=2.1", "--submitter", "bob") == 0
    assert found("-p", "version=2") == 0
    refused = call("list", "-p", "version")
    assert (refused.exit_code, "NAME=VALUE" in refused.stderr) == (2, True)


def test_the_doctor_builds_a_wrong_index_anew(call: Call, store: Path) -> None:
    """And says so, once."""

    async def damage() -> None:
        vault = LmdbVault(store)
        await vault.open()

        def lose(transaction: Any) -> None:
            transaction.delete(b"icFAILED")

        vars(vault)["_env"].write(lose)
        await vault.close()

    trio.run(damage)
    first = call("doctor", "--store", store)
    assert "its index was wrong (1 key): it is built anew" in first.stdout
    assert "its index is in order" in call("doctor", "--store", store).stdout
