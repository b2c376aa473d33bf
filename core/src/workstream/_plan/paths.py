"""Addresses for people (OM-15): ``Deploy server / Web tier / web-3 / Copy``.

A path is the labels from the plan down to the object, joined by `` / ``. An object's
label is its name, or the field that holds it where it has none (``pre_checks``,
``deferred_actions``). Three rules make every path lead back to exactly one object:

1. A ``/`` in a name is written ``//``. So a lone slash between two spaces is always
   the separator, and a path falls apart into labels by splitting it there.
2. Where siblings have the same name, each of them gets its position among those:
   ``web-3 [1]``, ``web-3 [2]``.
3. A name that itself ends in such a position always gets one more, so that a label
   which ends in a position is always a name and a position: the only sibling whose
   name is ``web-3 [2]`` has the label ``web-3 [2] [1]``.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

from .._values.display import display, shorten
from .._values.errors import PathError
from .plan import Block, Checks, DeferBatch, DeferredActions, Node, Plan, Sequence
from .walk import Item, walk

__all__ = [
    "SEPARATOR",
    "display_path",
    "find",
    "label_of_plan",
    "labelled",
    "path_of",
    "paths",
]

SEPARATOR = " / "

_ENDS_IN_POSITION = re.compile(r" \[[0-9]+\]\Z")
_NO_NAME = "(no name)"
_NO_OBJECT = "(nothing)"


def path_of(item: Item) -> str:
    """The object's path.

    Its cost grows with the number of the object's siblings: for the paths of many
    objects use ``paths``.

    Args:
        item: The object and its ancestors, as ``walk`` yields them.
    """
    chain = (*item.ancestors, item.node)
    labels = [label_of_plan(chain[0])]
    for parent, child in pairwise(chain):
        siblings = _children(parent)
        position = next(n for n, (_, node) in enumerate(siblings) if node is child)
        labels.append(_labels(siblings)[position])
    return SEPARATOR.join(labels)


def paths(plan: Plan) -> Iterator[tuple[str, Item]]:
    """Every object of the plan with its path, in walk order (W-1).

    The time it takes grows with the number of objects only, however many siblings
    there are.
    """
    # One entry for each container that is open: its path, and its children's labels.
    containers: list[tuple[str, Iterator[str]]] = []
    for item in walk(plan):
        depth = len(item.ancestors)
        del containers[depth:]
        if depth == 0:
            path = label_of_plan(plan)
        else:
            parent, labels = containers[-1]
            path = f"{parent}{SEPARATOR}{next(labels)}"
        labels = (label for label, _ in labelled(item.node))
        containers.append((path, labels))
        yield path, item


def label_of_plan(plan: Node) -> str:
    """The label that all paths of the plan begin with."""
    return _labels([(_name_of(plan), plan)])[0]


def labelled(node: Node) -> list[tuple[str, Node | None]]:
    """The object's children in walk order, each with its label.

    A label is what a child adds to the path of its parent. Children of a plan that is
    not valid have one too: those with a blank name, and a None in place of an object.
    """
    children = _children(node)
    return [
        (label, child)
        for label, (_, child) in zip(_labels(children), children, strict=True)
    ]


def find(plan: Plan, path: str) -> Node:
    """The object that the path names.

    Args:
        plan: The plan.
        path: A path, beginning with the plan's name, exactly as ``path_of`` writes it.

    Raises:
        PathError: It names no object, or several; the message tells the nearest paths.
    """
    wanted = path.split(SEPARATOR)
    root = label_of_plan(plan)
    if wanted[0] != root:
        raise PathError(_wrong_root(plan, root, path))
    node: Node = plan
    for depth, label in enumerate(wanted[1:], start=1):
        siblings = _children(node)
        labels = _labels(siblings)
        if label not in labels:
            parent = SEPARATOR.join(wanted[:depth])
            raise PathError(_not_found(path, parent, label, siblings, labels))
        child = siblings[labels.index(label)][1]
        if child is None:
            message = f"{_quoted(path)} is None where an object should be"
            raise PathError(message)
        node = child
    return node


def display_path(path: str) -> str:
    """The path made safe for a terminal, each of its labels at a readable length."""
    return SEPARATOR.join(shorten(label) for label in path.split(SEPARATOR))


def _children(node: Node) -> list[tuple[str, Node | None]]:
    """The object's children in walk order, each with its name, or its field's."""
    match node:
        case Plan():
            return [
                *_fields(node, "bypass_checks", "pre_checks", "cont_checks"),
                *_named(node.blocks),
                *_fields(node, "post_checks", "deferred_actions", "deferred_checks"),
            ]
        case Block():
            return [
                *_fields(node, "bypass_checks", "pre_checks", "cont_checks"),
                *_named(node.sequences),
                *_fields(node, "post_checks", "deferred_checks"),
            ]
        case DeferredActions():
            return _named(node.batches)
        case Checks() | Sequence() | DeferBatch():
            return _named(node.actions)
        case _:
            return []


def _fields(node: Node, *names: str) -> list[tuple[str, Node | None]]:
    return [
        (name, child) for name in names if (child := getattr(node, name)) is not None
    ]


def _named(nodes: Iterable[Node | None]) -> list[tuple[str, Node | None]]:
    return [(_name_of(node), node) for node in nodes]


def _name_of(node: Node | None) -> str:
    if node is None:
        return _NO_OBJECT
    name = getattr(node, "name", None)
    if name is None or not str(name).strip():
        return _NO_NAME
    return str(name)


def _labels(siblings: Iterable[tuple[str, Node | None]]) -> list[str]:
    names = [name for name, _ in siblings]
    bearers = Counter(names)
    seen: Counter[str] = Counter()
    labels: list[str] = []
    for name in names:
        label = _escaped(name)
        if bearers[name] > 1 or _ENDS_IN_POSITION.search(name):
            seen[name] += 1
            label += f" [{seen[name]}]"
        labels.append(label)
    return labels


def _escaped(name: str) -> str:
    return name.replace("/", "//")


def _wrong_root(plan: Plan, root: str, path: str) -> str:
    message = (
        f"{_quoted(path)} names no object of the plan: "
        f"a path begins with the plan's name, {_quoted(root)}"
    )
    _, _, rest = path.partition(SEPARATOR)
    for guess in (f"{root}{SEPARATOR}{path}", f"{root}{SEPARATOR}{rest}"):
        with contextlib.suppress(PathError):
            find(plan, guess)
            return f"{message}: did you mean {_quoted(guess)}?"
    return message


def _not_found(
    path: str,
    parent: str,
    label: str,
    siblings: list[tuple[str, Node | None]],
    labels: list[str],
) -> str:
    message = f"{_quoted(path)} names no object of the plan"
    if not labels:
        return f"{message}: {_quoted(parent)} holds nothing"
    same = [
        sibling
        for sibling, (name, _) in zip(labels, siblings, strict=True)
        if _escaped(name) == label
    ]
    if len(same) > 1:
        return (
            f"{_quoted(path)} names {len(same):,} objects of the plan: "
            f"say which one, {_alternatives(parent, same)}"
        )
    near = same or _nearest(label, labels)
    if near:
        return f"{message}: did you mean {_alternatives(parent, near)}?"
    hint = ""
    if "/" in label.replace("//", ""):
        hint = " (names are joined by ' / ', and a slash in a name is written '//')"
    held = ", ".join(_quoted(sibling) for sibling in labels[:5])
    more = f" and {len(labels) - 5:,} more" if len(labels) > 5 else ""
    return f"{message}{hint}: {_quoted(parent)} holds {held}{more}"


def _nearest(label: str, labels: list[str]) -> list[str]:
    # What is compared is kept short: the time it takes grows with the square of it.
    # Between names of such a length the part that is cut off hardly matters.
    by_short = {display(sibling[:80]).casefold(): sibling for sibling in labels}
    close = difflib.get_close_matches(
        display(label[:80]).casefold(), by_short, n=3, cutoff=0.6
    )
    return [by_short[short] for short in close]


def _alternatives(parent: str, labels: list[str]) -> str:
    shown = [_quoted(f"{parent}{SEPARATOR}{label}") for label in labels[:3]]
    more = [f"one of {len(labels) - 3:,} more"] if len(labels) > 3 else []
    *most, last = [*shown, *more]
    return f"{', '.join(most)} or {last}" if most else last


def _quoted(path: str) -> str:
    return f"'{shorten(display_path(path), 1_000)}'"
