"""``workstream resume``."""

from __future__ import annotations

import sys

import click

from ._options import Hints, json_option, optional_plan_argument, store_option

__all__ = ["command"]


@click.command("resume")
@optional_plan_argument
@store_option
@json_option
def command(plan: str | None, store: str | None, as_json: bool) -> int:
    """Go on with what a crash left behind, however long ago.

    Without PLAN, with every plan that is running by the store and that no process
    runs; plans that other processes run are left alone. What is recorded as done is
    not done again. PLAN is an id as `workstream list` shows it, its first digits, or
    `last`.

    The exit status is that of `workstream run`; of several plans, the one that matters
    most: 5, then 2 (it cannot be resumed here), 1, 4, 3, 0.
    """
    from ._data import print_json
    from ._exit_codes import worst
    from ._outcome import tell
    from ._reading import run_async
    from ._resuming import Resuming
    from ._screen import Screen
    from ._streams import stdout_kept_clear

    hints = Hints(store)
    screen = Screen(sys.stderr if as_json else sys.stdout)
    resuming = Resuming(store, plan, screen, hints)
    with resuming.interrupts, stdout_kept_clear(as_json):
        results = run_async(resuming.run)
    if not results and not resuming.refused:
        screen.line("nothing to resume: no plan was left behind by a crash")
    tell(screen, results, hints)
    if as_json:
        print_json(
            {
                "plans": [result.data() for result in results],
                "refused": [
                    {"id": str(plan_id), "reason": str(error)}
                    for plan_id, error in resuming.refused.items()
                ],
            }
        )
    return worst([*(result.code for result in results), *resuming.refusal_codes])
