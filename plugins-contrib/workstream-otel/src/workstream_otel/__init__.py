"""Traces and metrics of workstream plans, by OpenTelemetry.

The package adds an observer. It is told every change of every plan that an engine runs,
and sends what has ended to an OTLP receiver. The environment variables of OpenTelemetry
configure it; where they name no receiver, it does nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from workstream import hookimpl

from ._ids import span_id, trace_id
from ._settings import wanted

if TYPE_CHECKING:
    from workstream.plugins import Observer

__all__ = ["span_id", "trace_id", "workstream_observers"]

workstream_plugin_api = 1


@hookimpl
def workstream_observers() -> list[Observer]:
    """The observer of this distribution: ``otel``, where a receiver is configured."""
    if not wanted(os.environ):
        return []
    from ._observer import Otel

    return [Otel()]
