"""Command lines in forks of one process, which has imported what they and a cluster need.

A command line that talks to a cluster imports for a second before it does anything, and a
test that plays pages calls dozens of them. Their process imports everything once, opens
nothing and has one thread; each command is a fork of it, with a directory, an environment
and an output of its own.

    forked_commands.py

It is told on standard input, in a line of JSON, the words of a command, its directory, its
environment and the file for its output; it answers with the command's exit status.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import random
import subprocess
import sys
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

__all__ = ["ForkedCommands"]

PACKAGES = ("workstream._cli", "workstream._engine", "workstream_temporal")
"""Packages of which all modules are imported beforehand."""


class ForkedCommands:
    """Runs command lines of workstream; see ``begun``."""

    def __init__(self, process: subprocess.Popen[str], output: Path) -> None:
        """Take the process, and where the output of its forks goes."""
        self._process = process
        self._output = output

    @classmethod
    @contextmanager
    def begun(
        cls, directory: Path, variables: Mapping[str, str]
    ) -> Generator[ForkedCommands]:
        """Begin their process in a directory; it ends with the body."""
        with subprocess.Popen(
            [sys.executable, __file__],
            cwd=directory,
            env=variables,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            yield cls(process, directory / "output")
            process.communicate()

    def run(
        self, words: list[str], work: Path, variables: Mapping[str, str]
    ) -> tuple[int, str]:
        """Run ``workstream`` with these words in a directory: its status and output."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = (words, str(work), dict(variables), str(self._output))
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return status, self._output.read_text(encoding="utf-8")


def import_all() -> None:
    """Import what commands need, which then takes no fork any time."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(module.name)


def be_command(
    words: list[str], work: str, variables: dict[str, str], output: str
) -> NoReturn:
    """Be what ``workstream`` is in a process of its own."""
    from workstream.__main__ import main

    status = 1
    try:
        os.chdir(work)
        os.environ.clear()
        os.environ.update(variables)
        random.seed()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.argv = ["workstream", *words]
        main()
    except SystemExit as end:  # of a status that is no number: it was said
        print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def serve() -> None:
    """Fork one command after the other, until nobody asks for more."""
    sys.path.pop(0)  # the directory of this file, which no command has there
    import_all()
    assert len(os.listdir("/proc/self/task")) == 1, "a fork would lack a thread"
    while asked := sys.stdin.readline():
        words, work, variables, output = json.loads(asked)
        child = os.fork()
        if child == 0:
            be_command(words, work, variables, output)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(status, flush=True)


if __name__ == "__main__":
    serve()
