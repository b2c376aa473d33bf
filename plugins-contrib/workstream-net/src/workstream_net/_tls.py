"""One look at the certificate of a TLS server."""

from __future__ import annotations

import errno
import os
import ssl
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import trio

from workstream import PluginError
from workstream.plugins import explained_timeout

from ._connect import connect, place, reason
from ._requests import Tls, TlsResult
from ._starttls import go_over

Certificate: TypeAlias = dict[str, Any]
"""A certificate as ``ssl`` describes it."""

_DAY = timedelta(days=1)


async def look(request: Tls, now: Callable[[], datetime]) -> TlsResult:
    """See whether the certificate is trusted, for the name, and for long enough.

    Raises:
        PluginError: It is not; permanent if ``ca_file`` cannot be used.
    """
    where = place(request.host, request.port)
    waited = f"{where} was waited for: to connect"
    late = f"{where} did not answer within {request.within:g} seconds (within)"
    async with explained_timeout(lambda: waited):
        with trio.move_on_after(request.within):
            # Reading the system's authorities takes some 40 ms, so it is done beside the
            # loop.
            context = await trio.to_thread.run_sync(_context, request.ca_file)
            stream = await connect(request.host, request.port)
            async with stream:
                address = str(stream.socket.getpeername()[0])
                if request.starttls:
                    waited = f"{where} was waited for: to go over to TLS, in "
                    waited += request.starttls
                    await go_over(stream, request.starttls, where)
                waited = f"{where} was waited for: to agree on TLS"
                secure = trio.SSLStream(
                    stream, context, server_hostname=request.server_name or request.host
                )
                try:
                    await secure.do_handshake()
                    certificate: Certificate = secure.getpeercert()
                    protocol = str(secure.version())
                except trio.BrokenResourceError as error:
                    raise _not_agreed(request, error.__cause__ or error) from error
                finally:
                    await trio.aclose_forcefully(secure)  # nobody waits for a farewell
            return _judged(request, address, protocol, certificate, now())
        raise PluginError(late)


def _context(ca_file: str) -> ssl.SSLContext:
    try:
        if ca_file and not stat.S_ISREG(os.stat(ca_file).st_mode):
            # Nobody can interrupt the reading of a pipe that nobody writes to.
            raise OSError(errno.EINVAL, "it is no regular file")
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        message = (
            f"the certificate authorities in {ca_file!r} (ca_file) cannot be read: "
            f"{error.strerror or error}"
        )
        raise PluginError(message, permanent=True) from error


def _not_agreed(request: Tls, error: BaseException) -> PluginError:
    where = place(request.host, request.port)
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = "" if request.ca_file or "expired" in str(error) else " (see ca_file)"
        message = f"the certificate of {where} is not trusted: "
        return PluginError(f"{message}{error.verify_message}{advice}")
    hint = ""
    if isinstance(error, ssl.SSLError) and not request.starttls:
        hint = " (if it begins without TLS, see starttls)"
    return PluginError(f"{where} does not speak TLS with us: {reason(error)}{hint}")


def _judged(
    request: Tls,
    address: str,
    protocol: str,
    certificate: Certificate,
    now: datetime,
) -> TlsResult:
    expiry = ssl.cert_time_to_seconds(certificate["notAfter"])
    not_after = datetime.fromtimestamp(expiry, UTC)
    days_left = (not_after - now) / _DAY
    if days_left < request.min_days:
        message = (
            f"the certificate of {place(request.host, request.port)} expires on "
            f"{not_after:%Y-%m-%d at %H:%M} UTC, in {days_left:.1f} days; expected at "
            f"least {request.min_days:g}"
        )
        raise PluginError(message)
    return TlsResult(
        address=address,
        protocol=protocol,
        subject=_distinguished(certificate.get("subject", ())),
        issuer=_distinguished(certificate.get("issuer", ())),
        names=tuple(value for _, value in certificate.get("subjectAltName", ())),
        not_after=not_after,
        days_left=days_left,
    )


def _distinguished(name: Any) -> str:
    """A distinguished name on one line."""
    return ", ".join(f"{_SHORT.get(k, k)}={v}" for part in name for k, v in part)


_SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
}
