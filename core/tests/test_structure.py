"""Finding the objects of a plan, whatever was put into it (V-3)."""

from __future__ import annotations

from typing import Any

import pytest

from workstream._plan.plan import (
    Action,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Plan,
    Sequence,
)
from workstream._plan.structure import structure
from workstream._plan.walk import walk
from workstream._values.errors import Fault


def act(name: str = "a") -> Action:
    return Action(name=name, plugin="t.act")


def chk(name: str = "c") -> CheckAction:
    return CheckAction(name=name, plugin="t.chk")


def plan(**fields: Any) -> Plan:
    fields.setdefault("blocks", [Block(name="B", sequences=[])])
    return Plan(name="P", **fields)


def faults(wrong: Any) -> list[str]:
    return [str(found) for found in structure(wrong) if isinstance(found, Fault)]


def full_plan() -> Plan:
    def group() -> Checks:
        return Checks(actions=[chk(), chk()])

    return plan(
        bypass_checks=group(),
        pre_checks=group(),
        cont_checks=group(),
        blocks=[
            Block(
                name=name,
                bypass_checks=group(),
                pre_checks=group(),
                cont_checks=group(),
                sequences=[Sequence(name="s", actions=[act()]) for _ in range(2)],
                post_checks=group(),
                deferred_checks=group(),
            )
            for name in ("B1", "B2")
        ],
        post_checks=group(),
        deferred_actions=DeferredActions(
            batches=[DeferBatch(name="d", actions=[act()])]
        ),
        deferred_checks=group(),
    )


def test_sound_plan_is_found_as_it_is_walked() -> None:
    """Every object is found, in walk order, each with its parent (W-1)."""
    whole = full_plan()
    items = list(walk(whole))
    found = list(structure(whole))
    assert len(items) == len(found)
    for item, each in zip(items, found, strict=True):
        assert not isinstance(each, Fault)
        assert each.node is item.node
        assert each.parent is (item.ancestors[-1] if item.ancestors else None)


def test_paths_are_those_of_the_paths_module() -> None:
    """A fault calls an object as every other part of the engine does (OM-15)."""
    from workstream._plan.paths import paths

    whole = full_plan()
    found = [each.path for each in structure(whole) if not isinstance(each, Fault)]
    assert found == [path for path, _ in paths(whole)]


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (None, "None"),
        ("plan.py", "a str"),
        (Block(name="b", sequences=[]), "a Block"),
        (Plan, "a type"),
    ],
)
def test_something_else_in_place_of_a_plan(wrong: Any, kind: str) -> None:
    """What is no plan is a fault, not a crash (V-3)."""
    assert faults(wrong) == [f"(the plan): must be a Plan, not {kind} [V-3]"]


def test_something_else_in_place_of_an_object() -> None:
    """None, or an object of another kind, is named by the place where it is (V-3)."""
    wrong: Any = plan(
        pre_checks=[chk()],
        blocks=[
            None,
            Block(
                name="B",
                cont_checks=act(),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
                sequences=[
                    Sequence(name="s", actions=[None, act("x"), act("x"), chk]),  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
                    act(),  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
                ],
            ),
            Plan(name="P", blocks=[]),
        ],
        post_checks=Checks(actions=[None]),  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
        deferred_actions=DeferredActions(batches=[None]),  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
        deferred_checks=False,
    )
    found = [
        each if isinstance(each, Fault) else each.path for each in structure(wrong)
    ]
    assert [str(each) for each in found] == [
        "P",
        "P / pre_checks: must be a Checks, not a list [V-3]",
        "P / blocks[0]: must be a Block, not None [V-3]",
        "P / B",
        "P / B / cont_checks: must be a Checks, not an Action [V-3]",
        "P / B / s",
        "P / B / s / actions[0]: must be an Action, not None [V-3]",
        "P / B / s / x [1]",
        "P / B / s / x [2]",
        "P / B / s / actions[3]: must be an Action, not a function [V-3]",
        "P / B / sequences[1]: must be a Sequence, not an Action [V-3]",
        "P / blocks[2]: must be a Block, not a Plan [V-3]",
        "P / post_checks",
        "P / post_checks / actions[0]: must be a CheckAction, not None [V-3]",
        "P / deferred_actions",
        "P / deferred_actions / batches[0]: must be a DeferBatch, not None [V-3]",
        "P / deferred_checks: must be a Checks, not a bool [V-3]",
    ]


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (None, "None"),
        ("B1", "a str"),
        ((Block(name="B", sequences=[]),), "a tuple"),
        ((Block(name=name, sequences=[]) for name in "AB"), "a generator"),
        (3, "an int"),
    ],
)
def test_something_else_in_place_of_a_list(wrong: Any, kind: str) -> None:
    """What is no list is a fault of the object that should hold one (V-3)."""
    assert faults(plan(blocks=wrong)) == [
        f"P: blocks: must be a list, not {kind} [V-3]"
    ]


def test_one_object_at_two_places() -> None:
    """An object has one state and one id, so it can stand at one place only (V-3)."""
    action, sequence = act("x"), Sequence(name="s", actions=[act()])
    group = Checks(actions=[chk()])
    wrong = plan(
        pre_checks=group,
        blocks=[
            Block(name="B", sequences=[sequence, sequence], post_checks=group),
            Block(name="D", sequences=[Sequence(name="t", actions=[action, action])]),
        ],
    )
    found = faults(wrong)
    assert [line.split(": is the very object that stands at ") for line in found] == [
        ["P / B / s [2]", found[0].split(" at ")[1]],
        ["P / B / post_checks", found[1].split(" at ")[1]],
        ["P / D / t / x [2]", found[2].split(" at ")[1]],
    ]
    assert [line.split("'")[1] for line in found] == [
        "P / B / s [1]",
        "P / pre_checks",
        "P / D / t / x [1]",
    ]
