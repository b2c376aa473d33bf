"""The one table of which fields of an object hold others, and all that follow from it."""

from __future__ import annotations

import attrs

from workstream._plan import plan
from workstream._plan.plan import CHECK_KINDS, BaseAction, Checks, Node, Plan
from workstream._plan.shape import SHAPES


def test_the_table_is_the_walk_order() -> None:
    """Which fields hold objects, in the order in which they are walked (W-1)."""
    checks = [*CHECK_KINDS[:3]]
    after = [*CHECK_KINDS[3:]]
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
        "Block": [*checks, "sequences", *after],
        "Checks": ["actions"],
        "Sequence": ["actions"],
        "DeferredActions": ["batches"],
        "DeferBatch": ["actions"],
        "Action": [],
        "CheckAction": [],
    }


def test_every_kind_of_checks_is_in_the_table() -> None:
    """``CheckKind`` names just the fields of a plan that hold check groups (OM-15)."""
    held = SHAPES[Plan].held
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


def test_every_class_of_objects_is_in_the_table() -> None:
    """The classes that an object of a plan may have are known, and no others."""
    classes = [cls for cls in vars(plan).values() if isinstance(cls, type)]
    nodes = {cls for cls in classes if issubclass(cls, Node)}
    assert set(SHAPES) == nodes - {Node, BaseAction}
