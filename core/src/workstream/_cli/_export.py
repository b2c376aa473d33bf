"""``workstream export``."""

from __future__ import annotations

from pathlib import Path

import click

from ._options import optional_plan_argument, store_option

__all__ = ["command"]


@click.command("export")
@optional_plan_argument
@click.option(
    "--with-secrets",
    is_flag=True,
    help="Keep the secrets that the plan holds, so that it can be run again.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write, whole or not at all; by default, standard output.",
)
@store_option
def command(
    plan: str | None, with_secrets: bool, output: Path | None, store: str | None
) -> int:
    """Write a plan as JSON: to keep it, to look into it, or to run it again.

    All that was recorded of it is there too; `workstream run FILE.json` leaves that
    aside, and runs the plan from its beginning. Secrets are hidden, and a plan of which
    one was hidden is not run; references to secrets are no secrets and stay. A file
    with secrets can be read by you alone. PLAN is an id as `workstream list` shows it,
    its first digits, or `last`, the default.

    No plugin package is imported for this.
    """
    import sys

    from .._codec.codec import Codec
    from .._codec.json_text import to_json
    from .._plan.plan import Plan
    from .._store.ids import LAST, find_row
    from ._exit_codes import ExitCode
    from ._exporting import hidden, write_file
    from ._reading import opened, run_async
    from ._refusal import Refusal, complain
    from ._streams import Forgiving

    async def read() -> Plan:
        async with opened(store) as vault:
            found = await find_row(vault, plan or LAST)
            return Codec(None).load(await vault.read(found.id))

    found = run_async(read)
    shown = found if with_secrets else hidden(found)
    try:
        text = to_json(shown, with_secrets=True) + "\n"
    except TypeError as error:
        message = f"the plan cannot be written as JSON: {error}"
        raise Refusal(message) from error
    if output is None or str(output) == "-":
        stream = Forgiving(sys.stdout)
        stream.write(text)
        stream.flush()
    else:
        write_file(output, text, private=with_secrets)
    if shown.scrubbed:
        complain(
            "its secrets are hidden, so that it cannot be run; --with-secrets keeps them",
            "note",
        )
    return ExitCode.COMPLETED
