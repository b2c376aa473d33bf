"""``retry`` and ``diff``, where a plan came from, and what the last lines name."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from quickly import one_in

from .conftest import Child

Call = Callable[..., Result]
WritePlan = Callable[..., Path]

ROLLOUT = """
tier(
    Sequence(name="web-1", actions=[act("copy")]),
    Sequence(name="web-2", actions=[act("stage"), act("copy", fail="no space left")]),
    Sequence(name="web-3", actions=[act("copy")]),
)
"""


def plans(call: Call) -> list[dict[str, Any]]:
    """The plans of the store, newest first."""
    found: list[dict[str, Any]] = json.loads(call("list", "--json").stdout)
    return found


def called(result: Result) -> list[str]:
    """The paths of the calls that were made."""
    return re.findall(r"^called (.*)$", result.output, re.M)


@pytest.fixture
def failed(call: Call, write_plan: WritePlan) -> str:
    """A rollout that failed in the middle; its short id."""
    assert call("run", write_plan(ROLLOUT)).exit_code == 1
    short_id: str = plans(call)[0]["short_id"]
    return short_id


def test_the_end_names_what_is_left_and_the_command(
    call: Call, write_plan: WritePlan
) -> None:
    """Whoever sees the failure can paste what does the rest (RT-6)."""
    result = call("run", write_plan(ROLLOUT))

    *_, counts, _, left, headline = map(str.strip, result.stdout.splitlines())
    short_id = plans(call)[0]["short_id"]
    assert left == f"1 sequence not reached, 1 failed:  workstream retry {short_id}"
    assert counts.endswith(" sequences done, 1 failed, 1 not reached")
    assert headline.startswith("✗ Deploy: failed (block) in ")


def test_a_plan_that_completed_names_no_retry(
    call: Call, write_plan: WritePlan
) -> None:
    """Nothing is left of it."""
    result = call("run", write_plan('tier(Sequence(name="one", actions=[act("do")]))'))

    assert "retry" not in result.output
    again = call("retry", "last")
    assert again.exit_code == 2
    assert "nothing of plan 'Deploy' is left to do: it completed" in again.stderr


def test_retry_does_what_is_left(call: Call, failed: str) -> None:
    """The rest runs as a plan of its own; its status is that of the retry (RT-1)."""
    result = call("retry", failed, "--skip", "web-2")

    assert result.exit_code == 0, result.output
    assert called(result) == ["Deploy / Tier / web-3 / copy"]
    assert f"left of {failed}: 1 sequence" in result.stdout
    first, retry = reversed(plans(call))
    assert retry["group_id"] == first["id"]


@pytest.mark.slow
def test_from_action_leaves_out_what_completed(call: Call, failed: str) -> None:
    """The second action alone is called again (RT-2)."""
    result = call("retry", failed, "--from-action", "--only", "web-2")

    assert result.exit_code == 1
    assert called(result) == ["Deploy / Tier / web-2 / copy"]


def test_a_dry_run_changes_nothing(call: Call, failed: str) -> None:
    """It shows what would be done, and stores nothing (PV-1)."""
    result = call("retry", failed, "--dry-run")

    assert result.exit_code == 0
    assert "dry run, nothing is changed" in result.stdout
    assert "web-1" not in result.stdout
    assert len(plans(call)) == 1


@pytest.mark.slow
def test_show_tells_the_family(call: Call, failed: str) -> None:
    """The plan names its retry and how that ended; the retry its plan (RT-3)."""
    call("retry", failed, "--skip", "web-2")
    retry = plans(call)[0]["short_id"]

    assert f"retried as {retry}: completed" in call("show", failed).stdout
    assert f"retry of {failed}" in call("show", retry).stdout
    data = json.loads(call("show", failed, "--json").stdout)
    assert [kin["id"] for kin in data["kin"]] == [plans(call)[0]["id"]]
    family = json.loads(call("list", "--group", data["id"], "--json").stdout)
    assert [each["short_id"] for each in family] == [retry, failed]
    refused = call("retry", failed)
    assert refused.exit_code == 2
    assert f"was retried already, as plan {retry} (completed)" in refused.stderr
    assert call("retry", failed, "--again", "--only", "web-3").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    one_in(
        5,
        [
            (["--only", "web-1"], "'web-1' is done already"),
            (["--only", "web-9"], "did you mean 'Deploy / Tier / web-"),
            (["--skip", "copy"], "'copy' is no block or sequence"),
            (["--skip", ""], "names no block or sequence of the plan"),
            (
                ["--from-action", "--only", "Tier / web-2 / copy"],
                "is no block or sequence",
            ),
        ],
    ),
)
def test_a_path_that_fits_nothing_is_refused(
    call: Call, failed: str, arguments: list[str], says: str
) -> None:
    """Nothing is run, and the message names what is near."""
    result = call("retry", failed, *arguments)

    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())
    assert len(plans(call)) == 1


def test_a_plan_whose_plugin_is_gone_is_refused(
    call: Call, failed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every action that lacks it is named by its path; nothing is stored (V-15)."""
    monkeypatch.setenv("WORKSTREAM_PLUGINS", "none")

    result = call("retry", failed)

    assert result.exit_code == 2
    told = " ".join(result.stderr.split())
    assert "Deploy / Tier / web-2 and web-3 / copy: plugin" in told
    assert len(plans(call)) == 1


def test_a_request_type_that_changed_is_told(
    call: Call, failed: str, toy: Path
) -> None:
    """The message says which request, and what to do."""
    module = toy / "toy_plugin.py"
    module.write_text(module.read_text().replace('say: str = ""', "say: int"))

    result = call("retry", failed)

    assert result.exit_code == 2
    assert "'Deploy / Tier / web-" in result.stderr
    assert "install the version of the package" in " ".join(result.stderr.split())
    assert len(plans(call)) == 1


def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """An editor that changes the text by a line of Python."""
    script = tmp_path / "editor.py"
    script.write_text(
        "import os, stat, sys\n"
        "path = sys.argv[1]\n"
        "assert stat.S_IMODE(os.stat(path).st_mode) == 0o600\n"
        "text = open(path).read()\n"
        f"{body}\n"
        "open(path, 'w').write(text)\n"
        "os.utime(path, (0, 0))\n"
    )
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")


def edit(call: Call, failed: str, answers: str) -> Result:
    """``retry --edit``, with these answers to its questions."""
    from click.testing import CliRunner

    from workstream._cli.main import command_line

    del call
    result = CliRunner().invoke(
        command_line, ["retry", failed, "--edit"], input=answers
    )
    sys.modules.pop("toy_plugin", None)
    return result


@pytest.mark.slow
def test_edit_shows_the_difference_and_asks(
    call: Call, failed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was edited is what runs, once it is confirmed (RT-6)."""
    editor(tmp_path, monkeypatch, "text = text.replace('no space left', '')")

    refused = edit(call, failed, "n\n")
    assert len(plans(call)) == 1
    result = edit(call, failed, "y\n")

    assert refused.exit_code == 130
    assert "-        toy.act Do(fail='no space left')" in result.output
    assert "run it?" in result.output
    assert result.exit_code == 0
    assert plans(call)[0]["outcome"] == "completed"
    assert json.loads(call("show", "--json").stdout)["retry_of"] == plans(call)[1]["id"]


def test_an_edit_that_is_not_valid_is_told_with_its_faults(
    call: Call, failed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever does not edit again has run nothing."""
    editor(tmp_path, monkeypatch, "text = text.replace('toy.act', 'toy.art')")

    result = edit(call, failed, "n\n")

    assert result.exit_code == 2
    assert "nothing was run" in result.output
    assert "Deploy / Tier / web-2 and web-3 / copy: plugin" in result.output
    assert len(plans(call)) == 1


def test_diff_tells_what_differs(call: Call, failed: str) -> None:
    """By the objects' paths; 1 when there is a difference, 0 without (RT-6)."""
    call("retry", failed, "--skip", "web-2")

    result = call("diff", failed, "last")
    same = call("diff", failed, failed, "--json")

    assert result.exit_code == 1
    assert "Deploy / Tier / web-1: removed" in result.stdout
    assert "Deploy: state.status: FAILED -> COMPLETED" in result.stdout
    assert same.exit_code == 0
    assert json.loads(same.stdout)["same"] is True


def test_what_a_plan_came_from_is_stored_and_shown(
    call: Call, write_plan: WritePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who, where, the file and its digest, each -p; no secret (RT-5)."""
    monkeypatch.setenv("WORKSTREAM_BY", "ana")
    body = """
    from workstream import *
    from toy_plugin import Act, Do

    def plan(hosts: list[str], admin_password: str, token: SecretRef):
        return Plan(name="P", blocks=[Block(name="b", sequences=[
            Sequence(name=host, actions=[Act.action(Do(), name="a")]) for host in hosts])])
    """
    file = write_plan(body, whole=True)
    given = ["hosts=a", "hosts=b", "admin-password=hunter2", "token=env:TOKEN"]
    result = call("run", file, *(f"-p{each}" for each in given))

    assert result.exit_code == 0, result.output
    data = json.loads(call("show", "--json").stdout)
    assert data["submitter"] == data["origin"]["by"] == "ana"
    assert data["origin"]["file"] == str(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert data["origin"]["digest"] == f"sha256:{digest}"
    assert data["origin"]["parameters"] == [
        ["hosts", "a"],
        ["hosts", "b"],
        ["admin_password", "[secret hidden]"],
        ["token", "env:TOKEN"],
    ]
    assert "hunter2" not in call("show", "--all").stdout
    wrong = call("run", file, *(f"-p{each}" for each in [*given[:3], "token=none"]))
    assert "-p token: 'none' is not a reference to a secret" in wrong.stderr
    assert "by ana" in call("show").stdout


def test_resume_of_what_has_ended_names_retry(call: Call, failed: str) -> None:
    """There is nothing to resume; there may be something to retry."""
    result = call("resume", failed)

    assert f"do what it left undone:  workstream retry {failed}" in result.stdout


@pytest.mark.slow
def test_two_who_retry_at_once_do_not_do_it_twice(
    call: Call, failed: str, start: Callable[..., Child]
) -> None:
    """One of them runs; the other is told by which plan it was overtaken (RT-3)."""
    children = [start("retry", failed, "--skip", "web-2") for _ in range(2)]

    codes = sorted(child.end() for child in children)

    output = "".join(child.output for child in children)
    assert codes == [0, 2], output
    assert "was retried already" in output or "is overtaken" in output
    assert output.count("called Deploy / Tier / web-3 / copy") == 1


@pytest.mark.slow
def test_a_report_is_retried_where_its_plan_is_not_stored(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """The file holds the plan (UI-3): the store, here a new one, gets what is left."""
    call("run", write_plan(ROLLOUT))
    file, other = tmp_path / "night.html", tmp_path / "other"
    call("report", "-o", file)
    first = plans(call)[0]["id"]

    foreseen = call("retry", file, "--dry-run", "--store", other)
    assert not other.exists()
    done = call("retry", file, "-m", "the disk is swapped", "--store", other)
    again = call("retry", file, "--store", other)

    assert foreseen.exit_code == 0
    assert "web-1" not in foreseen.stdout
    assert f"left of {file}: 2 sequences" in done.stdout
    assert called(done)[0].endswith("web-2 / stage")
    [new] = json.loads(call("list", "--json", "--store", other).stdout)
    assert (new["description"], new["group_id"]) == ("the disk is swapped", first)
    assert again.exit_code == 2
    assert "was retried already" in again.stderr
    assert plans(call)[0]["id"] == first


@pytest.mark.slow
def test_a_report_lacks_the_secrets_of_its_plan(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """What is left and needs one is named; what needs none is run (UI-3)."""
    plan = """
    tier(
        Sequence(name="web-1", actions=[act("copy", fail="full")]),
        Sequence(name="web-2", actions=[act("copy", fail="full", password="hunter2 is it")]),
        Sequence(name="web-3", actions=[act("copy", fail="full", password="hunter2 is it")]),
        tolerated_failures=-1,
    )
    """
    call("run", write_plan(plan))
    file, other = tmp_path / "night.html", tmp_path / "other"
    call("report", "-o", file)

    refused = call("retry", file, "--store", other)
    part = call("retry", file, "--only", "web-1", "--store", other)

    assert refused.exit_code == 2
    told = "web-2 and web-3 / copy: request: its secrets are not in the file"
    assert told in refused.stderr
    assert "web-1" not in refused.stderr
    assert "hunter2" not in refused.output + file.read_text("utf-8")
    assert [each.rpartition("Tier / ")[2] for each in called(part)] == ["web-1 / copy"]
    assert "full" in part.output


def test_a_report_is_taken_back_where_its_plan_is_not_stored(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """As far as its sequences say how; this one says nothing."""
    call("run", write_plan(ROLLOUT))
    file = tmp_path / "night.html"
    call("report", "-o", file)

    result = call("undo", file, "--store", tmp_path / "other")

    assert result.exit_code == 2
    assert "nothing of plan 'Deploy' can be taken back" in result.stderr
