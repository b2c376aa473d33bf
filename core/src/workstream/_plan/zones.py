"""In which zone each action of a plan is run (section 33)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from .._values.display import shorten
from .plan import Block, Node, Plan, Sequence


def zone_of(ancestors: Iterable[Node]) -> str | None:
    """The zone of what these objects hold; None: anywhere (ZN-1).

    Args:
        ancestors: From the plan down; the nearest that names a zone decides.
    """
    zone: str | None = None
    for node in ancestors:
        if isinstance(node, Block | Sequence) and node.zone is not None:
            zone = node.zone
    return zone


def zones_text(plan: Plan) -> Iterator[str]:
    """Where the sequences run: a line for each block of which any has a zone (ZN-4)."""
    for block in plan.blocks:
        counts = Counter(zone_of((block, each)) for each in block.sequences)
        if set(counts) == {None}:
            continue
        named = (
            f"{count:,} {'anywhere' if zone is None else f'in zone {zone}'}"
            for zone, count in counts.items()
        )
        yield f"{shorten(block.name)}: sequences: {', '.join(named)}"
