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
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import pairwise

from .._values.display import display, shorten
from .._values.errors import PathError
from .._values.folding import SEPARATOR as SEPARATOR
from .plan import BaseAction, Node, Plan
from .shape import Held, held_by
from .walk import Item, walk

_ENDS_IN_POSITION = re.compile(r" \[[0-9]+\]\Z")
_NO_NAME = "(no name)"
_NO_OBJECT = "(nothing)"


def below_plan(path: str) -> str:
    """The path without the plan's name, which says nothing among paths of one plan."""
    return path.partition(SEPARATOR)[2] or path


def path_of(item: Item) -> str:
    """The object's path.

    Its cost grows with the number of the object's siblings: for the paths of many
    objects use ``paths``.

    Args:
        item: The object and its ancestors, as ``walk`` yields them.
    """
    chain = (*item.ancestors, item.node)
    path = [label_of_plan(chain[0])]
    for parent, child in pairwise(chain):
        path += (label for label, node in labelled(parent) if node is child)
    return SEPARATOR.join(path)


def paths(
    plan: Plan, wanted: Callable[[Node], bool] | None = None
) -> Iterator[tuple[str, Item]]:
    """Every object of the plan with its path, in walk order (W-1).

    The time it takes grows with the number of objects only, however many siblings
    there are.

    Args:
        plan: The plan.
        wanted: Whether an object is to be yielded; None: each. Where few are, it takes
            little more time than to walk.
    """
    containers: list[_Container] = []  # those that are open
    parent: _Container | None = None
    for item in walk(plan):
        node, depth = item.node, len(item.ancestors)
        del containers[depth:]
        place = 0
        if depth:
            parent = containers[-1]
            place = parent.seen
            parent.seen = place + 1
        if not isinstance(node, BaseAction):
            containers.append(_Container(node, parent, place))
        if wanted is None or wanted(node):
            yield label_of_plan(node) if parent is None else parent.path_of(place), item


class _Container:
    """An object that holds others: its path, and their labels, are made when asked for.

    Attributes:
        seen: How many of those that it holds were walked.
    """

    __slots__ = ("_labels", "_node", "_parent", "_path", "_place", "seen")

    def __init__(self, node: Node, parent: _Container | None, place: int) -> None:
        self._node = node
        self._parent = parent
        self._place = place
        self._path = ""
        self._labels: list[str] = []
        self.seen = 0

    def path_of(self, place: int) -> str:
        """The path of the object at this place among those that it holds."""
        if not self._labels:
            parent, node = self._parent, self._node
            path = (
                label_of_plan(node) if parent is None else parent.path_of(self._place)
            )
            self._path = path + SEPARATOR
            self._labels = labels(held_by(node))
        return self._path + self._labels[place]


def label_of_plan(plan: Node) -> str:
    """The label that all paths of the plan begin with."""
    return _label(_name_of(plan), 0)


def labelled(node: Node) -> list[tuple[str, Node | None]]:
    """The object's children in walk order, each with its label.

    A label is what a child adds to the path of its parent. Children of a plan that is
    not valid have one too: those with a blank name, and a None in place of an object.
    """
    held = list(held_by(node))
    return [
        (label, child) for label, (_, child) in zip(labels(held), held, strict=True)
    ]


def labels(held: Iterable[tuple[Held, Node | None]]) -> list[str]:
    """The labels of all that one object holds, given with the fields that hold it."""
    names = [_name_of(child) if field.many else field.name for field, child in held]
    if len(set(names)) == len(names):
        return [_label(name, 0) for name in names]
    several = Counter(names)
    seen: Counter[str] = Counter()
    found: list[str] = []
    for name in names:
        seen[name] += 1
        found.append(_label(name, seen[name] if several[name] > 1 else 0))
    return found


def _label(name: str, number: int) -> str:
    """The label of the object with this number among those of its name; 0: the only."""
    label = name.replace("/", "//")
    # Few names end so: what is asked first is quick.
    if number or (name.endswith("]") and _ENDS_IN_POSITION.search(name)):
        label += f" [{number or 1}]"
    return label


def _name_of(node: Node | None) -> str:
    """The object's name, or what stands in its place."""
    if node is None:
        return _NO_OBJECT
    name = getattr(node, "name", None)
    return str(name) if name is not None and str(name).strip() else _NO_NAME


def find(plan: Plan, path: str) -> Node:
    """The object that the path names.

    Args:
        plan: The plan.
        path: A path, beginning with the plan's name, exactly as ``path_of`` writes it.

    Raises:
        PathError: It names no object, or several; the message tells the nearest paths.
    """
    root, *rest = path.split(SEPARATOR)
    if root != label_of_plan(plan):
        raise PathError(_wrong_root(plan, path))
    node: Node = plan
    parent = root
    for label in rest:
        children = dict(labelled(node))
        if label not in children:
            raise PathError(_not_found(path, parent, label, list(children)))
        child = children[label]
        if child is None:
            message = f"{_quoted(path)} is None where an object should be"
            raise PathError(message)
        node = child
        parent += SEPARATOR + label
    return node


def meant(
    plan: Plan,
    text: str,
    among: Collection[str] | None = None,
    what: str = "object",
) -> str:
    """The path of the object that somebody means.

    Args:
        plan: The plan.
        text: A path; one without the plan's name in front; or the end of one, where
            only one object's path ends so. A container goes before what is in it.
        among: The paths of the objects that may be meant; None: of all.
        what: What they are, for the message.

    Raises:
        PathError: It names no object, or several; the message tells the nearest paths.
    """
    wanted = text.strip()
    known = [path for path, _ in paths(plan)] if among is None else among
    ending = f"{SEPARATOR}{wanted}"
    for guess in (wanted, label_of_plan(plan) + ending):
        if guess in known:
            return guess
    found = [path for path in known if path.endswith(ending)]
    depths = [path.count(SEPARATOR) for path in found]
    highest = [path for path in found if path.count(SEPARATOR) == min(depths)]
    if len(highest) == 1:
        return highest[0]
    if highest:
        raise PathError(_several(wanted, highest))
    if among is not None and any(
        f"{SEPARATOR}{path}".endswith(ending) for path, _ in paths(plan)
    ):
        message = f"{_quoted(wanted)} is no {what}: name the one that holds it"
        raise PathError(message)
    if wanted.startswith(f"{label_of_plan(plan)}{SEPARATOR}"):
        find(plan, wanted)  # it leads nowhere: this says what is near
    by_label: dict[str, str] = {}
    for path in known:
        by_label.setdefault(path.split(SEPARATOR)[-1], path)
    near = _nearest(wanted.split(SEPARATOR)[-1], list(by_label))
    message = f"{_quoted(wanted)} names no {what} of the plan"
    if near:
        message += f": did you mean {_either([by_label[label] for label in near])}?"
    raise PathError(message)


def display_path(path: str) -> str:
    """The path made safe for a terminal, each of its labels at a readable length."""
    return SEPARATOR.join(shorten(label) for label in path.split(SEPARATOR))


def _wrong_root(plan: Plan, path: str) -> str:
    """The error for a path that does not begin with the plan's name."""
    root = label_of_plan(plan)
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


def _not_found(path: str, parent: str, label: str, siblings: list[str]) -> str:
    """The error for a label that none of the siblings has."""
    message = f"{_quoted(path)} names no object of the plan"
    if not siblings:
        return f"{message}: {_quoted(parent)} holds nothing"
    same = [each for each in siblings if _ENDS_IN_POSITION.sub("", each) == label]
    if len(same) > 1:
        return _several(path, [f"{parent}{SEPARATOR}{each}" for each in same])
    near = same or _nearest(label, siblings)
    if near:
        near = [f"{parent}{SEPARATOR}{each}" for each in near]
        return f"{message}: did you mean {_either(near)}?"
    hint = ""
    if "/" in label.replace("//", ""):
        hint = " (names are joined by ' / ', and a slash in a name is written '//')"
    held = ", ".join(_quoted(sibling) for sibling in siblings[:5])
    more = f" and {len(siblings) - 5:,} more" if len(siblings) > 5 else ""
    return f"{message}{hint}: {_quoted(parent)} holds {held}{more}"


def _nearest(label: str, siblings: list[str]) -> list[str]:
    """The siblings' labels that are most like this one."""
    # What is compared is kept short: the time it takes grows with the square of it.
    # Between names of such a length the part that is cut off hardly matters.
    by_short = {display(sibling[:80]).casefold(): sibling for sibling in siblings}
    close = difflib.get_close_matches(
        display(label[:80]).casefold(), by_short, n=3, cutoff=0.6
    )
    return [by_short[short] for short in close]


def _several(text: str, found: list[str]) -> str:
    """The error for words that name several objects."""
    return (
        f"{_quoted(text)} names {len(found):,} objects of the plan: "
        f"say which one, {_either(found)}"
    )


def _either(found: list[str]) -> str:
    """Up to three paths, to choose from."""
    shown = [_quoted(path) for path in found[:3]]
    more = [f"one of {len(found) - 3:,} more"] if len(found) > 3 else []
    *most, last = [*shown, *more]
    return f"{', '.join(most)} or {last}" if most else last


def _quoted(path: str) -> str:
    """The path for a message."""
    return f"'{shorten(display_path(path), 1_000)}'"
