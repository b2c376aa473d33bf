"""What the HTTP library logs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import httpx2
import pytest
from trio.testing import trio_test

from workstream import SecretRef
from workstream_http import HttpCheck, HttpCheckRequest

if TYPE_CHECKING:
    from conftest import Attempt, Received, Reply, Serve


async def answer(received: Received, reply: Reply) -> None:
    """Say yes."""
    await reply.send(200)


@trio_test
async def test_an_attempt_logs_no_secret(
    serve: Serve, context: Attempt, caplog: pytest.LogCaptureFixture
) -> None:
    """URLs and headers of an attempt are in no log, at no level."""
    caplog.set_level(logging.DEBUG)
    async with serve(answer) as it:
        request = HttpCheckRequest(
            url=it.url,
            headers={"X-Token": SecretRef("env:A").resolved("abcdef")},
            params={"token": SecretRef("env:A").resolved("abcdef")},
        )
        await HttpCheck().execute(context, request)

    assert it.received[0].header("x-token") == "abcdef"
    assert it.received[0].target == "/?token=abcdef"
    assert "abcdef" not in caplog.text


@trio_test
async def test_others_log_as_before(
    serve: Serve, context: Attempt, caplog: pytest.LogCaptureFixture
) -> None:
    """Who uses the library beside the plugins still finds its records."""
    caplog.set_level(logging.DEBUG)
    async with serve(answer) as it:
        await HttpCheck().execute(context, HttpCheckRequest(url=it.url))
        async with httpx2.AsyncClient() as client:
            await client.get(it.url + "/others")

    assert "/others" in caplog.text
    assert {"httpx2", "httpcore2.connection", "httpcore2.http11"} <= {
        record.name for record in caplog.records
    }
