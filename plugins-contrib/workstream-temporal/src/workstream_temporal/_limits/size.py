"""Which plans are too large for a cluster, said when they are submitted."""

from __future__ import annotations

from workstream._codec.codec import Codec
from workstream._protocols.vault import PlanRow
from workstream._values.errors import PlanRefusedError

STATE = 1_600_000
"""Bytes of all that a plan's workflow takes along into a new history, at most. Every
server refuses a payload of 2 MB; the rest is left to what is under way, and to a codec."""
A_STATE = 12
"""Bytes of them for the state of one object, deflated among its like."""
OBJECTS = 250_000
"""Of a plan, at most: some of what is asked of a block looks at each of its sequences."""
DEFINITION = 64_000_000
"""Bytes of a definition, at most, before it is deflated."""


def refuse_too_large(row: PlanRow, definition: bytes, payload: int, host: str) -> None:
    """Refuse a plan that would outgrow the cluster, before anything of it is stored.

    Args:
        row: The plan's.
        definition: The plan, as its author wrote it.
        payload: Bytes of what its workflow begins with.
        host: Who would run it, for people.

    Raises:
        PlanRefusedError: It is too large.
    """
    objects = Codec.size(definition)
    state = payload + A_STATE * objects
    if state <= STATE and objects <= OBJECTS and len(definition) <= DEFINITION:
        return
    message = (
        f"plan {row.name!r} is too large for {host}: it has {objects:,} objects, and its "
        f"definition takes {len(definition):,} bytes, {payload:,} deflated. With its "
        f"state that makes {state:,} bytes; the workflow of a plan holds at most "
        f"{STATE:,}, and {OBJECTS:,} objects. Split it into several plans, take what is "
        "large out of its requests (name a file or an address instead), or run it with a "
        "store on one machine"
    )
    raise PlanRefusedError(message, row.id)
