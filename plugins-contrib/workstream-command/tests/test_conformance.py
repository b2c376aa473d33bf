"""What every plugin must do, these do: put to the test with real commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from workstream import SecretRef
from workstream.plugins import AnyPlugin
from workstream.testing import check_plugin
from workstream_command import CheckCommand, Run, RunCommand, Shell

TOKEN = {"TOKEN": SecretRef("env:CONFORMANCE_TOKEN")}


@pytest.mark.slow
@pytest.mark.parametrize("plugin", [RunCommand(), CheckCommand()])
def test_command_conforms(plugin: AnyPlugin) -> None:
    """Commands end with their cancellation, leave nothing, and show no secret."""
    report = check_plugin(
        plugin,
        [
            Run(("echo", "done")),
            Shell('echo "$TOKEN"; cat', env=TOKEN, stdin="some text\n"),
        ],
        refused=[Run(()), Run(("ls -l",)), Shell(" "), Run(("./here",))],
        failing=[
            Shell('echo "no entry for $TOKEN" >&2; exit 3', env=TOKEN),
            Run(("/no/such/program",)),
        ],
        slow=Shell("sleep 60 & sleep 61"),
        steps=4,
    )

    assert "secrets" in report.checked


@pytest.mark.slow
def test_a_command_that_changes_something_conforms(tmp_path: Path) -> None:
    """An interrupted one is not run again, and says so (R-7)."""
    lines = tmp_path / "lines.txt"
    report = check_plugin(
        RunCommand(),
        [Shell('echo "a line" >> "$1"', args=(str(lines),))],
        reset=lambda: lines.unlink(missing_ok=True),
        look=lambda: lines.exists() and lines.read_text(),
        steps=4,
    )

    assert "interrupted" in report.checked
