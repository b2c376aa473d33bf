"""Plans that go on in a new history again and again, and others with little room."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from workstream_temporal._limits.flight import Flight
from workstream_temporal._names import PLAN
from workstream_temporal._plan_workflow import PlanWorkflow
from workstream_temporal._runtime import TemporalRuntime

__all__ = ["ShortWorkflow", "with_flight"]


def with_flight(**limits: Any) -> type[TemporalRuntime]:
    """The ``runtime`` of a workflow with other limits: attributes of ``Flight``."""

    class OtherFlight(Flight):
        """Has other limits."""

    class OtherRuntime(TemporalRuntime):
        """Keeps to them."""

        flight = OtherFlight

    for name, value in limits.items():
        assert hasattr(Flight, name), name
        setattr(OtherFlight, name, value)
    return OtherRuntime


@workflow.defn(name=PLAN)
class ShortWorkflow(PlanWorkflow):
    """A plan whose histories are short."""

    runtime = with_flight(events=60, answers=100_000)

    @workflow.init
    def __init__(self, given: bytes) -> None:
        """See ``PlanWorkflow``."""
        super().__init__(given)

    @workflow.run
    async def run(self, given: bytes) -> None:
        """See ``PlanWorkflow``."""
        await super().run(given)
