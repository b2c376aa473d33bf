"""Copies of a plan: to be submitted again, to be kept, or to be shown (section 18)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, Literal, overload

import attrs

from .._secrets.scan import facts_of
from .._secrets.scrubbing import hide_in_error, hide_within, scrub_value, secret_values
from .._values.state import Attempt, State, Status
from .copying import deep_copy
from .plan import BaseAction, Block, Checks, Node, NodeT, Plan, is_in
from .shape import SHAPES


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
    done = _done(plan) if remove_completed else frozenset[int]()
    if id(plan) in done:
        return None
    copier = _Copier(keep_state=keep_state, scrub=scrub, left_out=done)
    return copier.node(plan)


def copied(
    plan: Plan,
    request: Callable[[BaseAction], object],
    *,
    finish: Callable[[Node], None] | None = None,
    left_out: Iterable[int] = (),
) -> Plan:
    """A copy ready to be submitted.

    Args:
        plan: The plan.
        request: Gives the request of each copied action.
        finish: Is called with each copied object, those inside it first.
        left_out: The id() of each object that the copy lacks.
    """
    copier = _Copier(request=request, finish=finish, left_out=frozenset(left_out))
    return copier.node(plan)


# -- What need not be done again (CL-5) --------------------------------------------------


def _done(plan: Plan) -> frozenset[int]:
    """The id() of each sequence and block that is done, and of the plan if it is."""
    done: set[int] = set()
    for block in plan.blocks:
        sequences = [each for each in block.sequences if each.is_done]
        done.update(map(id, sequences))
        if _is_bypassed(block) or (
            len(sequences) == len(block.sequences)
            and _completed(block.pre_checks, block.post_checks, block.deferred_checks)
            and not is_in(block.cont_checks, Status.FAILED)
        ):
            done.add(id(block))
    unless_failed = (plan.cont_checks, plan.deferred_checks, plan.deferred_actions)
    if _is_bypassed(plan) or (
        all(id(block) in done for block in plan.blocks)
        and _completed(plan.pre_checks, plan.post_checks)
        and not any(is_in(node, Status.FAILED) for node in unless_failed)
    ):
        done.add(id(plan))
    return frozenset(done)


def _is_bypassed(owner: Plan | Block) -> bool:
    """Whether its bypass checks passed."""
    return is_in(owner.bypass_checks, Status.COMPLETED)


def _completed(*groups: Checks | None) -> bool:
    """Whether all of the groups that there are completed."""
    fine = (Status.COMPLETED, Status.SKIPPED)
    return all(group is None or is_in(group, *fine) for group in groups)


# -- Copying -----------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class _Copier:
    """What is asked of a copy; ``left_out`` has the id() of each object to leave out."""

    keep_state: bool = False
    scrub: bool = False
    left_out: frozenset[int] = frozenset()
    request: Callable[[BaseAction], object] | None = None
    finish: Callable[[Node], None] | None = None

    def node(self, node: NodeT) -> NodeT:
        """The object and all that it holds.

        Its class knows what is an argument: just that is not the engine's (OM-2).
        """
        shape = SHAPES[type(node)]
        given = shape.settings_of(node)
        for field in shape.held:
            held: Any = getattr(node, field.name)
            if field.many:
                held = [
                    self.node(each) for each in held if id(each) not in self.left_out
                ]
            elif held is not None:
                held = None if id(held) in self.left_out else self.node(held)
            given[field.name] = held
        if isinstance(node, BaseAction):
            given["request"] = self._request_of(node)
        new = type(node)(**given)
        if self.keep_state:
            for setting in shape.written:
                setattr(new, setting.name, getattr(node, setting.name))
            new.state = State(node.state.status, node.state.started, node.state.ended)
            if isinstance(new, BaseAction) and isinstance(node, BaseAction):
                new.attempts = self._attempts(node)
        if isinstance(new, Plan) and isinstance(node, Plan):
            # A copy of what was scrubbed still has no secrets (CL-3).
            new.scrubbed = node.scrubbed or self.scrub
        if self.finish is not None:
            self.finish(new)
        return new

    def _request_of(self, action: BaseAction) -> object:
        """The request of the action's copy."""
        if self.request is not None:
            return self.request(action)
        return (scrub_value if self.scrub else deep_copy)(action.request)

    def _attempts(self, action: BaseAction) -> list[Attempt]:
        """Copies of the action's attempts."""
        if not self.scrub:
            return [_same_attempt(attempt) for attempt in action.attempts]
        secrets = _secrets_of(action, action.attempts)
        return [_scrubbed_attempt(attempt, secrets) for attempt in action.attempts]


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
    """A copy of the attempt, secrets included."""
    return attrs.evolve(
        attempt,
        response=deep_copy(attempt.response),
        error=copy.deepcopy(attempt.error),
        notes=dict(attempt.notes),
    )


def _scrubbed_attempt(attempt: Attempt, secrets: frozenset[str]) -> Attempt:
    """A copy of the attempt without these secrets, nor those of its response."""
    return attrs.evolve(
        attempt,
        response=scrub_value(attempt.response),
        error=hide_in_error(attempt.error, secrets),
        notes={
            name: hide_within(note, secrets) for name, note in attempt.notes.items()
        },
    )
