"""Tests of what hooks may answer: everything else costs the package, and no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from quickly import one_in

from workstream._registry.host import Host

Install = Callable[..., Path]
Find = Callable[..., Host]


REFUSED = {
    "a failing hook": (
        """
        @hookimpl
        def workstream_plugins():
            raise RuntimeError("broken")
        """,
        "its workstream_plugins failed: RuntimeError: broken (at ",
    ),
    "a hook that exits": (
        """
        @hookimpl
        def workstream_plugins():
            raise SystemExit
        """,
        "its workstream_plugins failed: SystemExit (at ",
    ),
    "a failing generator": (
        """
        @hookimpl
        def workstream_plugins():
            yield named(Copy, "acme.copy")
            raise RuntimeError("broken")
        """,
        "its workstream_plugins failed: RuntimeError: broken (at ",
    ),
    "a failing plugin": (
        """
        class Broken(Copy):
            @property
            def name(self):
                raise RuntimeError("broken")

        @hookimpl
        def workstream_plugins():
            return [Broken()]
        """,
        "its workstream_plugins failed: RuntimeError: broken (at ",
    ),
    "an async hook": (
        """
        @hookimpl
        async def workstream_plugins():
            return []
        """,
        "its workstream_plugins is written `async def`: write `def`",
    ),
    "something that is no plugin": (
        """
        @hookimpl
        def workstream_plugins():
            return [named(Copy, "acme.copy"), 7]
        """,
        "its workstream_plugins returned something that is no plugin: an object of"
        " type int is not a plugin",
    ),
    "a class": (
        """
        @hookimpl
        def workstream_plugins():
            return [Copy]
        """,
        "Copy is a class, not a plugin: give an instance, Copy()",
    ),
    "a single plugin": (
        """
        @hookimpl
        def workstream_plugins():
            return named(Copy, "acme.copy")
        """,
        "it is to return a list of plugins",
    ),
    "a text": (
        """
        @hookimpl
        def workstream_plugins():
            return "x" * 200
        """,
        f"its workstream_plugins returned '{'x' * 76}...: it is to return a list",
    ),
    "schemes in a list": (
        """
        @hookimpl
        def workstream_vaults():
            return ["acme"]
        """,
        "its workstream_vaults returned ['acme']: it is to return a mapping of schemes",
    ),
    "a scheme in capitals": (
        """
        @hookimpl
        def workstream_secret_resolvers():
            return {"ACME": str.upper}
        """,
        "gives a secret resolver the scheme 'ACME': a scheme is a lower-case letter",
    ),
    "a scheme of one letter": (
        """
        @hookimpl
        def workstream_vaults():
            return {"c": print}
        """,
        "gives a vault the scheme 'c': a scheme is",
    ),
    "a scheme for nothing": (
        """
        @hookimpl
        def workstream_vaults():
            return {"acme": None}
        """,
        "its workstream_vaults gives the scheme 'acme' no function but None",
    ),
    "plugins forgotten": (
        """
        @hookimpl
        def workstream_plugins():
            [named(Copy, "acme.copy")]
        """,
        "its workstream_plugins returned None: is a `return` missing? To add nothing,"
        " return an empty list",
    ),
    "vaults forgotten": (
        """
        @hookimpl
        def workstream_vaults():
            pass
        """,
        "its workstream_vaults returned None: is a `return` missing?",
    ),
    "something that is no command": (
        """
        @hookimpl
        def workstream_commands():
            return [print]
        """,
        "which is no click command with a name",
    ),
    "a command without a name": (
        """
        import click

        @hookimpl
        def workstream_commands():
            return [click.Command(None)]
        """,
        "which is no click command with a name",
    ),
}


@pytest.mark.parametrize("how", one_in(4, REFUSED))
def test_a_package_with_a_bad_answer_is_left_out_and_reported(
    install_package: Install, find_packages: Find, how: str
) -> None:
    """What a hook is not to return, or raises, is told with the hook's name."""
    source, reason = REFUSED[how]
    path = install_package("acme", source)
    install_package(
        "fine",
        """
        @hookimpl
        def workstream_plugins():
            return (named(cls, f"fine.{cls.__name__}") for cls in (Copy, Look))
        """,
    )

    host = find_packages("acme", "fine")
    [left_out] = [each for each in host.left_out if not each.deliberate]

    names = [plugin.name for plugin in host.plugins()]
    assert names == ["workstream.approval", "fine.Copy", "fine.Look"]
    assert sorted(host.vaults()) == ["lmdb", "memory"]
    assert (left_out.package, left_out.item) == ("dist-acme", "")
    assert reason in left_out.reason
    if reason.endswith("(at "):
        assert f"(at {path}:" in left_out.reason


def test_a_hook_that_a_person_interrupts_ends_discovery(
    install_package: Install, find_packages: Find
) -> None:
    """Ctrl-C in a hook is the operator's, not the package's."""
    install_package(
        "acme", "@hookimpl\ndef workstream_plugins(): raise KeyboardInterrupt\n"
    )

    with pytest.raises(KeyboardInterrupt):
        find_packages("acme")


OBSERVER = """
from workstream.plugins import Observer

class Chat(Observer):
    name = {name!r}
    {how}def observe(self, seen, /):
        pass

@hookimpl
def workstream_observers():
    return [{what}]
"""


@pytest.mark.parametrize(
    ("entry_point", "name", "how", "what", "reason"),
    [
        (
            "acme",
            "acme",
            "",
            "Chat()",
            "its workstream_observers stands behind the entry point 'acme', which runs "
            "need not look at: give it one named 'acme.observers'",
        ),
        ("acme.observers", "acme", "async ", "Chat()", "whose observe is written"),
        ("acme.observers", "acme", "", "7", "returned 7, which is no instance of an"),
        ("acme.observers", "acme", "", "Chat", "which is no instance of an Observer"),
        ("acme.observers", "Acme!", "", "Chat()", "its name is 'Acme!': write lower"),
        ("acme.observers", "other", "", "Chat()", "its name 'other' must be 'acme' or"),
        ("acme.observers", "../up", "", "Chat()", "its name is '../up': write lower"),
    ],
)
def test_a_bad_observer_is_left_out_and_reported(
    install_package: Install,
    find_packages: Find,
    entry_point: str,
    name: str,
    how: str,
    what: str,
    reason: str,
) -> None:
    """No run looks for it elsewhere, awaits it, or writes to a directory of its choice."""
    source = OBSERVER.format(name=name, how=how, what=what)
    install_package(entry_point, source, package="dist-acme")

    host = find_packages(entry_point)

    assert host.observers() == []
    [left_out] = [each for each in host.left_out if not each.deliberate]
    assert reason in left_out.reason
