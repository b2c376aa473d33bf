"""The public classes as a caller uses them. Never run: only type checkers read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_type

import attrs

from workstream import (
    SECURE,
    Action,
    ActionPlugin,
    Block,
    CheckAction,
    CheckPlugin,
    Checks,
    Context,
    DeferBatch,
    DeferredActions,
    OnInterrupt,
    Plan,
    PluginError,
    Registry,
    SecretRef,
    Sequence,
    Status,
    WhenDeferred,
    hookimpl,
    preview_plan,
)
from workstream.hookspecs import SecretResolver, VaultFactory
from workstream.plugins import NOT_DONE, NotDone, Preview, PreviewContext
from workstream.results import Forecast, PlanPreview, PreviewItem, State
from workstream.retries import FAST, RetryPolicy
from workstream.vaults import Vault


@attrs.frozen
class CopyTo:
    host: str
    files: tuple[str, ...] = ()
    password: SecretRef | None = None
    passphrase: str = attrs.field(default="", metadata=SECURE)


@attrs.frozen
class CopyFrom:
    host: str


@attrs.frozen
class CopyResponse:
    bytes_sent: int


@attrs.frozen
class Ping:
    url: str


class Copy(ActionPlugin[CopyTo | CopyFrom, CopyResponse]):
    name = "acme.copy"
    retry = FAST
    on_interrupt = OnInterrupt.RECONCILE

    def __init__(self, binary: str = "scp") -> None:
        self.binary = binary

    async def execute(
        self, context: Context, request: CopyTo | CopyFrom
    ) -> CopyResponse:
        await context.remember(host=request.host, tries=1, done=0.5, raw=b"", last=None)
        context.report("copied", done=1, total=2)
        if context.attempt > 1 and context.notes.get("host") == request.host:
            message = "again"
            raise PluginError(message, code=7, permanent=True)
        return CopyResponse(1)

    async def reconcile(
        self, context: Context, request: CopyTo | CopyFrom
    ) -> CopyResponse | NotDone:
        return NOT_DONE

    async def preview(
        self, context: PreviewContext, request: CopyTo | CopyFrom
    ) -> Preview:
        if context.deadline is None:
            return Preview(f"{context.path}: no change", changes=False)
        return Preview("one file", changes=True, details=("- a", "+ b"))

    def validate(self, request: CopyTo | CopyFrom) -> None:
        if not request.host:
            message = "give a host"
            raise ValueError(message)

    async def init(self) -> None:
        self.binary = self.binary.strip()


class Reach(CheckPlugin[Ping, None]):
    name = "acme.reach"
    safe_in_preview = True
    retry = RetryPolicy(initial_interval=1, max_interval=10)

    async def execute(self, context: Context, request: Ping) -> None:
        context.report(f"{context.path} asks {request.url}")


def deploy_one(host: str) -> Sequence:
    return Sequence(
        name=host,
        key=f"deploy {host}",
        actions=[
            Copy.action(
                CopyTo(host=host, password=SecretRef("env:DEPLOY_PASSWORD")),
                name="Copy",
                retries=2,
                timeout=60,
            ),
            Copy.action(CopyFrom(host), name="Fetch", retries=None, deadline=600),
        ],
    )


plan = Plan(
    name="Deploy",
    description="Roll it out",
    meta=b"ticket 12",
    bypass_checks=Checks(actions=[Reach.action(Ping("new"), name="Already there?")]),
    pre_checks=Checks(
        actions=[
            Reach.action(Ping("a"), name="Up?"),
            CheckAction(name="Up too?", plugin="acme.reach", request=Ping("b")),
        ]
    ),
    blocks=[
        Block(
            name="Web tier",
            concurrency=5,
            tolerated_failures=2,
            cont_checks=Checks(
                delay=30, actions=[Reach.action(Ping("a"), name="Still up?")]
            ),
            sequences=[
                *(deploy_one(host) for host in ("web-1", "web-2")),
                Sequence(
                    name="web-3",
                    actions=[
                        Copy.action(
                            CopyTo("web-3"),
                            name="Copy",
                            on_interrupt=OnInterrupt.FAIL,
                        ),
                        Action(name="Raw", plugin="acme.copy", request=CopyFrom("x")),
                    ],
                ),
            ],
        ),
    ],
    deferred_actions=DeferredActions(
        batches=[
            DeferBatch(
                name="Roll back",
                when=WhenDeferred.ON_FAILURE,
                fail_element=True,
                actions=[Copy.action(CopyTo("old"), name="Copy back")],
            )
        ]
    ),
)

assert_type(Copy.action(CopyTo("a"), name="a"), Action)
assert_type(Copy().action(CopyFrom("a"), name="a"), Action)
assert_type(Reach.action(Ping("a"), name="a"), CheckAction)
assert_type(plan.state, State)
assert_type(plan.state.status, Status)
assert_type(plan.blocks[0].sequences[0].actions[0].error, PluginError | None)


async def foresee(context: Context) -> None:
    # What is told about an attempt is enough for a preview.
    await Copy().preview(context, CopyTo("a"))
    found = await preview_plan(plan, at_once=3)
    assert_type(found, PlanPreview)
    assert_type(found.changes, bool | None)
    for item in found.items:
        assert_type(item, PreviewItem)
        assert_type(item.forecast is Forecast.CHANGE, bool)


registry = Registry([Copy(binary="rsync"), Reach()])
registry.register(Copy())
assert_type(registry.names, tuple[str, ...])


@hookimpl
def workstream_plugins() -> Iterable[Copy | Reach]:
    return [Copy(), Reach()]


def _open(location: str) -> Vault:
    raise NotImplementedError


@hookimpl
def workstream_vaults() -> Mapping[str, VaultFactory]:
    return {"acme": _open}


@hookimpl
def workstream_secret_resolvers() -> Mapping[str, SecretResolver]:
    return {"acme": str.upper}
