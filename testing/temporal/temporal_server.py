"""Temporal's own development server, as the tests of more than one folder start it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

from temporalio.client import Client

__all__ = ["Server"]


class Server:
    """Temporal's own development server, in a process; ``begin`` starts it.

    It has two namespaces, ``default`` and ``other``.
    """

    def __init__(self, place: Path | None) -> None:
        """Take a directory for the file with its plans; None: it keeps them in memory."""
        self._file = None if place is None else place / "temporal.db"
        self.port = _free_port()
        self.location = f"127.0.0.1:{self.port}/default"
        self.store = f"temporal:{self.location}"
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start it; on return it answers."""
        program = Path(sys.executable).with_name("temporal")
        file = () if self._file is None else ("--db-filename", str(self._file))
        self._process = subprocess.Popen(
            [
                *(str(program), "server", "start-dev", "--headless"),
                *("--port", str(self.port), "--log-level", "never", *file),
                *("--namespace", "other"),
            ],
            stdout=subprocess.DEVNULL,
        )
        asyncio.run(self._answers())

    async def _answers(self) -> None:
        while True:
            assert self._process is not None
            assert self._process.poll() is None, "the server has ended"
            try:
                client = await Client.connect(self.location.partition("/")[0])
                await client.count_workflows()
            except Exception:
                continue  # connecting takes its time by itself
            return

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()


def _free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
