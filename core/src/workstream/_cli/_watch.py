"""``workstream watch``."""

from __future__ import annotations

import sys

import click

from ._options import Hints, optional_plan_argument, store_option

__all__ = ["command"]


@click.command("watch")
@optional_plan_argument
@click.option(
    "--after",
    metavar="POSITION",
    type=click.IntRange(min=0),
    help="Go on after this position of the plan's history; as JSON, each line tells "
    "its own.",
)
@store_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object a line, for programs."
)
def command(
    plan: str | None, after: int | None, store: str | None, as_json: bool
) -> int:
    """Follow a plan that any process runs, to its end.

    It shows what `workstream run` shows. A plan that is not started yet is waited for;
    one that has ended already is told of at once. Ctrl-C ends the watching alone: the
    plan goes on. PLAN is an id as `workstream list` shows it, its first digits, or
    `last`, the default.

    The exit status is the plan's, as of `workstream run`: 0 completed, 3 completed with
    tolerated failures, 1 failed, 4 stopped, 5 no process runs it any more.

    No plugin package is imported for this, and no secret is shown.
    """
    from ._exit_codes import INTERRUPTED
    from ._interrupts import interruptible
    from ._outcome import tell
    from ._reading import run_async
    from ._refusal import complain
    from ._screen import Screen, joined
    from ._watch_json import JsonView
    from ._watching import Watching

    hints = Hints(store)
    screen = Screen(sys.stderr if as_json else sys.stdout)
    view = JsonView() if as_json else None
    watching = Watching(store, plan, after, screen, view)
    try:
        result = run_async(lambda: interruptible(watching.run))
    except KeyboardInterrupt:
        if watching.position is not None and watching.row is not None:
            position = str(watching.position)
            again = hints.command("watch", watching.row.id, "--after", position)
            screen.line("no longer watched; the plan goes on")
            screen.line(joined(("watch on:  ", "dim"), again))
        else:
            complain("nothing was seen yet", "Interrupted")
        return INTERRUPTED
    if result is None:  # whoever read this has left
        return INTERRUPTED
    if view is not None:
        view.end(result, watching.position)
    else:
        tell(screen, [result], hints)
    return result.code
