"""No test is skipped unseen: what every pytest run in this repository obeys.

A test needs the real thing: a program, a privilege, a package. On a machine that lacks
a program the test is skipped, and the summary names the program; so the README's test
command passes anywhere. A test that needs a *package* which only some nox sessions
install says so with ``@pytest.mark.needs_package("mypy")``; it is left out where the
package is not installed, as it belongs to another session.

Neither may happen unseen where all of it must hold. ``.ci/run`` sets ``WORKSTREAM_LEDGER``
to a directory. Then

- a skip is a failure, wherever it comes from: a mark, a fixture, a module, a subtest;
- each session writes which tests it ran (``ran``) and which it left out (``left``), for
  want of a package or because ``-m``, ``-k`` or a deselection told it to, so that
  ``.ci/run`` can tell at its end that every test was run by some session.

All of it also holds where pytest-xdist spreads the tests over processes: each of them
writes to the same two files.

The ``conftest.py`` of each folder of tests takes these hooks in: pytest asks only
those of the folders that it is told to look at.
"""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

__all__ = [
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_make_collect_report",
    "pytest_runtest_makereport",
]

LEDGER = "WORKSTREAM_LEDGER"
"""The variable that names a directory for ``ran`` and ``left``, and forbids skips."""
DIRECTORY = os.environ.get(LEDGER)
"""What it names: read once, as a test may change its own environment."""
MARK = "needs_package"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, and let the processes that tests start hear signals.

    A script's shell lets what it starts with ``&`` ignore Ctrl-C, and nohup lets its
    program ignore a closed terminal; their children inherit both. Tests that send these
    signals would see them ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    config.addinivalue_line(
        "markers",
        f"{MARK}(*modules): left to the nox sessions in which these are installed",
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    """Leave out the tests whose packages are not installed here; note all left out."""
    collected = list(items)
    missing = [item for item in items if not all(map(_is_installed, _needed(item)))]
    if missing:
        config.hook.pytest_deselected(items=missing)
        items[:] = [item for item in items if item not in missing]
    yield
    kept = set(items)
    _write("left", [item for item in collected if item not in kept])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let no skip pass where all tests must run, and note the tests that have run."""
    report = yield
    # Of an expected failure pytest says that it was skipped, too.
    if report.skipped and not hasattr(report, "wasxfail"):
        _refuse(report)
    elif report.when == "call":
        _write("ran", [item])
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[
    None, pytest.CollectReport, pytest.CollectReport
]:
    """Let no module be skipped as a whole, either."""
    report = yield
    if report.skipped:
        _refuse(report)
    return report


def _needed(item: pytest.Item) -> list[str]:
    return [str(name) for mark in item.iter_markers(MARK) for name in mark.args]


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    if DIRECTORY is None:
        return
    # pytest's own form of a skip: where, in which line, and why.
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    report.outcome = "failed"
    report.longrepr = (
        f"{reason}\n{LEDGER} is set, so every test must run: install what is missing, or"
        f" mark the test with {MARK} when another nox session has it"
    )


def _write(name: str, items: Iterable[pytest.Item]) -> None:
    if DIRECTORY:
        # One write for each call, at the file's end: processes share the files.
        with Path(DIRECTORY, name).open("ab", buffering=0) as file:
            file.write("".join(f"{item.nodeid}\n" for item in items).encode())
