"""Renew ``docs/reference/catalogue.md`` from what the plugins of this repository say.

::

    python docs/make_catalogue.py

It needs all of them installed, as ``nox -s tests`` installs them. What stands above the
page's mark is written by hand, and kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "catalogue.md"
MARK = "<!-- What follows is made by docs/make_catalogue.py -->\n"


def distributions() -> set[str]:
    """The distributions beside the engine."""
    return {
        tomllib.loads(file.read_text("utf-8"))["project"]["name"]
        for file in ROOT.glob("plugins-contrib/*/pyproject.toml")
    }


def catalogue() -> str:
    """What ``workstream plugins --markdown`` prints of them, and of nothing else."""
    done = subprocess.run(
        [sys.executable, "-m", "workstream", "plugins", "--markdown"],
        env={**os.environ, "WORKSTREAM_PLUGINS": ",".join(sorted(distributions()))},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if done.returncode or done.stderr:
        sys.exit(f"workstream plugins --markdown:\n{done.stderr}")
    return done.stdout


def renewed(page: str) -> str:
    """The page as it should be."""
    by_hand, mark, _ = page.partition(MARK)
    if not mark:
        sys.exit(f"{PAGE} has lost its mark: {MARK}")
    return f"{by_hand}{mark}\n{catalogue()}"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is as the plugins have it")
