"""Which certificate authorities a request trusts."""

from __future__ import annotations

import ssl

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
        """What is to be trusted for this request.

        Raises:
            PluginError: The file of certificate authorities cannot be used.
        """
        if not request.verify:
            return httpx2.create_ssl_context(verify=False)
        if request.ca_file:
            # Not kept: by the next attempt it may be another file of that name.
            try:
                return ssl.create_default_context(cafile=request.ca_file)
            except OSError as error:
                message = (
                    f"the certificate authorities in {request.ca_file!r} (ca_file) "
                    f"cannot be read: {error.strerror or error}"
                )
                raise PluginError(message, permanent=True) from error
        if self._system is None:
            self._system = await trio.to_thread.run_sync(httpx2.create_ssl_context)
        return self._system
