"""What a user writes: a Plan and the objects it is made of (section 1).

All classes take keyword arguments only. What the engine writes (``id``,
``plan_id``, ``state``, ``attempts``, ``reasons`` ...) is never one of them: it
starts empty and is filled in on the engine's own copy of the plan, so that a
plan of yours is never changed by submitting it (SUB-2).

The order in which a class declares the fields that hold other objects is the order in
which these are walked (W-1): ``_plan.shape`` reads it off the classes.

An ``Action`` and a ``CheckAction`` are different classes: that is how a type checker
keeps a check out of a Sequence and an action out of a Checks group. Make them with
``SomePlugin.action(request, name=...)``, which also keeps a request of the wrong type
from type-checking.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, Literal, TypeAlias, TypeVar, cast, get_args
from uuid import UUID

import attrs

from .._values.interventions import Effect, Intervention, Verb, holds_in
from .._values.state import (
    Attempt,
    FailureReason,
    HaltAfter,
    ObjectType,
    OnFailure,
    OnInterrupt,
    PluginError,
    State,
    Status,
    Undo,
    WhenDeferred,
)
from .outcome import MOST_NAMES, Outcome, TakenBack, outcome_of

NodeT = TypeVar("NodeT", bound="Node")


DEFAULT_TIMEOUT = 30.0
"""Seconds that one attempt may take (V-16)."""
DEFAULT_DELAY = 30.0
"""Seconds between two runs of a continuous check (V-22)."""

CheckKind: TypeAlias = Literal[
    "bypass_checks",
    "pre_checks",
    "cont_checks",
    "batch_checks",
    "post_checks",
    "deferred_checks",
]
"""A check group is called by the field that holds it (OM-15)."""

CHECK_KINDS: tuple[CheckKind, ...] = get_args(CheckKind)


AT_SUBMIT = {"workstream.written": "at submit"}
"""Metadata of a field that the engine writes once, at submit, beside the definition."""


@attrs.frozen
class Percent:
    """So many of a hundred sequences of a block (BG-1, BG-2); in JSON ``"10%"``.

    Attributes:
        value: A whole number from 1 to 100.
    """

    value: int

    def __str__(self) -> str:
        """As in JSON."""
        return f"{self.value}%"

    def down(self, total: int) -> int:
        """So many of the total, rounded down: what may fail."""
        return total * self.value // 100

    def up(self, total: int) -> int:
        """So many of the total, rounded up, and at least one: what is launched."""
        return max(-(-total * self.value // 100), 1)


# Nothing is of this class alone: the methods that are left out nobody would call.
@attrs.define(kw_only=True, eq=False, repr=False)
class Node:
    """What every object of a plan has.

    Attributes:
        id: A UUID version 7, given at submit (OM-13).
        plan_id: The id of the plan it belongs to (OM-12).
        state: How far it has come.
    """

    id: UUID | None = attrs.field(init=False, default=None)
    plan_id: UUID | None = attrs.field(init=False, default=None, eq=False)
    state: State = attrs.field(init=False, factory=State)

    object_type: ClassVar[ObjectType]
    """Which kind of object this is."""


@attrs.define(kw_only=True, eq=False, repr=False)
class NamedNode(Node):
    """What every object has that people call by a name.

    Attributes:
        name: What people call it.
        description: What it is for.
        key: A name of the user's own, unique within the plan (OM-13).
    """

    name: str
    description: str = ""
    key: str | None = None


# The type alone: to call the alias ``list[Attempt]`` costs four times as much.
_no_attempts = cast("Callable[[], list[Attempt]]", list)


@attrs.define(kw_only=True, eq=False, repr=False)
class BaseAction(NamedNode):
    """What an ``Action`` and a ``CheckAction`` have in common (OM-9).

    Attributes:
        plugin: The plugin's name, for example ``command.run``.
        request: What the plugin is asked: of exactly its request type (V-23).
        timeout: Seconds that one attempt may take; infinity is allowed and warned of.
        retries: How many more attempts may follow the first; None: as many as
            ``deadline`` leaves room for (A-15).
        deadline: Seconds, from its start, for all attempts and waits together.
        attempts: The calls made so far, oldest first.
    """

    object_type: ClassVar[ObjectType] = ObjectType.ACTION
    plugin: str
    request: object = None
    timeout: float = DEFAULT_TIMEOUT
    retries: int | None = 0
    deadline: float | None = None
    attempts: list[Attempt] = attrs.field(init=False, factory=_no_attempts)

    @property
    def final_attempt(self) -> Attempt | None:
        """The last attempt, or None before the first."""
        return self.attempts[-1] if self.attempts else None

    @property
    def response(self) -> object:
        """What the last attempt returned."""
        return self.attempts[-1].response if self.attempts else None

    @property
    def error(self) -> PluginError | None:
        """How the last attempt failed."""
        return self.attempts[-1].error if self.attempts else None


@attrs.define(kw_only=True)
class Action(BaseAction):
    """One call of an action plugin, in a Sequence or a DeferBatch.

    Attributes:
        on_interrupt: What a crash in the middle of an attempt means; None: what
            the plugin says (R-7).
    """

    on_interrupt: OnInterrupt | None = None


@attrs.define(kw_only=True)
class CheckAction(BaseAction):
    """One call of a check plugin, in a Checks group. It has no side effects (REG-8).

    Attributes:
        safe_in_preview: Whether a dry run may run it (PV-3); None: what the plugin says.
    """

    safe_in_preview: bool | None = None


@attrs.define(kw_only=True)
class Checks(Node):
    """Checks that run together, at one place of a plan or block (OM-5, section 8).

    Attributes:
        actions: All run at once; one that fails makes the group fail (C-2).
        delay: Seconds between two runs; used by continuous checks alone (C-3).
        key: A name of the user's own, unique within the plan.
        failures_before_halt: How many runs of a continuous check must fail, one after
            the other, before that means anything (BG-4).
        on_failure: What it means then, for a continuous check (BG-4).
        missed: How many runs of a continuous check have failed since one passed.
    """

    object_type: ClassVar[ObjectType] = ObjectType.CHECK
    actions: list[CheckAction]
    delay: float = DEFAULT_DELAY
    key: str | None = None
    failures_before_halt: int = 1
    on_failure: OnFailure = OnFailure.HALT
    missed: int = attrs.field(init=False, default=0)


@attrs.define(kw_only=True)
class DeferBatch(NamedNode):
    """Actions that run one after the other when other work is over (OM-8).

    Attributes:
        when: On which outcome of the plan or sequence it runs (DA-2, SD-2).
        fail_element: Whether its failure makes the plan or sequence fail (DA-6, SD-2).
    """

    object_type: ClassVar[ObjectType] = ObjectType.BATCH
    actions: list[Action]
    when: WhenDeferred = WhenDeferred.UNKNOWN
    fail_element: bool = False


@attrs.define(kw_only=True)
class DeferredActions(Node):
    """Batches that run, in list order, when other work is over (OM-8).

    Those of a plan run after its main work (section 12), those of a sequence after the
    sequence's own actions, whatever became of the rest of the plan (SD-1).
    """

    object_type: ClassVar[ObjectType] = ObjectType.DEFERRED_ACTIONS
    batches: list[DeferBatch]


@attrs.define(kw_only=True)
class Sequence(NamedNode):
    """Actions that run one after the other (OM-7, section 7).

    Attributes:
        deferred_actions: What is done when its actions have ended, by what they came
            to: it cleans up after one host that failed (SD-1). Its ON_UNDO batches
            take the sequence back when more than that has failed (UN-1).
        zone: Where an engine of several machines runs it; None: as its block (ZN-1).
    """

    object_type: ClassVar[ObjectType] = ObjectType.SEQUENCE
    actions: list[Action]
    deferred_actions: DeferredActions | None = None
    zone: str | None = None

    @property
    def actions_begun(self) -> bool:
        """Whether any of its own actions has begun: else nothing follows them (SD-2)."""
        return any(action.state.status.has_begun for action in self.actions)

    @property
    def undo_batches(self) -> list[DeferBatch]:
        """The batches that take it back (UN-1)."""
        return [b for b in batches_of(self) if b.when is WhenDeferred.ON_UNDO]

    @property
    def undo_begun(self) -> bool:
        """Whether it is being taken back, or was (UN-1)."""
        if self.deferred_actions is None:  # as in most plans, where all are asked
            return False
        return any(batch.state.status.has_begun for batch in self.undo_batches)

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is left to do: done, and not taken back (CL-5, RT-2)."""
        return is_in(self, Status.SKIPPED) or (
            is_in(self, Status.COMPLETED) and not self.undo_begun
        )


@attrs.define(kw_only=True)
class Block(NamedNode):
    """Sequences that run side by side, between checks (OM-6, section 6).

    Attributes:
        sequences: Launched in list order.
        concurrency: How many run at once (Q-1); None: all of a batch.
        tolerated_failures: How many may fail before the block does, or what part of
            them all; -1: any (Q-3, BG-1).
        max_consecutive_failures: How many may not fail in a row; None: any (BG-1).
        batches: How many are launched before the engine waits for all of them and looks
            at ``batch_checks``; the last size is repeated; empty: no waiting (BG-2).
        batch_delay: Seconds between a batch and the checks before the next (BG-2).
        batch_checks: What must pass before each batch but the first (BG-2).
        halt_after: What is still finished once the block has failed (Q-4).
        undo: When its sequences are taken back, as far as they say how (UN-1).
        entrance_delay: Seconds to wait before the block begins (B-2).
        exit_delay: Seconds to wait after it completed (B-12).
        zone: The same for its checks, and for sequences without; None: anywhere (ZN-1).
    """

    object_type: ClassVar[ObjectType] = ObjectType.BLOCK
    entrance_delay: float = 0.0
    exit_delay: float = 0.0
    bypass_checks: Checks | None = None
    pre_checks: Checks | None = None
    cont_checks: Checks | None = None
    sequences: list[Sequence]
    batch_checks: Checks | None = None
    post_checks: Checks | None = None
    deferred_checks: Checks | None = None
    concurrency: int | None = 1
    tolerated_failures: int | Percent = 0
    halt_after: HaltAfter = HaltAfter.ACTION
    undo: Undo = Undo.PLAN_FAILURE
    max_consecutive_failures: int | None = None
    batches: tuple[int | Percent, ...] = ()
    batch_delay: float = 0.0
    zone: str | None = None

    @property
    def tolerance(self) -> int:
        """How many of its sequences may fail, as a number; -1: any (BG-1)."""
        tolerated = self.tolerated_failures
        if isinstance(tolerated, Percent):
            return tolerated.down(len(self.sequences))
        return tolerated

    @property
    def batch_sizes(self) -> list[int]:
        """How many sequences each of its batches has (BG-2)."""
        left = total = len(self.sequences)
        sizes = [
            size.up(total) if isinstance(size, Percent) else size
            for size in self.batches
        ]
        found: list[int] = []
        while left > 0:
            size = sizes[min(len(found), len(sizes) - 1)] if sizes else total
            found.append(min(size, left))
            left -= size
        return found

    def slots(self, waiting: int) -> int:
        """How many of the sequences that wait run at once (Q-1, BG-2)."""
        return waiting if self.concurrency is None else min(self.concurrency, waiting)


@attrs.frozen(kw_only=True)
class Origin:
    """What a plan was made from (RT-5).

    Attributes:
        by: Who made it: the operating system's user, or ``WORKSTREAM_BY`` (CT-4).
        host: On which host.
        file: The file, as it was named.
        digest: ``sha256:`` and the digest of the file's bytes.
        parameters: Each ``-p`` as it was given: name and text. A secret is a reference;
            the text of a parameter whose name sounds like a secret is hidden.
    """

    by: str = ""
    host: str = ""
    file: str = ""
    digest: str = ""
    parameters: tuple[tuple[str, str], ...] = ()


@attrs.define(kw_only=True)
class Plan(Node):
    """All that is to be done, in order, with its checks (OM-3, section 5).

    Attributes:
        group_id: Relates several plans, for example a plan and its retries (SUB-3).
        meta: Bytes of the user's own; the engine only keeps them.
        retry_of: The plan whose rest this one does (RT-3).
        undo_of: The plan that this one takes back (UN-5).
        origin: What it was made from (RT-5).
        locks: Names that no other plan of the store may hold while it runs (LK-1).
        submitted: When it was submitted.
        submitter: Who submitted it (CT-4).
        runtime_update: When a running plan last gave a sign of life (E-11).
        reasons: Every reason for its failure, in the order of F-3 (OM-4).
        stopping: Whether a stop has taken effect (SP-8).
        interventions: What it was told while it existed, in order (CT-1).
        scrubbed: Whether its secrets were removed for showing; such a plan is
            refused at submit (CL-3).
    """

    object_type: ClassVar[ObjectType] = ObjectType.PLAN
    name: str
    description: str = ""
    group_id: UUID | None = None
    meta: bytes = b""
    retry_of: UUID | None = None
    undo_of: UUID | None = None
    origin: Origin | None = None
    locks: tuple[str, ...] = ()
    bypass_checks: Checks | None = None
    pre_checks: Checks | None = None
    cont_checks: Checks | None = None
    blocks: list[Block]
    post_checks: Checks | None = None
    deferred_actions: DeferredActions | None = None
    deferred_checks: Checks | None = None
    submitted: datetime | None = attrs.field(init=False, default=None)
    submitter: str = attrs.field(init=False, default="", metadata=AT_SUBMIT)
    runtime_update: datetime | None = attrs.field(init=False, default=None, eq=False)
    reasons: tuple[FailureReason, ...] = attrs.field(init=False, default=())
    stopping: bool = attrs.field(init=False, default=False)
    interventions: tuple[Intervention, ...] = attrs.field(init=False, default=())
    scrubbed: bool = attrs.field(init=False, default=False)

    @property
    def reason(self) -> FailureReason:
        """The first of ``reasons``, or UNKNOWN when there is none (F-6)."""
        return self.reasons[0] if self.reasons else FailureReason.UNKNOWN

    @property
    def outcome(self) -> Outcome:
        """The status in words; COMPLETED_WITH_FAILURES tells of tolerated ones (OM-4)."""
        completed = self.state.status is Status.COMPLETED
        return outcome_of(
            self.state.status,
            with_failures=completed and self._bore_failures(),
            skipped=self.skipped,
        )

    @property
    def held(self) -> tuple[Intervention, ...]:
        """What keeps anything new of it from being begun: a PAUSE, a FREEZE, or both."""
        if not self.interventions or self.state.status.is_terminal:
            return ()
        return holds_in(self.interventions)

    @property
    def skipped(self) -> int:
        """How many skips were taken; what else they took along does not count (SK-2)."""
        return sum(
            each.verb is Verb.SKIP and each.effect is Effect.TAKEN
            for each in self.interventions
        )

    @property
    def taken_back(self) -> TakenBack | None:
        """What came of the undo of a plan that has ended; None: nothing was undone."""
        if not self.state.status.is_terminal:
            return None
        pairs = [(b, s) for b in self.blocks for s in b.sequences]
        if self.undo_of is not None:
            left = [pair for pair in pairs if not is_in(pair[1], Status.COMPLETED)]
            return _taken_back(pairs, left)
        begun = {id(b) for b, s in pairs if s.undo_begun}
        undone = [
            (block, sequence)
            for block, sequence in pairs
            # Of what completed, a plan in brief has no actions.
            if id(block) in begun
            and sequence.undo_batches
            and (sequence.actions_begun or is_in(sequence, Status.COMPLETED))
        ]
        left = [
            pair
            for pair in undone
            if not all(is_in(b, Status.COMPLETED) for b in pair[1].undo_batches)
        ]
        return _taken_back(undone, left) if undone else None

    def _bore_failures(self) -> bool:
        """Whether a sequence or a batch failed, as may be though the plan completed."""
        # Plain loops: a page asks several times, of a plan of ten thousand sequences.
        failed = Status.FAILED
        for block in self.blocks:
            for sequence in block.sequences:
                if sequence.state.status is failed:
                    return True
                if sequence.deferred_actions is not None and any(
                    batch.state.status is failed for batch in batches_of(sequence)
                ):
                    return True
        return any(batch.state.status is failed for batch in batches_of(self))


def is_in(node: Node | None, *statuses: Status) -> bool:
    """Whether there is such an object, and it has one of these statuses."""
    return node is not None and node.state.status in statuses


def batches_of(owner: Plan | Sequence) -> list[DeferBatch]:
    """The batches of its deferred actions; none if it has no such."""
    return [] if owner.deferred_actions is None else owner.deferred_actions.batches


def _taken_back(
    undone: list[tuple[Block, Sequence]], left: list[tuple[Block, Sequence]]
) -> TakenBack:
    """What came of an undo of these sequences, of which those were left as they were."""
    several = len({id(block) for block, _ in undone}) > 1
    names = [f"{b.name} / {s.name}" if several else s.name for b, s in left]
    done = len(undone) - len(left)
    return TakenBack(done, len(undone), tuple(names[:MOST_NAMES]))
