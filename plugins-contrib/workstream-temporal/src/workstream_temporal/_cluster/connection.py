"""The connection to a cluster, from a program on trio."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from typing import Any, TypeVar

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

from workstream._values.errors import StorageError

from .._trio_thread import AsyncioThread
from .encryption import converter

T = TypeVar("T")

_LOCATION = re.compile(r"(?P<target>[^/\s]+:\d+)(/(?P<namespace>[^/\s]+))?")


class Connection:
    """A namespace of a cluster, and the client that asks it."""

    def __init__(self, location: str) -> None:
        """Take ``HOST:PORT/NAMESPACE``; it connects when it is opened.

        Raises:
            StorageError: It is no such text.
        """
        found = _LOCATION.fullmatch(location)
        if found is None:
            message = (
                f"temporal:{location} names no cluster: write temporal:HOST:PORT or "
                "temporal:HOST:PORT/NAMESPACE"
            )
            raise StorageError(message)
        self._target = found["target"]
        self.namespace = found["namespace"] or "default"
        self._thread: AsyncioThread | None = None
        self._connected: Client | None = None

    @property
    def host(self) -> str:
        """Who runs the plans, for people."""
        return f"the Temporal cluster at {self._target}, namespace {self.namespace}"

    async def open(self) -> None:
        """Connect. Raises StorageError: see ``connect``."""
        self._thread = AsyncioThread()
        try:
            self._connected = await self._thread.call(self.connect())
        except StorageError:
            self.close()
            raise

    async def connect(self) -> Client:
        """A client of the cluster, for the asyncio loop that awaits it.

        TLS, an API key and headers are those of Temporal's own tools: the environment's
        ``TEMPORAL_TLS...``, ``TEMPORAL_API_KEY``, or its configuration file. Keys that
        encrypt are named by ``WORKSTREAM_TEMPORAL_KEYS``.

        Raises:
            StorageError: No server answers, or what is set cannot be used.
        """
        try:
            settings = ClientConfig.load_client_connect_config()
            settings["target_host"] = self._target
            settings["namespace"] = self.namespace
            # A keyring may ask a person, and keep the loop.
            payloads = await asyncio.to_thread(converter)
            return await Client.connect(**settings, data_converter=payloads)
        except (OSError, RuntimeError, ValueError) as error:
            message = f"no Temporal server answers at {self._target}: {error}"
            raise StorageError(message) from error

    def close(self) -> None:
        """Let go of the connection."""
        self._connected = None
        if self._thread is not None:
            self._thread.close()
            self._thread = None

    @property
    def client(self) -> Client:
        """The client; its coroutines are for ``ask``."""
        assert self._connected is not None, "the vault is not open"
        return self._connected

    async def ask(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Ask the server.

        Raises:
            StorageError: It does not answer, or refuses.
            RPCError: It knows no such workflow.
        """
        assert self._thread is not None, "the vault is not open"
        try:
            return await self._thread.call(coroutine)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise
            message = f"{self.host} does not do it: {error.message}"
            raise StorageError(message) from error

    def beside(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Let a coroutine go on beside, until the connection is closed."""
        assert self._thread is not None, "the vault is not open"
        self._thread.beside(coroutine)
