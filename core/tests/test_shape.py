"""The one table of which fields of an object hold others, and all that follow from it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import attrs

from workstream._plan import plan
from workstream._plan.plan import (
    CHECK_KINDS,
    BaseAction,
    Block,
    Checks,
    NamedNode,
    Node,
)
from workstream._plan.shape import SHAPES
from workstream._validation.rules import RULES

CORE = Path(__file__).parents[1] / "src" / "workstream"


def test_the_table_is_the_walk_order() -> None:
    """Which fields hold objects, in the order in which they are walked (W-1)."""
    checks = [*CHECK_KINDS[:3]]
    after = [*CHECK_KINDS[4:]]
    assert {
        cls.__name__: [field.name for field in shape.held]
        for cls, shape in SHAPES.items()
    } == {
        "Plan": [
            *checks,
            "blocks",
            "post_checks",
            "deferred_actions",
            "deferred_checks",
        ],
        "Block": [*checks, "sequences", "batch_checks", *after],
        "Checks": ["actions"],
        "Sequence": ["actions", "deferred_actions"],
        "DeferredActions": ["batches"],
        "DeferBatch": ["actions"],
        "Action": [],
        "CheckAction": [],
    }


def test_every_kind_of_checks_is_in_the_table() -> None:
    """``CheckKind`` names just the fields of a block that hold check groups (OM-15)."""
    held = SHAPES[Block].held
    assert [field.name for field in held if field.type is Checks] == list(CHECK_KINDS)


def test_every_field_is_in_the_table_once() -> None:
    """A field holds objects, or its author writes it, or the engine does (OM-2)."""
    for cls, shape in SHAPES.items():
        names = [
            *(field.name for field in shape.held),
            *(field.name for field in (*shape.settings, *shape.written)),
        ]
        assert sorted(names) == sorted(field.name for field in attrs.fields(cls))
        assert {field.init for field in shape.settings} <= {True}
        assert {field.init for field in shape.written} == {False}


def test_every_field_of_an_author_has_a_rule() -> None:
    """What its values must be like, validation says of each field (V-1)."""
    elsewhere = {"description", "plugin", "request"}
    fields = {field.name for shape in SHAPES.values() for field in shape.settings}
    assert set(RULES) == fields - elsewhere


def test_every_class_of_objects_is_in_the_table() -> None:
    """The classes that an object of a plan may have are known, and no others."""
    classes = [cls for cls in vars(plan).values() if isinstance(cls, type)]
    nodes = {cls for cls in classes if issubclass(cls, Node)}
    assert set(SHAPES) == nodes - {Node, NamedNode, BaseAction}


NEW_FIELDS = (
    (
        "class Sequence(NamedNode):",
        "    actions: list[Action]\n",
        "    rescue: DeferredActions | None = None\n    owner: str = 'nobody'\n",
    ),
    (
        "class Block(NamedNode):",
        "    sequences: list[Sequence]\n",
        "    canary_checks: Checks | None = None\n    waves: tuple[int, ...] = ()\n",
    ),
    (
        "class Plan(Node):",
        "    stopping: bool = attrs.field(init=False, default=False)\n",
        "    asked: tuple[str, ...] = attrs.field(init=False, default=())\n",
    ),
)
"""Of each class: after which line of it the new fields are declared."""

PROGRAM = """
from workstream._codec.codec import Codec
from workstream._codec.records import row_of
from workstream._codec.json_text import from_json, to_json
from workstream._plan.clone import clone
from workstream._plan.difference import difference
from workstream._plan.paths import find, paths
from workstream._plan.plan import (
    Action, Block, CheckAction, Checks, DeferBatch, DeferredActions, Plan, Sequence,
)
from workstream._plan.text import plan_text
from workstream._values.state import WhenDeferred
from workstream._plan.structure import structure
from workstream._plan.walk import give_ids, new_plan_id, walk
from workstream._protocols.vault import StoredPlan

def made(size):
    undo = Action(name="undo", plugin="t.act")
    deferred = DeferredActions(batches=[
        DeferBatch(name="back", when=WhenDeferred.ALWAYS, actions=[undo])
    ])
    sequence = Sequence(
        name="s",
        actions=[Action(name="a", plugin="t.act")],
        rescue=deferred,
        owner="ana",
    )
    checks = Checks(actions=[CheckAction(name="c", plugin="t.chk")])
    block = Block(
        name="b", sequences=[sequence], canary_checks=checks, waves=(1, size)
    )
    plan = Plan(name="p", blocks=[block])
    give_ids(plan, PLAN_ID)
    plan.asked = ("pause",)
    return plan

PLAN_ID = new_plan_id()
plan = made(5)
walked = [path for path, _ in paths(plan)]
assert walked == [
    "p",
    "p / b",
    "p / b / s",
    "p / b / s / a",
    "p / b / s / rescue",
    "p / b / s / rescue / back",
    "p / b / s / rescue / back / undo",
    "p / b / canary_checks",
    "p / b / canary_checks / c",
], walked
assert [found.path for found in structure(plan)] == walked
assert find(plan, walked[6]) is plan.blocks[0].sequences[0].rescue.batches[0].actions[0]

codec = Codec(None)
stored = StoredPlan(
    row=row_of(plan), definition=codec.encode_definition(plan), records=(),
    position=0, lines={},
)
back = codec.load(stored)
back.asked = plan.asked  # what the engine writes of a plan is stored in its row
assert back == plan
assert clone(plan, keep_state=True) == plan
assert clone(plan).blocks[0].waves == (1, 5)
assert clone(plan).asked == ()
text = to_json(plan, with_secrets=True)
assert from_json(text, None, keep_state=True) == plan
assert "owner='ana'" in plan_text(plan) and "waves=(1, 5)" in plan_text(plan)
other = made(6)
other.asked = ("stop",)
assert difference(plan, other) == (
    "p: asked[0]: 'pause' -> 'stop'\\np / b: waves[1]: 5 -> 6\\n"
), difference(plan, other)
wrong = made(7)
wrong.blocks[0].canary_checks = 3
wrong.blocks[0].sequences[0].rescue.batches = None
assert [str(each) for each in structure(wrong) if not hasattr(each, "node")] == [
    "p / b / s / rescue: batches: must be a list, not None [V-3]",
    "p / b / canary_checks: must be a Checks, not an int [V-3]",
]
print("one file")
"""


def test_a_new_field_touches_one_file(tmp_path: Path) -> None:
    """A field declared in ``_plan.plan`` is walked, found, compared, copied and stored.

    What its values must be like is for ``_validation`` to say: that is the second file.
    """
    shutil.copytree(CORE, tmp_path / "workstream")
    path = tmp_path / "workstream" / "_plan" / "plan.py"
    source = path.read_text(encoding="utf-8")
    for cls, line, fields in NEW_FIELDS:
        before, rest = source.split(cls)
        assert line in rest
        source = before + cls + rest.replace(line, line + fields, 1)
    path.write_text(source, encoding="utf-8")

    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert answer.stdout == "one file\n", answer.stderr
