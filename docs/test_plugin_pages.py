"""The pages about hooks and the plugin API tell all there is, by name and signature."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pluggy
import pytest

import workstream
from workstream import hookspecs, plugins

REFERENCE = Path(__file__).parent / "reference"
HOOKS_PAGE = (REFERENCE / "hooks.md").read_text(encoding="utf-8")
API_PAGE = (REFERENCE / "plugin-api.md").read_text(encoding="utf-8")

PARTS = [
    "Parameters",
    "When it runs",
    "What to return",
    "Several answers",
    "Exceptions",
]
CLASSES: list[Any] = [
    plugins.BasePlugin,
    workstream.ActionPlugin,
    workstream.CheckPlugin,
    workstream.Context,
    plugins.PreviewContext,
    plugins.Preview,
    plugins.CapturedOutput,
    plugins.Redactor,
    plugins.Observer,
    plugins.Observation,
    workstream.PluginError,
    plugins.RetryPolicy,
    workstream.SecretRef,
]
FOR_RUNTIMES = {"resolved"}
"""What plugins never need, as its docstring says."""


def sections(page: str, level: str) -> dict[str, str]:
    """The text under each heading of this level, by the heading's code."""
    pattern = rf"^{level} `([^\n]+)`\n(.*?)(?=^#{{1,{len(level)}}} |\Z)"
    return dict(re.findall(pattern, page, re.M | re.S))


def signature(name: str, function: Any) -> str:
    """The function as a reader would type it, without ``self`` and quotes."""
    unwrapped = inspect.unwrap(function)
    found = inspect.signature(unwrapped)
    parameters = [p for p in found.parameters.values() if p.name not in ("self", "cls")]
    text = str(found.replace(parameters=parameters))
    text = re.sub(r"(: |-> )'([^']+)'", r"\1\2", text)
    prefix = "async " if inspect.iscoroutinefunction(unwrapped) else ""
    return f"{prefix}{name}{text}"


def hooks() -> list[str]:
    """The hooks that pluggy finds in the specifications."""
    manager = pluggy.PluginManager("workstream")
    manager.add_hookspecs(hookspecs)
    return [name for name in dir(manager.hook) if name.startswith("workstream_")]


def members(cls: type) -> Iterator[str]:
    """The public members that a class defines itself, each as its heading."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(tree, ast.ClassDef)
    for node in tree.body:
        if isinstance(node, ast.AnnAssign):
            assert isinstance(node.target, ast.Name)
            default = ""
            if node.value is not None and not isinstance(node.value, ast.Call):
                default = f" = {ast.unparse(node.value)}"
            yield f"{node.target.id}: {ast.unparse(node.annotation)}{default}"
    for name, value in vars(cls).items():
        if name.startswith("_") or name in FOR_RUNTIMES:
            continue
        if isinstance(value, property):
            returned = inspect.signature(value.fget or print).return_annotation
            yield f"{name}: {returned}"
        elif isinstance(value, (classmethod, staticmethod)):
            yield signature(name, value.__func__)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        elif inspect.isfunction(value):
            yield signature(name, value)


def test_every_hook_has_its_entry() -> None:
    """The headings are the hooks' names with their signatures, and no others."""
    wanted = [signature(name, getattr(hookspecs, name)) for name in hooks()]

    assert wanted
    assert sorted(sections(HOOKS_PAGE, "##")) == sorted(wanted)


@pytest.mark.parametrize("name", hooks())
def test_every_entry_has_its_parts(name: str) -> None:
    """Parameters, when, what to return, how it combines, what fails, and an example."""
    entry = sections(HOOKS_PAGE, "##")[signature(name, getattr(hookspecs, name))]

    assert re.findall(r"^\*\*(.+)\.\*\*", entry, re.M) == PARTS
    assert f"@workstream.hookimpl\ndef {name}(" in entry


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_member_of_the_plugin_api_has_its_entry(cls: type) -> None:
    """Below each class, a heading for each field and method, and no others."""
    section = sections(API_PAGE, "##")[cls.__name__]

    assert sorted(sections(section, "###")) == sorted(set(members(cls)))


def test_the_arguments_of_an_error_are_told() -> None:
    """What ``PluginError`` is made with is what it has."""
    section = sections(API_PAGE, "##")["PluginError"]
    arguments = set(inspect.signature(workstream.PluginError).parameters)

    assert set(re.findall(r"^\| `(\w+)` \|", section, re.M)) == arguments


def test_every_helper_has_its_row() -> None:
    """Each helper of ``workstream.plugins`` stands in a first column, exactly once."""
    section = sections(API_PAGE, "##")["workstream.plugins"]
    rows = re.findall(r"^\| (`[^|]*) \|", section, re.M)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]

    helpers = [
        name
        for name in plugins.__all__
        if getattr(getattr(plugins, name), "__module__", "").startswith(
            "workstream._authoring"
        )
    ]
    assert sorted(named) == sorted(helpers)


def test_ready_made_policies_and_marks_are_told() -> None:
    """Each name of ``workstream.retries``, each mark and each answer is on the page."""
    for name in (*workstream.retries.__all__, "SECURE", "IGNORE", "NOT_DONE"):
        assert f"`{name}`" in API_PAGE or f"`retries.{name}`" in API_PAGE
    for answer in workstream.OnInterrupt:
        assert f"`OnInterrupt.{answer.name}`" in API_PAGE
