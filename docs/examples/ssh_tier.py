"""A tier of hosts to try things on: an sshd each on a port of this machine.

It stands in for real machines, so that the rolling deploy over ssh can be tried anywhere
where OpenSSH's server is installed. Each "host" has a home directory, a key, and a
configuration of the web service to come; all of them are in one directory, with an ssh
configuration that knows them as ``web-1``, ``web-2`` and so on. It needs no privileges.

::

    python3 docs/examples/ssh_tier.py up   DIRECTORY [--hosts 8]
    python3 docs/examples/ssh_tier.py down DIRECTORY
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

BAD_HOST = 5
"""The host whose configuration says ``"workers": "many"``, which no one has noticed."""

PATIENCE = 10.0
"""Seconds to wait for an sshd to begin or to end."""


def up(root: Path, hosts: int, first_ssh_port: int, first_web_port: int) -> None:
    """Make the hosts, and have them listen."""
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o700)
    if os.getuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # sshd insists on it
    for key in (root / "id_ed25519", root / "host_ed25519"):
        if not key.exists():
            command = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", ""]
            subprocess.run([*command, "-f", key], check=True)
    public = (root / "host_ed25519.pub").read_text()
    known, config, inventory = "", settings("*", root), ""
    for number in range(1, hosts + 1):
        name, port = f"web-{number}", first_ssh_port + number - 1
        known += f"[127.0.0.1]:{port} {public}"
        config += f"Host {name}\n    Port {port}\n"
        web_port = first_web_port + number - 1
        inventory += f"{name},http://127.0.0.1:{web_port}/health\n"
        prepare(root / name, web_port, number == BAD_HOST)
        start(root, name, port)
    (root / "known_hosts").write_text(known)
    (root / "ssh_config").write_text(config)
    (root / "inventory.csv").write_text(inventory)
    print(f"{hosts} hosts listen; see them with ssh -F {root / 'ssh_config'} web-1")


def settings(pattern: str, root: Path) -> str:
    """What an ssh client must know about all of the hosts."""
    return (
        f"Host {pattern}\n"
        "    HostName 127.0.0.1\n"
        f"    IdentityFile {root / 'id_ed25519'}\n"
        "    IdentitiesOnly yes\n"
        f"    UserKnownHostsFile {root / 'known_hosts'}\n"
    )


def prepare(home: Path, port: int, is_bad: bool) -> None:
    """Make a host's home directory, and the configuration that it has had for years."""
    home.mkdir(exist_ok=True)
    value = {"port": port, "workers": "many" if is_bad else 4}
    (home / "web.json").write_text(json.dumps(value))


def start(root: Path, name: str, port: int) -> None:
    """Start the host's sshd, and wait until it listens."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.defpath])
    config = root / f"{name}.conf"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\n"
        f"HostKey {root / 'host_ed25519'}\n"
        f"AuthorizedKeysFile {root / 'id_ed25519.pub'}\n"
        f"PidFile {root / name}.pid\n"
        "StrictModes no\n"
        "UsePAM no\n"
        "PasswordAuthentication no\n"
        f"SetEnv HOME={root / name} PATH={path}\n"
    )
    log = root / f"{name}.log"
    subprocess.run([program("sshd"), "-f", config, "-E", log], check=True)
    deadline = time.monotonic() + PATIENCE
    while not listens(port):
        if time.monotonic() > deadline:
            sys.exit(f"{name} does not listen on port {port}: {log.read_text()}")
        time.sleep(0.02)


def listens(port: int) -> bool:
    """Whether anything listens on the port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def down(root: Path) -> None:
    """End what runs on the hosts, then the hosts, and remove all of it."""
    for home in sorted(path.parent for path in root.glob("*/web.json")):
        end(home / "web.pid", str(home / "web.json"))
        end(home.with_suffix(".pid"), "sshd")
    shutil.rmtree(root, ignore_errors=True)
    print("all hosts are gone")


def end(pid_file: Path, word: str) -> None:
    """End the process that a file names, if it still is the one."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        pid = int(pid_file.read_text())
        deadline = time.monotonic() + PATIENCE
        while word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            late = time.monotonic() > deadline
            os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
            time.sleep(0.02)


def program(name: str) -> str:
    """Where a program is; sshd mostly is where only administrators look."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        sys.exit(f"there is no {name}: install OpenSSH (Debian: openssh-server)")
    return found


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description="A tier of hosts to try on.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("up")
    one.add_argument("root", type=Path)
    one.add_argument("--hosts", type=int, default=8)
    one.add_argument("--first-ssh-port", type=int, default=8821)
    one.add_argument("--first-web-port", type=int, default=8801)
    one = commands.add_parser("down")
    one.add_argument("root", type=Path)
    asked = vars(parser.parse_args())
    command = asked.pop("command")
    asked["root"] = asked["root"].resolve()
    {"up": up, "down": down}[command](**asked)


if __name__ == "__main__":
    main()
