"""What ssh is called with."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from .hosts import Host, KnownHosts

SSH = "ssh"

IDLE = 10
"""Seconds after which a connection that nobody uses ends by itself: also when the
engine that made it was killed."""

ALIVE_EVERY, ALIVE_TIMES = 15, 3
"""After so many seconds without a sign of life, so often, a connection is lost."""

# Options that an older ssh does not know do no harm: they undo what it cannot do.
_ALWAYS = {
    "IgnoreUnknown": "StdinNull,ForkAfterAuthentication,SessionType",
    "BatchMode": "yes",
    # What is written for people at a terminal must not apply here.
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
    "RequestTTY": "no",
    "RemoteCommand": "none",
    "EscapeChar": "none",
    "StdinNull": "no",
    "LogLevel": "ERROR",
}


def connect(host: Host, socket: Path, log: Path) -> list[str]:
    """The command that connects to a host, and stays as the master of the connection.

    It returns when the connection can be used.

    Args:
        host: Which.
        socket: Where others find the connection.
        log: Where ssh writes what it has to say.
    """
    options = {
        **_options(host, log),
        "ControlMaster": "yes",
        "ControlPath": _escaped(socket),
        "ControlPersist": str(IDLE),
    }
    return [*_command(host, log, options), "-N", "-f", "--", host.address]


def run_through(host: Host, socket: Path, log: Path, command: str) -> list[str]:
    """The command that runs one on a host, through a connection that is there.

    It makes no connection of its own: without a master it fails at once.
    """
    options = {
        **_ALWAYS,
        "ControlMaster": "no",
        "ControlPath": _escaped(socket),
        "ProxyCommand": "false",
        "ForkAfterAuthentication": "no",
        "SessionType": "default",
    }
    return [*_command(host, log, options), "--", host.address, command]


def control(host: Host, socket: Path, order: str) -> list[str]:
    """The command that gives the master of a connection an order."""
    file = ["-F", "none"]
    return [
        SSH,
        *file,
        "-o",
        f"ControlPath={_escaped(socket)}",
        "-O",
        order,
        host.address,
    ]


def environment() -> dict[str, str]:
    """What ssh finds: nothing that would let it ask somebody."""
    return {**os.environ, "SSH_ASKPASS_REQUIRE": "never"}


def _command(host: Host, log: Path, options: dict[str, str]) -> list[str]:
    command = [SSH, "-E", str(log)]
    if host.config_file is not None:
        command += ["-F", host.config_file]
    for name, value in options.items():
        command += ["-o", f"{name}={value}"]
    if host.user is not None:
        command += ["-l", host.user]
    if host.port is not None:
        command += ["-p", str(host.port)]
    return command


def _options(host: Host, log: Path) -> dict[str, str]:
    """How to make a connection to a host."""
    strict = "yes" if host.known_hosts is KnownHosts.STRICT else "accept-new"
    options = {
        **_ALWAYS,
        "StrictHostKeyChecking": strict,
        "UpdateHostKeys": "no",
        "ConnectTimeout": str(max(1, round(host.connect_timeout))),
        "ServerAliveInterval": str(ALIVE_EVERY),
        "ServerAliveCountMax": str(ALIVE_TIMES),
    }
    if host.known_hosts_file is not None:
        options["UserKnownHostsFile"] = _quoted(host.known_hosts_file)
        options["GlobalKnownHostsFile"] = "/dev/null"
    if host.identity_file is not None:
        options["IdentityFile"] = _quoted(host.identity_file)
        options["IdentitiesOnly"] = "yes"
    if host.jump is not None:
        options["ProxyCommand"] = _through(host.jump, log)
    return options


def _through(jump: Host, log: Path) -> str:
    """The command that leads through a host, for ssh to run.

    It is not left to ssh's own ProxyJump, which would not tell its policies, its files
    and its log to the connection to the jump host.
    """
    options = {
        **_options(jump, log),
        "ControlMaster": "no",
        "ControlPath": "none",
        "ClearAllForwardings": "no",
    }
    command = [word.replace("%", "%%") for word in _command(jump, log, options)]
    return shlex.join([*command, "-W", "[%h]:%p", "--", jump.address])


def _escaped(path: Path) -> str:
    """A path in which ssh replaces nothing."""
    return _quoted(str(path))


def _quoted(path: str) -> str:
    """A path as ssh's configuration has it: ssh expands percent signs, and splits."""
    return '"' + path.replace("%", "%%") + '"'
