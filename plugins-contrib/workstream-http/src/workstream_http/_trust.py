"""Which certificate authorities a request trusts."""

from __future__ import annotations

import errno
import os
import ssl
import stat

import httpx2
import trio

from workstream import PluginError

from ._requests import AnyRequest


class TrustStore:
    """The system's certificate authorities, read when they are first needed.

    Reading them takes some 40 ms, so they are kept, and read beside the event loop.
    """

    def __init__(self) -> None:
        self._system: ssl.SSLContext | None = None

    async def context(self, request: AnyRequest) -> ssl.SSLContext:
        """What is to be trusted for this request, and our own certificate.

        Raises:
            PluginError: A file of certificates cannot be used.
        """
        if request.verify and not (request.ca_file or request.cert_file):
            if self._system is None:
                self._system = await trio.to_thread.run_sync(httpx2.create_ssl_context)
            return self._system
        # Not kept: by the next attempt they may be other files of these names.
        return await trio.to_thread.run_sync(_loaded, request)


def _loaded(request: AnyRequest) -> ssl.SSLContext:
    """A context of the request's own. For a thread: it reads files."""
    if request.ca_file:
        try:
            _see_that_it_ends(request.ca_file)
            context = ssl.create_default_context(cafile=request.ca_file)
        except OSError as error:
            message = (
                f"the certificate authorities in {request.ca_file!r} (ca_file) "
                f"cannot be read: {_why(error)}"
            )
            raise PluginError(message, permanent=True) from error
    else:
        context = httpx2.create_ssl_context(verify=request.verify)
    if request.cert_file:
        _identify(context, request)
    return context


def _identify(context: ssl.SSLContext, request: AnyRequest) -> None:
    """Load our own certificate and its key."""
    asked = False

    def password() -> str:
        # Without an answer OpenSSL would ask for one at the terminal.
        nonlocal asked
        asked = True
        return request.key_password.reveal() if request.key_password else ""

    names = f"{request.cert_file!r} (cert_file)"
    if request.key_file:
        names += f" and {request.key_file!r} (key_file)"
    try:
        for path in filter(None, (request.cert_file, request.key_file)):
            _see_that_it_ends(path)
        context.load_cert_chain(request.cert_file, request.key_file or None, password)
    except OSError as error:
        why = _why(error)
        if asked and isinstance(error, ssl.SSLError):
            why = "the private key is encrypted, and key_password does not open it"
        # Not chained: it is about a password.
        message = f"the client certificate in {names} cannot be used: {why}"
        raise PluginError(message, permanent=True) from None


def _see_that_it_ends(path: str) -> None:
    """Refuse a pipe: nobody can interrupt the reading of one that nobody writes to."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")


def _why(error: OSError) -> str:
    """Why a file of certificates cannot be used."""
    if not isinstance(error, ssl.SSLError):
        return error.strerror or str(error)
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the private key belongs to another certificate"
    return f"it is no PEM file with all that is needed ({error.strerror or error})"
