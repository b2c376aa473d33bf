"""What ``workstream resume`` does in the store."""

from __future__ import annotations

from uuid import UUID

from .._engine.engine import Workstream, open_workstream
from .._protocols.vault import PlanRow, Vault
from .._store.ids import find_row, short_id
from .._values.errors import WorkstreamError
from .._values.state import Status
from ._exit_codes import ExitCode
from ._follow import Ending, follow
from ._interrupts import Interrupts
from ._options import Hints
from ._outcome import Result, result_of
from ._reading import existing_store
from ._refusal import Refusal, complain
from ._screen import Screen
from ._views import view_on

__all__ = ["Resuming"]


class Resuming:
    """One call of the command.

    Attributes:
        interrupts: To be entered around ``run``.
        refused: The plans that cannot be resumed here, and why.
    """

    def __init__(
        self, store: str | None, plan: str | None, screen: Screen, hints: Hints
    ) -> None:
        """Prepare.

        Args:
            store: What was given as ``--store``.
            plan: The plan that is meant; None: all that a crash left behind.
            screen: Where to show how they go on.
            hints: Knows what to type next.
        """
        self.interrupts = Interrupts()
        self.refused: dict[UUID, WorkstreamError] = {}
        self._store = store
        self._plan = plan
        self._screen = screen
        self._hints = hints

    @property
    def refusal_codes(self) -> list[ExitCode]:
        """The exit statuses for the plans that were refused."""
        return [ExitCode.REFUSED] * len(self.refused)

    async def run(self) -> list[Result]:
        """Resume, follow, and tell what became of each."""
        vault = existing_store(self._store)
        async with open_workstream(vault, recover=False) as workstream:
            if self._plan is None:
                rows = [
                    row
                    for row in await vault.search(statuses=[Status.RUNNING])
                    if await vault.owner(row.id) is None
                ]
                rows.reverse()  # the oldest first
            else:
                rows = [await find_row(vault, self._plan)]
                if rows[0].status.is_terminal:
                    return [await self._ended(workstream, vault, rows[0])]
            with self._screen.busy("reading what was left behind"):
                resumed = [row for row in rows if await self._resume(workstream, row)]
            if not resumed:
                return []
            words = self._hints.command("resume")
            self.interrupts.last_words = f"left at once; go on with it:  {words}"
            view = view_on(self._screen, several=len(resumed) > 1)
            endings = await follow(
                workstream, [row.id for row in resumed], view, self.interrupts
            )
            with self._screen.busy("reading how it ended"):
                return [await result_of(vault, row, endings[row.id]) for row in resumed]

    async def _ended(
        self, workstream: Workstream, vault: Vault, row: PlanRow
    ) -> Result:
        """A plan that needs no resuming: what became of it is told all the same."""
        self._screen.line("it has ended already: there is nothing to resume")
        ending = Ending(plan=await workstream.plan(row.id))
        return await result_of(vault, row, ending)

    async def _resume(self, workstream: Workstream, row: PlanRow) -> bool:
        if row.status is Status.NOT_STARTED:
            message = (
                f"plan {row.name!r} ({short_id(row.id)}) was submitted and never "
                "started: run its file again"
            )
            raise Refusal(message)
        try:
            await workstream.resume(row.id)
        except WorkstreamError as error:
            self.refused[row.id] = error
            complain(error)
            return False
        if not self._screen.is_live:
            self._screen.line(f"resuming {row.name}  ({short_id(row.id)})")
        return True
