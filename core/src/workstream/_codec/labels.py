"""The labels of a plan: texts by which a vault finds it (STO-15).

A vault keeps them beside the plan and knows nothing of what they mean. Each begins with
what it is: ``has:`` the name of an object in the plan, in no capitals, for example of
the sequence of a host; ``by:`` who submitted it; ``p:`` a parameter and its text;
``asks:`` that somebody has to approve something of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .._values.display import shorten
from .._values.errors import ValidationError
from .._values.wire import unpack

if TYPE_CHECKING:
    from .._plan.plan import Node, Plan

_DEFINITION = b"\x01"
ASKS = "asks:approval"
"""The label of the plans that hold an approval."""


def named(name: str) -> str:
    """The label of the plans that hold an object of this name."""
    return f"has:{name.casefold()}"


def submitted_by(name: str) -> str:
    """The label of the plans that this one submitted."""
    return f"by:{name}"


def made_with(parameter: str, text: str) -> str:
    """The label of the plans that were made with this parameter."""
    return f"p:{parameter}={text}"


def labels_for(
    *, touching: Iterable[str] = (), submitter: str = "", parameters: Iterable[str] = ()
) -> tuple[str, ...]:
    """The labels by which a vault finds plans, for ``Where.labels``.

    Args:
        touching: Paths, or names: the plans hold an object of each name in them.
        submitter: Who submitted them; "": anybody.
        parameters: What they were made with, each as ``NAME=VALUE``.

    Raises:
        ValidationError: A parameter has no value.
    """
    labels: list[str] = []
    if touching:
        from .._plan.paths import SEPARATOR  # as below

        parts = [part for path in touching for part in path.split(SEPARATOR)]
        labels += [named(part.strip()) for part in parts]
    labels += [submitted_by(submitter)] if submitter else []
    for setting in parameters:
        parameter, sign, text = setting.partition("=")
        if not sign:
            message = f"{shorten(setting)!r} names no value: write NAME=VALUE"
            raise ValidationError(message)
        labels.append(made_with(parameter.strip(), text))
    return tuple(labels)


def labels_of(plan: Plan) -> set[str]:
    """All labels of a plan that is submitted."""
    # Whoever only looks for plans makes none.
    from .._plan.plan import BaseAction
    from .._plan.walk import nodes
    from .._protocols.approval import approval_of

    names: set[str] = set()
    asks = False
    for node in nodes(plan):
        if node is not plan:
            names.add(getattr(node, "name", ""))
            asks = asks or (isinstance(node, BaseAction) and bool(approval_of(node)))
    labels = {named(name) for name in names if name}
    if asks:
        labels.add(ASKS)
    if plan.submitter:
        labels.add(submitted_by(plan.submitter))
    if plan.origin is not None:
        labels.update(made_with(*each) for each in plan.origin.parameters)
    return labels


def labels_in(definition: bytes) -> set[str]:
    """Those of a plan that was stored when there were no labels.

    No plan knew then who had submitted it. Raises an Exception for anything else.
    """
    from .._plan.plan import Plan
    from .objects import held_in

    names: set[str] = set()
    left: list[tuple[type[Node], Any]] = [(Plan, unpack(_DEFINITION, definition))]
    while left:
        parts = list(held_in(*left.pop()))
        names.update(data.get("name", "") for _, data in parts)
        left += parts
    return {named(name) for name in names if name}
