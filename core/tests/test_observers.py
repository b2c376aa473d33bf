"""Observers are told everything, and cost a run nothing (section 34)."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from uuid import UUID

import attrs
import pytest
import trio
import trio.testing

from workstream import (
    SECURE,
    ActionPlugin,
    Block,
    Context,
    Plan,
    PluginError,
    Registry,
    Sequence,
    Status,
    open_store,
    open_workstream,
)
from workstream._observers import feeding
from workstream._observers.cursors import FOLDER, Cursors
from workstream._vaults.lmdb.vault import LmdbVault
from workstream._vaults.memory_vault import MemoryVault
from workstream.plugins import Observation, Observer
from workstream.results import PlanSnapshot, StateChange, WatchEvent
from workstream.testing import FakeClock

ENGINE = Path(__file__).with_name("observed_engine.py")
SECRET = "abracadabra-hocuspocus"


@attrs.frozen
class Work:
    """What to do."""

    token: str = attrs.field(default=SECRET, metadata=SECURE)


class Step(ActionPlugin[Work, None]):
    """Fails as often as it is told to, with its secret in the error."""

    name = "acme.step"

    async def execute(self, context: Context, request: Work) -> None:
        """Do nothing; the action named bad fails."""
        context.report(f"with {request.token}")
        if context.path.endswith("bad"):
            message = f"refused {request.token}"
            raise PluginError(message, permanent=True)


class Recorder(Observer):
    """Keeps all that it is told."""

    def __init__(self, name: str = "acme") -> None:
        self.name = name
        self.calls: list[Observation] = []
        self.closed = 0

    @property
    def events(self) -> list[WatchEvent]:
        """All events, call by call."""
        return [event for call in self.calls for event in call.events]

    @property
    def positions(self) -> list[int]:
        """Their positions."""
        return [event.position for event in self.events]

    def observe(self, seen: Observation, /) -> None:
        """Keep it."""
        self.calls.append(seen)

    def close(self) -> None:
        """Count it."""
        self.closed += 1


def plan(*names: str) -> Plan:
    """A plan of one sequence."""
    actions = [Step.action(Work(), name=name) for name in names or ("a", "b")]
    sequences = [Sequence(name="web-1", actions=actions)]
    return Plan(name="Deploy", blocks=[Block(name="Tier", sequences=sequences)])


async def ran(
    store: Path | MemoryVault, observers: Iterable[Observer], *names: str
) -> Plan:
    """A plan's run, in an engine of its own."""
    registry = Registry([Step()], observers=observers)
    async with open_workstream(store, registry=registry) as ws:
        return await ws.run(plan(*names))


async def events_of(store: Path, plan_id: UUID) -> list[WatchEvent]:
    """What ``watch`` yields from the beginning."""
    async with open_store(store) as plans:
        return [event async for event in plans.watch(plan_id, after=0)]


def owed(store: Path) -> list[str]:
    """The files that say what is owed, as OBSERVER/PLAN."""
    found = (store / FOLDER).rglob("*")
    return [str(each.relative_to(store / FOLDER)) for each in found if each.is_file()]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the engine warned of."""
    return [record.getMessage() for record in caplog.records]


# --- what is told -----------------------------------------------------------------------


def test_an_observer_is_told_what_a_watcher_sees(tmp_path: Path) -> None:
    """Every event, once, in order, with positions; then nothing is owed (OB-1, OB-2)."""
    recorder = Recorder()

    result = trio.run(ran, tmp_path, [recorder])

    assert result.id is not None
    assert trio.run(events_of, tmp_path, result.id) == recorder.events
    assert {call.plan_id for call in recorder.calls} == {result.id}
    assert recorder.positions == sorted(set(recorder.positions))
    last = recorder.events[-1]
    assert isinstance(last, StateChange)
    assert last.state.status is Status.COMPLETED
    assert last.path == "Deploy"
    assert recorder.closed == 1
    assert owed(tmp_path) == []


def test_an_observer_gets_the_plan_for_its_structure(tmp_path: Path) -> None:
    """Each call has the plan, so that one that goes on after a crash knows it (OB-1)."""
    recorder = Recorder()

    trio.run(ran, tmp_path, [recorder])

    for call in recorder.calls:
        assert [action.name for action in call.plan.blocks[0].sequences[0].actions] == [
            "a",
            "b",
        ]


def test_an_observer_sees_no_secret(tmp_path: Path) -> None:
    """Not in requests, errors or output (OB-1, WA-4)."""
    recorder = Recorder()

    result = trio.run(ran, tmp_path, [recorder], "a", "bad")

    assert result.state.status is Status.FAILED
    assert "refused" in repr(recorder.calls)
    assert SECRET not in repr(recorder.calls)


@pytest.mark.slow
def test_without_observers_nothing_is_paid() -> None:
    """The module that feeds them is not even imported (OB-6)."""
    program = f"""
import sys, trio
sys.path.insert(0, {str(Path(__file__).parent)!r})
from workstream import Registry, open_workstream
from workstream.vaults import MemoryVault

async def main():
    async with open_workstream(MemoryVault(), registry=Registry()):
        print(*[name for name in sys.modules if "_observers" in name], "none")

trio.run(main)
"""
    done = subprocess.run([sys.executable, "-c", program], stdout=-1, check=True)

    assert done.stdout == b"none\n"


def test_in_memory_an_observer_is_told_too() -> None:
    """A vault that is no directory keeps no position, and needs none (OB-2)."""
    recorder = Recorder()

    trio.run(ran, MemoryVault(), [recorder])

    assert recorder.positions[0] == 1
    assert recorder.positions == list(range(1, len(recorder.positions) + 1))


# --- slow, failing, hanging -------------------------------------------------------------


class Stuck(Recorder):
    """Does not return before it is let go."""

    def __init__(self, name: str = "stuck") -> None:
        super().__init__(name)
        self.go = threading.Event()
        self.is_called = threading.Event()

    def observe(self, seen: Observation, /) -> None:
        """Wait, then keep it."""
        self.is_called.set()
        self.go.wait()
        super().observe(seen)


def test_a_run_ends_while_an_observer_is_stuck(tmp_path: Path) -> None:
    """The plan has ended before the observer has taken its first event (OB-3)."""
    stuck, quick = Stuck(), Recorder("quick")

    async def main() -> None:
        registry = Registry([Step()], observers=[stuck, quick])
        async with open_workstream(tmp_path, registry=registry) as ws:
            result = await ws.run(plan())
            assert result.state.status is Status.COMPLETED
            assert stuck.calls == []
            stuck.go.set()

    trio.run(main)

    assert stuck.positions == quick.positions
    assert len(stuck.calls) <= 3, "what gathers meanwhile is told at once"
    assert owed(tmp_path) == []


def test_what_a_stuck_observer_missed_is_told_by_the_next_engine(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An engine is left after two seconds, whatever its observers do (OB-5)."""
    stuck = Stuck()
    clock = trio.testing.MockClock(autojump_threshold=0.05)
    result = trio.run(ran, tmp_path, [stuck], clock=clock)

    assert result.state.status is Status.COMPLETED
    assert clock.current_time() == pytest.approx(feeding.GRACE, abs=0.5)
    assert owed(tmp_path) == [f"stuck/{result.id}"]

    stuck.go.set()
    after = Recorder("stuck")
    second = trio.run(ran, tmp_path, [after])

    by_plan = {call.plan_id for call in after.calls}
    assert by_plan == {result.id, second.id}
    assert after.calls[0].plan_id == second.id, "the run comes first"
    told = [e for call in after.calls if call.plan_id == result.id for e in call.events]
    assert result.id is not None
    assert told == trio.run(events_of, tmp_path, result.id)
    assert owed(tmp_path) == []


def test_a_call_that_does_not_return_is_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After half a minute, by the observer's name (OB-3)."""
    stuck = Stuck()

    async def main() -> None:
        registry = Registry([Step()], observers=[stuck])
        async with open_workstream(MemoryVault(), registry=registry) as ws:
            await ws.run(plan())
            await trio.to_thread.run_sync(stuck.is_called.wait)
            await trio.sleep(feeding.SLOW + 1)
            stuck.go.set()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.05))

    assert warnings(caplog) == [
        "observer 'stuck' has not returned for 30 seconds; it falls behind, and no run "
        "waits for it"
    ]


class Failing(Recorder):
    """Raises a few times."""

    def __init__(self, error: BaseException, times: int) -> None:
        super().__init__("failing")
        self.error = error
        self.left = times
        self.told: list[Observation] = []

    def observe(self, seen: Observation, /) -> None:
        """Raise, or keep it."""
        self.told.append(seen)
        if self.left:
            self.left -= 1
            raise self.error
        super().observe(seen)


@pytest.mark.parametrize(
    "error", [OSError("no route"), SystemExit(3), KeyboardInterrupt()], ids=repr
)
def test_an_observer_that_raises_is_told_the_same_again(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """After 1, 2 and 4 seconds; one line when it begins, one when it is over (OB-3)."""
    failing = Failing(error, 3)
    clock = FakeClock()

    async def main() -> None:
        registry = Registry([Step()], observers=[failing])
        async with open_workstream(MemoryVault(), registry=registry) as ws:
            result = await ws.run(plan())
            assert result.state.status is Status.COMPLETED
            assert clock.time() < 1
            await trio.sleep(8)

    clock.run(main)

    assert failing.told[:4] == [failing.told[0]] * 4
    assert failing.positions == list(range(1, len(failing.positions) + 1))
    begins, ends = warnings(caplog)
    assert begins.startswith("observer 'failing' failed, and is told the same again")
    assert type(error).__name__ in begins
    assert ends == "observer 'failing' takes what it is told again"


def test_a_failing_observer_is_not_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run against a receiver that is down ends at once; it stays owed (OB-5)."""
    monkeypatch.setattr(feeding, "GRACE", math.inf)

    async def main() -> Plan:
        with trio.fail_after(60):
            return await ran(tmp_path, [Failing(OSError("no route"), 1_000)])

    result = trio.run(main)

    assert owed(tmp_path) == [f"failing/{result.id}"]
    assert len(warnings(caplog)) == 1


def test_one_observer_does_not_hold_up_another(tmp_path: Path) -> None:
    """Each has a thread and a pace of its own (OB-3)."""
    stuck, quick = Stuck(), Recorder("quick")
    done = threading.Event()

    class Last(Recorder):
        def observe(self, seen: Observation, /) -> None:
            super().observe(seen)
            last = seen.events[-1]
            if isinstance(last, StateChange) and last.state.status.is_terminal:
                done.set()

    last = Last("last")

    async def main() -> None:
        registry = Registry([Step()], observers=[stuck, last, quick])
        async with open_workstream(tmp_path, registry=registry) as ws:
            await ws.run(plan())
            while not done.is_set():
                await trio.testing.wait_all_tasks_blocked()
            assert not stuck.calls
            stuck.go.set()

    trio.run(main)


def test_who_falls_behind_the_log_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets the plan as it is, marked as missed, and goes on from there (OB-4)."""
    from workstream._vaults import memory_vault

    monkeypatch.setattr(memory_vault, "LOG_KEPT", 5)
    monkeypatch.setattr(feeding, "MOST", 1)
    monkeypatch.setattr("workstream._store.feeds.KEPT", 5)
    stuck = Stuck()

    async def main() -> None:
        registry = Registry([Step()], observers=[stuck])
        async with open_workstream(MemoryVault(), registry=registry) as ws:
            await ws.run(plan(*"abcdefghijklmnop"))
            stuck.go.set()

    trio.run(main)

    snapshots = [each for each in stuck.events if isinstance(each, PlanSnapshot)]
    assert snapshots
    assert all(each.missed for each in snapshots)
    assert stuck.calls[-1].plan is snapshots[-1].plan
    assert snapshots[-1].plan.state.status is Status.COMPLETED
    assert stuck.positions == sorted(set(stuck.positions))


def test_a_plan_that_is_deleted_is_owed_no_more(tmp_path: Path) -> None:
    """What nobody can read any more is told to nobody (OB-2)."""
    stuck = Stuck()
    clock = trio.testing.MockClock(autojump_threshold=0.05)
    result = trio.run(ran, tmp_path, [stuck], clock=clock)
    stuck.go.set()

    async def delete() -> None:
        async with open_store(tmp_path) as store:
            assert result.id is not None
            await store.delete(result.id)

    trio.run(delete)
    after = Recorder("stuck")
    trio.run(ran, tmp_path, [after])

    assert result.id not in {call.plan_id for call in after.calls}
    assert owed(tmp_path) == []


@pytest.mark.slow
def test_the_doctor_tells_what_is_owed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By the observer's name, with what to do (OB-2)."""
    trio.run(ran, tmp_path, [Failing(OSError("no route"), 1_000)])
    command = [sys.executable, "-m", "workstream", "doctor", f"--store={tmp_path}"]

    said = subprocess.run(command, capture_output=True, text=True).stdout

    assert "observer 'failing' has not taken all of 1 plan that ended" in said
    assert f"rm -r {tmp_path / FOLDER / 'failing'}" in said
    trio.run(ran, tmp_path, [Recorder("failing")])
    said = subprocess.run(command, capture_output=True, text=True).stdout
    assert "observer" not in said


# --- cursors and crashes ----------------------------------------------------------------


def test_two_processes_do_not_tell_the_same(tmp_path: Path) -> None:
    """While one has a cursor, another gets none; its position outlives it (OB-2)."""
    vault, plan_id = LmdbVault(tmp_path), UUID(int=7 << 80)
    one, two = Cursors.beside(vault, "acme"), Cursors.beside(vault, "acme")
    first = one.take(plan_id)

    assert first is not None
    assert two.take(plan_id) is None
    first.move(17)
    first.close(told_all=False)
    second = two.take(plan_id)
    assert second is not None
    assert second.position == 17
    assert two.owed() == [plan_id]
    second.close(told_all=True)
    assert two.owed() == []
    assert two.take(plan_id, create=False) is None


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"-12"])
def test_a_damaged_cursor_begins_anew(tmp_path: Path, damage: bytes) -> None:
    """After a power cut events come again, and none is lost (OB-2)."""
    vault, plan_id = LmdbVault(tmp_path), UUID(int=7 << 80)
    taken = Cursors.beside(vault, "acme").take(plan_id)
    assert taken is not None
    taken.close(told_all=False)
    (tmp_path / FOLDER / "acme" / str(plan_id)).write_bytes(damage)

    again = Cursors.beside(vault, "acme").take(plan_id)

    assert again is not None
    assert again.position == 0
    again.close(told_all=True)


@pytest.mark.slow
def test_after_kill_9_another_process_tells_the_rest(tmp_path: Path) -> None:
    """No event is lost, and at most those of one call come again (OB-2)."""
    store, seen = tmp_path / "store", tmp_path / "seen"

    def start(task: str) -> subprocess.Popen[str]:
        arguments = [sys.executable, str(ENGINE), str(store), str(seen), task]
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)

    engine = start("run")
    assert engine.stdout is not None
    for _ in range(2):
        assert engine.stdout.readline(), "it ended before it was killed"
    engine.send_signal(signal.SIGKILL)
    engine.communicate()
    before = [int(line) for line in seen.read_text().split()]
    [cursor] = (store / FOLDER / "writes").iterdir()
    kept = int(cursor.read_text())
    last = start("resume")
    last.communicate()
    after = [int(line) for line in seen.read_text().split()][len(before) :]

    assert last.returncode == 0
    assert 0 < kept <= before[-1]
    assert after[0] == kept + 1, "it goes on at the cursor"

    async def everything() -> list[int]:
        async with open_store(store) as plans:
            plan_id = (await plans.find("last")).row.id
            return [event.position async for event in plans.watch(plan_id, after=0)]

    whole = trio.run(everything)
    assert before == whole[: len(before)]
    assert sorted({*before, *after}) == whole
    assert not cursor.exists()


# --- which observers --------------------------------------------------------------------

OBSERVER = """
from workstream.plugins import Observer

class Chat(Observer):
    name = "{name}"
    def observe(self, seen, /):
        pass

@hookimpl
def workstream_observers():
    return [Chat()]
"""
Install = Callable[..., Path]


def test_a_package_brings_observers(
    install_package: Install,
    find_packages: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By an entry point of their own, which a run looks at whatever its plan names (OB-6)."""
    from workstream._registry.host import discover

    install_package("acme.observers", OBSERVER.format(name="acme.chat"), package="acme")
    find_packages("acme.observers")

    host = discover(only={"command"})

    assert [each.name for each in host.observers()] == ["acme.chat"]
    assert [each.name for each in Registry.installed(host).observers] == ["acme.chat"]
    [package] = [each for each in host.listing().packages if each.package == "acme"]
    assert package.observers == ("acme.chat",)


@pytest.mark.parametrize(
    ("setting", "told"),
    [("acme.chat, other", ["acme.chat"]), ("", []), ("other", [])],
)
def test_a_setting_chooses_the_observers(
    install_package: Install,
    find_packages: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    told: list[str],
) -> None:
    """``WORKSTREAM_OBSERVERS`` lists those that are told; empty, nobody is (OB-6)."""
    from workstream._registry.host import discover

    install_package("acme.observers", OBSERVER.format(name="acme.chat"), package="acme")
    find_packages("acme.observers")
    monkeypatch.setenv("WORKSTREAM_OBSERVERS", setting)

    assert [each.name for each in discover().observers()] == told
