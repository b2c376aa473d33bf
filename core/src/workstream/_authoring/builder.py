"""Building a plan step by step (section 19), for plans that a program makes up.

::

    plan = (
        PlanBuilder("Deploy server")
        .add_checks("pre_checks", Checks(actions=[]))
        .add_action(HttpCheck.action(request, name="Balancer answers"))
        .up()
        .add_block("Web tier", concurrency=5)
        .add_sequence("web-1")
        .add_action(Copy.action(request, name="Copy"))
        .plan()
    )

Where the shape of a plan is known, write it down as one: nested constructors are
checked by a type checker, and read like the plan.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any, Concatenate, NoReturn, ParamSpec, TypeVar, cast, overload
from uuid import UUID

from .._plan.paths import display_path, path_of
from .._plan.plan import (
    Action,
    BaseAction,
    Block,
    CheckAction,
    CheckKind,
    Checks,
    DeferBatch,
    DeferredActions,
    Node,
    NodeT,
    Percent,
    Plan,
    Sequence,
)
from .._plan.shape import SHAPES
from .._plan.walk import Item
from .._values.display import shorten
from .._values.errors import BuilderError
from .._values.state import HaltAfter, Undo, WhenDeferred

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")


def _step(
    method: Callable[Concatenate[PlanBuilder, P], None],
) -> Callable[Concatenate[PlanBuilder, P], PlanBuilder]:
    """A method that is skipped after an error, keeps its own, and gives the builder."""

    @functools.wraps(method)
    def step(self: PlanBuilder, /, *args: P.args, **kwargs: P.kwargs) -> PlanBuilder:
        if self.error is None:
            try:
                if self.is_handed_out:
                    _refuse(_HANDED_OUT.format(method=method.__name__))
                method(self, *args, **kwargs)
            except BuilderError as error:
                self.error = error
        return self

    return step


class PlanBuilder:
    """Builds a plan from the outside in: it is always at one object, at first the plan.

    A method that adds a container moves into it, ``up`` moves out again. The first
    error sticks: later calls do nothing, and ``plan`` raises it (BU-2). So a chain of
    calls needs no look at each of them.

    What is handed to the builder is not changed by it: of containers it takes a copy.

    Attributes:
        error: The first error; None as long as all is well.
        is_handed_out: Whether ``plan`` has given the plan out.
    """

    error: BuilderError | None
    is_handed_out: bool

    def __init__(
        self, name: str, description: str = "", group_id: UUID | None = None
    ) -> None:
        """Begin a plan (BU-1).

        Args:
            name: The plan's name.
            description: What it is for.
            group_id: Relates it to other plans.

        Raises:
            BuilderError: The name is blank.
        """
        self.reset(name, description, group_id)
        if self.error is not None:
            raise self.error

    def reset(
        self, name: str, description: str = "", group_id: UUID | None = None
    ) -> PlanBuilder:
        """Begin another plan, whatever became of the one before (BU-8, BU-9).

        Args:
            name: The new plan's name. If it is blank, that is the builder's error.
            description: What it is for.
            group_id: Relates it to other plans.
        """
        self.error = None
        self.is_handed_out = False
        self._plan = Plan(
            name=name, description=description, group_id=group_id, blocks=[]
        )
        self._chain: list[Node] = [self._plan]
        if _is_blank(name):
            self.error = BuilderError("a plan needs a name that is not blank")
        return self

    def plan(self) -> Plan:
        """Hand out the plan, from any depth, once (BU-8).

        It is not validated here: ``submit`` does that.

        Raises:
            BuilderError: The first thing that went wrong, or the plan was handed out
                before; ``reset`` begins another.
        """
        if self.error is not None:
            raise self.error
        if self.is_handed_out:
            _refuse(_HANDED_OUT.format(method="plan"))
        self.is_handed_out = True
        return self._plan

    @_step
    def up(self) -> None:
        """Move out to the object that holds this one (BU-7)."""
        if len(self._chain) == 1:
            _refuse(f"up: {self._place()}, which nothing holds")
        self._chain.pop()

    @_step
    def add_checks(self, kind: CheckKind, checks: Checks) -> None:
        """Add a check group to the plan or block, and move into it (BU-3).

        Args:
            kind: Which one; the plan or block must not have it yet.
            checks: The group; its list of actions may be empty.
        """
        owner = self._at("add_checks", Plan, Block)
        held = SHAPES[type(owner)].held
        kinds = [field.name for field in held if field.type is Checks]
        if kind not in kinds:
            _refuse(
                f"add_checks: there is no kind '{shorten(str(kind))}' of checks: "
                f"it is one of {', '.join(kinds)}"
            )
        if getattr(owner, kind) is not None:
            _refuse(
                f"add_checks: {self._place()}, which has {kind} already: "
                f"add all actions to one group"
            )
        given = _expect("add_checks", checks, Checks)
        group = copy.copy(given)
        group.actions = _without_holes("add_checks", given.actions)
        setattr(owner, kind, group)
        self._chain.append(group)

    @overload
    def add_block(self, block: Block, /) -> PlanBuilder: ...
    @overload
    def add_block(
        self,
        name: str,
        /,
        description: str = "",
        *,
        key: str | None = None,
        entrance_delay: float = 0.0,
        exit_delay: float = 0.0,
        concurrency: int | None = 1,
        tolerated_failures: int | Percent = 0,
        halt_after: HaltAfter = HaltAfter.ACTION,
        undo: Undo = Undo.PLAN_FAILURE,
        max_consecutive_failures: int | None = None,
        batches: tuple[int | Percent, ...] = (),
        batch_delay: float = 0.0,
        zone: str | None = None,
    ) -> PlanBuilder: ...
    @_step
    def add_block(
        self, block: Block | str, /, description: str = "", **settings: Any
    ) -> None:
        """Add a block to the plan, and move into it (BU-4).

        Args:
            block: A block, or the name of a new one.
            description: What a new block is for.
            settings: Other fields of a new block.
        """
        blocks = self._at("add_block", Plan).blocks
        self._add("add_block", blocks, Block, block, description, settings)

    @overload
    def add_sequence(self, sequence: Sequence, /) -> PlanBuilder: ...
    @overload
    def add_sequence(
        self,
        name: str,
        /,
        description: str = "",
        *,
        key: str | None = None,
        zone: str | None = None,
    ) -> PlanBuilder: ...
    @_step
    def add_sequence(
        self, sequence: Sequence | str, /, description: str = "", **settings: Any
    ) -> None:
        """Add a sequence to the block, and move into it (BU-4).

        Args:
            sequence: A sequence, or the name of a new one.
            description: What a new sequence is for.
            settings: Other fields of a new sequence.
        """
        sequences = self._at("add_sequence", Block).sequences
        self._add("add_sequence", sequences, Sequence, sequence, description, settings)

    @_step
    def add_action(self, action: Action | CheckAction) -> None:
        """Add an action to the sequence, check group or batch; it does not move (BU-5).

        Args:
            action: An ``Action``, in a check group a ``CheckAction``.
        """
        owner: Any = self._at("add_action", Sequence, Checks, DeferBatch)
        actions: list[Any] = owner.actions
        given = _expect("add_action", action, BaseAction)
        _require_name("add_action", given)
        if _is_blank(given.plugin):
            _refuse(f"add_action: the action '{shorten(given.name)}' needs a plugin")
        wanted, kind = (
            (CheckAction, "check") if isinstance(owner, Checks) else (Action, "action")
        )
        if not isinstance(given, wanted):
            _refuse(
                f"add_action: '{shorten(given.name)}' is of type {type(given).__name__},"
                f" and this place is for {kind}s: make it with the action() of "
                f"{'an' if kind == 'action' else 'a'} {kind} plugin (V-20)"
            )
        actions.append(given)

    @_step
    def add_deferred_actions(self) -> None:
        """Give the plan or sequence its deferred actions, once, and move in (BU-6)."""
        owner = self._at("add_deferred_actions", Plan, Sequence)
        if owner.deferred_actions is not None:
            _refuse(
                f"add_deferred_actions: {self._place()}, which has them already: "
                f"add all batches to the same ones"
            )
        owner.deferred_actions = DeferredActions(batches=[])
        self._chain.append(owner.deferred_actions)

    @_step
    def add_defer_batch(self, batch: DeferBatch) -> None:
        """Add a batch to the deferred actions, and move into it (BU-6).

        Args:
            batch: The batch; its list of actions may be empty.
        """
        owner = self._at("add_defer_batch", DeferredActions)
        given = _expect("add_defer_batch", batch, DeferBatch)
        _require_name("add_defer_batch", given)
        if not isinstance(cast(object, given.when), WhenDeferred) or (
            given.when is WhenDeferred.UNKNOWN
        ):
            _refuse(
                f"add_defer_batch: the batch '{shorten(given.name)}' must say when it "
                f"runs: ON_SUCCESS, ON_FAILURE or ALWAYS"
            )
        self._add("add_defer_batch", owner.batches, DeferBatch, given, "", {})

    def _add(
        self,
        method: str,
        held: list[NodeT],
        cls: type[NodeT],
        given: NodeT | str,
        description: str,
        settings: dict[str, Any],
    ) -> None:
        """Add a copy of an object, or a new one of this name, and move into it."""
        lists = [field.name for field in SHAPES[cls].held if field.many]
        if isinstance(given, str):
            settings |= {"name": given, "description": description}
            new = cls(**settings, **{name: [] for name in lists})
        else:
            if description or settings:
                _refuse(
                    f"{method}: settings go with a name: set them on the object itself"
                )
            new = copy.copy(_expect(method, given, cls))
        _require_name(method, new)
        for name in lists:
            setattr(new, name, _without_holes(method, getattr(new, name)))
        held.append(new)
        self._chain.append(new)

    @overload
    def _at(self, method: str, wanted: type[T], /) -> T: ...
    @overload
    def _at(self, method: str, wanted: type[T], other: type[U], /) -> T | U: ...
    @overload
    def _at(self, method: str, /, *wanted: type[Node]) -> Node: ...
    def _at(self, method: str, /, *wanted: type) -> object:
        """The object that the builder is at, if the method has a meaning there."""
        here = self._chain[-1]
        if not isinstance(here, wanted):
            names = " or ".join(_KINDS[kind] for kind in wanted)
            _refuse(f"{method}: {self._place()}: this is for {names}")
        return here

    def _place(self) -> str:
        """Where the builder is, for messages."""
        *ancestors, here = self._chain
        path = display_path(path_of(Item(here, tuple(ancestors))))
        return f"the builder is at '{path}', {_KINDS[type(here)]}"


def _refuse(message: str) -> NoReturn:
    """Raise the error."""
    raise BuilderError(message)


_HANDED_OUT = "{method}: the plan was handed out already: reset() begins another"

_KINDS: dict[type, str] = {
    Plan: "a plan",
    Block: "a block",
    Sequence: "a sequence",
    Checks: "a check group",
    DeferredActions: "deferred actions",
    DeferBatch: "a batch of deferred actions",
    BaseAction: "an action",
}


def _is_blank(name: object) -> bool:
    """Whether it is no name."""
    return not isinstance(name, str) or not name.strip()


def _expect(method: str, given: object, wanted: type[T]) -> T:
    """What was given, if it is of the wanted class."""
    if not isinstance(given, wanted):
        got = "None" if given is None else f"an object of type {type(given).__name__}"
        _refuse(f"{method}: it takes {_KINDS[wanted]}, and was given {got}")
    return given


def _require_name(method: str, node: Node) -> None:
    """Refuse an object without a name."""
    if _is_blank(getattr(node, "name", None)):
        kind = "an action" if isinstance(node, BaseAction) else _KINDS[type(node)]
        _refuse(f"{method}: {kind} needs a name that is not blank")


def _without_holes(method: str, nodes: list[T]) -> list[T]:
    """The list, copied; it must hold no None."""
    if any(node is None for node in nodes):
        _refuse(f"{method}: the list has a None in place of an object")
    return list(nodes)
