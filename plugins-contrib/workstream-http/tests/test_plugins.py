"""The two plugins, as the engine sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from trio.testing import trio_test

import workstream_http
from workstream import OnInterrupt, PluginError, SecretRef
from workstream.plugins import NOT_DONE
from workstream_http import HttpAction, HttpRequest

if TYPE_CHECKING:
    from conftest import Attempt


def test_the_hook_gives_both_plugins() -> None:
    """The package brings ``http.request`` and ``http.check`` (REG-10)."""
    plugins = workstream_http.workstream_plugins()

    assert [(p.name, p.is_check) for p in plugins] == [
        ("http.request", False),
        ("http.check", True),
    ]


@pytest.mark.parametrize(
    ("request_", "safe"),
    [
        (HttpRequest(url="http://a/"), True),
        (HttpRequest(url="http://a/", method="DELETE"), True),
        (HttpRequest(url="http://a/", method="POST"), False),
        (HttpRequest(url="http://a/", method="PATCH"), False),
        (HttpRequest(url="http://a/", method="POST", idempotency_key=True), True),
    ],
)
@trio_test
async def test_interrupted_requests_are_repeated_where_that_is_safe(
    context: Attempt, request_: HttpRequest, safe: bool
) -> None:
    """After a crash, what the server may take twice is sent again (R-7)."""
    plugin = HttpAction()

    assert plugin.on_interrupt is OnInterrupt.RECONCILE
    if safe:
        assert await plugin.reconcile(context, request_) is NOT_DONE
    else:
        with pytest.raises(PluginError, match="look there") as caught:
            await plugin.reconcile(context, request_)
        assert caught.value.permanent
        assert f"this {request_.method} was on its way" in caught.value.message


@pytest.mark.parametrize(
    ("request_", "summary", "changes"),
    [
        (HttpRequest(url="http://a/?k=v"), "GET http://a/?... only asks: no change", 0),
        (
            HttpRequest(url=SecretRef("env:URL"), method="HEAD"),
            "HEAD of the URL in 'env:URL' only asks: no change",
            0,
        ),
        (
            HttpRequest(url="http://a/", method="PUT"),
            "PUT http://a/ is sent; only the server knows what it changes",
            None,
        ),
    ],
)
@trio_test
async def test_a_dry_run_knows_what_only_asks(
    context: Attempt, request_: HttpRequest, summary: str, changes: int | None
) -> None:
    """A method that asks changes nothing; of all others nobody can tell (PV-5)."""
    preview = await HttpAction().preview(context, request_)

    assert preview.summary == summary
    assert preview.changes is (None if changes is None else False)
