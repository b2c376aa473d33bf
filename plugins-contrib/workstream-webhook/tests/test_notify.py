"""Notifications through Apprise, to a real server of its kind ``json://``."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock, trio_test, wait_all_tasks_blocked

from workstream import (
    Block,
    Plan,
    PluginError,
    Registry,
    SecretRef,
    Sequence,
    ValidationError,
    open_workstream,
)
from workstream.vaults import MemoryVault
from workstream_webhook import (
    Notification,
    NotificationResponse,
    WebhookMessage,
    WebhookNotify,
    WebhookPost,
)
from workstream_webhook._apprise import without_parts

if TYPE_CHECKING:
    from conftest import Attempt, Received, Receiver

# Apprise imports it where Python still has it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")


@pytest.fixture
def plugin() -> WebhookNotify:
    """The plugin, made ready."""
    pytest.importorskip("apprise", reason="the package apprise is not installed")
    made = WebhookNotify()
    trio.run(made.init)
    return made


def service(receiver: Receiver, path: str) -> SecretRef:
    """A service at a path of the server, its address a secret."""
    host = receiver.url.removeprefix("http://")
    reference = SecretRef(f"env:{path.upper()}")
    return reference.resolved(f"json://{host}/services/token-of-{path}")


def paths(receiver: Receiver) -> list[str]:
    """Which services were called."""
    return [received.path.rpartition("-")[2] for received in receiver.received]


def refusing(*refused: str) -> Callable[[Received], tuple[int, bytes]]:
    """Answers of services of which some do not work."""

    def answer(received: Received) -> tuple[int, bytes]:
        return (500 if received.path.endswith(refused) else 200), b""

    return answer


@trio_test
async def told(plugin: WebhookNotify, context: Attempt, request: Notification) -> Any:
    """Send it."""
    return await plugin.execute(context, request)


def test_every_service_is_told(
    plugin: WebhookNotify, context: Attempt, receiver: Receiver
) -> None:
    """Title, text and kind reach all services."""
    request = Notification(
        services=(service(receiver, "one"), service(receiver, "two")),
        title="Shop",
        body="It is *out*.",
        kind="success",
        body_format="markdown",
    )

    assert told(plugin, context, request) == NotificationResponse(
        services=("env:ONE", "env:TWO")
    )
    assert paths(receiver) == ["one", "two"]
    content = json.loads(receiver.received[0].body)
    assert (content["title"], content["type"]) == ("Shop", "success")
    assert "out" in content["message"]
    assert context.lines == ["env:ONE took it", "env:TWO took it"]


def test_only_those_who_failed_are_told_again(
    plugin: WebhookNotify, context: Attempt, receiver: Receiver
) -> None:
    """One that fails keeps no other from being told; who has it is not told twice."""
    services = tuple(service(receiver, name) for name in ("one", "two", "three"))
    request = Notification(services=services, body="Out.")
    receiver.answer = refusing("two")

    with pytest.raises(PluginError) as caught:
        told(plugin, context, request)
    receiver.answer = refusing()
    told(plugin, context, request)

    assert not caught.value.permanent
    assert caught.value.message.startswith("env:TWO did not take it: ")
    assert "500" in caught.value.message
    assert paths(receiver) == ["one", "two", "three", "two"]


def test_what_is_no_address(
    plugin: WebhookNotify, context: Attempt, receiver: Receiver
) -> None:
    """An address that Apprise does not know is permanent, but not if others may pass."""
    unknown = SecretRef("env:X").resolved("nosuch://user:hocuspocus@abracadabra/x")
    two = SecretRef("env:TWO").resolved("json://abracadabra json://hocuspocus")
    good = service(receiver, "one")
    receiver.answer = refusing("one")
    errors: list[PluginError] = []
    for services in ((unknown,), (two,), (unknown, good)):
        with pytest.raises(PluginError) as caught:
            told(plugin, context, Notification(services=services, body="Out."))
        errors.append(caught.value)

    assert [error.permanent for error in errors] == [True, True, False]
    assert errors[0].message.startswith(
        "env:X is not an address of one service that Apprise knows"
    )
    for error in errors:
        assert "hocuspocus" not in error.message
        assert "abracadabra" not in error.message


def test_nothing_is_logged(
    plugin: WebhookNotify,
    context: Attempt,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What Apprise and what it is built on would log, addresses and all, is kept in."""
    receiver.answer = refusing("one")
    caplog.set_level(logging.DEBUG)
    with pytest.raises(PluginError) as caught:
        told(
            plugin,
            context,
            Notification(services=(service(receiver, "one"),), body="Out."),
        )
    logging.getLogger("apprise").warning("of somebody else")

    assert caplog.messages == ["of somebody else"]
    assert "token-of-one" not in repr(caught.value) + "".join(context.lines)


@pytest.mark.parametrize(
    ("address", "text", "shown"),
    [
        (
            "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnl",
            "failed for t1jj3t3l2 of slack",
            "failed for [secret hidden] of slack",
        ),
        (
            "json://me:p%40ss-word@host.example/x",
            "p@ss-word, p%40ss-word at host.example:443",
            "[secret hidden], [secret hidden] at [secret hidden]:443",
        ),
        ("json://h/", "no json from h", "no json from h"),
    ],
)
def test_parts_of_an_address_are_hidden(address: str, text: str, shown: str) -> None:
    """Whatever may be a token is taken out, also decoded, also in other letters."""
    assert without_parts(text, address) == shown


@trio_test
async def test_without_apprise_only_notify_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Plans that notify are refused with what to install; posting works (REG-6)."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    request = Notification(services=(SecretRef("env:X"),), body="Out.")
    sequence = Sequence(
        name="Sequence", actions=[WebhookNotify.action(request, name="Tell")]
    )
    plan = Plan(name="Plan", blocks=[Block(name="Block", sequences=[sequence])])
    registry = Registry([WebhookPost(), WebhookNotify()])
    async with open_workstream(MemoryVault(), registry=registry) as engine:
        with pytest.raises(ValidationError, match=r"pip install 'workstream-webhook\["):
            await engine.submit(plan)


def cancelled_while_told(
    plugin: WebhookNotify,
    context: Attempt,
    request: Notification,
    reached: Event,
    then: Callable[[], None],
    clock: MockClock,
) -> list[str]:
    """What an attempt of 30 seconds says that ends while a service is called."""
    said: list[str] = []

    async def attempt() -> None:
        with trio.move_on_after(30):
            try:
                await plugin.execute(context, request)
            except PluginError as error:
                said.append(error.message)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(attempt)
            await trio.to_thread.run_sync(reached.wait)
            clock.jump(30)
            await wait_all_tasks_blocked(0.01)
            then()

    trio.run(main, clock=clock)
    return said


def test_a_service_that_never_ends_is_left(
    plugin: WebhookNotify, context: Attempt, receiver: Receiver
) -> None:
    """An attempt ends some seconds after its timeout, whatever a service does."""
    reached, let_go, clock = Event(), Event(), MockClock()

    def never(received: Received) -> tuple[int, bytes]:
        reached.set()
        let_go.wait(60)
        return 200, b""

    receiver.answer = never
    request = Notification(services=(service(receiver, "one"),), body="Out.")
    try:
        said = cancelled_while_told(
            plugin, context, request, reached, lambda: clock.jump(10), clock
        )
    finally:
        let_go.set()

    assert said == [
        "env:ONE was called and has not answered: nobody knows whether it took the "
        "message"
    ]
    assert context.notes == {}


def test_a_service_that_answers_late_is_remembered(
    plugin: WebhookNotify, context: Attempt, receiver: Receiver
) -> None:
    """Who took the message as the attempt ended is not told twice."""
    reached, let_go, clock = Event(), Event(), MockClock()

    def late(received: Received) -> tuple[int, bytes]:
        reached.set()
        let_go.wait(60)
        return 200, b""

    receiver.answer = late
    request = Notification(services=(service(receiver, "one"),), body="Out.")
    cancelled_while_told(plugin, context, request, reached, let_go.set, clock)

    assert context.notes == {"sent_0": True}


@trio_test
async def test_a_dry_run_says_who_would_be_told(context: Attempt) -> None:
    """A message that is sent is a change; no token is shown (PV-5)."""
    people = await WebhookNotify().preview(
        context, Notification(services=(SecretRef("env:SLACK"),), body="Out.")
    )
    posts = [
        await WebhookPost().preview(
            context, WebhookMessage(url=url, json={}, secret=SecretRef("env:S"))
        )
        for url in ("https://hooks.example/T0KEN", SecretRef("env:HOOK"))
    ]

    assert (people.summary, people.changes) == ("people are told by env:SLACK", True)
    assert [post.summary for post in posts] == [
        "a message is posted to hooks.example",
        "a message is posted to the URL in 'env:HOOK'",
    ]
    assert all(post.changes for post in posts)
