"""The engine is killed, for real, at moments chosen by chance, and goes on."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from quickly import one_in

from workstream import Outcome, Plan, Status
from workstream._codec.codec import Codec
from workstream.results import BaseAction, paths
from workstream.vaults import LmdbVault

ENGINE = Path(__file__).with_name("killed_engine.py")
KILLER = Path(__file__).with_name("killed_often.py")
SPEAKERS = Path(__file__).with_name("told_often.py")
COMMON = os.environ | {"PYTHONPATH": str(Path(__file__).with_name("common"))}
KILLS = int(os.environ.get("WORKSTREAM_KILLS", "24"))
WORDS = int(os.environ.get("WORKSTREAM_WORDS", "120"))
CALLS = 8 * 3 - 1 + 8
"""How many calls a run makes at least."""


class Engines:
    """Starts engines as processes of their own, one after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", str(ENGINE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, store: Path, calls: Path, task: str) -> None:
        """Start one, which runs the plan or goes on with it."""
        self._tell(json.dumps([str(store), str(calls), task]))

    def line(self) -> str:
        """The next line that it says."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def end(self, how: str) -> int:
        """Kill it, or wait for its end; its exit status."""
        self._tell(how)
        while (line := self.line()) and not line.startswith("ended "):
            pass
        return int(line.removeprefix("ended "))

    def close(self) -> None:
        """Start no more."""
        self._process.communicate()

    def _tell(self, line: str) -> None:
        """Say something to the process that starts them."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    """Engines of one process, which has imported all that they need."""
    engines = Engines()
    yield engines
    engines.close()


def stored_plan(store: Path) -> Plan:
    """The one plan in the store, read without any plugin."""

    async def read() -> Plan:
        vault = LmdbVault(store)
        await vault.open()
        try:
            [row] = await vault.search()
            return Codec(None).load(await vault.read(row.id))
        finally:
            await vault.close()

    return trio.run(read)


def actions(plan: Plan) -> dict[str, BaseAction]:
    """The plan's actions by path, but for those of checks, which may run again."""
    return {
        path: item.node
        for path, item in paths(plan)
        if isinstance(item.node, BaseAction) and item.node.plugin == "killed.step"
    }


def count(calls: Path) -> Counter[str]:
    """How often each action was called, by path."""
    return Counter(calls.read_text().splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("seed", one_in(20, range(20)))
def test_nothing_recorded_as_done_is_done_again(
    tmp_path: Path, engines: Engines, seed: int
) -> None:
    """After SIGKILL at any moment the plan ends as without, each done action called once.

    R-2, R-7, A-13.
    """
    store, calls = tmp_path / "store", tmp_path / "calls"
    chance = random.Random(seed)
    done: Counter[str] = Counter()
    task = "run"
    for _ in range(chance.randint(1, 3)):
        engines.start(store, calls, task)
        for _ in range(chance.randint(1, CALLS)):
            if engines.line() in ("", "over\n"):
                break  # it came to its end first
        engines.end("kill")
        task = "resume"
        for path, action in actions(stored_plan(store)).items():
            if action.state.status is Status.COMPLETED:
                done.setdefault(path, count(calls)[path])
    engines.start(store, calls, task)

    assert engines.end("wait") == 0
    assert {path: count(calls)[path] for path in done} == done

    plan = stored_plan(store)
    outcomes = {path: action.state.status for path, action in actions(plan).items()}

    assert plan.outcome is Outcome.COMPLETED_WITH_FAILURES
    assert outcomes.pop("Deploy / Tier / web-5 / Start") is Status.FAILED
    assert outcomes.pop("Deploy / Tier / web-5 / Health") is Status.NOT_STARTED
    assert set(outcomes.values()) == {Status.COMPLETED}


@pytest.mark.parametrize("together", one_in(2, [2, 1]))
def test_engines_are_killed_again_and_again(tmp_path: Path, together: int) -> None:
    """Nothing acknowledged is lost, nothing done is done again, all comes to its end.

    Of one engine, and of two on one store; half of ``WORKSTREAM_KILLS`` times each
    (A-13, R-2, STO-6).
    """
    command = [sys.executable, "-W", "error", str(KILLER), str(tmp_path)]
    arguments = [str(KILLS // 2), str(together), str(together)]
    ended = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, env=COMMON
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    plans, actions = map(int, ended.stdout.split())
    assert plans > 0
    assert actions >= plans


@pytest.mark.slow
def test_what_is_said_stands_in_the_record_whoever_is_killed(tmp_path: Path) -> None:
    """Every answered word is in its plan's record, in order; no work is done twice.

    Of ``WORKSTREAM_WORDS`` words by four processes, while the engine is killed 30 times
    a thousand words (CT-2, A-13, R-2).
    """
    command = [sys.executable, "-W", "error", str(SPEAKERS), str(tmp_path)]
    arguments = [str(WORDS), str(max(WORDS * 30 // 1000, 2)), "1"]
    ended = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, env=COMMON
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    doctor = [sys.executable, "-m", "workstream", "doctor", "--json", "--store"]
    found = subprocess.run(
        [*doctor, str(tmp_path / "store")], capture_output=True, text=True
    )
    assert json.loads(found.stdout)["healthy"], found.stdout
