"""This checkout against another one, in turns, in one run: what a change has brought.

``nox -s bench -- --against PATH``. Each sample is a process of its own, which imports the
engine of one of the two; the work is this checkout's in both, by public names alone, so
the other one may be old. Processor time is what the kernel has charged the process with:
it says what a change saves also where the machine has other work.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import trio

from workstream import Plan, Status, open_workstream

from .processes import ONE_ACTION
from .table import Figure, interleaved
from .work import (
    LARGE,
    ONE_BY_ONE,
    SMALL,
    declared_plan,
    plan_of,
    real_plan,
    registry,
    temporary,
)

__all__ = ["against"]

HERE = Path(__file__).parents[2]
WORKS: dict[str, Callable[[], Plan]] = {
    f"{SMALL}": partial(plan_of, SMALL),
    f"{LARGE}": partial(plan_of, LARGE),
    f"{LARGE}, with checks, retries and reports": partial(real_plan, LARGE),
    f"{LARGE}, with clean-up, undo and batches declared": partial(declared_plan, LARGE),
    f"{ONE_BY_ONE}": partial(plan_of, ONE_BY_ONE),
}
PARTS = ("submit", "start", "run and the last read")
_COMMANDS = {
    "`workstream run`, one action": ("run", "{plan}", "--store", "{store}"),
    "`workstream list`": ("list", "--store", "{store}"),
    "`workstream show`": ("show", "last", "--store", "{store}"),
    "`workstream --help`": ("--help",),
}


def against(other: Path, rounds: int) -> list[Figure]:
    """Every work, by part, and every command; ratios are this checkout's to the other's.

    Args:
        other: The root of another checkout.
        rounds: How often each is measured.
    """
    for checkout in (HERE, other):
        compiled = (
            sys.executable,
            "-m",
            "compileall",
            "-q",
            str(checkout / "core/src"),
        )
        subprocess.run(compiled, check=True)
    return [
        *(figure for work in WORKS for figure in _work_of_both(work, other, rounds)),
        *(figure for name in _COMMANDS for figure in _command(name, other, rounds)),
    ]


def _work_of_both(work: str, other: Path, rounds: int) -> list[Figure]:
    """A work by part, if the other checkout knows of such plans."""
    tried = subprocess.run(
        (sys.executable, "-m", __spec__.name, work),
        env=_environment(other),
        cwd=HERE,
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if tried.returncode:
        why = tried.stderr.strip().rpartition("\n")[2]
        return [Figure(name=work, value="", ratio=f"the other cannot: {why}")]
    return _work(work, other, rounds)


def _work(work: str, other: Path, rounds: int) -> list[Figure]:
    samples: dict[str, list[dict[str, float]]] = {"this": [], "other": []}

    def sample(who: str, checkout: Path) -> float:
        command = (sys.executable, "-m", __spec__.name, work)
        answer = subprocess.check_output(command, env=_environment(checkout), cwd=HERE)
        found: dict[str, float] = json.loads(answer)
        samples[who].append(found)
        return sum(found[part] for part in PARTS)

    whole = interleaved(
        rounds,
        {"this": lambda: sample("this", HERE), "other": lambda: sample("other", other)},
    )
    figures = [
        _figure(f"{work}: processor time, from submit to the last read", whole.of)
    ]
    for part in (*PARTS, "wall"):
        pairs = {who: [each[part] for each in samples[who]] for who in samples}
        name = "wall time of the whole" if part == "wall" else f"of which {part}"
        figures.append(_figure(f"{work}: {name}", pairs))
    return figures


def _command(name: str, other: Path, rounds: int) -> list[Figure]:
    with temporary() as path:
        plan = path / "one_action.py"
        plan.write_text(ONE_ACTION)

        def run(who: str, checkout: Path, words: tuple[str, ...]) -> float:
            given = [each.format(plan=plan, store=path / who) for each in words]
            command = (sys.executable, "-m", "workstream", *given)
            before = _charged()
            subprocess.run(
                command,
                env=_environment(checkout),
                check=True,
                stdout=subprocess.DEVNULL,
                cwd=path,
            )
            return _charged() - before

        checkouts = {"this": HERE, "other": other}
        for who, checkout in checkouts.items():  # a store to look at, and warm caches
            run(who, checkout, _COMMANDS["`workstream run`, one action"])
        samples = interleaved(
            rounds,
            {
                who: partial(run, who, checkout, _COMMANDS[name])
                for who, checkout in checkouts.items()
            },
        )
    return [_figure(f"{name}: processor time", samples.of)]


def _figure(name: str, of: dict[str, list[float]]) -> Figure:
    ratios = sorted(a / b for a, b in zip(of["this"], of["other"], strict=True))
    this = sorted(of["this"])[len(ratios) // 2]
    middle = ratios[len(ratios) // 2]
    return Figure(
        name=name,
        value=f"{this * 1e3:,.0f} ms",
        ratio=f"{middle:.2f} of the other's ({ratios[0]:.2f} to {ratios[-1]:.2f})",
    )


def _charged() -> float:
    """The processor seconds of all child processes so far."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def _environment(checkout: Path) -> dict[str, str]:
    """The environment in which a process imports the engine of this checkout."""
    command = "plugins-contrib/workstream-command/src"
    places = [checkout / "core/src", checkout / "testing/src", checkout / command, HERE]
    kept = {key: os.environ[key] for key in os.environ if key != "PYTHONSAFEPATH"}
    return {**kept, "PYTHONPATH": os.pathsep.join(map(str, places))}


async def _parts(plan: Plan, path: Path) -> dict[str, float]:
    """The processor seconds of each part of a plan's way, and the wall time of all."""
    async with open_workstream(path / "store", registry=registry()) as ws:
        begun, marks = time.perf_counter(), [time.process_time()]
        plan_id = await ws.submit(plan)
        marks.append(time.process_time())
        await ws.start(plan_id)
        marks.append(time.process_time())
        ended = await ws.wait(plan_id)
        marks.append(time.process_time())
        wall = time.perf_counter() - begun
    assert ended.state.status is Status.COMPLETED
    spent = [later - mark for mark, later in itertools.pairwise(marks)]
    return {**dict(zip(PARTS, spent, strict=True)), "wall": wall}


if __name__ == "__main__":
    with temporary() as folder:
        print(json.dumps(trio.run(_parts, WORKS[sys.argv[1]](), folder)))
