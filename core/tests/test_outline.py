"""The plan as a tree in brief: what is alike but for the name shares a line."""

from __future__ import annotations

from workstream._plan.plan import Action, Block, CheckAction, Checks, Plan, Sequence
from workstream._show.outline import outline
from workstream._values.state import Status


def rollout(*statuses: tuple[Status, Status]) -> Plan:
    """A block whose sequences have come so far, each with that of its action."""
    sequences = [
        Sequence(name=f"web-{n}", actions=[Action(name="copy", plugin="x.act")])
        for n in range(len(statuses))
    ]
    for sequence, (whole, action) in zip(sequences, statuses, strict=True):
        sequence.state.status = whole
        sequence.actions[0].state.status = action
    checks = Checks(actions=[CheckAction(name="well", plugin="x.look")])
    checks.state.status = Status.COMPLETED
    return Plan(
        name="Deploy",
        blocks=[Block(name="Tier", cont_checks=checks, sequences=sequences)],
    )


def test_sequences_that_ended_alike_are_told_together() -> None:
    """The first few stand alone; who ended otherwise does, too."""
    alike = (Status.FAILED, Status.FAILED)
    odd = (Status.FAILED, Status.COMPLETED)
    lines = list(outline(rollout(*[alike] * 8, odd, alike)))

    alone = [each.label for each in lines if each.label.startswith("web")]
    assert alone == ["web-0", "web-1", "web-2", "web-8"]
    [together] = [each for each in lines if each.alike]
    assert together.alike == ("web-3", "web-4", "web-5", "web-6", "web-7", "web-9")
    assert together.more


def test_a_continuous_check_is_never_completed() -> None:
    """It passes, time and again, for as long as its block runs."""
    plan = rollout((Status.RUNNING, Status.RUNNING))
    plan.blocks[0].state.status = Status.RUNNING

    [checks] = [each for each in outline(plan) if each.label == "cont_checks"]
    assert checks.words == "passed"
