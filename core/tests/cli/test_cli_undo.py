"""``undo``: what it says before anything runs, what it does, and how it ends (UN-5)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Call = Callable[..., Result]
WritePlan = Callable[..., Path]

ROLLOUT = """
from workstream import *
from toy_plugin import Act, Do


def act(name, **request):
    return Act.action(Do(**request), name=name)


def host(name, *batches):
    undo = [DeferBatch(name="undo", when=WhenDeferred.ON_UNDO, actions=[*batches])]
    deferred = DeferredActions(batches=undo) if batches else None
    return Sequence(name=name, actions=[act("copy")], deferred_actions=deferred)


def plan():
    return Plan(name="Deploy", blocks=[Block(name="Tier", sequences=[
        host("web-1", act("back")),
        host("web-2", act("back", fail="the old version is gone")),
        host("web-3"),
    ])])
"""


def newest(call: Call) -> dict[str, Any]:
    """The newest plan of the store."""
    found: list[dict[str, Any]] = json.loads(call("list", "--json").stdout)
    return found[0]


@pytest.fixture
def done(call: Call, write_plan: WritePlan) -> str:
    """A rollout that completed; its short id."""
    assert call("run", write_plan(ROLLOUT, whole=True)).exit_code == 0
    short_id: str = newest(call)["short_id"]
    return short_id


def test_undo_says_first_what_it_cannot_take_back(call: Call, done: str) -> None:
    """Then it tries the others, the last one first; the headline names what is left."""
    result = call("undo", done, "-m", "pager 4711: checkout fails")

    assert result.exit_code == 1
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[:2] == [
        f"to take back of {done}: 2 sequences",
        "✗ not taken back: Tier / web-3: it has no ON_UNDO batch",
    ]
    called = re.findall(r"^called (.*)$", result.output, re.M)
    assert called == [
        "Undo Deploy / Tier / web-2 / back",
        "Undo Deploy / Tier / web-1 / back",
    ]
    end = "Undo Deploy: taken back on 1 of 2; NOT on web-2; failed (undo)"
    assert end in result.stdout
    assert "tolerated" not in result.output
    undone = newest(call)["short_id"]
    assert f"undone as {undone}: taken back on 1 of 2" in call("show", done).stdout
    page = call("show", undone).stdout
    assert f"undo of {done}" in page
    assert "pager 4711: checkout fails" in page


def test_only_one_of_them(call: Call, done: str) -> None:
    """Nothing is said of what was not asked for."""
    result = call("undo", "last", "--only", "web-1")

    assert result.exit_code == 0
    assert "not taken back" not in result.stdout
    assert "taken back on 1 of 1" in result.stdout


def test_a_dry_run_and_json_name_what_is_lacking(call: Call, done: str) -> None:
    """Programs see the same; a dry run stores nothing."""
    lacking = [{"path": "Deploy / Tier / web-3", "why": "it has no ON_UNDO batch"}]

    dry = call("undo", done, "--dry-run")
    assert dry.exit_code == 0
    assert "Undo Deploy: dry run, nothing is changed" in dry.stdout
    found = json.loads(call("undo", done, "--dry-run", "--json").stdout)
    assert found["not_taken_back"] == lacking
    assert [each["path"] for each in found["items"]] == [
        "Undo Deploy / Tier / web-2 / back",
        "Undo Deploy / Tier / web-1 / back",
    ]
    assert newest(call)["short_id"] == done

    ended = json.loads(call("undo", done, "--json").stdout)
    assert ended["not_taken_back"] == lacking
    assert ended["taken_back"] == {"done": 1, "of": 2, "names": ["web-2"]}
    assert ended["exit_status"] == 1


@pytest.mark.slow
def test_it_is_refused_a_second_time(call: Call, done: str) -> None:
    """Unless it is asked for; nothing is run."""
    call("undo", done)
    undone = newest(call)["short_id"]

    refused = call("undo", done)

    assert refused.exit_code == 2
    assert f"was undone already, as plan {undone} (failed)" in refused.stderr
    assert newest(call)["short_id"] == undone
    assert call("undo", done, "--again", "--only", "web-1").exit_code == 0


def test_a_plan_without_any_undo_is_refused(call: Call, write_plan: WritePlan) -> None:
    """The message says which sequences lack one."""
    call("run", write_plan('tier(Sequence(name="one", actions=[act("do")]))'))

    refused = call("undo", "last")

    assert refused.exit_code == 2
    words = " ".join(refused.stderr.split())
    assert "nothing of plan 'Deploy' can be taken back" in words
    assert "'Deploy / Tier / one': it has no ON_UNDO batch" in words


def test_a_path_that_names_nothing_to_take_back_is_refused(
    call: Call, done: str
) -> None:
    """It says so, and runs nothing."""
    refused = call("undo", done, "--only", "web-3")

    assert refused.exit_code == 2
    assert "'web-3' has nothing to be taken back" in refused.stderr
    assert newest(call)["short_id"] == done


BAD_RELEASE = ROLLOUT.replace("web-2", "<i>web-2").replace(
    'host("web-3"),',
    'Sequence(name="web-3", actions=[act("copy", fail="no space left")]),',
)
TAKEN = "taken back on 1 of 2; NOT on <i>web-2; failed (block, undo)"
RED = "\x1b[1;31m"


def headlines(text: str) -> list[str]:
    """The lines that tell how the plan ended."""
    return [line for line in text.splitlines() if TAKEN in line]


def test_the_headline_of_an_undone_plan_is_red(
    call: Call, write_plan: WritePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of the run, on its page and in the list: what was not taken back."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    ran = call("run", write_plan(BAD_RELEASE, whole=True))
    page = call("show", "last")

    assert ran.exit_code == 1
    assert len(headlines(ran.stdout)) == 1
    [first] = headlines(page.stdout)
    assert page.stdout.startswith(first)
    for line in (*headlines(ran.stdout), first):
        assert f"{RED}{TAKEN}" in line
        assert f"{RED}✗" in line
    assert RED in next(
        line for line in call("list").stdout.splitlines() if "Deploy" in line
    )


def test_the_report_of_an_undone_plan_begins_with_its_outcome(
    call: Call, write_plan: WritePlan
) -> None:
    """In the first screen of the page, and the first line of the Markdown."""
    call("run", write_plan(BAD_RELEASE, whole=True))
    html = call("report").stdout
    top = html.partition("<body>")[2].partition("<main>")[0]
    markdown = call("report", "--format", "markdown").stdout

    escaped = TAKEN.replace("<i>", "&lt;i&gt;")
    assert f'<strong class="badge failed">{escaped}</strong>' in top
    escaped = TAKEN.replace("<i>", r"\<i\>")
    assert markdown.startswith(f"# Deploy: {escaped}\n")
