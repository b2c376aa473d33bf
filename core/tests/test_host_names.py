"""Names that packages bring: at fault, of others, or twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from acme_packages import COPY, names, troubles

from workstream._cli.main import COMMANDS
from workstream._registry.host import Host
from workstream._secrets.lookups import CORE_RESOLVERS

Install = Callable[..., Path]
Find = Callable[..., Host]


def test_a_plugin_at_fault_is_left_out_alone(
    install_package: Install, find_packages: Find
) -> None:
    """A plugin that cannot be registered costs itself, with its reason (REG-2)."""
    install_package(
        "acme",
        """
        class Open(ActionPlugin):
            name = "acme.open"

        @hookimpl
        def workstream_plugins():
            return [named(Copy, "acme.copy"), Open()]
        """,
    )

    host = find_packages("acme")
    [left_out] = troubles(host)

    assert names(host) == ["acme.copy"]
    assert left_out.item == "plugin acme.open"
    assert "does not say its request type" in left_out.reason
    assert "does not define `async def execute" in left_out.reason
    assert dict(host.unusable) == {"acme.open": left_out.reason}
    assert str(left_out).startswith("plugin acme.open of dist-acme 1.0: ")


@pytest.mark.parametrize("name", ["other.copy", "acme", "acmecopy.x", "", None])
def test_names_begin_with_the_entry_point(
    install_package: Install, find_packages: Find, name: str | None
) -> None:
    """A plugin's name starts with its package's entry point (REG-10)."""
    install_package(
        "acme",
        f"""
        @hookimpl
        def workstream_plugins():
            return [named(Copy, {name!r})]
        """,
    )

    host = find_packages("acme")
    [left_out] = troubles(host)

    assert names(host) == []
    assert left_out.item == "plugin Copy"
    assert "[REG-10]" in left_out.reason or "it has no name" in left_out.reason
    assert dict(host.unusable) == {}


def test_a_package_cannot_spoil_the_name_of_anothers_plugin(
    install_package: Install, find_packages: Find
) -> None:
    """A name outside of the package's own realm is no claim to it (REG-10)."""
    install_package("fine", COPY.format(name="fine"))
    install_package("acme", COPY.format(name="fine"))

    host = find_packages("acme", "fine")

    assert names(host) == ["fine.copy"]
    assert dict(host.unusable) == {}
    assert [left_out.package for left_out in troubles(host)] == ["dist-acme"]


def test_of_two_plugins_of_one_name_neither_is_usable(
    install_package: Install, find_packages: Find
) -> None:
    """Both packages are named, and whatever else they bring works."""
    install_package("acme", COPY.format(name="acme"), package="acme-one", version="1.5")
    install_package(
        "acme",
        """
        @hookimpl
        def workstream_plugins():
            return [named(Look, "acme.look"), named(Look, "acme.copy")]
        """,
        package="acme-two",
        version="0.1",
    )

    host = find_packages("acme")
    one, two = troubles(host)

    assert names(host) == ["acme.look"]
    assert [one.package, two.package] == ["acme-one", "acme-two"]
    assert one.item == two.item == "plugin acme.copy"
    assert one.reason == two.reason
    assert "acme-one 1.5 and acme-two 0.1 each bring a plugin 'acme.copy'" in one.reason
    assert dict(host.unusable) == {"acme.copy": one.reason}


def test_one_package_that_brings_a_name_twice_is_told(
    install_package: Install, find_packages: Find
) -> None:
    """Two plugins of one name from one package are unusable too."""
    install_package(
        "acme",
        """
        @hookimpl
        def workstream_plugins():
            return [named(Copy, "acme.copy"), named(Look, "acme.copy")]
        """,
    )

    host = find_packages("acme")

    assert names(host) == []
    assert host.unusable["acme.copy"] == (
        "dist-acme 1.0 brings two plugins 'acme.copy': rename one"
    )
    assert len([each for each in host.left_out if not each.deliberate]) == 1


def test_of_two_schemes_or_commands_of_one_name_neither_is_usable(
    install_package: Install, find_packages: Find
) -> None:
    """Names are told apart by kind; the allow-list is named where it can help."""
    source = """
        import click

        @hookimpl
        def workstream_vaults():
            return {"shared": print, "NAME": print}

        @hookimpl
        def workstream_secret_resolvers():
            return {"NAME": print}

        @hookimpl
        def workstream_commands():
            return [click.Command("shared")]
        """
    install_package("one", source.replace("NAME", "one"))
    install_package("two", source.replace("NAME", "two"))

    host = find_packages("one", "two")

    assert sorted(host.vaults()) == ["lmdb", "memory", "one", "two"]
    assert sorted(host.secret_resolvers()) == ["env", "file", "keyring", "one", "two"]
    assert list(host.commands()) == list(COMMANDS)
    assert sorted({left_out.item for left_out in troubles(host)}) == [
        "command shared",
        "vault shared",
    ]
    for left_out in troubles(host):
        assert "dist-one 1.0 and dist-two 1.0 each bring a " in left_out.reason
        assert "or let in only one by WORKSTREAM_PLUGINS" in left_out.reason


def test_an_engine_and_a_vault_have_their_schemes_in_common(
    install_package: Install, find_packages: Find
) -> None:
    """``--store NAME:...`` must mean one thing: neither can be used of one scheme."""
    install_package(
        "one",
        """
        @hookimpl
        def workstream_vaults():
            return {"shared": print, "one": print}
        """,
    )
    install_package(
        "two",
        """
        @hookimpl
        def workstream_engines():
            return {"shared": print, "two": print, "memory": print}
        """,
    )

    host = find_packages("one", "two")

    assert sorted(host.vaults()) == ["lmdb", "memory", "one"]
    assert sorted(host.engines()) == ["two"]
    assert {left_out.item for left_out in troubles(host)} == {
        "vault shared",
        "engine shared",
        "engine memory",
    }


def test_the_cores_names_are_its_own(
    install_package: Install, find_packages: Find
) -> None:
    """A package cannot take ``lmdb`` or ``env`` from workstream, nor spoil them."""
    install_package(
        "acme",
        """
        @hookimpl
        def workstream_vaults():
            return {"lmdb": print, "acme": print}

        @hookimpl
        def workstream_secret_resolvers():
            return {"env": print}
        """,
    )

    host = find_packages("acme")

    assert host.vaults()["lmdb"].__name__ != "print"
    assert host.vaults()["acme"].__name__ == "print"
    assert host.secret_resolvers()["env"] is CORE_RESOLVERS["env"]
    assert [left_out.reason for left_out in troubles(host)] == [
        "workstream itself has a secret resolver 'env': rename it",
        "workstream itself has a vault 'lmdb': rename it",
    ]
