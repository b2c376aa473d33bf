"""Every row of the fault table names a test that exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

DOCS = Path(__file__).parent
ROOT = DOCS.parent
PAGE = DOCS / "explanation" / "durability.md"

ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")

ROWS: list[tuple[str, str, str]] = ROW.findall(PAGE.read_text(encoding="utf-8"))[2:]


@cache
def functions_of(file: str) -> frozenset[str]:
    """The functions of a file, among which pytest finds its tests."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    )


def test_there_are_rows() -> None:
    """The table is read as it is written."""
    assert len(ROWS) > 40
    assert len({fault for fault, _, _ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("fault", "promise", "test"), ROWS)
def test_each_fault_is_injected_by_a_test(fault: str, promise: str, test: str) -> None:
    """The one that the row names, in the file that it names."""
    named = TEST.fullmatch(test)
    assert named, f"{fault}: the row names no test"
    assert named[2] in functions_of(named[1])
    assert promise
