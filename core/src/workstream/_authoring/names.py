"""Name temporary files so that the next attempt finds what a killed one has left."""

from __future__ import annotations

import hashlib
import re

PATTERN = re.compile(r"\.workstream-[0-9a-f]{24}\.tmp")


def temporary_name(idempotency_key: str) -> str:
    """The name under which an action makes what it then renames.

    It is hidden and the same in all attempts of the action. No other action has it, so
    an attempt may remove whatever has this name before it begins.

    Args:
        idempotency_key: ``context.idempotency_key``.
    """
    digest = hashlib.sha256(idempotency_key.encode()).hexdigest()[:24]
    return f".workstream-{digest}.tmp"


def is_temporary_name(name: str) -> bool:
    """Whether ``temporary_name`` gives names like this one."""
    return PATTERN.fullmatch(name) is not None
