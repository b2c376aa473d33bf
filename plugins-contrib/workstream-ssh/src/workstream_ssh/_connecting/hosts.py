"""A host, and how to come to it: what one would write after ``ssh``."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from typing import cast

import attrs

CONNECT_TIMEOUT = 10.0
MOST_JUMPS = 8


class KnownHosts(enum.Enum):
    """What to think of a host whose key is not in the file of known hosts.

    A host whose key is there and has changed is refused in any case.
    """

    STRICT = "strict"
    """Refuse it."""
    ACCEPT_NEW = "accept-new"
    """Trust it, and note its key for the next time."""


@attrs.frozen
class Host:
    """A host, and how to come to it.

    What is left out is as the user's ssh configuration says, so often the address is
    all. A request takes a plain text too: ``RunOn("web-1", ...)``.

    Attributes:
        address: A name or an address, or an alias of the ssh configuration.
        user: The user to log in as.
        port: The port of its sshd.
        identity_file: The file of the private key to log in with, and no other, an
            absolute path. A key with a passphrase belongs into an agent.
        jump: The host to go through; it may have one itself.
        known_hosts: Whether to trust a host whose key is not known.
        known_hosts_file: The file of known hosts in place of the user's and the
            system's, an absolute path.
        config_file: An ssh configuration in place of the user's and the system's, an
            absolute path.
        connect_timeout: Seconds for the connection to be made.
    """

    address: str
    user: str | None = attrs.field(default=None, kw_only=True)
    port: int | None = attrs.field(default=None, kw_only=True)
    identity_file: str | None = attrs.field(default=None, kw_only=True)
    jump: Host | None = attrs.field(default=None, kw_only=True)
    known_hosts: KnownHosts = attrs.field(default=KnownHosts.STRICT, kw_only=True)
    known_hosts_file: str | None = attrs.field(default=None, kw_only=True)
    config_file: str | None = attrs.field(default=None, kw_only=True)
    connect_timeout: float = attrs.field(default=CONNECT_TIMEOUT, kw_only=True)

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{user}{address}:{self.port}" if self.port else f"{user}{self.address}"


def as_host(value: Host | str) -> Host:
    """A request's ``host``, which may be written as a text."""
    # What is neither is left as it is, to be refused when the plan is submitted.
    return Host(value) if isinstance(value, str) else value


def host_faults(field: str, host: object) -> Iterator[str]:
    """All that can never work in a host, and in those on the way to it."""
    for jumps in range(MOST_JUMPS + 1):
        if not isinstance(host, Host):
            yield f"{field} must be a Host or its address, not {type(host).__name__}"
            return
        for fault in _faults(host):
            yield f"{field}{'.jump' * jumps}.{fault}"
        if host.jump is None:
            return
        host = host.jump
    yield f"{field} goes through more than {MOST_JUMPS} hosts"


def _faults(host: Host) -> Iterator[str]:
    yield from name_faults("address", host.address)
    if host.user is not None:
        yield from name_faults("user", host.user)
    port = cast("object", host.port)
    if port is not None and (type(port) is not int or not 0 < port < 65536):
        yield f"port must be a number from 1 to 65535, not {port!r}"
    for field in ("identity_file", "known_hosts_file", "config_file"):
        path = getattr(host, field)
        if path is None:
            continue
        if not isinstance(path, str) or not path.startswith("/"):
            yield f"{field} must be an absolute path, not {path!r}"
        elif any(character in path for character in '\0\n\r"'):
            yield f"{field} holds characters that ssh cannot be given: {path!r}"
    if not isinstance(cast("object", host.known_hosts), KnownHosts):
        yield f"known_hosts must be a KnownHosts, not {host.known_hosts!r}"
    timeout = cast("object", host.connect_timeout)
    if (
        not isinstance(timeout, (int, float))
        or isinstance(timeout, bool)
        or not (math.isfinite(timeout) and timeout >= 1)
    ):
        yield f"connect_timeout must be a number of seconds, 1 or more, not {timeout!r}"


def name_faults(field: str, name: object) -> Iterator[str]:
    """All that can never work in the name of a host or a user."""
    if not isinstance(name, str) or not name:
        yield f"{field} must be a text, not {name!r}"
    elif name.startswith("-"):
        yield f"{field} is {name!r}: it would be taken for an option"
    elif any(
        c.isspace() or not c.isprintable() or c in "'\"`$\\;&<>|(){}" for c in name
    ):
        yield f"{field} is {name!r}: it holds characters that no such name has"
    elif field == "address" and "@" in name:
        user, _, address = name.rpartition("@")
        yield f"address is {name!r}: write Host({address!r}, user={user!r})"
    elif field == "address" and "://" in name:
        yield f"address is {name!r}: it must be a name or an address, not a URL"
