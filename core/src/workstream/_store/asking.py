"""What is asked of a plan: who asks, what may be said, and what becomes of it (CT-1).

How requests are kept and taken is in ``_protocols.vault``; what a verb does to a plan is
the interpreter's business, also where the plan was never started: then whoever asks takes
the request, on a copy of the plan, and brings along what that changes.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

import attrs

from .._codec.codec import Codec
from .._codec.records import apply_row, plan_changes
from .._interpreter import interventions, recovery, signals
from .._plan.paths import display_path
from .._plan.plan import Plan
from .._protocols.approval import said
from .._protocols.vault import Change, PlanRequest, PlanRow, StoredPlan, Write
from .._values.errors import RefusedError, ValidationError
from .._values.interventions import Effect, Intervention, Verb
from .._values.state import FailureReason, NoteValue, Status

BY_VARIABLE = "WORKSTREAM_BY"
"""The environment variable that says who asks."""

LONGEST_REASON = 4_096
"""Bytes of UTF-8: the record of a plan is read with the plan, whole."""
LONGEST_NAME = 200
"""Characters of who asks."""


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


@attrs.frozen(kw_only=True)
class Answer:
    """What became of something that was asked of a plan (CT-2, CT-5).

    Attributes:
        found: How the plan was found.
        intervention: What stands in the plan's record now; None: nothing yet, or the
            plan was as it was asked to be.
        pending: The request, while no run has taken it; it is durable.
    """

    found: Status
    intervention: Intervention | None = None
    pending: PlanRequest | None = None

    @property
    def unchanged(self) -> bool:
        """Whether the plan was already as it was asked to be; nothing was stored."""
        return self.intervention is None and self.pending is None


def asked(
    row: PlanRow,
    verb: str,
    *,
    at: datetime,
    by: str | None = None,
    reason: str = "",
    path: str = "",
    data: Mapping[str, NoteValue] | None = None,
    position: int = 0,
    plan: Plan | None = None,
) -> tuple[PlanRequest, Write]:
    """A request, and what is written in its place if the plan was never started.

    Args:
        row: The plan, as it was just read.
        verb: What is asked of it.
        at: The time.
        by: Who asks; None: ``requester()``.
        reason: Why.
        path: The object that it is about; "": the plan itself.
        data: What else the verb needs.
        position: The log position of the plan's latest change.
        plan: The plan itself, which is changed; None: its row is all that matters.

    Raises:
        ValidationError: Who asks has no name, or it or the reason is too long.
        RefusedError: A plan that was never started cannot be told this.
    """
    request = PlanRequest(
        plan_id=row.id,
        verb=verb,
        by=checked_name(by),
        at=at,
        reason=checked_reason(reason),
        path=path,
        data=interventions.encode_data(dict(data or {})),
    )
    changes: list[Change] = []
    if row.status is Status.NOT_STARTED:
        if plan is None:
            plan = Plan(name=row.name, description=row.description, blocks=[])
            plan.id, plan.group_id = row.id, row.group_id
            apply_row(plan, row)
        changes += _effect(plan, request)
    effect = Write(
        plan_id=row.id,
        first=position + 1,
        changes=tuple(changes),
        expect=Status.NOT_STARTED,
    )
    return request, effect


def _effect(plan: Plan, request: PlanRequest) -> list[Change]:
    """What taking the request changes of a plan that was never started."""
    known = len(plan.interventions)
    changed = interventions.take(plan, request, request.at)
    if not changed:
        return []
    told = plan.interventions[-1]
    if told.effect is not Effect.TAKEN:
        raise refused(plan, told)
    codec = Codec(None)
    records = [codec.record_of(node) for node in changed if node is not plan]
    return [*records, *plan_changes(plan, known)]


def refused(plan: Plan, told: Intervention) -> RefusedError:
    """Why the plan, as it stands, cannot be told this."""
    assert plan.id is not None
    place = display_path(told.path) if told.path else f"plan {plan.name!r}"
    verb = said(told.verb.value, told.data)
    verb = "set the limits of" if told.verb is Verb.SET_LIMITS else verb
    return RefusedError(f"cannot {verb} {place}: {told.words}", plan.id)


def foreseen(plan: Plan, pending: Iterable[PlanRequest], request: PlanRequest) -> bool:
    """Whether the request would change the plan, after what was asked before it.

    Args:
        plan: As it is stored; it is changed.
        pending: What its run has not taken yet.
        request: The request.

    Raises:
        RefusedError: It would be refused.
    """
    if plan.state.status.is_terminal:
        assert plan.id is not None
        raise ended(plan.name, plan.id, plan.state.status)
    for each in pending:
        interventions.take(plan, each, request.at)
    if not interventions.take(plan, request, request.at):
        return False
    told = plan.interventions[-1]
    if told.effect is Effect.REFUSED:
        raise refused(plan, told)
    return True


def abandoned(
    stored: StoredPlan, *, at: datetime, by: str | None, reason: str
) -> tuple[Write, Plan]:
    """What is written when a plan is given up, and the plan as it ends (SN-2).

    Raises:
        RefusedError: It is not RUNNING.
    """
    row = stored.row
    if row.status is Status.NOT_STARTED:
        message = f"plan {row.name!r} was never started: stop it, or delete it"
        raise RefusedError(message, row.id)
    if row.status.is_terminal:
        raise ended(row.name, row.id, row.status)
    codec = Codec(None)
    plan = codec.load(stored)
    known = len(plan.interventions)
    told = Intervention(
        verb=Verb.ABANDON,
        by=checked_name(by),
        at=at,
        reason=checked_reason(reason),
    )
    nodes = recovery.age_out(
        plan, at, FailureReason.ABANDONED, requests=stored.requests
    )
    plan.interventions = (*plan.interventions, told)
    records = [codec.record_of(node) for node in nodes if node is not plan]
    write = Write(
        plan_id=row.id,
        first=stored.position + 1,
        changes=(*records, *plan_changes(plan, known)),
        expect=Status.RUNNING,
        taken=max((each.number for each in stored.requests), default=0),
    )
    return write, plan


def to_decide(plan: Plan) -> str:
    """The address of the one approval that the plan waits for, or will (AP-1).

    Raises:
        RefusedError: There is none, or several.
    """
    assert plan.id is not None
    found = list(signals.approvals(plan))
    waiting = [each for each in found if each.action.state.status is Status.RUNNING]
    paths = [each.path for each in waiting or found]
    if len(paths) == 1:
        return paths[0]
    if not paths:
        message = f"plan {plan.name!r} waits for no approval"
        raise RefusedError(message, plan.id)
    message = f"plan {plan.name!r} has {len(paths):,} approvals to decide: say which:"
    lines = [f"  {display_path(path)}" for path in paths[:_MOST]]
    raise RefusedError("\n".join([message, *lines]), plan.id)


_MOST = 20
"""How many approvals an error lists."""


def ended(name: str, plan_id: UUID, status: Status) -> RefusedError:
    """Why a plan that has ended can be told nothing."""
    message = (
        f"plan {name!r} has ended, {status.name.lower()}, and is not run any more: to do "
        "what it may have left undone, retry it; to do it again, submit a clone of it"
    )
    return RefusedError(message, plan_id)


def answers(told: Intervention, request: PlanRequest) -> bool:
    """Whether this is what became of the request."""
    return (told.verb.value, told.path, told.by, told.reason, told.data) == (
        request.verb,
        request.path,
        request.by,
        request.reason,
        interventions.data_of(request),
    )


def checked_name(by: str | None) -> str:
    """Who asks; None: ``requester()``. Raises ValidationError: that is no name."""
    by = requester() if by is None else by
    if not by.strip():
        message = "who asks has no name: say one, or leave it out"
        raise ValidationError(message)
    if len(by) > LONGEST_NAME:
        message = f"who asks has {len(by):,} characters: at most {LONGEST_NAME}"
        raise ValidationError(message)
    return by


def checked_reason(reason: str) -> str:
    """The reason. Raises ValidationError: it is too long (CT-1)."""
    size = len(reason.encode(errors="surrogatepass"))
    if size > LONGEST_REASON:
        message = (
            f"the reason has {size:,} bytes, and may have {LONGEST_REASON:,}: say it "
            "shortly, and where the rest can be read"
        )
        raise ValidationError(message)
    return reason
