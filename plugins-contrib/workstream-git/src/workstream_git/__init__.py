"""Git as workstream actions and checks: it never asks, and leaves nothing half-done.

::

    GitCheckout.action(
        CheckoutRequest(url="https://git.example/app.git", path="/srv/app", revision=commit),
        name="Check out",
    )
    GitClean.action(CleanRequest(path="/srv/app"), name="Nobody changed it by hand")
"""

from ._plugins import (
    GitCheckout,
    GitClean,
    GitClone,
    GitExport,
    GitFetch,
    GitRef,
    workstream_plugins,
)
from ._requests import (
    CheckoutRequest,
    CheckoutResult,
    CleanRequest,
    CloneRequest,
    CloneResult,
    ExportRequest,
    ExportResult,
    FetchRequest,
    FetchResult,
    RefRequest,
    RefResult,
    Remote,
    TreeResult,
)

__all__ = [
    "CheckoutRequest",
    "CheckoutResult",
    "CleanRequest",
    "CloneRequest",
    "CloneResult",
    "ExportRequest",
    "ExportResult",
    "FetchRequest",
    "FetchResult",
    "GitCheckout",
    "GitClean",
    "GitClone",
    "GitExport",
    "GitFetch",
    "GitRef",
    "RefRequest",
    "RefResult",
    "Remote",
    "TreeResult",
    "workstream_plugins",
]

workstream_plugin_api = 1
