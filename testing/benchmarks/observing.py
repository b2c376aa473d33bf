"""What an observer costs beside a run of a thousand changes a second.

The same paced run in a process of its own, watched once as by the command line: with no
observer; with one that does nothing, which costs what it takes to tell it; with the one
of ``workstream-otel``, and a receiver in this process. CPU time is what the kernel has charged the engine's process with.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .table import Figure, interleaved

__all__ = ["observing"]

MOST_FOR_TELLING = 1.25
_RUN = """
import sys, time
from functools import partial
from pathlib import Path
import trio
from testing.benchmarks import engine, work
from workstream import Registry
from workstream.plugins import Observer

# 50 lanes, each with an action of 95 ms after the other: some 1,000 changes a second.
class Paced(work.Nothing):
    name = "bench.nothing"
    async def execute(self, context, request, /):
        await trio.sleep(0.095)
        return work.Response(request.number)

class Idle(Observer):
    name = "idle"
    def observe(self, seen, /):
        pass

def observers():
    if sys.argv[3] == "otel":
        from workstream_otel import workstream_observers
        return workstream_observers()
    return [Idle()] if sys.argv[3] == "idle" else []

engine.registry = lambda: Registry([Paced()], observers=observers())
plan = work.plan_of(work.Shape(50, int(sys.argv[2]), 50))
trio.run(partial(engine.run_engine, plan, Path(sys.argv[1]), watchers=1))
print(time.process_time())
"""
_STEPS = 100


def observing(path: Path, rounds: int) -> list[Figure]:
    """The CPU time of a run's process, with and without observers."""
    with _receiving() as url:

        def run(who: str) -> float:
            store = Path(tempfile.mkdtemp(dir=path))
            command = (sys.executable, "-c", _RUN, str(store), str(_STEPS), who)
            env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": url}
            return float(subprocess.check_output(command, env=env))

        names = ("nobody", "idle", "otel")
        contenders: dict[str, Callable[[], float]] = {
            who: partial(run, who) for who in names
        }
        samples = interleaved(rounds, contenders)
    telling = samples.ratio("idle", "nobody")
    return [
        Figure(
            name="CPU time of a run without an observer",
            value=f"{samples.median('nobody'):.2f} s",
        ),
        Figure(
            name="with one that does nothing",
            value=f"{samples.median('idle'):.2f} s",
            ratio=f"{telling:.2f} x unobserved",
            goal=f"at most {MOST_FOR_TELLING} x",
            reached=telling <= MOST_FOR_TELLING,
        ),
        Figure(
            name="with traces and metrics sent by OpenTelemetry",
            value=f"{samples.median('otel'):.2f} s",
            ratio=f"{samples.ratio('otel', 'nobody'):.2f} x unobserved",
        ),
    ]


@contextmanager
def _receiving() -> Generator[str]:
    """A receiver that takes everything and keeps nothing; its address."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
