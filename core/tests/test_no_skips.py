"""Where all tests must run, a skip is a failure (``testing/ledger``)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEDGER = "WORKSTREAM_LEDGER"
MUST_RUN = f"{LEDGER} is set, so every test must run"

Run = Callable[..., subprocess.CompletedProcess[str]]

SKIPS = {
    "a mark": """
        @pytest.mark.skipif(True, reason="there is no sshd here")
        def test_it(): pass
    """,
    "a call in a test": """
        def test_it(): pytest.skip("there is no sshd here")
    """,
    "a fixture": """
        @pytest.fixture
        def server(): pytest.skip("there is no sshd here")

        def test_it(server): pass
    """,
    "a module": """
        pytest.skip("there is no sshd here", allow_module_level=True)
    """,
    "an import": """
        pytest.importorskip("sshd_of_nobody", reason="there is no sshd here")
    """,
    "a unittest": """
        import unittest

        class Test(unittest.TestCase):
            @unittest.skip("there is no sshd here")
            def test_it(self): pass
    """,
}


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """The directory in which is written what has run."""
    directory = tmp_path / "ledger"
    directory.mkdir()
    return directory


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run test files in a repository that has our hooks."""
    monkeypatch.delenv(LEDGER, raising=False)
    repository = tmp_path / "repository"
    repository.mkdir()
    hooks = ROOT / "testing" / "ledger" / "no_unseen_skips.py"
    shutil.copy(hooks, repository / "conftest.py")

    def run(
        *sources: str, arguments: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        for number, source in enumerate(sources):
            text = f"import pytest\n{textwrap.dedent(source)}"
            (repository / f"test_{number}.py").write_text(text)
        return subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-ra", "--strict-markers"),
                *("-p", "no:cacheprovider", "--rootdir", str(repository)),
                *("--import-mode=importlib", "--continue-on-collection-errors"),
                *arguments,
            ],
            cwd=repository,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run


@pytest.mark.slow
def test_a_skip_is_told_with_what_is_missing(run: Run) -> None:
    """On a user's machine the run goes on, and the summary names the program."""
    done = run(*SKIPS.values(), "def test_other(): pass")

    assert done.returncode == 0, done.stdout
    assert f"1 passed, {len(SKIPS)} skipped" in done.stdout
    summary = done.stdout.partition("short test summary info")[2]
    assert summary.count("there is no sshd here") == len(SKIPS)


@pytest.mark.slow
def test_a_skip_is_a_failure_where_all_must_run(
    run: Run, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it comes from; the reason is told, and what to do."""
    monkeypatch.setenv(LEDGER, str(ledger))

    done = run(*SKIPS.values(), "def test_other(): pass")

    assert done.returncode == 1, done.stdout
    details, _, summary = done.stdout.partition("short test summary info")
    assert details.count("there is no sshd here\n" + MUST_RUN) == len(SKIPS)
    for number in range(len(SKIPS)):
        assert re.search(rf"^(FAILED|ERROR) test_{number}\.py", summary, re.M)
    assert "skipped" not in summary
    assert (ledger / "ran").read_text() == f"test_{len(SKIPS)}.py::test_other\n"


@pytest.mark.slow
def test_an_expected_failure_is_no_skip(
    run: Run, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has run."""
    monkeypatch.setenv(LEDGER, str(ledger))

    done = run("@pytest.mark.xfail\ndef test_it(): assert False\n")

    assert done.returncode == 0, done.stdout
    assert (ledger / "ran").read_text() == "test_0.py::test_it\n"


@pytest.mark.slow
def test_what_another_session_runs_is_left_out_and_written_down(
    run: Run, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not skipped; and what no session has run is found at the end."""
    monkeypatch.setenv(LEDGER, str(ledger))
    source = """
        @pytest.mark.needs_package("{0}")
        def test_far(): pass

        @pytest.mark.needs_package("pytest")
        def test_near(): pass
    """

    done = run(source.format("checker_of_nobody"))

    assert done.returncode == 0, done.stdout
    assert "1 passed, 1 deselected" in done.stdout
    missed = every_test_has_run(ledger)
    assert missed.returncode == 1
    assert missed.stdout.splitlines()[1:] == ["  test_0.py::test_far"]

    run(source.format("pytest"))

    assert every_test_has_run(ledger).returncode == 0


@pytest.mark.slow
def test_what_a_session_deselects_is_written_down(
    run: Run, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that runs a part of the tests leaves the rest to another one."""
    monkeypatch.setenv(LEDGER, str(ledger))
    source = "def test_here(): pass\ndef test_there(): pass\n"

    assert run(source, arguments=["-k", "here and not there"]).returncode == 0

    missed = every_test_has_run(ledger)
    assert missed.returncode == 1
    assert missed.stdout.splitlines()[1:] == ["  test_0.py::test_there"]


@pytest.mark.slow
def test_several_processes_share_the_ledger(
    run: Run, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under pytest-xdist all that has run is written down, and a skip is a failure."""
    monkeypatch.setenv(LEDGER, str(ledger))
    source = """
        @pytest.mark.parametrize("number", range(50))
        def test_it(number): pass
    """

    done = run(source, SKIPS["a fixture"], arguments=["-n", "2"])

    assert done.returncode == 1, done.stdout
    assert MUST_RUN in done.stdout
    assert "50 passed, 1 error" in done.stdout
    ran = (ledger / "ran").read_text().splitlines()
    assert sorted(ran) == sorted(f"test_0.py::test_it[{n}]" for n in range(50))


def test_a_ledger_without_any_test_proves_nothing(ledger: Path) -> None:
    """Then the variable has not come to the tests."""
    assert every_test_has_run(ledger).returncode == 1


def every_test_has_run(ledger: Path) -> subprocess.CompletedProcess[str]:
    """Ask as ``.ci/run`` does, at its end."""
    return subprocess.run(
        [ROOT / ".ci" / "every-test-ran", ledger],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    )
