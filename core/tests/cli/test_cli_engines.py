"""An engine elsewhere: a stranger's package, and a process that runs the plans."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import Result

from workstream import (
    Block,
    Plan,
    Registry,
    Sequence,
    Status,
    open_store,
    open_workstream,
)
from workstream._store.places import vault_at
from workstream.errors import (
    LockedError,
    NotRunningHereError,
    NotStartedError,
    PlanStaleError,
    RefusedError,
)

pytestmark = pytest.mark.slow  # each test starts an engine in a process of its own

Start = Callable[..., Any]
Call = Callable[..., Result]
WritePlan = Callable[..., Path]

HOST = "the neighbour in the next process"
SOURCE = Path(__file__).with_name("neighbour.py")


class Engine:
    """The neighbour's process."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.process: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        """Start it, and wait until it serves."""
        self.process = subprocess.Popen(
            [sys.executable, str(SOURCE), str(self.store)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.wait_for("serving")

    def wait_for(self, text: str) -> None:
        """Read until a line has this text."""
        assert self.process is not None
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if text in line:
                return
        pytest.fail(f"the engine ended without {text!r}")

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


@pytest.fixture
def engine(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    """The engine, running; commands use its store."""
    info = toy / "neighbour-1.0.dist-info"
    info.mkdir()
    (toy / "neighbour_engine.py").write_text(SOURCE.read_text())
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: neighbour\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        "[workstream]\nneighbour = neighbour_engine\n"
    )
    monkeypatch.setenv("WORKSTREAM_PLUGINS", "toy,neighbour")
    monkeypatch.delitem(sys.modules, "neighbour_engine", raising=False)
    store = tmp_path / "elsewhere"
    monkeypatch.setenv("WORKSTREAM_STORE", f"neighbour:{store}")
    running = Engine(store)
    running.begin()
    yield running
    running.kill()


def held(tmp_path: Path, **settings: object) -> str:
    """A plan whose first sequence waits for a file."""
    more = "".join(f", {name}={value!r}" for name, value in settings.items())
    return f"""
    tier(
        Sequence(name="one", actions=[act("hold", hold={str(tmp_path / "go")!r})]),
        Sequence(name="two", actions=[act("do")]){more},
    )
    """


BRIEF = """tier(Sequence(name="one", actions=[act("do", say="hello")]))"""


# -- Run, and follow -----------------------------------------------------------------------


def test_a_plan_runs_in_the_other_process(
    engine: Engine, start: Start, write_plan: WritePlan
) -> None:
    """``--engine`` names it; the plugin is called there, and followed here."""
    child = start("run", write_plan(BRIEF), "--engine", f"neighbour:{engine.store}")

    assert child.end() == 0
    assert "called" not in child.output
    assert "Deploy: completed" in child.output
    engine.wait_for("called Deploy / Tier / one / do")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_run_and_it_goes_on(
    engine: Engine,
    start: Start,
    write_plan: WritePlan,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    """The first Ctrl-C, or a closed terminal, ends the following alone, and says so."""
    child = start("run", write_plan(held(tmp_path)))
    engine.wait_for("called Deploy / Tier / one / hold")
    child.wait_for("workstream show")

    child.signal(number)

    assert child.end() == 130, child.output
    assert f"Deploy: no longer followed; it goes on: {HOST}" in child.output
    assert "follow it" in child.output
    assert "stop it" in child.output
    assert "resume" not in child.output
    (tmp_path / "go").touch()
    watching = start("watch", "last")
    assert watching.end() == 0, watching.output


def test_a_detached_run_is_handed_over(
    engine: Engine, start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """The command returns once it runs there; nobody is left here."""
    plan = write_plan(held(tmp_path))
    child = start("run", plan, "--detach")
    assert child.end() == 0, child.output
    assert f"runs on: {HOST}" in child.output

    shown = start("show")
    assert shown.end() == 0, shown.output
    assert f"run by {HOST}" in shown.output

    waiting = start("run", plan, "--detach", "--wait")
    assert waiting.end() == 2
    assert "nobody would wait for the locks" in waiting.output


def test_as_json_nothing_is_a_process(
    engine: Engine, start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Programs see who runs it in words."""
    child = start("run", write_plan(held(tmp_path)), "--detach", "--json")
    assert child.end() == 0
    assert json.loads(child.output)["process"] is None

    listing = start("list", "--json")
    assert listing.end() == 0
    [row] = json.loads(listing.output)
    assert (row["status"], row["owner"], row["crashed"]) == ("RUNNING", HOST, False)


# -- Told, retried, taken back ---------------------------------------------------------------


def test_the_plan_there_hears_what_it_is_told(
    engine: Engine, start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Pause, unpause and stop reach it, and each is answered."""
    assert start("run", write_plan(held(tmp_path)), "--detach").end() == 0
    engine.wait_for("called Deploy / Tier / one / hold")

    told = start("pause", "last")
    assert told.end() == 0
    assert "is paused" in told.output
    again = start("unpause", "last")
    assert again.end() == 0

    stopped = start("stop", "last", "-m", "enough")
    assert stopped.end() == 0
    assert f"is asked to stop; {HOST} runs it" in stopped.output
    watching = start("watch", "last")
    watching.wait_for("stopping")
    (tmp_path / "go").touch()
    assert watching.end() == 4, watching.output
    listing = start("show", "last", "--json")
    assert listing.end() == 0
    _, second = json.loads(listing.output)["plan"]["blocks"][0]["sequences"]
    assert "state" not in second  # it never began


def test_what_failed_is_retried_there(
    engine: Engine, start: Start, write_plan: WritePlan
) -> None:
    """Retry submits to the same engine, and the plan that follows runs there."""
    plan = write_plan(
        """tier(
            Sequence(name="good", actions=[act("do")]),
            Sequence(name="bad", actions=[act("do", fail="no space", times=0)]),
            Sequence(name="ill", actions=[act("do", fail="broken")]),
        )"""
    )
    failing = start("run", plan)
    assert failing.end() == 1
    assert "broken" in failing.output

    child = start("retry", "last")
    assert child.end() == 1, child.output
    assert "left of" in child.output
    engine.wait_for("called Deploy / Tier / ill / do")

    twice = start("retry", "last")
    assert twice.end() == 1, twice.output


def test_what_was_done_is_taken_back_there(
    engine: Engine, start: Start, write_plan: WritePlan
) -> None:
    """Undo runs the ON_UNDO batches in the other process."""
    plan = write_plan(
        """tier(Sequence(name="one", actions=[act("do")], deferred_actions=
        DeferredActions(batches=[DeferBatch(name="back", when=WhenDeferred.ON_UNDO,
        actions=[act("undo")])])))"""
    )
    assert start("run", plan).end() == 0

    child = start("undo", "last")

    assert child.end() == 0, child.output
    assert "taken back on 1 of 1" in child.output
    engine.wait_for("called Undo Deploy / Tier / one / undo")


def test_a_lock_of_another_plan_there(
    engine: Engine, start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Refused at once; with ``--wait`` it begins when the other has ended (LK-1)."""
    plan = write_plan(held(tmp_path).replace("tier(", "locked("), name="locked.py")
    text = plan.read_text().replace(
        "def plan():",
        "def locked(*sequences):\n    plan = tier(*sequences)\n"
        '    plan.locks = ("db",)\n    return plan\n\n\ndef plan():',
    )
    plan.write_text(text)
    assert start("run", plan, "--detach").end() == 0
    engine.wait_for("called Deploy / Tier / one / hold")

    refused = start("run", plan)
    assert refused.end() == 2
    assert "the lock 'db'" in refused.output
    assert f"which {HOST} runs" in refused.output

    waiting = start("run", plan, "--wait")
    waiting.wait_for("waiting:")
    (tmp_path / "go").touch()
    assert waiting.end() == 0, waiting.output


# -- Zones ---------------------------------------------------------------------------------


def test_a_zone_without_a_worker_is_shown(
    engine: Engine, start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """The run and ``show`` say for what it waits; it goes on when a worker comes (ZN-3)."""
    zones = tmp_path / "elsewhere-zones"
    zones.mkdir()
    plan = write_plan(
        f"""tier(Sequence(name="one", zone="eu-1",
        actions=[act("do", hold={str(zones / "eu-1")!r})]))"""
    )
    child = start("run", plan)
    child.wait_for("Tier: sequences: 1 in zone eu-1")
    child.wait_for("1 action waits for a worker in eu-1")

    shown = start("show", "last")
    assert shown.end() == 0, shown.output
    assert "one / do  waits for a worker in eu-1" in shown.output
    assert "zone eu-1" in shown.output
    data = start("show", "last", "--json")
    assert data.end() == 0
    [waits] = json.loads(data.output)["waits"].items()
    assert waits == ("Deploy / Tier / one / do", "a worker in eu-1")

    (zones / "eu-1").touch()
    assert child.end() == 0, child.output


# -- What has nothing to do there ------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["resume"], "goes on with them by itself after a crash; follow one:"),
        (["resume", "last"], "nothing is run here"),
        (["serve", "last"], "nothing is run here"),
        (["serve"], "`workstream run --detach` hands a plan over"),
        (
            ["abandon", "last"],
            "goes on with plan 'Deploy' by itself: to end it, stop it",
        ),
        (["backup", "copy"], "keeps these plans: back up and restore what it keeps"),
    ],
    ids=["resume", "resume one", "serve", "serve all", "abandon", "backup"],
)
def test_what_is_refused_says_what_to_do(
    engine: Engine,
    start: Start,
    write_plan: WritePlan,
    tmp_path: Path,
    command: list[str],
    told: str,
) -> None:
    """Status 2, who runs the plans, and what to do instead."""
    assert start("run", write_plan(held(tmp_path)), "--detach").end() == 0

    child = start(*[str(tmp_path / "copy") if w == "copy" else w for w in command])

    assert child.end() == 2
    assert HOST in child.output
    assert told in child.output


def test_the_engine_is_listed(engine: Engine, call: Call) -> None:
    """``workstream plugins`` names the hook, and the scheme."""
    listed = call("plugins", "--json")
    packages = {each["package"]: each for each in json.loads(listed.stdout)["packages"]}
    assert packages["neighbour"]["hooks"] == ["workstream_engines"]
    assert packages["neighbour"]["engines"] == ["neighbour"]
    assert packages["workstream-engine"]["engines"] == []
    assert "neighbour:" in call("plugins").stdout


# -- A crash there ---------------------------------------------------------------------------


def test_the_engine_is_killed_and_goes_on_by_itself(
    engine: Engine, start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Nobody resumes anything: the next process of the engine does."""
    assert start("run", write_plan(held(tmp_path)), "--detach").end() == 0
    engine.wait_for("called Deploy / Tier / one / hold")

    engine.kill()
    shown = start("show")
    assert shown.end() == 0, shown.output
    assert HOST not in shown.output
    (tmp_path / "go").touch()
    engine.begin()

    watching = start("watch", "last")
    assert watching.end() == 0, watching.output


def test_an_engine_that_is_gone_is_told(
    engine: Engine, start: Start, write_plan: WritePlan
) -> None:
    """The plan is stored, and not started; the message says why."""
    engine.kill()

    child = start("run", write_plan(BRIEF))

    assert child.end() == 2
    assert f"{HOST} cannot be reached" in child.output
    listing = start("list", "--json")
    assert listing.end() == 0
    assert [row["status"] for row in json.loads(listing.output)] == ["NOT_STARTED"]


# -- From Python -----------------------------------------------------------------------------


def toy_plan(hold: Path | None = None) -> tuple[Any, Registry]:
    """A plan of one action, and the plugins."""
    toy_plugin: Any = importlib.import_module("toy_plugin")
    request = toy_plugin.Do(hold=str(hold or ""))
    action = toy_plugin.Act.action(request, name="do")
    sequences = [Sequence(name="one", actions=[action])]
    plan = Plan(name="Deploy", blocks=[Block(name="Tier", sequences=sequences)])
    return plan, Registry(toy_plugin.workstream_plugins())


def test_a_program_uses_it_as_any_store(engine: Engine, tmp_path: Path) -> None:
    """submit, start, wait and run; leaving the context ends no run (T-3)."""

    async def main() -> None:
        plan, registry = toy_plan(tmp_path / "go")
        async with open_workstream(registry=registry) as ws:
            assert ws.host == HOST
            plan_id = await ws.submit(plan)
            with pytest.raises(NotStartedError):
                await ws.wait(plan_id)
            with pytest.raises(NotStartedError):
                await ws.resume(plan_id)
            await ws.start(plan_id)
            await ws.start(plan_id)  # it was started already: left alone (ST-1)
            await ws.resume(plan_id)  # it runs: left alone
            assert (await ws.entry(plan_id)).owner == HOST
            with pytest.raises(RefusedError, match="by itself"):
                await ws.abandon(plan_id)
        async with open_workstream(registry=registry) as ws:
            assert (await ws.entry(plan_id)).row.status is Status.RUNNING
            (tmp_path / "go").touch()
            ended = await ws.wait(plan_id)
            assert ended.state.status is Status.COMPLETED
            again, _ = toy_plan()
            assert (await ws.run(again)).state.status is Status.COMPLETED

    trio.run(main)
    means = json.loads((tmp_path / "means").read_text())
    assert means == {"toy.act": "RERUN"}


def test_what_was_told_before_the_start_is_kept(engine: Engine, tmp_path: Path) -> None:
    """A plan that is paused, or stopped, after its submission starts as it is then."""

    async def main() -> None:
        plan, registry = toy_plan()
        async with open_workstream(registry=registry) as ws:
            paused = await ws.submit(plan)
            await ws.pause(paused)
            await ws.start(paused)
            row = (await ws.entry(paused)).row
            assert (row.status, len(row.held)) == (Status.RUNNING, 1)
            await ws.stop(paused)
            assert (await ws.wait(paused)).state.status is Status.STOPPED

            stopped = await ws.submit(toy_plan()[0])
            await ws.stop(stopped)
            await ws.start(stopped)  # it has ended: nothing to start
            assert (await ws.wait(stopped)).state.status is Status.STOPPED

    trio.run(main)


def test_a_stale_plan_is_refused_before_it_is_handed_over(engine: Engine) -> None:
    """What a plan must be to be started is asked here too (ST-3)."""

    async def main() -> None:
        plan, registry = toy_plan()
        async with open_workstream(registry=registry, max_submit=1e-9) as ws:
            plan_id = await ws.submit(plan)
            with pytest.raises(PlanStaleError):
                await ws.start(plan_id)

    trio.run(main)


def test_a_lock_that_is_held_there(engine: Engine, tmp_path: Path) -> None:
    """The error tells the holder, and who runs it (LK-1)."""

    async def main() -> None:
        first, registry = toy_plan(tmp_path / "go")
        second, _ = toy_plan()
        first.locks = second.locks = ("db",)
        async with open_workstream(registry=registry) as ws:
            holder = await ws.submit(first)
            await ws.start(holder)
            plan_id = await ws.submit(second)
            with pytest.raises(LockedError) as raised:
                await ws.start(plan_id)
            assert (raised.value.holder, raised.value.owner) == (holder, HOST)
            (tmp_path / "go").touch()
            await ws.start(plan_id, when_locked="wait")
            assert (await ws.wait(plan_id)).state.status is Status.COMPLETED

    trio.run(main)


def test_a_plan_that_nobody_goes_on_with(engine: Engine, tmp_path: Path) -> None:
    """The wait ends, and says where to look; so does ``resume``."""

    async def main() -> None:
        plan, registry = toy_plan(tmp_path / "never")
        async with open_workstream(registry=registry) as ws:
            plan_id = await ws.submit(plan)
            await ws.start(plan_id)
            engine.kill()
            with pytest.raises(NotRunningHereError, match="so look there"):
                await ws.wait(plan_id)
            with pytest.raises(NotRunningHereError, match=HOST):
                await ws.resume(plan_id)

    trio.run(main)


def test_a_store_to_look_at_knows_who_runs_it(engine: Engine) -> None:
    """``open_store`` gives the host too; a directory has none."""

    async def main() -> None:
        async with open_store() as store:
            assert store.host == HOST
        async with open_store(engine.store) as store:
            assert store.host is None

    trio.run(main)
    assert type(vault_at(os.environ["WORKSTREAM_STORE"])).__name__ == "Neighbour"
