"""Draws one screen in a terminal, for ``test_cli_golden_screens``: a fixed plan and time.

It is told what to draw: ``live`` or ``asks``, which run, or one that has ended: ``end``,
``show`` or ``broken``. It tells tmux when all of it is on the screen. What runs is drawn
once more after the terminal has another width.
"""

from __future__ import annotations

import os
import subprocess
import sys
import termios
import tty
from datetime import UTC, datetime, timedelta
from uuid import UUID

from workstream import (
    Action,
    Approval,
    Approve,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Plan,
    PluginError,
    Sequence,
    Status,
    WhenDeferred,
)
from workstream._cli.call import Call
from workstream._cli.draw import views
from workstream._cli.draw.page import show_page
from workstream._cli.draw.screen import Screen
from workstream._cli.follow import Result, tell
from workstream._codec.records import row_of
from workstream._plan.walk import give_ids, walk
from workstream._show.failures import failures
from workstream._show.overview import Overview
from workstream._store.entries import PlanEntry
from workstream._values.interventions import Intervention, Verb
from workstream.results import Attempt, Node, OutputLine, PlanSnapshot, State

BEGIN = datetime(2031, 5, 1, 18, 0, tzinfo=UTC)
NOW = BEGIN + timedelta(minutes=30)
PLAN_ID = UUID("01a20999-1842-728a-bfc3-10ad00000000")
HOSTS = 10_000
DONE, FAILED, RUNNING = 2_400, 30, 12
N, R, C, K, F, S = Status


def rollout() -> Plan:
    """A rollout to ten thousand hosts."""

    def one(number: int) -> Sequence:
        actions = [Action(name=name, plugin="acme.act") for name in ("copy", "start")]
        return Sequence(name=f"web-{number:05}", actions=actions)

    answers = Checks(actions=[CheckAction(name="Tier answers", plugin="acme.look")])
    ready = Checks(actions=[CheckAction(name="Ready", plugin="acme.look")])
    plan = Plan(
        name="Deploy shop 2.0",
        pre_checks=ready,
        blocks=[
            Block(
                name="Web tier",
                concurrency=RUNNING,
                tolerated_failures=-1,
                batches=(1, 100, 5_000),
                cont_checks=answers,
                sequences=[one(number) for number in range(HOSTS)],
            ),
            Block(
                name="Balancers",
                entrance_delay=600,
                sequences=[
                    Sequence(
                        name="lb-1", actions=[Action(name="reload", plugin="acme.act")]
                    )
                ],
            ),
        ],
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="Tell the team",
                    when=WhenDeferred.ALWAYS,
                    actions=[Action(name="mail", plugin="acme.act")],
                )
            ]
        ),
    )
    give_ids(plan, PLAN_ID)
    return plan


def put(status: Status, *nodes: Node, seconds: float = 60) -> None:
    """They have this status; what has ended took so long."""
    for node in nodes:
        ended = BEGIN + timedelta(seconds=seconds) if status.is_terminal else None
        node.state = State(status, None if status is N else BEGIN, ended)
        if isinstance(node, Action | CheckAction) and status is not N:
            node.attempts = [Attempt(started=BEGIN, ended=ended)]


def fail(number: int, sequence: Sequence) -> None:
    """The copy to a host has failed, in one of three ways."""
    put(F, sequence, sequence.actions[0])
    message = (
        f"scp {sequence.name}: timed out after 60s"
        if number % 10 == 9
        else f"scp app.tgz {sequence.name}:/srv exited with code 1; the end of its"
        f" stderr:\nscp: {sequence.name}: no space left on device"
    )
    ended = BEGIN + timedelta(seconds=60)
    error = PluginError(message, code=1)
    sequence.actions[0].attempts = [
        Attempt(started=BEGIN, ended=ended, error=error) for _ in range(1 + number % 2)
    ]


def running() -> tuple[Plan, list[OutputLine]]:
    """The rollout, held in the middle, and what its actions said last."""
    plan = rollout()
    put(R, plan)
    plan.interventions = (
        Intervention(
            verb=Verb.PAUSE,
            by="ana@ops",
            at=NOW - timedelta(minutes=2),
            reason="pager 4711: checkout is slow, look at the balancers first",
        ),
    )
    assert plan.pre_checks is not None
    put(C, plan.pre_checks, *plan.pre_checks.actions)
    web = plan.blocks[0]
    put(R, web)
    assert web.cont_checks is not None
    put(C, web.cont_checks, *web.cont_checks.actions, seconds=1_796)
    said: list[OutputLine] = []
    for number, sequence in enumerate(web.sequences[: DONE + FAILED + RUNNING]):
        if number < DONE:
            put(C, sequence, *sequence.actions)
        elif number < DONE + FAILED:
            fail(number, sequence)
        else:
            put(R, sequence, sequence.actions[1])
            put(C, sequence.actions[0])
            action = sequence.actions[1]
            begun = NOW - timedelta(seconds=7 * (number % 9))
            action.attempts = [Attempt(started=begun)]
            if number % 4 == 1:
                busy = PluginError("systemctl: unit is activating")
                action.attempts = [Attempt(started=begun, ended=NOW, error=busy)]
            assert action.id is not None
            line = OutputLine(
                position=1,
                path="",
                action_id=action.id,
                attempt=1,
                number=1,
                time=NOW,
                text=f"waiting for {sequence.name}:8080 \x1b[31mred\x1b[0m",
                done=number % 9,
                total=9,
            )
            said.append(line)
    return plan, said


def asking() -> tuple[Plan, list[OutputLine]]:
    """A rollout whose first host is done, and that asks somebody how it looks."""
    plan = Plan(
        name="Deploy shop 2.0",
        blocks=[
            Block(
                name="Canary",
                sequences=[long_named(0)],
                post_checks=Checks(
                    actions=[
                        Approve.action(
                            Approval("Is the error rate of web-000 fine?"), name="Go on"
                        )
                    ]
                ),
            ),
            Block(name="Web tier", sequences=[long_named(n) for n in range(1, 200)]),
        ],
    )
    give_ids(plan, PLAN_ID)
    canary = plan.blocks[0]
    put(R, plan, canary)
    put(C, canary.sequences[0], *canary.sequences[0].actions)
    assert canary.post_checks is not None
    put(R, canary.post_checks, *canary.post_checks.actions)
    canary.post_checks.actions[0].attempts = [Attempt(started=NOW)]
    return plan, []


def long_named(number: int) -> Sequence:
    """A host as a large site calls it; it can be taken back."""
    return Sequence(
        name=f"web-{number:03}.fra1.prod.example.org",
        actions=[Action(name=name, plugin="acme.act") for name in ("copy", "start")],
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="Take back",
                    when=WhenDeferred.ON_UNDO,
                    actions=[Action(name="old version", plugin="acme.act")],
                )
            ]
        ),
    )


def broken() -> Overview:
    """A rollout that failed: more hosts than may, so it was taken back."""
    plan = Plan(
        name="Deploy shop 2.0",
        blocks=[
            Block(
                name="Web tier",
                tolerated_failures=2,
                sequences=[long_named(n) for n in range(200)],
            )
        ],
    )
    give_ids(plan, PLAN_ID)
    tier = plan.blocks[0]
    put(F, plan, tier, seconds=95)
    for number, host in enumerate(tier.sequences):
        if number in (3, 43, 83):
            fail(number, host)
        elif number < 100:
            put(C, host, *host.actions)
        elif number < 104:
            put(S, host, host.actions[0])
        if number < 104:
            [batch] = host.undo_batches
            put(C, batch, *batch.actions)
    crash = PluginError("interrupted: the engine ended while the command was running")
    reconciled = PluginError("reconcile failed", wrapped=crash)
    for host in tier.sequences[40:42]:
        put(F, host, host.actions[0])
        host.actions[0].attempts = [
            Attempt(started=BEGIN, ended=BEGIN, error=reconciled) for _ in range(2)
        ]
    plan.submitted, plan.submitter = BEGIN, "ana@ops"
    return overview_of(plan)


def ended() -> Overview:
    """The rollout, completed with failures."""
    plan = rollout()
    for item in walk(plan):
        put(C, item.node, seconds=1_800)
    for number, sequence in enumerate(plan.blocks[0].sequences[:FAILED]):
        fail(number, sequence)
        put(N, sequence.actions[1])
    plan.blocks[0].sequences[-1].state = State(K, None, None)
    plan.submitted, plan.submitter = BEGIN, "ana@ops"
    return overview_of(plan)


def overview_of(plan: Plan) -> Overview:
    """What is told of a plan that has ended."""
    return Overview(
        entry=PlanEntry(row_of(plan)),
        plan=plan,
        failures=tuple(failures(plan)),
        running=(),
        requests=(),
        said={},
    )


def tmux(*words: str) -> None:
    """Tell the tmux that this runs in."""
    subprocess.run([os.environ["TMUX_PROGRAM"], *words], check=True)


def until_shown() -> None:
    """Return when the terminal has taken in all that was written."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        os.write(sys.stdout.fileno(), b"\x1b[6n")
        answer = b""
        while not answer.endswith(b"R"):
            answer += os.read(terminal, 1)
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)


def shown() -> None:
    """Let the test look, until it has done so."""
    until_shown()
    tmux("wait-for", "-S", "shown")
    tmux("wait-for", "seen")


def main(what: str) -> None:
    """Draw it."""
    screen = Screen()
    if what in ("live", "asks"):
        views.utc_now = lambda: NOW  # type: ignore[attr-defined]  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue]
        plan, said = running() if what == "live" else asking()
        screen.line("$ workstream run deploy.py")
        view = views.LiveView(screen)
        with view:
            view.see(PLAN_ID, PlanSnapshot(position=0, plan=plan))
            for line in said:
                view.see(PLAN_ID, line)
            for _ in range(2):
                view.draw()
                shown()
        return
    if what in ("end", "broken"):
        tell(Call(screen=screen), [Result(ended() if what == "end" else broken())])
    else:
        show_page(Call(screen=screen), ended(), everything=False)
    shown()


if __name__ == "__main__":
    main(sys.argv[1])
