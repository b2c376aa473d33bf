"""Which blocks and sequences of a plan a person chose for its sequel."""

from __future__ import annotations

from collections.abc import Collection

import attrs

from ..._values.display import shorten
from ..._values.errors import PathError
from ..paths import meant, paths
from ..plan import Block, Node, Plan, Sequence


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
    nodes: dict[str, Node] = {}
    if only or skip:
        nodes = {
            path: item.node
            for path, item in paths(plan)
            if isinstance(item.node, Block | Sequence)
        }
    wanted, unwanted = set[int](), set[int]()
    for texts, found in ((only, wanted), (skip, unwanted)):
        for text in texts:
            try:
                node = nodes[meant(plan, text, nodes, "block or sequence")]
            except PathError as error:
                faults.append(str(error))
                continue
            if texts is only and id(node) in done:
                faults.append(f"'{shorten(text)}' {why}: leave it out of only")
            found.add(id(node))
    if faults:
        raise PathError("\n".join(faults))
    return Choice(frozenset(wanted), frozenset(unwanted))
