"""How the command ends: as Python does, but for taking the interpreter apart."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, concurrent.futures, os, sys, threading
from workstream.__main__ import main

class Late:
    def __del__(self, write=os.write):
        write(1, b"the interpreter is taken apart")

told = threading.Event()

def thread():
    told.wait()
    sys.stdout.write("a thread has ended\\n")  # at once: the command writes too

class Output:
    def write(self, text):
        told.set()
        return sys.__stdout__.write(text)

    def __getattr__(self, name):
        return getattr(sys.__stdout__, name)

sys.late = Late()
atexit.register(print, "what was registered is called")
threading.Thread(target=thread).start()
pool = concurrent.futures.ThreadPoolExecutor(1)  # its thread waits for work for ever
pool.submit(int).result()
sys.stdout = Output()
sys.argv = ["workstream", *sys.argv[1:]]
main()
"""


def ended(*words: str) -> tuple[int, list[str]]:
    """The exit status of a command, and all that was printed, sorted."""
    command = [sys.executable, "-c", PROGRAM, *words]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, sorted(done.stdout.splitlines())


def test_the_interpreter_is_not_taken_apart() -> None:
    """A client's thread that wakes too late must not abort a command that is done.

    Threads that end are waited for, and those of a pool are told to end.
    """
    status, lines = ended("--version")

    assert status == 0
    assert [line for line in lines if not line.startswith("workstream ")] == [
        "a thread has ended",
        "what was registered is called",
    ]


@pytest.mark.slow
def test_the_status_is_kept() -> None:
    """A wrong command still ends with 2."""
    done = subprocess.run(
        [sys.executable, "-m", "workstream", "no-such-command"],
        capture_output=True,
        check=False,
    )

    assert done.returncode == 2
