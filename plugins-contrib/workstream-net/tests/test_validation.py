"""Requests that are refused when the plan is submitted."""

from __future__ import annotations

import re
from typing import Any

import pytest

from workstream_net import (
    Dns,
    DnsCheck,
    Ping,
    PingCheck,
    Tcp,
    TcpCheck,
    Tls,
    TlsCheck,
    WaitDns,
    WaitPing,
    WaitTcp,
    WaitTls,
)

INFINITY = float("inf")


PLUGINS: dict[type, list[Any]] = {
    Tcp: [TcpCheck(), WaitTcp()],
    Tls: [TlsCheck(), WaitTls()],
    Dns: [DnsCheck(), WaitDns()],
    Ping: [PingCheck(), WaitPing()],
}


def refused(request: Tcp | Tls | Dns | Ping) -> str:
    """What the check says; the wait says the same."""
    said: set[str] = set()
    for plugin in PLUGINS[type(request)]:
        with pytest.raises(ValueError, match=r"^\w") as caught:
            plugin.validate(request)
        said.add(str(caught.value))
    assert len(said) == 1
    return said.pop()


@pytest.mark.parametrize(
    "request_",
    [
        Tcp("db-1.example", 5432),
        Tcp("2001:db8::1", 65535, banner="^SSH", within=0.1, every=3600),
        Tcp("fe80::1%eth0", 1, closed=True),
        Tls("bücher.example"),
        Tls("192.0.2.1", 8443, server_name="web.example", min_days=0),
        Dns("_sip._tcp.example."),
        Dns("web", ("192.0.2.1", "2001:db8::1"), exactly=True),
        Dns("web", family="ipv6", absent=True),
        Ping("web", count=10, interval=0.2, max_loss=99.9, reply_within=1),
    ],
)
def test_good_requests_pass(request_: Tcp | Tls | Dns | Ping) -> None:
    """What can work is accepted."""
    for plugin in PLUGINS[type(request_)]:
        plugin.validate(request_)


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (Tcp("", 80), "host: it is empty: give a name or an address"),
        (Tcp("a b", 80), "host: 'a b' holds a character that no name and no address"),
        (Tcp("http://a", 80), "host: 'http://a' holds a character that no name"),
        (Tcp("[::1]", 80), "host: '[::1]' holds a character that no name"),
        (Tcp("-c", 80), "host: '-c' begins with a hyphen"),
        (Tcp("a..b", 80), "host: 'a..b' is no name that can be looked up"),
        (Tcp("a" * 64, 80), "is no name that can be looked up"),
        (Tcp("a", 0), "port must be a whole number from 1 to 65,535, not 0"),
        (Tcp("a", 65536), "port must be a whole number from 1 to 65,535, not 65536"),
        (
            Tcp("a", 1, banner=r"(a)\1"),
            "it refers back to a group, which RE2 cannot do",
        ),
        (
            Tcp("a", 1, banner="("),
            "banner: '(' is no regular expression that can be used: missing )",
        ),
        (
            Tls("a", starttls="smtp"),
            "port: on 443 servers speak TLS at once: give the port on which this one "
            "speaks smtp, for example 587",
        ),
        (Tcp("a", 1, banner="x", closed=True), "closed: a closed port says nothing"),
        (Tcp("a", 1, within=0), "within must be a number of seconds, 0.001"),
        (Tcp("a", 1, every=INFINITY), "every must be a number of seconds"),
        (Tls("a", min_days=-1), "min_days must be a number of days, 0"),
        (Tls("a", server_name=" "), "server_name: ' ' holds a character"),
        (Dns("a", ("web",)), "addresses: 'web' is no address, as 192.0.2.1 or"),
        (
            Dns("a", ("::1",), family="ipv4"),
            "addresses: '::1' is not ipv4, which is asked for",
        ),
        (Dns("a", exactly=True), "exactly: it needs addresses to compare with"),
        (Dns("a", ("::1",), absent=True), "absent: a name that does not exist has no"),
        (Ping("a", count=0), "count must be a whole number from 1 to 1,000, not 0"),
        (Ping("a", interval=0), "interval must be a number of seconds"),
        (Ping("a", max_loss=100), "max_loss: it must be per cent, from 0 to less"),
        (
            Ping("a", reply_within=0),
            "reply_within must be a number of seconds from 1 to 3,600",
        ),
        (
            Ping("a", count=20),
            "within: count, interval and reply_within need 11.5 seconds, but it gives",
        ),
    ],
)
def test_bad_requests_are_refused(request_: Tcp | Tls | Dns | Ping, fault: str) -> None:
    """What can never work is refused, with the field at fault (V-19)."""
    said = refused(request_)

    assert fault in said
    assert "; " not in said


def test_a_family_that_is_none_is_refused() -> None:
    """Also where no type checker has looked."""
    fields: dict[str, Any] = {"family": "ipv5"}

    assert refused(Dns("a", **fields)) == (
        "family: it must be 'any', 'ipv4' or 'ipv6', not 'ipv5'"
    )


def test_all_faults_are_named_at_once() -> None:
    """One message names every fault (V-1)."""
    said = refused(Tcp("", 0, banner="(", within=-1, every=0))

    assert [re.split(r":| must", part)[0] for part in said.split("; ")] == [
        "host",
        "port",
        "banner",
        "within",
        "every",
    ]
