"""The network in workstream plans: checks, and waits for what comes in a while.

::

    from workstream_net import Tcp, TcpCheck, WaitTcp

    listens = TcpCheck.action(Tcp("db-1", 5432), name="db-1 listens")
    back = WaitTcp.action(Tcp("web-1", 22), name="web-1 is back", timeout=600)
"""

from __future__ import annotations

from workstream import hookimpl

from ._plugins import (
    DnsCheck,
    PingCheck,
    TcpCheck,
    TlsCheck,
    WaitDns,
    WaitPing,
    WaitTcp,
    WaitTls,
)
from ._requests import (
    Dns,
    DnsResult,
    Ping,
    PingResult,
    Tcp,
    TcpResult,
    Tls,
    TlsResult,
)

__all__ = [
    "Dns",
    "DnsCheck",
    "DnsResult",
    "Ping",
    "PingCheck",
    "PingResult",
    "Tcp",
    "TcpCheck",
    "TcpResult",
    "Tls",
    "TlsCheck",
    "TlsResult",
    "WaitDns",
    "WaitPing",
    "WaitTcp",
    "WaitTls",
    "workstream_plugins",
]

workstream_plugin_api = 1


@hookimpl
def workstream_plugins() -> list[
    TcpCheck | TlsCheck | DnsCheck | PingCheck | WaitTcp | WaitTls | WaitDns | WaitPing
]:
    """The plugins of this distribution: four checks, and a wait for each."""
    return [
        TcpCheck(),
        TlsCheck(),
        DnsCheck(),
        PingCheck(),
        WaitTcp(),
        WaitTls(),
        WaitDns(),
        WaitPing(),
    ]
