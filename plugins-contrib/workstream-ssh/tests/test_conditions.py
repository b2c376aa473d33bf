"""Commands that are skipped when there is nothing to do, and tell it in a dry run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import trio_test

from workstream import PluginError
from workstream.plugins import NOT_DONE, Preview
from workstream_ssh import Host, KnownHosts, RunOn, RunResult, ShellOn

if TYPE_CHECKING:
    from conftest import Client, Login, Machine, MakeClient, Recorder

COUNT = "echo run >>count"


def forget(machine: Machine) -> None:
    """Begin to count anew."""
    (machine.home / "count").unlink(missing_ok=True)


def was_run(machine: Machine) -> bool:
    """Whether a command of the test has been run on the host."""
    return (machine.home / "count").exists()


def cases(machine: Machine) -> list[tuple[ShellOn, str | None]]:
    """Requests on a host with a file ``there``, and why they are skipped."""
    (machine.home / "there").touch()
    (machine.home / "dangling").symlink_to("nowhere")
    count = ShellOn(machine.host, COUNT, cwd="~", env={"NAME": "there"})
    changes: list[tuple[dict[str, Any], str | None]] = [
        ({"creates": "~/there"}, "creates: ~/there exists"),
        ({"creates": "~/dangling"}, "creates: ~/dangling exists"),
        ({"creates": "~/absent"}, None),
        ({"removes": "~/absent"}, "removes: ~/absent does not exist"),
        ({"removes": "~/there"}, None),
        (
            {"unless": ("test", "-e", "there")},
            "unless: test -e there exited with code 0",
        ),
        (
            {"unless": 'cat; test -e "$NAME"'},
            'unless: cat; test -e "$NAME" exited with code 0',
        ),
        ({"unless": "echo much; exit 1"}, None),
        ({"creates": "~/absent", "unless": "true"}, "unless: true exited with code 0"),
    ]
    return [(attrs.evolve(count, **change), why) for change, why in changes]


@pytest.mark.slow
@pytest.mark.parametrize("detached", [False, True])
@trio_test
async def test_a_command_is_skipped_when_there_is_nothing_to_do(
    client: Client, machine: Machine, detached: bool
) -> None:
    """The response says why; a command with something to do is run as ever."""
    for request, why in cases(machine):
        forget(machine)
        request = attrs.evolve(request, detached=detached, stdin="for the command")

        assert await client.run(request) == RunResult(exit_code=0, skipped=why)
        assert was_run(machine) is (why is None)


@pytest.mark.slow
@trio_test
async def test_a_dry_run_tells_whether_a_command_would_be_skipped(
    client: Client, machine: Machine
) -> None:
    """It is asked of the host, and nothing is kept of the question."""
    plugin, context = client.run_plugin, LookedAt()
    for request, why in cases(machine):
        before = f"{machine.host}: shell script {COUNT} would be "

        found = await plugin.preview(context, request)

        told = "run" if why is None else f"skipped: {why}"
        assert found == Preview(before + told, changes=why is None)
    plain = await plugin.preview(context, RunOn(machine.host, ("true",)))
    assert plain.changes is None
    assert not was_run(machine)
    assert machine.jobs() == []


@pytest.mark.slow
@trio_test
async def test_no_host_is_trusted_for_a_dry_run(
    client: Client, host: Host, tmp_path: Path
) -> None:
    """A key that would have to be noted first is not noted for it."""
    known = tmp_path / "known"
    known.touch()
    new = attrs.evolve(
        host, known_hosts=KnownHosts.ACCEPT_NEW, known_hosts_file=str(known)
    )

    found = await client.run_plugin.preview(
        LookedAt(), RunOn(new, ("true",), creates="/etc")
    )

    assert found.changes is None
    assert known.read_text() == ""


@attrs.frozen
class LookedAt:
    """What a plugin is told when it is asked for a preview."""

    path: str = "Plan / Block / Sequence / Action"
    deadline: None = None


@trio_test
async def test_a_question_that_cannot_be_asked_is_an_error(
    client: Client, machine: Machine
) -> None:
    """A typing mistake must not have the command run each time."""
    request = ShellOn(machine.host, COUNT, cwd="~", unless=("no-such-program",))

    error = await client.error(request)

    assert (error.code, error.permanent) == (127, True)
    assert "unless: no-such-program is not found in /" in error.message
    with pytest.raises(PluginError, match="no-such-program is not found"):
        await client.run_plugin.preview(LookedAt(), request)
    assert not was_run(machine)


@pytest.mark.slow
@trio_test
async def test_another_user_is_asked(client: Client, login: Login) -> None:
    """Whether a file is there depends on who may see it, and where ``~`` is."""
    login.allow_all()
    closed = login.machine.home / "closed"
    closed.mkdir(mode=0o700)
    (closed / "there").touch()
    request = RunOn(login.machine.host, ("true",), creates=str(closed / "there"))

    assert (await client.run(request)).skipped is None
    as_root = attrs.evolve(request, become="root", directory=login.place)
    assert (await client.run(as_root)).skipped is not None
    assert (await client.run_plugin.preview(LookedAt(), as_root)).changes is False


@pytest.mark.slow
@trio_test
async def test_a_skipped_command_is_found_again(
    make_client: MakeClient, machine: Machine, context: Recorder
) -> None:
    """After a crash the host still knows that there was nothing to do."""
    request = ShellOn(machine.host, COUNT, cwd="~", creates="/etc")
    skipped = await make_client().run(request, context)

    assert await make_client().reconcile(request, context) == skipped


@pytest.mark.slow
@trio_test
async def test_a_command_was_not_begun_while_the_question_was_asked(
    make_client: MakeClient, machine: Machine, context: Recorder
) -> None:
    """So it is not in doubt how far it came: it may be run."""
    asked = machine.gate("asked")
    machine.gate()
    request = ShellOn(
        machine.host, COUNT, cwd="~", unless="echo up >asked; read line <gate"
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(make_client().run, request, context)
        await asked.wait()
        nursery.cancel_scope.cancel()

    assert await make_client().reconcile(request, context) is NOT_DONE
    assert not was_run(machine)
