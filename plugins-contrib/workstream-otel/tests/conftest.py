"""A real OTLP/HTTP receiver on the loopback interface, and plans to be sent to it."""

from __future__ import annotations

import gzip
import importlib.util
import sys
import threading
from collections.abc import Generator, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@attrs.define
class Receiver:
    """A server, and what came to it.

    Attributes:
        url: Where it is.
        bodies: The path and bytes of each request that came well, in order.
        status: What it answers.
        hangs: Set while it takes what comes, and answers nothing.
        paths: The path of each request, also of those that are refused.
    """

    url: str
    bodies: list[tuple[str, bytes]] = attrs.field(factory=list[tuple[str, bytes]])
    status: int = 200
    hangs: threading.Event = attrs.field(factory=threading.Event)
    paths: list[str] = attrs.field(factory=list[str])
    resources: list[dict[str, Any]] = attrs.field(factory=list[dict[str, Any]])

    @staticmethod
    def values(attributes: Iterable[KeyValue]) -> dict[str, Any]:
        """Attributes as they were meant."""
        found: dict[str, Any] = {}
        for pair in attributes:
            kind = pair.value.WhichOneof("value")
            assert kind is not None
            value = getattr(pair.value, kind)
            if kind == "array_value":
                value = [each.string_value for each in pair.value.array_value.values]
            found[pair.key] = value
        return found

    @property
    def spans(self) -> list[Span]:
        """All spans that came, each as often as it came."""
        found: list[Span] = []
        for path, body in self.bodies:
            if path == "/v1/traces":
                request = ExportTraceServiceRequest.FromString(body)
                for resource in request.resource_spans:
                    self.resources.append(self.values(resource.resource.attributes))
                    for scope in resource.scope_spans:
                        found += scope.spans
        return found

    def span(self, name: str) -> Span:
        """The one span of this name."""
        [found] = [span for span in self.spans if span.name == name]
        return found

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics, as they came last."""
        found: dict[str, Metric] = {}
        for path, body in self.bodies:
            if path == "/v1/metrics":
                request = ExportMetricsServiceRequest.FromString(body)
                for resource in request.resource_metrics:
                    for scope in resource.scope_metrics:
                        found.update((each.name, each) for each in scope.metrics)
        return found

    def points(self, name: str) -> list[tuple[dict[str, Any], float]]:
        """The points of a metric: by what they are grouped, and how many."""
        metric = self.metrics[name]
        if metric.HasField("histogram"):
            return [
                (self.values(each.attributes), each.count)
                for each in metric.histogram.data_points
            ]
        return [
            (self.values(each.attributes), each.as_double or each.as_int)
            for each in metric.sum.data_points
        ]


@pytest.fixture
def receiver() -> Generator[Receiver]:
    """An OTLP/HTTP receiver; it keeps what it takes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if found.status == 200:
                found.bodies.append((self.path, body))
            found.paths.append(self.path)
            if found.hangs.is_set():
                gone.wait()
                return
            self.send_response(found.status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    gone = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield found
    finally:
        gone.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def otel(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """The receiver, named in the environment as the only one."""
    for name in ("TRACES_ENDPOINT", "METRICS_ENDPOINT", "PROTOCOL", "HEADERS"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    return receiver


@pytest.fixture(scope="session")
def plans() -> ModuleType:
    """What ``plans.py`` beside this has, which also is a program."""
    path = Path(__file__).with_name("plans.py")
    spec = importlib.util.spec_from_file_location("plans_to_be_sent", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its classes find the names in their annotations
    spec.loader.exec_module(module)
    return module
