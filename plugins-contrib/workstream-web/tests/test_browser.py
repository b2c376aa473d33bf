"""The pages in a real Chromium, while plans run in other processes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from real_browser import violations

if TYPE_CHECKING:
    from conftest import Begin, Gates, Serve, Site
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.needs_package("playwright", "axe_playwright_python"),
    pytest.mark.slow,  # it opens a browser
]

PLAN = """
from workstream import Block, Plan, Sequence
from workstream_command import Run, RunCommand

def step(name, script):
    return RunCommand.action(Run(("sh", "-c", script)), name=name)

def host(name, script):
    return Sequence(name=name, actions=[step("Copy", "true"), step("Start", script)])

def plan():
  return Plan(
    name="Deploy 2.1",
    description="Put a new version on the web tier.",
    blocks=[
        Block(name="Web tier", tolerated_failures=-1, sequences=[%s])
    ],
)
"""


def rollout(**hosts: str) -> str:
    """A plan of hosts, each with what starts it, one after the other."""
    return PLAN % ", ".join(f"host({name!r}, {what!r})" for name, what in hosts.items())


def shows(page: Page, selector: str, text: str) -> None:
    """Wait until an element shows a text."""
    page.locator(selector, has_text=text).first.wait_for()


def follow(page: Page, site: Site) -> None:
    """From the list to the plan that was begun."""
    page.goto(site.url)
    page.get_by_role("link", name="Deploy 2.1").click()
    page.wait_for_selector(".row")


def take_control(page: Page, site: Site) -> None:
    """Give the page a token."""
    page.get_by_role("button", name="Take control").click()
    page.get_by_label("Your token").fill(site.token)
    page.get_by_role("dialog").get_by_role("button", name="Take control").click()
    shows(page, "#controls", "as ana")


def order(page: Page, button: str, verb: str, reason: str) -> None:
    """Tell the plan something, and why."""
    page.get_by_role("button", name=button, exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why").fill(reason)
    dialog.get_by_role("button", name=verb, exact=True).click()
    dialog.wait_for(state="detached")


def test_a_page_moves_while_a_rollout_runs(
    page: Page, site: Site, begin: Begin, gates: Gates
) -> None:
    """From the list to the end: it is never loaded anew."""
    first, second = gates.make("first"), gates.make("second")
    begin(rollout(web_1=first, web_2="echo no space left >&2; exit 28", web_3=second))

    follow(page, site)
    page.evaluate("window.same = true")
    shows(page, "#running", "Web tier / web_1 / Start")
    shows(page, "#outcome", "running")
    gates.open("first")
    shows(page, "#running", "Web tier / web_3 / Start")
    shows(page, "#failures", "no space left")
    shows(page, "#sections", "1 of 3 sequences completed, 1 failed")
    gates.open("second")
    shows(page, "#outcome", "completed with failures")
    shows(page, "#line", "It has ended")

    assert page.evaluate("window.same")
    page.focus("[role=listbox]")
    page.keyboard.press("End")
    detail = page.inner_text(".detail")
    assert "Web tier / web_3: completed" in detail
    assert "through second" in detail
    shows(page, "#view select", "failed (1)completed (3)")


def test_a_person_pauses_skips_and_stops(
    page: Page, site: Site, begin: Begin, gates: Gates
) -> None:
    """Each with a reason, which all see, with the name of the token."""
    first, second = gates.make("first"), gates.make("second")
    run = begin(rollout(web_1=first, web_2="true", web_3=second, web_4="true"))
    follow(page, site)
    take_control(page, site)
    shows(page, "#running", "web_1")

    order(page, "Pause", "Pause", "look at the graphs first")
    shows(page, "#held", "look at the graphs first")
    shows(page, "#outcome", "running, paused")
    page.get_by_role("button", name="Skip").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What, as").fill("web_2")
    dialog.get_by_label("Why").fill("its disk is swapped tomorrow")
    dialog.get_by_role("button", name="Skip").click()
    dialog.wait_for(state="detached")
    shows(page, "#told", "ana: skip Web tier / web_2: its disk")
    gates.open("first")
    order(page, "Go on", "Go on", "all is well")
    shows(page, "#running", "web_3")
    shows(page, "#sections", "1 of 4 sequences completed, 1 skipped")
    order(page, "Stop", "Stop", "lunch")
    shows(page, "#outcome", "stopping")
    gates.open("second")
    shows(page, "#outcome", "stopped")
    shows(page, "#told", "ana: stop: lunch")

    assert run.wait(60) == 4


def test_a_person_retries_what_was_left(
    page: Page, site: Site, begin: Begin, tmp_path: Path
) -> None:
    """Its preview comes first; a change asks for another; the new plan's page comes after."""
    mended = tmp_path / "mended"
    run = begin(rollout(web_1="true", web_2=f"test -e {mended}"))
    assert run.wait(60) == 3
    follow(page, site)
    take_control(page, site)
    shows(page, "#outcome", "completed with failures")
    assert page.get_by_role("button", name="Pause", exact=True).count() == 0
    page.get_by_role("button", name="Retry", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why").fill("the disk is swapped")
    dialog.get_by_role("button", name="Preview").click()
    shows(page, "dialog .preview", "web_2")
    assert "web_1" not in dialog.locator(".preview").inner_text()
    assert violations(page) == []
    dialog.get_by_label("Begin each").check()
    assert not dialog.locator(".preview").is_visible()
    dialog.get_by_role("button", name="Preview").click()
    shows(page, "dialog .preview", "web_2")
    mended.touch()
    old = page.url

    dialog.get_by_role("button", name="Retry", exact=True).click()

    page.wait_for_url(lambda url: "/plans/" in url and url != old)
    shows(page, "#outcome", "completed")
    shows(page, "#about", "the disk is swapped")
    shows(page, "#facts", "ana")
    shows(page, "#controls", "Take back")


APPROVAL = """
from workstream import Approval, Approve, Block, Checks, Plan, Sequence
from workstream_command import Run, RunCommand

def plan():
    done = RunCommand.action(Run(("true",)), name="done")
    ask = Approve.action(Approval("are the graphs flat?"), name="Canary is well")
    block = Block(
        name="Web tier",
        pre_checks=Checks(actions=[ask]),
        sequences=[Sequence(name="web_1", actions=[done])],
    )
    return Plan(name="Deploy 2.1", blocks=[block])
"""


def test_a_person_approves(page: Page, site: Site, begin: Begin) -> None:
    """What the plan asks is shown; so is who said yes."""
    run = begin(APPROVAL)
    follow(page, site)
    take_control(page, site)
    shows(page, "#held", "are the graphs flat?")
    order(page, "Approve", "Approve", "they are")
    shows(page, "#outcome", "completed")
    shows(page, "#told", "they are")

    assert run.wait(60) == 0


def test_what_is_wrong_is_told_where_it_was_asked(page: Page, site: Site) -> None:
    """The dialog stays, and says why."""
    page.goto(site.url)
    page.get_by_role("button", name="Take control").click()
    page.get_by_label("Your token").fill("guessed")
    page.get_by_role("dialog").get_by_role("button", name="Take control").click()
    shows(page, "dialog .wrong", "That is no token")
    page.keyboard.press("Escape")
    take_control(page, site)
    page.get_by_role("link", name="Nothing yet").click()
    page.get_by_role("button", name="Skip").click()
    page.get_by_label("What, as").fill("nothing")
    page.get_by_label("Why").fill("x")
    page.get_by_role("dialog").get_by_role("button", name="Skip").click()

    shows(page, "dialog .wrong", "nothing")


def test_a_page_goes_on_when_its_server_comes_back(
    page: Page, store: Path, serve: Serve, begin: Begin, gates: Gates
) -> None:
    """It tells that the connection is lost, and misses nothing."""
    first, second = gates.make("first"), gates.make("second")
    begin(rollout(web_1=first, web_2=second))
    with serve(store) as site:
        follow(page, site)
        shows(page, "#running", "web_1")
    shows(page, "#line", "The connection is lost")
    gates.open("first")
    with serve(store, port=site.port):
        shows(page, "#running", "web_2")
        gates.open("second")
        shows(page, "#outcome", "completed")


def test_plans_are_found_as_one_types(page: Page, site: Site, begin: Begin) -> None:
    """The list is kept up to date, and its address says what was asked."""
    page.goto(site.url)
    shows(page, "#plans", "Nothing yet")
    begin(rollout(web_1="true")).wait()
    shows(page, "#plans", "Deploy 2.1")

    page.get_by_label("Touches").fill("web_1")
    page.locator("#plans tr", has_text="Nothing yet").wait_for(state="detached")
    assert "Deploy 2.1" in page.inner_text("#plans")
    assert page.url.endswith("?touching=web_1")
    page.reload()
    shows(page, "#plans", "Deploy 2.1")
    assert "Nothing yet" not in page.inner_text("#plans")
    page.get_by_label("Outcome").select_option("failed")
    shows(page, "#none", "No such plan")


NASTY = """
from workstream import Block, Plan, Sequence
from workstream_command import Run, RunCommand

TEXTS = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 2'>",
    "</script><svg onload='window.hacked = 3'>",
    "\\u202egnp.exe \\x1b[31mred\\x1b[0m",
    "<iframe srcdoc='<script>parent.hacked = 4</script>'>",
    "' onmouseover='window.hacked = 5",
    "javascript:window.hacked=6",
    "__proto__",
    "😀 naïve 主机",
    "<a href='data:text/html,<script>opener.hacked=7</script>'>",
]


def fail(name):
    script = 'printf "%s\\n" "$NAME" "$NAME" >&2; exit 1'
    run = Run(("sh", "-c", script), env={"NAME": name})
    return RunCommand.action(run, name=name)


def plan():
  return Plan(
    name=TEXTS[0],
    description=" ".join(TEXTS),
    blocks=[
        Block(
            name=TEXTS[2],
            concurrency=8,
            tolerated_failures=-1,
            sequences=[
                Sequence(name=f"{text} {n}", actions=[fail(f"{text} {n}")])
                for n in range(35)
                for text in TEXTS
            ],
        )
    ],
)
"""


def test_nothing_that_a_host_says_is_markup(
    page: Page, site: Site, begin: Begin
) -> None:
    """More than 1,000 names, errors and lines that want to be: on the list, live, and after."""
    run = begin(NASTY)
    page.goto(site.url)
    page.get_by_role("link", name="<script>").click()
    page.wait_for_selector(".row")
    shows(page, "#failures", "exited with code 1")
    assert run.wait(300) == 3
    shows(page, "#outcome", "completed with failures")
    page.focus("[role=listbox]")
    for _ in range(25):
        page.keyboard.press("ArrowDown")
    page.reload()
    shows(page, "#failures", "exited with code 1")

    assert page.evaluate("window.hacked") is None
    assert page.inner_text("h1") == "<script>window.hacked = 1</script>"
    assert page.locator("#view output").inner_text() == "351 of 351 lines"
    assert "\u202e" not in page.inner_text("body")
    # The fixture has seen no report of the policy, and no error.


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(
    page: Page, site: Site, begin: Begin, gates: Gates, scheme: Any
) -> None:
    """axe-core finds nothing: on the list, on a plan that runs, in a dialog."""
    page.emulate_media(color_scheme=scheme)
    begin(rollout(web_1="exit 1", web_2=gates.make("first")))
    page.goto(site.url)
    shows(page, "#plans", "Deploy 2.1")
    assert violations(page) == []

    take_control(page, site)
    follow(page, site)
    shows(page, "#running", "web_2")
    order(page, "Pause", "Pause", "look first")
    shows(page, "#held", "look first")
    assert violations(page) == []

    page.get_by_role("button", name="Limits").focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")
    gates.open("first")
