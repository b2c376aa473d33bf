"""The work on DBOS: a workflow for each sequence, a step for each action.

    python -m testing.benchmarks.peers.on_dbos SEQUENCES ACTIONS CONCURRENCY FOLDER

Workflows and steps are plain functions, as in its guide, and the store is SQLite, which
is its default. As many threads as sequences may run at once call the workflows.
"""

from __future__ import annotations

import importlib
import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# No dependency of ours, so it may have no types here.
DBOS: Any = importlib.import_module("dbos").DBOS


@DBOS.step()  # type: ignore[untyped-decorator, unused-ignore]
def act(host: str, number: int) -> int:
    """Do nothing."""
    return number


@DBOS.workflow()  # type: ignore[untyped-decorator, unused-ignore]
def sequence(number: int, actions: int) -> None:
    """One action after the other."""
    for index in range(actions):
        act(f"web-{number}", number * actions + index)


def main(sequences: int, actions: int, concurrency: int, folder: Path) -> None:
    """Do the work, and print the seconds that it took."""
    store = f"sqlite:///{folder / 'dbos.sqlite'}"
    DBOS(config={"name": "bench", "system_database_url": store, "log_level": "ERROR"})
    logging.getLogger("dbos").setLevel(logging.ERROR)
    DBOS.launch()
    with ThreadPoolExecutor(concurrency) as threads:
        sequence(0, 1)  # what is made at the first call is made
        begun = time.perf_counter()
        for done in [threads.submit(sequence, n, actions) for n in range(sequences)]:
            done.result()
        print(time.perf_counter() - begun)
    DBOS.destroy()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
