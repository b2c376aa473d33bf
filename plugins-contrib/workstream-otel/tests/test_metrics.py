"""What is counted and measured, and that every name is one of the table."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import trio

from workstream_otel import _names as names

if TYPE_CHECKING:
    from conftest import Receiver

CONVENTIONS = (
    "opentelemetry.semconv._incubating.attributes.cicd_attributes",
    "opentelemetry.semconv._incubating.metrics.cicd_metrics",
    "opentelemetry.semconv.attributes.error_attributes",
    "opentelemetry.semconv.attributes.exception_attributes",
)
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "traces-and-metrics.md"


def test_plans_and_attempts_are_counted(
    otel: Receiver, plans: ModuleType, tmp_path: Path
) -> None:
    """By outcome and plugin; nothing runs at the end."""
    trio.run(plans.ran, tmp_path, plans.plan("", "busy", "bad"))

    [(by, count)] = otel.points("cicd.pipeline.run.duration")
    assert count == 1
    assert by["cicd.pipeline.result"] == "success"
    assert by["workstream.plan.outcome"] == "completed with failures"
    [(_, running)] = otel.points("cicd.pipeline.run.active")
    assert running == 0
    attempts: Counter[tuple[str, str]] = Counter()
    for by, number in otel.points("workstream.attempt.duration"):
        key = (by["workstream.plugin"], by["workstream.attempt.outcome"])
        attempts[key] += int(number)
    assert attempts["acme.step", "completed"] == 5
    assert attempts["acme.step", "failed"] == 2
    assert attempts["acme.look", "completed"] >= 2
    assert otel.points("workstream.attempt.retries") == [
        ({"workstream.plugin": "acme.step"}, 1)
    ]
    [(by, count)] = otel.points("cicd.pipeline.run.errors")
    assert (by["error.type"], count) == ("acme.step:28", 1)


def test_every_name_that_is_sent_is_in_the_table(
    otel: Receiver, plans: ModuleType, tmp_path: Path
) -> None:
    """Of spans, their events and links, and of metrics with their units."""
    trio.run(plans.ran, tmp_path, plans.plan("", "busy", "bad", "slow"))
    sent: set[str] = set()
    for span in otel.spans:
        sent.update(otel.values(span.attributes))
        parts: list[Any] = [*span.events, *span.links]
        for part in parts:
            sent.update(otel.values(part.attributes))
        sent.update(event.name for event in span.events)
    for name in otel.metrics:
        sent.update(key for by, _ in otel.points(name) for key in by)

    assert sent <= {each.name for each in names.ATTRIBUTES}
    assert len(sent) > 15
    units = {each.name: each.unit for each in names.METRICS}
    assert {name: metric.unit for name, metric in otel.metrics.items()}.items() <= (
        units.items()
    )


def test_standard_names_are_the_standard_s() -> None:
    """A name without our prefix is one that OpenTelemetry's conventions have."""
    standard = {
        value
        for module in CONVENTIONS
        for key, value in vars(import_module(module)).items()
        if key.isupper() and isinstance(value, str)
    }
    ours = {
        each.name for each in (*names.ATTRIBUTES, *names.METRICS) if each.is_standard
    }

    assert ours - {names.EXCEPTION} <= standard
    cicd: Any = import_module(CONVENTIONS[0])
    results = {each.value for each in cicd.CicdPipelineResultValues}
    assert {"success", "failure", "cancellation", "error", "skip"} <= results


def test_each_name_is_once_in_the_table() -> None:
    """Nothing is told twice, and no constant is left out."""
    listed = [each.name for each in (*names.ATTRIBUTES, *names.METRICS)]
    constants = {
        value
        for key, value in vars(names).items()
        if key.isupper() and isinstance(value, str)
    } - {names.SCOPE, names.ACTION}

    assert len(listed) == len(set(listed))
    assert set(listed) == constants


def test_the_page_shows_the_table() -> None:
    """The documentation tells every name, as the code has it."""
    assert names.table() in PAGE.read_text("utf-8")
