"""Histories that workflows of each version wrote are replayed by this one.

A cluster holds plans in flight, and a worker that takes one over runs the workflow's code
along its history: where the code would do something else than stands there, the plan
stays where it is. So ``golden`` keeps histories of every version, ``NAME-VERSION.json``,
and this version must fit all of them. They are made, of a version that is new, by

    PYTHONPATH=../../testing/temporal python tests/test_golden_histories.py

in the folder of this package. Look at what changed; where an old one no longer fits,
``_names.VERSION`` needs the next number, and a worker of the old version must stay until
its plans have ended.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
import trio
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from workstream import (
    ActionPlugin,
    Block,
    CheckPlugin,
    Checks,
    Context,
    DeferBatch,
    DeferredActions,
    Plan,
    PluginError,
    Registry,
    Sequence,
    WhenDeferred,
    late,
    open_workstream,
)
from workstream.errors import LockedError, RefusedError
from workstream_temporal._names import STORE, VERSION, workflow_id
from workstream_temporal._plan_workflow import PlanWorkflow
from workstream_temporal._store_workflow import StoreWorkflow

GOLDEN = Path(__file__).with_name("golden")
HISTORIES = sorted(GOLDEN.glob("*.json"))


@attrs.frozen
class Do:
    """What to do."""

    fails: int = 0
    holds: bool = False
    text: str = ""


@attrs.frozen
class Done:
    """What was done."""

    text: str


class Act(ActionPlugin[Do, Done]):
    """Fail so often, wait for a signal, say something."""

    name = "golden.act"

    async def execute(self, context: Context, request: Do, /) -> Done:
        """Do it."""
        context.report(f"attempt {context.attempt}")
        if request.holds:
            await context.signal("go")
        if context.attempt <= request.fails:
            message = "not yet"
            raise PluginError(message)
        return Done(request.text or "done")


class Look(CheckPlugin[None, None]):
    """See nothing wrong."""

    name = "golden.look"

    async def execute(self, context: Context, request: None, /) -> None:
        """Look."""


def act(name: str, **settings: Any) -> Any:
    """An action, with its request's fields and its own settings."""
    own = {key: settings.pop(key) for key in ("key", "retries") if key in settings}
    return Act.action(Do(**settings), name=name, **own)


def rollout() -> Plan:
    """Of everything a little: checks, retries, a response that flows, deferred work."""
    return Plan(
        name="Rollout",
        pre_checks=Checks(actions=[Look.action(None, name="look")]),
        cont_checks=Checks(delay=0.2, actions=[Look.action(None, name="look")]),
        blocks=[
            Block(
                name="Tier",
                concurrency=2,
                tolerated_failures=1,
                entrance_delay=0.1,
                sequences=[
                    Sequence(
                        name="flows",
                        actions=[
                            act("first", key="first", text="a response"),
                            Act.action(
                                late(Do)(text=Act.response("first").text), name="then"
                            ),
                        ],
                    ),
                    Sequence(name="again", actions=[act("twice", fails=1, retries=1)]),
                    Sequence(
                        name="bad",
                        actions=[act("fail", fails=1)],
                        deferred_actions=DeferredActions(
                            batches=[
                                DeferBatch(
                                    name="clean up",
                                    when=WhenDeferred.ON_FAILURE,
                                    actions=[act("clean")],
                                )
                            ]
                        ),
                    ),
                ],
            )
        ],
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="at last", when=WhenDeferred.ALWAYS, actions=[act("end")]
                )
            ]
        ),
    )


def steered() -> Plan:
    """Two sequences, the first of which waits for a word; it holds a lock."""
    return Plan(
        name="Steered",
        locks=("tier",),
        blocks=[
            Block(
                name="Tier",
                sequences=[
                    Sequence(name="waits", actions=[act("hold", holds=True)]),
                    Sequence(name="never", actions=[act("act")]),
                ],
            )
        ],
    )


async def _make(store: str) -> dict[str, str]:
    """Run plans on a server; their workflows' ids, by the names of their histories."""
    registry = Registry([Act(), Look()])
    async with open_workstream(store, registry=registry) as ws:
        told = await ws.submit(steered(), by="ana")
        await ws.start(told)
        other = await ws.submit(steered(), by="ana")
        with pytest.raises(LockedError):
            await ws.start(other)
        await ws.freeze(by="ana")
        await ws.unfreeze(by="ana")
        await ws.stop(other, by="ana")
        await ws.delete(other)
        await ws.pause(told, by="ana")
        await ws.unpause(told, by="ana")
        path = "Steered / Tier / waits / hold"
        await ws.stop(told, by="ana", undo=True)
        with suppress(RefusedError):  # the stop cut its wait first
            await ws.signal(told, path, "go", by="ana")
        await ws.wait(told)
        ran = await ws.submit(rollout(), by="ana")
        await ws.start(ran)
        await ws.wait(ran)
    return {
        "rollout": workflow_id(ran),
        "steered": workflow_id(told),
        "shared": STORE,
    }


async def _history(target: str, workflow: str) -> str:
    """The history of a workflow, without who worked on it."""
    client = await Client.connect(target)
    history = await client.get_workflow_handle(workflow).fetch_history()
    return json.dumps(_nameless(json.loads(history.to_json())), indent=1) + "\n"


def _nameless(data: Any) -> Any:
    """The same without the names of processes and hosts."""
    if isinstance(data, str):  # a process, and the queue of its own
        return "worker" if re.fullmatch(r"\d+@\S+", data) else data
    if isinstance(data, dict):
        fields = cast("dict[str, Any]", data)
        return {key: _nameless(value) for key, value in fields.items()}
    if isinstance(data, list):
        return [_nameless(each) for each in cast("Iterable[Any]", data)]
    return data


async def _replayed(name: str, text: str) -> None:
    """Run this version's code along a history; raises where it would do otherwise."""
    replayer = Replayer(
        workflows=[PlanWorkflow, StoreWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    await replayer.replay_workflow(WorkflowHistory.from_json(name, text))


def test_there_are_histories_of_this_version() -> None:
    """A version that is new brings its own."""
    assert {path.stem for path in HISTORIES} >= {
        f"rollout-{VERSION}",
        f"steered-{VERSION}",
        f"shared-{VERSION}",
    }


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_golden_history_is_replayed(path: Path) -> None:
    """This version's code does what stands in the history, in its order."""
    asyncio.run(_replayed(path.stem, path.read_text()))


def test_a_change_is_noticed() -> None:
    """Where a history says something else than the code does, the replay fails."""
    path = GOLDEN / f"rollout-{VERSION}.json"
    changed = path.read_text().replace('"workstream.call"', '"workstream.other"')

    with pytest.raises(NondeterminismError):
        asyncio.run(_replayed(path.stem, changed))


def main() -> None:
    """Make the histories of this version anew."""
    import tempfile

    from conftest import working
    from temporal_server import Server

    with tempfile.TemporaryDirectory() as place:
        server = Server(Path(place))
        server.begin()
        try:
            with working(server, Registry([Act(), Look()])):
                made = trio.run(_make, server.store)
            target = server.location.partition("/")[0]
            for name, workflow in made.items():
                text = asyncio.run(_history(target, workflow))
                (GOLDEN / f"{name}-{VERSION}.json").write_text(text)
        finally:
            server.kill()


if __name__ == "__main__":
    main()
