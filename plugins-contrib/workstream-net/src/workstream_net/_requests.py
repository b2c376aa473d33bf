"""What the plugins are asked, and what they answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

import attrs


@attrs.frozen
class Tcp:
    """A port that answers: something accepts connections (``net.tcp``).

    Attributes:
        host: A name or an address. Of a name with several addresses, one that
            answers is enough.
        port: From 1 to 65535.
        banner: A regular expression (RE2) that the server's first words, unasked, must
            contain a match of: ``"^SSH-2"``, ``"^220 "``.
        closed: Whether the port must refuse connections instead, on every address of
            the host. No answer is no refusal.
        within: Seconds that one look may take.
        every: Seconds that a wait rests between two looks. A check looks once.
    """

    host: str
    port: int
    banner: str = attrs.field(default="", kw_only=True)
    closed: bool = attrs.field(default=False, kw_only=True)
    within: float = attrs.field(default=10.0, kw_only=True)
    every: float = attrs.field(default=1.0, kw_only=True)


@attrs.frozen
class TcpResult:
    """The result of a look at a port.

    Attributes:
        address: The address that answered; empty if the port had to be closed.
        banner: The first text of the server; only if the request has ``banner``.
        elapsed: Seconds that the last look took.
    """

    address: str
    banner: str
    elapsed: float


@attrs.frozen
class Tls:
    """A server whose certificate is trusted and stays valid for a while (``net.tls``).

    Attributes:
        host: A name or an address.
        port: From 1 to 65535.
        min_days: For how many days from now the certificate must still be valid.
        server_name: The name to ask for and to find in the certificate, if it is not
            ``host``. It lets you check one machine of many behind a name.
        ca_file: A file of certificate authorities (PEM) to trust in place of the
            system's. A self-signed certificate can stand there itself.
        starttls: The protocol in which the server is asked to go over to TLS:
            ``"smtp"`` or ``"postgres"``; "": it speaks TLS at once.
        within: Seconds that one look may take.
        every: Seconds that a wait rests between two looks. A check looks once.
    """

    host: str
    port: int = 443
    min_days: float = attrs.field(default=14.0, kw_only=True)
    server_name: str = attrs.field(default="", kw_only=True)
    ca_file: str = attrs.field(default="", kw_only=True)
    starttls: Literal["", "smtp", "postgres"] = attrs.field(default="", kw_only=True)
    within: float = attrs.field(default=10.0, kw_only=True)
    every: float = attrs.field(default=1.0, kw_only=True)


@attrs.frozen
class TlsResult:
    """The server's certificate.

    Attributes:
        address: The address that answered.
        protocol: The version of TLS that was agreed on, for example ``TLSv1.3``.
        subject: The owner of the certificate, for example ``CN=web.example``.
        issuer: The authority that signed it.
        names: The names and addresses it is valid for.
        not_after: When it expires.
        days_left: How many days that was away.
    """

    address: str
    protocol: str
    subject: str
    issuer: str
    names: tuple[str, ...]
    not_after: datetime
    days_left: float


@attrs.frozen
class Dns:
    """A name as this machine resolves it, by DNS or its own files (``net.dns``).

    Attributes:
        name: The name to look up.
        addresses: Addresses that must be among the answers; none: any will do.
        exactly: Whether there may be no other answers than ``addresses``.
        family: Which addresses to ask for.
        absent: Whether the name must not exist.
        within: Seconds that one look may take.
        every: Seconds that a wait rests between two looks. A check looks once.
    """

    name: str
    addresses: tuple[str, ...] = ()
    exactly: bool = attrs.field(default=False, kw_only=True)
    family: Literal["any", "ipv4", "ipv6"] = attrs.field(default="any", kw_only=True)
    absent: bool = attrs.field(default=False, kw_only=True)
    within: float = attrs.field(default=10.0, kw_only=True)
    every: float = attrs.field(default=1.0, kw_only=True)


@attrs.frozen
class DnsResult:
    """The addresses of a name.

    Attributes:
        addresses: Each once, IPv4 first, in numeric order.
    """

    addresses: tuple[str, ...]


@attrs.frozen
class Ping:
    """A host that answers to echo requests (``net.ping``), by the program ``ping``.

    Attributes:
        host: A name or an address.
        count: How many requests a look sends.
        interval: Seconds between them. Less than 0.2 is for root alone.
        max_loss: How many per cent of them may go without a reply.
        reply_within: Whole seconds to wait for the last reply.
        within: Seconds that one look may take.
        every: Seconds that a wait rests between two looks. A check looks once.
    """

    host: str
    count: int = attrs.field(default=3, kw_only=True)
    interval: float = attrs.field(default=0.5, kw_only=True)
    max_loss: float = attrs.field(default=0.0, kw_only=True)
    reply_within: int = attrs.field(default=2, kw_only=True)
    within: float = attrs.field(default=10.0, kw_only=True)
    every: float = attrs.field(default=1.0, kw_only=True)


@attrs.frozen
class PingResult:
    """The answers to a ping.

    Attributes:
        sent: How many requests were sent.
        received: How many replies came.
        loss: The share without a reply, in per cent.
        average: The mean time of a reply in milliseconds; None: ping did not say.
    """

    sent: int
    received: int
    loss: float
    average: float | None


AnyRequest: TypeAlias = Tcp | Tls | Dns | Ping
