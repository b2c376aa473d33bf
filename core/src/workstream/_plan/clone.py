"""Copies of a plan: to be submitted again, to be kept, or to be shown (section 18)."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Collection, Iterable
from typing import Any, Literal, TypeVar, overload

import attrs

from .._secrets.forms import hide
from .._secrets.scan import facts_of
from .._secrets.scrubbing import scrub_value, secret_values
from .._values.state import Attempt, NoteValue, PluginError, State, Status
from .copying import deep_copy
from .plan import (
    BaseAction,
    Block,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    Plan,
    Sequence,
)

__all__ = ["clone", "copied", "scrubbed_attempt"]

NodeT = TypeVar("NodeT", bound=Node)
ActionT = TypeVar("ActionT", bound=BaseAction)
ContainerT = TypeVar("ContainerT", Checks, Sequence, DeferBatch)


@overload
def clone(
    plan: None,
    *,
    keep_state: bool = ...,
    scrub: bool = ...,
    remove_completed: bool = ...,
) -> None: ...
@overload
def clone(
    plan: Plan,
    *,
    keep_state: bool = ...,
    scrub: bool = ...,
    remove_completed: Literal[False] = ...,
) -> Plan: ...
@overload
def clone(
    plan: Plan | None,
    *,
    keep_state: bool = ...,
    scrub: bool = ...,
    remove_completed: bool = ...,
) -> Plan | None: ...
def clone(
    plan: Plan | None,
    *,
    keep_state: bool = False,
    scrub: bool = False,
    remove_completed: bool = False,
) -> Plan | None:
    """A copy that shares nothing with the plan, by default ready to be submitted (CL-1).

    Keys are kept on every object (CL-4).

    Args:
        plan: The plan; it is not changed. None gives None.
        keep_state: Keep ids, states, attempts, reasons and times too, to look at; such
            a copy cannot be submitted (CL-2).
        scrub: Remove secrets from requests and responses, and their texts from error
            messages and notes, for showing (CL-3, CL-7). Such a copy cannot be
            submitted, nor can a clone of it.
        remove_completed: Leave out what completed, to do the rest again (CL-5): a
            sequence that did; a block none of whose sequences is left and whose checks
            did not fail; a block that was bypassed. A sequence keeps all its actions.

    Returns:
        The copy; None when ``remove_completed`` leaves nothing to do. What is left may
        have no blocks, where it is checks or deferred actions that failed: look before
        you submit it.
    """
    if plan is None:
        return None
    kept = _Kept.of(plan) if remove_completed else None
    if kept is not None and kept.nothing:
        return None
    copier = _Copier(keep_state=keep_state, scrub=scrub, kept=kept)
    return copier.plan(plan)


def copied(plan: Plan, request: Callable[[BaseAction], object]) -> Plan:
    """A copy ready to be submitted, with the requests that the function gives."""
    return _Copier(request=request).plan(plan)


class _Kept:
    """What ``remove_completed`` leaves of a plan (CL-5)."""

    def __init__(self, blocks: list[Block], nothing: bool) -> None:
        self.blocks = blocks
        self.nothing = nothing

    @classmethod
    def of(cls, plan: Plan) -> _Kept:
        blocks = [block for block in plan.blocks if not _block_is_done(block)]
        done = not blocks and (
            _completed((plan.pre_checks, plan.post_checks))
            and _not_failed(
                (plan.cont_checks, plan.deferred_checks, plan.deferred_actions)
            )
        )
        return cls(blocks, _bypassed(plan) or done)


def _block_is_done(block: Block) -> bool:
    if _bypassed(block):
        return True
    return (
        not _remaining(block.sequences)
        and _completed((block.pre_checks, block.post_checks, block.deferred_checks))
        and _not_failed((block.cont_checks,))
    )


def _remaining(sequences: list[Sequence]) -> list[Sequence]:
    return [each for each in sequences if each.state.status is not Status.COMPLETED]


def _bypassed(owner: Plan | Block) -> bool:
    checks = owner.bypass_checks
    return checks is not None and checks.state.status is Status.COMPLETED


def _completed(nodes: Iterable[Node | None]) -> bool:
    return all(node is None or node.state.status is Status.COMPLETED for node in nodes)


def _not_failed(nodes: Iterable[Node | None]) -> bool:
    return all(node is None or node.state.status is not Status.FAILED for node in nodes)


@attrs.frozen(kw_only=True)
class _Copier:
    keep_state: bool = False
    scrub: bool = False
    kept: _Kept | None = None
    request: Callable[[BaseAction], object] | None = None

    def plan(self, plan: Plan) -> Plan:
        blocks = plan.blocks if self.kept is None else self.kept.blocks
        new = self.node(
            plan,
            blocks=[self.block(block) for block in blocks],
            deferred_actions=self.deferred(plan.deferred_actions),
            **self.checks(plan),
        )
        # A copy of what was scrubbed still has no secrets (CL-3).
        new.scrubbed = plan.scrubbed or self.scrub
        if self.keep_state:
            new.submitted = plan.submitted
            new.runtime_update = plan.runtime_update
            new.reasons = plan.reasons
            new.stopping = plan.stopping
        return new

    def block(self, block: Block) -> Block:
        kept = block.sequences if self.kept is None else _remaining(block.sequences)
        sequences = [self.container(sequence) for sequence in kept]
        return self.node(block, sequences=sequences, **self.checks(block))

    def checks(self, owner: Plan | Block) -> dict[str, Checks | None]:
        groups = {
            "bypass_checks": owner.bypass_checks,
            "pre_checks": owner.pre_checks,
            "cont_checks": owner.cont_checks,
            "post_checks": owner.post_checks,
            "deferred_checks": owner.deferred_checks,
        }
        return {
            kind: None if group is None else self.container(group)
            for kind, group in groups.items()
        }

    def deferred(self, deferred: DeferredActions | None) -> DeferredActions | None:
        if deferred is None:
            return None
        batches = [self.container(batch) for batch in deferred.batches]
        return self.node(deferred, batches=batches)

    def container(self, container: ContainerT) -> ContainerT:
        actions = [self.action(action) for action in container.actions]
        return self.node(container, actions=actions)

    def action(self, action: ActionT) -> ActionT:
        if self.request is not None:
            return self.node(action, request=self.request(action))
        if not self.scrub:
            new = self.node(action, request=deep_copy(action.request))
            if self.keep_state:
                new.attempts = [_same_attempt(attempt) for attempt in action.attempts]
            return new
        new = self.node(action, request=scrub_value(action.request))
        if self.keep_state:
            secrets = _secrets_of(action, action.attempts)
            new.attempts = [
                _scrubbed_attempt(attempt, secrets) for attempt in action.attempts
            ]
        return new

    def node(self, node: NodeT, **changes: Any) -> NodeT:
        """The object's own fields copied, the given ones replaced.

        What is no constructor argument is left out: just what the engine writes (OM-2).
        """
        kind: Any = type(node)
        given = {name: getattr(node, name) for name in _arguments(kind)}
        new = type(node)(**(given | changes))
        if self.keep_state:
            new.id = node.id
            new.plan_id = node.plan_id
            state = node.state
            new.state = State(state.status, state.started, state.ended)
        return new


@functools.cache
def _arguments(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(kind) if field.init)


def scrubbed_attempt(action: BaseAction, attempt: Attempt) -> Attempt:
    """One attempt of the action, for showing (CL-6, CL-7).

    A copy, or the attempt itself where nothing in it could be secret: it must be the
    caller's own.
    """
    if not (attempt.error or attempt.notes or facts_of(attempt.response).secrets):
        return attempt
    return _scrubbed_attempt(attempt, _secrets_of(action, [attempt]))


def _secrets_of(action: BaseAction, attempts: Iterable[Attempt]) -> frozenset[str]:
    """The secret texts in the action's request and in what its attempts returned."""
    secrets = secret_values(action.request)
    for attempt in attempts:
        secrets |= secret_values(attempt.response)
    return secrets


def _same_attempt(attempt: Attempt) -> Attempt:
    return attrs.evolve(
        attempt,
        response=deep_copy(attempt.response),
        error=copy.deepcopy(attempt.error),
        notes=dict(attempt.notes),
    )


def _scrubbed_attempt(attempt: Attempt, secrets: Collection[str]) -> Attempt:
    return attrs.evolve(
        attempt,
        response=scrub_value(attempt.response),
        error=_scrubbed_error(attempt.error, secrets),
        notes={
            name: _scrubbed_note(note, secrets) for name, note in attempt.notes.items()
        },
    )


def _scrubbed_error(
    error: PluginError | None, secrets: Collection[str]
) -> PluginError | None:
    if error is None:
        return None
    return PluginError(
        hide(error.message, secrets),
        code=error.code,
        permanent=error.permanent,
        wrapped=_scrubbed_error(error.wrapped, secrets),
    )


def _scrubbed_note(note: NoteValue, secrets: Collection[str]) -> NoteValue:
    if isinstance(note, str):
        return hide(note, secrets)
    if isinstance(note, bytes):
        text = note.decode(errors="surrogateescape")
        return hide(text, secrets).encode(errors="surrogateescape")
    return note
