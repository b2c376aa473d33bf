"""The plugins as the engine sees them."""

from __future__ import annotations

import pytest
import trio

from workstream import (
    Block,
    Checks,
    OnInterrupt,
    Plan,
    Registry,
    SecretRef,
    Sequence,
    Status,
    failures,
    open_workstream,
)
from workstream.vaults import MemoryVault
from workstream_command import (
    CheckCommand,
    CommandResult,
    Run,
    RunCommand,
    Shell,
    workstream_plugins,
)


def test_the_hook_offers_both_plugins() -> None:
    """The package's entry point brings an action and a check plugin (REG-10)."""
    registry = Registry(workstream_plugins())

    assert set(registry.names) == {"command.run", "command.check"}


def test_an_interrupted_command_is_asked_for() -> None:
    """Unless the plan says otherwise, what a crash left is settled first (R-7)."""
    assert RunCommand.on_interrupt is OnInterrupt.RECONCILE


def test_both_serve_both_requests() -> None:
    """A union of classes is the request type."""
    for plugin in (RunCommand, CheckCommand):
        assert plugin.request_type == Run | Shell
        assert plugin.response_type is CommandResult


def test_this_machine_will_do() -> None:
    """``init`` passes where the tests can run (REG-6)."""
    trio.run(RunCommand().init)
    trio.run(CheckCommand().init)


def test_an_action_is_made_with_its_plugin() -> None:
    """The class method gives a plain Action, or CheckAction, of the plugin's name."""
    action = RunCommand.action(Run(("true",)), name="Do")
    check = CheckCommand.action(Shell("true"), name="Look")

    assert (action.plugin, check.plugin) == ("command.run", "command.check")


def test_an_engine_runs_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests and responses are stored and come back; secrets are not (CL-8)."""
    monkeypatch.setenv("DEPLOY_TOKEN", "hunter2")
    script = Shell(
        'read -r line; echo "$line $TOKEN"',
        env={"TOKEN": SecretRef("env:DEPLOY_TOKEN")},
        stdin="hello",
    )
    plan = Plan(
        name="Plan",
        pre_checks=Checks(
            actions=[CheckCommand.action(Run(("test", "-d", "/")), name="Look")]
        ),
        blocks=[
            Block(
                name="Block",
                sequences=[
                    Sequence(
                        name="Sequence",
                        actions=[
                            RunCommand.action(script, name="Greet"),
                            RunCommand.action(Run(("lost",)), name="Fail", retries=5),
                        ],
                    )
                ],
            )
        ],
    )

    async def main() -> Plan:
        registry = Registry(workstream_plugins())
        async with open_workstream(MemoryVault(), registry=registry) as ws:
            return await ws.run(plan)

    result = trio.run(main)

    greet, fail = result.blocks[0].sequences[0].actions
    assert result.state.status is Status.FAILED
    assert greet.request == script
    assert greet.attempts[0].response == CommandResult(
        exit_code=0, stdout="hello [secret hidden]\n"
    )
    assert len(fail.attempts) == 1
    assert [(failure.path, failure.attempts) for failure in failures(result)] == [
        ("Plan / Block / Sequence / Fail", 1)
    ]
