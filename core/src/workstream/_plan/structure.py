"""Finding the objects that are really in a plan, whatever was put into it (V-3).

``walk`` takes a plan for what its types say. A plan that somebody has just put
together may hold anything: None, a Sequence where a Block belongs, a generator in
place of a list, one object at two places. This walk reports those and goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from .._values.errors import Fault
from .._values.values import kind_of, kind_of_class
from .paths import SEPARATOR, label_of_plan, labelled
from .plan import (
    Action,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    Plan,
    Sequence,
)

__all__ = ["Found", "structure"]


@attrs.frozen
class Found:
    """One object that is where it belongs.

    Attributes:
        path: Its address (OM-15).
        node: The object.
        parent: What holds it; None for the plan.
    """

    path: str
    node: Node
    parent: Node | None


_HELD: dict[type[Node], dict[str, tuple[type[Node], ...]]] = {
    Plan: {
        "bypass_checks": (Checks,),
        "pre_checks": (Checks,),
        "cont_checks": (Checks,),
        "blocks": (Block,),
        "post_checks": (Checks,),
        "deferred_actions": (DeferredActions,),
        "deferred_checks": (Checks,),
    },
    Block: {
        "bypass_checks": (Checks,),
        "pre_checks": (Checks,),
        "cont_checks": (Checks,),
        "sequences": (Sequence,),
        "post_checks": (Checks,),
        "deferred_checks": (Checks,),
    },
    DeferredActions: {"batches": (DeferBatch,)},
    Checks: {"actions": (CheckAction, Action)},
    Sequence: {"actions": (Action, CheckAction)},
    DeferBatch: {"actions": (Action, CheckAction)},
    Action: {},
    CheckAction: {},
}
"""Which fields of an object hold others, in walk order (W-1), and of which class.

The class that belongs there is the first. That an action of the other kind does not
belong there is better said with its plugin in view (V-20).
"""

LISTS = frozenset({"blocks", "sequences", "batches", "actions"})


def structure(plan: object) -> Iterator[Found | Fault]:
    """Every object of the plan, and a fault for whatever is not one, in walk order.

    Args:
        plan: What somebody gave for a plan.
    """
    if type(plan) is not Plan:
        yield _not_wanted("(the plan)", plan, (Plan,))
        return
    path = label_of_plan(plan)
    yield from _below(Found(path, plan, None), {id(plan): path})


def _below(found: Found, seen: dict[int, str]) -> Iterator[Found | Fault]:
    """The object, then what it holds. ``seen`` has the path of each object met so far."""
    yield found
    for path, held in _held(found):
        if isinstance(held, Fault):
            yield held
        elif (first := seen.setdefault(id(held), path)) is not path:
            message = (
                f"is the very object that stands at '{first}' too: make one object "
                "for each place, as each has a state of its own"
            )
            yield Fault(path=path, field="", rule="V-3", message=message)
        elif _HELD[type(held)]:
            yield from _below(Found(path, held, found.node), seen)
        else:  # a leaf, as most are
            yield Found(path, held, found.node)


def _held(found: Found) -> Iterator[tuple[str, Node | Fault]]:
    """What the object holds, in walk order, each with its path."""
    node, path = found.node, found.path
    entries: list[Node | Fault] = []
    cleaned: dict[str, Any] = {}
    for field, wanted in _HELD[type(node)].items():
        value: Any = getattr(node, field)
        place = f"{path}{SEPARATOR}{field}"
        if field not in LISTS:
            if type(value) in wanted:
                entries.append(value)
            elif value is not None:
                entries.append(_not_wanted(place, value, wanted))
                cleaned[field] = None
        elif not _is_list(value):
            message = f"must be a list, not {kind_of(value)}"
            entries.append(Fault(path=path, field=field, rule="V-3", message=message))
            cleaned[field] = []
        else:
            good: list[Node] = []
            for index, member in enumerate(value):
                if type(member) in wanted:
                    entries.append(member)
                    good.append(member)
                else:
                    entries.append(_not_wanted(f"{place}[{index}]", member, wanted))
            if len(good) < len(value):
                cleaned[field] = good
    # Labels are those that the object's children have once the faults are mended.
    sane = attrs.evolve(node, **cleaned) if cleaned else node
    labels = (label for label, _ in labelled(sane))
    for entry in entries:
        if isinstance(entry, Fault):
            yield entry.path, entry
        else:
            yield f"{path}{SEPARATOR}{next(labels)}", entry


def _is_list(value: object) -> bool:
    return type(value) is list


def _not_wanted(path: str, value: object, wanted: tuple[type[Node], ...]) -> Fault:
    message = f"must be {kind_of_class(wanted[0])}, not {kind_of(value)}"
    return Fault(path=path, field="", rule="V-3", message=message)
