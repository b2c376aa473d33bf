"""The histories of one plan: a long plan goes on in new ones (``_plan_workflow``).

Each knows the log of its own time alone. Who reads the log from an earlier position, an
observer that is a little behind for example, is answered by the history of that time: a
server keeps it as long as one of a plan that has ended, and a worker can run its code
again.
"""

from __future__ import annotations

from typing import cast
from uuid import UUID

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from .._forms import unpacked
from .._names import workflow_id

_POSITION = 4
"""Where in the form of a stored plan its log position is."""


class Histories:
    """Finds the history that knows a part of a plan's log; remembers what it has seen."""

    def __init__(self) -> None:
        """Know none."""
        self._known: dict[str, tuple[str, int]] = {}

    async def behind(self, client: Client, plan_id: UUID, position: int) -> str:
        """The run of the workflow in which the log goes on behind a position.

        Returns:
            Its id; "": the server does not keep it any more.
        """
        run = (await client.get_workflow_handle(workflow_id(plan_id)).describe()).run_id
        while run:
            if run not in self._known:
                try:
                    self._known[run] = await self._begin(client, plan_id, run)
                except RPCError as error:
                    if error.status is RPCStatusCode.NOT_FOUND:
                        return ""
                    raise
            before, begins = self._known[run]
            if begins <= position:
                return run
            run = before
        return ""

    @staticmethod
    async def _begin(client: Client, plan_id: UUID, run: str) -> tuple[str, int]:
        """The run before this one, if there is one, and the log position it began at."""
        handle = client.get_workflow_handle(workflow_id(plan_id), run_id=run)
        async for event in handle.fetch_history_events(page_size=1):
            begun = event.workflow_execution_started_event_attributes
            [given] = await client.data_converter.decode(begun.input.payloads, [bytes])
            form = unpacked(cast("bytes", given))[0]
            return begun.continued_execution_run_id, form[_POSITION]
        message = f"plan {plan_id}: a history has no beginning"
        raise ValueError(message)
