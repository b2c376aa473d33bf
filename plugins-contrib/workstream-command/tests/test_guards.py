"""Commands that say when there is nothing to do: ``creates``, ``removes``, ``unless``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
import pytest
import trio

from workstream import (
    Block,
    Plan,
    PluginError,
    Registry,
    SecretRef,
    Sequence,
    Status,
    open_workstream,
    preview_plan,
)
from workstream.plugins import NoSignals, Preview
from workstream.results import Forecast
from workstream.testing import check_plugin
from workstream.vaults import MemoryVault
from workstream_command import (
    CheckCommand,
    CommandResult,
    Run,
    RunCommand,
    Shell,
    workstream_plugins,
)
from workstream_command._session import members, process_of

PATIENCE = 60.0
"""Seconds after which a hang is taken for a failure."""


@attrs.define
class Attempt(NoSignals):
    """The context of an attempt; it keeps what it is told."""

    plan_id: Any = attrs.field(factory=uuid4)
    action_id: Any = attrs.field(factory=uuid4)
    path: str = "Plan / Block / Sequence / Action"
    attempt: int = 1
    deadline: Any = None
    idempotency_key: str = "key-of-this-test"
    notes: Any = attrs.field(factory=dict[str, Any])
    lines: list[str] = attrs.field(factory=list[str])

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        self.lines.append(message)

    async def remember(self, **notes: Any) -> None:
        self.notes = {**self.notes, **notes}


def perform(request: Run | Shell, attempt: Attempt | None = None) -> CommandResult:
    """Carry one attempt out, valid as the engine would have it."""
    plugin = RunCommand()
    plugin.validate(request)

    async def main() -> CommandResult:
        with trio.fail_after(PATIENCE):
            return await plugin.execute(attempt or Attempt(), request)

    return trio.run(main)


def foresee(request: Run | Shell) -> Preview:
    """Ask for a preview."""
    return trio.run(RunCommand().preview, Attempt(), request)


@pytest.fixture
def request_(tmp_path: Path) -> Run:
    """A command that leaves a line for each time that it was run."""
    script = 'echo run >>"$1"; echo done'
    return Run(("sh", "-c", script, "sh", f"{tmp_path}/log"), cwd=str(tmp_path))


def runs(tmp_path: Path) -> int:
    """How often that was."""
    log = tmp_path / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


# --- what is skipped ----------------------------------------------------------------


def test_creates_skips_what_is_there(tmp_path: Path, request_: Run) -> None:
    """The first run makes the path, and the second one is skipped and says why."""
    path = tmp_path / "log"
    request = attrs.evolve(request_, creates=str(path))
    attempt = Attempt()

    first, second = perform(request), perform(request, attempt)

    assert (first.stdout, first.skipped) == ("done\n", None)
    assert second == CommandResult(exit_code=0, skipped=f"creates: {path} exists")
    assert attempt.lines == [f"skipped: creates: {path} exists"]
    assert attempt.notes == {}
    assert runs(tmp_path) == 1


def test_removes_skips_what_is_not_there(tmp_path: Path, request_: Run) -> None:
    """A link that leads nowhere is still there."""
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    request = attrs.evolve(request_, removes=str(link))

    assert perform(request).skipped is None
    link.unlink()
    assert perform(request).skipped == f"removes: {link} does not exist"
    below = attrs.evolve(request, removes=f"{tmp_path}/log/below")
    assert perform(below).skipped == f"removes: {tmp_path}/log/below does not exist"
    assert runs(tmp_path) == 1


@pytest.mark.parametrize("unless", [("test", "-e", "here"), "test -e here # is it?"])
def test_unless_skips_what_another_command_finds_done(
    unless: Any, tmp_path: Path, request_: Run
) -> None:
    """It is run in the same directory; its output is for nobody."""
    request = attrs.evolve(request_, unless=unless)
    attempt = Attempt()

    assert perform(request).skipped is None
    (tmp_path / "here").touch()
    skipped = perform(request, attempt).skipped

    text = unless if isinstance(unless, str) else "test -e here"
    assert skipped == f"unless: {text} exited with code 0"
    assert attempt.lines == [f"skipped: {skipped}"]
    assert runs(tmp_path) == 1


def test_unless_has_the_variables_and_not_the_input(
    tmp_path: Path, request_: Run
) -> None:
    """Secrets come to it as to the command itself; its input is empty."""
    secret = SecretRef("env:TOKEN").resolved("abracadabra")
    request = attrs.evolve(
        request_,
        env={"TOKEN": secret},
        stdin="for the command",
        unless='test "$TOKEN" = abracadabra && ! read -r line',
    )

    assert perform(request).skipped is not None


def test_what_cannot_be_looked_at_fails_the_attempt(
    tmp_path: Path, request_: Run
) -> None:
    """Nothing is run on a guess: the field is named, and what went wrong."""
    name = "x" * 255
    bad: list[tuple[dict[str, Any], str]] = [
        ({"creates": f"/{name}/{name}" * 8}, "creates: whether .* File name too long"),
        ({"unless": ("no-such-program",)}, "unless: 'no-such-program' is not found in"),
        ({"unless": "kill -9 $$"}, r"unless: shell script|unless: .* was ended by sig"),
    ]
    for fields, message in bad:
        # Validation would find the first one.
        with pytest.raises(PluginError, match=message):
            trio.run(RunCommand().execute, Attempt(), attrs.evolve(request_, **fields))

    assert runs(tmp_path) == 0


def test_a_command_that_fails_is_not_skipped_the_next_time(
    tmp_path: Path, request_: Run
) -> None:
    """Conditions are looked at before each attempt, and the command's code counts."""
    script = 'echo run >>"$1"; exit 3'
    request = Run(
        ("sh", "-c", script, "sh", f"{tmp_path}/log"), creates=f"{tmp_path}/made"
    )

    for _ in range(2):
        with pytest.raises(PluginError, match="exited with code 3"):
            perform(request)

    assert runs(tmp_path) == 2


# --- previews -----------------------------------------------------------------------


def test_a_preview_says_whether_it_would_be_run(tmp_path: Path, request_: Run) -> None:
    """Only ``unless`` is run for it (PV-5)."""
    request = attrs.evolve(
        Run(("make", "install"), cwd=str(tmp_path)),
        creates=f"{tmp_path}/made",
        unless="test -e here",
    )

    assert foresee(request) == Preview("make install would be run", changes=True)
    (tmp_path / "here").touch()
    assert foresee(request) == Preview(
        "make install would be skipped: unless: test -e here exited with code 0",
        changes=False,
    )
    (tmp_path / "made").touch()
    assert foresee(request) == Preview(
        f"make install would be skipped: creates: {tmp_path}/made exists",
        changes=False,
    )
    plain = foresee(request_)
    assert plain.changes is None
    assert "(creates=, removes= or unless= would tell)" in plain.summary
    assert runs(tmp_path) == 0


def test_a_dry_run_says_no_change(tmp_path: Path) -> None:
    """The engine tells it of the action, and asks on behind it."""
    done = Run(("touch", f"{tmp_path}/made"), creates=str(tmp_path))
    new = Shell("make install", creates=f"{tmp_path}/made")
    actions = [
        RunCommand.action(done, name="Done"),
        RunCommand.action(new, name="New"),
    ]
    plan = Plan(
        name="P",
        blocks=[Block(name="B", sequences=[Sequence(name="S", actions=actions)])],
    )

    found = trio.run(
        lambda: preview_plan(plan, registry=Registry(workstream_plugins()))
    )

    assert [(item.forecast, item.summary) for item in found.items] == [
        (
            Forecast.NO_CHANGE,
            f"touch {tmp_path}/made would be skipped: creates: {tmp_path} exists",
        ),
        (Forecast.CHANGE, "shell script make install would be run"),
    ]
    assert os.listdir(tmp_path) == []


# --- crashes and timeouts -----------------------------------------------------------

ENGINE = '''
import sys, trio
from workstream import Block, Plan, Registry, Sequence, open_workstream
from workstream_command import Run, RunCommand, workstream_plugins

store, fifo = sys.argv[1:]
# The first look waits for ever; one that comes after it does not.
script = """
if test -e "$1.again"; then exit 1; fi
touch "$1.again"; echo $$ > "$1"; sleep 1000
"""
request = Run(("touch", fifo + ".run"), unless=("sh", "-c", script, "sh", fifo))
action = RunCommand.action(request, name="Run")
sequence = Sequence(name="S", actions=[action])
plan = Plan(name="Plan", blocks=[Block(name="Block", sequences=[sequence])])

async def main():
    async with open_workstream(store, registry=Registry(workstream_plugins())) as ws:
        await ws.run(plan)

trio.run(main)
'''


@pytest.mark.slow
def test_an_engine_killed_during_unless_runs_the_command(tmp_path: Path) -> None:
    """Only the look was interrupted: it is ended, done again, and nothing has failed (R-7)."""
    fifo, store = tmp_path / "fifo", tmp_path / "store"
    os.mkfifo(fifo)
    words = (sys.executable, "-c", ENGINE, str(store), str(fifo))
    with subprocess.Popen(words) as engine:
        pid = int(fifo.read_text())
        engine.send_signal(signal.SIGKILL)
    process = process_of(pid)
    assert process is not None
    assert process.state not in "ZX"

    async def main() -> Plan:
        registry = Registry(workstream_plugins())
        async with open_workstream(store, registry=registry) as ws:
            (row,) = await ws.list()
            assert row.id is not None
            with trio.fail_after(PATIENCE):
                return await ws.wait(row.id)

    action = trio.run(main).blocks[0].sequences[0].actions[0]

    assert action.state.status is Status.COMPLETED
    assert members(pid) == []
    assert (tmp_path / "fifo.run").exists()


def timed_out(request: Run | Shell) -> str:
    """The error of a command that its timeout ends."""
    action = RunCommand.action(request, name="A", timeout=1)
    sequence = Sequence(name="S", actions=[action])
    plan = Plan(name="P", blocks=[Block(name="B", sequences=[sequence])])

    async def main() -> Plan:
        registry = Registry(workstream_plugins())
        with trio.fail_after(PATIENCE):
            async with open_workstream(MemoryVault(), registry=registry) as ws:
                return await ws.run(plan)

    return str(trio.run(main).blocks[0].sequences[0].actions[0].attempts[0].error)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (Run(("sleep", "1000")), "sleep 1000 had not ended; it wrote nothing"),
        (
            Shell("echo begun; echo waiting for the lock >&2; sleep 1000"),
            "shell script echo begun; echo waiting for the lock >&2; sleep 1000 had not "
            "ended; the end of its stderr:\nwaiting for the lock",
        ),
        (
            Run(("true",), unless=("sleep", "1000")),
            "unless: sleep 1000 had not ended; it wrote nothing",
        ),
    ],
)
def test_a_timeout_says_what_it_cut_short(request_: Run | Shell, told: str) -> None:
    """Which command it was, and its last lines (A-4)."""
    assert timed_out(request_) == f"plugin execution timed out: {told}"


# --- what is refused, and what every plugin must do ---------------------------------


def test_a_check_looks_each_time() -> None:
    """Conditions have no meaning for one, and all of them are refused at once."""
    request = Run(("true",), creates="/a", removes="/b", unless=("true",))

    with pytest.raises(ValueError, match=r"^creates: a check.*; removes: .*; unless: "):
        CheckCommand().validate(request)


@pytest.mark.slow
def test_a_guarded_command_conforms(tmp_path: Path) -> None:
    """It may be interrupted at each step, and leaves what it leaves without that."""
    made = tmp_path / "made"
    report = check_plugin(
        RunCommand(),
        [
            Shell(
                'echo line >>"$1.tmp"; mv "$1.tmp" "$1"',
                args=(str(made),),
                creates=str(made),
                unless="false",
            )
        ],
        reset=lambda: made.unlink(missing_ok=True),
        look=lambda: made.exists() and made.read_text(),
        steps=4,
    )

    assert "preview" in report.checked
    assert "interrupted" in report.checked


def test_a_packed_program_runs_no_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would start itself again for each: init says so before a plan runs (REG-6)."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)

    for plugin in (RunCommand(), CheckCommand()):
        with pytest.raises(PluginError, match="brings no Python interpreter"):
            trio.run(plugin.init)
