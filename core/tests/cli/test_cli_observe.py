"""``workstream observe`` where there is nothing for it to do; the rest is in packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Call = Callable[..., Result]


def test_a_store_of_processes_is_refused(call: Call, tmp_path: Path) -> None:
    """The processes that run its plans tell their own observers (OB-7)."""
    result = call("observe", "--store", tmp_path / "store")

    assert result.exit_code == 2
    assert "each of these tells its observers" in result.stderr
    assert not (tmp_path / "store").exists()
