"""The plugins: a check for each kind of look, and an action that waits for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from workstream import ActionPlugin, CheckPlugin, Context, OnInterrupt, retries
from workstream.plugins import Preview, PreviewContext

from . import _dns, _ping, _tcp, _tls
from ._connect import place
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
from ._validation import check
from ._wait import wait


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _no_change(waits: str) -> Preview:
    return Preview(f"{waits}: no change", changes=False)


class TcpCheck(CheckPlugin[Tcp, TcpResult]):
    """Pass if a TCP port accepts connections, and says what it should."""

    name: str = "net.tcp"
    safe_in_preview: bool = True
    retry: retries.RetryPolicy = retries.FAST

    def validate(self, request: Tcp, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(self, context: Context, request: Tcp, /) -> TcpResult:
        """Look once."""
        return await _tcp.look(request)


class TlsCheck(CheckPlugin[Tls, TlsResult]):
    """Pass if a certificate is trusted, for the right name, and valid long enough.

    Args:
        now: What time it is, to count the days that are left.
    """

    name: str = "net.tls"
    safe_in_preview: bool = True
    retry: retries.RetryPolicy = retries.FAST

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        self._now = now

    def validate(self, request: Tls, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(self, context: Context, request: Tls, /) -> TlsResult:
        """Look once."""
        return await _tls.look(request, self._now)


class DnsCheck(CheckPlugin[Dns, DnsResult]):
    """Pass if a name resolves, on this machine, as it should."""

    name: str = "net.dns"
    safe_in_preview: bool = True
    retry: retries.RetryPolicy = retries.FAST

    def validate(self, request: Dns, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def execute(self, context: Context, request: Dns, /) -> DnsResult:
        """Look once."""
        return await _dns.look(request)


class PingCheck(CheckPlugin[Ping, PingResult]):
    """Pass if a host answers to ping often enough."""

    name: str = "net.ping"
    safe_in_preview: bool = True
    retry: retries.RetryPolicy = retries.FAST
    requires_programs: tuple[str, ...] = ("ping",)

    def validate(self, request: Ping, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def init(self) -> None:
        """See that there is a program ``ping`` (REG-6)."""
        _ping.program()

    async def execute(self, context: Context, request: Ping, /) -> PingResult:
        """Look once."""
        return await _ping.look(request)


class WaitTcp(ActionPlugin[Tcp, TcpResult]):
    """Wait until a TCP port is as it should be, for as long as the timeout allows.

    A wait changes nothing, so after a crash of the engine it simply waits again.
    """

    name: str = "net.wait_tcp"
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    def validate(self, request: Tcp, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def preview(self, context: PreviewContext, request: Tcp, /) -> Preview:
        """A wait changes nothing (PV-5)."""
        return _no_change(f"waits for {place(request.host, request.port)}")

    async def execute(self, context: Context, request: Tcp, /) -> TcpResult:
        """Look until it is so."""
        return await wait(context, lambda: _tcp.look(request), request.every)


class WaitTls(ActionPlugin[Tls, TlsResult]):
    """Wait until a certificate is as it should be: after a renewal, for example.

    A wait changes nothing, so after a crash of the engine it simply waits again.

    Args:
        now: What time it is, to count the days that are left.
    """

    name: str = "net.wait_tls"
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        self._now = now

    def validate(self, request: Tls, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def preview(self, context: PreviewContext, request: Tls, /) -> Preview:
        """A wait changes nothing (PV-5)."""
        return _no_change(
            f"waits for the certificate of {place(request.host, request.port)}"
        )

    async def execute(self, context: Context, request: Tls, /) -> TlsResult:
        """Look until it is so."""
        return await wait(context, lambda: _tls.look(request, self._now), request.every)


class WaitDns(ActionPlugin[Dns, DnsResult]):
    """Wait until a name resolves as it should: after a change of a zone, for example.

    A wait changes nothing, so after a crash of the engine it simply waits again.
    """

    name: str = "net.wait_dns"
    retry: retries.RetryPolicy = retries.SECONDS
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    def validate(self, request: Dns, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def preview(self, context: PreviewContext, request: Dns, /) -> Preview:
        """A wait changes nothing (PV-5)."""
        return _no_change(f"waits for the name {request.name}")

    async def execute(self, context: Context, request: Dns, /) -> DnsResult:
        """Look until it is so."""
        return await wait(context, lambda: _dns.look(request), request.every)


class WaitPing(ActionPlugin[Ping, PingResult]):
    """Wait until a host answers to ping: after a restart, for example.

    A wait changes nothing, so after a crash of the engine it simply waits again.
    """

    name: str = "net.wait_ping"
    retry: retries.RetryPolicy = retries.SECONDS
    requires_programs: tuple[str, ...] = ("ping",)
    on_interrupt: OnInterrupt = OnInterrupt.RERUN

    def validate(self, request: Ping, /) -> None:
        """Refuse a request that can never work, with all its faults (V-19)."""
        check(request)

    async def init(self) -> None:
        """See that there is a program ``ping`` (REG-6)."""
        _ping.program()

    async def preview(self, context: PreviewContext, request: Ping, /) -> Preview:
        """A wait changes nothing (PV-5)."""
        return _no_change(f"waits for {request.host} to answer")

    async def execute(self, context: Context, request: Ping, /) -> PingResult:
        """Look until it is so."""
        return await wait(context, lambda: _ping.look(request), request.every)
