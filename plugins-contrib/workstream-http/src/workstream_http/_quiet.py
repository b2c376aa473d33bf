"""Keep the HTTP library from logging secrets.

httpx2 logs the URL of each request at INFO, its query and all, and httpcore2 logs
every header at DEBUG. While an attempt of ours runs, their records are dropped: the
attempt reports what it does itself. Other users of the library in the same process
log as they did.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator
from contextvars import ContextVar

_quiet: ContextVar[bool] = ContextVar("workstream_http_quiet", default=False)

# A logger's filter is not asked about the records of its children.
_LOGGERS = (
    "httpx2",
    "httpcore2.connection",
    "httpcore2.http11",
    "httpcore2.http2",
    "httpcore2.proxy",
    "httpcore2.socks",
)


def _is_loud(record: logging.LogRecord) -> bool:
    return not _quiet.get()


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Drop what the HTTP library logs in this task."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_loud)  # adding it twice adds it once
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)
