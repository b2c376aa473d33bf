"""HTTP for workstream plans: send requests, and check services.

::

    from workstream_http import HttpAction, HttpCheck, HttpCheckRequest, HttpRequest

    healthy = HttpCheck.action(
        HttpCheckRequest(url="https://web-1.example/health", contains="ok"),
        name="web-1 answers",
        retries=10,
    )
"""

from __future__ import annotations

from workstream import hookimpl

from ._plugins import HttpAction, HttpCheck
from ._requests import HttpCheckRequest, HttpRequest, HttpResponse

__all__ = [
    "HttpAction",
    "HttpCheck",
    "HttpCheckRequest",
    "HttpRequest",
    "HttpResponse",
    "workstream_plugins",
]

workstream_plugin_api = 1


@hookimpl
def workstream_plugins() -> list[HttpAction | HttpCheck]:
    """The plugins of this distribution: ``http.request`` and ``http.check``."""
    return [HttpAction(), HttpCheck()]
