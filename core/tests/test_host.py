"""Tests of the host: real distributions on the path, whole and broken in every way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from acme_packages import COPY, names, troubles

from workstream._cli.main import COMMANDS
from workstream._registry.host import Host, discover

Install = Callable[..., Path]
Find = Callable[..., Host]


def test_an_installed_package_brings_all_that_its_hooks_return(
    install_package: Install, find_packages: Find
) -> None:
    """One entry point may bring plugins, vaults, secret resolvers and commands."""
    install_package(
        "acme",
        """
        import click

        @hookimpl
        def workstream_plugins():
            yield named(Copy, "acme.copy")
            yield named(Look, "acme.look")

        @hookimpl
        def workstream_vaults():
            return {"acme": lambda location: ("vault", location)}

        @hookimpl
        def workstream_secret_resolvers():
            return {"acme_safe": str.upper}

        @click.command("inventory")
        def inventory():
            pass

        @hookimpl
        def workstream_commands():
            return [inventory]
        """,
    )

    host = find_packages("acme")

    assert troubles(host) == []
    assert names(host) == ["acme.copy", "acme.look"]
    made: object = host.vaults()["acme"]("there")
    assert made == ("vault", "there")
    assert host.secret_resolvers()["acme_safe"]("x") == "X"
    assert [name for name in host.commands() if name not in COMMANDS] == ["inventory"]


def test_the_core_comes_through_the_same_hooks(find_packages: Find) -> None:
    """workstream's own stores, resolvers and commands are there with no package at all."""
    host = find_packages()
    [core] = host.listing().packages

    assert sorted(host.vaults()) == ["lmdb", "memory"]
    assert sorted(host.secret_resolvers()) == ["env", "file", "keyring"]
    assert [plugin.name for plugin in host.plugins()] == ["workstream.approval"]
    assert core.package == "workstream-engine"
    assert list(host.commands()) == list(COMMANDS)
    assert core.hooks == (
        "workstream_commands",
        "workstream_plugins",
        "workstream_secret_resolvers",
        "workstream_vaults",
    )


def test_the_core_makes_its_vaults(find_packages: Find, tmp_path: Path) -> None:
    """The core's factories make vaults that are not open yet."""
    vaults = find_packages().vaults()

    assert type(vaults["memory"]("")).__name__ == "MemoryVault"
    assert type(vaults["lmdb"](str(tmp_path / "store"))).__name__ == "LmdbVault"
    assert not (tmp_path / "store").exists()


def test_the_core_need_not_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run from its sources, without metadata, the engine has no version to show."""
    monkeypatch.setattr(sys, "path", list[str]())

    [core] = discover(packages=False).listing().packages

    assert core.version == "unknown"


def test_packages_can_be_left_alone(install_package: Install, tmp_path: Path) -> None:
    """A discovery without packages imports none of them."""
    install_package(
        "acme", f"open({str(tmp_path / 'imported')!r}, 'w').close()\n" + COPY
    )

    host = discover(packages=False)

    assert not (tmp_path / "imported").exists()
    assert host.left_out == ()
    assert sorted(host.vaults()) == ["lmdb", "memory"]


IMPORT_FAILURES = {
    "an error": ('raise OSError("no\\nluck")', "OSError: no luck (at "),
    "a missing module": ("import no_such_module_", "named 'no_such_module_' (at "),
    "a syntax error": ("def", "SyntaxError: "),
    "an exit": ("raise SystemExit(3)", "SystemExit: 3 (at "),
    "another base exception": ("raise BaseException", "BaseException (at "),
    "an error without words": (
        "class Mute(Exception):\n    def __str__(self): raise ValueError\nraise Mute",
        "Mute (at ",
    ),
}


@pytest.mark.parametrize("how", IMPORT_FAILURES)
def test_a_package_that_does_not_import_is_left_out_and_reported(
    install_package: Install, find_packages: Find, how: str
) -> None:
    """Whatever an import ends with costs that package, and no other."""
    source, reason = IMPORT_FAILURES[how]
    path = install_package("acme", source, package="acme-tools", version="2.3")
    install_package("fine", COPY.format(name="fine"))

    host = find_packages("acme", "fine")
    [left_out] = troubles(host)

    assert names(host) == ["fine.copy"]
    assert sorted(host.vaults()) == ["lmdb", "memory"]
    assert left_out.package == "acme-tools"
    assert left_out.version == "2.3"
    assert left_out.entry_point == "acme"
    assert left_out.item == ""
    assert f"'{path.stem}' cannot be loaded: " in left_out.reason
    assert reason in left_out.reason
    if reason.endswith("(at "):
        assert f"(at {path}:" in left_out.reason
    assert "\n" not in left_out.reason
    assert str(left_out).startswith("entry point 'acme' of acme-tools 2.3: ")


BAD_HOOKS = {
    "a misspelt hook": (
        """
        @hookimpl
        def workstream_plugin():
            return []
        """,
        "workstream has no hook workstream_plugin (did you mean workstream_plugins?)",
    ),
    "a misspelt hook, not marked": (
        """
        def workstream_vault():
            return {}
        """,
        "workstream has no hook workstream_vault (did you mean workstream_vaults?)",
    ),
    "a hook under another name": (
        """
        @hookimpl(specname="workstream_nonsense")
        def anything():
            return []
        """,
        "workstream has no hook workstream_nonsense",
    ),
    "a forgotten mark": (
        """
        def workstream_plugins():
            return []
        """,
        "workstream_plugins is not marked: write @workstream.hookimpl above it",
    ),
    "an unknown argument": (
        """
        @hookimpl
        def workstream_plugins(config):
            return []
        """,
        "workstream_plugins asks for 'config', which workstream's does not have",
    ),
    "a wrapper": (
        """
        @hookimpl(wrapper=True)
        def workstream_plugins():
            return (yield)
        """,
        "workstream_plugins is a wrapper: each package is asked by itself",
    ),
    "no hook": ("", "it implements no hook: mark its workstream_plugins with"),
}


@pytest.mark.parametrize("how", BAD_HOOKS)
def test_a_package_with_a_bad_hook_is_left_out_and_reported(
    install_package: Install, find_packages: Find, how: str
) -> None:
    """What looks like a hook and is none is an error of its package, and loud."""
    source, reason = BAD_HOOKS[how]
    install_package("acme", source)
    install_package("fine", COPY.format(name="fine"))

    host = find_packages("acme", "fine")
    [left_out] = troubles(host)

    assert names(host) == ["fine.copy"]
    assert left_out.package == "dist-acme"
    assert reason in left_out.reason


def test_a_package_is_left_out_with_all_of_its_hooks(
    install_package: Install, find_packages: Find
) -> None:
    """When one hook of a package fails, nothing of the package is taken."""
    install_package(
        "acme",
        """
        @hookimpl
        def workstream_plugins():
            return [named(Copy, "acme.copy")]

        @hookimpl
        def workstream_vaults():
            raise RuntimeError("broken")
        """,
    )

    host = find_packages("acme")

    assert names(host) == []
    assert [package.entry_point for package in host.listing().packages] == [""]


def test_all_that_is_wrong_with_the_hooks_is_told_at_once(
    install_package: Install, find_packages: Find
) -> None:
    """A package with several misspelt hooks hears of each."""
    install_package(
        "acme",
        """
        @hookimpl
        def workstream_plugin():
            return []

        @hookimpl
        def workstream_vaults(path):
            return {}
        """,
    )

    [left_out] = troubles(find_packages("acme"))

    assert "no hook workstream_plugin " in left_out.reason
    assert "workstream_vaults asks for 'path'" in left_out.reason


def test_an_entry_point_may_name_an_object(
    install_package: Install, find_packages: Find
) -> None:
    """Hooks may be methods of an object; its properties are not run to find them."""
    install_package(
        "acme",
        """
        class Package:
            @property
            def workstream_trap(self):
                raise RuntimeError("run")

            @hookimpl
            def workstream_plugins(self):
                return [named(Copy, "acme.copy")]

        package = Package()
        """,
        attribute="package",
    )

    host = find_packages("acme")

    assert troubles(host) == []
    assert names(host) == ["acme.copy"]


def test_an_entry_point_that_names_nothing_is_reported(
    install_package: Install, find_packages: Find
) -> None:
    """A missing attribute, and a class in place of an object, are told as such."""
    install_package("nothing", COPY, attribute="nowhere")
    install_package(
        "cls",
        """
        class Package:
            @hookimpl
            def workstream_plugins(self):
                return []
        """,
        attribute="Package",
    )

    of_class, of_nothing = troubles(find_packages("nothing", "cls"))

    assert "has no attribute 'nowhere'" in of_nothing.reason
    assert "workstream_plugins asks for 'self'" in of_class.reason


def test_a_hook_may_add_nothing(install_package: Install, find_packages: Find) -> None:
    """An empty answer adds nothing and is no fault."""
    install_package("empty", "@hookimpl\ndef workstream_plugins(): return []\n")

    host = find_packages("empty")

    assert troubles(host) == []
    assert names(host) == []


def test_optional_arguments_are_the_packages_own(
    install_package: Install, find_packages: Find
) -> None:
    """An argument with a default is never passed, so it may be anything."""
    install_package(
        "acme",
        """
        @hookimpl
        def workstream_plugins(prefix="acme"):
            return [named(Copy, f"{prefix}.copy")]
        """,
    )

    assert names(find_packages("acme")) == ["acme.copy"]


def test_an_interrupt_is_not_caught(
    install_package: Install, find_packages: Find
) -> None:
    """Ctrl-C during discovery ends it: it is the operator's, not the package's."""
    install_package("acme", "raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        find_packages("acme")
