"""Look-ups of names: the machine's own, and some that the tests invent."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from trio.testing import MockClock, trio_test

from workstream import PluginError
from workstream_net import Dns, DnsCheck

if TYPE_CHECKING:
    from conftest import Attempt, Names

UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
BUSY = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


async def fails(request: Dns, context: Attempt) -> str:
    """The message of a look-up that fails and may be tried again."""
    with pytest.raises(PluginError) as caught:
        await DnsCheck().execute(context, request)
    assert not caught.value.permanent
    return caught.value.message


@trio_test
async def test_the_machine_resolves_its_own_name(context: Attempt) -> None:
    """The machine's own resolver is asked."""
    result = await DnsCheck().execute(context, Dns("localhost", family="ipv4"))

    assert "127.0.0.1" in result.addresses


@trio_test
async def test_answers_are_in_order_and_once(
    context: Attempt, resolve: Callable[[Names], None]
) -> None:
    """IPv4 comes first, then by number; what is named twice is there once."""
    resolve({"web": ["192.0.2.10", "2001:db8::1", "192.0.2.9", "192.0.2.10"]})

    result = await DnsCheck().execute(context, Dns("web", ("192.0.2.10",)))

    assert result.addresses == ("192.0.2.9", "192.0.2.10", "2001:db8::1")


@trio_test
async def test_missing_addresses_are_named(
    context: Attempt, resolve: Callable[[Names], None]
) -> None:
    """All of ``addresses`` must be there, however they are spelt."""
    resolve({"web": ["2001:db8::1", "192.0.2.9"]})

    await DnsCheck().execute(context, Dns("web", ("2001:DB8:0::1",)))
    assert await fails(Dns("web", ("192.0.2.9", "192.0.2.7")), context) == (
        "web resolves to 192.0.2.9, 2001:db8::1: expected 192.0.2.7 too"
    )


@trio_test
async def test_with_exactly_nothing_else_may_be_there(
    context: Attempt, resolve: Callable[[Names], None]
) -> None:
    """An answer too many is an error with ``exactly``, and both sides are named."""
    resolve({"web": ["192.0.2.8", "192.0.2.9"]})

    await DnsCheck().execute(
        context, Dns("web", ("192.0.2.9", "192.0.2.8"), exactly=True)
    )
    assert await fails(Dns("web", ("192.0.2.7",), exactly=True), context) == (
        "web resolves to 192.0.2.8, 192.0.2.9: expected 192.0.2.7 too, and did not "
        "expect 192.0.2.8, 192.0.2.9"
    )


@trio_test
async def test_only_the_family_is_asked_for(
    context: Attempt, resolve: Callable[[Names], None]
) -> None:
    """With a family, addresses of the other do not matter."""
    resolve({"web": ["2001:db8::1", "192.0.2.9"]})

    request = Dns("web", ("192.0.2.9",), exactly=True, family="ipv4")

    assert (await DnsCheck().execute(context, request)).addresses == ("192.0.2.9",)


@trio_test
async def test_a_name_that_does_not_exist_fails(
    context: Attempt, resolve: Callable[[Names], None]
) -> None:
    """It passes with ``absent``; a resolver that does not know is no proof of that."""
    resolve({"gone": UNKNOWN, "busy": BUSY, "there": ["192.0.2.9"]})

    assert await fails(Dns("gone"), context) == (
        "gone cannot be resolved: Name or service not known"
    )
    result = await DnsCheck().execute(context, Dns("gone", absent=True))
    assert result.addresses == ()
    assert await fails(Dns("busy", absent=True), context) == (
        "busy cannot be resolved: Temporary failure in name resolution"
    )
    assert await fails(Dns("there", absent=True), context) == (
        "there resolves to 192.0.2.9, but should not exist"
    )


@trio_test
async def test_a_resolver_that_hangs_is_left(
    context: Attempt, mock_clock: MockClock, resolve: Callable[[Names], None]
) -> None:
    """A look-up ends at its own limit."""
    resolve({"web": None})
    mock_clock.autojump_threshold = 0

    assert await fails(Dns("web", within=4), context) == (
        "the look-up of web gave no answer within 4 seconds (within)"
    )
