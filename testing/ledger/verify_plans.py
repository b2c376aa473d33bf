"""Plans and plugins for the tests of ``verify``."""

from __future__ import annotations

from typing import Any

import attrs

from workstream import (
    Action,
    ActionPlugin,
    Block,
    CheckAction,
    CheckPlugin,
    Checks,
    Context,
    HaltAfter,
    OnInterrupt,
    Plan,
    Sequence,
)
from workstream.plugins import NotDone
from workstream.testing import Effect, effect


@attrs.frozen
class On:
    """Which host."""

    host: str = "web"


class Drain(ActionPlugin[On, None]):
    """Take a host out of the balancer."""

    name = "acme.drain"

    async def execute(self, context: Context, request: On, /) -> None:
        """Fail the test."""
        raise NotImplementedError


class Copy(ActionPlugin[On, None]):
    """Copy a release."""

    name = "acme.copy"

    async def execute(self, context: Context, request: On, /) -> None:
        """Fail the test."""
        raise NotImplementedError


class Start(ActionPlugin[On, None]):
    """Start the server, and put the host back."""

    name = "acme.start"

    async def execute(self, context: Context, request: On, /) -> None:
        """Fail the test."""
        raise NotImplementedError


class Migrate(ActionPlugin[On, None]):
    """Change the database; it can be asked what became of it."""

    name = "acme.migrate"
    on_interrupt = OnInterrupt.RECONCILE

    async def execute(self, context: Context, request: On, /) -> None:
        """Fail the test."""
        raise NotImplementedError

    async def reconcile(self, context: Context, request: On, /) -> NotDone | None:
        """Fail the test."""
        raise NotImplementedError


class Look(CheckPlugin[On, None]):
    """Look whether all is well."""

    name = "acme.look"

    async def execute(self, context: Context, request: On, /) -> None:
        """Fail the test."""
        raise NotImplementedError


PLUGINS: tuple[Any, ...] = (Drain, Copy, Start, Migrate, Look)

SERVING: list[Effect] = [
    effect(Drain, sets={"serving": False}),
    effect(Start, sets={"serving": True}),
]


def steps(host: str, *plugins: Any, **more: Any) -> list[Action]:
    """An action of each of these plugins."""
    chosen = plugins or (Drain, Copy, Start)
    return [p.action(On(host), name=p.__name__, **more) for p in chosen]


def tier(
    hosts: int = 8,
    *,
    concurrency: int = 4,
    tolerated: int = 1,
    halt_after: HaltAfter = HaltAfter.ACTION,
    checks: dict[str, Any] | None = None,
    plugins: tuple[Any, ...] = (),
    **more: Any,
) -> Block:
    """A block of a sequence a host."""
    return Block(
        name="Web tier",
        concurrency=concurrency,
        tolerated_failures=tolerated,
        halt_after=halt_after,
        sequences=[
            Sequence(name=f"web-{n}", actions=steps(f"web-{n}", *plugins, **more))
            for n in range(1, hosts + 1)
        ],
        **(checks or {}),
    )


def rollout(hosts: int = 8, **more: Any) -> Plan:
    """Drain, copy and start on each host."""
    return Plan(name="Rollout", blocks=[tier(hosts, **more)])


def look(**more: Any) -> Checks:
    """A group of one check."""
    check: CheckAction = Look.action(On("lb"), name="Look")
    return Checks(actions=[check], **more)
