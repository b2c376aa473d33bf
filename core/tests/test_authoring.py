"""What ``workstream.plugins`` offers to plugin authors."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest
import trio
from trio.testing import MockClock

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    PluginError,
    SecretRef,
    Sequence,
)
from workstream.plugins import (
    FilteredContext,
    LookingContext,
    NoSignals,
    NoteValue,
    argument_faults,
    environment_faults,
    explained_timeout,
    flag_faults,
    is_mount,
    is_temporary_name,
    leaves_of,
    number_faults,
    numbered,
    path_faults,
    python_interpreter,
    refuse,
    temporary_name,
    text_faults,
    words_faults,
)
from workstream.testing import run_plan

# --- faults -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (text_faults("f", "text"), None),
        (text_faults("f", "", empty=True), None),
        (text_faults("f", 1), "f must be text, not int"),
        (text_faults("f", ""), "f is empty"),
        (text_faults("f", "\0"), "f holds a NUL character, which no command can be"),
        (text_faults("f", "\ud800"), "f holds characters that cannot be encoded"),
        (words_faults("f", ("a", "")), None),
        (
            words_faults("f", "a b"),
            "f=('a b',) is one word; for a whole line use Shell",
        ),
        (words_faults("f", ["a"]), "f must be a tuple of words, not list"),
        (words_faults("f", ("a", 1)), "f[1] must be text, not int"),
        (path_faults("f", "/a/../b/"), None),
        (path_faults("f", "~/a", home=True), None),
        (path_faults("f", "~/a"), "must be an absolute path, not '~/a' (~ is not"),
        (
            path_faults("f", "a", home=True),
            "an absolute path or begin with ~/, not 'a'",
        ),
        (path_faults("f", "/a\0"), "f holds a NUL character, which no path can have"),
        (path_faults("f", "/" + "a" * 256), "f has a name of more than 255 bytes"),
        (
            path_faults("f", "/a" * 2048),
            "more than 4,095 bytes, which no path can have",
        ),
        (path_faults("f", "/", plain=True), "f is the root of the file system"),
        (path_faults("f", "/a/../b", plain=True), "'/b' rather than '/a/../b'"),
        (number_faults("f", 0), None),
        (number_faults("f", 9, most=9, whole=True), None),
        (number_faults("f", -1), "f must be a number of seconds, 0 or more, not -1"),
        (number_faults("f", True), "not True"),
        (number_faults("f", float("nan")), "not nan"),
        (number_faults("f", float("inf")), "not inf"),
        (number_faults("f", "1"), "not '1'"),
        (
            number_faults("f", 1.5, most=9_000_000, whole=True, unit="bytes"),
            "f must be a whole number of bytes from 0 to 9,000,000, not 1.5",
        ),
        (environment_faults("env", {"A": "", "B": SecretRef("env:B")}), None),
        (environment_faults("env", ["A"]), "env must be a dict, not list"),
        (environment_faults("env", {"A=B": "1"}), "'A=B' in env is no name"),
        (environment_faults("env", {"": "1"}), "'' in env is no name"),
        (environment_faults("env", {1: "1"}), "the name 1 in env must be text"),
        (environment_faults("env", {"A": 1}), "env['A'] must be text, not int"),
    ],
)
def test_faults_name_the_field(found: Iterator[str], fault: str | None) -> None:
    """A valid value yields no clause; an invalid one yields one that says why."""
    clauses = list(found)

    assert len(clauses) == (fault is not None)
    assert (fault or "") in "".join(clauses)


def test_flags_must_be_true_or_false() -> None:
    """A number that only looks like one is refused."""

    class Request:
        good, bad = True, 1

    assert list(flag_faults(Request(), "good", "bad")) == [
        "bad must be True or False, not 1"
    ]


def test_all_faults_are_raised_at_once() -> None:
    """One error holds every clause; without clauses there is no error."""
    refuse([])
    with pytest.raises(ValueError, match=r"^one; two$"):
        refuse(iter(["one", "two"]))


def runs(argument: str, count: int = 1, env: dict[str, str] | None = None) -> bool:
    """Whether Linux starts a program with these arguments."""
    words = ["/bin/true", *[argument] * count]
    try:
        subprocess.run(words, env=env or {}, check=True)
    except OSError:
        return False
    return True


def faults_of(
    argument: str, count: int = 1, env: dict[str, str] | None = None
) -> list[str]:
    """What validation finds in the same."""
    words = ["/bin/true", *[argument] * count]
    return list(argument_faults(numbered("argv", words), env or {}))


@pytest.mark.skipif(
    os.sysconf("SC_PAGE_SIZE") != 4096, reason="Linux allows more with larger pages"
)
def test_arguments_are_measured_as_linux_does() -> None:
    """The longest argument and variable that pass validation are the longest that run."""
    assert runs("x" * 131_071)
    assert faults_of("x" * 131_071) == []
    assert not runs("x" * 131_072)
    [fault] = faults_of("x" * 131_072)
    assert fault.startswith("argv[1] has 131,072 bytes, more than the 131,071 that")
    longest = {"A": "x" * 131_069}
    assert runs("", env=longest)
    assert faults_of("", env=longest) == []
    assert not runs("", env={"A": "x" * 131_070})
    [fault] = faults_of("", env={"A": "x" * 131_070})
    assert fault.startswith("env['A'] has 131,072 bytes")
    secret = SecretRef("env:A")
    assert list(argument_faults({}, {"A": secret})) == []


def test_too_many_arguments_are_refused() -> None:
    """All together may not have more than Linux ever allows."""
    assert not runs("x" * 100_000, 63)
    [fault] = faults_of("x" * 100_000, 63)

    assert fault.startswith("arguments and env have 6,3")
    assert "hand them over in a file or in stdin" in fault


PLAN_ID, ACTION_ID = UUID(int=1), UUID(int=2)

# --- names, errors, contexts --------------------------------------------------------


def test_temporary_names_belong_to_one_action() -> None:
    """The same key gives the same hidden name, and no other key does."""
    name = temporary_name("key")

    assert name == temporary_name("key") != temporary_name("other")
    assert name.startswith(".")
    assert is_temporary_name(name)
    assert not is_temporary_name(f"a{name}")


def test_leaves_are_found_in_any_depth() -> None:
    """An exception that is no group is its own leaf."""
    one, two = ValueError("1"), KeyError("2")
    group = ExceptionGroup("", [one, ExceptionGroup("", [two])])

    assert list(leaves_of(group)) == [one, two]
    assert list(leaves_of(one)) == [one]


@attrs.define
class Attempt(NoSignals):
    """The context of an attempt; it keeps what it is told."""

    plan_id: UUID = PLAN_ID
    action_id: UUID = ACTION_ID
    path: str = "P / A"
    attempt: int = 3
    deadline: datetime | None = None
    idempotency_key: str = "key"
    notes: Mapping[str, NoteValue] = attrs.field(factory=dict[str, NoteValue])
    lines: list[str] = attrs.field(factory=list[str])

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        self.lines.append(f"{message} ({done}/{total})")

    async def remember(self, **notes: NoteValue) -> None:
        self.notes = {**self.notes, **notes}


def plan_of(plugin: type[Any], **keywords: Any) -> Plan:
    """A plan of one action."""
    action = plugin.action(None, name="A", **keywords)
    sequence = Sequence(name="S", actions=[action])
    return Plan(name="P", blocks=[Block(name="B", sequences=[sequence])])


def test_a_filter_decides_what_watchers_see() -> None:
    """All else of the context is the attempt's own."""
    attempt = Attempt()
    filtered: Context = FilteredContext(
        attempt, lambda line: None if line == "noise" else line.upper()
    )

    filtered.report("noise")
    filtered.report("news", done=1, total=2)
    trio.run(lambda: filtered.remember(pid=7))

    assert attempt.lines == ["NEWS (1/2)"]
    assert attempt.notes == {"pid": 7}
    for name in attrs.fields_dict(Attempt).keys() - {"lines"}:
        assert getattr(filtered, name) == getattr(attempt, name)


def test_a_look_notes_nothing() -> None:
    """The context of a preview has a key of its own, and forgets what it is told."""

    class Asked:
        path, deadline = "P / A", None

    looking, other = LookingContext(Asked()), LookingContext(Asked())
    context: Context = looking
    context.report("a line")
    trio.run(lambda: context.remember(pid=1))

    assert dict(context.notes) == {}
    assert (context.path, context.deadline, context.attempt) == ("P / A", None, 1)
    assert looking.idempotency_key != other.idempotency_key


# --- mounts -------------------------------------------------------------------------

MOUNTS = """
import os
from workstream.plugins import is_mount
print(*(is_mount(path) for path in ("file", "folder", "plain", ".")))
print(is_mount("file", dir_fd=os.open(".", os.O_RDONLY)))
"""


@pytest.mark.slow
def test_mounts_of_the_same_file_system_are_seen(tmp_path: Path) -> None:
    """A file or directory that is bound to another one, as container runtimes do."""
    script = (
        "touch file source plain; mkdir folder other; mount --bind source file; "
        'mount --bind other folder; exec "$@"'
    )
    words = ["unshare", "--mount", "sh", "-ec", script, "sh"]
    try:
        done = subprocess.run(
            [*words, sys.executable, "-c", MOUNTS],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare here (Debian has it in util-linux)")
    if "ermi" in done.stderr:  # permission denied, or operation not permitted
        pytest.skip("this user may mount nothing")

    assert done.stdout == "True True False False\nTrue\n", done.stderr


def test_what_is_not_there_is_no_mount(tmp_path: Path) -> None:
    """The caller is told."""
    with pytest.raises(FileNotFoundError):
        is_mount(str(tmp_path / "a"))


# --- the interpreter ----------------------------------------------------------------


def test_the_interpreter_is_the_one_that_runs() -> None:
    """A child gets the Python that the engine has, with its environment."""
    assert python_interpreter() == sys.executable


def test_a_packed_program_has_no_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not started again in place of one."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)

    with pytest.raises(PluginError, match="packed into one file") as caught:
        python_interpreter()

    assert caught.value.permanent


def test_a_program_that_embeds_python_is_not_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The interpreter that belongs to its library is, or there is none."""
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (tmp_path / python).touch(0o755)
    monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")

    def bin_directory(name: str) -> str:
        return str(tmp_path)

    monkeypatch.setattr(sysconfig, "get_config_var", bin_directory)
    assert python_interpreter() == str(tmp_path / python)

    (tmp_path / python).unlink()
    with pytest.raises(PluginError, match="'/usr/bin/uwsgi' is another program"):
        python_interpreter()


# --- timeouts -----------------------------------------------------------------------


class WaitForEver(ActionPlugin[None, None]):
    """Wait for something that never comes."""

    name = "acme.wait"

    async def execute(self, context: Context, request: None, /) -> None:
        looks = 0
        async with (
            explained_timeout(lambda: f"nothing came at {looks} looks"),
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(trio.sleep_forever)
            while True:
                looks += 1
                await trio.sleep(2)


def test_a_timeout_says_what_was_waited_for() -> None:
    """The engine's words come first, the plugin's explanation behind them (A-4)."""
    run = run_plan(plan_of(WaitForEver, timeout=5), plugins=[WaitForEver()])

    error = run.plan.blocks[0].sequences[0].actions[0].attempts[0].error
    assert str(error) == "plugin execution timed out: nothing came at 3 looks"
    assert not (error and error.permanent)


def test_another_cancellation_passes_unchanged() -> None:
    """Who cancels for another reason than a timeout gets a cancellation."""
    explained: list[str] = []

    def explain() -> str:
        explained.append("asked")
        return "never"

    async def main() -> None:
        with trio.move_on_after(100), trio.CancelScope() as scope:
            async with explained_timeout(explain):
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert explained == []


def test_other_errors_pass_unchanged() -> None:
    """An error of the block's own is not taken for a timeout."""

    async def main() -> None:
        async with explained_timeout(lambda: "never"):
            message = "no such thing"
            raise PluginError(message)

    with pytest.raises(PluginError, match=r"^no such thing$"):
        trio.run(main)
