"""What a list of plans says of a workflow that holds no readable row."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import trio

from workstream.errors import StorageError
from workstream_temporal._cluster.listing import row_in
from workstream_temporal._names import ROW, workflow_id

PLAN = UUID("01890a5d-ac96-774b-bcce-b30200000000")


class Execution:
    """A workflow on the cluster, as far as a list looks at it."""

    id = workflow_id(PLAN)

    def __init__(self, memo: dict[str, object]) -> None:
        """Hold a memo."""
        self._memo = memo

    async def memo(self) -> dict[str, object]:
        """It."""
        return self._memo


@pytest.mark.parametrize(
    ("memo", "told"),
    [
        (
            {ROW: b"\xffof a later version"},
            f"{workflow_id(PLAN)} on the cluster cannot",
        ),
        ({ROW: "text"}, "cannot be read"),
        ({}, "it was not begun by workstream"),
    ],
)
def test_a_row_that_cannot_be_read_is_the_store_s_fault(
    memo: dict[str, object], told: str
) -> None:
    """So that who lists plans is told which, and who follows them goes on later."""
    execution: Any = Execution(memo)

    with pytest.raises(StorageError, match=told):
        trio.run(row_in, execution)
