"""A report: one plan with all that happened, as a file holds it.

The file *is* the data: whoever has the file, and no store, can look at the plan, compare
it, or make the plan that does the rest. Secrets are removed before it is written.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

import attrs

from .._attempts.outcomes import CUT
from .._codec.json_text import from_json, to_json
from .._codec.records import row_of
from .._plan.paths import paths
from .._plan.plan import BaseAction, Plan
from .._protocols.plugin import Plugins
from .._show.data import overview_data
from .._show.failures import failures
from .._show.overview import Overview, overview
from .._store.entries import PlanEntry
from .._store.store import Store
from .._values.errors import Fault, ValidationError
from .columns import packed, unpacked

FORMAT = 1
"""The version of the file's data. A change that a reader would misread is a new one."""
DATA = "workstream-report"
"""The id of the element of a page that holds the data."""
_BLOCK = re.compile(rf'<script [^>]*id="{DATA}"[^>]*>([^<]*)</script>')
_BIGGEST = 1 << 30
"""So many bytes a report may unpack to; more is no report of a plan."""


@attrs.frozen(kw_only=True)
class Report:
    """One plan, and what is told of it.

    Attributes:
        shown: What a page shows first.
        plan: The plan as ``workstream export`` writes it, its secrets removed.
        made: When the report was made.
        hidden: The paths of the actions whose requests held secrets: the report does
            not, so they cannot be run from it.
    """

    shown: Overview
    plan: Plan
    made: datetime
    hidden: frozenset[str] = frozenset()


async def report_of(store: Store, plan_id: UUID, made: datetime) -> Report:
    """Look at a plan of the store.

    Raises:
        NotFoundError: No such plan.
        StorageError: It cannot be read.
    """
    shown = await overview(store, plan_id, kin=True)
    plan, hidden = shown.plan, frozenset[str]()
    # The other copy says that it is scrubbed only where a secret is gone.
    if plan.scrubbed:
        plan = await store.export(plan_id)
    if plan.scrubbed:
        hidden = _differ(await store.plan(plan_id), plan)
    return Report(shown=shown, plan=plan, made=made, hidden=hidden)


def _differ(plan: Plan, shown: Plan) -> frozenset[str]:
    """The paths of the actions that ask for something else than they are shown with."""
    return frozenset(
        path
        for (path, old), (_, new) in zip(paths(plan), paths(shown), strict=True)
        if isinstance(old.node, BaseAction)
        and isinstance(new.node, BaseAction)
        and old.node.request != new.node.request
    )


def document(report: Report) -> dict[str, Any]:
    """The report as plain data, complete: what ``workstream show`` tells, and the plan."""
    said = report.shown.said
    return {
        "format": FORMAT,
        "made": report.made.isoformat(),
        "summary": overview_data(report.shown),
        "said": {str(position): list(lines) for position, lines in said.items()},
        "hidden": sorted(report.hidden),
        "crashes": [
            {"at": at.isoformat(), "attempts": count}
            for at, count in crashes(report.plan)
        ],
        "plan": json.loads(to_json(report.plan, with_secrets=True, indent=None)),
    }


def crashes(plan: Plan) -> list[tuple[datetime, int]]:
    """When a process found that the one before it had ended, and what that had cut short.

    Returns:
        Each such time, and the number of attempts.
    """
    cut = Counter(
        attempt.ended
        for _, item in paths(plan)
        if isinstance(item.node, BaseAction)
        for attempt in item.node.attempts
        if attempt.interrupted and attempt.ended is not None
        # A stop cuts attempts short, too.
        if attempt.error is None or attempt.error.message != CUT
    )
    return sorted(cut.items())


def deflated(report: Report) -> str:
    """The report as columns, deflated, in base64: the data block of a page."""
    columns = json.dumps(packed(document(report)), separators=(",", ":"))
    return base64.b64encode(zlib.compress(columns.encode(), 9)).decode()


def read_report(text: str, plugins: Plugins | None = None) -> Report:
    """The report that a file holds: a page, or its data as JSON.

    Args:
        text: What the file holds.
        plugins: The registry, where the plan is to be run again.

    Raises:
        ValidationError: It is no report, or one of a later version.
    """
    try:
        data = _data(text)
        if data["format"] != FORMAT:
            _refuse(f"its format is {data['format']!r}; this version reads {FORMAT}")
        made = datetime.fromisoformat(data["made"])
        said = {int(position): lines for position, lines in data["said"].items()}
        plan = from_json(json.dumps(data["plan"]), plugins, keep_state=True)
        # Of a report that does not say: any of them may lack one.
        every = [path for path, _ in paths(plan)] if plan.scrubbed else []
        hidden = frozenset(data.get("hidden", every))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        if isinstance(error, ValidationError):
            raise
        _refuse(f"its data cannot be read: {error!r}")
    if plan.id is None:
        _refuse("its plan has no id")
    return attrs.evolve(report_of_ended(plan, made, said), hidden=hidden)


def report_of_ended(
    plan: Plan, made: datetime, said: Mapping[int, Sequence[str]] | None = None
) -> Report:
    """The report of a plan that is in no store.

    Args:
        plan: The plan at its end, its secrets removed; it has its ids.
        made: When the report was made.
        said: What actions last said, by position.
    """
    shown = Overview(
        entry=PlanEntry(row_of(plan)),
        plan=plan,
        failures=tuple(failures(plan)),
        running=(),
        requests=(),
        said=said or {},
    )
    return Report(shown=shown, plan=plan, made=made)


def _data(text: str) -> dict[str, Any]:
    block = _BLOCK.search(text)
    if block is None:
        return dict(json.loads(text))
    try:
        inflate = zlib.decompressobj()
        columns = inflate.decompress(base64.b64decode(block[1]), _BIGGEST)
        if inflate.unconsumed_tail or not inflate.eof:
            _refuse("its data is cut off, or larger than any plan")
    except (zlib.error, binascii.Error) as error:
        _refuse(f"its data is damaged: {error}")
    return dict(unpacked(json.loads(columns)))


def _refuse(why: str) -> NoReturn:
    message = "this is no report of a plan"
    raise ValidationError(
        message, [Fault(path="the report", field="", rule="UI-3", message=why)]
    )
