"""The web service, version 1: answers ``/health`` with its version, and nothing else."""

import http.server
import json
import sys
from pathlib import Path

VERSION = 1


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every request with the service's health."""

    def do_GET(self) -> None:
        """Answer one request."""
        body = json.dumps({"version": VERSION, "status": "ok"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve on the port that the host's configuration names."""
    config = json.loads(Path(sys.argv[1]).read_text())
    address = ("127.0.0.1", config["port"])
    http.server.ThreadingHTTPServer(address, Handler).serve_forever()


if __name__ == "__main__":
    main()
