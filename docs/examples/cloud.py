"""A cloud with one machine: an HTTP service that creates an sshd on this computer.

It stands in for the API of a real cloud, so that a plan can be tried that creates a machine
and works on it. The machine is a host of ``ssh_tier.py``.

::

    python3 docs/examples/cloud.py up   DIRECTORY [--port 8800]
    python3 docs/examples/cloud.py down DIRECTORY

``POST /machines`` creates the machine and answers with its id, address and ports. A request
that is repeated with the same ``Idempotency-Key`` gets the same machine. ``DELETE
/machines/ID`` removes it. ``GET /machines`` lists them.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import ssh_tier

MACHINE = "web-1"


class Cloud:
    """What there is: at most one machine, and the key of the request that made it."""

    def __init__(self, root: Path, ssh_port: int, web_port: int) -> None:
        self.root = root
        self.ports = {"ssh_port": ssh_port, "web_port": web_port}
        self.made_by: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()

    def create(self, key: str) -> tuple[int, Any]:
        """Create the machine, unless this very request did."""
        with self.lock:
            if key in self.made_by:
                return 200, self.made_by[key]
            if self.made_by:
                return 409, {"error": "this cloud has one machine only"}
            ssh_tier.up(self.root, 1, self.ports["ssh_port"], self.ports["web_port"])
            machine = {"id": MACHINE, "address": "127.0.0.1", **self.ports}
            self.made_by[key] = machine
            return 201, machine

    def delete(self, machine: str) -> tuple[int, Any]:
        """Remove the machine, and what runs on it."""
        with self.lock:
            if not self.made_by or machine != MACHINE:
                return 404, {"error": "there is no such machine"}
            home = self.root / MACHINE
            ssh_tier.end(home / "web.pid", str(home / "web.json"))
            ssh_tier.end(home.with_suffix(".pid"), "sshd")
            shutil.rmtree(home)
            self.made_by.clear()
            return 200, {}

    def machines(self) -> tuple[int, Any]:
        """All machines."""
        with self.lock:
            return 200, list(self.made_by.values())


def serve(root: Path, listener: socket.socket, ssh_port: int, web_port: int) -> None:
    """Answer requests, for ever."""
    cloud = Cloud(root, ssh_port, web_port)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self._answer(*cloud.create(self.headers.get("Idempotency-Key", "")))

        def do_DELETE(self) -> None:
            self._answer(*cloud.delete(self.path.rpartition("/")[2]))

        def do_GET(self) -> None:
            self._answer(*cloud.machines())

        def _answer(self, status: int, answer: Any) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    address = ("127.0.0.1", listener.getsockname()[1])
    server = http.server.ThreadingHTTPServer(address, Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.serve_forever()


def up(root: Path, port: int, ssh_port: int, web_port: int) -> None:
    """Start the service as a process that outlives us."""
    root.mkdir(parents=True, exist_ok=True)
    listener = socket.create_server(("127.0.0.1", port))
    command = [sys.executable, __file__, "serve", root, "--listener", listener.fileno()]
    command += ["--ssh-port", ssh_port, "--web-port", web_port]
    with (root / "cloud.log").open("wb") as log:
        process = subprocess.Popen(
            list(map(str, command)),
            pass_fds=(listener.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (root / "cloud.pid").write_text(str(process.pid))
    print(f"the cloud answers on http://127.0.0.1:{port}")


def down(root: Path) -> None:
    """End the service, its machine, and all that runs there."""
    with contextlib.redirect_stdout(None):
        ssh_tier.end(root / "cloud.pid", "cloud.py")
        ssh_tier.down(root)
    print("the cloud is gone")


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description="A cloud to try on.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "serve", "down"):
        one = commands.add_parser(name)
        one.add_argument("root", type=Path)
        if name != "down":
            one.add_argument("--ssh-port", type=int, default=8821)
            one.add_argument("--web-port", type=int, default=8801)
        if name == "up":
            one.add_argument("--port", type=int, default=8800)
        if name == "serve":
            one.add_argument("--listener", type=int)
    asked = vars(parser.parse_args())
    command = asked.pop("command")
    asked["root"] = asked["root"].resolve()
    if command == "serve":
        asked["listener"] = socket.socket(fileno=asked["listener"])
    {"up": up, "serve": serve, "down": down}[command](**asked)


if __name__ == "__main__":
    main()
