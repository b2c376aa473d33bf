"""``rehearse``: one future of a plan, played in virtual time."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from workstream._plan.paths import SEPARATOR
from workstream._plan.plan import BaseAction, Plan

from ..arguments import check_plan, check_seconds, listed, named
from ..problems import SimulationError, says_all
from ..simulation.history import History
from ..simulation.simulation import Simulation
from ..simulation.simulator import MONTH
from ..verify.faults import BY_TIME, Budget, Fault, Kind
from ..verify.trials import Trials
from ..virtual.virtual_time import START
from .earlier import Script, script_of

__tracebackhide__ = says_all

SHOWN = 5
"""How many paths a message names."""


def rehearse(
    plan: Plan,
    *plugins: Any,
    fails: Iterable[str] = (),
    hangs: Iterable[str] = (),
    kill_at: Iterable[float] = (),
    stop_at: float | None = None,
    takes: float | None = None,
    durations: Mapping[str, float] | None = None,
    like: Plan | None = None,
    max_time: float = MONTH,
) -> Simulation:
    """Play one future of a plan: what fails, when the engine dies, when it is stopped.

    ::

        print(rehearse(rollout(20), fails=["web-3 / Start"], kill_at=[12]).timeline)

    Args:
        plan: The plan.
        plugins: As for ``fake_all``.
        fails: The actions that fail, by their paths or the ends of them.
        hangs: The actions that hang until their timeout, likewise.
        kill_at: When the engine dies, in seconds; it is resumed at once.
        stop_at: When somebody asks the plan to stop, in seconds.
        takes: Seconds that a call takes, where nothing else is said; by default a
            quarter of its timeout.
        durations: How long actions take, by their paths or the ends of them.
        like: A plan that ran: actions take as long as in it. Actions are found by their
            paths below the plan, or by the unique ends of these.
        max_time: Seconds of virtual time after which it is given up.

    Returns:
        How it ends; ``timeline`` draws it.

    Raises:
        SimulationError: A path names no action, or several; or the plan does not end.
        ScriptError: A plugin cannot be faked.
        ValidationError: The plan could not be submitted.
    """
    check_plan(plan)
    paths = 'a list of paths, such as ["web-3 / Start"]'
    fails, hangs = listed("fails", fails, paths), listed("hangs", hangs, paths)
    kill_at = listed("kill_at", kill_at, "a list of seconds, such as [12]")
    for time in kill_at:
        check_seconds("kill_at", time)
    for name, seconds in (("stop_at", stop_at), ("takes", takes)):
        check_seconds(name, seconds, may_be_none=True)
    check_seconds("max_time", max_time)
    known = named("durations", durations or {}, '{"web-3 / Start": 20}')
    for path, seconds in known.items():
        check_seconds(f"durations[{path!r}]", seconds)
    trials = Trials(
        plan,
        plugins,
        invariants=lambda world: [],
        takes=takes,
        durations=known,
        script=None if like is None else script_of(like, plan).times,
        max_time=max_time,
    )
    kinds = [(path, Kind.FAILS) for path in fails]
    kinds += [(path, Kind.HANGS) for path in hangs]
    faults: list[Fault] = []
    problems: list[str] = []
    for path, kind in kinds:
        found = trials.places_of(path)
        if len(found) == 1:
            faults.append(Fault(kind, trials.paths[found[0]], found[0]))
        else:
            problems.append(_problem(path, found, trials))
    # A time may be that of many actions, but not of none.
    unknown = [path for path in known if not trials.places_of(path)]
    problems += [f"durations: {_problem(path, [], trials)}" for path in unknown]
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        message = f"plan {plan.name!r} cannot be rehearsed like this:\n{lines}"
        raise SimulationError(message)
    faults += [
        Fault(Kind.CRASH, plan.name, 0, at=time, what=BY_TIME)
        for time in sorted(kill_at)
    ]
    if stop_at is not None:
        faults.append(Fault(Kind.STOP, plan.name, 0, at=stop_at, what=BY_TIME))
    said: dict[str, object] = {
        "fails": list(fails),
        "hangs": list(hangs),
        "kill_at": list(kill_at),
    }
    said |= {"stop_at": stop_at, "takes": takes, "durations": known}
    told = [f"{name}={value!r}" for name, value in said.items() if value]
    if like is not None:
        told.append("like=...")
    replay = f"rehearse({', '.join(['plan', '...', *told])})"
    result = _played(trials, tuple(faults), replay)
    result.missed += _missed(trials, faults, result.elapsed)
    return result


def played(plan: Plan, plugins: Iterable[Any], script: Script) -> Simulation:
    """Let every action do again what it did in a run."""
    trials = Trials(plan, tuple(plugins), invariants=lambda world: [], script=script)
    return _played(trials, (), "what_if(plan, ran)")


def _played(trials: Trials, faults: tuple[Fault, ...], replay: str) -> Simulation:
    history = History(trials.plan, START)
    trial = trials.run(faults, Budget(0, 0, 0), history=history, in_order=False)
    if trial.endless:
        message = f"plan {trials.plan.name!r} does not end: {trial.endless}"
        raise SimulationError(message)
    return Simulation(trials.plan, history, 0, replay=replay)


def _missed(trials: Trials, faults: Iterable[Fault], end: float) -> Iterator[str]:
    """What did not come to pass: the plan ended before, or never came there."""
    for fault in faults:
        action = trials.nodes[fault.position]
        if fault.what == BY_TIME:
            if fault.at > end:
                yield f"{fault}: the plan has ended by then"
        elif isinstance(action, BaseAction) and not action.attempts:
            yield f"{fault}: it is never called"


def _problem(path: str, found: list[int], trials: Trials) -> str:
    some = [trials.paths[place] for place in found[:SHOWN]]
    if found:
        more = " and more" if len(found) > SHOWN else ""
        return f"{path!r} may be {', '.join(some)}{more}: write more of the path"
    parts = path.count(SEPARATOR) + 1
    ends = {
        SEPARATOR.join(full.split(SEPARATOR)[-parts:])
        for full, node in zip(trials.paths, trials.nodes, strict=True)
        if isinstance(node, BaseAction)
    }
    near = difflib.get_close_matches(path, sorted(ends), n=2, cutoff=0.5)
    meant = " or ".join(map(repr, near or sorted(ends)[:2]))
    return f"no action's path ends in {path!r}: " + (
        f"did you mean {meant}?" if near else f"write for example {meant}"
    )
