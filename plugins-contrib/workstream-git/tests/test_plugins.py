"""The plugins in a plan that the engine runs and stores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import trio_test

import workstream_git
from workstream import (
    ActionPlugin,
    Block,
    Checks,
    OnInterrupt,
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
from workstream_git import (
    CheckoutRequest,
    CheckoutResult,
    CleanRequest,
    CloneRequest,
    FetchRequest,
    GitCheckout,
    GitClean,
    GitClone,
    GitFetch,
    GitRef,
    RefRequest,
)

if TYPE_CHECKING:
    from conftest import Repo


def test_the_hook_gives_a_plugin_for_each_verb() -> None:
    """They can all be registered, and come by installing the distribution (REG-10)."""
    plugins = workstream_git.workstream_plugins()
    registry = Registry(plugins)

    assert [(p.name, p.is_check) for p in plugins] == [
        ("git.clone", False),
        ("git.fetch", False),
        ("git.checkout", False),
        ("git.export", False),
        ("git.ref", True),
        ("git.clean", True),
    ]
    assert set(registry.names) <= set(Registry.installed().names)
    for plugin in plugins:
        if isinstance(plugin, ActionPlugin):
            assert plugin.on_interrupt is OnInterrupt.RERUN


@trio_test
async def test_a_plan_checks_out_and_looks(
    origin: Repo, tree: Path, https_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests of every kind run and are stored as they were, the password left out."""
    monkeypatch.setenv("GIT_TOKEN", "abracadabra")
    token = SecretRef("env:GIT_TOKEN")
    second = origin.git("rev-parse", "HEAD~1")
    path, clone = str(tree), f"{tree}-clone"
    actions = [
        GitCheckout.action(
            CheckoutRequest(
                url=https_server,
                path=path,
                revision=second,
                user="deploy",
                password=token,
            ),
            name="Check out",
        ),
        GitClone.action(
            CloneRequest(url=str(origin.path), path=clone, depth=1), name="Clone"
        ),
        GitFetch.action(FetchRequest(path=clone), name="Fetch"),
    ]
    checks = Checks(
        actions=[
            GitRef.action(RefRequest(repository=path, commit=second), name="HEAD"),
            GitClean.action(CleanRequest(path=path), name="Clean"),
        ]
    )
    sequence = Sequence(name="Sequence", actions=actions)
    plan = Plan(
        name="Plan",
        blocks=[Block(name="Block", sequences=[sequence])],
        post_checks=checks,
    )
    registry = Registry(workstream_git.workstream_plugins())

    async with open_workstream(MemoryVault(), registry=registry) as engine:
        result = await engine.run(plan)

    ran = result.blocks[0].sequences[0].actions
    assert result.outcome is Outcome.COMPLETED, plan_text(result)
    assert [action.request for action in ran] == [action.request for action in actions]
    assert ran[0].response == CheckoutResult(path=path, changed=True, commit=second)
    assert "abracadabra" not in repr(result) + plan_text(result)


@pytest.mark.parametrize(
    ("says", "complaint"),
    [
        (
            "git version 2.17.1",
            "2.31 or newer is needed, and this is 'git version 2.17.1'",
        ),
        ("something else", "this is 'something else'"),
        (None, "git cannot be started: No such file or directory; install it"),
    ],
)
def test_a_machine_without_a_git_to_work_with_is_told(
    says: str | None, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its plugins are unusable, with the reason; all else works (REG-6)."""
    folder = tmp_path / "bin"
    folder.mkdir()
    if says is not None:
        (folder / "git").write_text(f"#!/bin/sh\necho '{says}'\n")
        (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))

    for plugin in workstream_git.workstream_plugins():
        with pytest.raises(PluginError) as caught:
            trio.run(plugin.init)
        assert complaint in caught.value.message


def test_this_machine_has_one() -> None:
    """The real git is new enough."""
    for plugin in workstream_git.workstream_plugins():
        trio.run(plugin.init)
