"""Every news fragment is of a kind that the changelog has a heading for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

DOCS = Path(__file__).parent
FRAGMENTS = sorted(path.name for path in (DOCS / "changes").glob("[0-9]*"))
NAME = re.compile(r"[0-9]+\.(?P<kind>[a-z]+)(\.[0-9]+)?\.md")


@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_fragment_is_of_a_known_kind(name: str) -> None:
    """A release would lose a fragment of any other name."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))
    kinds = {kind["directory"] for kind in project["tool"]["towncrier"]["type"]}
    found = NAME.fullmatch(name)

    assert found is not None, f"{name}: name it <issue>.<type>.<number>.md"
    assert found["kind"] in kinds
