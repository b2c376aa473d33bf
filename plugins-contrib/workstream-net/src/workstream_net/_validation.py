"""What is wrong with a request, found when the plan is submitted (V-19)."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterator

from workstream.plugins import Pattern, number_faults, refuse

from ._requests import AnyRequest, Dns, Ping, Tcp, Tls

SHORTEST = 0.001
"""Seconds that a wait or a pause has at least."""

MAX_COUNT = 1000
"""The most echo requests of one look."""


def check(request: AnyRequest) -> None:
    """Refuse a request that can never work, with all its faults in one message.

    Raises:
        ValueError: It has faults; each is named with its field.
    """
    refuse([*_own_faults(request), *_times(request)])


def _own_faults(request: AnyRequest) -> Iterator[str]:
    match request:
        case Tcp():
            return _tcp(request)
        case Tls():
            return _tls(request)
        case Dns():
            return _dns(request)
        case Ping():
            return _ping(request)


def _tcp(request: Tcp) -> Iterator[str]:
    yield from _host("host", request.host)
    yield from _port(request.port)
    try:
        Pattern(request.banner, multiline=True)
    except ValueError as error:
        yield f"banner: {error}"
    if request.banner and request.closed:
        yield "closed: a closed port says nothing: leave out banner"


def _tls(request: Tls) -> Iterator[str]:
    yield from _host("host", request.host)
    yield from _port(request.port)
    yield from number_faults("min_days", request.min_days, unit="days")
    if request.starttls not in ("", "smtp", "postgres"):
        yield f"starttls: it must be 'smtp' or 'postgres', not {request.starttls!r}"
    elif request.starttls and request.port == 443:
        yield (
            "port: on 443 servers speak TLS at once: give the port on which this one "
            f"speaks {request.starttls}, for example "
            f"{587 if request.starttls == 'smtp' else 5432}"
        )
    if request.server_name:
        yield from _host("server_name", request.server_name)


def _dns(request: Dns) -> Iterator[str]:
    yield from _host("name", request.name)
    version = {"any": None, "ipv4": 4, "ipv6": 6}.get(request.family, 0)
    if version == 0:
        yield f"family: it must be 'any', 'ipv4' or 'ipv6', not {request.family!r}"
    for address in request.addresses:
        try:
            given = ipaddress.ip_address(address)
        except ValueError:
            yield f"addresses: {address!r} is no address, as 192.0.2.1 or 2001:db8::1"
            continue
        if version and given.version != version:
            yield f"addresses: {address!r} is not {request.family}, which is asked for"
    if request.exactly and not request.addresses:
        yield "exactly: it needs addresses to compare with"
    if request.absent and request.addresses:
        yield "absent: a name that does not exist has no addresses: leave them out"


def _ping(request: Ping) -> Iterator[str]:
    yield from _host("host", request.host)
    yield from number_faults(
        "count", request.count, least=1, most=MAX_COUNT, whole=True, unit=""
    )
    interval, within = request.interval, request.within
    yield from number_faults("interval", interval, least=SHORTEST)
    if not 0 <= request.max_loss < 100:
        yield (
            f"max_loss: it must be per cent, from 0 to less than 100, "
            f"not {request.max_loss}"
        )
    yield from number_faults("reply_within", request.reply_within, least=1, most=3600)
    needed = (request.count - 1) * interval + request.reply_within
    if math.isfinite(needed) and needed > within > 0:
        yield (
            f"within: count, interval and reply_within need {needed:g} seconds, "
            f"but it gives {within:g}"
        )


def _host(field: str, host: str) -> Iterator[str]:
    if not host:
        yield f"{field}: it is empty: give a name or an address"
    elif re.search(r"[\x00-\x20\x7f/\[\]]", host):
        yield f"{field}: {host!r} holds a character that no name and no address has"
    elif host.startswith("-"):
        yield f"{field}: {host!r} begins with a hyphen, which no name does"
    else:
        try:
            host.encode("idna")  # as it is encoded when it is looked up
        except UnicodeError:
            yield f"{field}: {host!r} is no name that can be looked up"


def _port(port: int) -> Iterator[str]:
    yield from number_faults("port", port, least=1, most=65535, whole=True, unit="")


def _times(request: AnyRequest) -> Iterator[str]:
    for field, seconds in (("within", request.within), ("every", request.every)):
        yield from number_faults(field, seconds, least=SHORTEST)
