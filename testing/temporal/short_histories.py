"""A plan that goes on in a new history again and again."""

from __future__ import annotations

from temporalio import workflow

from workstream_temporal._limits.flight import Flight
from workstream_temporal._names import PLAN
from workstream_temporal._plan_workflow import PlanWorkflow
from workstream_temporal._runtime import TemporalRuntime

__all__ = ["ShortWorkflow"]


@workflow.defn(name=PLAN)
class ShortWorkflow(PlanWorkflow):
    """A plan whose histories are short."""

    class Runtime(TemporalRuntime):
        """Goes on in a new history soon."""

        class ShortFlight(Flight):
            """Is full soon."""

            events = 60
            answers = 100_000

        flight = ShortFlight

    runtime = Runtime

    @workflow.init
    def __init__(self, given: bytes) -> None:
        """See ``PlanWorkflow``."""
        super().__init__(given)

    @workflow.run
    async def run(self, given: bytes) -> None:
        """See ``PlanWorkflow``."""
        await super().run(given)
