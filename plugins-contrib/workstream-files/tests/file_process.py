"""A process that carries out one action as an engine would, to be killed by tests.

``python file_process.py MODE PLUGIN KEYWORDS``: KEYWORDS are those of the request, as
JSON. MODE is ``run``; ``stall``: it stops for ever before the first rename; ``small``:
it may write no file of more than 64 KiB; ``user``: it is not root; ``race``: no mount
is seen beforehand. It tells on standard output what happens.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import trio

from workstream import PluginError
from workstream.plugins import NoSignals, NoteValue
from workstream_files import (
    CopyFile,
    CopyRequest,
    LinkRequest,
    RemovePath,
    RemoveRequest,
    SwitchLink,
    WriteFile,
    WriteRequest,
)
from workstream_files._changing.directory import Directory

NOBODY = 65534

PLUGINS: dict[str, tuple[Any, Any]] = {
    "write": (WriteFile(), WriteRequest),
    "copy": (CopyFile(), CopyRequest),
    "link": (SwitchLink(), LinkRequest),
    "remove": (RemovePath(), RemoveRequest),
}


class Attempt(NoSignals):
    """The context; its key is that of the tests."""

    plan_id = UUID(int=1)
    action_id = UUID(int=2)
    path = "Plan / Action"
    attempt = 1
    deadline: datetime | None = None
    idempotency_key = "key-of-this-test"
    notes: Mapping[str, NoteValue] = {}

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        pass

    async def remember(self, **notes: NoteValue) -> None:
        raise AssertionError


def stall(*_: object, **__: object) -> None:
    """What takes the place of a step that is never come to."""
    print("stalled", flush=True)
    while True:
        time.sleep(1000)


def no_mount(*_: object) -> bool:
    """What takes the place of a look for mounts."""
    return False


async def main(mode: str, name: str, keywords: dict[str, Any]) -> None:
    plugin, request_type = PLUGINS[name]
    if mode == "stall":
        # Of a removed directory it is what comes after the rename that takes time.
        setattr(os, "rmdir" if name == "remove" else "rename", stall)
    if mode == "small":
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
    if mode == "race":
        # As if it were mounted between the look and the rename.
        setattr(Directory, "is_mount", no_mount)  # noqa: B010
    if mode == "user" and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        print(await plugin.execute(Attempt(), request_type(**keywords)), flush=True)
    except PluginError as error:
        print("failed", error.message, flush=True)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
