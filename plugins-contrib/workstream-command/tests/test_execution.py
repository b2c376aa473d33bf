"""Attempts of real commands, from the request to the response or the error."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tracemalloc
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import attrs
import pytest
import trio

from workstream import Context, PluginError, SecretRef
from workstream.plugins import NoSignals, NoteValue
from workstream_command import CommandResult, Run, Shell
from workstream_command._execution import carry_out
from workstream_command._session import members, process_of

T = TypeVar("T")

IDLE = "sleep 1000"
HIDDEN = "[secret hidden]"
PLAN_ID, ACTION_ID = UUID(int=1), UUID(int=2)


@attrs.define
class Recorder(NoSignals):
    """A context that keeps what it is told, and lets a test wait for it."""

    plan_id: UUID = PLAN_ID
    action_id: UUID = ACTION_ID
    path: str = "Plan / Block / Sequence / Action"
    attempt: int = 3
    deadline: datetime | None = None
    idempotency_key: str = "key-of-this-test"
    notes: Mapping[str, NoteValue] = attrs.field(factory=dict[str, NoteValue])
    lines: list[str] = attrs.field(factory=list[str])
    keep_lines: bool = True
    reported: trio.Event = attrs.field(factory=trio.Event)

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        if self.keep_lines:
            self.lines.append(message)
        self.reported.set()

    async def remember(self, **notes: NoteValue) -> None:
        self.notes = {**self.notes, **notes}

    @property
    def pid(self) -> int:
        pid = self.notes["pid"]
        assert isinstance(pid, int)
        return pid

    def is_finished(self) -> bool:
        """Whether nothing is left of the command."""
        return members(self.pid) == [] and process_of(self.pid) is None


def is_a_context(recorder: Recorder) -> Context:
    """Let the type checkers see that a Recorder is what plugins are given."""
    return recorder


def perform(request: Run | Shell, context: Recorder | None = None) -> CommandResult:
    """Carry one attempt out, and see that nothing is left of it."""
    recorder = context or Recorder()

    async def main() -> CommandResult:
        before = os.listdir("/proc/self/fd")
        try:
            with trio.fail_after(60):  # a hang is a failure, not a hang
                return await carry_out(recorder, request)
        finally:
            # What other tests have left may be closed meanwhile, by the collector.
            assert len(before) >= len(os.listdir("/proc/self/fd"))

    try:
        return trio.run(main)
    finally:
        if recorder.notes:
            assert recorder.is_finished()


def cancelled(
    request: Run | Shell,
    when: Callable[[Recorder], Awaitable[None]],
    recorder: Recorder | None = None,
    *,
    check: bool = True,
) -> Recorder:
    """Cancel an attempt at some moment, and see that nothing is left of it."""
    recorder = recorder or Recorder()

    async def main() -> None:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(carry_out, recorder, request)
                await when(recorder)
                nursery.cancel_scope.cancel()

    trio.run(main)
    assert not check or recorder.is_finished()
    return recorder


async def first_line(recorder: Recorder) -> None:
    await recorder.reported.wait()


# --- how it ends ----------------------------------------------------------------


def test_a_command_that_ends_well_gives_its_output() -> None:
    """The response holds the exit code and both streams, apart."""
    result = perform(Shell("echo out; echo err >&2"))

    assert result == CommandResult(exit_code=0, stdout="out\n", stderr="err\n")


def test_an_unexpected_exit_code_is_an_error_with_the_last_lines() -> None:
    """The error's code is the exit code, its message ends with what stderr said."""
    script = "for i in 1 2 3 4 5 6 7 8 9 10 11; do echo line $i >&2; done; exit 5"

    with pytest.raises(PluginError) as caught:
        perform(Shell(script))

    assert caught.value.code == 5
    assert not caught.value.permanent
    assert "exited with code 5, expected 0; the end of its stderr:" in str(caught.value)
    assert caught.value.message.endswith("line 10\nline 11")
    assert "line 1\n" not in caught.value.message


def test_the_error_falls_back_on_stdout() -> None:
    """A command that complains on stdout is heard too."""
    with pytest.raises(PluginError, match="the end of its stdout:\ndisk full"):
        perform(Shell("echo disk full; exit 1"))


def test_expected_exit_codes_are_successes() -> None:
    """A code in the list is a success, and then 0 is one only if it is listed too."""
    request = Run(("grep", "-q", "x", "/dev/null"), expected_exit_codes=(1, 3))

    assert perform(request).exit_code == 1
    with pytest.raises(PluginError, match="exited with code 0, expected 1 or 3"):
        perform(Run(("true",), expected_exit_codes=(1, 3)))


def test_a_signal_shows_as_shells_show_it() -> None:
    """Ended by a signal, the code is 128 and its number, the message names it."""
    with pytest.raises(PluginError, match=r"signal 9 \(SIGKILL\)") as caught:
        perform(Shell("kill -9 $$"))

    assert caught.value.code == 137


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (Run(("no-such-program",)), 127, "'no-such-program' is not found in PATH="),
        (Run(("/no/such/program",)), 127, "there is no such file"),
        (Run(("/etc",)), 126, "may not be executed"),
        (Run(("true",), cwd="/no/such/dir"), 126, "'/no/such/dir' cannot be entered"),
        (Run(("true", "x" * 200_000)), 126, "are too long"),
        (
            Run(("lost",), inherit_env=False),
            127,
            "'lost' is not found in the default PATH",
        ),
    ],
)
def test_what_cannot_be_started_fails_for_good(
    request_: Run, code: int, message: str
) -> None:
    """The error says why, is permanent (A-9), and has the code that shells give."""
    with pytest.raises(PluginError) as caught:
        perform(request_)

    assert message in caught.value.message
    assert (caught.value.code, caught.value.permanent) == (code, True)


def test_a_script_without_an_interpreter_fails_for_good(tmp_path: Path) -> None:
    """A text that is marked executable but has no #! line is no program."""
    script = tmp_path / "script"
    script.write_text("echo hello\n")
    script.chmod(0o755)

    with pytest.raises(PluginError, match="is no program") as caught:
        perform(Run((str(script),)))

    assert caught.value.permanent


# --- what it is given ----------------------------------------------------------------


def test_the_words_arrive_untouched() -> None:
    """No shell reads argv: quotes, dollars, line breaks and emptiness are kept."""
    words = ("", "a b", "$HOME", "'\"`", "x\ny", "*", "ü", "--")

    result = perform(Run(("printf", "<%s>", *words)))

    assert result.stdout == "".join(f"<{word}>" for word in words)


def test_a_script_finds_its_arguments() -> None:
    """What args holds is data to a script, never a part of it."""
    result = perform(Shell('echo "$0 $#: $1"', args=("; exit 9", "$2")))

    assert result.stdout == "/bin/sh 2: ; exit 9\n"


def test_another_interpreter_can_be_named() -> None:
    """The interpreter's options come with it."""
    with pytest.raises(PluginError) as caught:
        perform(Shell("false | true", interpreter=("bash", "-o", "pipefail")))

    assert caught.value.code == 1


def test_cwd_is_where_it_runs(tmp_path: Path) -> None:
    """A relative program is looked for in cwd."""
    script = tmp_path / "here"
    script.write_text("#!/bin/sh\npwd\n")
    script.chmod(0o755)

    result = perform(Run(("./here",), cwd=str(tmp_path)))

    assert result.stdout == f"{tmp_path.resolve()}\n"


def test_env_is_added_to_the_engine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the request wins over one of the engine."""
    monkeypatch.setenv("ONE", "engine")
    monkeypatch.setenv("TWO", "engine")

    result = perform(Shell('echo "$ONE $TWO"', env={"TWO": "request"}))

    assert result.stdout == "engine request\n"


def test_env_can_replace_the_engine_s() -> None:
    """Without inherit_env there is what the request says, and who is asking."""
    request = Run(("/usr/bin/env",), env={"ONLY": "this"}, inherit_env=False)

    result = perform(request)

    assert set(result.stdout.splitlines()) == {
        "ONLY=this",
        "WORKSTREAM_PLAN_ID=00000000-0000-0000-0000-000000000001",
        "WORKSTREAM_ACTION_ID=00000000-0000-0000-0000-000000000002",
        "WORKSTREAM_ATTEMPT=3",
        "WORKSTREAM_IDEMPOTENCY_KEY=key-of-this-test",
    }


def test_a_program_is_looked_up_in_its_own_path(tmp_path: Path) -> None:
    """PATH in env decides which program a name means."""
    (tmp_path / "tool").write_text("#!/bin/sh\necho mine\n")
    (tmp_path / "tool").chmod(0o755)

    assert perform(Run(("tool",), env={"PATH": str(tmp_path)})).stdout == "mine\n"


def test_secrets_reach_the_command_and_stay_out_of_sight() -> None:
    """A revealed reference is in the environment, and hidden in all output (CL-8)."""
    password = SecretRef("env:PASSWORD").resolved("hunter2")
    recorder = Recorder()
    script = 'test "$PASSWORD" = hunter2 && printf "a hunt%s" "er2 b"'

    result = perform(Shell(script, env={"PASSWORD": password}), recorder)

    assert result.stdout == f"a {HIDDEN} b"
    assert recorder.lines == [f"a {HIDDEN} b"]


def test_secrets_stay_out_of_errors() -> None:
    """The last lines in an error's message are freed of secrets too (CL-8)."""
    password = SecretRef("env:PASSWORD").resolved("hunter2\n")

    with pytest.raises(PluginError) as caught:
        perform(Shell("cat >&2; exit 1", stdin=password))

    assert "hunter2" not in str(caught.value)
    assert HIDDEN in str(caught.value)


def test_stdin_is_fed_to_its_end() -> None:
    """More than a pipe holds arrives whole, in UTF-8, and is followed by an end."""
    text = "äöü" * 200_000

    result = perform(Run(("wc", "-c"), stdin=text))

    assert result.stdout.strip() == str(len(text.encode()))


def test_a_command_need_not_read_its_stdin() -> None:
    """What it does not read is nobody's failure."""
    assert perform(Run(("true",), stdin="x" * 1_000_000)).exit_code == 0


def test_without_stdin_there_is_nothing_to_read() -> None:
    """A command that reads sees an end at once and does not wait for a person."""
    assert perform(Run(("cat",))).stdout == ""


def test_the_command_starts_with_a_clean_slate() -> None:
    """No file but the three is open; no signal is ignored that Python ignores."""
    result = perform(Shell("ls /proc/$$/fd; grep SigIgn /proc/$$/status"))

    *files, ignored = result.stdout.splitlines()
    assert files == ["0", "1", "2"]
    mask = int(ignored.split()[1], 16)
    assert not mask & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1))


# --- what it writes -----------------------------------------------------------------


def test_output_is_streamed_by_line() -> None:
    """A line is passed on while the command runs (WA-3)."""
    recorder = cancelled(Shell(f"echo one; {IDLE}"), first_line)

    assert recorder.lines == ["one"]


def test_what_is_not_utf_8_is_replaced() -> None:
    """Bytes that are no text show as U+FFFD and do no harm."""
    result = perform(Shell(r"printf 'a\377b\303'"))

    assert result.stdout == "a\ufffdb\ufffd"


def test_long_output_is_kept_head_and_tail() -> None:
    """What is in the middle is left out, and the response says how much."""
    result = perform(Run(("seq", "1", "10000"), keep=20))

    left_out = len("".join(f"{i}\n" for i in range(1, 10001))) - 20
    marker = f"\n[... {left_out:,} characters left out ...]\n"
    assert result.stdout == f"1\n2\n3\n4\n5\n{marker}999\n10000\n"
    assert result.stdout_left_out == left_out
    assert result.stderr_left_out == 0


@pytest.mark.slow
def test_a_hundred_megabytes_take_no_memory() -> None:
    """Memory is bounded whatever a command writes, in lines or in one line."""
    half = "50000000"
    line = "y" * 99
    script = f"yes {line} | head -c {half}; head -c {half} /dev/zero; echo; echo end"
    tracemalloc.start()
    try:
        result = perform(Shell(script), Recorder(keep_lines=False))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert result.stdout.startswith(line)
    assert result.stdout.endswith("end\n")
    assert result.stdout_left_out == 100_000_005 - 64 * 1024
    assert peak < 5_000_000


# --- what it leaves -----------------------------------------------------------------


@pytest.fixture
def no_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for what a command leaves: it would not end by itself."""
    monkeypatch.setattr("workstream_command._execution.LINGER", 0)


@pytest.mark.usefixtures("no_linger")
def test_what_runs_on_in_the_background_is_ended() -> None:
    """When the command has ended, so must what it started, and no pipe is waited for."""
    recorder = Recorder()

    result = perform(Shell(f"{IDLE} & echo $!"), recorder)

    background = int(result.stdout)
    told = f"ended what the command left running: {background} ("
    assert recorder.lines[-1].startswith(told)


@pytest.mark.usefixtures("no_linger")
def test_a_process_group_of_its_own_does_not_save_it() -> None:
    """``timeout`` makes itself a group; the session tells that it belongs here."""
    recorder = Recorder()

    perform(Shell(f"timeout 1000 {IDLE} & echo $!"), recorder)

    assert members(recorder.pid) == []


def test_what_ends_by_itself_may_finish_its_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Output through a process that outlives the command by a moment is complete."""
    # However slow the machine is; a linger that is not needed takes no time.
    monkeypatch.setattr("workstream_command._execution.LINGER", 60)
    script = "exec > >(cat; echo finished); seq 1 20000"

    result = perform(Shell(script, interpreter=("bash",), keep=1_000_000))

    assert result.stdout.endswith("19999\n20000\nfinished\n")


@pytest.mark.skipif(
    shutil.which("setsid") is None,
    reason="there is no setsid here (Debian has it in util-linux)",
)
def test_what_detached_itself_is_left_alone() -> None:
    """A session of its own means: not part of the command, even with the pipe open."""
    script = f"echo $(setsid --fork sh -c 'echo $$; exec {IDLE} >/dev/null')"

    detached = int(perform(Shell(script)).stdout)

    process = process_of(detached)
    assert process is not None
    assert process.state not in "ZX"
    os.kill(detached, signal.SIGKILL)


# --- when it is cancelled -------------------------------------------------------------


def test_cancelling_ends_the_command_and_all_it_started() -> None:
    """A pipeline of several processes is gone when the cancellation has passed."""
    cancelled(Shell(f"({IDLE} & {IDLE} | {IDLE}) & echo ready; wait"), first_line)


def test_cancelling_lets_it_clean_up() -> None:
    """TERM comes first, and the last words are heard."""
    # Ready once all has begun: what begins after TERM is heard would last to the KILL.
    script = f"trap 'echo bye; exit 3' TERM; {IDLE} & echo ready; wait"

    recorder = cancelled(Shell(script, grace=30), first_line)

    assert recorder.lines == ["ready", "bye"]


def test_what_ignores_term_is_killed() -> None:
    """KILL follows when the grace is over."""
    script = f"trap '' TERM; echo ready; while :; do {IDLE}; done"

    cancelled(Shell(script, grace=0.1), first_line)


def test_without_grace_it_is_killed_at_once() -> None:
    """With grace 0 no TERM is sent."""
    script = f"trap 'echo bye' TERM; echo ready; {IDLE} & wait"

    recorder = cancelled(Shell(script, grace=0), first_line)

    assert recorder.lines == ["ready"]


def test_a_stopped_command_can_be_ended() -> None:
    """TERM is followed by CONT, or a stopped process would never see it."""
    script = "trap 'echo bye; exit 3' TERM; echo ready; kill -STOP $$"

    async def stopped(recorder: Recorder) -> None:
        await recorder.reported.wait()
        while (process := process_of(recorder.pid)) and process.state != "T":
            await trio.lowlevel.checkpoint()

    recorder = cancelled(Shell(script, grace=30), stopped)

    assert recorder.lines == ["ready", "bye"]


def test_without_file_descriptors_it_is_killed() -> None:
    """An engine that can open nothing any more still leaves no command behind."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def exhausted(recorder: Recorder) -> None:
        await recorder.reported.wait()
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))

    recorder = Recorder()
    try:
        script = f"echo ready; {IDLE} & wait"
        cancelled(Shell(script, grace=1000), exhausted, recorder, check=False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    # Nobody could look who was left: what was killed may take a moment to end.
    while not recorder.is_finished():
        pass


def test_cancelling_before_the_note_is_durable_begins_nothing(tmp_path: Path) -> None:
    """A command whose process is not yet noted has not begun."""
    trace = tmp_path / "trace"
    launched = trio.Event()

    class Blocked(Recorder):
        async def remember(self, **notes: NoteValue) -> None:
            await Recorder.remember(self, **notes)
            launched.set()
            await trio.sleep_forever()

    recorder = Blocked()

    async def main() -> None:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(carry_out, recorder, Run(("touch", str(trace))))
                await launched.wait()
                nursery.cancel_scope.cancel()

    trio.run(main)

    assert recorder.is_finished()
    assert not trace.exists()


def test_a_note_that_cannot_be_made_begins_nothing(tmp_path: Path) -> None:
    """When the store fails, the command is not run and its error is not hidden."""
    trace = tmp_path / "trace"

    class Broken(Recorder):
        async def remember(self, **notes: NoteValue) -> None:
            await Recorder.remember(self, **notes)
            message = "no space left"
            raise OSError(message)

    with pytest.raises(OSError, match="no space left"):
        perform(Run(("touch", str(trace))), Broken())

    assert not trace.exists()


def test_the_nearest_programs_are_named(tmp_path: Path) -> None:
    """Whoever misspells a program is told what may have been meant."""
    (tmp_path / "deploy-tool").touch()

    with pytest.raises(PluginError, match=r"Did you mean 'deploy-tool'\?") as caught:
        perform(Run(("deploy-tol",), env={"PATH": f"/nowhere:{tmp_path}"}))

    assert caught.value.permanent
