"""The catalogue is what the plugins say of themselves, and they say all that counts."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from workstream._registry.host import discover
from workstream._registry.listing import PluginListing

DOCS = Path(__file__).parent
PAGE = DOCS / "reference" / "catalogue.md"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """``make_catalogue.py``."""
    spec = importlib.util.spec_from_file_location(
        "make_catalogue", DOCS / "make_catalogue.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def plugins(maker: ModuleType) -> list[PluginListing]:
    """All plugins of this repository."""
    allowed = {"WORKSTREAM_PLUGINS": ",".join(maker.distributions())}
    packages = discover(environment=allowed).listing().packages
    return [plugin for package in packages for plugin in package.plugins]


def test_the_page_is_up_to_date(maker: ModuleType) -> None:
    """Nothing on it is older than the plugins."""
    page = PAGE.read_text("utf-8")

    assert page == maker.renewed(page), (
        "docs/reference/catalogue.md is out of date: renew it by"
        " `.nox/tests/bin/python docs/make_catalogue.py`"
    )


def test_the_page_points_to_a_guide_for_each_distribution() -> None:
    """The table above the mark, written by hand, has them all."""
    table = re.findall(r"^\| \[`([\w-]+)`\]", PAGE.read_text("utf-8"), re.MULTILINE)

    assert table == sorted(
        path.parent.name
        for path in DOCS.parent.glob("plugins-contrib/*/pyproject.toml")
    )


def test_every_plugin_has_its_section(plugins: list[PluginListing]) -> None:
    """By its name, once."""
    headings = re.findall(r"^### `(.+)`$", PAGE.read_text("utf-8"), re.MULTILINE)

    assert len(plugins) > 25
    assert sorted(headings) == sorted(plugin.name for plugin in plugins)


def test_plugins_say_all_that_counts(plugins: list[PluginListing]) -> None:
    """What each does, and what each class and each field of it means."""

    def unsaid() -> Iterator[str]:
        for plugin in plugins:
            if not plugin.description:
                yield plugin.name
            for listed in (*plugin.requests, *plugin.responses, *plugin.inner_types):
                if not listed.description:
                    yield f"{plugin.name}: {listed.type}"
                for field in listed.fields:
                    if not field.description:
                        yield f"{plugin.name}: {listed.type}.{field.name}"

    assert list(unsaid()) == []
