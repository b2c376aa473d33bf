"""What other tools read: a trace for Perfetto and Chrome, a JUnit file for CI."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as Xml

from .._plan.paths import SEPARATOR, paths
from .._plan.plan import BaseAction, Node
from .._plan.walk import Item
from .._show.words import why
from .._values.state import Status
from .document import Report

_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def perfetto(report: Report) -> str:
    """Every attempt as a slice: the JSON that Perfetto and Chromium's Performance panel open.

    Times are microseconds since the plan began. Each sequence, batch and check group is
    a thread, so that its attempts stand on one line. An attempt that runs still ends
    when the report was made.
    """
    events = [*_slices(report)]
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": events}) + "\n"


def _slices(report: Report) -> Iterator[dict[str, Any]]:
    plan = report.plan
    begin = plan.state.started or report.made
    yield _named("process_name", 0, plan.name)
    threads: dict[int, int] = {}
    for path, item in paths(plan):
        action = item.node
        if not isinstance(action, BaseAction):
            continue
        owner = item.ancestors[-1]
        thread = threads.setdefault(id(owner), len(threads) + 1)
        if thread == len(threads) and action is next(iter(_actions(owner)), None):
            name = SEPARATOR.join(path.split(SEPARATOR)[1:-1])
            yield _named("thread_name", thread, name)
        for number, attempt in enumerate(action.attempts, 1):
            end = attempt.ended or max(report.made, attempt.started)
            facts: dict[str, Any] = {"attempt": number, "plugin": action.plugin}
            if attempt.error is not None:
                facts["error"] = "\n".join(why(attempt.error))
            if attempt.interrupted:
                facts["interrupted"] = True
            yield {
                "name": action.name,
                "cat": "failed" if attempt.error is not None else "attempt",
                "ph": "X",
                "pid": 1,
                "tid": thread,
                "ts": _microseconds(begin, attempt.started),
                "dur": _microseconds(attempt.started, end),
                "args": facts,
            }


def _actions(owner: Node) -> list[BaseAction]:
    return list(getattr(owner, "actions", ()))


def _named(kind: str, thread: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": 1, "tid": thread, "args": {"name": name}}


def _microseconds(begin: datetime, end: datetime) -> int:
    return round((end - begin).total_seconds() * 1_000_000)


def junit(report: Report) -> str:
    """Each block a suite, each sequence, batch and check group a test case.

    What failed is a failure, tolerated or not; what was not reached is skipped.
    """
    plan = report.plan
    suites: dict[str, list[tuple[str, Item]]] = {}
    for path, item in paths(plan):
        if _actions(item.node):
            names = path.split(SEPARATOR)
            suites.setdefault(names[1], []).append((SEPARATOR.join(names[1:]), item))
    root = Xml.Element("testsuites", name=_xml(plan.name), time=_seconds(plan))
    for name, cases in suites.items():
        statuses = [item.node.state.status for _, item in cases]
        suite = Xml.SubElement(
            root,
            "testsuite",
            name=_xml(name),
            tests=str(len(cases)),
            failures=str(statuses.count(Status.FAILED)),
            skipped=str(sum(map(_is_left_out, statuses))),
        )
        for path, item in cases:
            _case(suite, _xml(name), path, item)
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: Xml.Element, name: str, path: str, item: Item) -> None:
    node = item.node
    case = Xml.SubElement(
        suite, "testcase", classname=name, name=_xml(path), time=_seconds(node)
    )
    status = node.state.status
    if status is Status.FAILED:
        errors = [
            f"{action.name}: {line}"
            for action in _actions(node)
            if action.state.status is Status.FAILED
            for line in why(action.error)
        ]
        said = _xml("\n".join(errors) or "it failed; no action of it did")
        Xml.SubElement(case, "failure", message=said.split("\n")[0]).text = said
    elif _is_left_out(status):
        words = "it was stopped" if status is Status.STOPPED else "it was not reached"
        Xml.SubElement(case, "skipped", message=words)


def _is_left_out(status: Status) -> bool:
    return status not in (Status.COMPLETED, Status.FAILED)


def _seconds(node: Node) -> str:
    duration = node.state.duration
    return "0" if duration is None else f"{duration.total_seconds():.6f}"


def _xml(text: str) -> str:
    """A text without what XML 1.0 cannot hold (section 2.2, Char)."""
    return _NOT_XML.sub("\ufffd", text)
