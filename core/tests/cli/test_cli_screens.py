"""What the screen shows while plans run: everything that matters, and only what fits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from quickly import one_in
from rich.cells import cell_len

from workstream import (
    Action,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Plan,
    PluginError,
    Sequence,
    Status,
    WhenDeferred,
)
from workstream._cli.draw.live import layout
from workstream._cli.draw.screen import Signs
from workstream._cli.draw.views import told_line
from workstream._plan.walk import give_ids, new_plan_id
from workstream._protocols.approval import Approval, Approve
from workstream._show.narration import Narrator
from workstream._show.progress import Progress
from workstream._show.time_left import Pace
from workstream._values.interventions import Intervention, Verb
from workstream.results import (
    Attempt,
    Node,
    OutputLine,
    PlanSnapshot,
    State,
    StateChange,
)

BEGIN = datetime(2031, 5, 1, 18, 0, tzinfo=UTC)
N, R, C, K, F, S = Status


def at(seconds: float) -> datetime:
    """A moment after the beginning."""
    return BEGIN + timedelta(seconds=seconds)


def plan_of(hosts: int = 3, **settings: object) -> Plan:
    """A deploy to so many hosts."""
    plan = Plan(
        name="Deploy",
        pre_checks=Checks(actions=[CheckAction(name="ready", plugin="x.look")]),
        cont_checks=Checks(actions=[CheckAction(name="well", plugin="x.look")]),
        blocks=[
            Block(
                name="Tier",
                sequences=[
                    Sequence(
                        name=f"web-{n}",
                        actions=[
                            Action(name="copy", plugin="x.act"),
                            Action(name="start", plugin="x.act"),
                        ],
                    )
                    for n in range(hosts)
                ],
                **settings,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            ),
            Block(
                name="Bake",
                entrance_delay=600,
                sequences=[
                    Sequence(name="s", actions=[Action(name="a", plugin="x.act")])
                ],
            ),
        ],
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="Tidy",
                    when=WhenDeferred.ALWAYS,
                    actions=[Action(name="up", plugin="x.act")],
                )
            ]
        ),
    )
    give_ids(plan, new_plan_id())
    return plan


class Story:
    """A plan whose changes are seen one after the other."""

    def __init__(self, plan: Plan) -> None:
        """Begin with the plan as it is."""
        self.plan = plan
        self.progress = Progress(PlanSnapshot(position=0, plan=plan))
        self.narrator = Narrator(self.progress)
        self.told: list[str] = []

    def see(
        self, node: Node, status: Status, attempt: Attempt | None = None, count: int = 0
    ) -> None:
        """The object has this status now."""
        assert node.id is not None
        ended = at(1) if status.is_terminal else None
        change = StateChange(
            position=1,
            path="",
            object_id=node.id,
            object_type=node.object_type,
            state=State(status, BEGIN, ended),
            attempts=count,
            attempt=attempt,
        )
        before = self.progress.status_of(node.id)
        self.progress.see(change)
        told = self.narrator.tell(change, before)
        if told is not None:
            self.told.append(str(told_line(told, Signs())))

    def begin(self, *nodes: Node) -> None:
        """These run now, actions in their first attempt."""
        for node in nodes:
            is_action = isinstance(node, Action | CheckAction)
            self.see(node, R, Attempt(started=BEGIN) if is_action else None, is_action)

    def fail(
        self, node: Node, message: str, status: Status = F, count: int = 1
    ) -> None:
        """The action's attempt has failed, and with it the action, or not yet."""
        error = PluginError(message)
        self.see(node, status, Attempt(started=BEGIN, ended=at(1), error=error), count)

    def say(self, node: Node, text: str, *progress: float) -> None:
        """The action reports."""
        assert node.id is not None
        done, total = progress or (None, None)
        self.progress.see(
            OutputLine(
                position=1,
                path="",
                action_id=node.id,
                attempt=1,
                number=1,
                time=BEGIN,
                text=text,
                done=done,
                total=total,
            )
        )

    def screen(
        self, width: int = 80, height: int = 24, seconds: float = 5
    ) -> list[str]:
        """What is shown so many seconds after the beginning."""
        lines = layout([self.progress], at(seconds), width, height, Signs())
        return [line.plain for line in lines]


def text_of(lines: Iterable[str]) -> str:
    """All lines as one text."""
    return "\n".join(lines)


@pytest.fixture
def story() -> Story:
    """A plan that runs: one host is done, one failed, one works."""
    plan = plan_of(tolerated_failures=1)
    tier = plan.blocks[0]
    story = Story(plan)
    story.begin(plan, tier, *tier.sequences, *(s.actions[0] for s in tier.sequences))
    story.see(tier.sequences[0], C)
    story.see(tier.sequences[0].actions[0], C, Attempt(started=BEGIN, ended=at(1)), 1)
    story.fail(tier.sequences[1].actions[0], "no space left")
    story.see(tier.sequences[1], F)
    story.say(tier.sequences[2].actions[0], "copied a.txt", 3, 4)
    return story


def test_the_header_tells_how_long_it_takes() -> None:
    """By earlier runs, where there are some; else as the run goes; it says which."""
    story = Story(plan_of(2))
    story.begin(story.plan)
    pace = Pace(ends=(60.0, 120.0, 180.0), length=240.0)
    paces = {story.progress.plan_id: [pace]}
    lines = layout([story.progress], at(20), 100, 24, Signs(), paces=paces)
    told = "  0 of 3 sequences, about 3m 40s left (as an earlier run went)"
    assert lines[1].plain == told

    story = Story(plan_of(20))
    story.begin(story.plan, story.plan.blocks[0])
    for sequence in story.plan.blocks[0].sequences[:7]:
        story.see(sequence, C)
    told = "  7 of 21 sequences, 14 a minute, about 1m left (as this run goes)"
    assert story.screen(seconds=30)[1] == told


def test_the_screen_shows_what_matters(story: Story) -> None:
    """Blocks with their counts, what runs with its latest line, what has failed."""
    lines = story.screen()

    assert lines[0].startswith("Deploy  ")
    assert lines[0].endswith("running 5s, 1 failed")
    page = text_of(lines)
    assert "▶ Tier" in page
    assert "2 of 3, 1 failed (1 may)" in page
    assert "Tier / web-2 / copy      5s  3 of 4 (75%)  copied a.txt" in page
    assert "✗ no space left (tolerated): web-1" in page
    assert "· deferred_actions" in page


@pytest.mark.parametrize("width", one_in(3, [80, 10, 25, 40, 200]))
@pytest.mark.parametrize("height", one_in(5, [24, 2, 5, 10, 60]))
def test_the_screen_is_never_overrun(width: int, height: int) -> None:
    """With thousands of sequences at work, wide letters and long lines, it fits."""
    plan = plan_of(3000)
    for sequence in plan.blocks[0].sequences:
        sequence.name = "日本語" * 20
    tier = plan.blocks[0]
    story = Story(plan)
    story.begin(plan, tier, *tier.sequences, *(s.actions[0] for s in tier.sequences))
    for sequence in tier.sequences[:50]:
        story.fail(sequence.actions[0], "wrong " * 100)
    story.say(tier.sequences[99].actions[0], "x" * 5000)

    lines = story.screen(width, height)

    assert len(lines) < height or height == 2
    assert all(cell_len(line) < width for line in lines)
    if height >= 24 and width >= 80:
        assert "2,9" in text_of(lines)  # so many more run now
        assert "+49" in text_of(lines)  # so many more failed alike


def test_several_plans_share_the_screen() -> None:
    """Where there is no room for all, each has its headline."""
    plans = [Story(plan_of()) for _ in range(10)]
    for each in plans:
        each.begin(each.plan)

    lines = layout([each.progress for each in plans], at(1), 80, 24, Signs())

    assert len(lines) == 10
    assert all("Deploy" in line.plain for line in lines)


def test_many_blocks_are_shown_around_the_one_that_runs() -> None:
    """What is under way stays on the screen."""
    block = Block(name="", sequences=[Sequence(name="s", actions=[])])
    plan = Plan(
        name="Long",
        blocks=[Block(name=f"step {n}", sequences=block.sequences) for n in range(100)],
    )
    give_ids(plan, new_plan_id())
    story = Story(plan)
    for each in plan.blocks[:50]:
        story.see(each, C)
    story.begin(plan, plan.blocks[50])

    page = text_of(story.screen())

    assert "▶ step 50" in page
    assert "before" in page
    assert "more" in page


def test_a_delay_is_told() -> None:
    """While nothing runs, the screen says what is waited for (B-2)."""
    plan = plan_of()
    story = Story(plan)
    story.begin(plan)
    assert plan.pre_checks is not None
    story.see(plan.pre_checks, C)
    story.see(plan.blocks[0], C)

    assert "waits its entrance_delay of 10m" in text_of(story.screen())


def test_a_retry_and_a_deaf_plugin_are_told() -> None:
    """An action that waits for its next attempt, and one that ignores its end (A-16)."""
    plan = plan_of()
    first, second = (s.actions[0] for s in plan.blocks[0].sequences[:2])
    story = Story(plan)
    story.begin(plan, plan.blocks[0], first, second)
    story.fail(first, "busy", R)
    story.see(second, R, Attempt(started=BEGIN, unresponsive=True), 1)
    story.see(second, R, Attempt(started=BEGIN, unresponsive=True), 1)

    page = text_of(story.screen(120))
    assert "attempt 1 failed, retries: busy" in page
    assert "goes on although it was cancelled" in page
    assert story.told == [
        "▶ Tier: begins, 3 sequences, 1 at a time",
        "↻ Tier / web-0 / copy: attempt 1 failed, retries: busy",
        "■ Tier / web-1 / copy: goes on although it was cancelled; wait, or leave and"
        " resume",
    ]


def test_continuous_checks_are_news_only_when_they_fail() -> None:
    """They pass time and again; neither lines nor the list of what runs flicker."""
    plan = plan_of()
    checks = plan.cont_checks
    assert checks is not None
    story = Story(plan)
    story.begin(plan)
    for _ in range(3):
        story.begin(checks, checks.actions[0])
        assert "well" not in text_of(story.screen(seconds=1))
        assert "well" in text_of(story.screen(seconds=10))
        story.see(checks.actions[0], C, Attempt(started=BEGIN, ended=at(1)), 1)
        story.see(checks, C)
    assert story.told == []
    story.begin(checks, checks.actions[0])
    story.fail(checks.actions[0], "tier is down")
    story.see(checks, F)

    assert story.told == [
        "✗ cont_checks / well: failed: tier is down",
        "✗ cont_checks: failed",
    ]


def test_a_snapshot_sets_things_right() -> None:
    """A watcher that missed changes goes on from the plan as it is (WA-2)."""
    plan = plan_of()
    story = Story(plan)
    story.begin(plan, plan.blocks[0], plan.blocks[0].sequences[0].actions[0])
    for node in (plan, *plan.blocks[0].sequences, plan.blocks[0]):
        node.state = State(C, BEGIN, at(3))
    story.progress.see(PlanSnapshot(position=9, plan=plan, missed=True))

    page = text_of(story.screen())
    assert "completed 3s" in page
    assert "3 of 3 sequences completed" in page
    assert "web-0 / copy" not in page


def test_what_there_is_no_room_for_is_the_beginning() -> None:
    """A name's end tells it from its siblings; an error's end says why."""
    plan = plan_of()
    _, failing, running = plan.blocks[0].sequences
    running.name = "a machine with a very long name, number 3"
    story = Story(plan)
    story.begin(plan, plan.blocks[0], failing, running, running.actions[0])
    story.fail(
        failing.actions[0],
        "copy --to web-1 exited with code 1; the end of its stderr:\nno space left",
    )
    story.see(failing, F)

    page = text_of(story.screen(60))

    assert "  …th a very long name, number 3      5s" in page
    assert "✗ no space left: web-1" in page


def test_an_error_of_several_lines_is_one_line_of_a_log() -> None:
    """Its cause comes first; its line breaks are spaces, not backslashes."""
    plan = plan_of()
    action = plan.blocks[0].sequences[0].actions[0]
    story = Story(plan)
    story.fail(action, "exited with code 1; its stderr:\ncopying\n\nno space left\n")

    assert story.told == [
        "✗ Tier / web-0 / copy: failed: no space left (exited with code 1; its stderr:"
        " copying)"
    ]


def test_failures_are_grouped_by_their_cause() -> None:
    """The most frequent first; a host's name in an error makes no difference."""
    story = Story(plan_of(30, tolerated_failures=9))
    tier = story.plan.blocks[0]
    story.begin(story.plan, tier, *tier.sequences)
    for number, sequence in enumerate(tier.sequences[:20]):
        odd = number in (4, 9)
        text = "timed out" if odd else f"scp: {sequence.name}: no space left on device"
        story.fail(sequence.actions[0], text)
        story.see(sequence, F)
    lost = "  ✗ scp: …: no space left on device: web-0, web-1 and 16 others"

    assert story.screen(100)[-2:] == [lost, "  ✗ timed out: web-4 and web-9"]
    assert story.screen(40)[-2] == "  ✗ scp: …: no space left …: web-0 +17"
    assert story.screen(20)[-4:-2] == ["  ✗ scp: …: no spa…", "    web-0 +17"]


def test_a_failure_that_is_tried_again_is_none() -> None:
    """What was reset to run once more has not failed; its cause goes with it (C-1)."""
    story = Story(plan_of())
    action = story.plan.blocks[0].sequences[0].actions[0]
    story.begin(story.plan)
    story.fail(action, "no space left")
    story.see(action, N)

    assert "no space" not in text_of(story.screen())


def test_a_narrow_screen_keeps_the_names_of_hosts() -> None:
    """In 20 columns there is room for who works and for how long, and not for more."""
    story = Story(plan_of())
    web_2 = story.plan.blocks[0].sequences[2]
    story.begin(story.plan, story.plan.blocks[0], web_2, web_2.actions[0])

    assert "  web-2          5s" in story.screen(20)


def test_who_holds_a_plan_is_told_with_the_reason() -> None:
    """On lines of their own, however long the reason is."""
    plan = plan_of()
    plan.interventions = (
        Intervention(verb=Verb.PAUSE, by="ana", at=BEGIN, reason="why " * 30),
    )
    plan.state = State(R, BEGIN, None)
    story = Story(plan)

    header, _, *lines = story.screen()
    assert header.endswith("held, nothing new begins; it has run 5s")
    assert lines[0].startswith("  paused since 2031-05-01 18:00:00 UTC by ana: why")
    assert lines[1].endswith("why why why why")


def test_a_block_tells_its_batch_and_when_its_checks_passed() -> None:
    """How far it is in its batches (BG-2), and that somebody still looks (E-4)."""
    well = Checks(actions=[CheckAction(name="well", plugin="x.look")])
    story = Story(plan_of(11, batches=(1, 5), cont_checks=well))
    tier = story.plan.blocks[0]
    story.begin(story.plan, tier)
    assert tier.cont_checks is not None
    assert story.plan.cont_checks is not None
    story.see(tier.cont_checks, C)
    story.see(story.plan.cont_checks, C)
    for sequence in tier.sequences[:3]:
        story.see(sequence, C)

    page = text_of(story.screen())

    assert "3 of 11  5s\n    batch 2 of 3, checks passed 4s ago\n" in page
    assert "✓ cont_checks       passed 4s ago" in page
    assert "completed" not in page


def test_an_approval_that_is_waited_for_names_its_command() -> None:
    """Who is asked what, and what they type (AP-1)."""
    plan = plan_of()
    assert plan.pre_checks is not None
    asked = Approval(question="is checkout well?", approvers=("ana",))
    plan.pre_checks.actions = [Approve.action(asked, name="ask")]
    give_ids(plan, new_plan_id())
    story = Story(plan)
    story.begin(plan, plan.pre_checks, *plan.pre_checks.actions)

    page = text_of(story.screen(140))
    assert "  workstream approve " in page
    assert "waits for approval by ana: is checkout well?" in page


def test_completed_with_failures_is_not_green() -> None:
    """Green is for what needs no second look."""
    story = Story(plan_of())
    story.fail(story.plan.blocks[0].sequences[0].actions[0], "no space left")
    story.see(story.plan, C)
    [header, *_] = layout([story.progress], at(5), 80, 24, Signs())

    assert "yellow" in {str(span.style) for span in header.spans}
    assert "green" not in {str(span.style) for span in header.spans}
