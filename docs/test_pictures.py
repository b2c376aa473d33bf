"""The pictures are those that the repository's own code draws."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

DOCS = Path(__file__).parent


def test_the_pictures_are_as_drawn() -> None:
    """``python docs/_site/pictures.py`` would change nothing."""
    source = DOCS / "_site" / "pictures.py"
    spec = importlib.util.spec_from_file_location("pictures", source)
    assert spec is not None
    assert spec.loader is not None
    pictures = importlib.util.module_from_spec(spec)
    sys.modules["pictures"] = pictures
    spec.loader.exec_module(pictures)
    drawn = {f"{name}.svg": draw().svg() for name, draw in pictures.PICTURES.items()}
    folder = DOCS / "explanation" / "pictures"
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}

    assert there == drawn
