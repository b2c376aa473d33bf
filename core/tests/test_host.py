"""Tests of the host: real distributions on the path, whole and broken in every way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from workstream._cli._table import COMMANDS
from workstream._registry.host import ALLOW_LIST, Host, discover
from workstream._registry.listing import LeftOut
from workstream._registry.registry import CORE_RESOLVERS, Registry

Install = Callable[..., Path]
Find = Callable[..., Host]

COPY = """
@hookimpl
def workstream_plugins():
    return [named(Copy, "{name}.copy")]
"""


def troubles(host: Host) -> list[LeftOut]:
    """What was left out, but for what the allow-list keeps out."""
    return [left_out for left_out in host.left_out if not left_out.deliberate]


def names(host: Host) -> list[str]:
    """The names of the plugins that can be used."""
    return [plugin.name for plugin in host.plugins()]


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
    assert host.plugins() == []
    assert core.package == "workstream-engine"
    assert list(host.commands()) == list(COMMANDS)
    assert core.hooks == (
        "workstream_commands",
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
    """None, as well as an empty answer, adds nothing and is no fault."""
    install_package("none", "@hookimpl\ndef workstream_plugins(): return None\n")
    install_package("empty", "@hookimpl\ndef workstream_plugins(): return []\n")

    host = find_packages("none", "empty")

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


def test_without_an_allow_list_every_package_is_let_in(
    install_package: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unset WORKSTREAM_PLUGINS keeps nobody out."""
    monkeypatch.delenv(ALLOW_LIST, raising=False)
    install_package("acme", COPY.format(name="acme"))
    install_package("fine", COPY.format(name="fine"))

    host = discover()

    assert {"acme.copy", "fine.copy"} <= set(names(host))
    assert not any(left_out.deliberate for left_out in host.left_out)


@pytest.mark.parametrize(
    ("setting", "usable"),
    [
        ("", []),
        (" , ", []),
        ("acme", ["acme.copy"]),
        (" fine ,acme,", ["acme.copy", "fine.copy"]),
    ],
)
def test_an_allow_list_lets_in_what_it_names(
    install_package: Install, tmp_path: Path, setting: str, usable: list[str]
) -> None:
    """Other packages are not even imported, and are listed as left out on purpose."""
    for name in ("acme", "fine"):
        imported = tmp_path / name
        install_package(
            name, f"open({str(imported)!r}, 'w').close()\n" + COPY.format(name=name)
        )

    host = discover(environment={ALLOW_LIST: setting})
    left_out = {each.entry_point: each for each in host.left_out}

    assert names(host) == usable
    assert troubles(host) == []
    for name in ("acme", "fine"):
        let_in = f"{name}.copy" in usable
        assert (tmp_path / name).exists() is let_in
        assert (name in left_out) is not let_in
        if not let_in:
            assert left_out[name].reason == (
                "WORKSTREAM_PLUGINS is set and does not name it"
            )


def test_an_allow_list_that_names_nobody_is_told(
    install_package: Install, find_packages: Find
) -> None:
    """A name on the allow-list that no entry point has is reported, with the nearest."""
    install_package("acme", COPY.format(name="acme"))

    host = find_packages("acne", "zzz")
    acne, zzz = troubles(host)

    assert (acne.package, acne.version, acne.entry_point) == ("", "", "acne")
    assert acne.reason == (
        "WORKSTREAM_PLUGINS names it, but no installed package has an entry point of"
        " this name (did you mean acme?)"
    )
    assert "did you mean" not in zzz.reason
    assert str(zzz).startswith("entry point 'zzz': WORKSTREAM_PLUGINS names it")


def test_a_package_whose_entry_points_cannot_be_read_hides_no_other(
    install_package: Install, find_packages: Find
) -> None:
    """Broken metadata of any distribution is reported, and the others are found."""
    install_package("acme", COPY.format(name="acme"))
    # Found first, and read by every look at any entry point.
    install_package(
        "", "", package="aaa-broken", entry_points="[console_scripts]\nnonsense\n"
    )

    host = find_packages("acme")

    assert names(host) == ["acme.copy"]
    # Python versions differ in whether they can make something of such a file.
    for left_out in troubles(host):
        assert left_out.package == "aaa-broken"
        assert "its entry points cannot be read" in left_out.reason


def test_a_package_without_metadata_is_found(
    install_package: Install, find_packages: Find
) -> None:
    """A distribution that does not say its name or version is listed as unknown."""
    install_package("acme", COPY.format(name="acme"), metadata="")

    [_, package] = find_packages("acme").listing().packages

    assert (package.package, package.version) == ("unknown", "unknown")
    assert [plugin.name for plugin in package.plugins] == ["acme.copy"]


def test_packages_without_names_do_not_hide_each_other(
    install_package: Install, find_packages: Find
) -> None:
    """Of packages that do not say their names each is found, broken neighbours or not."""
    install_package("acme", COPY.format(name="acme"), metadata="")
    install_package("fine", COPY.format(name="fine"), metadata="")
    install_package("", "", package="aaa", entry_points="[console_scripts]\nnonsense\n")

    assert names(find_packages("acme", "fine")) == ["acme.copy", "fine.copy"]


def test_a_hidden_distribution_is_not_loaded(
    install_package: Install,
    find_packages: Find,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two versions on the path only the first counts, broken neighbours or not."""
    install_package(
        "acme", COPY.format(name="acme"), package="acme-tools", version="2.0"
    )
    install_package(
        "", "", package="aaa-broken", entry_points="[console_scripts]\nnonsense\n"
    )
    old = tmp_path / "old" / "Acme.Tools-1.0.dist-info"
    old.mkdir(parents=True)
    (old / "METADATA").write_text("Name: Acme.Tools\nVersion: 1.0\n")
    (old / "entry_points.txt").write_text("[workstream]\nacme = no_such_module_\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "old")])

    host = find_packages("acme")

    assert names(host) == ["acme.copy"]
    assert "Acme.Tools" not in {left_out.package for left_out in troubles(host)}


def test_a_registry_of_what_is_installed(
    install_package: Install, find_packages: Find
) -> None:
    """``Registry.installed`` has the usable plugins, resolvers, and what is not usable."""
    install_package("acme", COPY.format(name="acme"), package="acme-one")
    install_package("acme", COPY.format(name="acme"), package="acme-two")
    install_package(
        "fine",
        COPY.format(name="fine")
        + """
@hookimpl
def workstream_secret_resolvers():
    return {"safe": str.upper}
""",
    )
    find_packages("acme", "fine")  # leaves the allow-list set

    registry = Registry.installed()

    assert registry.names == ("fine.copy",)
    assert "acme-one 1.0 and acme-two 1.0" in registry.unusable["acme.copy"]
    assert sorted(registry.resolvers) == ["env", "file", "keyring", "safe"]
    assert not registry.frozen


def test_plugins_of_a_package_that_was_left_out_are_unusable_with_its_reason(
    install_package: Install, find_packages: Find
) -> None:
    """Whoever names a plugin of a broken package hears of that, not "install it"."""
    install_package("acme", "raise OSError('gone')", package="acme-tools")
    install_package("fine", COPY.format(name="fine"))
    install_package("kept", COPY.format(name="kept"))

    registry = Registry.installed(find_packages("acme", "fine", "unheard"))

    assert registry.unusable["acme.anything"].startswith(
        "its package acme-tools 1.0 was left out: 'throw_away_"
    )
    assert "OSError: gone" in registry.unusable["acme.anything"]
    assert registry.unusable["kept.copy"] == (
        "its package dist-kept 1.0 was left out: WORKSTREAM_PLUGINS is set and does"
        " not name it"
    )
    assert registry.unusable.get("fine.copy") is None
    assert registry.unusable.get("fine.other") is None
    assert registry.unusable.get("unheard.of") is None
    assert list(registry.unusable) == []
    assert len(registry.unusable) == 0


def test_each_discovery_asks_once(
    install_package: Install, find_packages: Find
) -> None:
    """A hook is called once for each discovery, and again at the next."""
    install_package(
        "acme",
        """
        calls = []

        @hookimpl
        def workstream_plugins():
            calls.append(1)
            return [named(Copy, f"acme.copy{len(calls)}")]
        """,
    )

    host = find_packages("acme")
    host.listing()
    Registry.installed(host)

    assert names(host) == ["acme.copy1"]
    assert names(find_packages("acme")) == ["acme.copy2"]


def test_discovery_needs_no_loop_and_no_store() -> None:
    """Finding what is installed works where trio, LMDB and rich cannot be imported."""
    code = (
        "import sys\n"
        "for name in ('trio', 'lmdb', 'cattrs', 'rich'): sys.modules[name] = None\n"
        "from workstream._registry.host import discover\n"
        "print(*sorted(discover(packages=False).listing().packages[0].vaults))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("lmdb memory\n", "")
