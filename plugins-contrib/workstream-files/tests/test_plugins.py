"""The plugins in a plan that the engine runs and stores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import trio_test

import workstream_files
from workstream import (
    ActionPlugin,
    Block,
    Checks,
    OnInterrupt,
    Outcome,
    Plan,
    Registry,
    SecretRef,
    Sequence,
    open_workstream,
    plan_text,
)
from workstream.vaults import MemoryVault
from workstream_files import (
    ContentRequest,
    CopyFile,
    CopyRequest,
    ExistsRequest,
    FileChange,
    FileContent,
    FileExists,
    FreeSpace,
    LinkRequest,
    RemovePath,
    RemoveRequest,
    RenderTemplate,
    SpaceRequest,
    SwitchLink,
    TemplateRequest,
    WaitForFile,
    WaitRequest,
    WriteFile,
    WriteRequest,
)

if TYPE_CHECKING:
    from conftest import Attempt

ACTIONS = ["write", "template", "copy", "link", "remove", "wait"]
CHECKS = ["exists", "content", "checksum", "space"]


def test_the_hook_gives_a_plugin_for_each_verb() -> None:
    """They can all be registered, and come by installing the distribution (REG-10)."""
    plugins = workstream_files.workstream_plugins()
    registry = Registry(plugins)

    assert [(p.name, p.is_check) for p in plugins] == [
        *((f"files.{verb}", False) for verb in ACTIONS),
        *((f"files.{verb}", True) for verb in CHECKS),
    ]
    assert set(registry.names) <= set(Registry.installed().names)


def test_all_actions_may_be_run_again() -> None:
    """After a crash each of them looks first, so it is simply run again (REG-9)."""
    for plugin in workstream_files.workstream_plugins():
        if isinstance(plugin, ActionPlugin):
            assert plugin.on_interrupt is OnInterrupt.RERUN


@trio_test
async def test_a_release_is_rolled_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests of every kind run and are stored as they were, secrets left out."""
    monkeypatch.setenv("APP_TOKEN", "abracadabra")
    token = SecretRef("env:APP_TOKEN")
    app, release = folder / "app", folder / "app-2"
    source = folder / "built"
    source.write_text("program")
    actions = [
        CopyFile.action(
            CopyRequest(path=f"{release}/bin/app", source=str(source), parents=True),
            name="Copy",
        ),
        RenderTemplate.action(
            TemplateRequest(
                path=f"{release}/app.conf",
                template="port={{ ports[0] }}\ntoken={{ token }}\n",
                values={"ports": [80, 443]},
                secrets={"token": token},
            ),
            name="Configure",
        ),
        WriteFile.action(
            WriteRequest(path=f"{release}/token", content=("t=", token)), name="Token"
        ),
        WriteFile.action(
            WriteRequest(path=f"{release}/blob", content=b"\x00\xff"), name="Blob"
        ),
        WaitForFile.action(WaitRequest(path=f"{release}/blob"), name="Wait"),
        SwitchLink.action(LinkRequest(path=str(app), target="app-2"), name="Switch"),
        RemovePath.action(RemoveRequest(path=str(source)), name="Clean up"),
    ]
    checks = Checks(
        actions=[
            FileExists.action(ExistsRequest(path=f"{app}/bin/app"), name="Program"),
            FileContent.action(
                ContentRequest(path=f"{app}/app.conf", contains=token), name="Token"
            ),
            FreeSpace.action(SpaceRequest(path=str(folder), free="1"), name="Room"),
        ]
    )
    sequence = Sequence(name="Sequence", actions=actions)
    plan = Plan(
        name="Plan",
        blocks=[Block(name="Block", sequences=[sequence])],
        post_checks=checks,
    )
    registry = Registry(workstream_files.workstream_plugins())

    async with open_workstream(MemoryVault(), registry=registry) as engine:
        result = await engine.run(plan)
        again = await engine.run(plan)

    ran = result.blocks[0].sequences[0].actions
    assert result.outcome is Outcome.COMPLETED, plan_text(result)
    assert [action.request for action in ran] == [action.request for action in actions]
    assert (app / "app.conf").read_text() == "port=80\ntoken=abracadabra\n"
    assert (app / "token").read_text() == "t=abracadabra"
    assert isinstance(ran[1].response, FileChange)
    assert ran[1].response.changed
    assert "abracadabra" not in repr(result) + plan_text(result)
    # Its source is gone by now, so it is the copy that fails the second time.
    assert again.outcome is Outcome.FAILED
    assert "built: No such file" in str(again.blocks[0].sequences[0].actions[0].error)


@trio_test
async def test_a_secret_that_breaks_a_write_is_not_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of a request with a secret shows the reference, never the value."""
    monkeypatch.setenv("APP_TOKEN", "abracadabra")
    request = TemplateRequest(
        path=str(folder / "a"),
        template="{{ {}[token] }}",
        secrets={"token": SecretRef("env:APP_TOKEN")},
    )
    sequence = Sequence(
        name="Sequence", actions=[RenderTemplate.action(request, name="Action")]
    )
    plan = Plan(name="Plan", blocks=[Block(name="Block", sequences=[sequence])])
    registry = Registry(workstream_files.workstream_plugins())

    async with open_workstream(MemoryVault(), registry=registry) as engine:
        result = await engine.run(plan)

    action = result.blocks[0].sequences[0].actions[0]
    assert action.error is not None
    assert "has no attribute '[secret hidden]'" in str(action.error)


def test_many_at_once_take_turns(folder: Path, context: Attempt) -> None:
    """More of them than there are threads all get theirs, in one run after another."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(50):
                request = ExistsRequest(path=f"{folder}/{number}", present=False)
                nursery.start_soon(FileExists().execute, context, request)

    trio.run(main)
    trio.run(main)
