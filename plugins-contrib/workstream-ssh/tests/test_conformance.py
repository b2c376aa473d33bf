"""What every plugin must do, these do: put to the test with a real sshd."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from workstream import SecretRef
from workstream.testing import check_plugin
from workstream_ssh import CopyFrom, CopyTo, Host, RunOn, ShellOn

pytestmark = pytest.mark.slow  # a plugin lives through all that can happen

if TYPE_CHECKING:
    from conftest import Client, Machine, MakeClient

TOKEN = {"TOKEN": SecretRef("env:CONFORMANCE_TOKEN")}
NOWHERE = Host("127.0.0.1", port=1)


@pytest.fixture
def connected(machine: Machine, make_client: MakeClient) -> Client:
    """Plugins that have a connection: it is shared, so no attempt may end it."""
    client = make_client()
    trio.run(client.run, RunOn(machine.host, ("true",)))
    return client


@pytest.mark.parametrize("detached", [False, True])
def test_commands_on_hosts_conform(
    machine: Machine, connected: Client, detached: bool
) -> None:
    """They end with their cancellation, leave nothing here, and show no secret."""
    host = machine.host
    report = check_plugin(
        connected.run_plugin,
        [
            ShellOn(
                host,
                'echo "$TOKEN"; cat',
                env=TOKEN,
                stdin="text\n",
                detached=detached,
            )
        ],
        refused=[RunOn(host, ()), RunOn(host, ("ls -l",)), ShellOn(host, " ")],
        failing=[
            ShellOn(host, 'echo "no entry for $TOKEN" >&2; exit 3', env=TOKEN),
            RunOn(host, ("/no/such/program",)),
            RunOn(NOWHERE, ("true",)),
        ],
        slow=ShellOn(host, "sleep 60 & sleep 61", detached=detached),
        steps=3,
        within=20,
    )

    assert {"secrets", "timeout", "left-behind"} <= set(report.checked)
    if not detached:  # which an engine that closes leaves for the next one to find
        machine.wait_until_idle()


@pytest.mark.parametrize("detached", [False, True])
def test_a_command_that_changes_something_conforms(
    machine: Machine, connected: Client, detached: bool
) -> None:
    """Interrupted anywhere, it is done once, or said to be uncertain (R-7)."""
    lines = machine.home / "lines.txt"
    script = 'echo "a line" >> "$1"'
    report = check_plugin(
        connected.run_plugin,
        [ShellOn(machine.host, script, args=(str(lines),), detached=detached)],
        reset=lambda: lines.unlink(missing_ok=True),
        look=lambda: lines.exists() and lines.read_text(),
        steps=4,
        within=20,
    )

    assert "interrupted" in report.checked


def test_checks_on_hosts_conform(machine: Machine, connected: Client) -> None:
    """A check looks, and leaves nothing: neither here nor there."""
    host = machine.host
    report = check_plugin(
        connected.check_plugin,
        [ShellOn(host, 'echo "$TOKEN"', env=TOKEN)],
        refused=[RunOn(host, ())],
        failing=[ShellOn(host, 'echo "$TOKEN"; exit 3', env=TOKEN)],
        slow=RunOn(host, ("sleep", "60")),
        look=lambda: len(machine.jobs()),
        steps=3,
        within=20,
    )

    assert "secrets" in report.checked


def test_copies_conform(machine: Machine, connected: Client, tmp_path: Path) -> None:
    """Interrupted anywhere and made again, a copy is there once, and nothing beside it."""
    source, there, here = tmp_path / "a", machine.home / "there", tmp_path / "here"
    source.write_bytes(b"content" * 10_000)
    fetched = machine.home / "fetched"
    fetched.write_bytes(b"fetched" * 10_000)
    for place in (there, here):
        place.mkdir()

    def reset() -> None:
        for place in (there, here):
            for path in place.iterdir():
                path.unlink()

    report = check_plugin(
        connected.copy_plugin,
        [
            CopyTo(machine.host, str(source), str(there / "copy"), mode=0o640),
            CopyFrom(machine.host, str(fetched), str(here / "copy")),
        ],
        refused=[CopyTo(machine.host, "", "/b"), CopyFrom(machine.host, "/a", "b")],
        failing=[
            CopyTo(machine.host, str(tmp_path / "missing"), str(there / "copy")),
            CopyFrom(machine.host, "/no/such/file", str(here / "copy")),
        ],
        reset=reset,
        look=lambda: {
            path.name: (path.stat().st_mode, path.stat().st_size)
            for place in (there, here)
            for path in place.iterdir()
        },
        steps=4,
        within=20,
    )

    assert "interrupted" in report.checked
