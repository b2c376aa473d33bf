"""What can be known before a plan begins to keep it from ending well (PV-8)."""

from __future__ import annotations

from collections.abc import Mapping

import trio

from .._plan.paths import paths
from .._plan.plan import BaseAction, Plan
from .._secrets.filling import secret_references
from .._secrets.lookups import SecretResolver, look_up
from .._secrets.references import SecretRef
from .._values.errors import Fault, SecretError

LONGEST_LOOKUP = 30.0
"""Seconds that the lookup of one secret may take."""
_AT_ONCE = 16


async def missing_secrets(
    plan: Plan, resolvers: Mapping[str, SecretResolver]
) -> list[Fault]:
    """Look each secret of a plan up once; those that cannot be, in walk order (PV-8).

    Args:
        plan: The plan; it is not changed.
        resolvers: What looks a secret up, by scheme.
    """
    users: dict[SecretRef, list[str]] = {}
    for path, item in paths(plan):
        if isinstance(item.node, BaseAction):
            for ref in secret_references(item.node.request):
                users.setdefault(ref, []).append(path)
    errors: dict[SecretRef, str] = {}
    room = trio.CapacityLimiter(_AT_ONCE)

    async def look(ref: SecretRef) -> None:
        with trio.move_on_after(LONGEST_LOOKUP) as scope:
            try:
                await trio.to_thread.run_sync(
                    look_up, ref, resolvers, abandon_on_cancel=True, limiter=room
                )
            except SecretError as error:
                errors[ref] = str(error)
        if scope.cancelled_caught:
            errors[ref] = (
                f"the secret {ref.reference!r} was not found within "
                f"{LONGEST_LOOKUP:g} s: see whether where it looks can be reached"
            )

    async with trio.open_nursery() as nursery:
        for ref in users:
            nursery.start_soon(look, ref)
    return [
        Fault(
            path=where[0],
            field="request",
            rule="PV-8",
            message=f"{errors[ref]}{_others(len(where) - 1)}",
        )
        for ref, where in users.items()
        if ref in errors
    ]


def _others(count: int) -> str:
    if not count:
        return ""
    return f"; {count:,} more {'action needs' if count == 1 else 'actions need'} it"
