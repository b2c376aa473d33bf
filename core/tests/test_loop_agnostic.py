"""The interpreter runs on anything that can drive a coroutine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

TOY = Path(__file__).with_name("toy_runtime.py")
WITHOUT_LOOPS = """
import runpy, sys
sys.modules.update(dict.fromkeys(["trio", "asyncio", "anyio"]))
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def test_plan_runs_where_no_event_loop_can_be_imported() -> None:
    """Checks, concurrency, retries and delays need the runtime's verbs alone."""
    answer = subprocess.run(
        [sys.executable, "-c", WITHOUT_LOOPS, str(TOY)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    end = json.loads(answer.stdout)
    assert end["outcome"] == "COMPLETED_WITH_FAILURES"
    # The third sequence and its action fail, which is tolerated; nothing is rolled back.
    assert Counter(end["statuses"]) == {"COMPLETED": 17, "FAILED": 2, "NOT_STARTED": 2}
    assert end["calls"] == {
        "look 1": [0],
        # Four seconds from the end of one run to the start of the next (K-1).
        "look 0.5": [0, 5, 9.5, 14, 18.5],
        # Two at a time, from second 3 on; one second before each retry.
        "act 3": [3],
        "act 4": [3, 8],
        "act 5": [6, 12],
        "act 7": [12],
        "look 2": [19],
        "look 0.25": [21],
    }
    assert end["time"] == 21.25
    assert end["running"] == 0


def test_loops_are_really_out_of_reach() -> None:
    """The proof above would notice an import of an event loop."""
    code = WITHOUT_LOOPS.replace("runpy.run_path", "import trio; runpy.run_path")
    answer = subprocess.run(
        [sys.executable, "-c", code, str(TOY)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "import of trio halted" in answer.stderr
