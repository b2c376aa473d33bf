"""From a request that makes a file to the file: what write, template and copy share."""

from __future__ import annotations

import stat
from collections.abc import Generator
from contextlib import contextmanager
from typing import TypeAlias

from workstream.errors import SecretError
from workstream.plugins import Preview, explained_timeout

from .._requests import CopyRequest, FileChange, TemplateRequest, WriteRequest
from .._sources import Checked, Data, FileSource, Source, content_data, has_secret
from .._templates import render
from .._threads import in_thread
from .previewing import foreseen_file
from .replacing import Wanted, compare, replace

MakeRequest: TypeAlias = WriteRequest | TemplateRequest | CopyRequest

PUBLIC_MODE, SECRET_MODE = 0o644, 0o600
PERMISSIONS = stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO


async def make_file(request: MakeRequest, idempotency_key: str) -> FileChange:
    """Make the file, unless it is as wanted.

    Raises:
        PluginError: It cannot be made; then what was there is as it was.
    """
    content = await _content(request)

    def make() -> FileChange:
        with _wanted(request, content) as wanted:
            return replace(wanted, idempotency_key)

    text = f"{request.path} was still being written; it is as it was before"
    async with explained_timeout(lambda: text):
        return await in_thread(make)


async def foresee_file(request: MakeRequest) -> Preview:
    """What would change; nothing is written."""

    def foresee(content: bytes) -> Preview:
        with _wanted(request, content) as wanted:
            return foreseen_file(wanted, compare(wanted), secret=_is_secret(request))

    try:
        return await in_thread(foresee, await _content(request))
    except SecretError:
        return Preview(
            f"{request.path}: what it is to hold depends on a secret, which is not "
            "looked up here",
            changes=None,
        )


async def _content(request: MakeRequest) -> bytes:
    """The bytes of a new file; of a copy none, for they are read as they are written."""
    match request:
        case WriteRequest():
            return content_data(request.content)
        case TemplateRequest():
            return await render(request)
        case CopyRequest():
            return b""


@contextmanager
def _wanted(request: MakeRequest, content: bytes) -> Generator[Wanted]:
    """What a request asks for; where it is another file, that is open meanwhile."""
    mode = SECRET_MODE if _is_secret(request) else PUBLIC_MODE
    if isinstance(request, CopyRequest):
        with FileSource.opened(request.source) as file:
            source = Checked(file, request.checksum, request.source)
            # Not what lets a program run with its owner's rights.
            yield _placed(request, source, file.found.st_mode & PERMISSIONS)
    else:
        yield _placed(request, Data(content), mode)


def _placed(request: MakeRequest, source: Source, new_mode: int) -> Wanted:
    return Wanted(
        path=request.path,
        source=source,
        mode=request.mode,
        new_mode=new_mode,
        owner=request.owner,
        group=request.group,
        parents=request.parents,
        in_place=request.in_place,
    )


def _is_secret(request: MakeRequest) -> bool:
    if isinstance(request, WriteRequest):
        return has_secret(request.content)
    return isinstance(request, TemplateRequest) and bool(request.secrets)
