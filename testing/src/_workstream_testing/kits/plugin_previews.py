"""One real preview of a plugin, interrupted or not, and what it left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import attrs

from workstream._protocols.plugin import AnyPlugin
from workstream._protocols.preview import Preview
from workstream._secrets.filling import resolve
from workstream._secrets.forms import hide

from .left_behind import tasks
from .watched_calls import Attempted, interrupted, watched


def ask(
    plugin: AnyPlugin,
    request: object,
    resolvers: Mapping[str, Callable[[str], str]],
    *,
    timeout: float,
    within: float,
    interrupt: int | None = None,
) -> Attempted:
    """Ask a plugin for one preview.

    Args:
        plugin: The plugin; it has a preview.
        request: What is asked.
        resolvers: Where its secrets come from.
        timeout: Seconds that it may take.
        within: Seconds in which it must end once it was cancelled.
        interrupt: At which of its steps it is cancelled, counted from 1.
    """
    return watched(_Asking(plugin, request, resolvers, timeout, interrupt), within)


@attrs.frozen
class _Context:
    """What a preview is told."""

    path: str = "Conformance / Block / Sequence / Request"
    deadline: datetime | None = None


class _Asking:
    """A preview under way.

    Attributes:
        due: When it should have ended or was cancelled, by the machine's clock.
        seen: What was seen.
    """

    def __init__(
        self,
        plugin: AnyPlugin,
        request: object,
        resolvers: Mapping[str, Callable[[str], str]],
        timeout: float,
        interrupt: int | None,
    ) -> None:
        self.seen = Attempted()
        self.due = time.monotonic() + timeout
        self._plugin = plugin
        self._request = request
        self._resolvers = resolvers
        self._timeout = timeout
        self._interrupt = interrupt

    def run(self) -> None:
        """Do it; for a thread."""
        import trio

        try:
            trio.run(self._main)
        except BaseException as error:
            self.seen.problem = f"{type(error).__name__}: {error}"

    async def _main(self) -> None:
        import trio
        import trio.testing

        before = tasks()
        seen = self.seen
        request, secrets = resolve(self._request, self._resolvers)
        plugin: Any = self._plugin
        asked = plugin.preview(_Context(), request)
        await interrupted(self, asked, self._interrupt, self._timeout)
        if isinstance(seen.response, Preview):
            found = seen.response
            text = "\n".join([found.summary, *found.details])
            seen.texts["its preview"] = hide(text, secrets)
        seen.texts["the error of its preview"] = hide(str(seen.error), secrets)
        await trio.testing.wait_all_tasks_blocked()
        seen.left += [f"a task: {task.name}" for task in tasks() - before]
