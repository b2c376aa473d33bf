"""The plugins in a plan that the engine runs and stores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
from trio.testing import trio_test

from workstream import (
    Action,
    Block,
    Outcome,
    Plan,
    Registry,
    SecretRef,
    Sequence,
    from_json,
    open_workstream,
    plan_text,
    retries,
    to_json,
)
from workstream_webhook import (
    Notification,
    WebhookMessage,
    WebhookNotify,
    WebhookPost,
    WebhookResponse,
    workstream_plugins,
)

if TYPE_CHECKING:
    from conftest import Received, Receiver


class QuickPost(WebhookPost):
    """The plugin, with waits that a test can wait for."""

    retry = attrs.evolve(retries.FAST, initial_interval=0.001)


def a_plan(*actions: Action) -> Plan:
    """A plan of these actions."""
    sequence = Sequence(name="Sequence", actions=list(actions))
    return Plan(name="Plan", blocks=[Block(name="Block", sequences=[sequence])])


@trio_test
async def test_a_server_that_has_trouble_gets_it_in_the_end(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a 500 it is sent again, as the same message; no secret is shown or stored."""
    monkeypatch.setenv("HOOK_SECRET", "abracadabra")
    request = WebhookMessage(
        url=receiver.url,
        json={"deploy": [1, None, 1.5, {"a": True}]},
        secret=SecretRef("env:HOOK_SECRET"),
    )

    def trouble(received: Received) -> tuple[int, bytes]:
        return (500 if len(receiver.received) == 1 else 200), b"abracadabra"

    receiver.answer = trouble
    store = tmp_path / "store"
    async with open_workstream(store, registry=Registry([QuickPost()])) as engine:
        result = await engine.run(
            a_plan(WebhookPost.action(request, name="Tell", retries=1))
        )

    (action,) = result.blocks[0].sequences[0].actions
    first, second = receiver.received
    assert result.outcome is Outcome.COMPLETED
    assert action.request == request
    assert len(action.attempts) == 2
    assert isinstance(action.response, WebhookResponse)
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == str(action.id)
    stored = b"".join(file.read_bytes() for file in store.rglob("*") if file.is_file())
    assert b"abracadabra" not in stored
    assert "abracadabra" not in repr(result) + plan_text(result) + to_json(result)


def test_plans_travel_as_json() -> None:
    """A plan that was written and read again is the same."""
    ref = SecretRef("env:X")
    plan = a_plan(
        WebhookPost.action(
            WebhookMessage(
                url=ref, json=[1], secret=ref, previous_secret=ref, headers={"A": ref}
            ),
            name="Post",
        ),
        WebhookNotify.action(Notification(services=(ref,), body="x"), name="Notify"),
    )
    registry = Registry(workstream_plugins())

    assert from_json(to_json(plan, with_secrets=True), registry) == plan


def test_what_is_installed_is_found() -> None:
    """Both plugins come by installing the distribution."""
    names = Registry.installed().names

    assert {"webhook.post", "webhook.notify"} <= set(names)
