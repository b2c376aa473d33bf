"""What a type checker must refuse. Never run: ``test_typing`` reads the checkers' words.

Each line that must be refused says so at its end, with the rule that mypy names; no
other line may be refused, nor these by another rule. ``pyproject.toml`` keeps this file
out of the usual runs of both checkers.
"""

from __future__ import annotations

import uuid

import attrs

from workstream import (
    Action,
    ActionPlugin,
    Block,
    CheckAction,
    CheckPlugin,
    Checks,
    Context,
    DeferBatch,
    DeferredActions,
    Plan,
    Registry,
    Sequence,
    late,
    sure,
    text,
)
from workstream.results import State


@attrs.frozen
class CopyTo:
    host: str


@attrs.frozen
class CopyFrom:
    host: str


@attrs.frozen
class Ping:
    url: str


class Copy(ActionPlugin[CopyTo | CopyFrom, None]):
    name = "acme.copy"

    async def execute(self, context: Context, request: CopyTo | CopyFrom) -> None:
        pass


class Restart(ActionPlugin[CopyTo, int]):
    name = "acme.restart"

    async def execute(self, context: Context, request: CopyTo) -> str:  # E: override
        return "0"


class Reach(CheckPlugin[Ping, None]):
    name = "acme.reach"

    async def execute(self, context: Context, request: Ping) -> None:
        pass


# A request of the wrong type, by itself.

Restart.action(CopyFrom("a"), name="a")  # E: arg-type
Restart.action("a", name="a")  # E: arg-type
Reach.action(CopyTo("a"), name="a")  # E: arg-type
Copy.action(Ping("a"), name="a")  # E: arg-type
Copy().action(None, name="a")  # E: arg-type

# A check where an action belongs, and the reverse.

Sequence(name="s", actions=[Reach.action(Ping("a"), name="a")])  # E: list-item
DeferBatch(name="b", actions=[Reach.action(Ping("a"), name="a")])  # E: list-item
Checks(actions=[Copy.action(CopyTo("a"), name="a")])  # E: list-item
Sequence(name="s", actions=[CheckAction(name="a", plugin="acme.reach")])  # E: list-item
Checks(actions=[Action(name="a", plugin="acme.copy")])  # E: list-item

# The same, written inline: the context must not talk the checkers out of it.

Plan(
    name="p",
    pre_checks=Checks(
        actions=[
            Reach.action(Ping("a"), name="fine"),
            Reach.action(CopyTo("a"), name="a"),  # E: arg-type
            Copy.action(CopyTo("a"), name="a"),  # E: list-item
        ]
    ),
    blocks=[
        Block(
            name="b",
            cont_checks=Checks(
                actions=[
                    Copy.action(CopyTo("a"), name="a"),  # E: list-item
                ]
            ),
            sequences=[
                Sequence(
                    name="s",
                    actions=[
                        Copy.action(CopyFrom("a"), name="fine"),
                        Copy.action(Ping("a"), name="a"),  # E: arg-type
                        Restart.action(CopyFrom("a"), name="a"),  # E: arg-type
                        Reach.action(Ping("a"), name="a"),  # E: list-item
                    ],
                ),
                Block(name="not a sequence", sequences=[]),  # E: list-item
            ],
        ),
        Sequence(name="not a block", actions=[]),  # E: list-item
    ],
    deferred_actions=DeferredActions(
        batches=[
            DeferBatch(
                name="d",
                actions=[
                    Restart.action(Ping("a"), name="a"),  # E: arg-type
                    Reach.action(Ping("a"), name="a"),  # E: list-item
                ],
            )
        ]
    ),
)

# A response that flows into a request has its type, and so has each part of it.


@attrs.frozen
class Vm:
    address: str
    port: int
    zone: str | None = None


class Create(ActionPlugin[CopyTo, Vm]):
    name = "acme.create"

    async def execute(self, context: Context, request: CopyTo) -> Vm:
        return Vm("a", 1)


late(Ping)(url=Create.response("vm").address)
late(Ping)(url=Create.response("vm").port)  # E: arg-type
late(Ping)(url=Create.response("vm").zone)  # E: arg-type
late(Ping)(url=Create.response("vm"))  # E: arg-type
late(Ping)(url=Create.response("vm").adress)  # E: attr-defined
late(Ping)("a", urls=Create.response("vm").address)  # E: call-arg
late(Ping)()  # E: call-arg
late(Ping)(url=sure(Create.response("vm").zone))
late(Ping)(url=sure(Create.response("vm").port))  # E: arg-type
late(Ping)(url=text("{}", Create.response("vm").port))
text("{}", Create.response("vm").zone)  # E: arg-type
text("{}", Create.response("vm"))  # E: arg-type
Create.response(3)  # E: arg-type
Reach.action(late(CopyTo)(host=Create.response("vm").address), name="a")  # E: arg-type
Sequence(
    name="s",
    actions=[
        Restart.action(late(CopyTo)(host=Create.response("vm").address), name="fine"),
        Restart.action(
            late(CopyTo)(host=Create.response("vm").port),  # E: arg-type
            name="a",
        ),
    ],
)

# What the engine writes is no argument.

Plan(name="p", blocks=[], id=uuid.uuid4())  # E: call-arg
Plan(name="p", blocks=[], reasons=())  # E: call-arg
Plan(name="p", blocks=[], stopping=True)  # E: call-arg
Block(name="b", sequences=[], state=State())  # E: call-arg
Sequence(name="s", actions=[], plan_id=uuid.uuid4())  # E: call-arg
Checks(actions=[], state=State())  # E: call-arg
Action(name="a", plugin="acme.copy", attempts=[])  # E: call-arg
Copy.action(CopyTo("a"), name="a", attempts=[])  # E: call-arg

# Everything goes by name.

Copy.action(CopyTo("a"), "a")  # E: call-arg

# A check has no say about what a crash means, and only instances are plugins.

Reach.action(Ping("a"), name="a", on_interrupt=None)  # E: call-arg
Registry([Copy])  # E: list-item
