"""The messages that the page on troubleshooting explains are messages of the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

DOCS = Path(__file__).parent
PAGE = DOCS / "how-to" / "troubleshoot.md"
SOURCES = (DOCS.parent / "core" / "src", DOCS.parent / "plugins-contrib")


def messages() -> list[str]:
    """The first column of the page's tables."""
    return re.findall(
        r"^\| `([^`]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )


@cache
def sources() -> dict[Path, str]:
    """Every module of the code, and its text."""
    return {
        path: path.read_text(encoding="utf-8")
        for folder in SOURCES
        for path in folder.rglob("*.py")
        if "tests" not in path.relative_to(folder).parts
    }


@cache
def texts(path: Path) -> str:
    """Every text in a module, a line each; values in it are dots."""
    return "\n".join(_texts_of(ast.parse(sources()[path])))


def _texts_of(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (
                part.value if isinstance(part, ast.Constant) else "..."
                for part in node.values
            )
            yield " ".join("".join(map(str, parts)).split())
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield " ".join(node.value.split())


@pytest.mark.parametrize("message", messages())
def test_the_code_says_it(message: str) -> None:
    """Each message on the page is one that a user can really meet."""
    pattern = ".*".join(re.escape(part.strip()) for part in message.split("..."))
    word = max(re.findall(r"\w+", message), key=len)

    # Only modules that have the word are parsed: all of them take two seconds.
    assert any(
        re.search(pattern, texts(path))
        for path, source in sources().items()
        if word in source
    ), f"no code says {message!r}: mend the page"


def test_the_page_explains_some() -> None:
    """The page is read at all."""
    assert len(messages()) > 10
