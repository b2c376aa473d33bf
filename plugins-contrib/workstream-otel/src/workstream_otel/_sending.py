"""Spans and measurements handed to OpenTelemetry's SDK, and sent when told to.

The SDK's own processors send in threads of their own, and tell nobody whether it worked.
Here an observer's thread waits for the answer anyway, and must know: what was not taken is
told again. So the spans of a call are gathered, sent at once, and a failure is raised.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from uuid import UUID, uuid4

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Counter, Histogram, UpDownCounter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from . import _names as names
from ._ids import span_id, trace_id
from ._meter import Measured
from ._story import Span

MOST = 512
"""How many spans are sent in one request."""


class NotTakenError(Exception):
    """The receiver did not take what was sent."""


def resource() -> Resource:
    """Who sends: ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES``, or workstream."""
    found = Resource.create()
    own: dict[str, str] = {}
    if str(found.attributes.get("service.name", "")).startswith("unknown_service"):
        own["service.name"] = names.SCOPE
    # Counters begin anew in each process: a receiver must not mix two of them up.
    if "service.instance.id" not in found.attributes:
        own["service.instance.id"] = str(uuid4())
    return found.merge(Resource(own))


class _Given(IdGenerator):
    """Ids that were chosen before the span is made."""

    def __init__(self) -> None:
        self.trace = self.span = 0

    def generate_trace_id(self) -> int:
        """The one that was chosen."""
        return self.trace

    def generate_span_id(self) -> int:
        """The one that was chosen."""
        return self.span

    def is_trace_id_random(self) -> bool:
        """A digest is as good as random."""
        return True


class _Gathered(SpanProcessor):
    """Keeps the spans that were made."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep it."""
        self.spans.append(span)


class LastWords(logging.Handler):
    """Keeps what the SDK said last.

    It also keeps that off the terminal of a run, where nothing else listens to the
    SDK's logger: then Python would print it there.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep its text."""
        self.text = record.getMessage()


class Traces:
    """Sends spans."""

    def __init__(self, resource: Resource, words: LastWords) -> None:
        self._words = words
        self._ids, self._gathered = _Given(), _Gathered()
        self._provider = TracerProvider(
            resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(self._gathered)
        self._tracer = self._provider.get_tracer(
            names.SCOPE, version("workstream-otel")
        )
        self._exporter = OTLPSpanExporter()

    def send(self, plan_id: UUID, spans: Sequence[Span], sent: set[int]) -> None:
        """Send spans of one plan.

        Args:
            plan_id: The plan.
            spans: The spans.
            sent: Is added the ids of those that were taken.

        Raises:
            NotTakenError: Some were not.
        """
        # As the root span's own fate will be, when its time comes.
        root = self._provider.sampler.should_sample(
            None, trace_id(plan_id), names.ACTION
        )
        is_taken = root.decision is Decision.RECORD_AND_SAMPLE
        flags = TraceFlags.SAMPLED if is_taken else TraceFlags.DEFAULT
        for start in range(0, len(spans), MOST):
            some = spans[start : start + MOST]
            self._gathered.spans = []
            for span in some:
                self._make(plan_id, span, flags)
            made = self._gathered.spans
            if made:  # else the sampler wants none of them
                self._words.text = ""
                if self._exporter.export(made) is not SpanExportResult.SUCCESS:
                    why = self._words.text or "it did not say why"
                    message = f"the OTLP receiver did not take {len(made)} spans: {why}"
                    raise NotTakenError(message)
            sent.update(span.id for span in some)

    def _make(self, plan_id: UUID, span: Span, flags: int) -> None:
        self._ids.trace, self._ids.span = trace_id(plan_id), span.id
        around = Context()
        if span.parent is not None:
            parent = _context(plan_id, span.parent, flags)
            around = trace.set_span_in_context(NonRecordingSpan(parent), around)
        made = self._tracer.start_span(
            span.name,
            around,
            SpanKind.SERVER if span.parent is None else SpanKind.INTERNAL,
            dict(span.attributes),
            [
                Link(_context(each, span_id(each), 1), {names.LINK: how})
                for each, how in span.links
            ],
            span.began,
        )
        for moment in span.moments:
            made.add_event(moment.name, dict(moment.attributes), moment.time)
        if span.error is not None:
            made.set_status(Status(StatusCode.ERROR, span.error))
        made.end(span.ended)


def _context(plan_id: UUID, span: int, flags: int) -> SpanContext:
    return SpanContext(trace_id(plan_id), span, True, TraceFlags(flags))


class Metrics:
    """Adds measurements up, and sends the sums."""

    def __init__(self, resource: Resource) -> None:
        # Without an interval the reader has no thread: ``send`` says when.
        self._reader = PeriodicExportingMetricReader(
            OTLPMetricExporter(), export_interval_millis=math.inf
        )
        self._provider = MeterProvider(
            metric_readers=[self._reader], resource=resource, shutdown_on_exit=False
        )
        meter = self._provider.get_meter(names.SCOPE, version("workstream-otel"))
        self._instruments: dict[str, Counter | Histogram | UpDownCounter] = {}
        for each in names.METRICS:
            facts = (each.name, each.unit, each.meaning)
            if each.where == "histogram":
                self._instruments[each.name] = meter.create_histogram(*facts)
            elif each.where == "counter":
                self._instruments[each.name] = meter.create_counter(*facts)
            else:
                self._instruments[each.name] = meter.create_up_down_counter(*facts)
        self._interval = _interval()
        self._last = time.monotonic()
        self._is_new = False

    def add(self, measured: Iterable[Measured]) -> None:
        """Add measurements up."""
        for each in measured:
            instrument = self._instruments[each.metric]
            attributes = dict(each.attributes)
            if isinstance(instrument, Histogram):
                instrument.record(each.value, attributes)
            else:
                instrument.add(each.value, attributes)
            self._is_new = True

    def send(self, *, now: bool = False) -> None:
        """Send the sums, if that is due; what fails is made good by the next time."""
        if self._is_new and (now or time.monotonic() - self._last >= self._interval):
            self._last, self._is_new = time.monotonic(), False
            self._reader.collect()


def _interval() -> float:
    """``OTEL_METRIC_EXPORT_INTERVAL``, in seconds."""
    try:
        return float(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "60000")) / 1_000
    except ValueError:
        return 60.0
