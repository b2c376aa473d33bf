"""The list of plans as somebody asked for it, looked at once for all who asked so."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
import trio
from starlette.datastructures import QueryParams

from workstream import Outcome, Store, ValidationError, WorkstreamError
from workstream.vaults import Where, labels_for

from ._sse import Board
from ._view import freeze_data, listed

_LOOK = 1.0
"""Seconds between two looks."""
_LINGER = 10.0
"""Seconds for which a list is kept up to date when nobody looks."""
_SHOWN = 200
"""So many plans a list shows."""


@attrs.frozen
class Query:
    """What a list is asked for, as ``workstream list`` is.

    Attributes:
        where: What the plans must fit.
        crashed: Only those that have crashed, or only those that have not; None: all.
        group: Only this group.
    """

    where: Where
    crashed: bool | None = None
    group: UUID | None = None

    @classmethod
    def of(cls, asked: QueryParams) -> Query:
        """Read the query of a URL.

        Raises:
            ValidationError: A field of it is wrong.
        """
        words = [word for word in asked.getlist("status") if word]
        kinds = {"running", "crashed"} & set(words)
        outcomes = {"running" if word == "crashed" else word for word in words}
        try:
            where = Where(
                outcomes=frozenset(map(Outcome, outcomes)) if words else None,
                name=asked.get("name", "").strip(),
                since=_moment(asked.get("since")),
                until=_moment(asked.get("until")),
                labels=labels_for(
                    touching=[each for each in asked.getlist("touching") if each],
                    submitter=asked.get("submitter", "").strip(),
                    parameters=[each for each in asked.getlist("parameter") if each],
                ),
            )
            group = UUID(asked["group"]) if asked.get("group") else None
        except ValueError as error:
            message = f"this cannot be asked for: {error}"
            raise ValidationError(message) from error
        return cls(where, "crashed" in kinds if len(kinds) == 1 else None, group)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone() if text else None


class PlanList:
    """The plans that a query finds.

    Attributes:
        board: The messages; each holds the whole list.
    """

    def __init__(self, store: Store, query: Query) -> None:
        self.board = Board()
        self._store = store
        self._query = query

    async def run(self, forget: Callable[[], None]) -> None:
        """Look again and again, until nobody has read for a while.

        A store that cannot be read now, say a cluster that is busy, ends the board, too.
        A browser then opens its stream again, and so begins to look anew.
        """
        before, quiet = "", 0.0
        with suppress(WorkstreamError):
            while quiet < _LINGER:
                data = await self._look()
                text = json.dumps(data)
                if text != before:
                    before = text
                    self.board.post("plans", data, self.board.position + 1)
                await trio.sleep(_LOOK)
                quiet = 0.0 if self.board.readers else quiet + _LOOK
        forget()
        self.board.close(for_good=False)

    async def _look(self) -> dict[str, Any]:
        found = await self._store.entries(
            group_ids=None if self._query.group is None else [self._query.group],
            crashed=self._query.crashed,
            where=self._query.where,
            limit=_SHOWN + 1,
        )
        counts = await self._store.counts()
        return {
            "plans": [listed(each) for each in found[:_SHOWN]],
            "more": len(found) > _SHOWN,
            "counts": {outcome.value: count for outcome, count in counts.items()},
            "frozen": freeze_data(self._store.frozen()),
        }
