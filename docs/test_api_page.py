"""The page about the Python API names all that is public, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import workstream

PAGE = Path(__file__).parent / "reference" / "api.md"


def test_the_page_names_all_that_is_exported() -> None:
    """Each exported name stands in a first column of the page, exactly once."""
    rows = re.findall(
        r"^\| (`[^|]*) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]

    assert sorted(named) == sorted(set(workstream.__all__) - {"__version__"})
