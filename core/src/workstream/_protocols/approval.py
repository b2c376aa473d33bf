"""Approvals: a check that waits until people said yes (AP-1).

An approval is a check whose plugin waits for signals by the name ``approval``. Who may
approve is asked when the plan takes such a signal (``_interpreter.signals``); so whatever
reaches the plugin counts. Whoever can write to a store can say any name (CT-4): this keeps
colleagues from mistakes, and nobody from a lie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from .._plan.plan import BaseAction, CheckAction
from .._secrets.references import StoredValue
from .._values.interventions import Verb
from .._values.state import NoteValue, PluginError
from .plugin import CheckPlugin, Context

APPROVAL = "approval"
"""The name of the signal: True approves, False rejects."""


@attrs.frozen
class Approval:
    """What people are asked.

    Attributes:
        question: What they say yes or no to.
        approvers: Who may, each as ``user`` or ``user@host``; nobody named: anybody.
        count: How many different people must approve.
        not_submitter: Whether the one who submitted the plan may not.
    """

    question: str
    approvers: tuple[str, ...] = ()
    count: int = 1
    not_submitter: bool = True

    def words(self, approved: Sequence[str] = ()) -> str:
        """For whom it waits.

        Args:
            approved: Who approved so far.
        """
        who = " or ".join(self.approvers) or "anybody"
        if self.not_submitter and not self.approvers:
            who += " but the submitter"
        what = "approval"
        if self.count > 1:
            what = f"{self.count} approvals"
        if approved:
            what += f", {len(approved)} given by {', '.join(approved)},"
        return f"waits for {what} by {who}: {self.question}"

    def refusal(self, by: str, submitter: str) -> str:
        """Why this one may not approve or reject; "": they may.

        Args:
            by: Who wants to.
            submitter: Who submitted the plan; "": that is not known.
        """
        if self.not_submitter and submitter and person(by) == person(submitter):
            return f"{by} submitted the plan, so somebody else has to decide"
        if self.approvers and not {by, person(by)} & {*self.approvers}:
            return f"{by} is none of those who may: {', '.join(self.approvers)}"
        return ""


@attrs.frozen
class Approved:
    """Who approved.

    Attributes:
        by: Their names, in order.
    """

    by: tuple[str, ...]


def person(by: str) -> str:
    """Who somebody is, on whatever host: ``ana`` of ``ana@web-1``."""
    return by.partition("@")[0] or by


class Approve(CheckPlugin[Approval, Approved]):
    """Wait until people approve: `workstream approve`; `workstream reject` fails it.

    It passes when enough different people approved, and fails for good at the first
    rejection. A stop ends the wait; a hold does not.
    """

    name = "workstream.approval"

    async def execute(self, context: Context, request: Approval, /) -> Approved:
        """Wait for signals until they decide it."""
        approved: dict[str, str] = {}
        context.report(request.words())
        async for each in context.signals(APPROVAL):
            if each.value is not True:
                because = f": {each.reason}" if each.reason else ""
                message = f"rejected by {each.by}{because}"
                raise PluginError(message, permanent=True)
            approved.setdefault(person(each.by), each.by)
            if len(approved) >= request.count:
                break
        return Approved(tuple(approved.values()))

    def validate(self, request: Approval, /) -> None:
        """Refuse what nobody can answer."""
        faults: list[str] = []
        if not request.question.strip():
            faults.append("question is empty: say what people approve")
        if request.count < 1:
            faults.append(f"count is {request.count}: at least 1 person must approve")
        if any(not each.strip() for each in request.approvers):
            faults.append("approvers holds an empty name")
        people = {person(each) for each in request.approvers}
        if people and request.count > len(people):
            faults.append(
                f"count is {request.count}, but approvers are only {len(people)}: it "
                "would never pass"
            )
        if faults:
            raise ValueError("; ".join(faults))

    @classmethod
    def action(
        cls, request: Approval, *, name: str, timeout: float = math.inf, **more: Any
    ) -> CheckAction:
        """A CheckAction that waits for an approval, by itself without a time limit.

        Args:
            request: What people are asked.
            name: Its name.
            timeout: Seconds after which it fails.
            more: Other fields of ``CheckAction``.
        """
        return super().action(request, name=name, timeout=timeout, **more)


def said(verb: str, data: Mapping[str, NoteValue]) -> str:
    """What a plan was told, in the word that its command has.

    Args:
        verb: The verb of the request.
        data: What it holds beside.
    """
    if verb == Verb.SIGNAL.value and data.get("name") == APPROVAL:
        return "approve" if data.get("value") is True else "reject"
    return verb


def approval_of(action: BaseAction) -> Approval | None:
    """What an action asks people to approve; None: it is no approval."""
    if action.plugin != Approve.name:
        return None
    request = action.request
    if isinstance(request, Approval):
        return request
    if not isinstance(request, StoredValue):
        return None
    stored: dict[str, Any] = request.data
    names = {field.name for field in attrs.fields(Approval)}
    data = {name: stored[name] for name in stored if name in names}
    data["approvers"] = tuple(data.get("approvers") or ())
    return Approval(**data)
