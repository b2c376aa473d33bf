"""Retries of plans in which values flow from one action to another (RT-4)."""

from __future__ import annotations

import attrs

from workstream import (
    SECURE,
    ActionPlugin,
    Block,
    Context,
    Plan,
    PluginError,
    Sequence,
    Status,
    Workstream,
    late,
    remaining,
    text,
)
from workstream._plan.sequels.retry import From
from workstream.testing import MemoryWorkstream


@attrs.frozen
class Size:
    """What machine is wanted."""

    size: str


@attrs.frozen
class Vm:
    """A machine."""

    address: str
    token: str = attrs.field(default="", metadata=SECURE)


@attrs.frozen
class Visit:
    """What is done there."""

    url: str
    token: str = attrs.field(default="", metadata=SECURE)


class Create(ActionPlugin[Size, Vm]):
    """Makes machines, each with another address."""

    name = "acme.create"

    def __init__(self) -> None:
        """None yet."""
        self.made = 0

    async def execute(self, context: Context, request: Size, /) -> Vm:
        """Make one."""
        self.made += 1
        return Vm(f"10.0.0.{self.made}", f"token-{self.made}")


class Go(ActionPlugin[Visit, None]):
    """Fails at its first call."""

    name = "acme.go"

    def __init__(self) -> None:
        """Nobody was here."""
        self.seen: list[Visit] = []

    async def execute(self, context: Context, request: Visit, /) -> None:
        """Go there."""
        self.seen.append(request)
        if len(self.seen) == 1:
            message = "not yet"
            raise PluginError(message, permanent=True)


def plan(*, secret: bool = False, apart: bool = False) -> Plan:
    """A machine is made, then visited; ``apart``: in another block."""
    vm = Create.response("vm")
    url = text("http://{}:{}/", vm.address, 80)
    make = Create.action(Size("a"), name="make", key="vm")
    request = late(Visit)(url=url, token=vm.token) if secret else late(Visit)(url=url)
    go = Go.action(request, name="go")
    if not apart:
        sequences = [Sequence(name="s", actions=[make, go])]
        return Plan(name="p", blocks=[Block(name="b", sequences=sequences)])
    return Plan(
        name="p",
        blocks=[
            Block(name="b", sequences=[Sequence(name="s", actions=[make])]),
            Block(name="c", sequences=[Sequence(name="t", actions=[go])]),
        ],
    )


def retried(made: Plan, from_: From) -> tuple[Create, Go, Plan]:
    """Run it, and retry it once; the plugins, and how the retry ended."""
    create, go = Create(), Go()

    async def scenario(ws: Workstream) -> Plan:
        first = await ws.run(made)
        assert first.id is not None
        retry = await ws.retry(first.id, from_=from_)
        await ws.start(retry)
        return await ws.wait(retry)

    return create, go, MemoryWorkstream().run(scenario, [create, go])


def test_a_done_action_feeds_the_retry_from_the_store() -> None:
    """It is not done again, in its own sequence nor in another block."""
    for made in (plan(), plan(apart=True)):
        create, go, ended = retried(made, "action")

        assert ended.state.status is Status.COMPLETED
        assert create.made == 1
        assert go.seen == [Visit("http://10.0.0.1:80/")] * 2


def test_an_action_that_is_done_again_feeds_the_retry_anew() -> None:
    """A sequence that is kept whole keeps its references."""
    create, go, ended = retried(plan(), "sequence")

    assert ended.state.status is Status.COMPLETED
    assert create.made == 2
    assert go.seen[1] == Visit("http://10.0.0.2:80/")


def test_a_secret_response_is_had_anew() -> None:
    """No plan may hold it: its sequence is done again (RT-4)."""
    for made in (plan(secret=True), plan(secret=True, apart=True)):
        create, go, ended = retried(made, "action")

        assert ended.state.status is Status.COMPLETED
        assert create.made == 2
        assert go.seen[1] == Visit("http://10.0.0.2:80/", "token-2")


def test_nothing_of_a_retry_holds_the_secret() -> None:
    """Neither its value nor a copy of it."""
    create, go = Create(), Go()

    async def scenario(ws: Workstream) -> Plan:
        return await ws.run(plan(secret=True, apart=True))

    ended = MemoryWorkstream().run(scenario, [create, go])
    rest = remaining(ended, from_="action")

    assert rest is not None
    assert [block.name for block in rest.blocks] == ["b", "c"]
    assert "token-1" not in repr(rest)
