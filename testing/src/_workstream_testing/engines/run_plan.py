"""``run_plan``: a plan whose plugins are real trio code, run by a fake clock."""

from __future__ import annotations

from uuid import UUID

import attrs

from workstream._codec.lines import decode_line
from workstream._plan.paths import paths
from workstream._plan.plan import Plan
from workstream._plan.text import plan_text
from workstream._registry.registry import Registry
from workstream._values.durations import duration_text
from workstream._vaults.memory_vault import MemoryVault

from ..problems import SimulationError, says_all
from ..simulation.history import Report
from ..simulation.simulation import check_scripts
from ..simulation.simulator import HALF, MONTH, Plugins, check_given, check_times, given
from ..virtual.virtual_time import FakeClock

__tracebackhide__ = says_all


@attrs.frozen(repr=False)
class PlanRun:
    """How a plan ended that ``run_plan`` ran.

    Attributes:
        plan: The plan at its end, as it was stored.
        elapsed: How long it took by the fake clock, in seconds.
        reports: What its plugins reported: progress, lines of output.
    """

    plan: Plan
    elapsed: float
    reports: tuple[Report, ...]

    def __repr__(self) -> str:
        reasons = ", ".join(reason.name for reason in self.plan.reasons)
        why = f" ({reasons})" if reasons else ""
        return (
            f"<plan {self.plan.name!r}: {self.plan.outcome.value}{why} after "
            f"{self.elapsed:g} s>"
        )


def run_plan(
    plan: Plan,
    plugins: Plugins = (),
    *,
    clock: FakeClock | None = None,
    seed: int | None = None,
    stop_at: float | None = None,
    max_time: float = MONTH,
) -> PlanRun:
    """Run a plan to its end on trio, with real plugins, fakes, or both.

    ::

        def test_hosts_are_prepared(tmp_path):
            result = run_plan(prepare(tmp_path), [RunCommand(), FakePlugin(Reboot)])
            assert result.plan.state.status is Status.COMPLETED

    Waits, backoffs and delays of hours take no time: the clock jumps. While a plugin's
    thread works it stands still, and while one waits for a process or a socket it goes
    as fast as any clock. The times that are recorded follow it. It is a plain function;
    the store is in memory.

    Args:
        plan: The plan; it is validated as by submit, and not changed.
        plugins: All plugins of the plan, or a function that makes them.
        clock: A clock of your own, for example one without ``real_io``.
        seed: Chooses the order of what is ready at the same instant; None: any.
        stop_at: When the plan is asked to stop, in seconds.
        max_time: Seconds by the clock after which it is given up.

    Returns:
        How it ended.

    Raises:
        SimulationError: The plan does not end, a plugin was not given, or this was
            called where trio runs already.
        ScriptError: Lines of a fake's script overlap, or were not used.
        ValidationError: The plan could not be submitted.
    """
    import trio

    from workstream._engine.engine import open_workstream

    if _runs_trio():
        message = (
            "run_plan() is a plain function, and trio runs here already: use "
            "`async with MemoryWorkstream().open(plugins) as ws` inside of async code"
        )
        raise SimulationError(message)
    check_times(stop_at, max_time)
    made = given(plugins)
    registry = Registry(made)
    check_given(plan, registry)
    by = FakeClock(real_io=True) if clock is None else clock
    vault = MemoryVault()

    async def scenario() -> PlanRun:
        async with open_workstream(
            vault, registry=registry, now=by.now, random=lambda: HALF
        ) as ws:
            plan_id = await ws.submit(plan)
            await ws.start(plan_id)
            with trio.move_on_after(max_time):
                if stop_at is not None:
                    with trio.move_on_after(stop_at):
                        await ws.wait(plan_id)
                    await ws.stop(plan_id)
                await ws.wait(plan_id)
            ended = await ws.plan(plan_id)
            if not ended.state.status.is_terminal:
                message = (
                    f"plan {plan.name!r} does not end within {duration_text(max_time)}, so "
                    f"far:\n\n{plan_text(ended)}"
                )
                raise SimulationError(message)
            return await _result(ended, vault, plan_id)

    result = by.run(scenario, seed=seed)
    check_scripts(made)
    return result


def _runs_trio() -> bool:
    import trio

    try:
        trio.lowlevel.current_trio_token()
    except RuntimeError:
        return False
    return True


async def _result(plan: Plan, vault: MemoryVault, plan_id: UUID) -> PlanRun:
    began, ended = plan.state.started, plan.state.ended
    if began is None or ended is None:  # it was stopped before it began
        return PlanRun(plan, 0.0, ())
    reports: list[Report] = []
    for position, (path, _) in enumerate(paths(plan)):
        for record in await vault.lines(plan_id, position):
            line = decode_line(record.data)
            reports.append(
                Report(
                    time=(line.time - began).total_seconds(),
                    path=path,
                    attempt=line.attempt,
                    message=line.text,
                    done=line.done,
                    total=line.total,
                )
            )
    reports.sort(key=lambda report: report.time)
    return PlanRun(plan, (ended - began).total_seconds(), tuple(reports))
