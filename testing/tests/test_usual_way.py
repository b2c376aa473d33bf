"""Trio's short way for an action that goes well records what the general way records."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence

import pytest
from quickly import one_in

from _workstream_testing.cases.case import Case
from _workstream_testing.cases.cases import CASES
from _workstream_testing.conformance.conformance import TrioPlans, run_case_on
from _workstream_testing.conformance.expectations import facts
from workstream._protocols.vault import NodeRecord, Write
from workstream._runtime.usual_calls import UsualCalls
from workstream._values.errors import StorageError
from workstream._vaults.memory_vault import MemoryVault

RACES = ("Y-38",)
"""Cases with several ends: something races with something else at one instant."""


@pytest.fixture(autouse=True)
def quiet_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Plans that fail are what these tests are about: no news of them."""
    caplog.set_level(logging.CRITICAL, "workstream")


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[Write]:
    """All that runs write to memory vaults."""
    seen: list[Write] = []
    write = MemoryVault.write

    async def noted(
        self: MemoryVault, writes: Sequence[Write]
    ) -> Sequence[StorageError | None]:
        seen.extend(writes)
        return await write(self, writes)

    monkeypatch.setattr(MemoryVault, "write", noted)
    return seen


def records(writes: list[Write]) -> dict[int, list[tuple[int, bytes]]]:
    """The records of each object, in order; of none is anything left."""
    found: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    for write in writes:
        for change in write.changes:
            if isinstance(change, NodeRecord):
                found[change.position].append((change.attempt, change.data))
    writes.clear()
    return found


async def not_usual(*_: object) -> None:
    """No action is a usual one."""


@pytest.mark.parametrize(
    "case",
    one_in(12, [case for case in CASES if case.id not in RACES]),
    ids=lambda case: case.id,
)
def test_it_records_the_same(
    case: Case, stored: list[Write], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte, object by object; and every case ends as without it."""
    run = run_case_on(TrioPlans(), case, 1)
    seen = records(stored)

    monkeypatch.setattr(UsualCalls, "usual", not_usual)
    assert facts(run_case_on(TrioPlans(), case, 1)) == facts(run)
    assert records(stored) == seen


def test_most_actions_of_the_cases_go_this_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the test above would compare the general way with itself."""
    told: list[type] = []
    usual = UsualCalls.usual

    async def noted(self: UsualCalls, *args: object) -> object:
        told.append(type(answer := await usual(self, *args)))  # type: ignore[arg-type]
        return answer

    monkeypatch.setattr(UsualCalls, "usual", noted)
    for case in CASES[::10]:
        run_case_on(TrioPlans(), case, 1)

    names = [kind.__name__ for kind in told]
    assert names.count("datetime") > len(names) / 2
    assert {"AttemptOutcome", "datetime"} <= set(names)
