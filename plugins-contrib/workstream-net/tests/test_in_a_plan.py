"""The plugins in a plan that the engine runs and stores."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trio
from trio.testing import trio_test

from workstream import (
    Block,
    Checks,
    OnInterrupt,
    Outcome,
    Plan,
    Registry,
    Sequence,
    ValidationError,
    from_json,
    open_workstream,
    to_json,
)
from workstream.vaults import MemoryVault
from workstream_net import (
    Dns,
    DnsCheck,
    DnsResult,
    Ping,
    PingCheck,
    Tcp,
    TcpCheck,
    TcpResult,
    Tls,
    TlsCheck,
    WaitDns,
    WaitTcp,
    workstream_plugins,
)

NAMES = {
    *("net.dns", "net.ping", "net.tcp", "net.tls"),
    *("net.wait_dns", "net.wait_ping", "net.wait_tcp", "net.wait_tls"),
}


def a_plan(port: int) -> Plan:
    """A plan of looks that pass, and of one that does not."""
    return Plan(
        name="Plan",
        pre_checks=Checks(
            actions=[
                TcpCheck.action(Tcp("127.0.0.1", port), name="Listens"),
                DnsCheck.action(Dns("localhost", family="ipv4"), name="Resolves"),
            ]
        ),
        blocks=[
            Block(
                name="Block",
                sequences=[
                    Sequence(
                        name="Sequence",
                        actions=[
                            WaitTcp.action(Tcp("127.0.0.1", port), name="Up"),
                            WaitDns.action(
                                Dns("127.0.0.1", ("127.0.0.1",), exactly=True),
                                name="Itself",
                            ),
                        ],
                    )
                ],
            )
        ],
        post_checks=Checks(
            actions=[TlsCheck.action(Tls("127.0.0.1", port), name="Secure")]
        ),
    )


@trio_test
async def test_looks_are_carried_out_and_stored() -> None:
    """Requests and results of every kind come back as they were."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]

        def hang_up() -> None:
            for _ in range(3):  # two looks at the port, and one at its certificate
                server.accept()[0].close()

        plan = a_plan(port)
        registry = Registry(workstream_plugins())
        async with (
            open_workstream(MemoryVault(), registry=registry) as engine,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(trio.to_thread.run_sync, hang_up)
            result = await engine.run(plan)

    up, itself = result.blocks[0].sequences[0].actions
    assert result.outcome is Outcome.FAILED
    assert result.pre_checks is not None
    assert result.post_checks is not None
    assert result.pre_checks.actions[0].request == Tcp("127.0.0.1", port)
    assert isinstance(up.response, TcpResult)
    assert up.response.address == "127.0.0.1"
    assert itself.response == DnsResult(("127.0.0.1",))
    assert "does not speak TLS" in str(result.post_checks.actions[0].error)


def test_plans_travel_as_json() -> None:
    """A plan that was written and read again is the same."""
    plan = a_plan(80)
    registry = Registry(workstream_plugins())

    assert from_json(to_json(plan, with_secrets=True), registry) == plan


@trio_test
async def test_without_ping_only_ping_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plans that ping are refused with the reason; all other looks work (REG-6)."""
    monkeypatch.setenv("PATH", str(tmp_path))
    plan = a_plan(80)
    assert plan.pre_checks is not None
    registry = Registry(workstream_plugins())
    async with open_workstream(MemoryVault(), registry=registry) as engine:
        await engine.submit(plan)
        plan.pre_checks.actions.append(PingCheck.action(Ping("web"), name="Ping"))
        with pytest.raises(ValidationError, match="the program ping is not on this"):
            await engine.submit(plan)


def test_what_is_installed_is_found() -> None:
    """All plugins come by installing the distribution."""
    assert set(Registry.installed().names) >= NAMES


def test_waits_may_be_run_again() -> None:
    """A wait changes nothing, so after a crash it waits again (REG-9)."""
    waits = [plugin for plugin in workstream_plugins() if not plugin.is_check]

    assert len(waits) == 4
    assert {getattr(wait, "on_interrupt", None) for wait in waits} == {
        OnInterrupt.RERUN
    }
