"""The plugins in a plan that the engine runs and stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, trio_test, wait_all_tasks_blocked

from workstream import (
    Block,
    Checks,
    Outcome,
    Plan,
    PluginError,
    Registry,
    SecretRef,
    Sequence,
    open_workstream,
    plan_text,
)
from workstream.vaults import MemoryVault
from workstream_http import (
    HttpAction,
    HttpCheck,
    HttpCheckRequest,
    HttpRequest,
    HttpResponse,
)

if TYPE_CHECKING:
    from conftest import Received, Reply, Serve


async def echo(received: Received, reply: Reply) -> None:
    """Answer with all the secrets that came."""
    heard = [value for _, value in received.headers]
    await reply.send(200, "\n".join(heard).encode() + received.body)


def every_kind(url: str) -> list[HttpRequest]:
    """Requests that make use of every field and every type of it."""
    token = SecretRef("env:HTTP_TOKEN")
    return [
        HttpRequest(url=url, headers={"X-Token": token, "X-Plain": "1"}),
        HttpRequest(url=url, params={"t": token, "p": "1"}, bearer=token),
        HttpRequest(url=url, user="me", password=token, method="DELETE"),
        HttpRequest(url=url, method="POST", body=b"\x00\xff", idempotency_key=True),
        HttpRequest(url=url, method="POST", body="text", keep_body=False),
        HttpRequest(url=url, method="POST", body=token, body_limit=10),
        HttpRequest(url=url, method="PUT", json={"a": [1, None, True, 1.5, "x"]}),
        HttpRequest(
            url=url,
            method="PUT",
            body='{"a": 1}',
            matches="[{]",
            contains="a",
            retry_status="",
            follow_redirects=True,
        ),
    ]


@trio_test
async def test_requests_are_stored_and_secrets_are_not(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every kind of request runs and is stored as it was, its secrets left out."""
    monkeypatch.setenv("HTTP_TOKEN", "abracadabra")
    async with serve(echo) as it:
        requests = every_kind(it.url)
        check = HttpCheckRequest(
            url=SecretRef("env:HTTP_URL"), json_equals={"/a": 1, "/b": None}
        )
        monkeypatch.setenv("HTTP_URL", it.url + "/abracadabra")
        plan = Plan(
            name="Plan",
            bypass_checks=Checks(actions=[HttpCheck.action(check, name="Check")]),
            blocks=[
                Block(
                    name="Block",
                    sequences=[
                        Sequence(
                            name="Sequence",
                            actions=[
                                HttpAction.action(request, name=f"Request {number}")
                                for number, request in enumerate(requests)
                            ],
                        )
                    ],
                )
            ],
        )
        registry = Registry([HttpAction(), HttpCheck()])
        async with open_workstream(MemoryVault(), registry=registry) as engine:
            result = await engine.run(plan)

    actions = result.blocks[0].sequences[0].actions
    assert result.outcome is Outcome.COMPLETED
    assert [action.request for action in actions] == requests
    assert it.received[1].header("x-token") == "abracadabra"
    assert it.received[0].target == "/abracadabra"
    assert isinstance(actions[0].response, HttpResponse)
    assert "[secret hidden]" in actions[0].response.body
    assert result.bypass_checks is not None
    assert "is not JSON" in str(result.bypass_checks.actions[0].error)
    assert "abracadabra" not in repr(result) + plan_text(result)


@trio_test
async def test_a_stop_of_the_engine_leaves_no_connection(serve: Serve) -> None:
    """Leaving the engine cancels a request on its way, and closes its connection."""
    reached = trio.Event()

    async def hang(received: Received, reply: Reply) -> None:
        reached.set()
        await reply.closed()

    async with serve(hang) as it:
        action = HttpAction.action(HttpRequest(url=it.url), name="Request")
        sequence = Sequence(name="Sequence", actions=[action])
        plan = Plan(name="Plan", blocks=[Block(name="Block", sequences=[sequence])])
        registry = Registry([HttpAction()])
        async with open_workstream(MemoryVault(), registry=registry) as engine:
            await engine.start(await engine.submit(plan))
            await reached.wait()
        await it.idle()

        assert it.connections == 0


@trio_test
async def test_a_request_that_hangs_is_tried_again(
    serve: Serve, mock_clock: MockClock
) -> None:
    """At its timeout an attempt is cancelled, and the next one may succeed (A-4)."""
    reached, long = trio.Event(), 10_000.0

    async def hang_once(received: Received, reply: Reply) -> None:
        if len(it.received) == 1:
            reached.set()
            await reply.closed()
        else:
            await reply.send(200)

    async def move_the_clock() -> None:
        # Not before: a thread reads the certificate authorities, however long it takes.
        await reached.wait()
        mock_clock.jump(long)
        while len(it.received) < 2:  # the wait between the two, of seconds
            await wait_all_tasks_blocked(0.01)
            mock_clock.jump(1)

    async with serve(hang_once) as it:
        action = HttpAction.action(
            HttpRequest(url=it.url), name="Request", timeout=long, retries=1
        )
        sequence = Sequence(name="Sequence", actions=[action])
        plan = Plan(name="Plan", blocks=[Block(name="Block", sequences=[sequence])])
        registry = Registry([HttpAction()])
        async with (
            open_workstream(MemoryVault(), registry=registry) as engine,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(move_the_clock)
            result = await engine.run(plan)

    first, second = result.blocks[0].sequences[0].actions[0].attempts
    host = it.url.removeprefix("http://")
    waited = f"GET {it.url}/ was connected to {host} and waited for its answer"
    assert first.error == PluginError(
        "plugin execution timed out", wrapped=PluginError(waited)
    )
    assert second.error is None
    assert result.outcome is Outcome.COMPLETED


def test_what_is_installed_is_found() -> None:
    """Both plugins come by installing the distribution."""
    assert {"http.request", "http.check"} <= set(Registry.installed().names)
