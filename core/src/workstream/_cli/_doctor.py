"""``workstream doctor``."""

from __future__ import annotations

import sys

import click

from ._options import Hints, json_option, store_option

__all__ = ["command"]


@click.command("doctor")
@store_option
@json_option
def command(store: str | None, as_json: bool) -> int:
    """Look for what is wrong, and say what to do.

    The store: whether it opens, how large it is and may become, the room on its disk,
    who can open it; what dead readers left there is cleared. The plans: whether each
    can be read, what runs where, what has crashed. The plugins: what was left out, and
    which cannot be used, as each is made ready for use (`init`). The programs that they
    start. Nothing is run, and no plan is changed.

    Exit status: 0 all is well, 1 there is something to do.
    """
    from ._checkup import Checkup
    from ._data import print_json
    from ._exit_codes import ExitCode
    from ._findings import Level, show_findings
    from ._reading import run_async
    from ._screen import Screen
    from ._streams import stdout_kept_clear

    screen = Screen(sys.stderr if as_json else sys.stdout)
    checkup = Checkup(store, Hints(store))
    with screen.busy("looking at everything"), stdout_kept_clear(is_wanted=True):
        run_async(checkup.run)
    findings = checkup.findings
    is_well = all(finding.level is not Level.PROBLEM for finding in findings)
    if as_json:
        print_json(
            {
                "healthy": is_well,
                "findings": [finding.data() for finding in findings],
                "store": checkup.store_data,
            }
        )
    else:
        show_findings(screen, findings)
    return ExitCode.COMPLETED if is_well else ExitCode.FAILED
