"""Which plan is meant: ids that people can read, say and type.

A plan's id is a UUID version 7, and all that plans of one day share comes first. So
people are shown the part that tells plans apart, its fourth group and what follows:
of ``01a20999-1842-728a-bfc3-10ad00000000`` that is ``bfc3-10ad``. It stands in the
full id as it is, so either is found by the other.
"""

from __future__ import annotations

import re
from uuid import UUID

from .._protocols.searching import Where, short_form
from .._protocols.vault import PlanRow, Vault
from .._values.display import shorten
from .._values.errors import ValidationError

LAST = "last"
_HEX = r"[0-9a-f]{4,32}"
_SHOWN = 10


def short_id(plan_id: UUID) -> str:
    """The part of the id that tells plans apart: eight digits."""
    digits = short_form(plan_id)
    return f"{digits[:4]}-{digits[4:]}"


def named(name: str, plan_id: UUID) -> str:
    """The plan for people: its name, safe and not too long, and its short id."""
    return f"{shorten(name)} ({short_id(plan_id)})"


async def find_row(vault: Vault, text: str) -> PlanRow:
    """The plan that somebody means.

    Args:
        vault: The store, open.
        text: ``last`` for the newest; the id; or how the id, or its short form, begins:
            at least four digits, with or without dashes.

    Raises:
        ValidationError: It is none of these, no plan is meant by it, or several are.
    """
    if text == LAST:
        rows = await vault.search(limit=1)
        if not rows:
            message = "the store holds no plan yet"
            raise ValidationError(message)
        return rows[0]
    digits = text.strip().lower().replace("-", "")
    if not re.fullmatch(_HEX, digits):
        message = (
            f"'{shorten(text)}' is no plan: give an id as `workstream list` shows it, "
            f"or its first digits (at least four), or {LAST!r} for the newest"
        )
        raise ValidationError(message)
    found = await vault.search(where=Where(id_starts=digits), limit=_SHOWN + 1)
    if len(found) == 1:
        return found[0]
    if not found:
        message = (
            f"the store holds no plan '{shorten(text)}': `workstream list` shows those "
            "that it holds"
        )
        raise ValidationError(message)
    raise ValidationError(_several(text, found))


def _several(text: str, found: list[PlanRow]) -> str:
    shown = found[:_SHOWN]
    several = f"{len(found)}" if len(shown) == len(found) else f"more than {_SHOWN}"
    lines = [f"'{shorten(text)}' may be any of {several} plans: type more of it"]
    lines += [f"  {short_id(row.id)}  {shorten(row.name)}" for row in shown]
    if len(found) > _SHOWN:
        lines.append("  … and more")
    return "\n".join(lines)
