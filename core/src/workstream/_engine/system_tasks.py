"""Keeps a system task that a plugin begins from ending the program when it crashes.

To trio a system task is a part of trio: if one raises, trio cancels everything and ends
the program. A plugin may begin one all the same (``trio.lowlevel.spawn_system_task``),
for example for a connection that outlives an attempt. Its crash must not reach other
plans (T-2).

trio tells an instrument of each new task before the task's first step. There we put our
own coroutine in the place of the task's: it awaits the plugin's, and logs what that
raises. We do so for what begins below the engine's own task, and for what such a task
begins: never for the system tasks of the program around us.
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import Any

import trio

from .._authoring.errors import leaves_of

log = logging.getLogger("workstream")


class PluginSystemTasks(trio.abc.Instrument):
    """Watches over the system tasks that plugins of one engine begin."""

    def __init__(self, engine: trio.lowlevel.Task) -> None:
        """Make a watch.

        Args:
            engine: The engine's own system task; its plugins' tasks are below it.
        """
        self._engine = engine
        self._of_plugins: set[trio.lowlevel.Task] = set()

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        """Watch over a new task, if it is a system task of a plugin."""
        if task.parent_nursery is not self._engine.parent_nursery:
            return
        if self._is_ours(trio.lowlevel.current_task()):
            self._of_plugins.add(task)
            watched: Any = self._watched(task, task.coro)
            task.coro = watched

    def _is_ours(self, task: trio.lowlevel.Task) -> bool:
        """Whether a task runs below the engine, or below a plugin's system task."""
        while task is not self._engine and task not in self._of_plugins:
            if task.parent_nursery is None:
                return False
            task = task.parent_nursery.parent_task
        return True

    async def _watched(
        self, task: trio.lowlevel.Task, body: Coroutine[Any, Any, Any]
    ) -> None:
        """Run a plugin's system task to its end, whatever that is."""
        try:
            await body
        except BaseException as error:
            crashes = [e for e in leaves_of(error) if not isinstance(e, trio.Cancelled)]
            if not crashes:
                raise
            # What it said may hold a secret, and nobody knows whose.
            log.error(
                "the system task %s of a plugin has crashed with %s; the plans go on "
                "without it",
                task.name,
                ", ".join(sorted({type(crash).__name__ for crash in crashes})),
            )
        finally:
            self._of_plugins.discard(task)
