"""Tests of the hook specifications: each is documented alike, and known to the host."""

from __future__ import annotations

import inspect
import re
import textwrap

import pluggy
import pytest

from workstream import hookspecs
from workstream._registry.hook_answers import HOOKS

HEADINGS = [
    "When it runs:",
    "What to return:",
    "How several answers combine:",
    "What an exception does:",
    "Example::",
]


def specified() -> list[str]:
    """The names of the functions that pluggy takes for hook specifications."""
    manager = pluggy.PluginManager("workstream")
    return [
        name for name in dir(hookspecs) if manager.parse_hookspec_opts(hookspecs, name)
    ]


def test_every_hook_has_a_reader() -> None:
    """The host knows what each specified hook may return, and no other."""
    assert specified() == sorted(HOOKS)
    assert set(HOOKS) < set(hookspecs.__all__)
    assert all(name.startswith("workstream_") for name in HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_says_the_same_things_in_the_same_order(name: str) -> None:
    """A docstring tells what, when, what to return, how it combines, and what fails."""
    documentation = inspect.getdoc(getattr(hookspecs, name)) or ""
    headings = re.findall(r"^([A-Z].*:)$", documentation, re.MULTILINE)

    assert headings == HEADINGS
    assert re.match(r"[A-Z].+\.", documentation)


@pytest.mark.parametrize("name", HOOKS)
def test_every_example_implements_its_hook(name: str) -> None:
    """The example of each docstring is Python, and implements that hook."""
    documentation = inspect.getdoc(getattr(hookspecs, name)) or ""
    example = textwrap.dedent(documentation.partition("Example::")[2])

    compile(example, name, "exec")

    assert f"@workstream.hookimpl\ndef {name}():" in example


@pytest.mark.parametrize("name", HOOKS)
def test_a_specification_is_not_called(name: str) -> None:
    """A specification is a name, arguments and words; it does nothing."""
    with pytest.raises(NotImplementedError):
        getattr(hookspecs, name)()
