"""What an installed package brings: a command, and an engine."""

from __future__ import annotations

import pytest

from workstream.errors import StorageError
from workstream.vaults import HostingVault
from workstream_temporal import workstream_commands, workstream_engines


def test_the_hooks_bring_a_command_and_an_engine() -> None:
    """By their names; the engine is one before it is connected."""
    [command] = workstream_commands()
    [(scheme, engine)] = workstream_engines().items()

    assert (command.name, scheme) == ("worker", "temporal")
    assert command.get_short_help_str()
    vault = engine("temporal.example:7233/deploys")
    assert isinstance(vault, HostingVault)
    assert vault.host == (
        "the Temporal cluster at temporal.example:7233, namespace deploys"
    )


@pytest.mark.parametrize("location", ["", "host", "host:port/x", "host:1/a/b", ":1"])
def test_what_is_no_cluster_is_refused(location: str) -> None:
    """With what to write instead."""
    engine = workstream_engines()["temporal"]

    with pytest.raises(StorageError, match="HOST:PORT/NAMESPACE"):
        engine(location)
