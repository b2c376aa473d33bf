"""A crash is a branch of the run without one: it ends as if all before had run again."""

from __future__ import annotations

import os
from typing import Any

import attrs
import pytest

pytest.importorskip("hypothesis", reason="an optional extra")

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from verify_plans import Look, Migrate, On, rollout

from _workstream_testing.simulation.told import Told
from workstream import (
    Action,
    ActionPlugin,
    Context,
    Plan,
    late,
    text,
)
from workstream._values.interventions import Verb
from workstream.testing import CrashReport, FakePlugin, crash_everywhere
from workstream.testing.strategies import fakes, plans
from workstream.vaults import MemoryVault

PLANS = int(os.environ.get("WORKSTREAM_PLANS", "120")) // 8


@attrs.frozen
class Answer:
    """A response."""

    address: str = "10.0.0.1"


class Copy(ActionPlugin[On, Answer]):
    """A plugin that is run again, and whose response others may need."""

    name = "acme.copy"

    async def execute(self, context: Context, request: On, /) -> Answer:
        """Fail the test."""
        raise NotImplementedError


class OwnVault(MemoryVault):
    """A vault that is under test: so each crash runs all that comes before it."""


def _copy(retries: int) -> Action:
    return Copy.action(On(), name="Copy", retries=retries)


def _refer(source: Action) -> Action | None:
    if source.plugin != Copy.name:
        return None
    address = Copy.response(source).address
    return Copy.action(late(On)(host=text("{}", address)), name="Copy")


EVERY_PLAN = plans(
    st.builds(_copy, st.integers(0, 1)) | st.just(Migrate.action(On(), name="Migrate")),
    st.just(Look.action(On(), name="Look")),
    max_sequences=3,
    max_actions=2,
    referring=_refer,
)
TOLD = st.none() | st.sampled_from([Verb.STOP, Verb.PAUSE])


def ends(plan: Plan, plugins: list[Any], **options: Any) -> tuple[CrashReport, Any]:
    """What is found, and everything that can be seen of each run with a crash."""
    seen: list[Any] = []

    def equal(without: Any, end: Any) -> bool:
        seen.append((end.plan, end.calls, end.timeline.events, end.crashes, end.seed))
        # As text, as two cancellations are never equal.
        seen.append([str(call) for fake in plugins for call in fake.calls])
        return True

    return crash_everywhere(plan, plugins, equal=equal, **options), seen


LEAST = settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""Only small plans are crashed twice: that takes the square of their changes in runs."""

ANY = {"plan": EVERY_PLAN, "second": st.booleans(), "verb": TOLD}


@LEAST
@given(data=st.data(), at=st.integers(0, 20), **ANY)
def test_a_branch_ends_as_the_whole_run_would(
    data: st.DataObject, plan: Plan, second: bool, verb: Verb | None, at: int
) -> None:
    """The same plan, calls, events and report, whatever fails before and after it."""
    check_branches(data, plan, second, verb, at)


@pytest.mark.slow
@settings(LEAST, max_examples=PLANS, derandomize=False)
@given(data=st.data(), at=st.integers(0, 20), **ANY)
def test_a_branch_of_many_plans_ends_so(
    data: st.DataObject, plan: Plan, second: bool, verb: Verb | None, at: int
) -> None:
    """Other plans at each run of the tests."""
    check_branches(data, plan, second, verb, at)


MOST = 100
"""The changes of the largest plan: each is a crash, and a run of all that comes before."""
TWICE = 10
"""The changes of the largest plan that is crashed at each pair of them."""


def check_branches(
    data: st.DataObject, plan: Plan, second: bool, verb: Verb | None, at: int
) -> None:
    """Compare each branch of a plan with the whole run, after one crash or two."""
    plugins: list[Any] = data.draw(fakes(plan, Copy, Migrate, Look, max_lines=4))
    told = [] if verb is None else [Told(float(at), verb)]
    if verb is Verb.PAUSE:
        told.append(Told(at + 30.0, Verb.UNPAUSE))

    def equal(without: Any, end: Any) -> bool:
        return True

    once = crash_everywhere(plan, plugins, equal=equal, told=told, only="after write 1")
    assume(once.writes <= MOST)
    changes = check_ends(plan, plugins, told=told)
    if second and changes <= TWICE:
        check_ends(plan, plugins, told=told, second_crash=True)


def check_ends(plan: Plan, plugins: list[Any], **options: Any) -> int:
    """Compare all that is seen of them; how many changes the plan has."""
    branched, ends_branched = ends(plan, plugins, **options)
    whole, ends_whole = ends(plan, plugins, vault=OwnVault, **options)

    assert ends_branched == ends_whole
    assert (branched.writes, branched.crashes) == (whole.writes, whole.crashes)
    assert branched.called_twice == whole.called_twice
    assert branched.reconciled == whole.reconciled
    assert branched.result.timeline.events == whole.result.timeline.events
    return branched.writes


def _rollout() -> Plan:
    return rollout(3, concurrency=2, tolerated=0, plugins=(Copy,))


def test_what_was_before_the_crash_is_told_once_for_each() -> None:
    """A branch's calls do not stay with the fakes, nor lines that it alone has used."""
    copy = FakePlugin(Copy).when(host="web-2", attempt=1, takes=5).otherwise(takes=3)
    report = crash_everywhere(_rollout(), [copy])

    assert len(report.result.calls) == 3
    assert len(copy.calls) == 3
    assert not copy.unused


def test_what_a_comparison_raises_is_raised() -> None:
    """With its own traceback: it is the test's."""

    def equal(_without: Any, _end: Any) -> bool:
        message = "no two ends are equal"
        raise ZeroDivisionError(message)

    with pytest.raises(ZeroDivisionError, match="no two ends") as caught:
        crash_everywhere(_rollout(), [FakePlugin(Copy).otherwise(takes=3)], equal=equal)
    assert "equal" in [entry.name for entry in caught.traceback]


def test_a_function_that_remembers_is_run_again() -> None:
    """Only the test knows what it makes of the calls before the crash."""
    asked: list[str] = []

    def note(_context: Any, request: Any) -> Answer:
        asked.append(request.host)
        return Answer()

    report = crash_everywhere(_rollout(), [FakePlugin(Copy).does(note)])

    # Once without a crash, and once more for each crash, up to it and after it.
    assert len(asked) >= 3 * (report.crashes + 1)
