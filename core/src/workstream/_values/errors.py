"""Every error the engine raises, and which of them to catch.

::

    WorkstreamError
    ├── ValidationError          the plan's author: every fault, each with its path
    ├── RegistrationError        a plugin's author: the plugin cannot be registered
    ├── BuilderError             the caller of ``PlanBuilder``
    ├── PathError                a path that names no object, or no single one
    ├── SecretError              a secret reference that cannot be resolved
    ├── PlanError                the state of one plan forbids what was asked
    │   ├── NotFoundError        no such plan
    │   ├── NotStartedError      it was never started
    │   ├── NotRunningHereError  it runs, but not in this process
    │   ├── PlanStaleError       it was submitted too long ago to be started
    │   ├── PlanRefusedError     it cannot be run with the plugins at hand
    │   ├── LockedError          another plan holds one of its locks
    │   ├── RetryError           it cannot be retried, or nothing of it is left
    │   ├── UndoError            it cannot be taken back, or nothing of it can be
    │   └── RefusedError         it cannot be told this, as it stands
    ├── StorageError             the store
    │   ├── StoreFormatError     the store is not ours, or from another version
    │   ├── PlanCorruptError     one stored plan cannot be read
    │   ├── PlanExistsError      that id is taken
    │   └── ConflictError        a writer found the plan otherwise than it expected
    │       └── LockTakenError   another running plan holds a lock that it wants
    └── InternalError            a bug in the engine: please report it

``PluginError`` is data that a plugin returns or raises, not an error of the
engine; it lives with the other stored values in ``_values.state``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .display import display
from .folding import folded, name_in, shown, without_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID


class WorkstreamError(Exception):
    """The root: one ``except`` catches all that the engine raises."""


@attrs.frozen(kw_only=True)
class Fault:
    """One thing that is wrong with a plan (V-1).

    Attributes:
        path: The object's address, names joined by `` / `` (OM-15).
        field: The field at fault, or ``""`` when it is the object as a whole.
        rule: The id of the rule that is broken, for example ``V-16``.
        message: What is wrong and what to do about it, one sentence.
    """

    path: str
    field: str
    rule: str
    message: str

    def __str__(self) -> str:
        path = display(self.path)  # names are whatever their author wrote
        place = f"{path}: {self.field}" if self.field else path
        return f"{place}: {self.message} [{self.rule}]"


class ValidationError(WorkstreamError):
    """A plan, or the arguments of a call, cannot be accepted.

    Attributes:
        faults: All that is wrong, in walk order; nothing was changed or stored.
    """

    def __init__(self, message: str, faults: Iterable[Fault] = ()) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        lines = [message, *(f"  {line}" for line in fault_lines(self.faults))]
        super().__init__("\n".join(lines))


def fault_lines(faults: Iterable[Fault]) -> list[str]:
    """The faults, a line each; those that differ only by a name have one together."""
    alike: dict[tuple[str, str, str], list[Fault]] = {}
    for fault in faults:
        message = without_name(fault.message, name_in(fault.path))
        alike.setdefault((fault.field, fault.rule, message), []).append(fault)
    lines: list[str] = []
    for (_, _, message), same in alike.items():
        if len(same) == 1:
            lines.append(str(same[0]))
            continue
        for place, count in folded(fault.path for fault in same):
            fault = attrs.evolve(same[0], path=place, message=shown(message))
            lines.append(f"{fault} ({count:,} times)" if count > 1 else str(fault))
    return lines


class RegistrationError(WorkstreamError):
    """A plugin cannot be registered; the registry is as it was (REG-2)."""


class BuilderError(WorkstreamError):
    """A ``PlanBuilder`` method was called where it has no meaning (section 19)."""


class PathError(WorkstreamError):
    """A path does not name exactly one object of the plan (OM-15)."""


class SecretError(WorkstreamError):
    """A ``SecretRef`` cannot be resolved. The message never holds the value."""


class PlanError(WorkstreamError):
    """What was asked does not fit the state of this plan.

    Attributes:
        plan_id: The plan's id.
    """

    def __init__(self, message: str, plan_id: UUID) -> None:
        self.plan_id = plan_id
        super().__init__(message)


class NotFoundError(PlanError):
    """The store holds no plan of this id."""


class NotStartedError(PlanError):
    """The plan was never started, so there is nothing to wait for (ST-6)."""


class NotRunningHereError(PlanError):
    """The plan is stored as running, but this engine does not run it (ST-6).

    Another process does, or a crash left it behind; ``resume`` tells which.
    """


class PlanStaleError(PlanError):
    """The plan was submitted longer ago than ``max_submit`` (ST-3)."""


class PlanRefusedError(PlanError):
    """The plan cannot be started or recovered with the plugins at hand (ST-4, R-4)."""


class LockedError(PlanError):
    """Another plan that has not ended holds one of the plan's locks (LK-1).

    Attributes:
        lock: The name of the lock.
        holder: The id of the plan that holds it.
        owner: Who runs the holder, as a rule a process; None: it has crashed.
    """

    def __init__(
        self,
        message: str,
        plan_id: UUID,
        *,
        lock: str,
        holder: UUID,
        owner: int | str | None,
    ) -> None:
        super().__init__(message, plan_id)
        self.lock = lock
        self.holder = holder
        self.owner = owner


class RetryError(PlanError):
    """The plan cannot be retried in its state, or nothing of it is left (RT-1)."""


class UndoError(PlanError):
    """The plan cannot be taken back in its state, or nothing of it can be (UN-5)."""


class RefusedError(PlanError):
    """The plan, as it stands, cannot be told this (CT-5); nothing was changed."""


class StorageError(WorkstreamError):
    """The store failed. What it acknowledged before is safe (STO-6)."""


class StoreFormatError(StorageError):
    """The store is not a workstream store, or was written by another version."""


class PlanCorruptError(StorageError):
    """One stored plan cannot be read; all others can (R-4).

    Attributes:
        plan_id: The plan's id.
    """

    def __init__(self, message: str, plan_id: UUID) -> None:
        self.plan_id = plan_id
        super().__init__(message)


class PlanExistsError(StorageError):
    """A plan of this id is stored already (STO-2)."""


class ConflictError(StorageError):
    """The stored plan is not what the writer expected: somebody else changed it."""


class LockTakenError(ConflictError):
    """A vault's answer: another running plan holds a lock that the write takes (LK-1).

    Attributes:
        lock: The name of the lock.
        holder: The id of the plan that holds it.
    """

    def __init__(self, lock: str, holder: UUID) -> None:
        self.lock = lock
        self.holder = holder
        super().__init__(f"plan {holder} holds the lock {display(lock)!r}")


class InternalError(WorkstreamError):
    """A bug in the engine broke one run off; the plan can be resumed (STO-6).

    Please report it, with the traceback of ``__cause__``.
    """
