"""A symbolic link that is switched in one step: it leads to the old or to the new."""

from __future__ import annotations

import os
import stat

from workstream import PluginError
from workstream.plugins import Preview, temporary_name

from .._requests import FileChange, LinkRequest
from .._threads import look_up
from .directory import Directory, opened
from .previewing import foreseen


def switch_link(request: LinkRequest, idempotency_key: str) -> FileChange:
    """Make the link, or switch it, unless it is as wanted. For use in a thread.

    Raises:
        PluginError: It cannot be; then it is as it was.
    """
    folder, name = os.path.split(request.path)
    temporary = temporary_name(idempotency_key)
    with opened(folder) as directory:
        directory.clear(temporary)
        details = _details(request, directory, name)
        if details:
            os.symlink(request.target, temporary, dir_fd=directory.fd)
            try:
                look_up()
                directory.rename(temporary, name)
            except BaseException:
                directory.unlink(temporary)
                raise
    return FileChange(path=request.path, changed=bool(details), details=details)


def foresee_link(request: LinkRequest) -> Preview:
    """What would change; nothing does. For use in a thread."""
    folder, name = os.path.split(request.path)
    with opened(folder) as directory:
        return foreseen(request.path, _details(request, directory, name))


def _details(request: LinkRequest, directory: Directory, name: str) -> tuple[str, ...]:
    if request.must_exist:
        try:
            os.stat(request.target, dir_fd=directory.fd)
        except (FileNotFoundError, NotADirectoryError) as error:
            message = (
                f"{request.path} would lead nowhere: there is no {request.target} (say "
                "must_exist=False if that is meant)"
            )
            raise PluginError(message) from error
    found = directory.look(name)
    if found is None:
        return (f"created: -> {request.target}",)
    if not stat.S_ISLNK(found.st_mode):
        what = "a directory" if stat.S_ISDIR(found.st_mode) else "a file"
        message = (
            f"{request.path} is {what}, not a symbolic link, and is not replaced by "
            "one: remove it first"
        )
        raise PluginError(message, permanent=True)
    old = os.readlink(name, dir_fd=directory.fd)
    return () if old == request.target else (f"target: {old} -> {request.target}",)
