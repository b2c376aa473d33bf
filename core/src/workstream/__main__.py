"""``python -m workstream``, and what the command ``workstream`` calls."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from typing import NoReturn


def main() -> NoReturn:
    """Do what the command line says, and exit."""
    # Nothing that an import makes is garbage: looking for some costs a twentieth of `list`.
    # The subcommand, once it is imported, lets the collector go on.
    gc.disable()
    from ._cli.main import main

    try:
        main()
    except SystemExit as end:
        # At its exit Python looks through all objects for garbage, though the memory goes
        # back to the system at once: that takes a fifth of `python -c "import trio"`.
        gc.freeze()
        if isinstance(end.code, int):
            _leave(end.code)
        raise


def _leave(status: int) -> None:
    """End the process as Python does, but for taking the interpreter apart.

    The client of a cluster brings threads that know nothing of Python's end. One that
    wakes while the interpreter is taken apart aborts the process: a plan has completed,
    all is said, and the status is 134. It returns, for Python to tell, if what was
    printed cannot be written.
    """
    # It ends the threads of pools first; of those that only wait, a join never returns.
    threading._shutdown()  # type: ignore[attr-defined]  # pyright: ignore
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        return
    os._exit(status)


if __name__ == "__main__":
    # `python -m` puts the current folder first on the path. Before anything is imported
    # it goes last, so that no secrets.py there stands in for Python's own.
    if not sys.flags.safe_path:
        sys.path.append(sys.path.pop(0))
    main()
