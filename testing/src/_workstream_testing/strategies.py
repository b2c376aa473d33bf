"""Hypothesis strategies: plans of any shape, and plugins that fare in any way."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, TypeAlias
from uuid import UUID

try:
    from hypothesis import note
    from hypothesis import strategies as st
except ImportError as error:  # an extra, so that nobody pays for it unasked
    message = (
        "workstream.testing.strategies needs Hypothesis: "
        "pip install 'workstream-engine[hypothesis]'"
    )
    raise ImportError(message) from error

import attrs

from workstream._plan.paths import paths
from workstream._plan.plan import (
    Action,
    BaseAction,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    Origin,
    Percent,
    Plan,
    Sequence,
)
from workstream._plan.shape import SHAPES
from workstream._plan.walk import walk
from workstream._protocols.plugin import AnyPlugin
from workstream._values.state import HaltAfter, OnFailure, Undo, WhenDeferred

from .fakes.fake_all import fake_all
from .fakes.fakes import FakePlugin
from .problems import ScriptError

Acts: TypeAlias = dict[str, Any]
"""What one call does: arguments of ``FakePlugin.when``."""

SECONDS = (0.0, 1.0, 5.0, 30.0, 90.0)
"""Few values, so that many things happen at the same instant."""


PERCENTS = (Percent(1), Percent(50), Percent(100))
_MOST_KEYS = 3
"""How many objects of a plan have a key, beside those that others refer to."""

_ANOTHER = UUID("01890a5d-ac96-774b-bcce-b30200000000")
"""The id of a plan that no store has."""

_TEXTS = st.sampled_from(("", "", "What it is for"))
_LOCKS = st.sampled_from(((), (), ("web tier",), ("web tier", "database")))
_ZONES = st.sampled_from((None, None, None, "eu-1", "us-1"))


def plans(
    actions: st.SearchStrategy[Action],
    checks: st.SearchStrategy[CheckAction] | None = None,
    *,
    max_blocks: int = 2,
    max_sequences: int = 4,
    max_actions: int = 3,
    referring: Callable[[Action], Action | None] | None = None,
    pausing: bool = False,
) -> st.SearchStrategy[Plan]:
    """Plans that can be submitted, of every shape: blocks, checks, deferred batches.

    ::

        actions = st.builds(lambda: Restart.action(RestartRequest(), name="Restart"))

        @given(plans(actions))
        def test_no_plan_runs_for_a_day(plan):
            assert simulate(plan, fake_all(plan, Restart)).elapsed < 86_400

    They shrink towards one block of one sequence of one action, without checks.

    Args:
        actions: What the sequences and batches are made of; equal names do not matter.
        checks: What the check groups are made of; None: there are none.
        max_blocks: How many blocks a plan has at most.
        max_sequences: How many sequences a block has at most, and batches a plan.
        max_actions: How many actions a sequence, batch or check group has at most.
        referring: Given an action with a key, makes one that refers to its response
            (VF-2), or None if none can. Some actions then refer to an action before
            them: in the sequence, in an earlier block, or of what a batch follows.
        pausing: Whether continuous checks may pause the plan (BG-4): then somebody has
            to unpause it.
    """
    shape = _Shape(
        actions, checks, max_blocks, max_sequences, max_actions, referring, pausing
    )
    return _plan(shape)


def acts(
    *,
    seconds: st.SearchStrategy[float] | None = None,
    fail: bool = True,
    hang: bool = True,
) -> st.SearchStrategy[Acts]:
    """What one call of a plugin does: succeeds, fails, hangs, takes its time.

    They shrink towards success at once.

    Args:
        seconds: How long a call takes; by default one of a few round values.
        fail: Whether it may fail, permanently or not.
        hang: Whether it may hang until it is cancelled.
    """
    takes = st.sampled_from(SECONDS) if seconds is None else seconds
    kinds: list[st.SearchStrategy[Acts]] = [takes.map(_lasting)]
    if fail:
        kinds.append(st.builds(_failing, takes, st.booleans()))
    if hang:
        kinds.append(st.just({"hangs": True}))
    return st.one_of(kinds)


def _lasting(seconds: float) -> Acts:
    return {"takes": seconds}


def _failing(seconds: float, permanent: bool) -> Acts:
    return {"takes": seconds, "fails": "it fails", "permanent": permanent}


def fakes(
    plan: Plan,
    *plugins: Any,
    acts: st.SearchStrategy[Acts] = acts(),  # noqa: B008 - a strategy never changes
    max_lines: int = 6,
) -> st.SearchStrategy[list[AnyPlugin]]:
    """Fakes for every plugin of a plan, some of whose calls do what ``acts`` draws.

    ::

        @given(st.data())
        def test_the_balancer_is_restored(data):
            plan = rollout(hosts=4)
            result = simulate(plan, data.draw(fakes(plan, Copy, Balancer)))
            assert restored(result)

    A failing example shows them as scripts: one line for each call that does something
    else than to succeed at once. They shrink towards none.

    Args:
        plan: The plan.
        plugins: Plugins or their classes; and fakes, on top of whose scripts the calls
            are scripted. What is missing is looked up among the installed plugins.
        acts: What a call does.
        max_lines: How many calls do something else than their fakes say; at least 1.

    Raises:
        ScriptError: There is nothing to draw, or a plugin cannot be faked.
    """
    if max_lines < 1:
        message = f"max_lines is {max_lines}: it must be 1 or more, or nothing is drawn"
        raise ScriptError(message)
    scripts = _Scripts(plan, plugins, acts, max_lines)
    if not scripts.places:
        message = f"plan {plan.name!r} has no action: there is nothing to draw"
        raise ScriptError(message)
    scripts.made()  # so that a plugin that is missing is told of at once
    return _scripted(scripts)


class _Scripts:
    """What ``fakes`` draws from.

    Hypothesis prints the arguments of a strategy with every error: hence an object of
    its own, whose text is one line and not a whole plan.
    """

    def __init__(
        self,
        plan: Plan,
        plugins: tuple[Any, ...],
        acts: st.SearchStrategy[Acts],
        max_lines: int,
    ) -> None:
        self.plan = plan
        self.acts = acts
        self.max_lines = max_lines
        self.places = [
            (item.node.plugin, path, attempt)
            for path, item in paths(plan)
            if isinstance(item.node, BaseAction)
            for attempt in range(1, (item.node.retries or 0) + 2)
        ]
        self._plugins = plugins

    def __repr__(self) -> str:
        return f"<the calls of plan {self.plan.name!r}>"

    def made(self) -> list[AnyPlugin]:
        """New fakes, each on top of the one that was given, or of one that succeeds.

        Not strict: whether a call comes to pass depends on all that is drawn.
        """
        fake: Any = FakePlugin
        return [
            fake(each, strict=False) for each in fake_all(self.plan, *self._plugins)
        ]


@st.composite
def _scripted(draw: st.DrawFn, scripts: _Scripts) -> list[AnyPlugin]:
    made = scripts.made()
    places = scripts.places
    by_name: dict[str, Any] = {plugin.name: plugin for plugin in made}
    numbers = st.lists(
        st.integers(0, len(places) - 1), unique=True, max_size=scripts.max_lines
    )
    for number in sorted(draw(numbers)):
        name, path, attempt = places[number]
        does = draw(scripts.acts)
        note(f"attempt {attempt} of {path}: {does}")
        by_name[name].when(path=path, attempt=attempt, **does)
    return made


@attrs.frozen
class _Shape:
    """What was asked of plans."""

    actions: st.SearchStrategy[Action]
    checks: st.SearchStrategy[CheckAction] | None
    blocks: int
    sequences: int
    size: int
    referring: Callable[[Action], Action | None] | None = None
    pausing: bool = False

    def some_actions(self) -> st.SearchStrategy[list[Action]]:
        """The actions of a sequence or batch: copies, as one may be drawn twice."""
        copied = self.actions.map(lambda action: attrs.evolve(action, key=None))
        return st.lists(copied, min_size=1, max_size=self.size)

    def group(self) -> st.SearchStrategy[Checks | None]:
        """A check group, or none."""
        if self.checks is None:
            return st.none()
        copied = self.checks.map(lambda check: attrs.evolve(check, key=None))
        some = st.lists(copied, min_size=1, max_size=self.size)
        return st.none() | st.builds(_checks, some, st.sampled_from(SECONDS))


def _checks(actions: list[CheckAction], seconds: float) -> Checks:
    # Continuous checks without a delay would run for ever in one instant.
    return Checks(actions=actions, delay=seconds or 10.0)


@st.composite
def _plan(draw: st.DrawFn, shape: _Shape) -> Plan:
    count = draw(st.integers(1, shape.blocks))
    blocks = [draw(_block(shape, number)) for number in range(1, count + 1)]
    plan = Plan(
        name="Plan",
        description=draw(_TEXTS),
        **draw(_origins()),
        locks=draw(_LOCKS),
        blocks=blocks,
        deferred_actions=draw(st.none() | _deferred(shape, Plan)),
        **draw(_groups(shape, Plan)),
    )
    if shape.referring is not None:
        _refer(draw, plan, shape.referring)
    nodes: list[Any] = [item.node for item in walk(plan)]
    places = [place for place, node in enumerate(nodes) if hasattr(node, "key")]
    for place in sorted(draw(st.sets(st.sampled_from(places), max_size=_MOST_KEYS))):
        nodes[place].key = nodes[place].key or f"object {place}"
    return plan


def _origins() -> st.SearchStrategy[dict[str, Any]]:
    """Where a plan comes from: as a rule, from nowhere."""
    made = Origin(
        by="ana",
        host="bastion",
        file="deploy.py",
        digest="sha256:00",
        parameters=(("version", "2.0"),),
    )
    kin: list[dict[str, Any]] = [{}, {}, {"retry_of": _ANOTHER}, {"undo_of": _ANOTHER}]
    rest: dict[Any, st.SearchStrategy[Any]] = {
        "group_id": st.just(_ANOTHER),
        "meta": st.just(b"\x00mine"),
        "origin": st.just(made),
    }
    others = st.fixed_dictionaries({}, optional=rest)
    return st.tuples(st.sampled_from(kin), others).map(_joined)


def _joined(parts: tuple[dict[str, Any], dict[Any, Any]]) -> dict[str, Any]:
    return {**parts[0], **parts[1]}


def _refer(
    draw: st.DrawFn,
    plan: Plan,
    referring: Callable[[Action], Action | None],
) -> None:
    """Let some actions refer to the response of one before them.

    One before them is one of their sequence, or of an earlier block; for deferred work,
    any whose end it waits for.
    """
    keys = itertools.count(1)

    def refer(several: list[Action], known: list[Action]) -> list[Action]:
        """Let some of these refer to what is known, or to one before them."""
        for index in range(len(several)):
            known_now = [*known, *several[:index]]
            source = draw(st.none() | st.sampled_from(known_now)) if known_now else None
            if source is not None:
                source.key = source.key or f"key {next(keys)}"
                made = referring(source)
                if made is not None:
                    several[index] = attrs.evolve(made, key=None)
        return several

    before: list[Action] = []
    for block in plan.blocks:
        met: list[Action] = []
        for sequence in block.sequences:
            mine = refer(sequence.actions, before)
            for batch in _batches_of(sequence):
                refer(batch.actions, [*before, *mine])
            met += mine
        before += met
    for batch in _batches_of(plan):
        refer(batch.actions, before)


def _batches_of(owner: Plan | Sequence) -> list[DeferBatch]:
    return [] if owner.deferred_actions is None else owner.deferred_actions.batches


@st.composite
def _groups(draw: st.DrawFn, shape: _Shape, owner: type[Node]) -> dict[str, Any]:
    """Each check group that a plan or block can have, or none."""
    fields = [field.name for field in SHAPES[owner].held if field.type is Checks]
    groups = {name: draw(shape.group()) for name in fields if name != "batch_checks"}
    watching = groups["cont_checks"]
    if watching is not None:
        watching.failures_before_halt = draw(st.integers(1, 3))
        known = [
            each for each in OnFailure if shape.pausing or each is not OnFailure.PAUSE
        ]
        watching.on_failure = draw(st.sampled_from(known))
    return groups


@st.composite
def _block(draw: st.DrawFn, shape: _Shape, number: int) -> Block:
    count = draw(st.integers(1, shape.sequences))
    seconds = st.sampled_from(SECONDS)
    return Block(
        name=f"Block {number}",
        description=draw(_TEXTS),
        sequences=[
            Sequence(
                name=f"Sequence {each}",
                description=draw(_TEXTS),
                actions=draw(shape.some_actions()),
                deferred_actions=draw(st.none() | _deferred(shape, Sequence)),
                zone=draw(_ZONES),
            )
            for each in range(1, count + 1)
        ],
        tolerated_failures=draw(
            st.integers(0, count) | st.just(-1) | st.sampled_from(PERCENTS)
        ),
        max_consecutive_failures=draw(st.none() | st.integers(1, count)),
        zone=draw(_ZONES),
        **draw(_batches(shape, count)),
        halt_after=draw(st.sampled_from(HaltAfter)),
        undo=draw(st.sampled_from(Undo)),
        entrance_delay=draw(seconds),
        exit_delay=draw(seconds),
        **draw(_groups(shape, Block)),
    )


@st.composite
def _batches(draw: st.DrawFn, shape: _Shape, count: int) -> dict[str, Any]:
    """How the sequences of a block are launched: as a rule, not in batches."""
    slots = st.integers(1, count)
    sizes = st.lists(st.integers(1, count) | st.sampled_from(PERCENTS), max_size=2)
    batches = draw(st.just(()) | sizes.map(tuple))
    if not batches:
        return {"concurrency": draw(slots)}
    return {
        "concurrency": draw(slots | st.none()),
        "batches": batches,
        "batch_delay": draw(st.sampled_from(SECONDS)),
        "batch_checks": draw(shape.group()),
    }


@st.composite
def _deferred(draw: st.DrawFn, shape: _Shape, owner: type[Node]) -> DeferredActions:
    """The deferred work of a plan or sequence; a sequence has little of it."""
    known = [when for when in WhenDeferred if when is not WhenDeferred.UNKNOWN]
    if owner is Plan:
        known.remove(WhenDeferred.ON_UNDO)
    most = shape.sequences if owner is Plan else 2
    return DeferredActions(
        batches=[
            DeferBatch(
                name=f"Batch {number}",
                description=draw(_TEXTS),
                actions=draw(shape.some_actions()),
                when=when,
                fail_element=when is not WhenDeferred.ON_UNDO and draw(st.booleans()),
            )
            for number in range(1, draw(st.integers(1, most)) + 1)
            for when in [draw(st.sampled_from(known))]
        ]
    )
