"""One look-up of a name."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

import trio

from workstream import PluginError
from workstream.plugins import explained_timeout

from ._connect import reason
from ._requests import Dns, DnsResult

_FAMILIES = {
    "any": socket.AF_UNSPEC,
    "ipv4": socket.AF_INET,
    "ipv6": socket.AF_INET6,
}
_NO_SUCH_NAME = {
    getattr(socket, name)
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
    if hasattr(socket, name)
}


async def look(request: Dns) -> DnsResult:
    """See whether the name resolves as it should.

    Raises:
        PluginError: It does not. It may be tried again.
    """
    silent = f"the look-up of {request.name} gave no answer"
    async with explained_timeout(lambda: silent):
        with trio.move_on_after(request.within):
            try:
                answers = await trio.socket.getaddrinfo(
                    request.name,
                    None,
                    family=_FAMILIES[request.family],
                    type=socket.SOCK_STREAM,
                )
            except socket.gaierror as error:
                if request.absent and error.errno in _NO_SUCH_NAME:
                    return DnsResult(())
                message = f"{request.name} cannot be resolved: {reason(error)}"
                raise PluginError(message) from error
            return _judged(request, {str(answer[4][0]) for answer in answers})
        message = f"{silent} within {request.within:g} seconds (within)"
        raise PluginError(message)


def _judged(request: Dns, found: set[str]) -> DnsResult:
    answers = _ordered(found)
    resolves = f"{request.name} resolves to {_listed(answers)}"
    if request.absent:
        message = f"{resolves}, but should not exist"
        raise PluginError(message)
    wanted = _ordered(request.addresses)
    missing = [address for address in wanted if address not in answers]
    surplus = [address for address in answers if address not in wanted]
    faults: list[str] = []
    if missing:
        faults.append(f"expected {_listed(missing)} too")
    if surplus and request.exactly:
        faults.append(f"did not expect {_listed(surplus)}")
    if faults:
        message = f"{resolves}: {', and '.join(faults)}"
        raise PluginError(message)
    return DnsResult(tuple(str(address) for address in answers))


def _ordered(
    addresses: Iterable[str],
) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """As addresses, not as text: ``::1`` has other spellings."""
    found = {ipaddress.ip_address(address) for address in addresses}
    return sorted(found, key=lambda address: (address.version, int(address)))


def _listed(addresses: Iterable[object]) -> str:
    return ", ".join(map(str, addresses)) or "nothing"
