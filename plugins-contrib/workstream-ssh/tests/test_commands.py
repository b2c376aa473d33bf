"""Commands on a real host, from the request to the response or the error."""

from __future__ import annotations

import contextlib
import os
import shutil
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
from trio.testing import trio_test

from workstream import PluginError, SecretRef
from workstream_ssh import Host, RunOn, RunResult, ShellOn, SshProblem

if TYPE_CHECKING:
    from conftest import Client, Machine, MakeMachine, Recorder

HIDDEN = "[secret hidden]"
AS_DETACHED = pytest.mark.parametrize("detached", [False, True])

# --- how it ends ----------------------------------------------------------------


@AS_DETACHED
@trio_test
async def test_a_command_that_ends_well_gives_its_output(
    client: Client, host: Host, detached: bool
) -> None:
    """The response holds the exit code and both streams, apart."""
    request = ShellOn(host, "echo out; echo err >&2", detached=detached)

    assert await client.run(request) == RunResult(
        exit_code=0, stdout="out\n", stderr="err\n"
    )


@pytest.mark.slow
@AS_DETACHED
@trio_test
async def test_an_unexpected_exit_code_is_an_error_with_the_last_lines(
    client: Client, host: Host, detached: bool
) -> None:
    """The error's code is the exit code, its message ends with what stderr said."""
    script = "for i in 1 2 3 4 5 6 7 8 9 10 11; do echo line $i >&2; done; exit 5"

    error = await client.error(ShellOn(host, script, detached=detached))

    assert error.code == 5
    assert not error.permanent
    assert "exited with code 5, expected 0; the end of its stderr:" in str(error)
    assert error.message.endswith("line 10\nline 11")
    assert "line 1\n" not in error.message


@pytest.mark.slow
@trio_test
async def test_exit_code_255_is_the_commands_own(client: Client, host: Host) -> None:
    """A command may end with the code that ssh uses for its own errors."""
    error = await client.error(RunOn(host, ("sh", "-c", "exit 255")))

    assert error.code == 255
    assert "exited with code 255" in error.message

    expected = RunOn(host, ("sh", "-c", "exit 255"), expected_exit_codes=(255,))
    assert (await client.run(expected)).exit_code == 255


@pytest.mark.slow
@trio_test
async def test_a_signal_shows_as_shells_have_it(client: Client, host: Host) -> None:
    """A command that is ended by a signal has the code 128 and its number."""
    error = await client.error(ShellOn(host, "kill -KILL $$"))

    assert error.code == 137
    assert "exited with code 137 (as if ended by SIGKILL)" in error.message


@pytest.mark.slow
@trio_test
async def test_a_program_that_is_not_there_is_permanent(
    client: Client, host: Host
) -> None:
    """Trying again does not bring it there (A-9)."""
    error = await client.error(RunOn(host, ("no-such-program",)))

    assert (error.code, error.permanent) == (127, True)
    assert "no-such-program is not found in /" in error.message


@pytest.mark.slow
@trio_test
async def test_a_directory_that_is_not_there_is_permanent(
    client: Client, host: Host
) -> None:
    """Nothing is run in another one instead."""
    error = await client.error(RunOn(host, ("true",), cwd="/no/such/directory"))

    assert (error.code, error.permanent) == (126, True)
    assert "'/no/such/directory' cannot be entered" in error.message


# --- what it is given -----------------------------------------------------------

WORDS = (
    "",
    " ",
    "; touch hacked; #",
    "$HOME `id` $(id)",
    'it\'s "quoted"',
    "line\nbreak",
    "back\\slash\\n",
    "*",
    "-n",
    "!!",
    "ünï ☃",
    "\udcff",
)


@trio_test
async def test_words_arrive_as_they_are(
    client: Client, host: Host, machine: Machine
) -> None:
    """No shell on the way takes a word for anything but itself."""
    script = 'for word; do printf "<%s>\\n" "$word"; done >words'
    await client.run(
        RunOn(host, ("sh", "-c", script, "sh", *WORDS), cwd=str(machine.home))
    )

    found = (machine.home / "words").read_bytes()
    shown = "".join(f"<{word}>\n" for word in WORDS)
    assert found == shown.encode("utf-8", "surrogateescape")
    assert not (machine.home / "hacked").exists()


@AS_DETACHED
@trio_test
async def test_environment_input_and_directory(
    client: Client, host: Host, machine: Machine, context: Recorder, detached: bool
) -> None:
    """A command gets its variables, its input, its directory, and its identity."""
    (machine.home / "a folder").mkdir()
    script = (
        'cat; printf "%s\\n" "$ONE" "$WORKSTREAM_IDEMPOTENCY_KEY" '
        '"$WORKSTREAM_ATTEMPT" "$PWD" "$(umask)"'
    )
    request = ShellOn(
        host,
        script,
        env={"ONE": "it's $HOME\nand more"},
        stdin="first\nlast, without an end",
        cwd="~/a folder",
        detached=detached,
    )

    result = await client.run(request, context)

    assert result.stdout.splitlines() == [
        "first",
        "last, without an endit's $HOME",
        "and more",
        context.idempotency_key,
        "1",
        str(machine.home / "a folder"),
        "0022",
    ]


@trio_test
async def test_much_input_arrives_whole(client: Client, host: Host) -> None:
    """Input is not limited by what a pipe, or an argument, can hold."""
    request = RunOn(host, ("wc", "-c"), stdin="x" * 3_000_000)

    assert (await client.run(request)).stdout.strip() == "3000000"


@pytest.mark.slow
@trio_test
async def test_without_input_there_is_nothing_to_read(
    client: Client, host: Host
) -> None:
    """A command that reads its input sees its end at once."""
    assert (await client.run(RunOn(host, ("cat",)))).stdout == ""


@pytest.mark.slow
@trio_test
async def test_a_script_has_its_arguments_and_its_interpreter(
    client: Client, host: Host
) -> None:
    """Values come as arguments, never in the script's text."""
    request = ShellOn(
        host,
        'echo "$0: $1, $2"; false; echo not seen',
        args=("a b", "c"),
        interpreter=("/bin/sh", "-e"),
        expected_exit_codes=(1,),
    )

    assert (await client.run(request)).stdout == "/bin/sh: a b, c\n"


# --- secrets --------------------------------------------------------------------


@pytest.mark.slow
@AS_DETACHED
@trio_test
async def test_no_argument_of_any_process_holds_a_secret(
    client: Client, host: Host, context: Recorder, detached: bool
) -> None:
    """What comes as a reference is seen neither in lists of processes nor in output."""
    secret = SecretRef("env:TOKEN").resolved("hunter2-hunter2")
    script = (
        'printf "%s" "$TOKEN" >pattern; cat /proc/[0-9]*/cmdline >arguments; '
        'grep -ac -f pattern arguments; echo "$TOKEN"; cat; '
        "grep -rl -f pattern ~/.workstream"
    )
    request = ShellOn(
        host,
        script,
        env={"TOKEN": secret},
        stdin=secret,
        cwd="~",
        expected_exit_codes=(0, 1),
        detached=detached,
    )

    result = await client.run(request, context)

    count, told, rest = result.stdout.split("\n", 2)
    assert (count, told) == ("0", HIDDEN)
    # What a detached command has written itself is all that the host keeps of it.
    kept = rest.removeprefix(HIDDEN).split()
    assert [Path(path).name for path in kept] == (["out"] if detached else [])
    assert "hunter2" not in repr((result, context.lines, context.notes))


# --- what it writes -------------------------------------------------------------


@pytest.mark.slow
@AS_DETACHED
@trio_test
async def test_lines_are_passed_on_as_they_come(
    client: Client, host: Host, machine: Machine, context: Recorder, detached: bool
) -> None:
    """Watchers see a line while the command still runs (WA-3)."""
    gate = machine.gate()
    script = "echo first; read line <gate; echo last"
    request = ShellOn(host, script, cwd=str(machine.home), detached=detached)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run, request, context)
        await context.until("first")
        assert "last" not in context.lines
        await gate.open()

    assert context.lines == ["first", "last"]


@pytest.mark.slow
@trio_test
async def test_what_is_no_text_is_shown_as_such(client: Client, host: Host) -> None:
    """Bytes that are not UTF-8 become U+FFFD, and nothing breaks."""
    result = await client.run(ShellOn(host, "printf 'a\\377\\000b\\303'"))

    assert result.stdout == "a\ufffd\0b\ufffd"


@AS_DETACHED
@trio_test
@pytest.mark.slow
async def test_much_output_takes_little_room(
    client: Client, host: Host, machine: Machine, context: Recorder, detached: bool
) -> None:
    """Of 100 MB the head and the tail are kept, and the rest is counted."""
    size = 100_000_000
    context.keep_lines = False
    script = f"echo begin; head -c {size} /dev/zero | tr '\\0' x; echo; echo end"
    request = ShellOn(host, script, keep=1000, detached=detached)

    tracemalloc.start()
    result = await client.run(request, context)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert result.stdout.startswith("begin\nxxx")
    assert result.stdout.endswith("xxx\nend\n")
    assert result.stdout_left_out == size + len("begin\n\nend\n") - 1000
    assert peak < 20_000_000
    # The host keeps no more of it either.
    kept = sum(
        path.stat().st_size for path in machine.home.rglob("*") if path.is_file()
    )
    assert kept < 20_000_000


@pytest.mark.slow
@trio_test
async def test_a_talkative_login_is_not_taken_for_the_command(
    make_machine: MakeMachine, client: Client
) -> None:
    """What a login shell's scripts say, before and after, is no output."""
    force = (
        'echo Welcome; echo Mind the gap >&2; sh -c "$SSH_ORIGINAL_COMMAND"; echo Bye'
    )
    machine = make_machine(extra=f"ForceCommand {force}")

    result = await client.run(ShellOn(machine.host, "echo out; echo err >&2"))

    assert result == RunResult(exit_code=0, stdout="out\n", stderr="err\n")


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["dash", "bash", "zsh", "fish", "tcsh", "busybox"])
@trio_test
async def test_any_login_shell_will_do(
    make_machine: MakeMachine, client: Client, shell: str
) -> None:
    """No login shell has to make sense of more than one simple word in quotes."""
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"there is no {shell} here (Debian has it in {shell})")
    program = f"{path} sh" if shell == "busybox" else path
    machine = make_machine(extra=f'ForceCommand {program} -c "$SSH_ORIGINAL_COMMAND"')

    request = RunOn(
        machine.host, ("printf", "%s|", *WORDS[1:5]), directory=f"{machine.home}/jobs"
    )
    can_become = os.getuid() == 0 and shutil.which("sudo") is not None
    for become in (None, "root") if can_become else (None,):
        result = await client.run(attrs.evolve(request, become=become))

        assert result.stdout == "".join(f"{word}|" for word in WORDS[1:5])


@pytest.mark.slow
@trio_test
async def test_a_login_that_runs_nothing_is_told(
    make_machine: MakeMachine, client: Client
) -> None:
    """A host that lets us in and runs no program is no host for us."""
    machine = make_machine(extra="ForceCommand echo This account is closed.; exit 1")

    error = await client.error(RunOn(machine.host, ("true",)))

    assert (error.code, error.permanent) == (SshProblem.HOST_UNSUITED, True)
    assert (
        "its shell ends with code 1 and says: This account is closed." in error.message
    )


@pytest.mark.slow
@trio_test
async def test_a_host_without_setsid_is_told(
    make_machine: MakeMachine, client: Client, tmp_path: Path
) -> None:
    """What a host must have is named."""
    for name in (
        "dd",
        "sed",
        "cut",
        "cat",
        "mkdir",
        "rm",
        "find",
        "sleep",
        "head",
        "wc",
    ):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    force = f'PATH={tmp_path} /bin/sh -c "$SSH_ORIGINAL_COMMAND"'
    machine = make_machine(extra=f"ForceCommand {force}")

    error = await client.error(RunOn(machine.host, ("true",)))

    assert (error.code, error.permanent) == (SshProblem.HOST_UNSUITED, True)
    assert "there is no program setsid" in error.message


# --- a full disk ----------------------------------------------------------------


def fill(disk: Path) -> None:
    """Leave no room on a disk."""
    with contextlib.suppress(OSError), (disk / "filler").open("wb", 0) as file:
        while True:
            file.write(bytes(4096))


@pytest.mark.slow
@AS_DETACHED
@trio_test
async def test_nothing_is_begun_that_cannot_be_noted(
    client: Client, small_disk: Path, machine: Machine, detached: bool
) -> None:
    """On a full disk a command could not be found again, so it is not begun."""
    fill(small_disk)
    directory = str(small_disk / "jobs")
    request = ShellOn(
        machine.host, "touch ~/begun", directory=directory, detached=detached
    )

    error = await client.error(request)

    assert (error.code, error.permanent) == (SshProblem.NO_ROOM, False)
    assert f"noted about the command in {directory}, where 0 KiB are free" in str(error)
    assert not (machine.home / "begun").exists()


@pytest.mark.slow
@AS_DETACHED
@trio_test
async def test_a_command_that_fills_the_disk_has_its_exit_code_noted(
    client: Client,
    small_disk: Path,
    machine: Machine,
    context: Recorder,
    detached: bool,
) -> None:
    """Room for it was set aside, so it is known for a second time, too."""
    request = ShellOn(
        machine.host,
        "cat /dev/zero >filler 2>/dev/null; exit 3",
        cwd=str(small_disk),
        directory=str(small_disk / "jobs"),
        expected_exit_codes=(3,),
        detached=detached,
    )

    assert (await client.run(request, context)).exit_code == 3
    again = await client.reconcile(request, context)
    assert again == RunResult(exit_code=3, output_lost=not detached)


@pytest.mark.slow
@trio_test
async def test_a_check_needs_no_disk(
    client: Client, small_disk: Path, machine: Machine
) -> None:
    """It is how one finds out that the disk is full."""
    fill(small_disk)
    directory = str(small_disk / "jobs")

    result = await client.check(ShellOn(machine.host, "true", directory=directory))

    assert result.exit_code == 0


# --- checks ---------------------------------------------------------------------


@pytest.mark.slow
@trio_test
async def test_a_check_leaves_nothing_behind(
    client: Client, host: Host, machine: Machine
) -> None:
    """A check changes nothing, so the host remembers nothing of it (REG-8)."""
    request = RunOn(host, ("cat",), stdin="fine")

    assert (await client.check(request)).stdout == "fine"

    assert list(machine.home.iterdir()) == []
    assert [n for n in os.listdir("/dev/shm") if n.startswith("workstream-")] == []


@trio_test
async def test_a_check_that_fails_says_why(client: Client, host: Host) -> None:
    """It fails as a command does."""
    with pytest.raises(PluginError, match="disk is full"):
        await client.check(ShellOn(host, "echo disk is full >&2; exit 1"))
