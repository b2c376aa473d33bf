"""A package says which version of the plugin API it was made for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from workstream._protocols.plugin import PLUGIN_API
from workstream._registry.host import Host
from workstream._registry.registry import Registry

Install = Callable[..., Path]
Find = Callable[..., Host]

COPY = """
@hookimpl
def workstream_plugins():
    return [named(Copy, "acme.copy")]
"""


@pytest.mark.parametrize(
    ("line", "listed"),
    [("", None), (f"workstream_plugin_api = {PLUGIN_API}", PLUGIN_API)],
)
def test_what_fits_or_says_nothing_is_let_in(
    install_package: Install, find_packages: Find, line: str, listed: int | None
) -> None:
    """The version is listed beside the package; None when there is none."""
    install_package("acme", line + COPY)

    host = find_packages("acme")
    core, package = host.listing().packages

    names = [plugin.name for plugin in host.plugins()]
    assert names == ["workstream.approval", "acme.copy"]
    assert (core.plugin_api, package.plugin_api) == (PLUGIN_API, listed)
    assert all(each.deliberate for each in host.left_out)


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (
            str(PLUGIN_API + 1),
            "made for version 2 of the plugin API, and this workstream",
        ),
        ("'1'", "is '1': it is to be the plain number"),
        ("True", "is True: it is to be the plain number"),
        ("0", "is 0: it is to be the plain number"),
    ],
)
def test_what_does_not_fit_is_left_out_with_what_to_do(
    install_package: Install, find_packages: Find, version: str, told: str
) -> None:
    """Also when it has hooks that do not exist yet: its version is told, not those."""
    install_package(
        "acme",
        f"""
        workstream_plugin_api = {version}

        @hookimpl
        def workstream_hook_of_tomorrow():
            return []
        """,
    )

    host = find_packages("acme")
    [left_out] = [each for each in host.left_out if not each.deliberate]

    assert told in left_out.reason
    assert "workstream_hook_of_tomorrow" not in left_out.reason
    assert [plugin.name for plugin in host.plugins()] == ["workstream.approval"]
    assert told in Registry.installed(host).unusable["acme.copy"]
