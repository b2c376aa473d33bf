"""The observer copes with all that an engine may tell it, and is found only where wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workstream.testing import check_observer
from workstream_otel import workstream_observers

if TYPE_CHECKING:
    from conftest import Receiver


def test_the_hook_brings_the_observer(otel: Receiver) -> None:
    """By the name of its entry point."""
    [observer] = workstream_observers()

    assert observer.name == "otel"


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("OTEL_SDK_DISABLED", "true", 0),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "", 0),
        ("OTEL_TRACES_EXPORTER", "none", 1),
        ("OTEL_METRICS_EXPORTER", "console", 1),
    ],
)
def test_without_a_receiver_there_is_no_observer(
    otel: Receiver, monkeypatch: pytest.MonkeyPatch, name: str, value: str, found: int
) -> None:
    """Nothing is paid where nothing is to be sent; each signal has its switch (OB-6)."""
    monkeypatch.setenv(name, value)

    assert len(workstream_observers()) == found


@pytest.mark.slow
def test_the_observer_conforms(otel: Receiver) -> None:
    """The same spans arrive, however it is told (OB-1, OB-2, OB-4, OB-5)."""

    def told() -> object:
        spans = {
            (each.trace_id, each.span_id, each.parent_span_id, each.name)
            for each in otel.spans
        }
        assert len({span for _, span, _, _ in spans}) == len(spans)
        return sorted(spans)

    check_observer(lambda: workstream_observers()[0], told, reset=otel.bodies.clear)
