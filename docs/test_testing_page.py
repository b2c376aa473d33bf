"""The page about the testing API names all there is, and nothing else."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import workstream.testing
from workstream.testing import check_plugin

TEXT = (Path(__file__).parent / "reference" / "testing.md").read_text(encoding="utf-8")


def first_columns(text: str) -> list[str]:
    """What stands in the first columns of the tables, each with its backticks."""
    return re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)


def section(title: str) -> str:
    """The text below a heading, down to the next of its level or above."""
    level = title.index(" ")
    parts = re.split(rf"^(#{{2,{level}}} .*)$", TEXT, flags=re.MULTILINE)
    return parts[parts.index(title) + 1]


def test_the_page_names_all_that_is_exported() -> None:
    """Each exported name stands in a first column, exactly once."""
    titles = (
        "## Simulation",
        "## Verification",
        "## Fakes",
        "## Real plugins, and whole engines",
        "## Assertions",
        "## Errors",
    )
    rows = [
        row
        for title in titles
        for row in first_columns(section(title).partition("###")[0])
    ]
    rows += first_columns(section("## Conformance").partition("###")[0])
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]

    assert sorted(named) == sorted(workstream.testing.__all__)


def test_the_page_names_all_findings() -> None:
    """In their order, with what each means."""
    table = section("### What `check_plugin` looks at")
    told = dict(re.findall(r"^\| `([\w-]+)` \| (.*) \|$", table, re.MULTILINE))

    with pytest.raises(ValueError, match="the names are") as caught:
        check_plugin(_plugin(), [None], ignore={"nothing"})
    assert ", ".join(told) == str(caught.value).partition("the names are ")[2]
    assert all(told.values())


def _plugin() -> Any:
    from workstream import ActionPlugin, Context

    class Nothing(ActionPlugin[None, None]):
        """Does nothing."""

        name = "acme.nothing"

        async def execute(self, context: Context, request: None, /) -> None:
            """Return."""

    return Nothing()


def test_the_page_names_fixtures_and_options(pytestconfig: pytest.Config) -> None:
    """They are what the pytest plugin offers."""
    rows = first_columns(section("## pytest"))
    names = [row.strip("`") for row in rows]

    plugin = pytestconfig.pluginmanager.get_plugin("workstream")
    assert plugin is not None
    fixtures = {name for name in names if hasattr(plugin, name)}
    assert fixtures == {"simulation", "memory_workstream", "fake_clock"}
    options = {name.partition("=")[0] for name in names if name.startswith("--")}
    assert options == {"--workstream-seed", "--workstream-runs"}
    for option in options:
        pytestconfig.getoption(option)


@pytest.mark.skipif(
    importlib.util.find_spec("hypothesis") is None, reason="an optional extra"
)
def test_the_page_names_the_strategies() -> None:
    """Each of them; ``Acts`` is the type of what one makes."""
    from workstream.testing import strategies

    named = re.findall(r"^\| `(\w+)\(", section("## Hypothesis"), re.MULTILINE)
    assert sorted(named) == sorted(set(strategies.__all__) - {"Acts"})


def test_every_name_has_a_docstring() -> None:
    """``help`` tells what it is."""
    for name in workstream.testing.__all__:
        value = getattr(workstream.testing, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, name
