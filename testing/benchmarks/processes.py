"""What whole processes take: the command line's wall time, and peak memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .table import Figure, interleaved

__all__ = ["peak_memory", "walls"]

PASS = (sys.executable, "-c", "pass")
WORKSTREAM = str(Path(sys.executable).with_name("workstream"))
"""The command as it was installed beside this interpreter."""
ONE_ACTION = """
from workstream import Block, Plan, Sequence
from workstream_command import Run, RunCommand

def plan() -> Plan:
    action = RunCommand.action(Run(("true",)), name="Nothing")
    sequences = [Sequence(name="One", actions=[action])]
    return Plan(name="One action", blocks=[Block(name="Block", sequences=sequences)])
"""
FLOORS = {
    "`workstream run`, one action": "trio, attrs, cattrs, msgpack, lmdb, pluggy, click",
    "`workstream list`": "attrs, msgpack, lmdb, click",
}
"""The libraries that a command cannot do without."""
MOST = {
    "`workstream run`, one action": 15,
    "`workstream --help`": 6,
    "`workstream list`": 8,
}
"""How many times ``python -c pass`` a command may take."""
PEAK = """
import trio
from testing.benchmarks import engine, throughput, work

def peak():
    # What getrusage says is handed down from the process that started this one.
    with open("/proc/self/status") as status:
        return next(line.split()[1] for line in status if line.startswith("VmHWM"))

before = peak()
with work.temporary() as path:
    trio.run(engine.run_engine, work.plan_of(work.LARGE), path)
print(before, peak())
"""


def _wall(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def walls(path: Path, rounds: int) -> list[Figure]:
    """The wall time of three commands against that of an interpreter that does nothing.

    Beside it stands what the libraries take that a command is made of: no command that
    uses them can be faster.
    """
    plan = path / "one_action.py"
    plan.write_text(ONE_ACTION)
    store = str(path / "store")
    run = (WORKSTREAM, "run", str(plan), "--store", store)
    commands = {
        "`workstream run`, one action": run,
        "`workstream --help`": (WORKSTREAM, "--help"),
        "`workstream list`": (WORKSTREAM, "list", "--store", store),
    }
    contenders: dict[str, Callable[[], float]] = {"pass": partial(_wall, *PASS)}
    for libraries in FLOORS.values():
        imported = f"import {libraries}"
        contenders[imported] = partial(_wall, sys.executable, "-c", imported)
    figures: list[Figure] = []
    for name, command in commands.items():
        try:
            _wall(*command)  # compiles what is not compiled yet
        except (OSError, subprocess.CalledProcessError):
            figures.append(Figure(name=name, value="cannot be run here"))
        else:
            contenders[name] = partial(_wall, *command)
    samples = interleaved(rounds, contenders)
    for name in contenders:
        ratio = samples.ratio(name, "pass")
        most = MOST.get(name)
        text = "" if name == "pass" else f"{ratio:.1f} x `python -c pass`"
        if name in FLOORS:
            floor = samples.ratio(name, f"import {FLOORS[name]}")
            text += f", {floor:.1f} x its libraries alone"
        figures.append(
            Figure(
                name=name if name in commands else f"`python -c '{name}'`",
                value=f"{samples.median(name) * 1e3:.0f} ms",
                ratio=text,
                goal="" if most is None else f"at most {most} x",
                reached=None if most is None else ratio <= most,
            )
        )
    return figures


def peak_memory() -> list[Figure]:
    """The most memory that a process held while it ran 10,000 actions."""
    answer = subprocess.run(
        [sys.executable, "-c", PEAK], check=True, stdout=subprocess.PIPE, text=True
    )
    before, peak = (int(number) / 1024 for number in answer.stdout.split())
    text = f"{peak:.0f} MiB, {peak - before:.0f} of it for the run"
    return [Figure(name="peak memory of a process that ran 10,000", value=text)]
