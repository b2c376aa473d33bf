"""The power is cut at each write of an engine: what was acknowledged is there (STO-1).

What is cut is a trace of a real engine's writes and syncs; see ``power_cuts.py``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from quickly import one_in

CUTS = Path(__file__).with_name("power_cuts.py")
CALLS = "openat,link,linkat,write,pwrite64,writev,pwritev,pwritev2,lseek,ftruncate"
SYNCS = "fsync,fdatasync"


def traced(trace: Path) -> list[str]:
    """The command that traces another one."""
    options = ["-f", "-y", "-xx", "-s", "1000000", "-e", f"trace={CALLS},{SYNCS}"]
    return ["strace", *options, "-o", str(trace)]


def may_trace(trace: Path) -> bool:
    """Whether a process may be traced here."""
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run([*traced(trace), "true"], capture_output=True)
    return tried.returncode == 0


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A directory in which an engine has worked, and the trace of that."""
    directory = tmp_path_factory.mktemp("power")
    trace = directory / "trace"
    if not may_trace(trace):
        pytest.skip("no process can be traced here (by strace)")
    command = [sys.executable, str(CUTS), "work", str(directory)]
    subprocess.run([*traced(trace), *command], check=True, capture_output=True)
    return directory, trace


@pytest.mark.slow
@pytest.mark.parametrize("seed", one_in(3, range(3)))
def test_what_was_acknowledged_survives_a_power_cut(
    worked: tuple[Path, Path], seed: int
) -> None:
    """At each write, whatever sectors of it and of those before it reached the disk.

    Each attempt was durable before its call, and each outcome before the next (A-13).
    """
    directory, trace = worked
    command = [sys.executable, str(CUTS), "look", str(directory), str(trace), str(seed)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    stores, acknowledged = map(int, ended.stdout.split())
    assert stores > 100
    assert acknowledged == 3 * 4 + 3 + 1
