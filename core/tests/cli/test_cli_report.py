"""``workstream report``: one file with all of a plan, for people and for tools."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from click.testing import Result

Call = Callable[..., Result]
WritePlan = Callable[..., Path]

MIXED = """
    tier(
        *(
            Sequence(
                name=f"web-{n}",
                actions=[
                    act("copy"),
                    act("start", fail="no space left" if n == 3 else ""),
                ],
            )
            for n in range(6)
        ),
        tolerated_failures=1,
    )
"""
NASTY = """
    Plan(
        name="<script>alert(1)</script>",
        description="</style><img src=x onerror=alert(2)>",
        blocks=[
            Block(
                name="\\"><svg onload=alert(3)>",
                sequences=[
                    Sequence(
                        name="<b>web</b>\\u202e\\x1b[31m",
                        actions=[
                            act("</script><script>alert(4)</script>", fail="<i>&amp;\\x07")
                        ],
                    )
                ],
            )
        ],
    )
"""
OURS = set(
    """
    html head meta title style body header p strong h1 dl div dt dd code time main section
    h2 article h3 span pre details summary ul li b i svg rect noscript footer script ol
    """.split()  # noqa: SIM905
)
SECRET = (
    'tier(Sequence(name="one", actions=[act("do", password="hunter22", fail="no")]))'
)


class Elements(HTMLParser):
    """The elements of a page, with the texts of those that hold code."""

    def __init__(self, page: str) -> None:
        """Read the page."""
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._inside = ""

    def handle_data(self, data: str) -> None:
        """Note its text."""
        self.texts.setdefault(self._inside, []).append(data)


def page(call: Call) -> str:
    """The page of the last plan."""
    return call("report").stdout


def test_the_page_tells_the_outcome_without_its_script(
    call: Call, write_plan: WritePlan
) -> None:
    """The outcome, the failure and where it was, the counts, the tree."""
    call("run", write_plan(MIXED))

    shown = re.sub(r"<script.*", "", page(call), flags=re.S)

    for words in (
        "completed with failures",
        "Tier / web-3 / start",
        "no space left",
        "5 of 6 sequences completed, 1 failed",
        "tolerated",
    ):
        assert words in shown


def test_nothing_in_a_plan_becomes_markup(call: Call, write_plan: WritePlan) -> None:
    """Names, errors and output are texts; what is not seen is an escape."""
    call("run", write_plan(NASTY))

    text = page(call)
    elements = Elements(text)

    assert {tag for tag, _ in elements.tags} <= OURS
    assert [tag for tag, _ in elements.tags].count("script") == 2
    assert not any(
        name.startswith("on") or name == "style"
        for _, attributes in elements.tags
        for name in attributes
    )
    assert not set("\u202e\x1b\x07") & set(text)


def test_the_policy_lets_nothing_run_but_the_pages_own(
    call: Call, write_plan: WritePlan
) -> None:
    """Each digest is that of what stands in the page, and nothing may be loaded."""
    call("run", write_plan(MIXED))
    elements = Elements(page(call))
    policy = next(
        str(attributes["content"])
        for _, attributes in elements.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))

    def digest(text: str) -> str:
        made = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(made).decode()}'"

    assert rules["default-src"] == "'none'"
    assert rules["style-src"] == digest("".join(elements.texts["style"]))
    assert rules["script-src"] == digest(elements.texts["script"][-1])
    assert not re.search(r"(src|href)=", page(call))


def test_the_file_is_the_data(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """A report of the report says the same, without the store."""
    call("run", write_plan(MIXED))
    file = tmp_path / "plan.html"
    call("report", "-o", file)
    first = json.loads(call("report", "--format", "json").stdout)

    again = call("report", file, "--format", "json", "--store", tmp_path / "none")

    assert again.exit_code == 0
    second = json.loads(again.stdout)
    assert second["plan"] == first["plan"]
    assert second["said"] == first["said"]
    assert second["summary"]["failures"] == first["summary"]["failures"]


def test_secrets_are_not_in_it(call: Call, write_plan: WritePlan) -> None:
    """In none of the forms, deflated or not."""
    call("run", write_plan(SECRET))

    for form in ("html", "markdown", "json", "perfetto", "junit"):
        text = call("report", "--format", form).stdout
        assert text
        assert "hunter22" not in text
    data = call("report", "--format", "json").stdout
    assert json.loads(data)["plan"]["scrubbed"] is True


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "this is no report"),
        ("{}", "this is no report"),
        ("[1]", "this is no report"),
        ('{"format": 99}', "its format is 99"),
        ('<script type="x" id="workstream-report">AAAA</script>', "damaged"),
        ('<script type="x" id="workstream-report">eJw=</script>', "cut off"),
        ("<html></html>", "this is no report"),
    ],
    ids=["empty", "object", "list", "later", "garbage", "cut", "page"],
)
def test_what_is_no_report_is_refused(
    call: Call, tmp_path: Path, text: str, why: str
) -> None:
    """With the file's name, the reason, and nothing else."""
    file = tmp_path / "plan.html"
    file.write_text(text)

    result = call("report", file)

    assert result.exit_code == 2
    assert "plan.html" in result.stderr
    assert why in result.stderr
    assert "Traceback" not in result.stderr


def test_a_file_that_is_not_there(call: Call, tmp_path: Path) -> None:
    """It is named, with what the system says."""
    result = call("report", tmp_path / "gone.html")

    assert result.exit_code == 2
    assert "No such file" in result.stderr


def test_markdown_is_for_a_ticket(call: Call, write_plan: WritePlan) -> None:
    """What is markup in Markdown is escaped; errors are indented."""
    call("run", write_plan(MIXED))

    lines = call("report", "--format", "markdown").stdout.splitlines()

    assert lines[0] == "# Deploy: completed with failures"
    assert "**Tier / web-3 / start** (tolerated)" in lines
    assert "    no space left" in lines
    assert "- Tier: 5 of 6 sequences completed, 1 failed" in lines


def test_markdown_escapes_what_is_markup(call: Call, write_plan: WritePlan) -> None:
    """A name cannot make a heading, a link or an element."""
    call("run", write_plan(NASTY))

    text = call("report", "--format", "markdown").stdout

    assert r"\<script\>alert(1)\</script\>" in text
    assert "\x1b" not in text


def test_junit_has_a_case_for_each_sequence(call: Call, write_plan: WritePlan) -> None:
    """A CI server counts them; what failed says why."""
    call("run", write_plan(MIXED))

    root = Xml.fromstring(call("report", "--format", "junit").stdout)

    (suite,) = root
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == (
        "6",
        "1",
        "0",
    )
    (failure,) = root.iter("failure")
    assert failure.get("message") == "start: no space left"


def test_junit_is_xml_whatever_a_plan_says(call: Call, write_plan: WritePlan) -> None:
    """Control characters cannot stand in XML."""
    call("run", write_plan(NASTY))

    root = Xml.fromstring(call("report", "--format", "junit").stdout)

    assert [case.get("name") for case in root.iter("testcase")]


def test_a_reader_of_junit_files_understands_it(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """junitparser, as CI tools use it, finds suites, cases, times and the failure."""
    file = tmp_path / "plan.xml"
    call("run", write_plan(MIXED))
    call("report", "--format", "junit", "-o", file)

    # It is typed in part.
    reader: Any = importlib.import_module("junitparser")
    [suite] = reader.JUnitXml.fromfile(str(file))
    cases = list(suite)
    failed = [case for case in cases if case.is_failure]

    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (6, 1, 0, 0)
    assert [case.classname for case in cases] == ["Tier"] * 6
    assert [case.name for case in failed] == ["Tier / web-3"]
    assert [result.message for result in failed[0].result] == ["start: no space left"]
    assert all(case.time is not None and case.time >= 0 for case in cases)
    suite.update_statistics()
    assert (suite.tests, suite.failures) == (6, 1), "the counts are those of its cases"


def test_perfetto_has_each_attempt(call: Call, write_plan: WritePlan) -> None:
    """As a slice, on the line of its sequence, in microseconds from the start."""
    call("run", write_plan(MIXED))

    trace: dict[str, Any] = json.loads(call("report", "--format", "perfetto").stdout)

    slices = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    names = {
        event["tid"]: event["args"]["name"]
        for event in trace["traceEvents"]
        if event["name"] == "thread_name"
    }
    assert len(slices) == 12
    assert sorted(names.values()) == [f"Tier / web-{n}" for n in range(6)]
    (failed,) = [event for event in slices if event["cat"] == "failed"]
    assert names[failed["tid"]] == "Tier / web-3"
    assert failed["args"]["error"] == "no space left"
    assert all(event["dur"] >= 0 and event["ts"] >= 0 for event in slices)


def test_show_takes_the_file(call: Call, write_plan: WritePlan, tmp_path: Path) -> None:
    """Without a store, and with the same words."""
    call("run", write_plan(MIXED))
    file = tmp_path / "plan.html"
    call("report", "-o", file)

    stored = call("show").stdout.splitlines()
    shown = call("show", file, "--store", tmp_path / "none").stdout.splitlines()

    assert any("no space left" in line for line in stored)
    hints = [line for line in shown if ":  workstream " in line]
    assert [line for line in shown if line not in hints] == [
        line for line in stored if ":  workstream " not in line
    ]
    assert hints[0].strip() == f"all of it:  workstream show {file} --all"
    assert hints[1].strip() == f"1 sequence failed:  workstream retry {file}"
    assert len(hints) == 2


@pytest.mark.slow
def test_diff_takes_the_file(call: Call, write_plan: WritePlan, tmp_path: Path) -> None:
    """Of the plan that it was made of it differs in nothing; two files need no store."""
    call("run", write_plan(MIXED))
    file, other = tmp_path / "plan.html", tmp_path / "other.json"
    call("report", "-o", file)
    call("run", write_plan(NASTY))
    call("report", "--format", "json", "-o", other)
    first = json.loads(call("list", "--json").stdout)[-1]["id"]

    same = call("diff", file, first)
    alone = call("diff", file, other, "--store", tmp_path / "none")

    assert (same.exit_code, same.stdout) == (0, "no difference\n")
    assert alone.exit_code == 1
    assert "state.status: COMPLETED -> FAILED" in alone.stdout


@pytest.mark.slow
def test_retry_takes_the_file(
    call: Call, write_plan: WritePlan, tmp_path: Path
) -> None:
    """Where the store has the plan, that is what runs again, secrets and all."""
    call("run", write_plan(MIXED))
    file = tmp_path / "plan.html"
    call("report", "-o", file)
    call("run", write_plan(NASTY))

    dry = call("retry", file, "--dry-run")
    done = call("retry", file)

    assert "1 sequence" in dry.stdout + dry.stderr
    assert done.exit_code == 3
    assert "retry of" in call("show").stdout
    made = call("report", "-o", file), file.read_text("utf-8")
    assert "retry of" in made[1]


def test_the_report_tells_who_did_what(call: Call, write_plan: WritePlan) -> None:
    """As a page, for a ticket, and as data: each with the reason."""
    call("submit", write_plan(MIXED))
    call("pause", "last", "--by", "ana", "-m", "look <first>")

    shown = re.sub(r"<script.*", "", page(call), flags=re.S)
    text = call("report", "--format", "markdown").stdout
    data = json.loads(call("report", "--format", "json").stdout)

    assert "ana: pause: look &lt;first&gt;" in shown
    assert "paused since" in shown
    assert "ana: pause: look \\<first\\>" in text
    assert data["summary"]["held"][0]["reason"] == "look <first>"
    assert data["plan"]["interventions"][0]["verb"] == "PAUSE"
