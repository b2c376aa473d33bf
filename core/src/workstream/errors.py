"""Every error that the engine raises; ``WorkstreamError`` is the root of them all.

::

    from workstream.errors import NotFoundError, PlanRefusedError

The tree of them is drawn at the head of ``workstream._values.errors``.
"""

from ._values.errors import (
    BuilderError,
    ConflictError,
    Fault,
    InternalError,
    LockedError,
    LockTakenError,
    NotFoundError,
    NotRunningHereError,
    NotStartedError,
    PathError,
    PlanCorruptError,
    PlanError,
    PlanExistsError,
    PlanRefusedError,
    PlanStaleError,
    RefusedError,
    RegistrationError,
    RetryError,
    SecretError,
    StorageError,
    StoreFormatError,
    UndoError,
    ValidationError,
    WorkstreamError,
)
from ._values.state import PluginError

__all__ = [
    "BuilderError",
    "ConflictError",
    "Fault",
    "InternalError",
    "LockTakenError",
    "LockedError",
    "NotFoundError",
    "NotRunningHereError",
    "NotStartedError",
    "PathError",
    "PlanCorruptError",
    "PlanError",
    "PlanExistsError",
    "PlanRefusedError",
    "PlanStaleError",
    "PluginError",
    "RefusedError",
    "RegistrationError",
    "RetryError",
    "SecretError",
    "StorageError",
    "StoreFormatError",
    "UndoError",
    "ValidationError",
    "WorkstreamError",
]
