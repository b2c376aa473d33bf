"""``workstream run --dry-run``: what it shows, and that it leaves nothing behind."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Call = Callable[..., Result]
WritePlan = Callable[..., Path]

TIER = """
Plan(
    name="Deploy",
    pre_checks=Checks(actions=[
        Peek.action(Do(), name="Room"), Peek.action(Do(), name="Access"),
        Look.action(Do(), name="Human")]),
    blocks=[
        Block(
            name="Tier",
            bypass_checks=Checks(actions=[Peek.action(Do(fail="v1"), name="Done")]),
            sequences=[
                Sequence(name="web-1", actions=[
                    Set.action(Do(say="conf: changed", because="--- now\\n-1\\n+2"), name="Write"),
                    Set.action(Do(), name="Link"),
                    Set.action(Do(fail="no port"), name="Open"),
                    act("restart")]),
                *[Sequence(name=f"web-{n}", actions=[
                    Set.action(Do(), name="Write"), Set.action(Do(), name="Link")])
                  for n in range(2, 7)],
                Sequence(name="web-7", actions=[Set.action(Do(say="?"), name="Write")]),
            ],
            post_checks=Checks(actions=[Peek.action(Do(), name="Up")]),
        ),
        Block(
            name="Old tier",
            sequences=[Sequence(name=f"db-{n}", actions=[act("stop"), act("go")])
                       for n in range(4)],
        ),
    ],
    deferred_actions=DeferredActions(batches=[DeferBatch(
        name="Undo", when=WhenDeferred.ON_FAILURE, actions=[act("undo"), act("tell")])]),
)
"""
SHOWN = """\
Deploy: dry run, nothing is changed
  · pre_checks
    ✓ Room: passed
    ✓ Access: passed
    · Human: not run: toy.look is not marked as safe in a dry run
  ~ Tier
    · bypass_checks / Done: did not pass: v1
    ~ web-1
      ~ Write: conf: changed
          --- now
          -1
          +2
      = Link: no change
      ? Open: cannot predict: the steps before it decide; as things are now it would fail: no port
      ? restart: cannot predict: toy.act has no preview
    = web-2 … web-6: 5 in a row, each: would not change (2 actions)
    ~ web-7 / Write: ?
    · post_checks / Up: not run: it looks at what the plan changes before it
  ? Old tier: cannot predict: toy.act has no preview (8 actions)
  - deferred_actions: skipped: it is for a plan that failed (2 actions)
~ 2 would change  = 11 would not change  ? 10 cannot predict  ✓ 2 passed  \
· 1 did not pass  · 2 not run  - 2 skipped
"""


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Any:
    """No dry run of these tests makes a store, or any other file beside the plan."""
    yield
    known = {"site", "imports"}
    left = [
        path.name
        for path in tmp_path.iterdir()
        if path.name not in known and path.suffix != ".py"
    ]
    assert left == []


def own(text: str) -> str:
    """What the command prints, without what the toy plugin does."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("called "))


def test_it_shows_a_tree(call: Call, write_plan: WritePlan) -> None:
    """A mark for each line, what is alike together, and the count of each at the end."""
    result = call("run", write_plan(TIER), "--dry-run")

    assert own(result.stdout) == SHOWN
    assert result.stderr == ""
    assert result.exit_code == 0
    actions = [line for line in result.stdout.splitlines() if "called" in line]
    assert not any("web-" in line or "db-" in line for line in actions)


def test_it_prints_json(call: Call, write_plan: WritePlan) -> None:
    """Everything, whatever the tree leaves out."""
    result = call("run", write_plan(TIER), "--dry-run", "--json")

    data = json.loads(result.stdout)
    assert list(data) == [
        *("name", "dry_run", "exit_status", "changes", "counts"),
        *("bypassed", "stops", "items", "numbers"),
    ]
    assert (data["name"], data["dry_run"]) == ("Deploy", True)
    assert (data["exit_status"], data["changes"]) == (0, True)
    assert data["counts"] == {
        "CHANGE": 2,
        "NO_CHANGE": 11,
        "UNKNOWN": 10,
        "FAILED": 0,
        "PASSED": 2,
        "NOT_PASSED": 1,
        "NOT_RUN": 2,
        "SKIPPED": 2,
    }
    assert len(data["items"]) == 30
    assert data["items"][4] == {
        "path": "Deploy / Tier / web-1 / Write",
        "plugin": "toy.set",
        "is_check": False,
        "forecast": "CHANGE",
        "summary": "conf: changed",
        "details": ["--- now", "-1", "+2"],
    }


def test_what_fails_makes_the_status_1(call: Call, write_plan: WritePlan) -> None:
    """A preview, or a check: it is said where a run would stop, and all is told."""
    plan = """
    Plan(
        name="Deploy",
        pre_checks=Checks(actions=[
            Peek.action(Do(fail="it is down", because="no power"), name="Up", retries=2),
        ]),
        blocks=[Block(name="Tier", sequences=[
            Sequence(name="a", actions=[Set.action(Do(fail="no folder"), name="Write")]),
            Sequence(name="b", actions=[Set.action(Do(say="x"), name="Write")]),
        ])],
    )
    """
    result = call("run", write_plan(plan), "--dry-run")

    assert result.exit_code == 1
    assert own(result.stdout).splitlines() == [
        "Deploy: dry run, nothing is changed",
        "  ✗ pre_checks: a run would fail here; what follows is told as if it had passed",
        "    ✗ Up: it is down: no power (code 7)",
        "  ✗ Tier",
        "    ✗ a / Write: would fail: no folder",
        "    ~ b / Write: x",
        "~ 1 would change  ✗ 2 failed",
    ]
    data = json.loads(call("run", write_plan(plan), "--dry-run", "--json").stdout)
    assert data["exit_status"] == 1
    assert data["stops"] == ["Deploy / pre_checks"]


def test_what_is_bypassed_is_one_line(call: Call, write_plan: WritePlan) -> None:
    """A block; or all of the plan."""
    block = """
    tier(
        Sequence(name="a", actions=[Set.action(Do(say="x"), name="Write")]),
        bypass_checks=Checks(actions=[Peek.action(Do(), name="Done")]),
    )
    """
    whole = """
    Plan(
        name="Deploy",
        bypass_checks=Checks(actions=[Peek.action(Do(), name="Done")]),
        blocks=[Block(name="Tier", sequences=[
            Sequence(name="a", actions=[Set.action(Do(say="x"), name="Write")])])],
    )
    """
    result = call("run", write_plan(block), "--dry-run")
    assert own(result.stdout).splitlines()[1:] == [
        "  - Tier: would be bypassed: its bypass checks pass",
        "✓ 1 passed  - 1 skipped",
    ]
    result = call("run", write_plan(whole), "--dry-run")
    assert own(result.stdout).splitlines()[1:] == [
        "  ✓ bypass_checks / Done: passed",
        "  - a run would do nothing more: its bypass checks pass",
        "✓ 1 passed  - 1 skipped",
    ]
    assert result.exit_code == 0


def test_an_invalid_plan_is_refused(call: Call, write_plan: WritePlan) -> None:
    """With all its faults, as ``run`` refuses it."""
    plan = 'tier(Sequence(name="", actions=[]), concurrency=-1)'

    dry = call("run", write_plan(plan), "--dry-run")

    assert dry.exit_code == 2
    for rule in ("[V-6]", "[V-9]", "[V-21]"):
        assert rule in dry.stderr


def test_no_secret_is_shown(
    call: Call, write_plan: WritePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one that a plugin puts into its answer (CL-8)."""
    monkeypatch.setenv("TOY_TOKEN", "hunter2-hunter2")
    plan = """
    tier(Sequence(name="a", actions=[
        Set.action(Do(say="log in: ", token=SecretRef("env:TOY_TOKEN")), name="b")]))
    """
    for flags in ([], ["--json"]):
        result = call("run", write_plan(plan), "--dry-run", *flags)
        assert "log in: [secret hidden]" in result.stdout
        assert "hunter2" not in result.output


def test_terminals_are_kept_safe(call: Call, write_plan: WritePlan) -> None:
    """From what plugins say, in all its lines."""
    plan = """
    tier(Sequence(name="\\x1b[1mbold", actions=[
        Set.action(Do(say="\\x1b[31mred", because="+\\x1b[2Jgone"), name="b")]))
    """
    result = call("run", write_plan(plan), "--dry-run")

    assert "\x1b" not in result.stdout
    assert "\\x1b[31mred" in result.stdout
    assert "+\\x1b[2Jgone" in result.stdout


@pytest.mark.slow
def test_ctrl_c_ends_it(start: Callable[..., Any], write_plan: WritePlan) -> None:
    """Nothing had begun, so nothing is to be resumed."""
    plan = """
    tier(Sequence(name="a", actions=[Set.action(Do(block=True), name="b")]))
    """
    child = start("run", write_plan(plan), "--dry-run")
    child.wait_for("waiting")
    child.signal(signal.SIGINT)

    assert child.end() == 130
    assert "nothing was begun" in child.output


def test_plugins_tell_what_a_dry_run_asks(call: Call) -> None:
    """In the list for people and in that for programs."""
    lines = call("plugins").stdout.splitlines()

    told = [line.strip() for line in lines if line.startswith("  toy.")]
    assert told == [
        "toy.act  action",
        "toy.look  check",
        "toy.set  action, has a preview",
        "toy.peek  check, safe in a dry run",
    ]
    [package] = json.loads(call("plugins", "--json").stdout)["packages"][-1:]
    assert [plugin["in_dry_run"] for plugin in package["plugins"]] == [
        False,
        False,
        True,
        True,
    ]


def test_hosts_that_differ_by_the_name_are_told_once(
    call: Call, write_plan: WritePlan
) -> None:
    """The first of 200 whole, the others on two lines; another one stands alone."""
    plan = """
    tier(*(Sequence(name=f"web-{n}", actions=[
        Set.action(Do(say=f"{'new' if n == 7 else 'conf'} on web-{n}",
            because=f"-1 web-{n}\\n+2"), name="Write"),
        act("restart")]) for n in range(1, 201)))
    """
    result = call("run", write_plan(plan), "--dry-run")

    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert "~ web-2 … web-6: 5 in a row, the same but for the name" in lines
    assert "~ web-8 … web-200: 193 in a row, as web-1 but for the name" in lines
    assert "~ Write: new on web-7" in lines
    assert lines.count("+2") == 2
    assert len(lines) < 20


def test_one_step_of_many_hosts_is_told_once(
    call: Call, write_plan: WritePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be predicted, too, and the reason names the host."""
    monkeypatch.delenv("WORKSTREAM_PLUGINS")
    plan = """
    (lambda command: tier(*(Sequence(name=f"web-{n}.example.org", actions=[
        command.RunCommand.action(
            command.Run(("reload", f"web-{n}.example.org")), name="Reload"
        )
    ]) for n in range(1, 201))))(__import__("workstream_command"))
    """
    result = call("run", write_plan(plan), "--dry-run")

    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert (
        "? web-1.example.org … web-200.example.org: 200 in a row,"
        " each: cannot predict: reload …: what it changes is not known (creates=,"
        " removes= or unless= would tell)"
    ) in lines
    assert len(lines) < 10
