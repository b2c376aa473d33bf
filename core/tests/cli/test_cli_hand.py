"""What an operator tells plans from the command line: pause, freeze, skip, limits."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from quickly import one_in

from workstream import Action, Block, Plan, Sequence, open_workstream
from workstream._cli.main import COMMANDS, LazyCommand

from .conftest import Call, Child, WritePlan


def words_of(value: object) -> str:
    """The name of a case: the words that are typed."""
    words: list[object] = [*value] if isinstance(value, tuple) else []
    return " ".join(map(str, words))[:30]


def submit() -> None:
    """A plan in the store that nobody has started."""
    names = ("web-1", "web-2")
    sequences = [
        Sequence(name=name, actions=[Action(name="go", plugin="toy.act")])
        for name in names
    ]
    plan = Plan(name="Deploy", blocks=[Block(name="Tier", sequences=sequences)])

    async def main() -> None:
        from toy_plugin import Do  # type: ignore[import-not-found]  # pyright: ignore

        for sequence in plan.blocks[0].sequences:
            sequence.actions[0].request = Do()
        async with open_workstream() as ws:
            await ws.submit(plan)

    trio.run(main)


def test_a_plan_that_never_started_is_told(call: Call) -> None:
    """It is held, changed and let go; what is so already is left alone, and said so."""
    submit()

    paused = call("pause", "last", "-m", "look first", "--by", "ana")
    again = json.loads(call("pause", "last", "--json").stdout)
    skipped = json.loads(call("skip", "last", "web-2", "--json").stdout)
    limited = call("limits", "last", "Tier", "--concurrency", "2")
    shown = call("show", "last").stdout
    freed = call("unpause", "last")
    never = call("unpause", "last")

    assert "is paused" in paused.stdout
    assert again["effect"] == "UNCHANGED"
    assert again["intervention"] is None
    assert skipped["effect"] == "TAKEN"
    assert skipped["intervention"]["path"] == "Deploy / Tier / web-2"
    assert "has new limits for Tier" in limited.stdout
    assert "0 of 2 sequences, 1 skipped" in shown
    assert "goes on" in freed.stdout
    assert "is not paused: nothing to change" in never.stdout
    told = json.loads(call("show", "last", "--json").stdout)["plan"]["interventions"]
    assert [each["verb"] for each in told] == [
        *("PAUSE", "SKIP", "SET_LIMITS", "UNPAUSE")
    ]
    assert (told[0]["by"], told[0]["reason"]) == ("ana", "look first")


@pytest.mark.parametrize(
    ("words", "says"),
    one_in(
        4,
        [
            (("skip", "last", "web-9"), "did you mean 'Deploy / Tier / web-2'"),
            (("skip", "last", "Deploy"), "stop it"),
            (("skip", "last", "go"), "names 2 objects of the plan"),
            (("limits", "last", "web-1", "--concurrency", "2"), "it is no block"),
            (("limits", "last", "Tier", "--tolerated-failures", "0%"), "1% to 100%"),
            (("limits", "last", "Tier", "--tolerated-failures", "few"), "is no number"),
            (
                ("limits", "last", "Tier", "--max-consecutive-failures", "-1"),
                "0 or more",
            ),
            (
                ("limits", "last", "Tier", "--on-failure", "warn"),
                "is no limit of a block",
            ),
            (("limits", "last", "Tier", "--concurrency", "0"), "it must be 1 or more"),
            (("limits", "last", "Tier"), "say which limit"),
            (("abandon", "last"), "was never started"),
            (("exempt", "last"), "the store is not frozen"),
            (("pause", ""), "is no plan"),
            (("pause", "last", "--by", " "), "has no name"),
            (("pause", "last", "-m", "x" * 5_000), "the reason has 5,000 bytes"),
        ],
    ),
    ids=words_of,
)
def test_what_does_not_fit_is_refused(
    call: Call, words: tuple[str, ...], says: str
) -> None:
    """The error names the object and what would work; nothing is changed."""
    submit()

    result = call(*words)

    assert result.exit_code == 2, result.output
    assert says in result.stderr
    plan = json.loads(call("show", "last", "--json").stdout)["plan"]
    assert plan.get("interventions", []) == []


@pytest.mark.slow
def test_a_frozen_store_holds_what_is_started(
    call: Call,
    write_plan: WritePlan,
    start: Callable[..., Child],
    tmp_path: Path,
) -> None:
    """A run under a freeze waits, shows it, and goes on when it is let through."""
    call("run", write_plan('tier(Sequence(name="a", actions=[act("go")]))'))
    frozen = call("freeze", "-m", "fire in the house", "--by", "ana")
    path = write_plan('tier(Sequence(name="web-1", actions=[act("go")]))')
    child = start("run", path)

    child.wait_for("it waits: the store is frozen since")
    child.wait_for("held")
    listed = call("list").stdout
    held = json.loads(call("list", "--status", "held", "--json").stdout)
    both = call("list", "--status", "held", "--status", "completed", "--json").stdout
    counts = json.loads(call("list", "--count", "--json").stdout)
    shown = call("show", "last").stdout
    let = call("exempt", "last", "--by", "ben")

    assert child.end() == 0, child.output
    assert "the store is frozen" in frozen.stdout
    assert "running, frozen" in listed
    assert [each["status"] for each in held] == ["RUNNING"]
    assert [each["status"] for each in json.loads(both)] == ["RUNNING", "COMPLETED"]
    assert counts["held"] == 1
    assert "frozen since" in shown
    assert "by ana: fire in the house" in shown
    assert "does not hold this plan any more" in let.stdout
    told = json.loads(call("show", "last", "--json").stdout)["plan"]["interventions"]
    assert [(each["verb"], each["by"]) for each in told] == [
        ("FREEZE", "ana"),
        ("UNFREEZE", "ben"),
    ]
    assert "no longer frozen" in call("unfreeze").stdout
    assert json.loads(call("unfreeze", "--json").stdout)["changed"] is False


def test_a_plan_that_waits_to_be_started_is_held_too(call: Call) -> None:
    """It is listed among those that are held, and skips show in how it ended."""
    submit()
    call("pause", "last")

    [held] = json.loads(call("list", "--status", "held", "--json").stdout)
    none = call("list", "--status", "completed-with-skipped").stdout

    assert (held["status"], held["held"][0]["verb"]) == ("NOT_STARTED", "PAUSE")
    assert "no such plan" in none


def test_a_run_tells_what_its_numbers_come_to(
    call: Call, write_plan: WritePlan
) -> None:
    """Percentages and batches, before the plan begins (BG-6)."""
    hosts = "*(Sequence(name=str(n), actions=[act('go')]) for n in range(57))"
    settings = "tolerated_failures=Percent(10), batches=(1, Percent(10), 50)"
    path = write_plan(f"tier({hosts}, concurrency=None, {settings})")

    result = call("run", path)

    assert result.exit_code == 0
    numbers = "Tier: 10 % of 57: 5 may fail; batches of 1, 6, 50"
    assert numbers in result.stdout
    assert numbers in call("run", path, "--dry-run").stdout
    found = json.loads(call("run", path, "--dry-run", "--json").stdout)
    assert found["numbers"] == [numbers]
    checked = call("validate", path).stdout
    assert numbers.removeprefix("Tier: ") in checked


@pytest.mark.parametrize(
    ("word", "command"),
    [
        *((word, "stop --now") for word in ("abort", "cancel", "kill")),
        *((word, "retry") for word in ("rerun", "restart")),
        *((word, "list or show") for word in ("status", "ps")),
        ("log", "logs"),
        ("rollback", "undo"),
        ("revert", "undo"),
        ("ls", "list"),
        ("tail", "logs --follow"),
        ("start", "run"),
        ("preview", "run --dry-run"),
        ("hold", "pause"),
    ],
)
def test_words_by_hand_are_answered(call: Call, word: str, command: str) -> None:
    """With the command that does it, which exists."""
    result = call(word)

    assert result.exit_code == 2
    assert f"Did you mean {command}?" in result.stderr
    for each in command.split(" or "):
        assert call(each.split()[0], "--help").exit_code == 0


@pytest.mark.parametrize("word", ["report", "logs"])
def test_some_words_that_people_try_are_commands(call: Call, word: str) -> None:
    """Nothing need be answered."""
    assert call(word, "--help").exit_code == 0


@pytest.mark.parametrize(
    "slip", one_in(5, ["prun", "delet", "restor", "purne", "deletes"])
)
def test_a_slip_leads_nobody_to_lose_anything(call: Call, slip: str) -> None:
    """No command is offered after which something is gone."""
    said = call(slip).stderr.partition("`workstream")[0]
    assert not {"prune", "delete", "restore"} & {*said.split()}


def naming() -> list[str]:
    """Each command that names a plan, with something for its other arguments."""
    found: list[str] = []
    for name in COMMANDS:
        params = LazyCommand(name).load().params
        words = [each.name for each in params if each.param_type_name == "argument"]
        if {"plan", "plans"} & {*words} and words[0] in ("plan", "plans"):
            others = ("x" for each in words[1:] if each != "plans")
            found.append(" ".join((name, *others)))
    return found


@pytest.mark.parametrize("words", one_in(5, naming()))
def test_an_empty_name_is_refused_everywhere(call: Call, words: str) -> None:
    """A script whose variable is empty names no plan, least of all the newest."""
    submit()
    name, *more = words.split()

    for blank in ("", "  "):
        result = call(name, blank, *more)
        assert result.exit_code == 2, result.output
        assert "no plan" in result.stderr
    assert json.loads(call("list", "--json").stdout)[0]["status"] == "NOT_STARTED"


def asks(approval: str) -> str:
    """What a plan function returns that asks before it begins."""
    return f"""
        Plan(name="Deploy", blocks=[Block(
            name="Tier",
            pre_checks=Checks(actions=[
                Approve.action(Approval("Is it time?", {approval}), name="time"),
            ]),
            sequences=[Sequence(name="web-1", actions=[act("go")])],
        )])
    """


@pytest.mark.slow
def test_the_list_tells_what_asks(
    call: Call, write_plan: WritePlan, start: Callable[..., Child]
) -> None:
    """By one word beside its status, while it waits and no longer, in 80 columns."""
    child = start("run", write_plan(asks("count=1")))
    child.wait_for("waits for approval")

    shown = call("list").stdout.splitlines()
    [data] = json.loads(call("list", "--json").stdout)

    assert "running, asks" in shown[1]
    assert max(map(len, shown)) < 80
    assert shown[2].startswith("see what is asked:  workstream show ")
    assert data["asks"] is True
    call("approve", "last", "--by", "ana")
    assert child.end() == 0
    assert "asks" not in call("list").stdout
    assert json.loads(call("list", "--json").stdout)[0]["asks"] is False


def test_people_are_asked_and_answer(
    call: Call, write_plan: WritePlan, start: Callable[..., Child]
) -> None:
    """The run tells what it asks; who may not is refused; enough people let it go on."""
    path = write_plan(asks("count=2"))
    child = start("run", path)

    child.wait_for("waits for 2 approvals by anybody but the submitter: Is it time?")
    shown = call("show", "last").stdout
    mine = call("approve", "last")
    first = call("approve", "last", "--by", "ana", "-m", "now or never")
    again = json.loads(call("approve", "last", "--by", "ana@web-1", "--json").stdout)
    asked = json.loads(call("show", "last", "--json").stdout)["approvals"]
    call("approve", "last", "time", "--by", "ben")

    assert child.end() == 0, child.output
    assert "workstream approve" in shown
    assert "so somebody else has to decide" in mine.stderr
    assert "cannot approve Deploy / Tier / pre_checks / time" in mine.stderr
    assert "has your approval" in first.stdout
    assert again["effect"] == "UNCHANGED"
    assert [each["approved"] for each in asked] == [["ana"]]
    assert [each["path"] for each in asked] == ["Deploy / Tier / pre_checks / time"]
    assert call("approve", "last", "--by", "ben").exit_code == 2


@pytest.mark.slow
def test_a_rejection_ends_it(
    call: Call, write_plan: WritePlan, start: Callable[..., Child]
) -> None:
    """The plan fails with who said no, and why; what waited was never begun."""
    child = start("run", write_plan(asks('approvers=("ana", "ben")')))

    child.wait_for("waits for approval by ana or ben: Is it time?")
    nobody = call("reject", "last", "--by", "eve")
    call("reject", "last", "--by", "ben", "-m", "not today")

    assert child.end() == 1, child.output
    assert "eve is none of those who may: ana, ben" in nobody.stderr
    shown = call("show", "last").stdout
    assert "rejected by ben: not today" in shown
    assert "ben rejected Tier / pre_checks / time at" in shown
    assert "called" not in child.output


def of_stores() -> list[str]:
    """Each command about plans that are stored, with something for its arguments."""
    plans = (
        " ".join((name, "last", *words)) for name, *words in map(str.split, naming())
    )
    return [*plans, "list", "freeze", "unfreeze", "serve", "prune --older-than 1d"]


@pytest.mark.parametrize("words", one_in(7, of_stores()))
def test_a_store_of_somebody_else_is_left_alone(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """One error, that says whose it is; nothing is written, not by root either."""
    submit()
    store = tmp_path / "store"
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    if os.geteuid() == 0:
        os.chown(store, 54321, 54321)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 54321)

    result = call(*words.split())

    after = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("belongs to user") == 1
    assert after == before


def test_a_signal_is_kept_for_an_action(call: Call) -> None:
    """It may be sent before the start; the same again changes nothing (SG-1)."""
    submit()

    words = ("signal", "last", "web-1 / go", "continue", "yes")
    sent = call(*words)
    again = json.loads(call(*words, "--json").stdout)
    wrong = call("signal", "last", "Tier", "continue")

    assert "has the signal for web-1 / go" in sent.stdout
    assert again["effect"] == "UNCHANGED"
    assert "it is no action and no check" in wrong.stderr
    [told] = json.loads(call("show", "last", "--json").stdout)["plan"]["interventions"]
    assert (told["verb"], told["data"]) == (
        "SIGNAL",
        {"name": "continue", "value": "yes"},
    )


@pytest.mark.slow
def test_a_check_pauses_the_plan_and_says_so(
    start: Callable[..., Child], call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """It stands where a person's word would; unpaused, the plan goes on (BG-4)."""
    plan = """
        Plan(name="Deploy", blocks=[Block(name="Tier", sequences=[
            Sequence(name="web-1", actions=[act("go", hold=HOLD), act("on")]),
        ], cont_checks=Checks(delay=0.05, on_failure=OnFailure.PAUSE, actions=[
            Look.action(Do(fail="5 % errors", permanent=False), name="errors", retries=0),
        ]))])
    """
    hold = str(tmp_path / "hold")
    child = start("run", write_plan(plan.replace("HOLD", repr(hold))))

    child.wait_for("held, nothing new begins: paused since")
    assert "by check Deploy / Tier / cont_checks / errors: 5 % errors" in child.output
    shown = call("show", "last").stdout
    assert "by check Deploy / Tier / cont_checks / errors: 5 % errors" in shown
    told = json.loads(call("show", "last", "--json").stdout)["plan"]["interventions"]
    assert [(each["verb"], each["reason"]) for each in told] == [
        ("PAUSE", "5 % errors")
    ]
    assert call("stop", "last").exit_code == 0
    assert child.end() == 4


@pytest.mark.slow
def test_a_check_is_told_later_to_pause_the_plan(
    call: Call, write_plan: WritePlan, start: Callable[..., Child], tmp_path: Path
) -> None:
    """Not written into the plan, but said of it before it was started (BG-5)."""
    hold = str(tmp_path / "hold")
    plan = f"""
        Plan(name="Deploy", blocks=[Block(name="Tier", sequences=[
            Sequence(name="web-1", actions=[act("go", hold={hold!r}), act("on")]),
        ], cont_checks=Checks(delay=0.05, failures_before_halt=3, actions=[
            Look.action(Do(fail="5 % errors", permanent=False), name="errors", retries=0),
        ]))])
    """
    submit()  # so that there is a store to freeze
    call("freeze")
    child = start("run", write_plan(plan))
    child.wait_for("held")
    words = ("limits", "last", "Tier / cont_checks", "--on-failure", "pause")

    said = [call(*words).stdout for _ in range(2)]
    call("unfreeze")

    assert "has new limits for Tier / cont_checks" in said[0]
    assert "has these limits for Tier / cont_checks already" in said[1]
    child.wait_for("paused since")
    assert "by check Deploy / Tier / cont_checks / errors: 5 % errors" in child.output
    assert call("stop", "last").exit_code == 0
    assert child.end() == 4
