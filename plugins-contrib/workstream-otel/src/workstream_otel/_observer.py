"""The observer: what an engine tells becomes spans and metrics."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from workstream.plugins import Observation, Observer

from ._meter import Measured, Meter
from ._settings import protocol_fault, signals
from ._story import Span, Story

if TYPE_CHECKING:
    from ._sending import Metrics, Traces


class Otel(Observer):
    """Sends traces and metrics to an OTLP receiver.

    The SDK is imported with the first call, in the observer's own thread: no run waits
    for that.
    """

    name = "otel"

    def __init__(self) -> None:
        self._traces: Traces | None = None
        self._metrics: Metrics | None = None
        self._is_set_up = False
        self._stories: dict[UUID, Story] = {}
        self._meters: dict[UUID, Meter] = {}
        self._sent: dict[UUID, set[int]] = {}
        self._told: dict[UUID, int] = {}

    def observe(self, seen: Observation, /) -> None:
        """Send the spans of what has ended; raise where they were not taken."""
        self._set_up()
        story = self._stories.get(seen.plan_id)
        if story is None:
            story = self._stories[seen.plan_id] = Story(seen)
            self._meters[seen.plan_id] = Meter(story)
        meter = self._meters[seen.plan_id]
        sent = self._sent.setdefault(seen.plan_id, set())
        spans: dict[int, Span] = {}
        measured: list[Measured] = []
        told = self._told.get(seen.plan_id, 0)
        for event in seen.events:
            for span in story.spans(event):
                if span.id not in sent:
                    spans[span.id] = span
            if event.position > told:
                measured += meter.measured(event)
        self._told[seen.plan_id] = max(told, seen.events[-1].position)
        self._measure(measured)  # once, however often the spans are sent
        if self._traces is not None and spans:
            self._traces.send(seen.plan_id, list(spans.values()), sent)
        if self._metrics is not None:
            self._metrics.send(now=story.is_over)
        if story.is_over:
            for kept in (self._stories, self._meters, self._sent, self._told):
                kept.pop(seen.plan_id, None)

    def _measure(self, measured: Iterable[Measured]) -> None:
        if self._metrics is not None:
            self._metrics.add(measured)

    def close(self) -> None:
        """Send the sums of what was measured since they were last sent."""
        if self._metrics is not None:
            self._metrics.send(now=True)

    def _set_up(self) -> None:
        if self._is_set_up:
            return
        fault = protocol_fault(os.environ)
        if fault is not None:
            raise ValueError(fault)
        from . import _sending as sending

        words = sending.LastWords()
        logging.getLogger("opentelemetry").addHandler(words)
        resource, wanted = sending.resource(), signals(os.environ)
        if "TRACES" in wanted:
            self._traces = sending.Traces(resource, words)
        if "METRICS" in wanted:
            self._metrics = sending.Metrics(resource)
        self._is_set_up = True
