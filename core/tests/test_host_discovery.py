"""Which installed packages the host finds and lets in, and what a registry makes of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from acme_packages import COPY, names, troubles

from workstream._registry.host import ALLOW_LIST, Host, discover
from workstream._registry.registry import Registry

Install = Callable[..., Path]
Find = Callable[..., Host]


@pytest.mark.slow
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
        ("dist-acme", ["acme.copy"]),
        ("DIST_acme", ["acme.copy"]),
        (" dist.fine ,dist-acme,", ["acme.copy", "fine.copy"]),
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
                f"WORKSTREAM_PLUGINS is set and does not name dist-{name}"
            )


def test_an_allow_list_that_names_nobody_is_told(
    install_package: Install, find_packages: Find
) -> None:
    """A name on the allow-list that no package has is reported, with the nearest."""
    install_package("acme", COPY.format(name="acme"))

    host = find_packages("dist-acne", "zzz")
    acne, zzz = troubles(host)

    assert (acne.package, acne.version, acne.entry_point) == ("dist-acne", "", "")
    assert acne.reason == (
        "WORKSTREAM_PLUGINS names it, but no installed package of this name has"
        " plugins (did you mean dist-acme?)"
    )
    assert "did you mean" not in zzz.reason
    assert str(zzz).startswith("package zzz: WORKSTREAM_PLUGINS names it")


def test_an_entry_point_does_not_let_a_package_in(
    install_package: Install,
) -> None:
    """Anybody can call an entry point ``http``: the allow-list names distributions."""
    install_package("http", COPY.format(name="http"), package="stranger")

    host = discover(environment={ALLOW_LIST: "http,workstream-http"})

    assert "http.copy" not in names(host)
    [kept_out] = [each for each in host.left_out if each.package == "stranger"]
    assert str(kept_out) == (
        "entry point 'http' of stranger 1.0: WORKSTREAM_PLUGINS is set and does not"
        " name stranger"
    )


def test_an_entry_point_on_the_allow_list_is_answered_by_its_package(
    install_package: Install,
) -> None:
    """Who names an entry point is told the distribution's name."""
    install_package("acme", COPY.format(name="acme"), package="tools-of-acme")

    [trouble] = troubles(discover(environment={ALLOW_LIST: "acme"}))

    assert trouble.reason.endswith("has plugins (did you mean tools-of-acme?)")


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

    assert registry.names == ("workstream.approval", "fine.copy")
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
        " not name dist-kept"
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
