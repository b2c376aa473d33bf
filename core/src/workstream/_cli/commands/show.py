"""The command ``show``. It imports no event loop: to read a plan, it waits for nothing."""

from __future__ import annotations

import json

import click

from ..._codec.json_text import to_json
from ..._protocols.vault import Vault
from ..._show.data import overview_data
from ..._show.overview import Overview, overview_in
from ..._store.ids import find_row
from ..call import (
    Call,
    command,
    json_option,
    last_plan_argument,
    read_alone,
    report_in,
    store_option,
)
from ..draw.page import show_page
from ..streams import ExitCode, print_json


@command("show", last_plan_argument, store_option, json_option)
@click.option(
    "--all", "everything", is_flag=True, help="Every object, request and attempt."
)
def show(call: Call, plan: str, everything: bool) -> int:
    """Show one plan: what failed where, and why.

    It prints the outcome, each failure with its error and the action's last lines, what
    runs now, and the plan as a tree in which successful parts are shortened. PLAN is an
    id as `workstream list` shows it, its first digits, or `last`, the default; or a file
    that `workstream report` wrote.

    It imports no plugin package, and shows no secret.
    """

    brief = not (call.as_json or everything)
    report = report_in(plan)

    async def read(vault: Vault) -> Overview:
        row = await find_row(vault, plan)
        return await overview_in(vault, row.id, kin=True, brief=brief)

    shown = report.shown if report is not None else read_alone(call.store, read)
    if call.as_json:
        print_json({**overview_data(shown), "plan": json.loads(to_json(shown.plan))})
        return ExitCode.COMPLETED
    call.file = None if report is None else plan
    show_page(call, shown, everything=everything)
    return ExitCode.COMPLETED
