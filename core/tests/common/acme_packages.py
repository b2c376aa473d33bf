"""What the tests of installed packages have in common: a package, and what is found."""

from __future__ import annotations

from workstream._registry.hook_answers import LeftOut
from workstream._registry.host import Host

COPY = """
@hookimpl
def workstream_plugins():
    return [named(Copy, "{name}.copy")]
"""
"""A module that brings one plugin; ``install_package`` puts names before it."""


def troubles(host: Host) -> list[LeftOut]:
    """What was left out, but for what the allow-list keeps out."""
    return [left_out for left_out in host.left_out if not left_out.deliberate]


def names(host: Host) -> list[str]:
    """The names of the plugins that can be used."""
    names = (plugin.name for plugin in host.plugins())
    return [name for name in names if not name.startswith("workstream.")]
