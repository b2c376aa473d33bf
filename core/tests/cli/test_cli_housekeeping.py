"""export, delete, prune, backup, restore and doctor: what they print and what is left."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import pytest
from click.testing import Result
from quickly import one_in

from workstream._cli.draw.screen import size

Call = Callable[..., Result]
Start = Callable[..., Any]
WritePlan = Callable[..., Path]
Findings = Callable[[Result, str], dict[str, tuple[str, str]]]

GOOD = 'tier(Sequence(name="one", actions=[act("do")]))'
BAD = 'tier(Sequence(name="one", actions=[act("do", fail="no space left")]))'
SECRET = 'tier(Sequence(name="one", actions=[act("do", password="hunter22")]))'


def held(tmp_path: Path, sequences: int = 1) -> str:
    """A plan of so many sequences, the first of which waits for a file."""
    go = str(tmp_path / "go")
    return f"""
    tier(
        Sequence(name="one", actions=[act("hold", hold={go!r})]),
        *(Sequence(name=f"web-{{n}}", actions=[act("do")]) for n in range({sequences})),
    )
    """


def rows(call: Call) -> list[dict[str, Any]]:
    """What ``list --json`` prints."""
    found: list[dict[str, Any]] = json.loads(call("list", "--json").stdout)
    return found


def crashed(
    start: Start, write_plan: WritePlan, tmp_path: Path, sequences: int = 1
) -> None:
    """Run a plan, and kill it."""
    child = start("run", write_plan(held(tmp_path, sequences)))
    child.wait_for("called Deploy / Tier / one / hold")
    child.signal(signal.SIGKILL)
    child.end()


# -- export ----------------------------------------------------------------------------


def test_an_exported_plan_can_be_run_again(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """From its beginning, as a plan of its own; what was recorded is left aside."""
    call("run", write_plan(BAD))
    exported = tmp_path / "again.json"

    result = call("export", "--output", exported)

    assert (result.exit_code, result.output) == (0, "")
    data = json.loads(exported.read_text())
    assert data["state"]["status"] == "FAILED"
    assert not data.get("scrubbed")
    again = call("run", exported)
    assert again.exit_code == 1
    assert "no space left" in again.stdout
    first, second = rows(call)
    assert first["id"] != second["id"]
    assert first["name"] == second["name"] == "Deploy"


def test_export_writes_to_standard_output(call: Call, write_plan: WritePlan) -> None:
    """By default and as ``-``, the one document; the plan is the last one by default."""
    call("run", write_plan(GOOD))
    plan_id = rows(call)[0]["short_id"]

    texts = {
        call(*words).stdout
        for words in (["export"], ["export", plan_id], ["export", "last", "-o", "-"])
    }

    assert len(texts) == 1
    assert json.loads(texts.pop())["name"] == "Deploy"


def test_an_export_hides_secrets_and_is_refused(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """A plan of which a secret was hidden is not run; standard error says so."""
    call("run", write_plan(SECRET))
    exported = tmp_path / "hidden.json"

    result = call("export", "-o", exported)

    assert "--with-secrets keeps them" in result.stderr
    assert "hunter22" not in exported.read_text()
    assert "[secret hidden]" in exported.read_text()
    refused = call("run", exported)
    assert refused.exit_code == 2
    assert "CL-3" in refused.stderr
    assert len(rows(call)) == 1


def test_an_export_with_secrets_is_for_its_owner(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """It can be run, and nobody else can read it, whoever could read what was there."""
    call("run", write_plan(SECRET))
    exported = tmp_path / "whole.json"
    exported.write_text("old")
    exported.chmod(0o644)

    result = call("export", "--with-secrets", "-o", exported)

    assert (result.exit_code, result.output) == (0, "")
    assert "hunter22" in exported.read_text()
    assert exported.stat().st_mode & 0o777 == 0o600
    assert call("run", exported).exit_code == 0
    assert "hunter22" not in call("show", "--all").stdout


@pytest.mark.slow
def test_references_are_no_secrets(
    call: Call, write_plan: WritePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan that holds references alone travels as it is (CL-3)."""
    monkeypatch.setenv("TOKEN", "hunter23")
    plan = """
    tier(Sequence(name="one", actions=[act("do", token=SecretRef("env:TOKEN"))]))
    """
    assert call("run", write_plan(plan)).exit_code == 0
    exported = tmp_path / "again.json"

    assert call("export", "-o", exported).stderr == ""

    assert "env:TOKEN" in exported.read_text()
    assert "hunter23" not in exported.read_text()
    assert call("run", exported).exit_code == 0


def test_an_export_that_cannot_be_written_changes_nothing(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """The reason is told, and nothing half-written is left."""
    call("run", write_plan(GOOD))

    refused = call("export", "-o", tmp_path / "nowhere" / "plan.json")

    assert refused.exit_code == 2
    assert "cannot be written: No such file" in refused.stderr
    link = tmp_path / "link.json"
    target = tmp_path / "target.json"
    link.symlink_to(target)
    assert call("export", "-o", link).exit_code == 0
    assert link.is_symlink()
    assert json.loads(target.read_text())["name"] == "Deploy"
    assert call("export", "-o", "/dev/null").exit_code == 0
    assert not Path("/dev/null").is_file()
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


# -- delete and prune ------------------------------------------------------------------


@pytest.mark.slow
def test_delete_removes_plans(call: Call, write_plan: WritePlan) -> None:
    """Those that are named, in whichever way, once each; they are shown."""
    for _ in range(3):
        call("run", write_plan(GOOD))
    last, middle, first = rows(call)

    result = call("delete", "last", last["id"], first["short_id"])

    assert result.exit_code == 0, result.output
    assert last["short_id"] in result.stdout
    assert first["short_id"] in result.stdout
    assert [row["id"] for row in rows(call)] == [middle["id"]]
    data = json.loads(call("delete", "last", "--json").stdout)
    assert [plan["id"] for plan in data["plans"]] == [middle["id"]]
    assert rows(call) == []


@pytest.mark.slow
def test_delete_removes_all_or_nothing(
    call: Call, start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """What is unknown, runs or has crashed keeps all; each is named, with what to do."""
    call("run", write_plan(GOOD))
    crashed(start, write_plan, tmp_path)
    running = start("run", write_plan(held(tmp_path)))
    running.wait_for("called Deploy / Tier / one / hold")
    runs, has_crashed, good = (row["short_id"] for row in rows(call))

    result = call("delete", good, runs, has_crashed, "0123-4567")

    assert result.exit_code == 2
    assert "nothing is deleted" in result.stderr
    assert f"({runs}) is run by process {running.process.pid}" in result.stderr
    assert f"workstream stop {runs}" in result.stderr
    assert f"({has_crashed}) has crashed" in result.stderr
    assert f"workstream resume {has_crashed}" in result.stderr
    assert "no plan '0123-4567'" in result.stderr
    assert len(rows(call)) == 3


@pytest.mark.slow
def test_prune_removes_what_ended_beside_what_runs(
    call: Call, start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """What runs goes on to its end, and what has crashed stays (STO-5)."""
    for plan in (GOOD, BAD, GOOD):
        call("run", write_plan(plan))
    crashed(start, write_plan, tmp_path)
    running = start("run", write_plan(held(tmp_path, sequences=30)))
    running.wait_for("called Deploy / Tier / one / hold")

    dry = call("prune", "--older-than", "0s", "--dry-run")
    assert "3 plans would be removed" in dry.stdout
    assert len(rows(call)) == 5
    nothing = call("prune", "--older-than", "1h")
    assert "nothing to prune" in nothing.stdout
    failed = call("prune", "--older-than", "0s", "--status", "failed", "--json")
    assert [row["status"] for row in json.loads(failed.stdout)["plans"]] == ["FAILED"]
    assert json.loads(failed.stdout)["dry_run"] is False
    rest = call("prune", "--older-than", "0s")
    assert "2 plans removed" in rest.stdout
    assert [row["crashed"] for row in rows(call)] == [False, True]

    (tmp_path / "go").touch()
    assert running.end() == 0, running.output


@pytest.mark.parametrize(
    ("age", "fits"),
    one_in(
        8,
        [
            *(("30d", True), ("12h", True), ("2w", True), ("90m", True), ("5s", True)),
            *(("1d12h", True), (" 2W ", True)),
            *(
                ("30", False),
                ("", False),
                ("d", False),
                ("1.5d", False),
                ("-1d", False),
            ),
            *(("30 days", False), ("12h1d", False), ("9" * 15 + "d", False)),
            ("999999d", False),
        ],
    ),
)
def test_an_age_has_a_unit(
    call: Call, write_plan: WritePlan, age: str, fits: bool
) -> None:
    """Of a bare number nobody knows what it counts: nothing is removed by mistake."""
    call("run", write_plan(GOOD))

    result = call("prune", "--older-than", age)

    assert result.exit_code == (0 if fits else 2), result.output
    assert "Traceback" not in result.output
    if age != "5s":
        assert len(rows(call)) == 1


# -- backup and restore ----------------------------------------------------------------


@pytest.mark.slow
def test_a_backup_beside_a_run_is_restored_and_resumed(
    call: Call, start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """The run goes on; what the copy says was done is not done again (R-2)."""
    go = str(tmp_path / "go")
    plan = f"""
    tier(
        *(Sequence(name=f"web-{{n}}", actions=[act("do")]) for n in range(20)),
        Sequence(name="last", actions=[act("hold", hold={go!r}), act("end")]),
    )
    """
    running = start("run", write_plan(plan))
    running.wait_for("called Deploy / Tier / last / hold")

    made = call("backup", tmp_path / "copy")
    assert made.exit_code == 0, made.output
    assert "1 plan, " in made.stdout
    (tmp_path / "go").touch()
    assert running.end() == 0

    new = tmp_path / "new"
    restored = call("restore", tmp_path / "copy", "--store", new)
    assert restored.exit_code == 0, restored.output
    assert "1 plan, all of which can be read" in restored.stdout
    assert "crashed: resume it" in restored.stdout
    assert f"workstream resume --store {new}" in restored.stdout
    resumed = start("resume", "--store", new)
    assert resumed.end() == 0, resumed.output
    assert "called Deploy / Tier / web-" not in resumed.output
    assert "called Deploy / Tier / last / hold" in resumed.output
    assert "called Deploy / Tier / last / end" in resumed.output


@pytest.mark.slow
def test_backup_and_restore_print_json(
    call: Call, start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Where the copy is, what it holds, and what had been running."""
    call("run", write_plan(GOOD))
    crashed(start, write_plan, tmp_path)
    copy, new = tmp_path / "copy", tmp_path / "new"

    made = json.loads(call("backup", copy, "--json").stdout)
    restored = json.loads(call("restore", copy, "--store", new, "--json").stdout)

    assert (made["path"], made["plans"]) == (str(copy), 2)
    assert made["bytes"] == (copy / "data.mdb").stat().st_size
    assert (restored["path"], restored["plans"]) == (str(new), 2)
    assert restored["unreadable"] == []
    assert [row["crashed"] for row in restored["crashed"]] == [True]


def test_what_cannot_be_copied_is_refused(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """The status is 2, and nothing was changed."""
    nothing = call("backup", tmp_path / "copy")
    assert nothing.exit_code == 2
    assert "no store at" in nothing.stderr
    call("run", write_plan(GOOD))
    call("backup", tmp_path / "copy")

    for words, told in (
        (["backup", tmp_path / "copy"], "there is something already"),
        (
            ["backup", tmp_path / "x", "--store", "memory:"],
            "stores that are directories",
        ),
        (["restore", tmp_path / "copy"], "nothing is restored into"),
        (["restore", tmp_path / "no", "--store", tmp_path / "new"], "is not there"),
        (
            ["restore", tmp_path / "copy", "--store", "memory:"],
            "stores that are directories",
        ),
    ):
        refused = call(*words)
        assert refused.exit_code == 2, refused.output
        assert told in refused.stderr
    assert not (tmp_path / "new").exists()
    assert len(rows(call)) == 1


def spoil(store: Path) -> None:
    """Write nonsense in place of the definition of the store's first plan."""
    env = lmdb.open(str(store), lock=False)
    with env.begin(write=True) as transaction, transaction.cursor() as cursor:
        assert cursor.set_range(b"d")
        transaction.put(cursor.key(), b"nonsense")
    env.close()


def test_a_backup_with_damaged_plans_is_restored_where_that_is_accepted(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """They are named either way; the status is 2, or 1 when it was accepted."""
    for _ in range(2):
        call("run", write_plan(GOOD))
    call("backup", tmp_path / "copy")
    spoil(tmp_path / "copy")
    words = ["restore", tmp_path / "copy", "--store", tmp_path / "new"]

    refused = call(*words)
    assert refused.exit_code == 2
    assert "cannot be read" in refused.stderr
    assert not (tmp_path / "new").exists()
    accepted = call(*words, "--accept-unreadable", "--json")
    assert accepted.exit_code == 1
    assert "cannot be read" in accepted.stderr
    assert len(json.loads(accepted.stdout)["unreadable"]) == 1
    assert (
        len(json.loads(call("list", "--json", "--store", tmp_path / "new").stdout)) == 2
    )


# -- doctor ----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_doctor_finds_a_healthy_store_healthy(
    call: Call, start: Start, write_plan: WritePlan, tmp_path: Path, findings: Findings
) -> None:
    """Also beside a run; the store comes in numbers too."""
    call("run", write_plan(SECRET))
    running = start("run", write_plan(held(tmp_path)))
    running.wait_for("called Deploy / Tier / one / hold")

    result = call("doctor", "--json")

    assert findings(result, "problem") == {}
    ok = findings(result, "ok")
    assert list(ok) == ["engine", "store", "plans", "plugins"]
    assert ok["plans"] == ("every plan can be read: 1 running, 1 completed", "")
    assert ok["plugins"] == ("5 ready for use, of workstream, toy", "")
    assert f"is run by process {running.process.pid}" in result.stdout
    store = json.loads(result.stdout)["store"]
    assert (store["plans"], store["version"]) == (2, 2)
    plain = call("doctor")
    assert plain.exit_code == 0
    assert "✓ only its owner can open it" in plain.stdout
    assert plain.stdout.endswith("all is well\n")
    assert "hunter22" not in plain.stdout + result.stdout


def test_without_a_store_the_doctor_looks_at_the_rest(
    call: Call, findings: Findings
) -> None:
    """That there is none yet is no trouble."""
    result = call("doctor", "--json")

    assert result.exit_code == 0
    assert "no store at" in findings(result, "note")["store"][0]
    assert "ready for use" in findings(result, "ok")["plugins"][0]
    assert json.loads(result.stdout)["store"] is None
    memory = call("doctor", "--json", "--store", "memory:")
    assert findings(memory, "ok")["store"][0] == "it opens, and holds 0 plans"


@pytest.mark.slow
def test_the_doctor_finds_what_crashed_and_what_is_damaged(
    call: Call, start: Start, write_plan: WritePlan, tmp_path: Path, findings: Findings
) -> None:
    """Each plan with the command to type, which does what it says."""
    crashed(start, write_plan, tmp_path)
    plan_id = rows(call)[0]["short_id"]

    result = call("doctor", "--json")

    assert result.exit_code == 1
    message, remedy = findings(result, "problem")["plans"]
    assert f"({plan_id}) has crashed" in message
    assert remedy == f"workstream resume {plan_id}"
    (tmp_path / "go").touch()
    assert call(*remedy.split()[1:]).exit_code == 0
    assert call("doctor").exit_code == 0

    spoil(tmp_path / "store")
    message, remedy = findings(call("doctor", "--json"), "problem")["plans"]
    assert "cannot be read" in message
    assert remedy.endswith(f"workstream delete {plan_id}")
    assert call("delete", plan_id).exit_code == 0
    assert call("doctor").exit_code == 0


@pytest.mark.slow
def test_a_plan_whose_plugin_is_gone_says_so_once_and_can_be_given_up(
    call: Call,
    start: Start,
    write_plan: WritePlan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    findings: Findings,
) -> None:
    """Not once for each action; and what the doctor names, works."""
    crashed(start, write_plan, tmp_path, sequences=3)
    plan_id = rows(call)[0]["short_id"]
    monkeypatch.setenv("WORKSTREAM_PLUGINS", "")

    resumed = call("resume")
    message, remedy = findings(call("doctor", "--json"), "problem")["plans"]
    kept = call("delete", plan_id)

    assert resumed.exit_code == 2
    assert "Tier / web-0, web-1 and web-2 / do: plugin:" in resumed.stderr
    assert message.startswith(f"Deploy ({plan_id}) cannot go on here: 'toy.act' cannot")
    assert message.count("'toy.act'") == 1
    assert f"give it up, by workstream abandon {plan_id}" in kept.stderr
    give_up = f"workstream abandon {plan_id}"
    assert remedy == f"mend that before it goes on, or give it up: {give_up}"
    assert call(*give_up.split()[1:]).exit_code == 0
    assert call("delete", plan_id).exit_code == 0


BROKEN_INIT = '''
from workstream import ActionPlugin, hookimpl

print("noise at import")


class Act(ActionPlugin[None, None]):
    """Cannot be used."""

    name = "sick.act"
    requires_programs = ("no-such-program", "sh")

    async def init(self):
        print("noise in init")
        raise OSError("the licence has run out")

    async def execute(self, context, request, /):
        pass


class Other(Act):
    name = "sick.other"
    requires_programs = ("no-such-program",)

    async def init(self):
        pass


@hookimpl
def workstream_plugins():
    return [Act(), Other()]
'''


SICK_PLAN = """
from workstream import *
from sick_plugin import Act, Other

def plan():
    actions = [Act.action(None, name="act"), Other.action(None, name="other")]
    return Plan(name="p", blocks=[Block(name="b", sequences=[
        Sequence(name="s", actions=actions)])])
"""


def test_the_doctor_finds_what_is_wrong_with_plugins(
    call: Call,
    toy: Path,
    monkeypatch: pytest.MonkeyPatch,
    findings: Findings,
    write_plan: WritePlan,
) -> None:
    """What was left out, what its init keeps from working, and missing programs.

    The latter two are something to do only once a stored plan uses the plugin.
    """
    for name, text in (("sick", BROKEN_INIT), ("broken", "import no_such_module_here")):
        info = toy / f"{name}-2.0.dist-info"
        info.mkdir()
        (toy / f"{name}_plugin.py").write_text(text)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n"
        )
        (info / "entry_points.txt").write_text(
            f"[workstream]\n{name} = {name}_plugin\n"
        )
    monkeypatch.setenv("WORKSTREAM_PLUGINS", "toy,sick")
    unused = call("doctor", "--json")
    assert unused.exit_code == 0
    assert findings(unused, "note")["programs"] == (
        "there is no program no-such-program, which sick.act and sick.other start",
        "nothing, until a plan uses it; then: install it, or put its directory into PATH",
    )
    assert findings(unused, "note")["plugins"][0].startswith("sick.act cannot be used")
    monkeypatch.delitem(sys.modules, "sick_plugin")
    (toy / "sick_plugin.py").write_text(BROKEN_INIT.replace("raise OSError", "str"))
    done = call("run", write_plan(SICK_PLAN, whole=True))
    assert done.exit_code == 0, done.output
    monkeypatch.delitem(sys.modules, "sick_plugin")
    (toy / "sick_plugin.py").write_text(BROKEN_INIT)
    monkeypatch.setenv("WORKSTREAM_PLUGINS", "toy,sick,broken,absent")

    result = call("doctor", "--json")

    assert result.exit_code == 1
    told = result.stdout
    assert "sick.act cannot be used: its init failed: OSError: the licence" in told
    assert "no_such_module_here" in told
    assert "pip uninstall broken" in told
    assert "names it, but no installed package of this name has plugins" in told
    assert findings(result, "problem")["programs"] == (
        "there is no program no-such-program, which sick.act and sick.other start",
        "install it, or put its directory into PATH",
    )
    assert findings(result, "ok")["programs"] == ("found: sh", "")
    assert "noise" in result.stderr
    plain = call("doctor")
    assert plain.exit_code == 1
    assert "4 things to do" in plain.stdout
    assert "to do:  mend it, or: pip uninstall broken" in plain.stdout


# -- All of them -----------------------------------------------------------------------


@pytest.mark.slow
def test_keeping_house_imports_no_plugin_package_and_shows_no_secret(
    start: Start, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Only the doctor looks at plugins; only ``--with-secrets`` tells secrets."""
    plan = SECRET.replace('act("do", ', 'act("do", fail="oh", ')
    for _ in range(2):
        run = start("run", write_plan(plan))
        assert run.end() == 1
        assert "hunter22" not in run.output
    imports = tmp_path / "imports"
    imports.unlink()

    output = ""
    for words in (
        ["watch"],
        ["watch", "--json"],
        ["watch", "--after", "0"],
        ["export"],
        ["backup", tmp_path / "copy"],
        ["restore", tmp_path / "copy", "--store", tmp_path / "new"],
        ["delete", "last"],
        ["prune", "--older-than", "0s", "--dry-run"],
        ["prune", "--older-than", "0s", "--json"],
    ):
        child = start(*words)
        assert child.end() in (0, 1), child.output
        assert "Traceback" not in child.output
        output += child.output

    assert not imports.exists()
    assert "hunter22" not in output
    assert "[secret hidden]" in output


@pytest.mark.parametrize(
    ("count", "text"),
    [
        *((0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB")),
        *((10 * 1024, "10 KiB"), (2**20 - 1, "1,024 KiB"), (2**20, "1.0 MiB")),
        *((64 * 2**30, "64 GiB"), (2**50, "1.0 PiB"), (2**61, "2,048 PiB")),
    ],
)
def test_sizes_are_short(count: int, text: str) -> None:
    """Two digits are enough for one glance."""
    assert size(count) == text
