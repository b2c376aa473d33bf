"""What an operator says to plans, as methods of an open store (sections 14, 25 to 28)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from uuid import UUID

import attrs
import trio

from .._codec.codec import Codec
from .._plan.paths import display_path, find, meant
from .._plan.plan import BaseAction, Percent, Plan
from .._protocols.approval import APPROVAL, approval_of
from .._protocols.hosting import hosting
from .._protocols.vault import PlanRequest, Vault, Write, owner_text
from .._values.errors import ConflictError, RefusedError
from .._values.interventions import Effect, Verb
from .._values.state import NoteValue, OnFailure, Status
from .asking import (
    Answer,
    abandoned,
    answers,
    asked,
    ended,
    foreseen,
    refused,
    to_decide,
)
from .freezing import Freezing
from .news import News

_PATIENCE = 2.0
"""Seconds for which whoever asks waits for a run to take the request (CT-2)."""
_LOOK_FOR_ANSWER = 0.05
"""Seconds between two looks whether it has."""


@attrs.frozen
class _Asking:
    """What was asked: of what plan, how it was found, and how much it had been told."""

    name: str
    found: Status
    request: PlanRequest | None
    known: int


class Hand(Freezing):
    """The part of a ``Store`` that tells plans something.

    Whatever changes something is shielded from the cancellation of whoever asked.
    """

    def __init__(self, vault: Vault, news: News, now: Callable[[], datetime]) -> None:
        super().__init__(vault, now)
        self._news = news

    async def stop(
        self,
        plan_id: UUID,
        *,
        reason: str = "",
        by: str | None = None,
        now: bool = False,
        undo: bool = False,
    ) -> Status:
        """Ask the plan to stop: attempts in flight end, nothing more begins (SP-1, SP-2).

        The request is durable on return; ``wait`` tells when the plan has ended. It
        may come from any process that can open the store.

        Args:
            plan_id: The plan.
            reason: Why, in a few words.
            by: Who asks; None: ``WORKSTREAM_BY``, or else user@host (CT-4).
            now: Whether attempts in flight of the main phases are cut, too (SN-1). A
                plan that is stopping can be told so later.
            undo: Whether the sequences that have begun are taken back, as far as they
                say how (UN-1). A plan that is stopping can be told so later.

        Returns:
            How the plan was found: NOT_STARTED means that it is stopped now, RUNNING
            that its run will see the request, and else it had ended already.

        Raises:
            NotFoundError: No such plan.
        """
        words = {"now": now, "undo": undo}
        data: dict[str, NoteValue] = {word: True for word in words if words[word]}
        answer = await self._ask(plan_id, Verb.STOP, reason, by, data=data)
        return answer.found

    async def pause(
        self, plan_id: UUID, *, reason: str = "", by: str | None = None
    ) -> Answer:
        """Let nothing new of the plan begin until ``unpause``; what runs ends (HO-1).

        Args:
            plan_id: The plan; it may not have been started yet.
            reason: Why, in a few words.
            by: Who asks; None: ``WORKSTREAM_BY``, or else user@host (CT-4).

        Returns:
            What became of it. It is durable on return.

        Raises:
            NotFoundError: No such plan.
            RefusedError: It has ended, or is stopping.
        """
        return await self._ask(plan_id, Verb.PAUSE, reason, by)

    async def unpause(
        self, plan_id: UUID, *, reason: str = "", by: str | None = None
    ) -> Answer:
        """Let the plan go on (HO-2). Arguments and errors are those of ``pause``."""
        return await self._ask(plan_id, Verb.UNPAUSE, reason, by)

    async def skip(
        self, plan_id: UUID, path: str, *, reason: str = "", by: str | None = None
    ) -> Answer:
        """Leave something of the plan out that has not begun (SK-1).

        Args:
            plan_id: The plan; it may not have been started yet.
            path: The object's address (OM-15): a block, sequence, batch, check group,
                action or check.
            reason: Why, in a few words.
            by: Who asks; None: ``WORKSTREAM_BY``, or else user@host (CT-4).

        Returns:
            What became of it; where it is TOO_LATE, its words tell why.

        Raises:
            NotFoundError: No such plan.
            RefusedError: No such object, or it has begun, or the plan has ended.
        """
        return await self._ask(plan_id, Verb.SKIP, reason, by, path=path)

    async def set_limits(
        self,
        plan_id: UUID,
        path: str,
        *,
        concurrency: int | None = None,
        tolerated_failures: int | Percent | None = None,
        max_consecutive_failures: int | None = None,
        on_failure: OnFailure | None = None,
        reason: str = "",
        by: str | None = None,
    ) -> Answer:
        """Change limits of a plan while it runs, for what begins afterwards (BG-5).

        Args:
            plan_id: The plan.
            path: The address (OM-15) of a block; for ``on_failure`` of a continuous
                check group.
            concurrency: How many of its sequences may run at once; None: as it is.
            tolerated_failures: How many may fail before the block does; -1: any; None:
                as it is. Lowered below what has failed, it halts the block.
            max_consecutive_failures: How many of them in a row make it fail; 0: any
                number may; None: as it is.
            on_failure: What a failed run of the continuous checks means from now on;
                None: as it is.
            reason: Why, in a few words.
            by: Who asks; None: ``WORKSTREAM_BY``, or else user@host (CT-4).

        Raises:
            NotFoundError: No such plan.
            RefusedError: No such block, no such limit, or the plan has ended.
        """
        limits: dict[str, NoteValue] = {
            "concurrency": concurrency,
            "tolerated_failures": (
                str(tolerated_failures)
                if isinstance(tolerated_failures, Percent)
                else tolerated_failures
            ),
            "max_consecutive_failures": max_consecutive_failures,
            "on_failure": None if on_failure is None else on_failure.name,
        }
        data: dict[str, NoteValue] = {
            name: limit for name, limit in limits.items() if limit is not None
        }
        return await self._ask(
            plan_id, Verb.SET_LIMITS, reason, by, path=path, data=data
        )

    async def signal(
        self,
        plan_id: UUID,
        path: str,
        name: str,
        value: NoteValue = True,
        *,
        reason: str = "",
        by: str | None = None,
    ) -> Answer:
        """Send a small value to an action, which may wait for it (SG-1).

        Args:
            plan_id: The plan; it may not have been started yet.
            path: The action's address (OM-15).
            name: What the signal is called; the action's plugin says for which it waits.
            value: The value.
            reason: Why, in a few words.
            by: Who sends it; None: ``WORKSTREAM_BY``, or else user@host (CT-4).

        Returns:
            What became of it; where it is TOO_LATE, its words tell why.

        Raises:
            NotFoundError: No such plan.
            RefusedError: No such action, or this one may not, or the plan has ended.
        """
        data: dict[str, NoteValue] = {"name": name, "value": value}
        return await self._ask(plan_id, Verb.SIGNAL, reason, by, path=path, data=data)

    async def approve(
        self,
        plan_id: UUID,
        path: str = "",
        *,
        reason: str = "",
        by: str | None = None,
    ) -> Answer:
        """Approve what a plan asks for (AP-1).

        Args:
            plan_id: The plan; it may not have been started yet.
            path: The approval's address (OM-15); "": the only one that it waits for.
            reason: Why, in a few words.
            by: Who approves; None: ``WORKSTREAM_BY``, or else user@host (CT-4).

        Returns:
            What became of it; where it is TOO_LATE, its words tell why.

        Raises:
            NotFoundError: No such plan.
            RefusedError: No such approval, or this one may not, or the plan has ended.
        """
        return await self._decided(plan_id, path, reason, by, approves=True)

    async def reject(
        self,
        plan_id: UUID,
        path: str = "",
        *,
        reason: str = "",
        by: str | None = None,
    ) -> Answer:
        """Reject what a plan asks for. Arguments and errors are those of ``approve``."""
        return await self._decided(plan_id, path, reason, by, approves=False)

    async def _decided(
        self, plan_id: UUID, path: str, reason: str, by: str | None, *, approves: bool
    ) -> Answer:
        """Send an approval its signal."""
        stored = await self.vault.read(plan_id)
        if stored.row.status.is_terminal:
            raise ended(stored.row.name, plan_id, stored.row.status)
        plan = Codec(None).load(stored)
        path = meant(plan, path) if path else to_decide(plan)
        node = find(plan, path)
        if not isinstance(node, BaseAction) or approval_of(node) is None:
            message = f"{display_path(path)} is no approval: nobody is asked there"
            raise RefusedError(message, plan_id)
        return await self.signal(
            plan_id, path, APPROVAL, approves, reason=reason, by=by
        )

    async def abandon(
        self, plan_id: UUID, *, reason: str = "", by: str | None = None
    ) -> Plan:
        """Give a plan up that a crash left behind: it is FAILED, nothing is run (SN-2).

        Args:
            plan_id: The plan: RUNNING, and run by no process.
            reason: Why, in a few words.
            by: Who asks; None: ``WORKSTREAM_BY``, or else user@host (CT-4).

        Returns:
            The plan as it ended.

        Raises:
            NotFoundError: No such plan.
            RefusedError: It is not RUNNING, or a process runs it.
        """
        elsewhere = hosting(self.vault)
        if elsewhere is not None:
            row = await self.vault.row(plan_id)
            message = (
                f"{elsewhere.host} goes on with plan {row.name!r} by itself: to end it, "
                "stop it, with now=True at once"
            )
            raise RefusedError(message, plan_id)
        ended_so: list[Plan] = []
        with trio.CancelScope(shield=True):
            if not await self.vault.claim(plan_id):
                row = await self.vault.row(plan_id)
                owner = await self.vault.owner(plan_id)
                message = (
                    f"plan {row.name!r} is run by {owner_text(owner or 0)}: stop it, or "
                    "end that process"
                )
                raise RefusedError(message, plan_id)
            try:
                stored = await self.vault.read(plan_id)
                write, plan = abandoned(stored, at=self._now(), by=by, reason=reason)
                for error in await self.vault.write([write]):
                    if error is not None:
                        raise error
                ended_so.append(plan)
            finally:
                await self.vault.release(plan_id)
        self._news.poke(plan_id)
        return ended_so[0]

    async def requests(self, plan_id: UUID) -> list[PlanRequest]:
        """What was asked of the plan and its run has not taken yet, in order (CT-2)."""
        found = await self.vault.requests()
        return [request for request in found if request.plan_id == plan_id]

    async def _ask(
        self,
        plan_id: UUID,
        verb: Verb,
        reason: str,
        by: str | None,
        *,
        path: str = "",
        data: Mapping[str, NoteValue] | None = None,
    ) -> Answer:
        """Ask, and tell what became of it (CT-2)."""
        ask = partial(
            asked, verb=verb.value, at=self._now(), by=by, reason=reason, data=data
        )
        asking: _Asking | None = None
        with trio.CancelScope(shield=True):
            while asking is None:
                with suppress(ConflictError):  # somebody has changed it: look again
                    asking = await self._asked(plan_id, path, verb, ask)
            await self._heard(plan_id)
        self._news.poke(plan_id)
        assert asking is not None
        found, request = asking.found, asking.request
        if request is None:
            return Answer(found=found)
        if verb is Verb.STOP and found is not Status.NOT_STARTED:
            return Answer(found=found, pending=request)
        if found.is_terminal:
            raise ended(asking.name, plan_id, found)
        return await self._answer(request, found, asking.known)

    async def _asked(
        self,
        plan_id: UUID,
        path: str,
        verb: Verb,
        ask: Callable[..., tuple[PlanRequest, Write]],
    ) -> _Asking:
        """Ask once. Raises ConflictError: the plan was changed meanwhile."""
        stored = await self.vault.read(plan_id)
        row, plan, known = stored.row, None, 0
        fresh = row.status is Status.NOT_STARTED
        if fresh or verb is not Verb.STOP:
            plan = Codec(None).load(stored)  # nobody else sees what is tried on it
            path = meant(plan, path) if path else ""
            known = len(plan.interventions)
        request, effect = ask(row, path=path, position=stored.position, plan=plan)
        changes = effect.changes or not fresh
        if not fresh and plan is not None:
            changes = foreseen(plan, stored.requests, request)
        if not changes:
            return _Asking(row.name, row.status, None, known)
        found = await self.vault.ask(request, effect)
        return _Asking(row.name, found, request, known)

    async def _answer(self, request: PlanRequest, found: Status, known: int) -> Answer:
        """What became of a request, as soon as a run that is there has taken it."""
        began = trio.current_time()
        while True:
            pending = [
                each
                for each in await self.requests(request.plan_id)
                if attrs.evolve(each, number=0) == request
            ]
            if not pending:
                break
            late = trio.current_time() - began >= _PATIENCE
            if late or await self.vault.owner(request.plan_id) is None:
                return Answer(found=found, pending=pending[-1])
            await trio.sleep(_LOOK_FOR_ANSWER)
        plan = Codec(None).load(await self.vault.read(request.plan_id))
        for told in reversed(plan.interventions[known:]):
            if answers(told, request):
                if told.effect is Effect.REFUSED:
                    raise refused(plan, told)
                return Answer(found=found, intervention=told)
        if plan.state.status.is_terminal:  # it ended before its run heard of this
            raise ended(plan.name, request.plan_id, plan.state.status)
        return Answer(found=found)

    async def _heard(self, plan_id: UUID) -> None:
        """Let a run of this process see what was asked; an engine does."""
