"""What an operator can do on one "host": a directory, a process, and a port.

It stands in for a package manager, a service manager and a load balancer, so that the
rolling deploy can be tried on any machine. Every command may be given twice: the second time it finds its
work done. That is why the plan may run an interrupted one again.

::

    host.py prepare HOST_DIR --port 8801 [--workers many]
    host.py install HOST_DIR RELEASE_DIR
    host.py start   HOST_DIR VERSION
    host.py stop    HOST_DIR
    host.py drain   HOST_DIR
    host.py undrain HOST_DIR
    host.py remove  HOST_DIR VERSION
    host.py clean   HOST_DIR [--all]
    host.py count   TIER_DIR --at-least 6 [--version 2]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 5.0
"""Seconds to wait for a process to begin or to end."""


def prepare(host: Path, port: int, workers: str) -> None:
    """Make the host: its directory and its configuration."""
    host.mkdir(parents=True, exist_ok=True)
    value = int(workers) if workers.isdecimal() else workers
    (host / "web.json").write_text(json.dumps({"port": port, "workers": value}))
    print(f"{host.name}: will listen on port {port}")


def install(host: Path, release: Path) -> None:
    """Copy a release onto the host: beside its place first, then renamed into it."""
    target = host / "releases" / release.name
    if target.exists():
        print(f"{host.name}: {release.name} is here already")
        return
    beside = target.with_name(f".{release.name}.{os.getpid()}")
    shutil.copytree(release, beside)
    beside.rename(target)
    print(f"{host.name}: {release.name} installed")


def start(host: Path, version: str) -> None:
    """Start this version as a process that outlives us, in place of what runs."""
    if answer(port_of(host)) == version:
        print(f"{host.name}: {version} runs already")
        return
    stop(host)
    with (host / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, host / "releases" / version / "web.py", host / "web.json"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=host,
            start_new_session=True,  # it stays when whoever started it has gone
        )
    (host / "web.pid").write_text(str(process.pid))
    deadline = time.monotonic() + PATIENCE
    while answer(port_of(host)) != version:
        if process.poll() is not None:
            (host / "web.pid").unlink()
            said = (host / "web.log").read_text().strip() or "it said nothing"
            sys.exit(f"{host.name}: {version} ended at once: {said.splitlines()[-1]}")
        if time.monotonic() > deadline:
            sys.exit(f"{host.name}: {version} does not answer on its port")
        time.sleep(0.05)
    print(f"{host.name}: {version} runs as process {process.pid}")


def stop(host: Path) -> None:
    """End the process that runs on the host, if there is one."""
    pid_file = host / "web.pid"
    try:
        pid = int(pid_file.read_text())
    except FileNotFoundError:
        return
    if runs(host, pid):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while runs(host, pid):
            if time.monotonic() > deadline:
                sys.exit(f"{host.name}: process {pid} does not end")
            time.sleep(0.02)
    pid_file.unlink(missing_ok=True)
    print(f"{host.name}: stopped")


def drain(host: Path) -> None:
    """Take the host out of the load balancer's pool."""
    (host / "drained").touch()
    print(f"{host.name}: out of the pool")


def undrain(host: Path) -> None:
    """Put the host back into the pool."""
    (host / "drained").unlink(missing_ok=True)
    print(f"{host.name}: in the pool")


def remove(host: Path, version: str) -> None:
    """Remove a release that does not run."""
    if answer(port_of(host)) == version:
        sys.exit(f"{host.name}: {version} still runs")
    shutil.rmtree(host / "releases" / version, ignore_errors=True)
    print(f"{host.name}: {version} removed")


def clean(host: Path, everything: bool) -> None:
    """Remove releases beside the one that runs; or the whole host, its process first."""
    if everything:
        stop(host)
        shutil.rmtree(host, ignore_errors=True)
        print(f"{host.name}: removed")
        return
    current = answer(port_of(host))
    for release in (host / "releases").iterdir():
        if current is not None and release.name != current:
            shutil.rmtree(release)
            print(f"{host.name}: {release.name} removed")


def runs(host: Path, pid: int) -> bool:
    """Whether the process lives, and is the one that was started for this host."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return str(host / "web.json").encode() in command and state != "Z"


def count(tier: Path, at_least: int, version: str | None) -> None:
    """Count the hosts in the pool that answer, with this version if one is given."""
    answers = {
        host.name: None if (host / "drained").exists() else answer(port_of(host))
        for host in hosts(tier)
    }
    good = [name for name, got in answers.items() if got and version in (None, got)]
    what = f"run {version}" if version else "answer"
    print(f"{len(good)} of {len(answers)} hosts {what}; at least {at_least} must")
    if len(good) < at_least:
        bad = ", ".join(f"{name}: {answers[name] or 'no answer'}" for name in answers)
        sys.exit(f"too few hosts {what}: {bad}")


def hosts(tier: Path) -> list[Path]:
    """The hosts of a tier."""
    return sorted(path.parent for path in tier.glob("*/web.json"))


def port_of(host: Path) -> int:
    """The port that the host's service listens on."""
    port: int = json.loads((host / "web.json").read_text())["port"]
    return port


def answer(port: int) -> str | None:
    """The version that answers on the port, warm or not; None when nothing does."""
    import http.client  # takes as long as all the rest, and most commands ask nobody

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    with contextlib.closing(connection), contextlib.suppress(OSError, ValueError):
        connection.request("GET", "/health")
        return f"v{json.loads(connection.getresponse().read())['version']}"
    return None


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description="What an operator can do on one host.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("prepare")
    one.add_argument("host", type=Path)
    one.add_argument("--port", type=int, required=True)
    one.add_argument("--workers", default="4")
    one = commands.add_parser("install")
    one.add_argument("host", type=Path)
    one.add_argument("release", type=Path)
    for name in ("start", "remove"):
        one = commands.add_parser(name)
        one.add_argument("host", type=Path)
        one.add_argument("version")
    for name in ("stop", "drain", "undrain"):
        one = commands.add_parser(name)
        one.add_argument("host", type=Path)
    one = commands.add_parser("clean")
    one.add_argument("host", type=Path)
    one.add_argument("--all", action="store_true", dest="everything")
    one = commands.add_parser("count")
    one.add_argument("tier", type=Path)
    one.add_argument("--at-least", type=int, required=True)
    one.add_argument("--version")
    asked = vars(parser.parse_args())
    command = asked.pop("command")
    lives = (prepare, install, start, stop, remove, clean)
    actions = {f.__name__: f for f in (*lives, drain, undrain, count)}
    actions[command](**asked)


if __name__ == "__main__":
    main()
