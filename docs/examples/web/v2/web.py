"""The web service, version 2: serves with a fixed number of workers.

It reads ``workers`` from the configuration, which version 1 ignored; so a mistake that
sat there for years comes to light on the day of the upgrade.
"""

import http.server
import json
import sys
import threading
import time
from pathlib import Path

VERSION = 2
WARM_UP = 0.8
"""Seconds in which it fills its cache; until then it answers 503."""

_ready = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every request with the service's health."""

    def do_GET(self) -> None:
        """Answer one request."""
        ready = _ready.is_set()
        status = "ok" if ready else "warming up"
        body = json.dumps({"version": VERSION, "status": status}).encode()
        self.send_response(200 if ready else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def warm_up() -> None:
    """Fill the cache."""
    time.sleep(WARM_UP)
    _ready.set()


def main() -> None:
    """Serve on the port that the host's configuration names."""
    config = json.loads(Path(sys.argv[1]).read_text())
    workers = config["workers"]
    if not isinstance(workers, int):
        sys.exit(f"{sys.argv[1]}: workers is {workers!r}: it must be a whole number")
    threading.Thread(target=warm_up, daemon=True).start()
    address = ("127.0.0.1", config["port"])
    http.server.ThreadingHTTPServer(address, Handler).serve_forever()


if __name__ == "__main__":
    main()
