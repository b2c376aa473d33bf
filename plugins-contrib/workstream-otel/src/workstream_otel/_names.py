"""Every name that goes to a receiver, in one table.

Dashboards and alerts are written against these names, so they are pinned: a test compares
those that are OpenTelemetry's with its own conventions, and the documentation shows this
table. A name that is marked as standard means what the conventions for CI/CD, errors and
exceptions say; the others begin with ``workstream.``.
"""

from __future__ import annotations

from typing import Final

import attrs

SCOPE: Final = "workstream"
"""The instrumentation scope of all spans and metrics, and the service's usual name."""
ACTION: Final = "RUN"
"""The value of ``cicd.pipeline.action.name``, and how the root span's name begins."""

# --- attributes -------------------------------------------------------------------------

PIPELINE: Final = "cicd.pipeline.name"
ACTION_NAME: Final = "cicd.pipeline.action.name"
RUN_ID: Final = "cicd.pipeline.run.id"
RUN_STATE: Final = "cicd.pipeline.run.state"
RESULT: Final = "cicd.pipeline.result"
TASK: Final = "cicd.pipeline.task.name"
TASK_RUN_ID: Final = "cicd.pipeline.task.run.id"
TASK_RESULT: Final = "cicd.pipeline.task.run.result"
ERROR_TYPE: Final = "error.type"
EXCEPTION: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"

PLAN_NAME: Final = "workstream.plan.name"
OUTCOME: Final = "workstream.plan.outcome"
REASONS: Final = "workstream.plan.reasons"
SUBMITTER: Final = "workstream.plan.submitter"
RETRY_OF: Final = "workstream.plan.retry_of"
UNDO_OF: Final = "workstream.plan.undo_of"
LINK: Final = "workstream.link"
PATH: Final = "workstream.path"
KIND: Final = "workstream.object.kind"
STATUS: Final = "workstream.object.status"
PLUGIN: Final = "workstream.plugin"
ATTEMPT: Final = "workstream.attempt.number"
ATTEMPT_OUTCOME: Final = "workstream.attempt.outcome"
INTERVENTION: Final = "workstream.intervention"
VERB: Final = "workstream.intervention.verb"
BY: Final = "workstream.intervention.by"
REASON: Final = "workstream.intervention.reason"
ABOUT: Final = "workstream.intervention.path"
EFFECT: Final = "workstream.intervention.effect"

# --- metrics ----------------------------------------------------------------------------

RUN_DURATION: Final = "cicd.pipeline.run.duration"
RUN_ACTIVE: Final = "cicd.pipeline.run.active"
RUN_ERRORS: Final = "cicd.pipeline.run.errors"
ATTEMPT_DURATION: Final = "workstream.attempt.duration"
RETRIES: Final = "workstream.attempt.retries"
HOLDS: Final = "workstream.plan.holds"
MISSED: Final = "workstream.observer.missed"


@attrs.frozen
class Name:
    """One name.

    Attributes:
        name: The name.
        where: What bears it.
        meaning: What it says.
        unit: Of a metric, its unit.
    """

    name: str
    where: str
    meaning: str
    unit: str = ""

    @property
    def is_standard(self) -> bool:
        """Whether it is one of OpenTelemetry's own conventions."""
        return not self.name.startswith("workstream.")


ATTRIBUTES: tuple[Name, ...] = (
    Name(PIPELINE, "root span, metrics of plans", "the plan's file, such as `deploy`"),
    Name(ACTION_NAME, "root span", f"`{ACTION}`"),
    Name(RUN_ID, "root span", "the plan's id"),
    Name(RUN_STATE, "metrics of plans", "`executing`"),
    Name(
        RESULT,
        "root span, run duration",
        "`success`, `failure`, `cancellation` (stopped) or `error` (abandoned)",
    ),
    Name(TASK, "span of an action", "its name"),
    Name(TASK_RUN_ID, "span of an action", "its id"),
    Name(
        TASK_RESULT,
        "span of an action",
        "`success`, `failure`, `cancellation` or `skip`",
    ),
    Name(
        ERROR_TYPE,
        "whatever failed",
        "`timeout`, `interrupted`, the plugin and its code (`command.run:1`), or "
        "`_OTHER`; of a plan, its first reason (`block`)",
    ),
    Name(EXCEPTION, "event of a span that failed", "the error of an attempt"),
    Name(EXCEPTION_TYPE, "that event", "as `error.type`"),
    Name(EXCEPTION_MESSAGE, "that event", "the error, secrets hidden"),
    Name(PLAN_NAME, "root span", "the plan's name"),
    Name(
        OUTCOME,
        "root span, run duration",
        "the outcome in words, such as `completed with failures`",
    ),
    Name(REASONS, "root span", "why it failed or was stopped, the first one first"),
    Name(SUBMITTER, "root span", "who submitted it"),
    Name(RETRY_OF, "root span", "the id of the plan that it retries"),
    Name(UNDO_OF, "root span", "the id of the plan that it takes back"),
    Name(LINK, "link of a root span", "`retry of` or `undo of` the plan it leads to"),
    Name(PATH, "every span but the root", "the object's path in the plan"),
    Name(
        KIND,
        "every span",
        "`plan`, `block`, `sequence`, `deferred actions`, `batch`, `check group`, "
        "`action` or `attempt`",
    ),
    Name(STATUS, "every span but those of attempts", "the status, such as `COMPLETED`"),
    Name(PLUGIN, "actions and attempts, metrics of attempts", "the plugin's name"),
    Name(ATTEMPT, "span of an attempt", "counted from 1"),
    Name(
        ATTEMPT_OUTCOME,
        "attempts, metrics of attempts",
        "`completed`, `failed`, `timed out` or `interrupted` (by a crash)",
    ),
    Name(INTERVENTION, "event of the root span", "a person told the plan something"),
    Name(VERB, "that event, holds", "what, such as `pause`"),
    Name(BY, "that event", "who"),
    Name(REASON, "that event", "why, in their words"),
    Name(ABOUT, "that event", "the path of what it was about"),
    Name(EFFECT, "that event", "`taken`, `too late` or `refused`"),
)
"""The names of attributes and events."""

METRICS: tuple[Name, ...] = (
    Name(
        RUN_DURATION,
        "histogram",
        "how long plans took; its count: plans by outcome",
        "s",
    ),
    Name(RUN_ACTIVE, "up-down counter", "plans that run in this process", "{run}"),
    Name(RUN_ERRORS, "counter", "actions that failed, tolerated or not", "{error}"),
    Name(
        ATTEMPT_DURATION,
        "histogram",
        "how long attempts took; its count: attempts by plugin and outcome",
        "s",
    ),
    Name(RETRIES, "counter", "attempts that were not the first", "{attempt}"),
    Name(HOLDS, "counter", "pauses and freezes that took effect", "{hold}"),
    Name(MISSED, "counter", "how often changes of a plan were missed", "{gap}"),
)
"""The names of metrics."""


def table() -> str:
    """Both tables, as the documentation shows them."""
    lines = [
        "| Attribute or event | Standard | On | Meaning |",
        "| --- | --- | --- | --- |",
    ]
    for each in ATTRIBUTES:
        standard = "yes" if each.is_standard else ""
        lines.append(f"| `{each.name}` | {standard} | {each.where} | {each.meaning} |")
    lines += [
        "",
        "| Metric | Standard | Instrument | Unit | Meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    for each in METRICS:
        standard = "yes" if each.is_standard else ""
        lines.append(
            f"| `{each.name}` | {standard} | {each.where} | `{each.unit}` | {each.meaning} |"
        )
    return "\n".join(lines)
