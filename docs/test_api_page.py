"""The pages about the Python API name all that is public, and nothing else."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parent / "reference"
PAGE = (REFERENCE / "api.md").read_text(encoding="utf-8")
FACES = ("errors", "plugins", "results", "vaults")
"""Those whose names ``workstream`` finds at run time, too."""
ALL_FACES = (*FACES, "show")


def exported(module: str) -> set[str]:
    """The names that a module exports."""
    return set(importlib.import_module(module).__all__) - {"__version__"}


def named(module: str) -> list[str]:
    """The names in the first columns of the tables below a module's heading."""
    section = PAGE.split(f"\n## `{module}`\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def test_the_page_names_all_that_is_exported() -> None:
    """Each name for users stands in a first column, exactly once."""
    assert sorted(named("workstream")) == sorted(exported("workstream"))


@pytest.mark.parametrize("face", ALL_FACES)
def test_the_page_names_what_the_other_faces_export(face: str) -> None:
    """Each stands below its module; those of the errors that all need, at the top."""
    names = named(f"workstream.{face}")
    helpers = (REFERENCE / "plugin-api.md").read_text("utf-8")
    elsewhere = {
        name
        for name in exported(f"workstream.{face}") - set(names)
        if name in exported("workstream")
        or (face == "plugins" and re.search(rf"`{name}\b", helpers))
    }

    assert len(names) == len(set(names))
    assert set(names) | elsewhere == exported(f"workstream.{face}")


def test_no_name_is_in_two_faces() -> None:
    """But for the errors that everybody catches, each name has one module."""
    shared = {"PluginError", "ValidationError", "WorkstreamError"}
    modules = ["workstream", *(f"workstream.{face}" for face in ALL_FACES)]
    names = [name for module in modules for name in exported(module)]

    assert {name for name in names if names.count(name) > 1} == shared


@pytest.mark.parametrize("face", FACES)
def test_the_top_face_finds_the_others(face: str) -> None:
    """``workstream`` gives their names at run time, and not those of nobody."""
    workstream = importlib.import_module("workstream")
    module = importlib.import_module(f"workstream.{face}")

    assert getattr(workstream, face) is module
    for name in module.__all__:
        assert getattr(workstream, name) is getattr(module, name)
    with pytest.raises(AttributeError, match="has no attribute 'nobody'"):
        workstream.nobody  # noqa: B018


def test_what_is_loaded_is_what_type_checkers_see() -> None:
    """The table of modules lists just the exported names."""
    workstream = importlib.import_module("workstream")

    assert {*workstream._HOMES, "__version__", "retries"} == set(workstream.__all__)
    assert all(getattr(workstream, name) for name in workstream.__all__)
