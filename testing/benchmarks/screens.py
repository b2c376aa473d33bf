"""What the screen of a run costs: of a large plan at a thousand changes a second."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime, timedelta

from rich.console import Console, Group
from rich.live import Live

from workstream import Action, Block, Plan, PluginError, Sequence, Status
from workstream._cli.draw.live import layout
from workstream._cli.draw.screen import Signs
from workstream._cli.draw.views import REDRAW_EVERY
from workstream._plan.walk import give_ids, new_plan_id
from workstream._show.progress import Progress
from workstream.results import Attempt, Node, PlanSnapshot, State, StateChange

from .table import Figure

__all__ = ["screens"]

BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
GOAL = 5.0
"""Percent of a core."""
A_SECOND = 1_000
"""Changes."""
AT_ONCE = 500
"""Sequences that run."""


def screens(sequences: int, rounds: int) -> list[Figure]:
    """The share of a core that following and drawing takes, second by second."""
    shares = sorted(_share(sequences) for _ in range(rounds))
    share = shares[len(shares) // 2]
    return [
        Figure(
            name=f"a screen of {sequences:,} sequences, {A_SECOND:,} changes a second",
            value=f"{share:.1f} % of a core",
            goal=f"< {GOAL:.0f} %",
            reached=share < GOAL,
        )
    ]


def _share(sequences: int) -> float:
    """Percent of a second that one second of changes and redraws takes."""
    plan = _plan(sequences)
    progress = Progress(PlanSnapshot(position=0, plan=plan))
    hosts = plan.blocks[0].sequences
    progress.see(_change(plan, Status.RUNNING))
    progress.see(_change(plan.blocks[0], Status.RUNNING))
    for host in hosts[:AT_ONCE]:
        progress.see(_change(host.actions[0], Status.RUNNING))
    for host in hosts[-sequences // 4 :]:
        progress.see(_change(host.actions[0], Status.FAILED))
        progress.see(_change(host, Status.FAILED))
    # Half of the changes end something, half begin something.
    changes = [
        _change(node, status)
        for one, other in zip(hosts, hosts[AT_ONCE:], strict=False)
        for node, status in (
            (one.actions[0], Status.COMPLETED),
            (one, Status.COMPLETED),
            (other, Status.RUNNING),
            (other.actions[0], Status.RUNNING),
        )
    ][:A_SECOND]
    console = Console(file=io.StringIO(), force_terminal=True, width=120, height=50)
    draws = round(1 / REDRAW_EVERY)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        begun = time.thread_time()
        for number in range(draws):
            for change in changes[number::draws]:
                progress.see(change)
            now = BEGIN + timedelta(seconds=60 + number * REDRAW_EVERY)
            lines = layout([progress], now, 120, 50, Signs())
            live.update(Group(*lines), refresh=True)
        return (time.thread_time() - begun) * 100


def _plan(sequences: int) -> Plan:
    hosts = [
        Sequence(name=f"web-{n}", actions=[Action(name="copy", plugin="x.act")])
        for n in range(sequences)
    ]
    plan = Plan(
        name="Deploy",
        blocks=[Block(name="Tier", tolerated_failures=sequences, sequences=hosts)],
    )
    give_ids(plan, new_plan_id())
    return plan


def _change(node: Node, status: Status) -> StateChange:
    assert node.id is not None
    ended = BEGIN + timedelta(seconds=1) if status.is_terminal else None
    error = None
    if status is Status.FAILED:
        error = PluginError(f"copy to {getattr(node, 'name', '')}: no space left")
    attempt = Attempt(started=BEGIN, ended=ended, error=error)
    is_action = isinstance(node, Action)
    return StateChange(
        position=1,
        path="",
        object_id=node.id,
        object_type=node.object_type,
        state=State(status, BEGIN, ended),
        attempts=int(is_action),
        attempt=attempt if is_action else None,
    )
