"""A dry run: the interpreter on a runtime that asks instead of doing (section 24).

The plan is interpreted like any other, phase by phase, in its order and at its concurrency.
Only the runtime differs: where another calls ``execute``, this one asks the plugin what it
would do (``_preview.asking``), takes the action for done, and notes the answer. Nothing is
recorded, and no delay is waited for. So a dry run has no walk of its own that could come to
differ from the run.

What a dry run can know
=======================

A dry run looks at the world of now, and a plan changes the world step by step. So the
answer for a step is certain only as long as no step before it changes anything. From
the first change on, all further steps will find a world that is not there yet. A tool that
pretends otherwise cries wolf: the check that the new version answers "fails", as nothing
is installed yet. The design follows from taking that one fact seriously. It is the question
``_untouched``: would nothing that a run does before this action change anything?

*Checks* are questions about one moment, with a yes or a no. They are run only while the
answer is yes, for then the present is the moment that they ask about. Below the first
change they are *not run*, and the dry run says why. And they are run only if they are marked
``safe_in_preview``: a check changes nothing by contract (REG-8), but the author of a
command plugin cannot promise that of a command that somebody wrote. The author of the
plan can, and marks the action.

*Previews* are asked for all the same, above and below: the user wants to know what a step
would do to the world of now. Where a preview says that the action would fail, ``_untouched``
decides what that means. Yes: the action *would fail*. No: a step before may mend it (clone
what is checked out, make the directory that is written to), so that *nobody can tell*.
Plugin authors need not think of it.

A check that fails does not end the dry run. Its group counts as passed, so that the user
hears at once of everything that stands against the plan. But a bypass check that passes does
end its part, as in a run. Nor is what would run only after a failure asked for: nobody has
seen that world.

What a dry run leaves behind
============================

Nothing. No vault is opened, and no claim taken. The plan's ids are made up, so that plugins
find what they know, and thrown away. A check's notes last as long as its call. Secrets are
resolved for the calls that are made, since a file that is to hold one cannot be compared
otherwise, and hidden like an attempt's.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator

from .._codec.codec import Codec
from .._flow.late import keys_in
from .._interpreter import judgement
from .._interpreter.interpreter import Interpreter
from .._plan.plan import (
    BaseAction,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    Node,
    Plan,
    Sequence,
)
from .._plan.structure import Found, structure
from .._plan.walk import Item, give_ids, new_plan_id, position_of, walk
from .._protocols.plugin import (
    ActionPlugin,
    CheckPlugin,
    can_preview,
)
from .._protocols.runtime import AttemptOutcome
from .._registry.registry import Registry
from .._runtime.plugin_init import init_plugins
from .._validation.validation import prepared
from .._values.errors import fault_lines
from .._values.interventions import Freeze
from .._values.state import Attempt, PluginError
from .asking import Asking
from .forecast import Forecast, PlanPreview, PreviewItem

log = logging.getLogger("workstream")

AT_ONCE = 10
"""How many plugins are asked at the same time, unless told otherwise."""

TOO_LATE = "it looks at what the plan changes before it"


async def preview_plan(
    plan: Plan, *, registry: Registry | None = None, at_once: int = AT_ONCE
) -> PlanPreview:
    """Say what a plan would change, and change nothing (section 24).

    ::

        found = trio.run(preview_plan, plan)
        print(found)

    No store is needed, and none is opened. The plan is validated as ``submit`` does it
    and is not changed; its plugins' ``init`` is run. In an open engine, use
    ``Workstream.preview``.

    Args:
        plan: The plan.
        registry: The plugins; None: those that are installed.
        at_once: How many plugins are asked at the same time.

    Raises:
        ValidationError: It lists all that is wrong with the plan (V-1).
        ValueError: ``at_once`` is less than 1.
    """
    plugins = Registry.installed() if registry is None else registry
    named = {
        str(found.node.plugin)  # whatever it is: it is not validated yet
        for found in structure(plan)
        if isinstance(found, Found) and isinstance(found.node, BaseAction)
    }
    await init_plugins(plugins, [name for name in plugins.names if name in named])
    return await dry_run(plan, plugins, at_once=at_once)


async def dry_run(
    plan: Plan, registry: Registry, *, at_once: int = AT_ONCE
) -> PlanPreview:
    """The same, where the plugins are ready for use already."""
    if at_once < 1:
        message = f"at_once is {at_once}: it must be 1 or more"
        raise ValueError(message)
    copy, warnings = prepared(plan, registry)
    for warning in fault_lines(warnings):
        log.warning("%s", warning)
    give_ids(copy, new_plan_id())
    codec = Codec(registry)
    codec.encode_definition(copy)  # as submit does: what cannot be stored is a fault
    for block in copy.blocks:
        block.entrance_delay = block.exit_delay = 0
    runtime = PreviewRuntime(copy, registry, codec, at_once)
    await Interpreter(copy, runtime).run()
    return runtime.preview()


class PreviewRuntime(Asking):
    """Asks what each action of a plan would do; see ``Runtime`` for the verbs."""

    def __init__(
        self, plan: Plan, registry: Registry, codec: Codec, at_once: int
    ) -> None:
        """Make one for a plan that has its ids; it is changed like any that is run."""
        super().__init__(plan, registry, codec, at_once)
        self._found: dict[int, PreviewItem] = {}
        self._places = dict(_places(plan))
        self._first_change = math.inf
        self._changed: set[int] = set()

    def preview(self) -> PlanPreview:
        """What was found out, once the plan has been interpreted."""
        plan = self._plan
        owners: list[Plan | Block] = [plan, *plan.blocks]
        return PlanPreview(
            name=plan.name,
            items=tuple(
                self._item_of(item)
                for item in walk(plan)
                if isinstance(item.node, BaseAction)
            ),
            bypassed=tuple(
                self.path_of(owner) for owner in owners if judgement.is_bypassed(owner)
            ),
            stops=tuple(
                self.path_of(item.node)
                for item in walk(plan)
                if isinstance(item.node, Checks) and self._stops(item)
            ),
        )

    def _item_of(self, item: Item) -> PreviewItem:
        """What was found out of an action, or why a run would not come to it."""
        assert isinstance(item.node, BaseAction)
        found = self._found.get(position_of(item.node))
        if found is not None:
            return found
        owners = (node for node in item.ancestors if isinstance(node, Plan | Block))
        bypassed = any(judgement.is_bypassed(owner) for owner in owners)
        of = (
            "sequence"
            if any(isinstance(n, Sequence) for n in item.ancestors)
            else "plan"
        )
        why = "bypassed" if bypassed else f"it is for a {of} that failed"
        return self.item(item.node, Forecast.SKIPPED, why)

    def _stops(self, item: Item) -> bool:
        """Whether a run would fail at a check group."""
        assert isinstance(item.node, Checks)
        owner = item.ancestors[-1]
        assert isinstance(owner, Plan | Block)
        found = (self._found.get(position_of(action)) for action in item.node.actions)
        return item.node is not owner.bypass_checks and any(
            one is not None and one.forecast is Forecast.FAILED for one in found
        )

    # --- the verbs that ask ---------------------------------------------------------

    async def execute(
        self, action: BaseAction, attempt: Attempt, main: bool = True
    ) -> AttemptOutcome:
        """Ask what the action would do; then it counts as done.

        Only a bypass check that did not pass counts as failed, as it fails nothing.
        """
        if isinstance(action, CheckAction):
            found = await self._check(action, attempt)
        else:
            found = await self._preview(action, attempt)
        self._found[position_of(action)] = found
        if self._is_bypass(action) and found.forecast is not Forecast.PASSED:
            return AttemptOutcome(error=PluginError(found.summary, permanent=True))
        return AttemptOutcome()

    async def _check(self, action: CheckAction, attempt: Attempt) -> PreviewItem:
        """Run a check, as far as its answer says anything about the run (PV-3)."""
        plugin = self._plugin(action.plugin)
        assert isinstance(plugin, CheckPlugin), "validation has seen to it (V-20)"
        safe = action.safe_in_preview
        needs = self._needs(action)
        if needs:
            why = needs
        elif safe is False:
            why = "marked as not safe in a dry run"
        elif not (safe or plugin.safe_in_preview):
            why = f"{action.plugin} is not marked as safe in a dry run"
        elif not self._untouched(action):
            why = TOO_LATE
        else:
            bypass = self._is_bypass(action)
            return await self.ask_check(action, attempt, plugin, bypass=bypass)
        return self.item(action, Forecast.NOT_RUN, why)

    async def _preview(self, action: BaseAction, attempt: Attempt) -> PreviewItem:
        """Ask for a preview, and note whether the action would change anything (PV-5)."""
        plugin = self._plugin(action.plugin)
        assert isinstance(plugin, ActionPlugin), "validation has seen to it (V-20)"
        needs = self._needs(action)
        if needs:
            found = self.item(action, Forecast.UNKNOWN, needs)
        elif can_preview(plugin):
            untouched = self._untouched(action)
            found = await self.ask_preview(action, attempt, plugin, untouched=untouched)
        else:
            why = f"{action.plugin} has no preview"
            found = self.item(action, Forecast.UNKNOWN, why)
        if found.forecast is not Forecast.NO_CHANGE:
            stage, container = self._places[position_of(action)]
            self._first_change = min(self._first_change, stage)
            self._changed.add(id(container))
        return found

    def _needs(self, action: BaseAction) -> str:
        """Which responses there would have to be before anything can be asked (VF-7)."""
        keys = keys_in(action.request)
        referents = filter(None, map(self._action_of, keys))
        names = [f"'{self.path_of(each)}'" for each in referents]
        return f"needs the response of {' and '.join(names)}" if names else ""

    def _untouched(self, action: BaseAction) -> bool:
        """Whether nothing that a run does before the action would change anything."""
        stage, container = self._places[position_of(action)]
        return self._first_change >= stage and id(container) not in self._changed

    def _is_bypass(self, action: BaseAction) -> bool:
        """Whether the action is a bypass check."""
        _, container = self._places[position_of(action)]
        owners: list[Plan | Block] = [self._plan, *self._plan.blocks]
        return any(container is owner.bypass_checks for owner in owners)

    # --- the other verbs -------------------------------------------------------------

    def freeze(self) -> Freeze | None:
        """It begins nothing of the plan's, so nothing holds it."""
        return None

    async def hear(self) -> None:
        """Do nothing: nobody can tell a preview anything."""

    def random(self) -> float:
        """Never needed: nothing is tried again."""
        return 0.5

    async def wait(self, seconds: float, until: Callable[[], bool]) -> None:
        """Wait for the condition alone: so continuous checks run once, and never again."""
        await super().wait(math.inf, until)


Container = Checks | Sequence | DeferBatch


def _places(plan: Plan) -> Iterator[tuple[int, tuple[int, Container]]]:
    """For each action's position: its stage in the plan's order, and its container.

    Stages follow one another. Sequences that a run has side by side share one.
    """
    stage = 0
    block: Node | None = None
    for item in walk(plan):
        node = item.node
        sequence = item.ancestors[-2] if item.ancestors[1:] else None
        if isinstance(node, DeferBatch) and isinstance(sequence, Sequence):
            # It follows the sequence's actions, beside the other sequences.
            for each in node.actions:
                yield position_of(each), (stage, sequence)
        elif isinstance(node, Checks | Sequence | DeferBatch):
            owner = item.ancestors[-1]
            alongside = isinstance(node, Sequence) and owner is block
            if not (alongside and isinstance(owner, Block) and owner.concurrency != 1):
                stage += 1
            block = owner if isinstance(node, Sequence) else None
            for action in node.actions:
                yield position_of(action), (stage, node)
