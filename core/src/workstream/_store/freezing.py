"""Holding every plan of a store at once, as methods of an open store (HO-6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import attrs
import trio

from .._protocols.vault import Vault
from .._values.errors import RefusedError
from .._values.interventions import Freeze, Word
from .asking import checked_name, checked_reason, ended


class Freezing:
    """The part of a ``Store`` that holds all its plans.

    Attributes:
        vault: What keeps the plans, for what only its kind can do.
    """

    def __init__(self, vault: Vault, now: Callable[[], datetime]) -> None:
        self.vault = vault
        self._now = now

    def frozen(self) -> Freeze | None:
        """Who froze the store, when and why, and which plans are let through (HO-6).

        None: it is not frozen.
        """
        freeze = self.vault.freeze()
        return None if freeze is None or freeze.ended is not None else freeze

    async def freeze(self, *, reason: str = "", by: str | None = None) -> bool:
        """Hold every plan of the store, of every engine, until ``unfreeze`` (HO-6).

        Plans that are submitted and started later are held, too.

        Args:
            reason: Why, in a few words.
            by: Who asks; None: ``WORKSTREAM_BY``, or else user@host (CT-4).

        Returns:
            Whether it was not frozen before.
        """
        word = self._word(reason, by)
        return await self._set_freeze(
            lambda frozen: Freeze(begun=word) if frozen is None else None
        )

    async def unfreeze(self, *, reason: str = "", by: str | None = None) -> bool:
        """Let the plans of the store go on. Arguments are those of ``freeze``.

        Returns:
            Whether it was frozen before.
        """
        word = self._word(reason, by)
        return await self._set_freeze(
            lambda frozen: None if frozen is None else attrs.evolve(frozen, ended=word)
        )

    async def exempt(
        self, plan_id: UUID, *, reason: str = "", by: str | None = None
    ) -> bool:
        """Let one plan through while the store is frozen (HO-6).

        Args:
            plan_id: The plan.
            reason: Why, in a few words.
            by: Who asks; None: ``WORKSTREAM_BY``, or else user@host (CT-4).

        Returns:
            Whether it was held before.

        Raises:
            NotFoundError: No such plan.
            RefusedError: It has ended, or the store is not frozen.
        """
        word = self._word(reason, by)
        row = await self.vault.row(plan_id)
        if row.status.is_terminal:
            raise ended(row.name, plan_id, row.status)

        def exempted(frozen: Freeze | None) -> Freeze | None:
            if frozen is None:
                message = (
                    f"the store is not frozen, so plan {row.name!r} needs no exemption; "
                    "where it is paused, unpause it"
                )
                raise RefusedError(message, plan_id)
            if plan_id in frozen.exempt:
                return None
            return attrs.evolve(frozen, exempt={**frozen.exempt, plan_id: word})

        return await self._set_freeze(exempted)

    def _word(self, reason: str, by: str | None) -> Word:
        return Word(by=checked_name(by), at=self._now(), reason=checked_reason(reason))

    async def _set_freeze(
        self, change: Callable[[Freeze | None], Freeze | None]
    ) -> bool:
        """Change what the store says of a freeze; whether there was anything to change.

        Args:
            change: Given the freeze, None where the store is not frozen, says what the
                store is to say; None: it says so already.
        """
        with trio.CancelScope(shield=True):
            while True:
                found = self.vault.freeze()
                wanted = change(self.frozen())
                if wanted is None:
                    return False
                if await self.vault.set_freeze(wanted, found):
                    break
        await self._looked()
        return True

    async def _looked(self) -> None:
        """Let the runs of this process see that the store is frozen; an engine does."""
