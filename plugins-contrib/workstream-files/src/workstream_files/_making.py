"""From a request that makes a file to the file: what write, template and copy share."""

from __future__ import annotations

import stat
from collections.abc import Generator
from contextlib import contextmanager
from typing import TypeAlias

from workstream import Preview, SecretError

from ._previewing import foreseen_file
from ._replacing import Wanted, compare, replace
from ._requests import CopyRequest, FileChange, TemplateRequest, WriteRequest
from ._sources import Checked, Data, FileSource, Source, content_data, has_secret
from ._templates import render

__all__ = ["MakeRequest", "foresee_file", "make_file"]

MakeRequest: TypeAlias = WriteRequest | TemplateRequest | CopyRequest

PUBLIC_MODE, SECRET_MODE = 0o644, 0o600
PERMISSIONS = stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO


def make_file(request: MakeRequest, idempotency_key: str) -> FileChange:
    """Make the file, unless it is as wanted. For use in a thread.

    Raises:
        PluginError: It cannot be made; then what was there is as it was.
    """
    with _wanted(request) as wanted:
        return replace(wanted, idempotency_key)


def foresee_file(request: MakeRequest) -> Preview:
    """What would change; nothing is written. For use in a thread."""
    try:
        with _wanted(request) as wanted:
            return foreseen_file(wanted, compare(wanted), secret=_is_secret(request))
    except SecretError:
        return Preview(
            f"{request.path}: what it is to hold depends on a secret, which is not "
            "looked up here",
            changes=None,
        )


@contextmanager
def _wanted(request: MakeRequest) -> Generator[Wanted]:
    """What a request asks for; where it is another file, that is open meanwhile."""
    mode = SECRET_MODE if _is_secret(request) else PUBLIC_MODE
    if isinstance(request, CopyRequest):
        with FileSource.opened(request.source) as file:
            source = Checked(file, request.checksum, request.source)
            # Not what lets a program run with its owner's rights.
            yield _placed(request, source, file.found.st_mode & PERMISSIONS)
    elif isinstance(request, WriteRequest):
        yield _placed(request, Data(content_data(request.content)), mode)
    else:
        yield _placed(request, Data(render(request)), mode)


def _placed(request: MakeRequest, source: Source, new_mode: int) -> Wanted:
    return Wanted(
        path=request.path,
        source=source,
        mode=request.mode,
        new_mode=new_mode,
        owner=request.owner,
        group=request.group,
        parents=request.parents,
    )


def _is_secret(request: MakeRequest) -> bool:
    if isinstance(request, WriteRequest):
        return has_secret(request.content)
    return isinstance(request, TemplateRequest) and bool(request.secrets)
