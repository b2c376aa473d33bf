"""Which blocks and sequences of a plan a person chose for its sequel."""

from __future__ import annotations

import difflib
from collections.abc import Collection

import attrs

from ..._values.display import shorten
from ..._values.errors import PathError
from ..paths import SEPARATOR, find, paths
from ..plan import Block, Node, Plan, Sequence

_SHOWN = 3


@attrs.frozen
class Choice:
    """What was chosen: the id() of blocks and sequences.

    Attributes:
        wanted: Those that are alone wanted; empty: all are.
        unwanted: Those that are not.
    """

    wanted: frozenset[int]
    unwanted: frozenset[int]

    def takes(self, block: Block, sequence: Sequence) -> bool:
        """Whether the sequence is chosen."""
        if self.unwanted & {id(block), id(sequence)}:
            return False
        return self.takes_whole(block) or id(sequence) in self.wanted

    def takes_whole(self, block: Block) -> bool:
        """Whether the block is chosen, beyond single sequences of it."""
        if id(block) in self.unwanted:
            return False
        return not self.wanted or id(block) in self.wanted


def chosen(
    plan: Plan,
    only: Collection[str],
    skip: Collection[str],
    done: Collection[int],
    why: str,
) -> Choice:
    """What a person chose.

    Args:
        plan: The plan.
        only: Paths of what alone is wanted; empty: everything is.
        skip: Paths of what is not wanted.
        done: The id() of each block and sequence that cannot be wanted.
        why: Says so, after the path.

    Raises:
        PathError: A path names no block or sequence, or several, or what is done.
    """
    faults: list[str] = []
    names = _Names(plan) if only or skip else None
    wanted, unwanted = set[int](), set[int]()
    for texts, found in ((only, wanted), (skip, unwanted)):
        for text in texts:
            assert names is not None
            try:
                node = names.find(text)
            except PathError as error:
                faults.append(str(error))
                continue
            if texts is only and id(node) in done:
                faults.append(f"'{shorten(text)}' {why}: leave it out of only")
            found.add(id(node))
    if faults:
        raise PathError("\n".join(faults))
    return Choice(frozenset(wanted), frozenset(unwanted))


class _Names:
    """Finds blocks and sequences of one plan by paths, or by how their paths end."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._nodes = {
            path: item.node
            for path, item in paths(plan)
            if isinstance(item.node, Block | Sequence)
        }

    def find(self, text: str) -> Node:
        """The block or sequence that is meant.

        Raises:
            PathError: None is, or several are.
        """
        if text in self._nodes:
            return self._nodes[text]
        end = f"{SEPARATOR}{text}"
        found = [path for path in self._nodes if text.strip() and path.endswith(end)]
        if len(found) == 1:
            return self._nodes[found[0]]
        shown = f"'{shorten(text, 300)}'"
        if found:
            listed = ", ".join(f"'{shorten(path, 300)}'" for path in found[:_SHOWN])
            more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
            message = (
                f"{shown} names {len(found):,} objects of the plan: say which one, "
                f"{listed}{more}"
            )
            raise PathError(message)
        if any(f"{SEPARATOR}{path}".endswith(end) for path, _ in paths(self._plan)):
            message = f"{shown} is no block or sequence: name the one that holds it"
            raise PathError(message)
        labels = {path.rpartition(SEPARATOR)[2]: path for path in self._nodes}
        near = difflib.get_close_matches(text[:80], labels, n=_SHOWN)
        if near:
            listed = " or ".join(f"'{shorten(labels[each], 300)}'" for each in near)
            message = f"{shown} names no block or sequence: did you mean {listed}?"
            raise PathError(message)
        find(self._plan, text)  # it leads nowhere: this says what is near
        message = f"{shown} names no block or sequence"
        raise PathError(message)
