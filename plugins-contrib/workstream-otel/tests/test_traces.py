"""What a receiver gets of a run: spans, and over a crash."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import trio
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from workstream import CheckAction, Plan, open_store
from workstream.results import BaseAction, walk
from workstream_otel import span_id, trace_id

if TYPE_CHECKING:
    from conftest import Receiver

ENGINE = Path(__file__).with_name("plans.py")


def stored(store: Path, plan_id: UUID) -> Plan:
    """The plan as it ended."""

    async def read() -> Plan:
        async with open_store(store) as plans:
            return await plans.plan(plan_id)

    return trio.run(read)


def check_whole(spans: list[Span], ended: Plan) -> None:
    """See that the trace has each object and attempt once, at its time and its place."""
    assert ended.id is not None
    assert {span.trace_id for span in spans} == {trace_id(ended.id).to_bytes(16, "big")}
    assert [
        n for n, times in Counter(s.span_id for s in spans).items() if times > 1
    ] == []
    known = {int.from_bytes(span.span_id, "big"): span for span in spans}
    for span in spans:
        if span.parent_span_id:
            assert int.from_bytes(span.parent_span_id, "big") in known, span.name
    [root] = [span for span in spans if not span.parent_span_id]
    assert root.span_id == span_id(ended.id).to_bytes(8, "big")
    for item in walk(ended):
        node = item.node
        assert node.id is not None
        if isinstance(node, BaseAction):
            for attempt in node.attempts:
                found = known[span_id(node.id, attempt.started)]
                assert attempt.ended is not None
                assert found.start_time_unix_nano == _nanoseconds(attempt.started)
                assert found.end_time_unix_nano == _nanoseconds(attempt.ended)
        if node.object_type.name in ("PLAN", "BLOCK", "SEQUENCE", "ACTION"):
            if node.state.started is None or isinstance(node, CheckAction):
                continue
            assert node.state.ended is not None
            found = known[span_id(node.id)]
            assert found.start_time_unix_nano == _nanoseconds(node.state.started)
            assert found.end_time_unix_nano == _nanoseconds(node.state.ended)


def _nanoseconds(time: object) -> int:
    from workstream_otel._words import nanoseconds

    return nanoseconds(time)  # type: ignore[arg-type]


def test_a_plan_is_a_trace(otel: Receiver, plans: ModuleType, tmp_path: Path) -> None:
    """Every object and attempt is a span, at its recorded time, below what holds it."""
    plan_id = trio.run(plans.ran, tmp_path, plans.plan("", "busy", ""))
    spans = otel.spans

    check_whole(spans, stored(tmp_path, plan_id))
    root = otel.span("RUN Deploy 2.1")
    assert root.kind == Span.SPAN_KIND_SERVER
    facts = otel.values(root.attributes)
    assert facts["cicd.pipeline.result"] == "success"
    assert facts["cicd.pipeline.run.id"] == str(plan_id)
    assert facts["workstream.plan.outcome"] == "completed"
    assert root.status.code == Status.STATUS_CODE_UNSET
    by_id = {span.span_id: span.name for span in spans}
    above = {
        span.name: by_id.get(span.parent_span_id)
        for span in spans
        if "web" in span.name
    }
    assert above["web-1"] == "Web tier"
    [busy] = [s for s in spans if s.status.code == Status.STATUS_CODE_ERROR]
    assert busy.name == "Restart: attempt 1"
    assert by_id[busy.parent_span_id] == "Restart"
    assert otel.span("Balancer answers").kind == Span.SPAN_KIND_INTERNAL
    assert by_id[otel.span("Balancer answers").parent_span_id] == "pre_checks"
    checks = [span for span in spans if span.name == "Tier answers"]
    assert {by_id[span.parent_span_id] for span in checks} == {"cont_checks"}
    assert otel.resources[0]["service.name"] == "workstream"


def test_errors_are_told_without_secrets(
    otel: Receiver, plans: ModuleType, tmp_path: Path
) -> None:
    """As status, exception event and error.type; no byte of a secret is sent."""
    trio.run(plans.ran, tmp_path, plans.plan("bad", "slow", ""))

    bad, slow = (
        next(
            span
            for span in otel.spans
            if otel.values(span.attributes).get("workstream.path", "").endswith(where)
            and span.name == "Restart: attempt 1"
        )
        for where in ("web-1 / Restart", "web-2 / Restart")
    )
    assert bad.status.code == Status.STATUS_CODE_ERROR
    assert "no space left for" in bad.status.message
    [event] = bad.events
    assert event.name == "exception"
    assert otel.values(event.attributes)["exception.type"] == "acme.step:28"
    assert otel.values(bad.attributes)["error.type"] == "acme.step:28"
    assert otel.values(slow.attributes)["error.type"] == "timeout"
    assert otel.values(slow.attributes)["workstream.attempt.outcome"] == "timed out"
    root = otel.span("RUN Deploy 2.1")
    assert otel.values(root.attributes)["cicd.pipeline.result"] == "failure"
    assert otel.values(root.attributes)["error.type"] == "block"
    assert otel.bodies
    for _, body in otel.bodies:
        assert plans.SECRET.encode() not in body
        assert plans.SECRET[::-1].encode() not in body


def killed(store: Path, ready: Callable[[], bool]) -> None:
    """Run the plan in a process, and kill that in the middle, as soon as it is ready."""
    command = [sys.executable, str(ENGINE), str(store), "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "waiting\n"
        while not ready():
            assert engine.poll() is None
        engine.send_signal(signal.SIGKILL)


def resumed(store: Path) -> None:
    """Another process goes on with it."""
    command = [sys.executable, str(ENGINE), str(store), "resume"]
    assert subprocess.run(command, timeout=120).returncode == 0


def everything_was_taken(store: Path) -> bool:
    """Whether the observer's place is the end of the log."""
    [cursor] = (store / "observers" / "otel").iterdir()

    async def latest() -> int:
        async with open_store(store) as plans:
            plan_id = (await plans.find("last")).row.id
            async with aclosing(plans.watch(plan_id)) as events:
                return (await anext(events)).position

    return int(cursor.read_text() or 0) == trio.run(latest)


@pytest.mark.slow
def test_a_trace_is_whole_over_kill_9(otel: Receiver, tmp_path: Path) -> None:
    """A process is killed, another resumes: one trace, no span missing, none doubled."""
    killed(tmp_path, lambda: everything_was_taken(tmp_path))
    before = len(otel.spans)
    resumed(tmp_path)

    spans = otel.spans
    assert 0 < before < len(spans)
    [root] = [span for span in spans if not span.parent_span_id]
    facts = otel.values(root.attributes)
    check_whole(spans, stored(tmp_path, UUID(facts["cicd.pipeline.run.id"])))
    cut = [
        span
        for span in spans
        if otel.values(span.attributes).get("workstream.attempt.outcome")
        == "interrupted"
    ]
    assert [span.name for span in cut] == ["Restart: attempt 1"]
    # The other host waited for its second attempt: its first is not told once more.
    names = Counter(span.name for span in spans)
    assert names["Restart: attempt 1"] == 3
    assert names["Restart: attempt 2"] == 2
    assert cut[0].status.code == Status.STATUS_CODE_ERROR
    assert not list((tmp_path / "observers" / "otel").iterdir())


@pytest.mark.slow
def test_what_is_sent_twice_is_the_same_span(otel: Receiver, tmp_path: Path) -> None:
    """A kill between sending and noting it: the same ids, times and texts come again."""
    otel.hangs.set()
    killed(tmp_path, lambda: "/v1/traces" in otel.paths)
    first = otel.spans
    otel.hangs.clear()
    otel.bodies.clear()
    resumed(tmp_path)

    second = {span.span_id: span for span in otel.spans}
    assert first
    for span in first:
        assert second[span.span_id] == span
    check_whole(list(second.values()), stored(tmp_path, _latest(tmp_path)))


def _latest(store: Path) -> UUID:
    async def find() -> UUID:
        async with open_store(store) as plans:
            return (await plans.find("last")).row.id

    return trio.run(find)


def test_a_retry_links_to_the_plan_it_came_from(
    otel: Receiver, plans: ModuleType, tmp_path: Path
) -> None:
    """A link to the root span of the original, which another process may have sent."""

    from workstream import Registry, open_workstream
    from workstream_otel import workstream_observers

    async def go() -> tuple[UUID, UUID]:
        registry = Registry(
            [plans.Step(), plans.Look()], observers=workstream_observers()
        )
        async with open_workstream(tmp_path, registry=registry) as ws:
            first = await ws.submit(plans.plan("bad", "bad"))
            await ws.start(first)
            await ws.wait(first)
            again = await ws.retry(first)
            await ws.start(again)
            await ws.wait(again)
            return first, again

    first, again = trio.run(go)

    wanted = trace_id(again).to_bytes(16, "big")
    [root] = [s for s in otel.spans if s.trace_id == wanted and not s.parent_span_id]
    [link] = root.links
    assert link.trace_id == trace_id(first).to_bytes(16, "big")
    assert link.span_id == span_id(first).to_bytes(8, "big")
    assert otel.values(link.attributes) == {"workstream.link": "retry of"}
    assert otel.values(root.attributes)["workstream.plan.retry_of"] == str(first)


def test_what_people_said_is_on_the_root_span(
    otel: Receiver, plans: ModuleType, tmp_path: Path
) -> None:
    """An event for each intervention, with who and why; a hold is counted."""

    from workstream import Registry, open_workstream
    from workstream_otel import workstream_observers

    async def go() -> None:
        registry = Registry(
            [plans.Step(), plans.Look()], observers=workstream_observers()
        )
        async with open_workstream(tmp_path, registry=registry) as ws:
            plan_id = await ws.submit(plans.plan("", ""))
            await ws.pause(plan_id, by="ana@desk", reason="pager 4711")
            await ws.start(plan_id)
            await ws.unpause(plan_id, by="ana@desk", reason="all well")
            await ws.wait(plan_id)

    trio.run(go)

    told = [otel.values(each.attributes) for each in otel.span("RUN Deploy 2.1").events]
    assert [each["workstream.intervention.verb"] for each in told] == [
        "pause",
        "unpause",
    ]
    assert {each["workstream.intervention.by"] for each in told} == {"ana@desk"}
    assert told[0]["workstream.intervention.reason"] == "pager 4711"


@pytest.mark.parametrize("ratio", ["0", "1"])
def test_a_sampler_takes_a_whole_trace_or_none(
    otel: Receiver,
    plans: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ratio: str,
) -> None:
    """``OTEL_TRACES_SAMPLER`` decides for all spans of a plan alike."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", ratio)
    trio.run(plans.ran, tmp_path, plans.plan("", ""))

    assert bool(otel.spans) == bool(int(ratio))


def test_the_standard_variables_say_who_sends(
    otel: Receiver, plans: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's name, resource attributes and compression are those of the SDK."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "rollouts")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    trio.run(plans.ran, tmp_path, plans.plan(""))

    assert otel.spans
    assert otel.resources[0]["service.name"] == "rollouts"
    assert otel.resources[0]["deployment.environment.name"] == "prod"
    assert otel.resources[0]["service.instance.id"]
