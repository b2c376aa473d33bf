"""Ports for the servers of tests."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack

import pytest


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nothing listens on."""
    # Tests in other processes look for ports at the same time, each from elsewhere. Those
    # from 32768 on the kernel gives to whoever connects.
    for first in range(10000 + os.getpid() % 700 * 30, 32000, count):
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    listener = stack.enter_context(socket.socket())
                    listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    pytest.fail("no ports are free")
