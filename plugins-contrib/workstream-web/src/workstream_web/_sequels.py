"""What follows from a plan that has ended: its retry, and what takes it back.

The server imports no plugin package, and runs no plan. So the command line does both, in
a process of its own, as whoever holds the token: the new plan runs on without the server.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from uuid import UUID

import attrs
import trio

from workstream import ValidationError

from ._verbs import Order

_AT_ONCE = 2
"""So many previews and starts at once; others wait."""
_LONGEST = 200_000
"""Characters of a preview that are shown."""

SEQUEL_VERBS = ("retry", "undo")


@attrs.frozen
class Sequels:
    """Makes plans that follow from those of a store.

    Attributes:
        where: What was given as ``--store``.
    """

    where: str | None
    _places: trio.CapacityLimiter = attrs.field(
        factory=lambda: trio.CapacityLimiter(_AT_ONCE)
    )

    async def preview(self, verb: str, plan_id: UUID, order: Order) -> str:
        """What it would do and change, in words; nothing is run, and nothing stored.

        Raises:
            ValidationError: It cannot be made; the error says why.
        """
        code, said, wrong = await self._run(verb, plan_id, order, ["--dry-run"])
        if not said.strip():
            raise ValidationError(_why(wrong))
        # What it cannot look up is part of the preview, and no reason to show none.
        return said[:_LONGEST] + (f"\n{wrong}" if code else "")

    async def begin(self, verb: str, plan_id: UUID, order: Order) -> UUID:
        """Submit it and let it run, in a process of its own; the new plan's id.

        Raises:
            ValidationError: It cannot be made, or did not begin; the error says why.
        """
        # Whoever asked may leave: what was begun is finished.
        begun: list[UUID] = []
        with trio.CancelScope(shield=True):
            options = ["--detach", "--json"]
            code, said, wrong = await self._run(verb, plan_id, order, options)
            if code:
                raise ValidationError(_why(wrong))
            begun.append(UUID(json.loads(said)["id"]))
        return begun[0]

    async def _run(
        self, verb: str, plan_id: UUID, order: Order, options: list[str]
    ) -> tuple[int, str, str]:
        """Run a command; its exit status, and what it said."""
        words = [sys.executable, "-P", "-m", "workstream", verb, str(plan_id), *options]
        words += [] if self.where is None else ["--store", self.where]
        words += ["--reason", order.reason]
        words += ["--again"] if order.flag("again") else []
        if verb == "retry" and order.flag("from_action"):
            words += ["--from-action"]
        for path in order.path.splitlines():
            words += ["--only", path.strip()]
        if any("\0" in word or not _is_text(word) for word in words):
            message = "the reason or the path holds what no command line can"
            raise ValidationError(message)
        environment = {
            **os.environ,
            "WORKSTREAM_BY": order.by,
            "NO_COLOR": "1",
            "COLUMNS": "100",
        }
        async with self._places:
            done = await trio.run_process(
                words,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                env=environment,
                stdin=subprocess.DEVNULL,
            )
        said, wrong = (
            each.decode(errors="replace") for each in (done.stdout, done.stderr)
        )
        return done.returncode, said, wrong


def _is_text(word: str) -> bool:
    """Whether it is text all through: JSON may hold halves of characters."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _why(said: str) -> str:
    """What the command line says when it refuses."""
    return (
        said.strip().removeprefix("Error: ")
        or "the command said nothing: look at the server's log"
    )
