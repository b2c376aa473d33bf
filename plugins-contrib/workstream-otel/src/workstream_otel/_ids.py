"""Ids that follow from the plan, so that whoever sends a span again sends the same one.

A span's id is a digest of the object's id. An attempt is told from the others of its
action by the time it began, as a check begins with its first attempt again and again.
The trace's id is a digest too, and not the plan's own id: samplers rely on the lower half
of a trace id being random, and that of a plan's id is not.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from uuid import UUID


def trace_id(plan_id: UUID) -> int:
    """The id of a plan's trace, in all processes that ever run it."""
    return _digest(plan_id.bytes, 16)


def span_id(object_id: UUID, attempt: datetime | None = None) -> int:
    """The id of an object's span, or of that of one of its attempts.

    Args:
        object_id: The object's id; a plan's own is that of the root span.
        attempt: When the attempt began.
    """
    began = b"" if attempt is None else attempt.isoformat().encode()
    return _digest(object_id.bytes + began, 8)


def _digest(data: bytes, size: int) -> int:
    digest = blake2b(data, digest_size=size, person=b"workstream").digest()
    return int.from_bytes(digest, "big") or 1
