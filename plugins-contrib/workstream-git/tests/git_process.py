"""A process that carries out one action as an engine would, to be killed by tests.

``python git_process.py NOTES PLUGIN KEYWORDS``: NOTES is a file that holds what is
remembered; KEYWORDS are those of the request, as JSON. It tells on standard output what
happens.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import trio

from workstream import PluginError
from workstream.plugins import NoSignals, NoteValue
from workstream_git import (
    CheckoutRequest,
    CloneRequest,
    FetchRequest,
    GitCheckout,
    GitClone,
    GitFetch,
)

PLUGINS: dict[str, tuple[Any, Any]] = {
    "checkout": (GitCheckout(), CheckoutRequest),
    "clone": (GitClone(), CloneRequest),
    "fetch": (GitFetch(), FetchRequest),
}


class FileContext(NoSignals):
    """A context whose notes outlive the process."""

    plan_id = UUID(int=1)
    action_id = UUID(int=2)
    path = "Plan / Action"
    attempt = 1
    deadline: datetime | None = None
    idempotency_key = "key-of-this-test"

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def notes(self) -> Mapping[str, NoteValue]:
        if not self._file.exists():
            return {}
        notes: dict[str, NoteValue] = json.loads(self._file.read_text())
        return notes

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        print("reported", message, flush=True)

    async def remember(self, **notes: NoteValue) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps({**self.notes, **notes}))
        os.replace(new, self._file)


async def main(notes: str, name: str, keywords: dict[str, Any]) -> None:
    plugin, request_type = PLUGINS[name]
    try:
        result = await plugin.execute(
            FileContext(Path(notes)), request_type(**keywords)
        )
        print("completed", result, flush=True)
    except PluginError as error:
        print("failed", error.message, flush=True)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
