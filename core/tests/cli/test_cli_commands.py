"""What the commands print, and their exit status."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result
from quickly import one_in

from workstream._cli.main import command_line
from workstream._cli.streams import ExitCode, worst
from workstream.errors import StorageError
from workstream.vaults import MemoryVault, Write

Call = Callable[..., Result]
WritePlan = Callable[..., Path]

GOOD = 'tier(Sequence(name="one", actions=[act("do")]))'
TOLERATED = """
tier(
    Sequence(name="web-1", actions=[act("copy", fail="no space left", because="disk")]),
    Sequence(name="web-2", actions=[act("copy")]),
    tolerated_failures=1,
)
"""
BAD = 'tier(Sequence(name="one", actions=[act("do", fail="no space left")]))'


@pytest.mark.parametrize(("plan", "code"), [(GOOD, 0), (TOLERATED, 3), (BAD, 1)])
def test_the_exit_status_tells_the_outcome(
    call: Call, write_plan: WritePlan, plan: str, code: int
) -> None:
    """0 completed, 3 completed with tolerated failures, 1 failed."""
    result = call("run", write_plan(plan))

    assert result.exit_code == code, result.output
    assert result.stderr == ""


def test_run_tells_what_happens_line_by_line(call: Call, write_plan: WritePlan) -> None:
    """What is worth a line, in order; at the end the failures and what to type next."""
    plan = """
    Plan(
        name="Deploy",
        pre_checks=Checks(actions=[Look.action(Do(), name="Ready")]),
        blocks=[
            Block(
                name="Tier",
                bypass_checks=Checks(actions=[Look.action(Do(fail="no"), name="Done")]),
                cont_checks=Checks(actions=[Look.action(Do(), name="Well")]),
                tolerated_failures=1,
                sequences=[
                    Sequence(name="web-1", actions=[
                        act("copy", fail="no space left", because="disk full")]),
                    Sequence(name="web-2", actions=[Act.action(
                        Do(fail="busy", times=1, permanent=False), name="copy", retries=2)]),
                ],
            ),
        ],
        deferred_actions=DeferredActions(batches=[DeferBatch(
            name="Tidy", when=WhenDeferred.ALWAYS, actions=[act("up")])]),
    )
    """
    result = call("run", write_plan(plan))

    assert result.exit_code == 3
    lines = [
        line.partition("  ")[2].strip() if line[2:3] == ":" else line.strip()
        for line in result.stdout.splitlines()
        if not line.startswith("called ")
    ]
    short_id = json.loads(call("list", "--json").stdout)[0]["short_id"]
    times = [line for line in lines if " in 0" in line or " in 1" in line]
    told = [line.partition(" in ")[0] if line in times else line for line in lines]
    assert told == [
        f"Deploy  (workstream show {short_id})",
        "✓ pre_checks: passed",
        "▶ Tier: begins, 2 sequences, 1 at a time",
        "· Tier / bypass_checks: did not pass, so there is work to do",
        "✗ Tier / web-1 / copy: failed: no space left: disk full (code 7)",
        "✗ Tier / web-1: failed",
        "↻ Tier / web-2 / copy: attempt 1 failed, retries: busy",
        "✓ Tier / web-2: completed",
        "✓ Tier: completed",
        "▶ deferred_actions: begins, 1 batch",
        "✓ deferred_actions / Tidy: completed",
        "✓ deferred_actions: completed",
        "✗ Tier / web-1 / copy  (tolerated)",
        "no space left",
        "because: disk full (code 7)",
        "1 of 2 sequences done, 1 failed",
        f"look closer:  workstream show {short_id}",
        f"1 sequence failed:  workstream retry {short_id}",
        "! Deploy: completed with failures",
    ]


def test_run_prints_json(call: Call, write_plan: WritePlan) -> None:
    """One object on standard output; the progress goes to standard error."""
    group = "01a20999-1842-728a-bfc3-10ad00000000"
    result = call("run", write_plan(TOLERATED), "--group", group, "--json")

    data = json.loads(result.stdout)
    assert "Tier / web-1: failed" in result.stderr
    assert "called Deploy / Tier / web-1 / copy" in result.stderr  # the plugin prints
    assert data["name"] == "Deploy"
    assert data["group_id"] == group
    assert data["status"] == "COMPLETED"
    assert data["outcome"] == "completed with failures"
    assert data["exit_status"] == 3
    assert data["broken_off"] is None
    assert data["not_reached"] == []
    assert data["failures"] == [
        {
            "path": "Deploy / Tier / web-1 / copy",
            "error": {
                "message": "no space left",
                "code": 0,
                "permanent": True,
                "wrapped": {
                    "message": "disk",
                    "code": 7,
                    "permanent": False,
                    "wrapped": None,
                },
            },
            "attempts": 1,
            "tolerated": True,
        }
    ]


def test_list_shows_the_newest_first(call: Call, write_plan: WritePlan) -> None:
    """With status, times and names; filtered by status, group and number."""
    group = "01a20999-1842-728a-bfc3-10ad00000000"
    call("run", write_plan(GOOD))
    call("run", write_plan(BAD), "--group", group)

    heads, bad, good = call("list").stdout.splitlines()
    assert heads.split() == ["ID", "STATUS", "SUBMITTED", "TOOK", "NAME"]
    assert "failed (block)" in bad
    assert "completed" in good
    assert len(call("list", "--limit", 1).stdout.splitlines()) == 2
    assert "failed" in call("list", "--status", "failed").stdout
    assert "failed" not in call("list", "--status", "completed").stdout
    assert call("list", "--status", "running", "--status", "crashed").stdout == (
        "no such plan\n"
    )
    rows = json.loads(call("list", "--group", group, "--json").stdout)
    assert [row["status"] for row in rows] == ["FAILED"]
    assert rows[0]["reasons"] == ["BLOCK"]
    assert not rows[0]["crashed"]


def test_list_tells_of_tolerated_failures(call: Call, write_plan: WritePlan) -> None:
    """It says what ``show`` says, for people and for programs (OM-4)."""
    call("run", write_plan(GOOD))
    call("run", write_plan(TOLERATED))

    _, tolerated, good = call("list", "--status", "completed").stdout.splitlines()
    assert "  completed with failures  " in tolerated
    assert "with failures" not in good
    rows = json.loads(call("list", "--json").stdout)
    assert [row["outcome"] for row in rows] == ["completed with failures", "completed"]
    assert [row["status"] for row in rows] == ["COMPLETED", "COMPLETED"]
    for row in rows:
        shown = json.loads(call("show", row["id"], "--json").stdout)
        assert shown["outcome"] == row["outcome"]


def test_plans_are_found_by_what_people_type(call: Call, write_plan: WritePlan) -> None:
    """By id, its beginning, its short form, the beginning of that, and ``last``."""
    for _ in range(3):
        call("run", write_plan(GOOD))
    rows = json.loads(call("list", "--json").stdout)
    for row in rows:
        short = row["short_id"]
        for text in (
            row["id"],
            row["id"].upper(),
            row["id"].replace("-", ""),
            row["id"][:24],
            short,
            short.replace("-", ""),
        ):
            found = json.loads(call("show", text, "--json").stdout)
            assert found["id"] == row["id"]
    assert json.loads(call("show", "--json").stdout)["id"] == rows[0]["id"]
    assert json.loads(call("show", "last", "--json").stdout)["id"] == rows[0]["id"]


@pytest.mark.parametrize(
    ("text", "message"),
    one_in(
        4,
        [
            ("nonsense", "'nonsense' is no plan: give an id"),
            ("abc", "'abc' is no plan: give an id"),
            ("\x1b[2J", r"'\x1b[2J' is no plan"),
            ("ffff-ffff-ffff", "the store holds no plan 'ffff-ffff-ffff'"),
        ],
    ),
)
def test_what_names_no_plan_is_told(
    call: Call, write_plan: WritePlan, text: str, message: str
) -> None:
    """The status is 2, for every command that takes a plan."""
    call("run", write_plan(GOOD))
    for command in ("show", "stop", "resume"):
        result = call(command, text)
        assert result.exit_code == 2
        assert message in result.stderr


def test_what_names_several_plans_is_told(call: Call, write_plan: WritePlan) -> None:
    """The plans that it may be are listed."""
    call("run", write_plan(GOOD))
    call("run", write_plan(GOOD))
    rows = json.loads(call("list", "--json").stdout)

    result = call("show", rows[0]["id"][:4])

    assert result.exit_code == 2
    assert "may be any of 2 plans" in result.stderr
    for row in rows:
        assert row["short_id"] in result.stderr


@pytest.mark.slow
def test_show_tells_in_one_glance_what_failed_and_why(
    call: Call, write_plan: WritePlan
) -> None:
    """The outcome, the error's chain, the last output; then the tree, cut short."""
    plan = """
    tier(
        *(Sequence(name=f"web-{n}", actions=[act("copy", say=f"copying to {n}",
            **({"fail": "no space left", "because": "disk full"} if n == 500 else {}))])
          for n in range(1000)),
        tolerated_failures=1,
        concurrency=100,
    )
    """
    call("run", write_plan(plan))

    lines = call("show").stdout.splitlines()

    assert len(lines) < 30
    assert lines[0].startswith("! Deploy: completed with failures in ")
    page = "\n".join(lines)
    # How long the action took is told where that was a second or more.
    assert re.search(r"✗ Tier / web-500 / copy  \((in \S+, )?tolerated\)", page), page
    assert "      no space left\n      because: disk full (code 7)\n" in page
    assert "│ copying to 500" in page
    assert "999 of 1,000 sequences, 1 failed" in page
    assert "✓ 999 completed: web-0, web-1" in page
    whole = call("show", "--all").stdout
    assert "web-777: completed" in whole
    data = json.loads(call("show", "--json").stdout)
    assert data["plan"]["blocks"][0]["sequences"][500]["state"]["status"] == "FAILED"


def test_what_comes_from_a_plan_cannot_steer_the_terminal(
    call: Call, write_plan: WritePlan
) -> None:
    """Control characters are made visible, and markup is no markup."""
    plan = """
    Plan(name="[bold]x[/bold] \\x1b[2J\\u202e", description="d\\x1b]0;t\\x07", blocks=[
        Block(name="[red]B", sequences=[Sequence(name="s\\r\\n", actions=[
            act("a\\x9b", fail="[/]\\x1b[1m" , say="out\\x1b[5m")])])])
    """
    outputs = [
        call("validate", write_plan(plan)).output,
        call("run", write_plan(plan)).output,
        call("list").output,
        call("show").output,
        call("show", "--all").output,
        call("stop", "last").output,
    ]
    for output in outputs:
        for character in ("\x1b", "\x9b", "\r", "\u202e", "\x07"):
            assert character not in output
        assert "[bold]x[" in output
    assert "[/]\\x1b[1m" in outputs[3]


def test_a_very_long_name_is_shortened(call: Call, write_plan: WritePlan) -> None:
    """10,000 characters of a name do not fill the screen."""
    plan = 'Plan(name="x" * 10_000, blocks=tier(Sequence(name="s" * 10_000, actions=[act("a" * 10_000, fail="e" * 10_000)])).blocks)'
    for words in (["run", write_plan(plan)], ["list"], ["show"]):
        output = call(*words).stdout
        assert max(map(len, output.replace("called", "\n").splitlines()[:2])) < 10_300
    assert max(map(len, call("show").stdout.splitlines())) < 1_100
    assert max(map(len, call("list").stdout.splitlines())) < 300


def test_stop_of_what_does_not_run_says_so(call: Call, write_plan: WritePlan) -> None:
    """A plan that has ended stays as it is."""
    call("run", write_plan(GOOD))

    result = call("stop", "last")

    assert result.exit_code == 0
    assert "has ended already: completed" in result.stdout
    result = call("resume", "last")
    assert result.exit_code == 0
    assert "has ended already" in result.stdout


@pytest.mark.parametrize("command", ["list", "show", "stop", "resume"])
def test_commands_that_read_make_no_store(
    call: Call, tmp_path: Path, command: str
) -> None:
    """They say where they looked, and what makes one."""
    words = ["last"] if command in ("show", "stop") else []
    for place in (tmp_path / "nowhere", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        result = call(command, *words, "--store", place)
        assert result.exit_code == 2
        assert f"no store at {place}: `workstream run` makes one" in result.stderr
    assert not (tmp_path / "nowhere").exists()


def test_what_is_not_our_store_is_left_alone(
    call: Call,
    write_plan: WritePlan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody else's directory, a file, and a store of a newer version; status 2."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    sqlite3.connect(theirs / "data.db").close()
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / "workstream").write_text("workstream store, version 99\n")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    file = write_plan(GOOD)
    for place, message in (
        ("", "the store's name is empty"),  # as of a variable that is not set
        (theirs, "not a workstream store"),
        (file, "is a file"),
        (newer, "99"),
    ):
        for words in (["run", file], ["list"], ["show"], ["resume"]):
            result = call(*words, "--store", place)
            assert result.exit_code == 2
            assert message in result.stderr
            assert "Traceback" not in result.stderr
    assert not list(here.iterdir())


def test_the_next_command_names_the_store(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Where --store was given it is needed again, quoted as a shell wants it."""
    store = tmp_path / "my store"
    result = call("run", write_plan(GOOD), "--store", store)

    assert f"--store '{store}'" in result.stdout


def test_plugins_are_listed_with_what_was_left_out(
    call: Call, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages, hooks, request fields; and why something cannot be used; as JSON too."""
    for name in ("broken", "unwanted"):
        info = toy / f"{name}-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n"
        )
        (info / "entry_points.txt").write_text(
            f"[workstream]\n{name} = no_such_module_here\n"
        )
    monkeypatch.setenv("WORKSTREAM_PLUGINS", "toy,broken")

    result = call("plugins")

    assert result.exit_code == 0
    for text in (
        "workstream-engine",
        "commands  run, validate, ",
        "toy 1.0  entry point toy",
        "toy.act  action",
        "Do something.",
        "fail: str = ''",
        "(secret)",
        "left out, because something is wrong:",
        "broken 2.0",
        "no_such_module_here",
        "left out, because you say so:",
        "unwanted 2.0",
    ):
        assert text in result.stdout
    data = json.loads(call("plugins", "--json").stdout)
    assert {each["package"] for each in data["packages"]} == {
        "workstream-engine",
        "toy",
    }
    assert any(not each["deliberate"] for each in data["left_out"])


def test_packages_add_commands(
    call: Call, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is not the core's is looked for in the installed packages."""
    source = '''
import click
from workstream import hookimpl

@click.command("inventory")
@click.option("--count", type=int, default=1)
def inventory(count):
    """List hosts."""
    click.echo(f"{count} hosts")

@hookimpl
def workstream_commands():
    return [inventory]
'''
    (toy / "toy_commands.py").write_text(source)
    info = toy / "more-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: more\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[workstream]\nmore = toy_commands\n")
    monkeypatch.setenv("WORKSTREAM_PLUGINS", "toy,more")

    result = call("inventory", "--count", 3)

    assert (result.exit_code, result.stdout) == (0, "3 hosts\n")
    unknown = call("lisst")
    assert unknown.exit_code == 2
    assert "no command 'lisst'. Did you mean list?" in unknown.stderr
    assert "no command 'rum'. Did you mean run" in call("rum").stderr


@pytest.mark.parametrize(
    "name", one_in(3, ["pause", "remove", "reset", "undone", "rune", "drop"])
)
def test_no_guess_is_a_command_that_removes(call: Call, name: str) -> None:
    """Who types the name of another deed is not led to delete plans."""
    unknown = call(name)

    assert unknown.exit_code == 2
    assert not {"delete", "prune"} & set(unknown.stderr.partition("`")[0].split())


def test_an_empty_id_means_no_plan(call: Call, write_plan: WritePlan) -> None:
    """A variable of a script that is empty by mistake does not mean the newest plan."""
    assert call("run", write_plan(GOOD)).exit_code == 0

    for words in (["show", ""], ["stop", ""], ["delete", ""], ["export", " "]):
        result = call(*words)
        assert result.exit_code == 2, words
        assert "is no plan: give an id" in result.stderr, words


def test_an_option_before_the_command_is_told_its_place(call: Call) -> None:
    """``workstream --store DIR list`` is what many type first."""
    early = call("--store", "somewhere", "list")

    assert early.exit_code == ExitCode.REFUSED
    assert "no option --store here" in early.stderr
    assert "as in `workstream list --store`" in early.stderr


def test_each_command_of_the_core_is_its_own_when_loaded() -> None:
    """What the hook gives and what is called are the same, help included."""
    context = click.Context(command_line)
    for name in command_line.list_commands(context):
        command = command_line.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name)
        assert command.get_help(inner).startswith(f"Usage: {name}")
        assert command.get_params(inner)


def test_the_worst_of_several_counts() -> None:
    """Broken off before refused before failed before stopped before tolerated."""
    order = [0, 3, 4, 1, 2, 5]

    for place, code in enumerate(order):
        assert worst(map(ExitCode, order[: place + 1])) == code
    assert worst([]) == 0


@pytest.mark.slow
def test_a_refused_plan_can_be_resumed_when_its_plugin_is_back(
    call: Call,
    start: Callable[..., Any],
    write_plan: WritePlan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without it the plan stays R, is named with the reason, and the status is 2 (R-4)."""
    plan = (
        f'tier(Sequence(name="s", actions=[act("a", hold={str(tmp_path / "go")!r})]))'
    )
    child = start("run", write_plan(plan))
    child.wait_for("called")
    child.process.kill()
    child.end()
    (tmp_path / "go").touch()

    monkeypatch.setenv("WORKSTREAM_PLUGINS", "nothing")
    refused = call("resume")
    assert refused.exit_code == 2
    assert "toy.act" in refused.stderr
    refused = call("resume", "--json")
    assert "toy.act" in json.loads(refused.stdout)["refused"][0]["reason"]
    monkeypatch.setenv("WORKSTREAM_PLUGINS", "toy")
    resumed = call("resume")
    assert resumed.exit_code == 0, resumed.output


class FullVault(MemoryVault):
    """A store whose disk is full after so many writes."""

    def __init__(self, writes: int) -> None:
        """Let so many writes pass."""
        super().__init__()
        self.left = writes

    @property
    def shared(self) -> bool:
        """As a store on disk, it outlives the command."""
        return True

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """Write, or refuse to."""
        self.left -= 1
        if self.left < 0:
            return [StorageError("no space left on device")] * len(writes)
        return await super().write(writes)


def test_a_store_that_fails_breaks_the_run_off(
    call: Call, write_plan: WritePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status is 5, and the reason and how to go on are told (STO-6)."""
    vault = FullVault(writes=2)

    def the_vault(*_: object) -> MemoryVault:
        return vault

    monkeypatch.setattr("workstream._cli.commands.run.vault_at", the_vault)
    monkeypatch.setattr("workstream._cli.commands.run.existing_store", the_vault)

    result = call("run", write_plan(TOLERATED))

    assert result.exit_code == 5, result.output
    assert "broken off: no space left on device" in result.stdout
    # Not by the engine's log too.
    assert (result.stdout + result.stderr).count("no space left on device") == 1
    assert "go on with it:  workstream resume" in result.stdout
    vault.left = 1000
    resumed = call("resume")
    assert resumed.exit_code == 3, resumed.output


def test_of_a_store_that_does_not_last_nothing_more_is_to_be_typed(
    call: Call, write_plan: WritePlan
) -> None:
    """With ``memory:`` there is no plan left to show, nor one to resume."""
    result = call("run", write_plan(BAD), "--store", "memory:")

    assert result.exit_code == 1
    assert "no space left" in result.stdout
    assert "workstream" not in result.output
