"""One engine that is told a thousand things, and killed again and again.

    told_often.py DIRECTORY WORDS KILLS SEED

Run by ``test_kill.py``. One engine runs a few plans at a time on a store. Four processes
say things to these plans, chosen by chance: so many words in all. Meanwhile the engine is
killed by SIGKILL so many times, and another one takes its place; so is, once, a fifth
process that says something. The last engine lets all plans go on, and brings them to
their end.

Each process writes down what it was answered, and when. In the end

- each answer that it got stands in the plan's record, once, and says the same;
- what it was told is pending, before the plan's end, stands there too, unless the plan
  was by then as it was asked to be (CT-5);
- the words of one process stand in the order in which it said them;
- what was stored as done, when an engine looked, was not done again (R-2).

The processes are forks of this one, which imports everything, opens nothing and has one
thread: so they begin at once.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import trio
from forks import (
    Work,
    done_again,
    end_of,
    fork,
    lines_of,
    none_left,
    note_done,
    write_line,
)

from workstream import (
    ActionPlugin,
    Block,
    Context,
    DeferBatch,
    DeferredActions,
    OnInterrupt,
    Plan,
    Registry,
    Sequence,
    Status,
    WhenDeferred,
    open_store,
    open_workstream,
)
from workstream._codec.codec import Codec
from workstream._store.store import Store
from workstream.errors import NotFoundError, RefusedError
from workstream.results import Answer, Effect, Intervention, Verb
from workstream.vaults import LmdbVault

DIRECTORY = Path(sys.argv[1])
WORDS, KILLS, SEED = map(int, sys.argv[2:])
SPEAKERS = 4
PLANS = 3
"""How many plans an engine has running at once."""
STORE, CALLS, DONE, SAID = (
    DIRECTORY / name for name in ("store", "calls", "done", "said")
)


# -- The engine --------------------------------------------------------------------------


class Step(ActionPlugin[Work, None]):
    """Writes down that it was called."""

    name = "told.step"
    on_interrupt = OnInterrupt.RERUN

    async def execute(self, context: Context, request: Work) -> None:
        """Write the call down, and take a moment."""
        write_line(CALLS, str(context.action_id))
        await trio.sleep(0.01)


def step(name: str) -> Any:
    """One action."""
    return Step.action(Work(), name=name)


def told_plan() -> Plan:
    """Two blocks, and deferred work."""
    return Plan(
        name="Told",
        blocks=[
            Block(
                name=block,
                concurrency=2,
                tolerated_failures=1,
                sequences=[
                    Sequence(
                        name=f"{block} {host}",
                        actions=[step(f"{block} {host} {number}") for number in "abc"],
                    )
                    for host in range(8)
                ],
            )
            for block in ("one", "two")
        ],
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="after", when=WhenDeferred.ALWAYS, actions=[step("clean up")]
                )
            ]
        ),
    )


async def look() -> None:
    """Note what is stored as done, with how often it was called."""
    vault = LmdbVault(STORE)
    called = Counter(lines_of(CALLS))
    await vault.open()
    try:
        for row in await vault.search():
            plan = Codec(None).load(await vault.read(row.id))
            note_done(plan, Step.name, called, CALLS, DONE)
    finally:
        await vault.close()


async def run_plans() -> None:
    """Run plans until killed."""
    await look()
    registry = Registry([Step()])
    async with open_workstream(STORE, registry=registry, max_last_update=None) as ws:
        assert not ws.recovery_errors, ws.recovery_errors
        while True:
            rows = await ws.search(statuses=[Status.RUNNING])
            for _ in range(PLANS - len(rows)):
                await ws.start(await ws.submit(told_plan()))
            await trio.sleep(0.02)


async def end_plans() -> None:
    """Let every plan go on, and wait for its end."""
    await look()
    registry = Registry([Step()])
    async with open_workstream(STORE, registry=registry, max_last_update=None) as ws:
        assert not ws.recovery_errors, ws.recovery_errors
        await ws.unfreeze(by="last", reason="last")
        # An engine may have been killed right after it submitted one.
        for row in await ws.search(statuses=[Status.NOT_STARTED]):
            await ws.start(row.id)
        for row in await ws.search(statuses=[Status.RUNNING]):
            with suppress(RefusedError):
                await ws.unpause(row.id, by="last", reason="last")
            await ws.wait(row.id)
    await look()


# -- Those who say something -------------------------------------------------------------

Say = Callable[[Store, UUID, dict[str, Any], random.Random], Awaitable[object]]

PLACES = [
    f"Told / {b} / {b} {h} / {b} {h} {a}"
    for b in ("one", "two")
    for h in range(8)
    for a in "abc"
]
BLOCKS = ["Told / one", "Told / two"]


async def stop(store: Store, plan: UUID, words: dict[str, Any], now: bool) -> object:
    """Stop, and remember only how it was found."""
    return await store.stop(plan, now=now, **words)


SAYINGS: dict[str, tuple[int, Say]] = {
    "pause": (6, lambda s, p, w, c: s.pause(p, **w)),
    "unpause": (9, lambda s, p, w, c: s.unpause(p, **w)),
    "skip": (6, lambda s, p, w, c: s.skip(p, c.choice(PLACES), **w)),
    "limits": (
        6,
        lambda s, p, w, c: s.set_limits(
            p, c.choice(BLOCKS), concurrency=c.randint(1, 4), **w
        ),
    ),
    "stop": (1, lambda s, p, w, c: stop(s, p, w, now=False)),
    "stop now": (1, lambda s, p, w, c: stop(s, p, w, now=True)),
    "freeze": (1, lambda s, p, w, c: s.freeze(**w)),
    "unfreeze": (4, lambda s, p, w, c: s.unfreeze(**w)),
    "exempt": (2, lambda s, p, w, c: s.exempt(p, **w)),
    "abandon": (1, lambda s, p, w, c: s.abandon(p, **w)),
}
KINDS = [kind for kind, (weight, _) in SAYINGS.items() for _ in range(weight)]


async def speak(speaker: int) -> None:
    """Say a quarter of the words, and write down each answer.

    The one that is to be killed has no last word: it would end before that.
    """
    chance = random.Random(SEED * 100 + speaker)
    numbers = range(WORDS // SPEAKERS) if speaker < SPEAKERS else itertools.count()
    async with open_store(STORE) as store:
        for number in numbers:
            rows: list[Any] = []
            while not rows:
                rows = list(await store.search(statuses=[Status.RUNNING]))
                await trio.sleep(0 if rows else 0.01)
            plan, kind = chance.choice(rows).id, chance.choice(KINDS)
            words = {"by": f"speaker {speaker}", "reason": str(number)}
            try:
                answer = await SAYINGS[kind][1](store, plan, words, chance)
            except RefusedError as error:
                said = {"answer": "refused", "words": str(error)}
            except NotFoundError as error:
                sys.exit(f"a plan is lost: {error}")
            else:
                said = answer_data(answer)
            said |= {"plan": str(plan), "kind": kind, **words}
            said["at"] = datetime.now(UTC).isoformat()
            write_line(SAID, json.dumps(said))


def answer_data(answer: object) -> dict[str, Any]:
    """What became of it."""
    if isinstance(answer, Plan):  # it was abandoned
        return {"answer": Effect.TAKEN.value}
    if isinstance(answer, Status):
        return {"answer": "pending" if answer is Status.RUNNING else "ended"}
    if not isinstance(answer, Answer):
        return {"answer": "store"}
    if answer.pending is not None:
        return {"answer": "pending"}
    if answer.intervention is None:
        return {"answer": "unchanged"}
    return {"answer": answer.intervention.effect.value}


# -- The killer --------------------------------------------------------------------------


def main() -> None:
    """Let them speak, and kill the engine again and again meanwhile."""
    chance = random.Random(SEED)
    engine = fork(run_plans)
    while not (STORE / "data.mdb").exists():
        time.sleep(0.01)
    speakers = [fork(partial(speak, n)) for n in range(SPEAKERS)]
    doomed = fork(partial(speak, SPEAKERS))
    step = WORDS / (KILLS + 1)
    for kill in range(1, KILLS + 1):
        while len(lines_of(SAID)) < kill * step - chance.random():
            time.sleep(0.001)
        for _ in range(chance.randrange(20_000)):
            pass
        os.kill(engine, signal.SIGKILL)
        end_of(engine, -signal.SIGKILL)
        engine = fork(run_plans)
        if kill == KILLS // 2 + 1:
            os.kill(doomed, signal.SIGKILL)
            end_of(doomed, -signal.SIGKILL)
    for speaker in speakers:
        end_of(speaker)
    os.kill(engine, signal.SIGKILL)
    end_of(engine, -signal.SIGKILL)
    end_of(fork(end_plans))
    trio.run(check_all)


# -- What must be true in the end --------------------------------------------------------


async def check_all() -> None:
    """Compare what everybody was told with what the plans' records say."""
    async with open_store(STORE) as store:
        rows = await store.list()
        plans = {str(row.id): await store.plan(row.id) for row in rows}
        assert not await store.vault.requests()
    assert {row.status for row in rows} <= {*Status} - {Status.RUNNING}
    faults = [
        fault for line in lines_of(SAID) for fault in faults_of(json.loads(line), plans)
    ]
    for plan in plans.values():
        faults += mixed_up(plan)
    faults += [f"done again: {line}" for line in done_again(DONE)]
    if faults:
        sys.exit("\n".join(faults))
    answers = Counter(json.loads(line)["answer"] for line in lines_of(SAID))
    print(len(lines_of(SAID)), len(plans), json.dumps(answers))


def faults_of(said: dict[str, Any], plans: dict[str, Plan]) -> Iterator[str]:
    """What does not agree with an answer that somebody got."""
    plan = plans[said["plan"]]
    answer = said["answer"]
    found = [
        told
        for told in plan.interventions
        if (told.by, told.reason) == (said["by"], said["reason"])
        and told.verb not in (Verb.FREEZE, Verb.UNFREEZE)
    ]
    effects = [told.effect.value for told in found]
    wanted: list[list[str]]
    if answer in ("refused", "ended", "unchanged", "store"):
        wanted = [[], ["refused"]] if answer == "refused" else [[]]
    elif answer == "pending":
        assert plan.state.ended is not None
        late = datetime.fromisoformat(said["at"]) >= plan.state.ended
        silent = late or is_so(said, plan)
        wanted = [["taken"], ["too late"], ["refused"], *([[]] if silent else [])]
    else:
        wanted = [[answer]]
    if effects not in wanted:
        yield f"{said}: the record says {effects or 'nothing'}"


def is_so(said: dict[str, Any], plan: Plan) -> bool:
    """Whether others have asked for the same, so that a word may have changed nothing."""
    verb = {"limits": Verb.SET_LIMITS}.get(said["kind"]) or Verb(
        said["kind"].split()[0]
    )
    ends = {Verb.UNPAUSE: (Verb.UNPAUSE, Verb.STOP)}
    others = [
        told
        for told in plan.interventions
        if told.verb in ends.get(verb, (verb,)) and told.effect is Effect.TAKEN
    ]
    return bool(others)


def mixed_up(plan: Plan) -> Iterator[str]:
    """Whether the words of one process stand in another order than they were said."""
    said: dict[str, list[Intervention]] = {}
    for told in plan.interventions:
        if told.verb not in (Verb.FREEZE, Verb.UNFREEZE):
            said.setdefault(told.by, []).append(told)
    for by, words in said.items():
        numbers = [int(told.reason) for told in words if told.reason.isdigit()]
        if numbers != sorted(set(numbers)):
            yield f"{plan.id}: the words of {by} are in the order {numbers}"
    times = [told.at for told in plan.interventions]
    if times != sorted(times):
        yield f"{plan.id}: its record is not in order of time"


with none_left():
    main()
