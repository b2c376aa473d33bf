"""Detached commands: found again by their names, whatever was lost in between (R-7)."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import trio_test

from workstream import PluginError
from workstream.plugins import NOT_DONE
from workstream_ssh import Host, RunOn, RunResult, ShellOn, SshProblem
from workstream_ssh._running import jobs

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from conftest import Client, Machine, MakeClient, Recorder


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Come back to a host that was lost at once."""
    monkeypatch.setattr(jobs, "FIRST_WAIT", 0.01)


def counting(host: Host, *, detached: bool = True) -> ShellOn:
    """A command that counts on the host how often it is run, and waits for a test."""
    script = (
        "echo run >>count; echo begun; echo warned >&2; read line <gate; echo ended"
    )
    return ShellOn(host, script, cwd="~", detached=detached)


def count(machine: Machine) -> int:
    """How often the command was run."""
    path = machine.home / "count"
    return path.read_text().count("run") if path.exists() else 0


WHOLE = RunResult(exit_code=0, stdout="begun\nended\n", stderr="warned\n")


async def abandoned(client: Client, request: ShellOn, context: Recorder) -> None:
    """Begin a command, and leave it as an engine does that closes."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run, request, context)
        await context.until("begun")
        nursery.cancel_scope.cancel()


# --- the connection is lost -----------------------------------------------------


@trio_test
async def test_a_lost_connection_is_made_again(
    client: Client, host: Host, machine: Machine, context: Recorder
) -> None:
    """The attempt goes on where it was, and nothing is run twice."""
    gate = machine.gate()
    results: list[RunResult] = []
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            results.append(await client.run(counting(host), context))

        nursery.start_soon(run)
        await context.until("begun")
        machine.disconnect()
        await context.until("trying again")
        await gate.open()

    assert results == [WHOLE]
    assert count(machine) == 1


@trio_test
async def test_a_host_that_is_away_for_a_while_is_waited_for(
    client: Client, host: Host, machine: Machine, context: Recorder
) -> None:
    """A command ends while nobody can see it, and its result is fetched later."""
    gate = machine.gate()
    results: list[RunResult] = []
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            results.append(await client.run(counting(host), context))

        nursery.start_soon(run)
        await context.until("begun")
        machine.stop()
        await context.until("nothing listens on its port")
        await gate.open()
        machine.wait_until_idle()
        machine.start()

    assert results == [WHOLE]
    assert count(machine) == 1


@trio_test
async def test_without_a_connection_to_begin_with_the_attempt_fails(
    client: Client, host: Host, machine: Machine
) -> None:
    """Only what may run on the host is waited for; the rest is for ``retries``."""
    machine.stop()

    error = await client.error(counting(host))

    assert (error.code, error.permanent) == (SshProblem.REFUSED, False)


# --- the engine is lost ---------------------------------------------------------


@trio_test
async def test_a_command_goes_on_without_its_engine_and_is_found_again(
    make_client: MakeClient, host: Host, machine: Machine, context: Recorder
) -> None:
    """``reconcile`` waits for its end, and gives its result."""
    gate = machine.gate()
    await abandoned(make_client(), counting(host), context)
    results: list[object] = []
    async with trio.open_nursery() as nursery:
        client = make_client()

        async def reconcile() -> None:
            results.append(await client.reconcile(counting(host), context))

        nursery.start_soon(reconcile)
        await context.until("found the command again")
        await gate.open()

    assert results == [WHOLE]
    assert count(machine) == 1


@trio_test
async def test_a_command_that_has_ended_meanwhile_is_found(
    make_client: MakeClient, host: Host, machine: Machine, context: Recorder
) -> None:
    """Its exit code and all that it wrote are still there, however often one asks."""
    gate = machine.gate()
    await abandoned(make_client(), counting(host), context)
    await gate.open()
    machine.wait_until_idle()

    for _ in range(2):
        assert await make_client().reconcile(counting(host), context) == WHOLE
    assert count(machine) == 1


@trio_test
async def test_a_rerun_finds_a_detached_command_too(
    make_client: MakeClient, host: Host, machine: Machine, context: Recorder
) -> None:
    """With RERUN the same name is asked for, and so the same command is found."""
    gate = machine.gate()
    await abandoned(make_client(), counting(host), context)
    await gate.open()

    assert await make_client().run(counting(host), context.again()) == WHOLE
    assert count(machine) == 1


@trio_test
async def test_a_failure_is_found_too(
    make_client: MakeClient, host: Host, machine: Machine, context: Recorder
) -> None:
    """A command that ended unseen, with another code than expected, has failed."""
    gate = machine.gate()
    request = ShellOn(
        host, "echo begun; read line <gate; exit 7", cwd="~", detached=True
    )
    await abandoned(make_client(), request, context)
    await gate.open()

    with pytest.raises(PluginError, match="exited with code 7") as caught:
        await make_client().reconcile(request, context)
    assert caught.value.code == 7


@trio_test
async def test_reconcile_waits_for_a_host_that_is_away(
    make_client: MakeClient, host: Host, machine: Machine, context: Recorder
) -> None:
    """When an engine comes back, the network may not have yet."""
    gate = machine.gate()
    await abandoned(make_client(), counting(host), context)
    machine.stop()
    results: list[object] = []
    async with trio.open_nursery() as nursery:
        client = make_client()

        async def reconcile() -> None:
            results.append(await client.reconcile(counting(host), context))

        nursery.start_soon(reconcile)
        await context.until("trying again")
        machine.start()
        await gate.open()

    assert results == [WHOLE]


@trio_test
async def test_two_at_once_run_one_command(
    make_client: MakeClient, host: Host, machine: Machine, context: Recorder
) -> None:
    """An engine that is thought dead and its successor claim one name: one gets it."""
    gate = machine.gate()
    results: list[RunResult] = []

    async def run(client: Client, context: Recorder) -> None:
        results.append(await client.run(counting(host), context))

    others = [context.again() for _ in range(3)]
    async with trio.open_nursery() as nursery:
        for other in others:
            nursery.start_soon(run, make_client(), other)
        for other in others:
            await other.until("begun")
        await gate.open()

    assert results == [WHOLE] * 3
    assert count(machine) == 1


# --- the command is lost --------------------------------------------------------


@trio_test
async def test_a_command_that_was_never_begun_is_not_done(
    client: Client, host: Host, machine: Machine, context: Recorder
) -> None:
    """Without a note nothing was asked of the host; without a job nothing was begun."""
    assert await client.reconcile(counting(host), context) is NOT_DONE
    assert machine.connections() == []

    await context.remember(run=1, began=time.time())
    assert await client.reconcile(counting(host), context) is NOT_DONE


@trio_test
async def test_a_name_that_was_claimed_and_not_used_is_not_done(
    client: Client, host: Host, machine: Machine, context: Recorder
) -> None:
    """Whoever finds it decides that the command never begins under that name."""
    job = machine.home / ".workstream" / "jobs" / f"{context.idempotency_key}-1"
    job.mkdir(parents=True)
    await context.remember(run=1, began=time.time())

    assert await client.reconcile(counting(host), context) is NOT_DONE

    assert (job / "begun").is_dir()
    assert context.notes["run"] == 2


@trio_test
async def test_a_name_whose_claimer_died_is_not_done(
    client: Client, host: Host, machine: Machine, context: Recorder
) -> None:
    """The same, when it had come as far as to claim the name, or to the last step."""
    job = machine.home / ".workstream" / "jobs" / f"{context.idempotency_key}-1"
    job.mkdir(parents=True)
    (job / "supervisor").write_text("1 1 another-boot\n")
    await context.remember(run=1, began=time.time())
    machine.gate()

    assert await client.reconcile(counting(host), context) is NOT_DONE
    assert context.notes["run"] == 2
    # Whoever runs it now does so under the next name.
    await abandoned(client, counting(host), context.again())
    assert count(machine) == 1


@trio_test
async def test_after_many_days_a_host_that_knows_nothing_is_not_believed(
    client: Client, host: Host, context: Recorder
) -> None:
    """What was begun long ago may have been forgotten, so nothing is begun again."""
    await context.remember(run=1, began=time.time() - 7 * 24 * 3600)

    with pytest.raises(PluginError, match="more than 6 days ago") as caught:
        await client.reconcile(counting(host), context)
    assert caught.value.permanent


@trio_test
async def test_a_host_that_crashed_has_lost_the_command(
    make_client: MakeClient, host: Host, machine: Machine, context: Recorder
) -> None:
    """It is not run again unasked: nobody knows how far it came."""
    machine.gate()
    await abandoned(make_client(), counting(host), context)
    machine.crash()
    machine.start()

    with pytest.raises(PluginError, match="how it ended was not seen") as caught:
        await make_client().reconcile(counting(host), context)

    assert caught.value.permanent
    assert count(machine) == 1


@trio_test
async def test_a_number_in_new_hands_is_not_taken_for_the_command(
    make_client: MakeClient, host: Host, machine: Machine, context: Recorder
) -> None:
    """Processes are known by their start time and boot, so no stranger is ended."""
    machine.gate()
    request = counting(host, detached=False)
    await abandoned(make_client(), counting(host), context)
    machine.crash()
    machine.start()
    [job] = machine.jobs()
    with trio.CancelScope() as scope:
        stranger = await trio.lowlevel.open_process(["sleep", "1000"])
        for file in ("pid", "supervisor"):
            _, born, boot = (job / file).read_text().split()
            (job / file).write_text(f"{stranger.pid} {born} {boot}\n")

        with pytest.raises(PluginError, match="how it ended was not seen"):
            await make_client().reconcile(request, context)

        assert stranger.poll() is None
        stranger.kill()
        await stranger.wait()
    assert not scope.cancelled_caught


@trio_test
async def test_a_command_without_its_supervisor_is_waited_for(
    make_client: MakeClient, host: Host, machine: Machine, context: Recorder
) -> None:
    """The shell that looks after it may die; then its exit code is lost, no more."""
    gate = machine.gate()
    await abandoned(make_client(), counting(host), context)
    [job] = machine.jobs()
    os.kill(int((job / "supervisor").read_text().split()[0]), signal.SIGKILL)
    async with trio.open_nursery() as nursery:

        async def open_gate() -> None:
            await context.until("found the command again")
            await gate.open()

        nursery.start_soon(open_gate)
        with pytest.raises(PluginError, match="how it ended was not seen"):
            await make_client().reconcile(counting(host), context)

    machine.wait_until_idle()


# --- commands that are not detached ---------------------------------------------


@trio_test
async def test_after_a_crash_any_other_command_is_ended_and_failed(
    make_client: MakeClient, host: Host, machine: Machine, context: Recorder
) -> None:
    """It was ended, by its host or by us, and nobody knows how far it came."""
    machine.gate()
    request = counting(host, detached=False)
    await abandoned(make_client(), request, context)

    with pytest.raises(PluginError, match="how far it came is not known") as caught:
        await make_client().reconcile(request, context)

    assert "was told to end, and exited with code" in caught.value.message
    assert caught.value.permanent
    machine.wait_until_idle()


@trio_test
async def test_a_command_that_came_to_its_own_end_counts(
    make_client: MakeClient, host: Host, machine: Machine, context: Recorder
) -> None:
    """If it had ended before the engine was lost, it is done; its output is lost."""
    request = RunOn(host, ("true",))
    await make_client().run(request, context)

    result = await make_client().reconcile(request, context)

    assert result == RunResult(exit_code=0, output_lost=True)


# --- what hosts remember --------------------------------------------------------


@trio_test
async def test_hosts_forget_after_a_week(
    client: Client, host: Host, machine: Machine
) -> None:
    """What is long done is removed when something new is done, once a day."""
    for _ in range(2):
        await client.run(RunOn(host, ("true",)))
    old, young = machine.jobs()
    long_ago = time.time() - 8.5 * 24 * 3600
    os.utime(old / "done", (long_ago, long_ago))
    os.utime(old.parent / ".pruned", (long_ago, long_ago))

    await client.run(RunOn(host, ("true",)))
    machine.wait_until_idle()

    assert old not in machine.jobs()
    assert young in machine.jobs()


@trio_test
async def test_only_the_user_can_look_at_what_a_host_remembers(
    client: Client, host: Host, machine: Machine
) -> None:
    """The directories are the user's alone."""
    await client.run(RunOn(host, ("echo", "hello"), detached=True))

    for path in (machine.home / ".workstream", *machine.jobs()):
        assert path.stat().st_mode & 0o077 == 0
