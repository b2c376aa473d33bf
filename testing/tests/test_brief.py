"""A plan in brief shows what the whole plan shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import trio

from _workstream_testing.conformance.case_runs import store_plan
from _workstream_testing.notation.notation import parse
from workstream import Status
from workstream._codec.brief import Brief
from workstream._codec.codec import Codec
from workstream._plan.plan import BaseAction, Plan
from workstream._plan.walk import actions, position_of, walk
from workstream._protocols.vault import NodeRecord, StoredPlan
from workstream._show.failures import failures
from workstream._show.outline import outline
from workstream._show.overview import overview
from workstream._store.store import open_store
from workstream._values.wire import pack
from workstream.vaults import MemoryVault

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
PLAN_ID = UUID(int=77 << 32)

PLANS = {
    "fresh": "plan: pre B1: s1[a; b] s2[c] B2: s3 post def[d]",
    "running": "plan=R: pre=C B1=R: s1=C[a=C; b=C] s2=R[c=C; d=R{open}] s3[e] post",
    "tolerated": "plan=C: B1=C(tol=1): s1=C[a=C; b=C] s2=F[c=F] s3=C[d=C]",
    "failed": "plan=F: pre=C B1=F: s1=C[a=C; b=C] s2=F[c=C; d=F] s3[e] B2: s4[f]",
    "cleaned": "plan=C: B1=C: s1=C[a=C; b=C] then=C[u=F(always)[v=F]] s2=C[c=C]",
    "undone": "plan=F: B1=F: s1=C[a=C] then=C[u=C(on_undo)[v=C]]"
    " s2=C[b=C] then=C[w=F(on_undo)[x=F]] s3=F[c=F] s4[d] then[y(on_undo)[z]]",
    "stopped": "plan=S: B1=S: s1=C[a=C] s2=S[c=C; d] s3[e] def=C[g=C]",
}


def stored_of(text: str) -> tuple[MemoryVault, StoredPlan]:
    """A plan of the notation as it is stored."""

    async def main() -> tuple[MemoryVault, StoredPlan]:
        vault = MemoryVault()
        plan = parse(text).stored(PLAN_ID, NOON)
        await store_plan(vault, plan, Codec(None))
        return vault, await vault.read(PLAN_ID)

    return trio.run(main)


@pytest.mark.parametrize("kind", PLANS)
def test_it_shows_the_same(kind: str) -> None:
    """Outcome, failures, outline, what runs and what waits."""
    vault, stored = stored_of(PLANS[kind])

    async def main() -> None:
        async with open_store(vault) as store:
            whole = await overview(store, PLAN_ID)
            brief = await overview(store, PLAN_ID, brief=True)
        assert brief.plan.outcome is whole.plan.outcome
        assert brief.plan.taken_back == whole.plan.taken_back
        taken_back = "taken back on 1 of 2; NOT on s2" if kind == "undone" else "None"
        assert str(whole.plan.taken_back) == taken_back
        assert brief.plan.state == whole.plan.state
        assert list(outline(brief.plan)) == list(outline(whole.plan))
        assert [each.path for each in brief.failures] == [
            each.path for each in whole.failures
        ]
        assert brief.running == whole.running
        assert brief.waits(NOON) == whole.waits(NOON)

    trio.run(main)
    whole = Codec(None).load(stored)
    brief = Codec(None).load(stored, brief=True)
    at = {position_of(item.node): item.node for item in walk(whole)}
    for item in walk(brief):
        other = at[position_of(item.node)]
        assert type(item.node) is type(other)
        assert item.node.id == other.id
        assert item.node.state == other.state
        if isinstance(item.node, BaseAction):
            assert item.node == other
    left_out = sum(1 for _ in actions(whole)) - sum(1 for _ in actions(brief))
    assert left_out == {"fresh": 4, "running": 3, "tolerated": 3}.get(kind, left_out)
    assert left_out > 0
    assert str(failures(brief)) == str(failures(whole))


def test_it_leaves_nothing_out_of_what_runs() -> None:
    """Every action of a sequence that runs is there, with its attempts."""
    _, stored = stored_of(PLANS["running"])
    plan: Plan = Codec(None).load(stored, brief=True)
    there = [action.name for action in actions(plan)]
    assert {"c", "d"} <= set(there)
    assert not {"a", "b", "e"} & set(there)
    [running] = [a for a in actions(plan) if a.state.status is Status.RUNNING]
    assert len(running.attempts) == 1


def test_what_stands_out_of_order_is_refused() -> None:
    """Positions are counted in walk order, so they would be wrong."""
    _, stored = stored_of(PLANS["fresh"])
    sequence: dict[str, Any] = {"name": "s", "actions": []}
    checks: dict[str, Any] = {"actions": []}
    block: dict[str, Any] = {
        "name": "b",
        "post_checks": checks,
        "sequences": [sequence],
    }
    data = pack(b"\x01", {"name": "p", "blocks": [block]})
    damaged = StoredPlan(
        row=stored.row,
        definition=data,
        records=(NodeRecord(1, 0, b""),),
        position=0,
        lines={},
    )
    with pytest.raises(ValueError, match="walk order"):
        Brief(damaged, b"\x01")
    with pytest.raises(ValueError, match="version"):
        Brief(stored, b"\x02")
