"""What is asked of a plan: who asks, and what that does to one that was never started.

How requests are kept and taken is in ``_protocols.vault``; what a verb does to a plan
that runs is the interpreter's business. A new verb has a row in ``EFFECTS``, and nothing
else here.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable
from datetime import datetime

import attrs

from .._protocols.vault import STOP, Change, PlanRequest, PlanRow, Write
from .._values.state import FailureReason, Status

BY_VARIABLE = "WORKSTREAM_BY"
"""The environment variable that says who asks."""


def requester() -> str:
    """Who asks, unless somebody says otherwise: ``WORKSTREAM_BY`` or user@host (CT-4).

    Whoever can write to a store can say any name.
    """
    named = os.environ.get(BY_VARIABLE)
    if named:
        return named
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # an id without an entry among the users
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _stopped(row: PlanRow, request: PlanRequest) -> tuple[Change, ...]:
    """It is S at once, and all of its objects stay N (SP-1)."""
    stopped = attrs.evolve(
        row,
        status=Status.STOPPED,
        ended=request.at,
        reasons=(FailureReason.STOPPED,),
        stopping=True,
    )
    return (stopped,)


EFFECTS: dict[str, Callable[[PlanRow, PlanRequest], tuple[Change, ...]]] = {
    STOP: _stopped,
}
"""What each verb changes on a plan that is NOT_STARTED."""


def asked(
    row: PlanRow,
    verb: str,
    *,
    at: datetime,
    by: str | None = None,
    reason: str = "",
    position: int = 0,
) -> tuple[PlanRequest, Write]:
    """A request, and what is written in its place if the plan was never started.

    Args:
        row: The plan, as it was just read.
        verb: What is asked of it.
        at: The time.
        by: Who asks; None: ``requester()``.
        reason: Why.
        position: The log position of the plan's latest change.
    """
    request = PlanRequest(
        plan_id=row.id, verb=verb, by=by or requester(), at=at, reason=reason
    )
    effect = Write(
        plan_id=row.id,
        first=position + 1,
        changes=EFFECTS[verb](row, request),
        expect=Status.NOT_STARTED,
    )
    return request, effect
