"""The server over real connections: what it answers, streams, and refuses."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from workstream.errors import StorageError
from workstream.results import Effect, Verb
from workstream.show import unpacked
from workstream_web import workstream_commands

pytestmark = pytest.mark.slow  # each test starts a server

if TYPE_CHECKING:
    from conftest import Begin, Gates, Serve, Site

PLAN = """
from workstream import Block, Plan, Sequence
from workstream_command import Run, RunCommand

def plan():
    step = lambda text: RunCommand.action(Run(("sh", "-c", text)), name="Start")
    hosts = [Sequence(name=f"web_{n}", actions=[step(text)]) for n, text in enumerate(%r)]
    return Plan(name="Deploy", blocks=[Block(name="Web tier", sequences=hosts)])
"""


def document(site: Site, plan: str) -> Any:
    """The position and the plan that a page begins with, still in columns."""
    status, headers, body = site.ask(f"/api/plans/{plan}")
    assert status == 200
    assert headers["content-encoding"] == "gzip"
    return json.loads(gzip.decompress(body))


def said(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, str]:
    """The status of an answer, and why."""
    return answer[0], json.loads(answer[2]).get("error", "")


def order(site: Site, verb: str, **body: Any) -> tuple[int, str]:
    """Tell the newest plan something, as ana."""
    headers = {
        "Authorization": f"Bearer {site.token}",
        "Content-Type": "application/json",
    }
    return said(site.ask(f"/api/plans/last/{verb}", body, headers=headers))


def test_what_differs_by_the_host_only_failed_for_one_cause(
    site: Site, begin: Begin
) -> None:
    """As on the terminal: a fault of many hosts is told once, with their names."""
    texts = [f"echo web_{n}: disk full >&2; exit 1" for n in range(3)]
    plan = PLAN.replace("sequences=hosts", "sequences=hosts, tolerated_failures=-1")
    assert begin(plan % texts).wait(60) == 3

    [cause] = unpacked(document(site, "last"))["summary"]["failed"]

    assert cause["count"] == 3
    assert "disk full" in cause["error"]


def test_a_stream_goes_on_where_it_broke_off(
    site: Site, begin: Begin, gates: Gates
) -> None:
    """From the id of the last event: nothing that came later is missed."""
    begin(PLAN % [gates.make("a"), gates.make("b"), "exit 3"])
    # Only what has been started has a past that the board does not reach back to.
    with site.events("/api/plans?status=running") as events:
        while not (plans := next(events)[2]["plans"]):
            pass
    plan = plans[0]["id"]
    document(site, plan)
    with site.events(f"/api/plans/{plan}/events?after=0") as events:
        assert next(events)[1] == "reload"
    statuses: dict[str, str] = {}

    def read(last: str, until: str) -> str:
        """Follow the plan until an object of this name has ended; the last id."""
        path, headers = f"/api/plans/{plan}/events?after=0", {"Last-Event-ID": last}
        with site.events(path, headers) as events:
            for number, name, data in events:
                assert name == "news"
                for each in data["changes"]:
                    statuses[each["id"][-1]] = each["status"]
                last = number
                if statuses.get(until) in ("COMPLETED", "FAILED"):
                    return last
        raise AssertionError

    position = _position(document(site, plan))
    gates.open("a")
    last = read(str(position), "3")
    gates.open("b")
    last = read(last, "0")  # the plan itself

    assert statuses["3"] == statuses["5"] == "COMPLETED"
    assert statuses["7"] == statuses["0"] == "FAILED"
    with site.events(f"/api/plans/{plan}/events?after={last}") as events:
        names = [name for _, name, _ in events]
    assert names[-1] == "over"
    assert "reload" not in names


def _position(columns: Any) -> int:
    names = columns["all"]["shapes"][0]["names"]
    column = columns["all"]["shapes"][0]["of"][names.index("position")]
    return int(column["v"][0])


def test_whoever_has_no_token_changes_nothing(shown: Site) -> None:
    """No token, a wrong one, none that there are: the plan is as it was."""
    body, json_type = {"reason": "x"}, {"Content-Type": "application/json"}
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}):
        sent = {**json_type, **headers}
        found = shown.ask("/api/plans/last/stop", body, headers=sent)
        assert said(found) == (401, "no token of this server's came with it")

    assert shown.ask("/api/plans/last/stop")[0] == 405
    assert status(shown) == "NOT_STARTED"


def test_a_server_without_tokens_only_shows(store: Path, serve: Serve) -> None:
    """It says how to change that."""
    with serve(store) as site:
        code, why = order(site, "stop", reason="x")
        who = json.loads(site.ask("/api/who")[2])

    assert (code, who) == (401, {"name": None, "tokens": False})
    assert "--tokens FILE" in why
    assert status(site) == "NOT_STARTED"


def test_each_order_needs_a_reason(site: Site) -> None:
    """And what else it is about; what is wrong is named, and nothing is done."""
    assert "no reason" in order(site, "stop")[1]
    assert "no reason" in order(site, "stop", reason="  ")[1]
    assert "now is neither" in order(site, "stop", reason="x", now="yes")[1]
    assert "no whole number" in order(site, "limits", reason="x", concurrency="2")[1]
    assert "path is no text" in order(site, "skip", reason="x", path=3)[1]
    assert order(site, "pause", reason="x" * 70_000)[0] == 400
    assert order(site, "pause", reason="first") == (200, "")
    assert order(site, "stop", reason="it is of no use") == (200, "")

    told = site.plan().interventions
    assert [(each.verb, each.by, each.reason) for each in told] == [
        (Verb.PAUSE, "ana", "first"),
        (Verb.STOP, "ana", "it is of no use"),
    ]
    assert status(site) == "STOPPED"


def test_limits_are_those_of_the_command_line(
    site: Site, begin: Begin, gates: Gates
) -> None:
    """A share, how many in a row, and what a continuous check means."""
    watched = """
from workstream import Block, Checks, Plan, Sequence
from workstream_command import CheckCommand, Run, RunCommand

def plan():
    step = lambda text: RunCommand.action(Run(("sh", "-c", text)), name="Start")
    wait = Sequence(name="web_0", actions=[step(%r)])
    block = Block(
        name="Web tier", tolerated_failures=1, cont_checks=Checks(delay=3600, actions=[CheckCommand.action(Run(("true",)), name="up")]),
        sequences=[wait, Sequence(name="web_1", actions=[step("exit 1")]), Sequence(name="web_2", actions=[step("true")])],
    )
    return Plan(name="Deploy", blocks=[block])
"""
    run = begin(watched % gates.make("a"))
    _until_it_runs(site, run)
    tier = {"path": "Web tier", "reason": "x"}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({**tier, "tolerated_failures": "many"}, "write 3, 10% or -1"),
        ({**tier, "max_consecutive_failures": "2"}, "no whole number"),
        ({**tier, "on_failure": "shrug"}, "on_failure must be"),
        ({"reason": "x", "path": "Web tier", "concurrency": 0}, "concurrency"),
    ]
    for body, why in wrong:
        assert why in order(site, "limits", **body)[1]

    share = {**tier, "tolerated_failures": "40%", "max_consecutive_failures": 2}
    assert order(site, "limits", **share) == (200, "")
    checks = {"path": "Web tier / cont_checks", "on_failure": "warn", "reason": "y"}
    assert order(site, "limits", **checks) == (200, "")
    gates.open("a")

    assert run.wait(60) == 3
    told = site.plan().interventions
    assert [dict(each.data) for each in told] == [
        {"tolerated_failures": "40%", "max_consecutive_failures": 2},
        {"on_failure": "WARN"},
    ]
    assert {each.effect for each in told} == {Effect.TAKEN}


def test_a_signal_reaches_an_action(site: Site, begin: Begin) -> None:
    """Here the one that an approval waits for; a value is a text, a number or a truth value."""
    ask = """
from workstream import Approval, Approve, Block, Checks, Plan, Sequence
from workstream_command import Run, RunCommand

def plan():
    done = RunCommand.action(Run(("true",)), name="done")
    ask = Checks(actions=[Approve.action(Approval("well?"), name="ask")])
    block = Block(name="b", pre_checks=ask, sequences=[Sequence(name="s", actions=[done])])
    return Plan(name="Deploy", blocks=[block])
"""
    run = begin(ask)
    _until_it_runs(site, run)
    place = {"path": "b / pre_checks / ask", "reason": "they are flat"}
    assert "name is missing" in order(site, "signal", **place)[1]
    wrong = {**place, "name": "approval", "value": [1]}
    assert "neither a text" in order(site, "signal", **wrong)[1]

    sent = order(site, "signal", **place, name="approval", value=True)

    assert sent == (200, "")
    assert run.wait(60) == 0
    [told] = site.plan().interventions
    assert (told.verb, told.by, told.data["value"]) == (Verb.SIGNAL, "ana", True)


MENDED = """
from workstream import Block, DeferBatch, DeferredActions, Plan, Sequence, WhenDeferred
from workstream_command import Run, RunCommand

def plan():
    step = lambda name, text: RunCommand.action(Run(("sh", "-c", text)), name=name)
    back = DeferredActions(batches=[DeferBatch(name="back", when=WhenDeferred.ON_UNDO, actions=[step("Back", "echo back >>%(file)s")])])
    good = Sequence(name="web_0", actions=[step("Start", "echo web_0 >>%(file)s")], deferred_actions=back)
    bad = Sequence(name="web_1", actions=[step("Start", "test -e %(mended)s && echo web_1 >>%(file)s")])
    return Plan(name="Deploy", blocks=[Block(name="Web tier", tolerated_failures=1, sequences=[good, bad])])
"""


def test_a_retry_is_shown_then_run_in_the_name_of_the_token(
    site: Site, begin: Begin, tmp_path: Path
) -> None:
    """A preview stores nothing; the retry does what is left, and the plan is taken back."""
    done, mended = tmp_path / "done", tmp_path / "mended"
    assert begin(MENDED % {"file": done, "mended": mended}).wait(60) == 3
    first = site.plan()
    assert "no reason" in order(site, "retry")[1]
    assert "names no block" in order(site, "retry", reason="x", path="web_9")[1]
    assert "no command line can" in order(site, "retry", reason="\0")[1]

    shown = _answer(site, first.id, "retry", reason="x", dry_run=True)

    assert "web_1" in shown["preview"]
    assert "web_0" not in shown["preview"]
    assert site.plan().id == first.id
    mended.touch()
    begun = _answer(site, first.id, "retry", reason="the disk is swapped")
    assert _outcome(site, begun["plan"]) == "completed"
    new = site.plan()
    assert str(new.id) == begun["plan"]
    assert (new.retry_of, new.submitter) == (first.id, "ana")
    assert new.description == "the disk is swapped"
    assert done.read_text("utf-8").split() == ["web_0", "web_1"]
    headers = {"Authorization": f"Bearer {site.token}"}
    headers["Content-Type"] = "application/json"
    again = site.ask(f"/api/plans/{first.id}/retry", {"reason": "x"}, headers=headers)
    assert again[0] == 400
    assert "was retried already" in said(again)[1]

    back = _answer(site, first.id, "undo", reason="it was the wrong version")
    assert _outcome(site, back["plan"]) == "completed"
    assert site.plan().undo_of == first.id
    assert done.read_text("utf-8").split() == ["web_0", "web_1", "back"]


def _answer(site: Site, plan_id: object, verb: str, **body: Any) -> Any:
    headers = {
        "Authorization": f"Bearer {site.token}",
        "Content-Type": "application/json",
    }
    code, _, data = site.ask(f"/api/plans/{plan_id}/{verb}", body, headers=headers)
    assert code == 200, data
    return json.loads(data)


def _outcome(site: Site, plan_id: str) -> str:
    """How the newest plan ends; it is awaited."""
    with site.events(f"/api/plans/{plan_id}/events?after=latest") as events:
        assert [name for _, name, _ in events][-1] == "over"
    plan = site.plan()
    assert str(plan.id) == plan_id
    return str(plan.outcome.value)


def _until_it_runs(site: Site, run: subprocess.Popen[bytes]) -> None:
    with site.events("/api/plans?status=running") as events:
        while not next(events)[2]["plans"]:
            assert run.poll() is None


STRANGERS = [
    ({"Host": "evil.example"}, "by that name"),
    ({"Host": "evil.example:80"}, "by that name"),
    ({"Origin": "http://evil.example"}, "another site"),
    ({"Origin": "null"}, "another site"),
    ({"Origin": "http://127.0.0.1:1"}, "another site"),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, "another site"),
    ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, "another site"),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, "another site"),
]


@pytest.mark.parametrize(("headers", "why"), STRANGERS)
def test_another_site_gets_nothing_through(
    shown: Site, headers: dict[str, str], why: str
) -> None:
    """Not even with a token: a page of another site, or a name that is not ours."""
    own = {"Authorization": f"Bearer {shown.token}", "Content-Type": "application/json"}
    sent = {**own, **headers}
    found = said(shown.ask("/api/plans/last/stop", {"reason": "x"}, headers=sent))

    assert found[0] == 403
    assert why in found[1]
    assert status(shown) == "NOT_STARTED"
    if headers.get("Sec-Fetch-Mode") == "navigate":
        # A link from elsewhere opens the page, as that changes nothing.
        assert shown.ask("/", headers=headers)[0] == 200
    else:
        assert shown.ask("/api/plans/last", headers=headers)[0] == 403


def test_a_form_is_no_order(shown: Site) -> None:
    """What a page can send without asking first is no JSON."""
    headers = {"Authorization": f"Bearer {shown.token}", "Content-Type": "text/plain"}
    found = shown.ask("/api/plans/last/stop", {"reason": "x"}, headers=headers)

    assert said(found) == (400, "the body is no JSON")
    assert status(shown) == "NOT_STARTED"


def test_every_answer_says_what_a_browser_may_do_with_it(shown: Site) -> None:
    """Pages, files, data and refusals alike."""
    for path in ("/", "/plans/x", "/static/page.js", "/api/who", "/api/plans/x", "/no"):
        headers = shown.ask(path)[1]
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_what_is_not_there_is_told(shown: Site) -> None:
    """By one line of JSON."""
    assert shown.ask("/static/_server.py")[0] == 404
    assert shown.ask("/static/..%2f_server.py")[0] == 404
    assert said(shown.ask("/api/plans/ffff"))[0] in (400, 404)
    assert said(shown.ask("/api/plans?status=lost"))[0] == 400
    assert said(shown.ask("/api/plans?parameter=x"))[0] == 400
    assert said(shown.ask("/api/plans/last/events?after=x"))[0] == 400


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        (f"ana={'x' * 24}", 0o640, "others can read it"),
        ("ana", 0o600, "line 1: write NAME=TOKEN"),
        ("\nana=short", 0o600, "line 2: the token of ana can be guessed"),
        (f"ana={'x' * 24}\nbob={'x' * 24}", 0o600, "bob has the token of another"),
    ],
)
def test_tokens_that_are_none_are_refused(
    tmp_path: Path, text: str, mode: int, why: str
) -> None:
    """Before anything is served, and none is shown."""
    tokens = tmp_path / "tokens"
    tokens.write_text(text, "utf-8")
    tokens.chmod(mode)

    done = _ui("--store", str(tmp_path / "none"), "--tokens", str(tokens))

    assert done.exit_code == 1
    assert why in done.output
    assert "xxx" not in done.output


def test_a_port_that_is_taken_is_named(shown: Site) -> None:
    """In one line."""
    where = ("--store", str(shown.store), "--port", str(shown.port))
    command = [sys.executable, "-m", "workstream", "ui", *where]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "cannot be listened at: Address already in use" in done.stderr


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """The page only looks."""
    done = _ui("--store", str(tmp_path / "none"), "--port", "0")

    assert isinstance(done.exception, StorageError)
    assert "none" in str(done.exception)
    assert not (tmp_path / "none").exists()


def _ui(*options: str) -> Result:
    return CliRunner().invoke(workstream_commands()[0], list(options))


def status(site: Site) -> str:
    """How far the newest plan has come."""
    return site.plan().state.status.name
