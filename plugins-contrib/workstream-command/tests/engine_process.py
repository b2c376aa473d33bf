"""A process that carries out one command as an engine would, to be killed by tests.

``python engine_process.py NOTES MODE SCRIPT GRACE``: NOTES is a file that holds what is
remembered. MODE is ``run``, ``reconcile``, or ``stall``: then it never comes to store
a note. It tells on standard output what happens, a word and a text a line.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from uuid import UUID

import trio

from workstream import PluginError
from workstream.plugins import NoSignals, NoteValue
from workstream_command import RunCommand, Shell


def say(word: str, text: object) -> None:
    print(word, text, flush=True)


class FileContext(NoSignals):
    """A context whose notes outlive the process."""

    plan_id = UUID(int=1)
    action_id = UUID(int=2)
    path = "Plan / Block / Sequence / Action"
    attempt = 1
    deadline: datetime | None = None
    idempotency_key = "key-of-this-test"

    def __init__(self, file: Path, *, stalls: bool) -> None:
        self._file = file
        self._stalls = stalls

    @property
    def notes(self) -> Mapping[str, NoteValue]:
        if not self._file.exists():
            return {}
        notes: dict[str, NoteValue] = json.loads(self._file.read_text())
        return notes

    def report(
        self, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        say("reported", message)

    async def remember(self, **notes: NoteValue) -> None:
        if self._stalls:
            say("started", notes["pid"])
            await trio.sleep_forever()
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps({**self.notes, **notes}))
        os.replace(new, self._file)


async def main(file: str, mode: str, script: str, grace: str) -> None:
    context = FileContext(Path(file), stalls=mode == "stall")
    plugin = RunCommand()
    request = Shell(script, grace=float(grace))
    try:
        if mode == "reconcile":
            say("reconciled", repr(await plugin.reconcile(context, request)))
        else:
            result = await plugin.execute(context, request)
            say("completed", result.stdout.strip())
    except PluginError as error:
        say("failed", error.message)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4])
