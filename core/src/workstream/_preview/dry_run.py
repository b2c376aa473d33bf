"""A dry run: the plan walked without being run (section 24).

What a dry run can know
-----------------------

A dry run looks at the world of now, and a plan changes the world step by step. So what
can be said of a step is certain only as long as nothing before it changes anything; from
the first change on, all further steps will find a world that is not there yet. Tools that
pretend otherwise cry wolf (the check that the new version answers "fails", as it is not
installed yet), and a tool that cries wolf is not read. The whole design follows from
taking that one fact seriously. It is one flag, ``_untouched``: true until a step would
change something, or may.

*Checks* are questions about one moment, with a yes or a no. They are run only while the
flag is up, for then the present is the moment that they ask about: a plan's bypass, pre and
continuous checks always, those of the first block too; of a plan that finds all as
wanted, every single one down to its deferred checks. Below the first change they are *not
run*, and it is said why. And they are run only if they are marked ``safe_in_preview``: a
check changes nothing by contract (REG-8), but whether a command that somebody wrote keeps
to it, no author of a command plugin can promise. The author of the plan can, and marks the
action.

*Previews* are asked for all the same, above and below: what a step would do to the world
of now is worth knowing, and a plugin that can tell that its answer depends on what is not
there yet says so. Where it says that the action would fail, the flag decides what that
means: nothing stands between now and then, so it *would fail*; or a step before may mend
it (clone what is checked out, make the directory that is written to), so that *nobody can
tell*. Plugin authors need not think of it. So that it is known, previews are asked for in
the order of the run: one after the other in a sequence, and sequences side by side only
where a run has them so.

A check that fails does not end the dry run: the rest is asked for as if it had passed,
so that everything that stands against a plan is told at once. But a bypass check that
passes does end it, as that is no fault: what a run would skip is not asked for. Nor is what
would run only after a failure, as that is a world which nobody has seen.

What a dry run leaves behind
----------------------------

Nothing. There is no vault here to write to, none is opened, and a claim is not taken; ids
are made up, so that plugins find what they know, and thrown away. A check's notes last
as long as its call. What is called is what an author has said may be called, and beside
it only what any engine does when it opens: each plugin's ``init``, of the plan's plugins
alone, and ``validate``. Secrets are resolved for those calls that are made, since a file
that is to hold one cannot be compared otherwise, and hidden like an attempt's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import trio

from .._codec.codec import Codec
from .._plan.paths import paths
from .._plan.plan import (
    BaseAction,
    Block,
    CheckAction,
    CheckKind,
    Checks,
    DeferBatch,
    Node,
    Plan,
    Sequence,
)
from .._plan.structure import Found, structure
from .._plan.walk import actions, give_ids, groups, new_plan_id, position_of
from .._protocols.plugin import ActionPlugin, CheckPlugin, can_preview
from .._registry.registry import Registry
from .._runtime.lookups import Lookups
from .._runtime.plugin_init import init_plugins
from .._validation.validation import prepared
from .._values.state import WhenDeferred
from .asking import Asker
from .forecast import Forecast, PlanPreview, PreviewItem

__all__ = ["dry_run", "preview_plan"]

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
    for warning in warnings:
        log.warning("%s", warning)
    give_ids(copy, new_plan_id())
    codec = Codec(registry)
    codec.encode_definition(copy)  # as submit does: what cannot be stored is a fault
    return await _DryRun(copy, registry, codec, at_once).run()


class _DryRun:
    """One walk through one plan."""

    def __init__(
        self, plan: Plan, registry: Registry, codec: Codec, at_once: int
    ) -> None:
        self._plan = plan
        self._registry = registry
        self._paths = {position_of(item.node): path for path, item in paths(plan)}
        self._asker = Asker(self._paths, Lookups(registry.resolvers), codec, at_once)
        self._found: dict[int, PreviewItem] = {}
        self._bypassed: list[str] = []
        self._stops: list[str] = []
        self._untouched = True

    async def run(self) -> PlanPreview:
        plan = self._plan
        if not await self._bypasses(plan):
            await self._check(plan, "pre_checks", "cont_checks")
            for block in plan.blocks:
                await self._block(block)
            await self._check(plan, "post_checks")
            await self._deferred_actions()
            await self._check(plan, "deferred_checks")
        return PlanPreview(
            name=plan.name,
            items=tuple(self._found[position_of(action)] for action in actions(plan)),
            bypassed=tuple(self._bypassed),
            stops=tuple(self._stops),
        )

    async def _block(self, block: Block) -> None:
        if await self._bypasses(block):
            return
        await self._check(block, "pre_checks", "cont_checks")
        await self._sequences(block.sequences, side_by_side=block.concurrency > 1)
        await self._check(block, "post_checks")
        await self._check(block, "deferred_checks")

    async def _deferred_actions(self) -> None:
        deferred = self._plan.deferred_actions
        for batch in deferred.batches if deferred is not None else ():
            if batch.when is WhenDeferred.ON_FAILURE:
                for action in batch.actions:
                    self._skip(action, "it is for a plan that failed")
            else:
                await self._sequences([batch], side_by_side=False)

    # --- checks --------------------------------------------------------------------

    async def _bypasses(self, owner: Plan | Block) -> bool:
        """Whether the owner's bypass checks pass; what they skip is marked then."""
        if owner.bypass_checks is None:
            return False
        await self._check(owner, "bypass_checks")
        own = owner.bypass_checks.actions
        if not all(self._is(action, Forecast.PASSED) for action in own):
            return False
        self._bypassed.append(self._path_of(owner))
        passed = {position_of(action) for action in own}
        for action in _below(owner):
            if position_of(action) not in passed:
                self._skip(action, "bypassed")
        return True

    async def _check(self, owner: Plan | Block, *kinds: CheckKind) -> None:
        """Run these groups of the owner, side by side, as far as that says anything."""
        wanted = [(kind, group) for kind, group in groups(owner) if kind in kinds]
        async with trio.open_nursery() as nursery:
            for kind, group in wanted:
                for action in group.actions:
                    is_bypass = kind == "bypass_checks"
                    nursery.start_soon(self._check_one, action, is_bypass)
        for kind, group in wanted:
            if kind != "bypass_checks" and self._fails(group):
                self._stops.append(self._path_of(group))

    async def _check_one(self, action: BaseAction, is_bypass: bool) -> None:
        plugin = self._registry.get(action.plugin)
        assert isinstance(plugin, CheckPlugin), "validation has seen to it (V-20)"
        assert isinstance(action, CheckAction)
        safe = action.safe_in_preview
        if safe is False:
            why = "marked as not safe in a dry run"
            self._note(action, self._asker.item(action, Forecast.NOT_RUN, why))
        elif not (safe or plugin.safe_in_preview):
            why = f"{action.plugin} is not marked as safe in a dry run"
            self._note(action, self._asker.item(action, Forecast.NOT_RUN, why))
        elif not self._untouched:
            self._note(action, self._asker.item(action, Forecast.NOT_RUN, TOO_LATE))
        else:
            found = await self._asker.check(action, plugin, bypass=is_bypass)
            self._note(action, found)

    def _fails(self, group: Checks) -> bool:
        return any(self._is(action, Forecast.FAILED) for action in group.actions)

    # --- actions --------------------------------------------------------------------

    async def _sequences(
        self, sequences: Iterable[Sequence | DeferBatch], *, side_by_side: bool
    ) -> None:
        """Ask for the previews of some sequences, as a run would come to them."""
        before = self._untouched
        if not side_by_side:
            for sequence in sequences:
                before = await self._sequence(sequence, before)
            self._untouched = before
            return
        after: list[bool] = []

        async def ask(sequence: Sequence | DeferBatch) -> None:
            after.append(await self._sequence(sequence, before))

        async with trio.open_nursery() as nursery:
            for sequence in sequences:
                nursery.start_soon(ask, sequence)
        self._untouched = all(after)

    async def _sequence(self, sequence: Sequence | DeferBatch, untouched: bool) -> bool:
        """Whether nothing was changed before, and nothing would be by this."""
        for action in sequence.actions:
            plugin = self._registry.get(action.plugin)
            assert isinstance(plugin, ActionPlugin), "validation has seen to it (V-20)"
            if can_preview(plugin):
                found = await self._asker.preview(action, plugin, untouched=untouched)
            else:
                why = f"{action.plugin} has no preview"
                found = self._asker.item(action, Forecast.UNKNOWN, why)
            self._note(action, found)
            untouched = untouched and found.forecast is Forecast.NO_CHANGE
        return untouched

    # --- what was found ---------------------------------------------------------------

    def _note(self, action: BaseAction, item: PreviewItem) -> None:
        self._found[position_of(action)] = item

    def _skip(self, action: BaseAction, why: str) -> None:
        self._note(action, self._asker.item(action, Forecast.SKIPPED, why))

    def _is(self, action: BaseAction, forecast: Forecast) -> bool:
        return self._found[position_of(action)].forecast is forecast

    def _path_of(self, node: Node) -> str:
        return self._paths[position_of(node)]


def _below(owner: Plan | Block) -> Iterator[BaseAction]:
    """The actions that a plan or block holds, those of its checks included."""
    if isinstance(owner, Plan):
        yield from actions(owner)
        return
    for _, group in groups(owner):
        yield from group.actions
    for sequence in owner.sequences:
        yield from sequence.actions
