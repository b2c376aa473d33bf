"""``python -m workstream``, and what the command ``workstream`` calls."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Do what the command line says, and exit."""
    # Nothing that an import makes is garbage: looking for some costs a twentieth of `list`.
    # The subcommand, once it is imported, lets the collector go on.
    gc.disable()
    from ._cli.main import main

    try:
        main()
    finally:
        # At its exit Python looks through all objects for garbage, though the memory goes
        # back to the system at once: that takes a fifth of `python -c "import trio"`.
        gc.freeze()


if __name__ == "__main__":
    # `python -m` puts the current folder first on the path. Before anything is imported
    # it goes last, so that no secrets.py there stands in for Python's own.
    if not sys.flags.safe_path:
        sys.path.append(sys.path.pop(0))
    main()
