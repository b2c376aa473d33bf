"""How plans are looked for in a vault, and in which order they are found."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict
from uuid import UUID

import attrs

from .._plan.outcome import Outcome
from .._values.state import Status

if TYPE_CHECKING:
    from .vault import PlanRow


@attrs.frozen(kw_only=True)
class Where:
    """What else a plan must fit to be found (STO-15); all of it, where several are given.

    Attributes:
        outcomes: One of these; None: any. It tells what a status does not, that a plan
            completed with failures.
        name: A part of its name, whether in capitals or not; "": any name.
        since: Submitted then or later. A plan without that time is older than all.
        until: Submitted before then.
        labels: All of these were given to ``create``, letter by letter.
        id_starts: How its id begins, or the short form of it that people are shown
            (``short_form``): hexadecimal digits, without dashes, in small letters.
    """

    outcomes: Collection[Outcome] | None = None
    name: str = ""
    since: datetime | None = None
    until: datetime | None = None
    labels: Collection[str] = ()
    id_starts: str = ""

    def fits(self, row: PlanRow) -> bool:
        """Whether the row fits; of ``labels`` a row tells nothing."""
        since, until = self.since, self.until
        submitted = row.submitted or BEFORE_ALL
        return (
            (self.outcomes is None or row.outcome in self.outcomes)
            and (since is None or submitted >= since)
            and (until is None or submitted < until)
            and (not self.name or self.name.casefold() in row.name.casefold())
            and (
                not self.id_starts
                or row.id.hex.startswith(self.id_starts)
                or short_form(row.id).startswith(self.id_starts)
            )
        )


ANY_PLAN = Where()
"""Every plan fits."""

BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
"""When a plan was submitted of which that is not known, as far as order goes."""


class Wanted(TypedDict, total=False):
    """The arguments of ``Vault.search``."""

    ids: Collection[UUID] | None
    group_ids: Collection[UUID] | None
    statuses: Collection[Status] | None
    where: Where
    limit: int


@attrs.frozen(kw_only=True)
class Search:
    """What ``Vault.search`` was given, as data: ``Search(**wanted)``.

    Raises:
        ValueError: The limit is negative.
    """

    ids: Collection[UUID] | None = None
    group_ids: Collection[UUID] | None = None
    statuses: Collection[Status] | None = None
    where: Where = ANY_PLAN
    limit: int = 0

    def __attrs_post_init__(self) -> None:
        """See that the limit can be one."""
        refuse_negative(self.limit)

    def fits(self, row: PlanRow) -> bool:
        """Whether the row fits every given kind; of labels a row tells nothing."""
        return (
            (self.ids is None or row.id in self.ids)
            and (self.group_ids is None or row.group_id in self.group_ids)
            and (self.statuses is None or row.status in self.statuses)
            and self.where.fits(row)
        )


def short_form(plan_id: UUID) -> str:
    """The part of an id that tells plans apart: its eight digits, without the dash.

    What all plans of one day share comes first in an id, and what all objects of one
    plan share comes before the last eight digits.
    """
    return plan_id.hex[16:24]


def outcomes_of(statuses: Collection[Status]) -> set[Outcome]:
    """The outcomes that a plan of one of these statuses may have.

    An outcome is called as its status is, and what it adds comes behind.
    """
    names = {status.word for status in statuses}
    return {
        outcome
        for outcome in Outcome
        if outcome.name in names or outcome.name.partition("_WITH_")[0] in names
    }


def newest_first(rows: Iterable[PlanRow], limit: int) -> list[PlanRow]:
    """The rows in the order of a list, at most ``limit`` of them (STO-4).

    Raises:
        ValueError: The limit is negative.
    """
    refuse_negative(limit)
    if limit:
        return heapq.nlargest(limit, rows, key=_age)
    return sorted(rows, key=_age, reverse=True)


def refuse_negative(limit: int) -> None:
    """Raise ValueError where a limit is less than 0, which means all."""
    if limit < 0:
        message = f"limit must be 0 (all) or more, not {limit}"
        raise ValueError(message)


def _age(row: PlanRow) -> tuple[datetime, UUID]:
    return (row.submitted or BEFORE_ALL, row.id)
