"""Login scripts and shells: what comes between a connection and our program."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
from quickly import one_in
from trio.testing import MockClock, trio_test

from workstream import PluginError
from workstream_ssh import CopyTo, RunOn, SshProblem
from workstream_ssh._connecting import talk

if TYPE_CHECKING:
    from conftest import Client, Login, MakeMachine


@pytest.mark.slow
@pytest.mark.parametrize("script", one_in(2, ["read answer", "cat >/dev/null"]))
@trio_test
async def test_a_login_script_that_reads_the_input_is_found_out(
    client: Client, login: Login, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    """It would have had our program; nothing is begun, and the message names it."""
    monkeypatch.setattr(talk, "SILENCE", 1.0)
    (login.machine.home / ".bashrc").write_text(f"{script}\n")
    # The longer of the two counts, and each request waits for it.
    host = attrs.evolve(login.machine.host, connect_timeout=3)
    source = login.machine.home / "source"
    source.touch()

    for error in (
        await client.error(RunOn(host, ("touch", "begun"), cwd="~")),
        await client.copy_error(CopyTo(host, str(source), "~/begun")),
    ):
        assert error.code == SshProblem.HOST_UNSUITED
        assert (
            "its scripts (~/.profile, ~/.bashrc, /etc/profile and such) read the "
            "standard input, which is for our program"
        ) in error.message
    login.machine.wait_until_idle()
    assert not (login.machine.home / "begun").exists()


@trio_test
async def test_a_timeout_in_a_login_script_says_so(
    client: Client, login: Login, clock: MockClock
) -> None:
    """Whatever it waits for."""
    told = login.machine.gate("told")
    (login.machine.home / "told").chmod(0o666)
    (login.machine.home / ".bashrc").write_text("echo up >~/told; read answer\n")
    said = ""
    async with trio.open_nursery() as nursery:

        async def end_time() -> None:
            await told.wait()
            clock.jump(10)

        nursery.start_soon(end_time)
        with trio.move_on_after(10):
            try:
                await client.run(RunOn(login.machine.host, ("true",)))
            except PluginError as error:
                said = error.message

    assert ": the login to come to our program. Its scripts may wait for" in said


@pytest.mark.slow
@trio_test
async def test_what_a_login_script_asks_for_in_passing_does_no_harm(
    client: Client, login: Login
) -> None:
    """Our program is sent when the scripts are over, so none of it is read by them."""
    (login.machine.home / ".bashrc").write_text("read -t 0.1 answer\necho hello\n")

    result = await client.run(RunOn(login.machine.host, ("cat",), stdin="input"))

    assert result.stdout == "input"


@pytest.mark.slow
@trio_test
async def test_a_long_program_is_read_in_pieces(
    make_machine: MakeMachine, client: Client, tmp_path: Path
) -> None:
    """Of 1.5 MB, not byte by byte: that would take a million calls of the system."""
    if shutil.which("strace") is None:
        pytest.skip("there is no strace here (Debian has it in strace)")
    log = tmp_path / "log"
    force = f'strace -f -qq -e trace=read -o {log} sh -c "$SSH_ORIGINAL_COMMAND"'
    machine = make_machine(extra=f"ForceCommand {force}")
    words = [str(number) * 125_000 for number in range(1, 10)] * 2
    words = words[:12]
    script = 'for word; do printf "%s\\n" "$word"; done | cksum; echo $#'

    result = await client.run(RunOn(machine.host, ("sh", "-c", script, "sh", *words)))

    assert result.stdout.endswith("\n12\n")
    assert result.stdout.split()[1] == str(12 * 125_001)
    of_one_byte = re.findall(r", 1\) += 1$", log.read_text(errors="replace"), re.M)
    assert len(of_one_byte) < 10_000
