"""How the changes of a run are gathered into commits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import pytest
import trio
import trio.testing

from workstream import (
    ActionPlugin,
    Block,
    Context,
    Plan,
    Registry,
    Status,
    open_workstream,
)
from workstream import Sequence as PlanSequence
from workstream._plan.walk import new_plan_id
from workstream._protocols.vault import NodeRecord, Write
from workstream._runtime.journal import Committer, Journal
from workstream._values.errors import StorageError
from workstream._vaults.memory_vault import MemoryVault


class Counting(MemoryVault):
    """Notes how many changes each commit has."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """Commit, and note how much."""
        self.sizes.append(sum(len(write.changes) for write in writes))
        return await super().write(writes)


class Taking(Counting):
    """Takes what is written of any plan."""

    async def write(self, writes: Sequence[Write]) -> Sequence[StorageError | None]:
        """Note how much, and say that it is durable."""
        self.sizes.append(sum(len(write.changes) for write in writes))
        return [None] * len(writes)


@attrs.frozen
class Request:
    """Says nothing."""


class Nothing(ActionPlugin[Request, None]):
    """Does nothing."""

    name = "test.nothing"

    async def execute(self, context: Context, request: Request, /) -> None:
        """Return."""


def _block(sequences: int) -> Block:
    return Block(
        name="block",
        concurrency=sequences,
        sequences=[
            PlanSequence(name=f"{n}", actions=[Nothing.action(Request(), name="a")])
            for n in range(sequences)
        ],
    )


# The loop shuffles what is ready to run: once in two, the committer comes first.
@pytest.mark.parametrize("sequences", [1, 2, 20])
@pytest.mark.parametrize("_again", range(6))
def test_a_run_commits_no_more_than_it_must(sequences: int, _again: int) -> None:
    """A block begins with its first actions, and ends with its last, and the plan too."""
    vault = Counting()

    async def scenario() -> None:
        async with open_workstream(vault, registry=Registry([Nothing()])) as ws:
            plan = await ws.run(Plan(name="plan", blocks=[_block(sequences)]))
        assert plan.state.status is Status.COMPLETED

    trio.run(scenario)
    begins, ends = 1 + 2 * sequences, 2 * sequences + 2
    assert vault.sizes[-2:] == [begins, ends]


def test_what_nobody_waits_for_is_committed_all_the_same() -> None:
    """However long the others go on, a record becomes durable soon."""
    vault = Taking()
    durable: list[None] = []

    async def scenario() -> None:
        committer = Committer(vault)
        journal = _journal(committer, lambda: durable.append(None))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(committer.run)
            await trio.testing.wait_all_tasks_blocked()
            journal.add(NodeRecord(1, 0, b""))
            rounds = 0
            while not durable and rounds < 20:  # always ready to run
                await trio.lowlevel.checkpoint()
                rounds += 1
            assert durable
            nursery.cancel_scope.cancel()

    trio.run(scenario)
    assert vault.sizes == [1]


def _journal(committer: Committer, on_durable: Callable[[], None]) -> Journal:
    return Journal(
        committer, new_plan_id(), 0, on_durable=on_durable, on_error=lambda: None
    )
