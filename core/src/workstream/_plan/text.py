"""A plan as text, for terminals, logs and snapshots.

::

    Deploy server: completed with failures, 4m
      Web tier: completed, 4m (concurrency=5, tolerated_failures=2)
        web-3: failed, 1s
          Copy: failed, 1s
            acme.copy CopyRequest(host='web-3')
            attempt 1: 1s, failed permanently: disk full

Each line begins with the object's label, so that its path can be read off (OM-15).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import attrs

from .._flow.late import Flowing, Late
from .._secrets.references import StoredValue
from .._values.display import display_lines, shorten
from .._values.durations import duration_text
from .._values.state import Attempt, State, Status
from .clone import clone
from .paths import SEPARATOR, paths
from .plan import BaseAction, Block, Checks, Node, Percent, Plan
from .shape import SHAPES

_INDENT = "  "

# What has a place of its own in the text, so that it is no setting.
_SHOWN_ELSEWHERE = {"name", "description", "plugin", "request", "origin"}


def plan_text(plan: Plan, *, ids: bool = False, times: bool = False) -> str:
    """The plan as text: a line for each object, with its state and its settings.

    Secrets are removed (CL-3), and everything is safe to write to a terminal. Settings
    that have their default are left out, and so is the status of a plan that was never
    started. Without ids and times the text of two equal runs is the same.

    Args:
        plan: A plan in any state. It is not changed.
        ids: Whether to show the ids that the engine gave.
        times: Whether to show when things began and ended, in UTC, and not only how
            long they took.
    """
    shown = clone(plan, keep_state=True, scrub=True)
    writer = _Writer(
        ids=ids, times=times, states=shown.state.status is not Status.NOT_STARTED
    )
    lines: list[str] = []
    for path, item in paths(shown):
        # A label holds no separator, whatever the name was.
        label = path.rpartition(SEPARATOR)[2]
        depth = len(item.ancestors)
        lines.append(_INDENT * depth + writer.headline(label, item.node))
        inner = _INDENT * (depth + 1)
        lines += [(inner + line).rstrip() for line in writer.details(item.node)]
    return "\n".join(lines) + "\n"


def value_text(value: object, limit: int = 200) -> str:
    """A value of a plan on one line, for people, without fields that have their default.

    It removes no secrets: hand it a value of a plan that was scrubbed.

    Args:
        value: Any value.
        limit: How many characters it may take; of a longer one the middle is cut out.
    """
    try:
        return shorten(_compact(value), limit)
    except Exception as error:
        # A request's class is a stranger's; showing a plan must not fail with it.
        return f"<{type(value).__name__}: its repr raises {type(error).__name__}>"


def _compact(value: object) -> str:
    """The value on one line, however long."""
    kind = type(value)
    if isinstance(value, StoredValue):
        return _compact(value.data)
    if isinstance(value, Flowing):
        return f"<{value}>"
    if isinstance(value, Late):
        given = value.arguments.items()
        named = (f"{name}={_compact(part)}" for name, part in given)
        return f"{value.made.__name__}({', '.join(named)})"
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, Percent):
        return str(value)
    if isinstance(value, datetime):
        return _time_text(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    if kind is dict:
        entries = cast("dict[object, object]", value).items()
        inside = (f"{_compact(key)}: {_compact(entry)}" for key, entry in entries)
        return f"{{{', '.join(inside)}}}"
    if kind is list:
        return f"[{', '.join(map(_compact, cast('list[object]', value)))}]"
    if kind is tuple:
        items = cast("tuple[object, ...]", value)
        comma = "," if len(items) == 1 else ""
        return f"({', '.join(map(_compact, items))}{comma})"
    if attrs.has(kind):
        return f"{kind.__name__}({', '.join(_fields_text(value))})"
    return repr(value)


def _fields_text(record: object) -> Iterator[str]:
    """The fields of a record that have not their default."""
    for field in attrs.fields(cast("type[attrs.AttrsInstance]", type(record))):
        entry: object = getattr(record, field.name)
        if field.repr is False or entry == _default(field, record):
            continue
        shown = field.repr(entry) if callable(field.repr) else _compact(entry)
        yield f"{field.name}={shown}"


def _default(field: attrs.Attribute[Any], record: object) -> object:
    """The default of a field."""
    default: Any = field.default
    # Type checkers are told that Factory is a function.
    if not isinstance(default, cast("type[Any]", attrs.Factory)):
        return default
    return default.factory(record) if default.takes_self else default.factory()


@attrs.frozen
class _Writer:
    """What is asked of the text, and the lines of one object."""

    ids: bool
    times: bool
    states: bool

    def headline(self, label: str, node: Node) -> str:
        """The first line of an object."""
        state = [
            *([_status_text(node)] if self.states else []),
            *self._times(node.state),
        ]
        if isinstance(node, Checks) and node.missed:
            state.append(f"missed {node.missed:,}")
        after = f": {', '.join(state)}" if state else ""
        settings = [f"id={node.id}"] if self.ids and node.id is not None else []
        settings += _settings(node)
        listed = f" ({', '.join(settings)})" if settings else ""
        return f"{shorten(label)}{after}{listed}"

    def details(self, node: Node) -> Iterator[str]:
        """The lines below it."""
        yield from display_lines(str(getattr(node, "description", "")))
        if isinstance(node, Block):
            yield from _numbers(node)
        if isinstance(node, BaseAction):
            yield f"{shorten(node.plugin)} {value_text(node.request)}"
            for number, attempt in enumerate(node.attempts, start=1):
                yield from self._attempt(number, attempt)

    def _attempt(self, number: int, attempt: Attempt) -> Iterator[str]:
        """The lines of one attempt."""
        facts = list(self._times(attempt))
        facts += ["interrupted"] if attempt.interrupted else []
        facts += ["unresponsive"] if attempt.unresponsive else []
        if attempt.ended is None:
            facts.append("running")
        elif attempt.response is not None:
            facts.append(value_text(attempt.response))
        elif attempt.error is None:
            facts.append("completed")
        errors: list[str] = []
        if attempt.error is not None:
            first, *errors = display_lines(str(attempt.error), limit=400) or [""]
            how = "failed permanently" if attempt.error.permanent else "failed"
            facts.append(f"{how}: {first}" if first else how)
        yield f"attempt {number}: {', '.join(facts)}"
        yield from (_INDENT + line for line in errors)
        for name, note in attempt.notes.items():
            yield f"{_INDENT}noted {shorten(name)}={value_text(note)}"

    def _times(self, span: State | Attempt) -> Iterator[str]:
        """When it began and ended, and how long it took."""
        if self.times and span.started is not None:
            yield f"started {_time_text(span.started)}"
        if self.times and span.ended is not None:
            yield f"ended {_time_text(span.ended)}"
        if span.started is not None and span.ended is not None:
            yield duration_text(span.ended - span.started)


def _status_text(node: Node) -> str:
    """How far the object has come."""
    if not isinstance(node, Plan):
        return node.state.status.name.lower().replace("_", " ")
    reasons = ", ".join(reason.name for reason in node.reasons)
    stopping = node.stopping and node.state.status is Status.RUNNING
    return (
        node.outcome.value
        + (f" ({reasons})" if reasons else "")
        + (", stopping" if stopping else "")
        + "".join(f", held by a {each.verb.name}" for each in node.held)
    )


def _settings(node: Node) -> Iterator[str]:
    """What the author set to something else than its default, as they wrote it."""
    for field in SHAPES[type(node)].settings:
        value = getattr(node, field.name)
        if field.name not in _SHOWN_ELSEWHERE and value != field.default:
            yield f"{field.name}={value_text(value)}"


def numbers_text(plan: Plan) -> Iterator[str]:
    """What percentages and batches come to: a line for each block that has any (BG-6)."""
    for block in plan.blocks:
        for line in _numbers(block):
            yield f"{shorten(block.name)}: {line}"


def _numbers(block: Block) -> Iterator[str]:
    """What the parts and batches of a block come to (BG-6)."""
    total = len(block.sequences)
    found: list[str] = []
    tolerated = block.tolerated_failures
    if isinstance(tolerated, Percent):
        found.append(f"{tolerated.value} % of {total:,}: {block.tolerance:,} may fail")
    if block.batches:
        sizes = ", ".join(f"{size:,}" for size in block.batch_sizes)
        found.append(f"batches of {shorten(sizes)}")
    if found:
        yield "; ".join(found)


def _time_text(time: datetime) -> str:
    """A time, in UTC."""
    in_utc = time.astimezone(UTC) if time.tzinfo is not None else time
    return in_utc.isoformat(sep=" ").replace("+00:00", "Z")
