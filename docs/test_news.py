"""Every news fragment is of a kind that the changelog has a heading for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

DOCS = Path(__file__).parent
FRAGMENTS = sorted(path.name for path in (DOCS / "changes").glob("[0-9]*"))
NAME = re.compile(r"[0-9]+\.(?P<kind>[a-z]+)(\.[0-9]+)?\.md")


def test_each_fragment_is_of_a_known_kind() -> None:
    """A release would lose a fragment of any other name."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))
    kinds = {kind["directory"] for kind in project["tool"]["towncrier"]["type"]}
    for name in FRAGMENTS:
        found = NAME.fullmatch(name)

        assert found is not None, f"{name}: name it <issue>.<type>.<number>.md"
        assert found["kind"] in kinds, name
