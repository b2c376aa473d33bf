"""``workstream plugins --check`` tells what does not fit, before a plan runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Call = Callable[..., Result]


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        ("", 0, "does not say for which plugin API:\n  toy 1.0\n1 package was made"),
        ("workstream_plugin_api = 1", 0, "2 packages were made for plugin API 1"),
        ("workstream_plugin_api = 9", 1, "made for version 9 of the plugin API"),
        ("raise RuntimeError('no')", 1, "cannot be loaded: RuntimeError: no"),
    ],
)
def test_check_tells_what_does_not_fit(
    call: Call, toy: Path, line: str, status: int, told: str
) -> None:
    """The status is 1 when something was left out; a package that is silent works."""
    path = toy / "toy_plugin.py"
    path.write_text(f"{path.read_text()}\n{line}\n")

    result = call("plugins", "--check")

    assert result.exit_code == status
    assert told in " ".join(result.stdout.split(" "))
    assert "toy.act" not in result.stdout
    assert call("plugins").exit_code == 0


def test_what_the_allow_list_keeps_out_is_no_fault(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever set it knows."""
    monkeypatch.setenv("WORKSTREAM_PLUGINS", "")

    result = call("plugins", "--check", "--json")

    assert result.exit_code == 0
    [package] = json.loads(result.stdout)["packages"]
    assert package["plugin_api"] == 1
